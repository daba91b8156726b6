"""What S3 can do to a run, and the stated outcome of each: see docs/operations.md."""

import time
from collections.abc import Callable

import pytest
from werkzeug.wrappers import Request, Response

from ingestion import source as source_module
from sandbox.faults import Fault, answer
from tests.ingestion.support import MORNING, PREFIX, Warehouse, statuses
from warehouse.errors import UserError

Honest = Callable[[], Response]


def dropped(_request: Request, _honest: Honest) -> Response:
    """The connection is reset before any answer."""
    raise ConnectionError


def cut_off(_request: Request, honest: Honest) -> Response:
    """The connection ends in the middle of the body that was announced."""
    response = honest()
    body = response.get_data()

    def half():
        yield body[: len(body) // 2]
        raise ConnectionError

    response.response = half()
    response.headers["Content-Length"] = str(len(body))
    return response


def shortened(_request: Request, honest: Honest) -> Response:
    """A whole answer, of half the body."""
    response = honest()
    response.set_data(response.get_data()[:40])
    return response


def dripping(_request: Request, honest: Honest) -> Response:
    """Every piece of the body comes late."""
    response = honest()
    body = response.get_data()

    def pieces():
        for start in range(0, len(body), 200):
            time.sleep(0.05)
            yield body[start : start + 200]

    response.response = pieces()
    response.headers["Content-Length"] = str(len(body))
    return response


@pytest.mark.parametrize(
    "fault",
    [
        answer(503, "SlowDown", "Please reduce your request rate."),
        answer(500, "InternalError"),
        dropped,
    ],
    ids=["503 SlowDown", "500", "connection reset"],
)
def test_a_passing_fault_of_a_get_is_tried_again_and_unseen(
    warehouse: Warehouse, fault: Fault
) -> None:
    warehouse.put("a", statuses(1))
    warehouse.bucket.inject(fault, method="GET", times=1)
    assert warehouse.run().loaded == 1
    assert warehouse.gets("a") == 2


@pytest.mark.parametrize(
    "fault",
    [answer(503, "SlowDown"), dropped, cut_off, shortened],
    ids=["503 SlowDown", "connection reset", "cut off", "wrong length"],
)
def test_a_lasting_fault_of_one_object_fails_it_alone_until_it_is_mended(
    warehouse: Warehouse, fault: Fault
) -> None:
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))
    warehouse.bucket.inject(fault, method="GET", key=PREFIX + "a")
    report = warehouse.run()
    assert (report.loaded, len(report.failed)) == (1, 1)
    assert report.failed[0].object.key == PREFIX + "a"
    assert warehouse.landed("twap_id") == [("2",)]

    warehouse.bucket.heal()
    assert warehouse.run().loaded == 1
    assert warehouse.landed("twap_id") == [("1",), ("2",)]


def test_a_body_that_comes_slowly_is_waited_for(warehouse: Warehouse) -> None:
    warehouse.put("a", statuses(1))
    warehouse.bucket.inject(dripping, method="GET")
    assert warehouse.run().loaded == 1


def test_a_body_that_stops_coming_fails_alone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "_READ_SECONDS", 0.5)
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))

    def stalled(_request: Request, honest: Honest) -> Response:
        time.sleep(2)
        return honest()

    warehouse.bucket.inject(stalled, method="GET", key=PREFIX + "a")
    report = warehouse.run()
    assert (report.loaded, len(report.failed)) == (1, 1)


def test_a_listing_that_fails_on_its_second_page_loads_nothing(
    warehouse: Warehouse,
) -> None:
    for n in range(1_001):
        warehouse.put(f"{n:04}", b"x")

    def second_page(request: Request, honest: Honest) -> Response:
        if "continuation-token" in request.args:
            return answer(500, "InternalError")(request, honest)
        return honest()

    warehouse.bucket.inject(second_page, method="LIST")
    with pytest.raises(UserError) as error:
        warehouse.run()
    assert "\n" not in str(error.value)
    assert warehouse.gets() == 0
    assert warehouse.rows("select to_regnamespace('staging')") == [(None,)]


def test_an_object_deleted_after_the_listing_fails_alone(warehouse: Warehouse) -> None:
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))

    def deleted(_request: Request, honest: Honest) -> Response:
        warehouse.bucket.delete(PREFIX + "a")
        return honest()

    warehouse.bucket.inject(deleted, method="GET", key=PREFIX + "a")
    report = warehouse.run()
    assert report.loaded == 1
    assert "deleted" in report.failed[0].reason
    # It is listed no more, so nobody asks for it again.
    assert (warehouse.run().new, warehouse.gets("a")) == (0, 1)


def test_an_object_published_again_after_the_listing_is_left_to_the_next_run(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a", statuses(1))

    def replaced(_request: Request, honest: Honest) -> Response:
        warehouse.bucket.put(PREFIX + "a", statuses(2), last_modified=MORNING)
        return honest()

    warehouse.bucket.inject(replaced, method="GET", times=1)
    report = warehouse.run()
    assert "published again" in report.failed[0].reason
    assert warehouse.landed() == []
    assert warehouse.run().loaded == 1
    assert warehouse.landed("twap_id") == [("2",)]


def test_ten_thousand_objects_are_landed_in_one_run(warehouse: Warehouse) -> None:
    body = statuses(1)
    for n in range(10_000):
        warehouse.put(f"{n:05}", body)
    report = warehouse.run()
    assert (report.listed, report.loaded, report.rows) == (10_000,) * 3
    assert warehouse.run().new == 0
