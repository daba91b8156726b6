"""What an auditor runs: the marts against a rebuild, and a TWAP's chain."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox import postgres
from sandbox.s3 import S3Server
from tests.conftest import drop_database, new_database
from tests.marts.hostile import hostile_body
from tests.marts.test_hostile_values import WRITTEN
from tests.marts.warehouse import Warehouse
from warehouse.commands.audit import audit
from warehouse.commands.evidence import evidence
from warehouse.errors import UserError
from warehouse.settings import Settings


@pytest.fixture(scope="module")
def original(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """A loaded warehouse, for copies: no test touches it."""
    with S3Server() as s3:
        warehouse = Warehouse(s3, new_database(server), tmp_path_factory.mktemp("dlt"))
        for seed in range(3):
            body = hostile_body(seed, 50, 0.05)
            warehouse.put(f"raw/twap_statuses/{seed}.parquet", body, WRITTEN)
        warehouse.run()
        yield warehouse


@pytest.fixture
def loaded(server: postgres.Server, original: Warehouse) -> Iterator[Warehouse]:
    """A copy of the loaded warehouse of the test's own."""
    url = new_database(server, template=original.url)
    yield replace(original, url=url)
    drop_database(server, url)


def test_audit_finds_marts_that_a_rebuild_would_give_good(
    loaded: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(loaded.settings()) == 0
    assert "equals a full rebuild" in capsys.readouterr().out
    left = loaded.query("select from pg_namespace where nspname like 'audit%'")
    assert left == []


@pytest.mark.parametrize(
    "tampering",
    [
        "update marts.twap_status set size_executed = size_executed + 1e-18"
        " where ctid = (select min(ctid) from marts.twap_status"
        " where size_executed is not null)",
        "delete from marts.twap_latest where ctid = '(0,1)'",
        "insert into marts.twap_withdrawn values ('7', '0xa', now())",
    ],
)
def test_audit_names_a_row_that_was_tampered_with(
    loaded: Warehouse, tampering: str
) -> None:
    loaded.execute(tampering)
    with pytest.raises(UserError, match=r"twap_\w+, only "):
        audit(loaded.settings())


def test_audit_says_when_the_marts_are_behind(loaded: Warehouse) -> None:
    loaded.execute("update marts.etl_builds set finished_at = null")
    with pytest.raises(UserError, match="make elt"):
        audit(loaded.settings())


def test_evidence_shows_object_row_payload_and_exact_result(
    loaded: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = loaded.query(
        "select twap_id, s3_object_key, s3_etag, row_number, raw_payload"
        " from marts.twap_status where valid_to is null"
        " limit 1"
    )
    assert evidence(loaded.settings(), row["twap_id"]) == 0
    printed = capsys.readouterr().out
    assert f"{row['s3_object_key']}, row {row['row_number']}" in printed
    assert row["s3_etag"] in printed
    assert "an event of twap_status" in printed
    assert f'twap_id = "{row["twap_id"]}"  from twap_id=' in printed


def test_evidence_of_an_unknown_twap_says_so(loaded: Warehouse) -> None:
    with pytest.raises(UserError, match="No landed row has the TWAP id"):
        evidence(loaded.settings(), "it's not here")


def test_evidence_without_marts_says_what_to_run(database_url: str) -> None:
    with pytest.raises(UserError, match="make elt"):
        evidence(Settings(database_url=database_url), "7")


def test_any_event_joins_the_landed_row_that_it_is_taken_from(
    loaded: Warehouse,
) -> None:
    (lost,) = loaded.query(
        "select count(*) as count from marts.twap_status as events"
        " left join staging.twap_statuses as landed"
        " on landed._s3_object_key = events.s3_object_key"
        " and landed._s3_etag = events.s3_etag"
        " and landed._row_number = events.row_number"
        " where landed._row_number is null"
        " or events.raw_payload ->> 'twap_id' is distinct from landed.twap_id"
    )
    assert lost["count"] == 0
