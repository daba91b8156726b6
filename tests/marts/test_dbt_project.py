"""dbt's own tests, and how an increment finds its rows."""

import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox import sample
from tests.marts.warehouse import Warehouse
from warehouse import dbt
from warehouse.errors import UserError


def target(warehouse: Warehouse, name: str) -> Path:
    return dbt.folder(warehouse.url) / "target" / name


def test_unit_tests_of_every_rule_of_interpretation_pass(warehouse: Warehouse) -> None:
    warehouse.run()
    dbt.run(["test", "--select", "test_type:unit"], warehouse.url, quiet=True)
    results = json.loads(target(warehouse, "run_results.json").read_text())["results"]
    assert len(results) >= 19


def test_an_interruption_is_none_of_dbts_failures(warehouse: Warehouse) -> None:
    def interrupt(_: dbt.Step | dbt.Oddity) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dbt.run(["run", "--select", "twap_daily"], warehouse.url, tell=interrupt)


def test_rows_of_a_wallet_lie_together_after_a_full_build(warehouse: Warehouse) -> None:
    sample.fill(warehouse, sample.generate(days=1, twaps_per_day=200, oddities=False))
    warehouse.run()
    rows = warehouse.query("select wallet, ts from marts.twap_status order by ctid")
    assert len(rows) > 300
    assert rows == sorted(rows, key=lambda row: (row["wallet"], row["ts"]))


def test_an_increment_finds_its_landed_rows_by_index(warehouse: Warehouse) -> None:
    *history, newest = sample.generate(days=5, twaps_per_day=4_800, oddities=False)
    sample.fill(warehouse, history)
    warehouse.run()
    warehouse.put(newest.key, newest.body, newest.last_modified)
    warehouse.run()
    models = target(warehouse, "compiled/twap_warehouse/dbt_project/models")
    sql = (models / "intermediate/int_landed_rows.sql").read_text()
    plan = warehouse.query(f"explain {sql}")
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "twap_statuses_twap " in text
    assert "Seq Scan on twap_statuses" not in text


def test_a_new_column_of_the_source_is_in_the_payloads_of_an_increment(
    warehouse: Warehouse,
) -> None:
    first, second, *_ = sample.generate(days=1, twaps_per_day=200, oddities=False)
    warehouse.put(first.key, first.body, first.last_modified)
    warehouse.run()
    rows = pq.read_table(BytesIO(second.body))
    body = BytesIO()
    pq.write_table(rows.append_column("new", pa.array(["x"] * len(rows))), body)
    warehouse.put(second.key, body.getvalue(), second.last_modified)
    warehouse.run()
    (found,) = warehouse.query(
        "select count(*) as count from marts.twap_status"
        " where s3_object_key = %s and raw_payload ->> 'new' = 'x'",
        second.key,
    )
    assert found["count"] == len(rows)


def test_an_increment_fails_that_postgres_has_forgotten_the_scope_of(
    warehouse: Warehouse,
) -> None:
    sample.fill(warehouse, sample.generate(days=1, twaps_per_day=200, oddities=False))
    warehouse.run()
    days = "select * from marts.twap_daily order by day, asset, side, status"
    before = warehouse.query(days)
    # As a crash leaves an unlogged table.
    for table in ("int_loads", "int_touched_days", "int_landed_rows"):
        warehouse.execute(f"truncate intermediate.{table}")
    warehouse.execute("insert into intermediate.int_touched_days select now()::date")
    with pytest.raises(UserError, match="crashed during the build"):
        dbt.run(["run", "--select", "twap_daily"], warehouse.url, quiet=True)
    assert warehouse.query(days) == before
