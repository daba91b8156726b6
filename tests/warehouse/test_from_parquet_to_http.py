"""The whole way, as a user goes it: objects in a bucket, one `elt`, then HTTP."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from sandbox import postgres
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.warehouse.command import environment, run, serving
from warehouse import PROJECT_ROOT

PREFIX = "raw/twap_statuses/"
FIXTURES = Path(__file__).parent.parent / "fixtures"
ORDER_MS = 1764867622417
STATUSES = [
    *("activated", "waitingForTrigger", "finished", "terminated"),
    *("error", "stopped", "paused", None),
]


@dataclass
class Instance:
    """A loaded warehouse and its API."""

    database_url: str
    api: httpx.Client

    def twaps(self, wallet: str, **query: Any) -> list[dict[str, Any]]:
        window = query or {"start": "2023-01-01", "end": "2027-01-01"}
        answer = self.api.get("/api/v1/twaps", params={"wallet": wallet, **window})
        assert answer.status_code == 200, answer.text
        twaps: list[dict[str, Any]] = answer.json()["twaps"]
        return twaps

    def events(self, twap_id: str) -> list[dict[str, Any]]:
        answer = self.api.get(f"/api/v1/twaps/{twap_id}")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(sql.encode()).fetchall()


def event(twap_id: Any, status: Any, **changes: Any) -> dict[str, Any]:
    """A row as the source has it: of a TWAP of 122 BNB, placed at ORDER_MS."""
    return {
        "twap_id": twap_id,
        "time": ORDER_MS * 1_000_000 + (0 if status == "activated" else 5_400 * 10**9),
        "state_coin": "BNB",
        "state_user": "0xABC123",
        "state_side": "B",
        "state_sz": "122.0",
        "state_executedSz": "0.0" if status == "activated" else "122.0",
        "state_executedNtl": "0.0" if status == "activated" else "93969.64597",
        "state_minutes": 90,
        "state_reduceOnly": False,
        "state_randomize": True,
        "state_timestamp": ORDER_MS,
        "status": status,
        "status_error": None,
        **changes,
    }


def fill(bucket: S3Server) -> None:
    """Put what the tests below ask for."""
    objects: dict[str, list[dict[str, Any]]] = {
        "pair": [event(1, "activated"), event(1, "finished")],
        "statuses": [
            event(100 + n, status, state_user="0xstatus")
            for n, status in enumerate(STATUSES)
        ],
        "errors-as-json": [
            event(200, '{"error": "margin"}', state_user="0xerror"),
            event(201, '{"status": "error", "description": "b"}', state_user="0xerror"),
            event(202, "error: c", state_user="0xerror"),
            event(203, "error", status_error="d", state_user="0xerror"),
            event(204, None, status_error="e", state_user="0xerror"),
        ],
        "errors-as-struct": [event(205, {"error": "f"}, state_user="0xerror")],
        "times-ns": [
            event(300, "finished", time=1764867622417074898, state_user="0xt")
        ],
        "times-us": [event(301, "finished", time=1764867622417074, state_user="0xt")],
        "times-ms": [event(302, "finished", time=1764867622417, state_user="0xt")],
        "times-s": [event(303, "finished", time=1764867622, state_user="0xt")],
        "times-iso": [
            event(
                304, "finished", time="2025-12-04T17:00:22.417074898", state_user="0xt"
            )
        ],
        "times-zone": [
            event(305, "finished", time="2025-12-04T18:00:22+01:00", state_user="0xt")
        ],
        "unseen": [event(400, "finished", state_user="0xu", state_stopPx="1.50")],
        "rejected": [event(500, "finished", state_user=None)],
        "nobody": [],
    }
    for name, rows in objects.items():
        bucket.put(f"{PREFIX}{name}.parquet", write_rows(rows))
    real = json.loads((FIXTURES / "real_rows.json").read_text())
    for n, fact in enumerate(real):
        bucket.put(f"{PREFIX}real-{n}.parquet", write_rows([fact["row"]]))
    bucket.put(f"{PREFIX}corrupt.parquet", b"PAR1 and then nothing")
    bucket.put(f"{PREFIX}empty.parquet", b"")
    bucket.put(f"{PREFIX}foreign.txt", b"hello")
    bucket.put(f"{PREFIX}_SUCCESS", b"")


@pytest.fixture(scope="module")
def instance(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    database_url = new_database(server)
    with S3Server() as bucket:
        fill(bucket)
        env = environment(
            DATABASE_URL=database_url,
            DLT_DATA_DIR=str(tmp_path_factory.mktemp("dlt")),
            **bucket.environment,
        )
        loaded = run("elt", env=env)
        assert loaded.returncode == 3, loaded.stderr
        assert loaded.stdout.count("failed: ") == 3
        with serving(env) as api:
            yield Instance(database_url, api)


def test_both_events_with_one_state_timestamp_are_kept(instance: Instance) -> None:
    finished, activated = instance.events("1")
    assert (finished["status"], activated["status"]) == ("finished", "activated")
    assert finished["size_executed"] == "122.0"
    assert activated["size_executed"] == "0.0"


def test_the_latest_state_shows_the_executed_amount(instance: Instance) -> None:
    (twap,) = instance.twaps("0xabc123")
    assert twap["status"] == "finished"
    assert twap["executed"] == {"size": "122.0", "notional": "93969.64597"}
    assert twap["average_price"] == "770.242999754"
    assert twap["ended_at"] == "2025-12-04T18:30:22.417Z"


def test_a_wallet_is_the_same_in_any_case(instance: Instance) -> None:
    assert instance.twaps("0xABC123") == instance.twaps("0xabc123")


def test_a_twap_is_open_as_of_a_moment_before_its_end(instance: Instance) -> None:
    window = {"start": "2025-12-01", "end": "2025-12-04T18:00:00Z"}
    (twap,) = instance.twaps("0xabc123", **window)
    assert twap["status"] == "activated"
    assert twap["ended_at"] is None


def test_each_status_is_kept_and_an_unknown_one_is_data(instance: Instance) -> None:
    found = {twap["twap_id"]: twap["status"] for twap in instance.twaps("0xstatus")}
    assert found == {
        "100": "activated",
        "101": "waitingForTrigger",
        "102": "finished",
        "103": "terminated",
        "104": "error",
        "105": "stopped",
        "106": "paused",
        "107": "unknown",
    }


def test_each_form_of_an_error_is_one_with_its_message_and_what_executed(
    instance: Instance,
) -> None:
    twaps = instance.twaps("0xerror")
    assert {twap["twap_id"]: twap["status_error"] for twap in twaps} == {
        "200": "margin",
        "201": "b",
        "202": "c",
        "203": "d",
        "204": "e",
        "205": "f",
    }
    assert {twap["status"] for twap in twaps} == {"error"}
    assert {twap["executed"]["size"] for twap in twaps} == {"122.0"}


def test_each_encoding_of_time_is_the_same_moment(instance: Instance) -> None:
    found = {twap["twap_id"]: twap["latest_ts"] for twap in instance.twaps("0xt")}
    assert found == {
        "300": "2025-12-04T17:00:22.417074Z",
        "301": "2025-12-04T17:00:22.417074Z",
        "302": "2025-12-04T17:00:22.417Z",
        "303": "2025-12-04T17:00:22Z",
        "304": "2025-12-04T17:00:22.417074Z",
        "305": "2025-12-04T17:00:22Z",
    }


def test_a_column_that_nobody_knew_is_in_the_raw_payload(instance: Instance) -> None:
    ((payload,),) = instance.rows(
        "select raw_payload from marts.twap_status where twap_id = '400'"
    )
    assert payload["state_stopPx"] == "1.50"


def test_a_row_that_cannot_be_an_event_is_told_with_its_reason(
    instance: Instance,
) -> None:
    rejected = instance.rows(
        "select s3_object_key, row_number, reason from marts.twap_status_rejected"
    )
    assert rejected == [(f"{PREFIX}rejected.parquet", 0, "state_user is missing")]


def test_objects_that_cannot_be_read_are_told_with_their_reason(
    instance: Instance,
) -> None:
    failed = instance.rows(
        "select object_key, etag from marts.etl_s3_ingest_log"
        " where error_text is not null order by object_key"
    )
    assert failed == [
        (f"{PREFIX}corrupt.parquet", None),
        (f"{PREFIX}empty.parquet", None),
        (f"{PREFIX}foreign.txt", None),
    ]


def test_a_parquet_object_without_rows_is_good(instance: Instance) -> None:
    (log,) = instance.rows(
        "select rows_ingested, error_text, attempts from marts.etl_s3_ingest_log"
        f" where object_key = '{PREFIX}nobody.parquet'"
    )
    assert log == (0, None, 1)


def test_the_published_real_rows_come_out_as_published(instance: Instance) -> None:
    (partial,) = instance.twaps("0x0000000000000000000000000000000000000007")
    assert partial["asset"] == "@151"
    assert partial["status"] == "error"
    assert partial["status_error"] == "Insufficient spot balance"
    assert partial["executed"] == {"size": "49.0413", "notional": "107736.21719"}
    finished, activated = instance.events("2250263")
    assert finished["ts"] == "2026-09-24T12:42:34.010015Z"
    assert finished["size_executed"] == "122.0"
    assert activated["size_executed"] == "0.0"


def test_the_answer_in_the_readme_is_the_answer(instance: Instance) -> None:
    readme = (PROJECT_ROOT / "README.md").read_text()
    (path,) = re.findall(r"curl 'http://127.0.0.1:8000(/[^']*)'", readme)
    (answer,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    told = instance.api.get(path).json()
    # The README says that it leaves the certificate out.
    assert told.pop("coverage").keys() >= {"complete", "reasons"}
    assert told == json.loads(answer)


def test_the_api_reads_as_a_role_that_cannot_write(instance: Instance) -> None:
    with psycopg.connect(instance.database_url) as connection:
        connection.execute("set role twap_reader")
        assert connection.execute("select from marts.twap_latest limit 1").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from marts.twap_latest")


def test_metrics_tell_of_the_run_to_a_reader_of_the_marts_alone(
    instance: Instance,
) -> None:
    text = instance.api.get("/metrics").text
    told = dict(re.findall(r"^((?:etl|database)_\w+) (\S+)$", text, re.MULTILINE))
    ((landed, failed, rows, newest, unfinished),) = instance.rows("""
        select
            count(ingested_at),
            count(error_text),
            sum(rows_ingested),
            extract(epoch from (select max(ts) from marts.twap_status)),
            (select count(*) from marts.twap_latest where is_terminal = false)
        from marts.etl_s3_ingest_log
    """)
    assert failed == 3
    expected = {
        "database_up": 1,
        "etl_objects_processed_total": landed,
        "etl_rows_ingested_total": rows,
        "etl_objects_failed": failed,
        "etl_last_event_timestamp_seconds": newest,
        "etl_last_run_exit_status": 3,
        "etl_build_in_progress": 0,
        "etl_twaps_open": unfinished,
    }
    assert {name: float(told[name]) for name in expected} == {
        name: float(number) for name, number in expected.items()
    }
    now = time.time()
    for moment in ("listing", "build"):
        # Less than any two zones of time differ by, and more than any test takes.
        assert 0 < now - float(told[f"etl_last_{moment}_timestamp_seconds"]) < 1500
