"""What S3 can do to a run, and the stated outcome of each: see docs/operations.md."""

import time
from collections.abc import Callable

import pyarrow as pa
import pytest
from werkzeug.wrappers import Request, Response

from ingestion import decode
from ingestion import source as source_module
from sandbox.faults import (
    Fault,
    answer,
    delay,
    drop,
    on_later_pages,
    shorten,
    truncate,
)
from tests.ingestion.support import PREFIX, Warehouse, parquet, statuses
from warehouse.errors import UserError

PASSING: dict[str, Fault] = {
    "503 SlowDown": answer(503, "SlowDown"),
    "500": answer(500, "InternalError"),
    "connection reset": drop,
    "truncated body": truncate(100),
    "slow answer": delay(1),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=list(PASSING))
def test_fault_that_passes_is_retried_and_the_object_loaded(
    warehouse: Warehouse, fault: Fault
) -> None:
    warehouse.put("a", statuses(1))
    warehouse.bucket.inject(fault, method="GET", key=PREFIX + "a", times=2)
    report = warehouse.run()

    assert (report.loaded, report.failed) == (1, ())
    assert warehouse.landed("twap_id") == [("1",)]


def test_body_that_comes_slowly_is_waited_for(warehouse: Warehouse) -> None:
    def dripping(_: Request, honest: Callable[[], Response]) -> Response:
        response = honest()
        body = response.get_data()
        pieces = [body[start : start + 200] for start in range(0, len(body), 200)]
        response.response = (time.sleep(0.05) or piece for piece in pieces)
        response.headers["Content-Length"] = str(len(body))
        return response

    warehouse.put("a", statuses(1))
    warehouse.bucket.inject(dripping, method="GET")
    assert warehouse.run().loaded == 1


def test_body_that_does_not_come_fails_alone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "_READ_SECONDS", 0.5)
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))
    warehouse.bucket.inject(delay(2), method="GET", key=PREFIX + "a")
    report = warehouse.run()
    assert (report.loaded, len(report.failed)) == (1, 1)


LASTING: dict[str, tuple[Fault, str]] = {
    "503 SlowDown": (answer(503, "SlowDown"), "S3 answers 503 again and again"),
    "connection reset": (drop, "no answer from S3"),
    "truncated body": (truncate(100), "connection broke while it was read"),
    "wrong length": (shorten(100), "100 bytes came instead of the"),
}


@pytest.mark.parametrize(("fault", "reason"), LASTING.values(), ids=list(LASTING))
def test_fault_that_lasts_fails_the_object_alone_and_the_next_run_loads_it(
    warehouse: Warehouse, fault: Fault, reason: str
) -> None:
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))
    warehouse.bucket.inject(fault, method="GET", key=PREFIX + "a")
    report = warehouse.run()
    warehouse.bucket.heal()
    again = warehouse.run()

    assert report.loaded == 1
    assert [reason in failure.reason for failure in report.failed] == [True]
    assert (again.loaded, again.failed) == (1, ())
    assert warehouse.landed("twap_id") == [("1",), ("2",)]


def test_listing_that_fails_on_its_second_page_stops_the_run_before_any_get(
    warehouse: Warehouse,
) -> None:
    for number in range(1_001):
        warehouse.put(f"{number:05}", b"")
    warehouse.bucket.inject(on_later_pages(answer(500, "InternalError")), method="LIST")
    with pytest.raises(UserError, match="cannot be listed") as error:
        warehouse.run()

    assert "\n" not in str(error.value)
    assert warehouse.gets() == 0
    assert warehouse.rows("select to_regnamespace('staging')") == [(None,)]


def test_listing_whose_second_page_fails_once_is_whole(warehouse: Warehouse) -> None:
    for number in range(1_001):
        warehouse.put(f"_{number:05}", b"")
    warehouse.put("z", statuses(1))
    failing = iter([True])

    def once(request: Request, honest: Callable[[], Response]) -> Response:
        fault = answer(503, "SlowDown") if next(failing, False) else None
        return fault(request, honest) if fault else honest()

    warehouse.bucket.inject(on_later_pages(once), method="LIST")
    report = warehouse.run()

    assert (report.listed, report.loaded) == (1_002, 1)


def test_object_deleted_after_listing_fails_alone_and_is_then_forgotten(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))

    def deleted(_: Request, honest: Callable[[], Response]) -> Response:
        warehouse.bucket.delete(PREFIX + "a")
        return honest()

    warehouse.bucket.inject(deleted, method="GET", key=PREFIX + "a", times=1)
    report = warehouse.run()
    again = warehouse.run()

    assert report.loaded == 1
    assert ["was deleted" in failure.reason for failure in report.failed] == [True]
    assert (again.new, again.failed) == (0, ())


def test_object_published_again_after_listing_is_never_mixed_up(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a", statuses(1))

    def published(_: Request, honest: Callable[[], Response]) -> Response:
        warehouse.put("a", statuses(1, status="finished"))
        return honest()

    warehouse.bucket.inject(published, method="GET", key=PREFIX + "a", times=1)
    report = warehouse.run()
    again = warehouse.run()

    assert ["published again" in failure.reason for failure in report.failed] == [True]
    assert (again.loaded, again.failed) == (1, ())
    assert warehouse.landed() == [("1", "finished")]


def test_parquet_bomb_fails_alone_within_its_limit(warehouse: Warehouse) -> None:
    text = pa.DictionaryArray.from_arrays([0] * 1_000, ["0" * 1_000_000])
    bomb = parquet({"twap_id": text})
    assert len(bomb) < 2_000_000
    warehouse.put("a", bomb)
    warehouse.put("b", statuses(2))
    report = warehouse.run()

    reasons = [failure.reason for failure in report.failed]
    assert reasons == [f"it decodes to more than {decode.MAX_DECODED_BYTES:,} bytes"]
    assert warehouse.landed("twap_id") == [("2",)]


def test_ten_thousand_objects_land_once_each(warehouse: Warehouse) -> None:
    body = statuses(1)
    for number in range(10_001):
        warehouse.put(f"{number:05}", body)
    report = warehouse.run()

    assert (report.loaded, report.rows, report.failed) == (10_001, 10_001, ())
    assert len(report.load_ids) == 2
    assert (warehouse.gets(), warehouse.run().new) == (10_001, 0)
