from collections.abc import Iterator
from threading import Barrier

import pytest

from ingestion.fetch import work_ahead


def test_work_is_done_by_several_threads_and_given_in_the_order_of_its_items() -> None:
    both = Barrier(2, timeout=30)

    def work(item: int) -> int:
        both.wait()
        return item * 2

    done = work_ahead(
        range(20), work, size=lambda _: 1, threads=2, max_items=4, max_size=4
    )
    assert list(done) == [(item, item * 2) for item in range(20)]


@pytest.mark.parametrize(
    ("max_items", "max_size", "held"),
    [(3, 1000, 3), (100, 30, 3), (100, 5, 1)],
    ids=["by_count", "by_size", "one_alone_may_be_larger"],
)
def test_no_more_is_held_than_allowed_beside_the_one_given(
    max_items: int, max_size: int, held: int
) -> None:
    taken = given = most = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(50):
            taken += 1
            yield item

    for _ in work_ahead(
        items(),
        lambda item: item,
        size=lambda _: 10,
        threads=2,
        max_items=max_items,
        max_size=max_size,
    ):
        given += 1
        # The next one has been looked at, to know whether it may be held too.
        most = max(most, taken - given - 1)
    assert (given, most) == (50, held - 1)


def test_error_of_an_item_is_raised_at_its_turn() -> None:
    def work(item: int) -> float:
        return 1 / item

    done = work_ahead(
        [2, 1, 0, 4], work, size=lambda _: 1, threads=2, max_items=9, max_size=9
    )
    assert [next(done), next(done)] == [(2, 0.5), (1, 1.0)]
    with pytest.raises(ZeroDivisionError):
        next(done)
