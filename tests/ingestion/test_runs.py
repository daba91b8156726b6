"""What a run lands, and what it does not fetch again."""

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion import Selection
from ingestion.names import KNOWN_COLUMNS, OUR_COLUMNS
from sandbox import postgres
from tests.conftest import drop_database, new_database
from tests.ingestion.support import (
    MORNING,
    PREFIX,
    Warehouse,
    names,
    parquet,
    statuses,
)
from warehouse.errors import UserError

NOON = MORNING + timedelta(hours=4)


def test_second_run_of_the_same_objects_fetches_and_adds_nothing(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", statuses(1, 2))
    first = warehouse.run()
    second = warehouse.run()

    assert (first.loaded, first.rows, first.failed) == (1, 2, ())
    assert (second.new, second.loaded, second.load_ids) == (0, 0, ())
    assert warehouse.gets() == 1
    assert warehouse.landed() == [("1", "activated"), ("2", "activated")]
    assert warehouse.ledger() == [("a.parquet", "landed", 2, None)]


def test_every_column_lands_as_published_beside_its_address(
    warehouse: Warehouse,
) -> None:
    etag = warehouse.put(
        "a.parquet",
        parquet(
            {
                "twap_id": pa.array([2**60], pa.int64()),
                "state_sz": ["108.360"],
                "state_reduceOnly": [False],
                "state_timestamp": pa.array([1764867622417], pa.timestamp("ns")),
                "status": [{"error": "no margin"}],
            }
        ),
    )
    warehouse.run()

    assert warehouse.landed(
        'twap_id, state_sz, "state_reduceOnly", state_timestamp, status, state_user, '
        "_s3_object_key, _s3_etag, _row_number"
    ) == [
        (
            "1152921504606846976",
            "108.360",
            "false",
            "1764867622417",
            '{"error":"no margin"}',
            None,
            PREFIX + "a.parquet",
            etag,
            0,
        )
    ]


def test_listing_of_several_pages_is_landed_whole(warehouse: Warehouse) -> None:
    for number in range(1_001):
        warehouse.put(f"{number:05}.parquet", b"")
    report = warehouse.run(Selection(dry_run=True))

    assert report.listed == report.new == 1_001
    assert warehouse.costs[0].list_requests == 2


def test_late_object_with_an_old_time_is_landed(warehouse: Warehouse) -> None:
    warehouse.put("b.parquet", statuses(2), NOON)
    warehouse.run()
    warehouse.put("a.parquet", statuses(1), MORNING - timedelta(days=30))
    report = warehouse.run()

    assert report.loaded == 1
    assert warehouse.landed("twap_id") == [("1",), ("2",)]


def test_republished_object_is_landed_beside_its_older_version(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", statuses(1))
    warehouse.run()
    # Within the same second: only the ETag tells.
    warehouse.put("a.parquet", statuses(1, status="finished"))
    report = warehouse.run()

    assert report.loaded == 1
    assert warehouse.landed() == [("1", "activated"), ("1", "finished")]


def test_first_version_published_again_is_known_without_a_get(
    warehouse: Warehouse,
) -> None:
    first, second = statuses(1, 2), statuses(1, status="finished")
    for body in (first, second):
        warehouse.put("a.parquet", body)
        warehouse.run()
    warehouse.put("a.parquet", first)
    report = warehouse.run()
    again = warehouse.run()

    assert (report.new, report.known, report.loaded) == (1, 1, 0)
    assert len(report.load_ids) == 1
    assert (again.new, again.known) == (0, 0)
    assert warehouse.gets() == 2
    assert warehouse.ledger()[-1] == ("a.parquet", "known", 2, None)
    assert len(warehouse.landed()) == 3


def test_same_content_with_a_newer_time_is_known(warehouse: Warehouse) -> None:
    warehouse.put("a.parquet", statuses(1), MORNING)
    warehouse.run()
    warehouse.put("a.parquet", statuses(1), NOON)
    report = warehouse.run()

    assert (report.known, warehouse.gets()) == (1, 1)
    shown = warehouse.rows("select last_modified from staging.s3_objects order by 1")
    assert shown == [(MORNING,), (NOON,)]


def test_version_that_is_there_again_ends_the_failure_of_the_one_after_it(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", statuses(1), MORNING)
    warehouse.run()
    warehouse.put("a.parquet", b"damaged", NOON)
    assert len(warehouse.run().failed) == 1
    # As where a bucket keeps versions, and the newest one is deleted.
    warehouse.put("a.parquet", statuses(1), MORNING)
    report = warehouse.run()
    again = warehouse.run()

    assert (report.known, report.failed) == (1, ())
    assert warehouse.ledger()[-1] == ("a.parquet", "known", 1, None)
    assert (again.new, again.known) == (0, 0)


def test_names_that_hold_no_data_are_counted_and_never_fetched(
    warehouse: Warehouse,
) -> None:
    for name in ("_SUCCESS", ".a.parquet.crc", "day/", "day/_tmp.parquet"):
        warehouse.put(name, b"")
    warehouse.put("odd_suffix.bin", statuses(1))
    report = warehouse.run()

    assert (report.listed, report.ignored, report.new, report.loaded) == (5, 4, 1, 1)
    assert warehouse.gets() == 1
    assert [name for name, *_ in warehouse.ledger()] == ["odd_suffix.bin"]


def test_unknown_column_appears_and_older_rows_have_none(warehouse: Warehouse) -> None:
    warehouse.put("a.parquet", statuses(1))
    warehouse.run()
    warehouse.put("b.parquet", parquet({"twap_id": [2], "state_stopPx": ["1.50"]}))
    warehouse.put("c.parquet", parquet({"twap_id": [3], "state_stoppx": [{"a": 1}]}))
    warehouse.run()

    assert warehouse.landed('twap_id, "state_stopPx", state_stoppx') == [
        ("1", None, None),
        ("2", "1.50", None),
        ("3", None, '{"a":1}'),
    ]


def test_files_of_other_columns_and_orders_land_in_one_bundle(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", parquet({"status": ["a"], "twap_id": [1]}))
    warehouse.put("b.parquet", parquet({"x": ["new"], "twap_id": ["2"]}))
    warehouse.put("c.parquet", parquet({"twap_id": [3.0], "y": [True], "x": [1]}))
    warehouse.run()

    assert warehouse.landed("twap_id, status, x, y") == [
        ("1", "a", None, None),
        ("2", None, "new", None),
        ("3", None, "1", "true"),
    ]


def test_empty_bucket_still_gives_the_staging_tables(warehouse: Warehouse) -> None:
    report = warehouse.run()

    assert (report.listed, report.load_ids) == (0, ())
    assert report.listed_at is None
    columns = warehouse.rows(
        "select column_name from information_schema.columns "
        "where table_schema = 'staging' and table_name = 'twap_statuses'"
    )
    expected = {*KNOWN_COLUMNS, *OUR_COLUMNS, "_dlt_load_id"}
    assert {name for (name,) in columns} == expected
    assert warehouse.ledger() == []


def test_since_considers_only_what_changed_then_or_later(warehouse: Warehouse) -> None:
    warehouse.put("a.parquet", statuses(1), MORNING)
    warehouse.put("b.parquet", statuses(2), NOON)
    report = warehouse.run(Selection(since=NOON))

    assert (report.new, report.loaded, report.not_fetched) == (2, 1, 1)
    assert report.not_fetched_oldest == MORNING
    assert warehouse.landed("twap_id") == [("2",)]


def test_object_key_lands_that_object_alone(warehouse: Warehouse) -> None:
    for name in ("a", "a.parquet", "b"):
        warehouse.put(name, statuses(1))
    report = warehouse.run(Selection(object_key=PREFIX + "a"))

    assert (report.listed, report.loaded) == (1, 1)
    assert [name for name, *_ in warehouse.ledger()] == ["a"]


def test_object_key_that_is_not_there_is_said_and_nothing_is_written(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", statuses(1))
    with pytest.raises(UserError, match="There is no object raw/a in s3://"):
        warehouse.run(Selection(object_key="raw/a"))
    assert warehouse.rows("select to_regnamespace('staging')") == [(None,)]


def test_dry_run_says_the_plan_and_writes_nothing(warehouse: Warehouse) -> None:
    warehouse.put("a.parquet", statuses(1))
    report = warehouse.run(Selection(dry_run=True))

    assert (report.new, report.loaded, report.not_fetched) == (1, 0, 1)
    assert names(warehouse.plans[0].fetch) == ["a.parquet"]
    assert warehouse.gets() == 0
    assert warehouse.rows("select to_regnamespace('staging')") == [(None,)]
    assert not warehouse.working_dir.exists()


def test_cost_is_said_before_anything_is_fetched(warehouse: Warehouse) -> None:
    body = statuses(*range(1000))
    warehouse.put("a.parquet", body)
    warehouse.run()

    (cost,) = warehouse.costs
    assert (cost.objects, cost.bytes, cost.list_requests) == (1, len(body), 1)
    expected = Decimal("0.0000054") + Decimal(len(body)) / 1024**3 * Decimal("0.114")
    assert cost.usd == expected
    assert warehouse.progress.total == warehouse.progress.done == (1, len(body))
    assert warehouse.progress.landed_objects == 1


def test_run_that_costs_too_much_stops_before_it_fetches(warehouse: Warehouse) -> None:
    warehouse.put("a.parquet", statuses(1))
    with pytest.raises(UserError, match=r"more than the 0\.000001 USD allowed"):
        warehouse.run(max_cost_usd=Decimal("0.000001"))
    assert warehouse.gets() == 0
    assert warehouse.run(max_cost_usd=Decimal("0.01")).loaded == 1


def test_local_file_lands_under_its_path(warehouse: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "one file.parquet"
    file.write_bytes(statuses(1))
    os.utime(file, (MORNING.timestamp() + 0.7,) * 2)
    report = warehouse.run(
        Selection(local_files=(file,)), endpoint_url="http://127.0.0.1:9"
    )
    again = warehouse.run(Selection(local_files=(file,)))

    assert (report.loaded, again.new) == (1, 0)
    assert warehouse.costs[0].usd == 0
    assert warehouse.rows(
        "select object_key, last_modified from staging.s3_objects"
    ) == [(f"local:{file}", MORNING)]


def test_folder_lands_its_data_files_in_order(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    folder = tmp_path / "day"
    (folder / "deep").mkdir(parents=True)
    for name, body in {
        "b.parquet": statuses(2),
        "deep/a.parquet": statuses(3),
        "a.parquet": statuses(1),
        "_SUCCESS": b"",
        ".hidden": b"",
        "corrupt.parquet": b"no",
    }.items():
        (folder / name).write_bytes(body)
    report = warehouse.run(Selection(local_files=(folder,)))

    assert (report.listed, report.ignored, report.loaded) == (6, 2, 3)
    assert [failure.object.key for failure in report.failed] == [
        f"local:{folder}/corrupt.parquet"
    ]
    assert warehouse.landed("twap_id") == [("1",), ("2",), ("3",)]


def test_missing_local_file_is_said_before_anything_lands(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(statuses(1))
    with pytest.raises(UserError, match=r"no file or folder .*/b\.parquet"):
        warehouse.run(Selection(local_files=(file, tmp_path / "b.parquet")))
    assert warehouse.rows("select to_regnamespace('staging')") == [(None,)]


def test_a_local_folder_that_is_closed_is_not_taken_for_an_empty_one(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    # Root, as whom tests may run, can read every folder.
    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(UserError, match="cannot be read: Permission denied"):
        warehouse.run(Selection(local_files=(tmp_path,)))


@pytest.mark.parametrize(
    "selection",
    [{"since": MORNING, "object_key": "a"}, {"since": MORNING.replace(tzinfo=None)}],
)
def test_selection_that_contradicts_itself_is_refused(selection: Any) -> None:
    with pytest.raises(ValueError, match=r"exclude each other|time zone"):
        Selection(**selection)


def test_password_with_special_characters_and_a_socket_are_understood(
    warehouse: Warehouse,
) -> None:
    warehouse.put("a.parquet", statuses(1))
    user = warehouse.database_url.rsplit("/", 1)[1] + "_owner"
    warehouse.execute(f"create role {user} login password 'p@s/ %:''\"ä'")
    warehouse.execute(
        f"do $$ begin execute format('grant create on database %I to {user}', "
        "current_database()); end $$"
    )
    _, _, place = warehouse.database_url.rpartition("@")
    warehouse.database_url = (
        f"postgresql+psycopg://{user}:p%40s%2F%20%25%3A%27%22%C3%A4@{place}"
        "?sslmode=prefer&application_name=a%20b"
    )
    report = warehouse.run()

    assert report.loaded == 1


def test_database_is_reached_by_its_socket(
    warehouse: Warehouse, socket_url: str
) -> None:
    warehouse.put("a.parquet", statuses(1))
    warehouse.database_url = socket_url

    assert warehouse.run().loaded == 1
    assert warehouse.landed("twap_id") == [("1",)]


def test_environment_of_dlt_changes_nothing(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEMA__NAMING", "snake_case")
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "false")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://a:b@c/d")
    warehouse.put("a.parquet", parquet({"someName": ["x"]}))
    warehouse.run()

    assert warehouse.landed('"someName"') == [("x",)]


def test_another_database_has_pending_loads_of_its_own(
    warehouse: Warehouse, server: postgres.Server
) -> None:
    warehouse.put("a.parquet", statuses(1))
    warehouse.run()
    warehouse.run()

    assert len(list(warehouse.working_dir.iterdir())) == 1
    warehouse.database_url = new_database(server)
    assert warehouse.run().loaded == 1
    assert len(list(warehouse.working_dir.iterdir())) == 2
    drop_database(server, warehouse.database_url)
