"""Values that nobody expects, against the oracle."""

from datetime import UTC, datetime, timedelta

from tests.marts.hostile import hostile_body
from tests.marts.warehouse import Warehouse
from warehouse import dbt

WRITTEN = datetime(2025, 12, 5, tzinfo=UTC)
CONSISTENT = "assert_twap_status_source_is_consistent.sql"


def twaps_told_without_time(warehouse: Warehouse) -> set[tuple[str, str]]:
    """By the test that the newest build ran."""
    tests = (
        dbt.folder(warehouse.url) / "target/compiled/twap_warehouse/dbt_project/tests"
    )
    rows = warehouse.query((tests / CONSISTENT).read_text())
    return {(row["twap_id"], row["wallet"]) for row in rows if row["without_time"]}


def test_hostile_values_give_the_marts_of_an_independent_computation(
    warehouse: Warehouse,
) -> None:
    for seed in range(60):
        hostility = (0.02, 0.1, 0.5)[seed % 3]
        body = hostile_body(seed, 200, hostility)
        warehouse.put(f"raw/twap_statuses/{seed}.parquet", body, WRITTEN)
    assert warehouse.run_with_oracle() == 0
    assert warehouse.differences() == []
    without_time = {
        (event["twap_id"], event["wallet"])
        for event in warehouse.oracle.marts()["twap_status"]
        if not event["has_time"]
    }
    assert twaps_told_without_time(warehouse) == without_time != set()


def test_objects_published_again_in_any_order_give_the_same_marts_as_a_rebuild(
    warehouse: Warehouse,
) -> None:
    # Where the clocks are changed on the day of most events, and times and texts are
    # written otherwise.
    database = warehouse.url.rsplit("/", 1)[1]
    warehouse.execute(f"alter database {database} set timezone to 'A5B,J338,J364'")
    warehouse.execute(f"alter database {database} set datestyle to 'SQL, DMY'")
    warehouse.execute(f"alter database {database} set client_encoding to 'LATIN1'")
    for stage in range(4):
        for seed in range(stage, 12, 1 + stage):
            body = hostile_body(seed * 100 + (stage % 3), 30, 0.05)
            written = WRITTEN + timedelta(seconds=(seed * 7 + stage * 5) % 3)
            warehouse.put(f"raw/twap_statuses/{seed}.parquet", body, written)
        assert warehouse.run_with_oracle() == 0
        assert warehouse.differences() == []
    incremental = warehouse.contents()
    warehouse.rebuild()
    assert warehouse.contents() == incremental
