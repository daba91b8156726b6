"""What an auditor runs: the marts against a rebuild, and a TWAP's chain."""

import pytest

from tests.marts.hostile import hostile_body
from tests.marts.test_hostile_values import WRITTEN
from tests.marts.warehouse import Warehouse
from warehouse.commands.audit import audit
from warehouse.commands.evidence import evidence
from warehouse.errors import UserError


def loaded(warehouse: Warehouse) -> Warehouse:
    for seed in range(3):
        body = hostile_body(seed, 50, 0.05)
        warehouse.put(f"raw/twap_statuses/{seed}.parquet", body, WRITTEN)
    warehouse.run()
    return warehouse


def test_audit_finds_marts_that_a_rebuild_would_give_good(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(warehouse)
    assert audit(warehouse.settings()) == 0
    assert "equals a full rebuild" in capsys.readouterr().out
    left = warehouse.query("select from pg_namespace where nspname like 'audit%'")
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
    warehouse: Warehouse, tampering: str
) -> None:
    loaded(warehouse).execute(tampering)
    with pytest.raises(UserError, match=r"twap_\w+, only "):
        audit(warehouse.settings())


def test_audit_says_when_the_marts_are_behind(warehouse: Warehouse) -> None:
    loaded(warehouse).execute("update marts.etl_builds set finished_at = null")
    with pytest.raises(UserError, match="make elt"):
        audit(warehouse.settings())


def test_evidence_shows_object_row_payload_and_exact_result(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded(warehouse)
    (row,) = warehouse.query(
        "select twap_id, s3_object_key, s3_etag, row_number, raw_payload"
        " from marts.twap_status where valid_to is null"
        " limit 1"
    )
    assert evidence(warehouse.settings(), row["twap_id"]) == 0
    printed = capsys.readouterr().out
    assert f"{row['s3_object_key']}, row {row['row_number']}" in printed
    assert row["s3_etag"] in printed
    assert "an event of twap_status" in printed
    assert f'twap_id = "{row["twap_id"]}"  from twap_id=' in printed


def test_evidence_of_an_unknown_twap_says_so(warehouse: Warehouse) -> None:
    with pytest.raises(UserError, match="No landed row has the TWAP id"):
        evidence(loaded(warehouse).settings(), "it's not here")


def test_any_event_joins_the_landed_row_that_it_is_taken_from(
    warehouse: Warehouse,
) -> None:
    loaded(warehouse)
    (lost,) = warehouse.query(
        "select count(*) as count from marts.twap_status as events"
        " left join staging.twap_statuses as landed"
        " on landed._s3_object_key = events.s3_object_key"
        " and landed._s3_etag = events.s3_etag"
        " and landed._row_number = events.row_number"
        " where landed._row_number is null"
        " or events.raw_payload ->> 'twap_id' is distinct from landed.twap_id"
    )
    assert lost["count"] == 0
