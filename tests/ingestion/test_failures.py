"""What fails alone, what stops a run, and what a broken run leaves to the next."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.pipeline import Pipeline

from ingestion import IngestionStopped
from ingestion import package as package_module
from ingestion import writing as writing_module
from sandbox.faults import answer
from tests.ingestion.support import PREFIX, Warehouse, parquet, statuses
from warehouse.errors import UserError


def test_bad_objects_fail_alone_and_are_tried_again(warehouse: Warehouse) -> None:
    warehouse.put("bad.parquet", b"PAR1 but no more")
    warehouse.put("empty.parquet", b"")
    warehouse.put("good.parquet", statuses(1))
    warehouse.put("reserved.parquet", parquet({"_s3_etag": ["x"]}))
    warehouse.put("without_rows.parquet", statuses())
    first = warehouse.run()
    warehouse.put("bad.parquet", statuses(2))
    second = warehouse.run()

    assert (first.loaded, first.rows, len(first.failed)) == (2, 1, 3)
    assert (second.loaded, len(second.failed)) == (1, 2)
    assert warehouse.landed("twap_id") == [("2",), ("1",)]


def test_object_that_stays_bad_does_not_fill_the_ledger(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing_module, "FAILURES_KEPT", 2)
    warehouse.put("bad", b"x")
    warehouse.put("worse", b"y")
    warehouse.put("good", statuses(1))
    for number in range(4):
        warehouse.put("worse", b"y" * (number + 1))
        assert len(warehouse.run().failed) == 2
    outcomes = [(name, outcome) for name, outcome, *_ in warehouse.ledger()]
    assert Counter(outcomes) == {
        ("bad", "failed"): 2,
        ("worse", "failed"): 2,
        ("good", "landed"): 1,
    }
    newest = warehouse.rows(
        "select max(size_bytes) from staging.s3_objects where outcome = 'failed'"
    )
    assert newest == [(4,)]


def test_a_text_that_postgres_refuses_fails_its_object_among_objects_alike(
    warehouse: Warehouse,
) -> None:
    for number in range(9):
        status = "a\0b" if number == 4 else "activated"
        warehouse.put(f"{number}.parquet", statuses(number, status=status))
    report = warehouse.run()

    assert [failure.object.key for failure in report.failed] == [PREFIX + "4.parquet"]
    assert "column 'status', row 0: a NUL character" in report.failed[0].reason
    assert warehouse.landed("twap_id") == [(f"{n}",) for n in range(9) if n != 4]


def test_every_object_failing_still_gives_the_tables(warehouse: Warehouse) -> None:
    warehouse.put("bad", b"x")
    assert len(warehouse.run().failed) == 1
    assert warehouse.landed() == []


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (403, "AccessDenied", "denies"),
        (404, "NoSuchKey", "deleted"),
        (412, "PreconditionFailed", "published again"),
        (500, "InternalError", "500"),
    ],
)
def test_refusal_of_one_object_is_its_own_failure(
    warehouse: Warehouse, status: int, code: str, reason: str
) -> None:
    warehouse.put("a", statuses(1))
    warehouse.put("b", statuses(2))
    warehouse.bucket.inject(answer(status, code), method="GET", key=PREFIX + "a")
    report = warehouse.run()

    assert report.loaded == 1
    assert [reason in failure.reason for failure in report.failed] == [True]
    warehouse.bucket.heal()
    assert warehouse.run().loaded == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"request_payer": ""}, "denies access"),
        ({"bucket": "elsewhere"}, "no such bucket"),
        ({"bucket": "no name"}, "no such bucket"),
        ({"endpoint_url": "http://127.0.0.1:9"}, "cannot be reached"),
    ],
)
def test_unusable_source_is_said_in_one_line(
    warehouse: Warehouse, source: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        warehouse.run(**source)
    assert "\n" not in str(error.value)
    assert warehouse.rows("select to_regnamespace('staging')") == [(None,)]


@pytest.mark.parametrize(
    "variables",
    [{"AWS_PROFILE": "nobody"}, {"AWS_SECRET_ACCESS_KEY": None}],
)
def test_credentials_that_are_not_there_are_said_to_be_missing(
    warehouse: Warehouse,
    variables: dict[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="No AWS credentials"):
        warehouse.run()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("a non-empty Access Key (AKID) must be provided", "refuses the AWS cred"),
        ("the region 'a' is wrong; expecting 'b'", "another region"),
    ],
)
def test_a_malformed_header_means_the_key_or_the_region(
    warehouse: Warehouse, what: str, message: str
) -> None:
    malformed = answer(400, "AuthorizationHeaderMalformed", what)
    warehouse.bucket.inject(malformed, method="LIST")
    with pytest.raises(UserError, match=message):
        warehouse.run()


def test_unreachable_database_is_said_in_one_line(warehouse: Warehouse) -> None:
    warehouse.database_url = "postgresql://a:b@127.0.0.1:9/none"
    with pytest.raises(UserError, match="cannot be reached"):
        warehouse.run()


def test_lost_working_folder_loses_nothing(warehouse: Warehouse) -> None:
    warehouse.put("a", parquet({"twap_id": [1], "new": ["x"]}))
    warehouse.run()
    shutil.rmtree(warehouse.working_dir)
    warehouse.put("b", statuses(2))
    assert warehouse.run().loaded == 1
    assert warehouse.landed("twap_id, new") == [("1", "x"), ("2", None)]


def test_pending_load_is_finished_and_new_objects_do_not_wait(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.put("a", statuses(1))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "load", killed)
        with pytest.raises(KeyboardInterrupt):
            warehouse.run()
    assert warehouse.ledger() == []
    warehouse.put("b", statuses(2))
    report = warehouse.run()

    assert len(report.load_ids) == 2
    assert warehouse.landed("twap_id") == [("1",), ("2",)]
    assert warehouse.gets("a") == 1


def test_poisoned_load_is_aborted_and_the_run_goes_on(warehouse: Warehouse) -> None:
    warehouse.run()
    warehouse.execute(
        "alter table staging.twap_statuses add constraint poison "
        "check (twap_id <> '13')"
    )
    warehouse.put("a", statuses(13))
    first = warehouse.run()
    warehouse.execute("alter table staging.twap_statuses drop constraint poison")
    second = warehouse.run()

    assert (first.loaded, len(first.failed)) == (0, 1)
    assert "refused" in first.failed[0].reason
    assert (second.loaded, warehouse.landed("twap_id")) == (1, [("13",)])


def test_lost_lock_stops_the_run_and_the_rows_are_kept(warehouse: Warehouse) -> None:
    warehouse.put("a", statuses(1))
    calls = []

    def guard() -> None:
        calls.append(1)
        if len(calls) > 1:
            raise UserError("The lock is lost.")

    with pytest.raises(IngestionStopped, match="lock is lost") as stopped:
        warehouse.run(guard=guard)
    assert stopped.value.report.loaded == 0
    warehouse.run()
    assert (warehouse.landed("twap_id"), warehouse.gets()) == ([("1",)], 1)


def test_endpoint_that_stops_answering_stops_the_run(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_module, "MAX_CONNECTION_FAILURES", 2)
    for name in ("a", "b", "c"):
        warehouse.put(name, statuses(1))
    warehouse.bucket.inject(answer(500, "InternalError"), method="GET")
    with pytest.raises(IngestionStopped, match="stopped answering"):
        warehouse.run()
    assert warehouse.ledger() == []


def test_commit_that_the_database_forgot_is_fetched_again(warehouse: Warehouse) -> None:
    warehouse.run()
    # The rows are taken before the ledger is refused.
    warehouse.execute(
        "create function full_disk() returns trigger language plpgsql as $$ begin "
        "for _ in 1..600 loop "
        "exit when exists (select from staging.twap_statuses); "
        "perform pg_sleep(0.05); end loop; "
        "raise 'no space' using errcode = '53100'; end $$"
    )
    warehouse.execute(
        "create trigger full_disk before insert on staging.s3_objects "
        "execute function full_disk()"
    )
    warehouse.put("a", statuses(1, 2))
    with pytest.raises(UserError, match="did not take the rows"):
        warehouse.run()
    assert warehouse.rows("select count(*) from staging.twap_statuses") == [(2,)]
    # As after a failover to a standby that was behind.
    warehouse.execute("delete from staging.twap_statuses")
    warehouse.execute("drop trigger full_disk on staging.s3_objects")
    report = warehouse.run()

    assert (report.loaded, report.rows) == (1, 2)
    assert warehouse.landed("twap_id") == [("1",), ("2",)]
    assert warehouse.ledger() == [("a", "landed", 2, None)]


def test_table_that_the_database_forgot_is_made_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(pipeline: Pipeline, **_: Any) -> None:
        # As when it had just made its tables, which a crash then lost.
        packages = Path(pipeline.working_dir) / "load/normalized"
        for package in packages.iterdir():
            (package / "schema_updates.json").unlink()
        raise KeyboardInterrupt

    warehouse.put("a", statuses(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "load", killed)
        with pytest.raises(KeyboardInterrupt):
            warehouse.run()
    report = warehouse.run()

    assert (report.loaded, list(report.failed)) == (1, [])
    assert warehouse.landed("twap_id") == [("1",), ("2",)]
