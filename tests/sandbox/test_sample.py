"""The sample is the same every time, as big as it should be, and odd in every way."""

import io
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.parquet import NAMES, write_rows
from sandbox.s3 import S3Server
from sandbox.sample import SampleObject, fill, generate
from sandbox.twaps import Event, decimal_text, hourly_events

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def day() -> list[SampleObject]:
    return list(generate(days=1))


@pytest.fixture(scope="module")
def tables(day: list[SampleObject]) -> list[pa.Table]:
    tables = []
    for sample in day:
        try:
            tables.append(pq.read_table(io.BytesIO(sample.body)))
        except pa.ArrowInvalid:
            continue
    return tables


@pytest.fixture(scope="module")
def month() -> list[Event]:
    start = datetime(2025, 11, 1, tzinfo=UTC)
    return [
        event for hour in hourly_events(start, 720, 2_900, 1, 400) for event in hour
    ]


def kinds(tables: list[pa.Table], column: str) -> set[str]:
    return {
        str(table.schema.field(column).type)
        for table in tables
        if column in table.schema.names and len(table)
    }


def texts(tables: list[pa.Table], column: str) -> set[str]:
    """Return the values of a column where it holds text."""
    return {
        value
        for table in tables
        if column in table.schema.names
        if table.schema.field(column).type == pa.string()
        for value in table[column].to_pylist()
        if value is not None
    }


DIGEST = """
import hashlib
from sandbox.sample import generate
digest = hashlib.sha256()
for sample in generate(days=1, seed=7):
    digest.update(repr((sample.key, sample.last_modified)).encode() + sample.body)
print(digest.hexdigest())
"""


def test_same_arguments_give_the_same_bytes_whatever_the_hash_order() -> None:
    digests = {
        subprocess.check_output(
            [sys.executable, "-c", DIGEST],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": zone},
        )
        for hash_seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(digests) == 1


def test_another_seed_gives_other_bytes() -> None:
    bodies = {
        sha256(next(generate(days=1, seed=seed)).body).hexdigest() for seed in (1, 2)
    }
    assert len(bodies) == 2


def test_longer_history_begins_with_the_shorter_one() -> None:
    short = {
        (sample.key, sample.body) for sample in generate(days=1, twaps_per_day=200)
    }
    long = {(sample.key, sample.body) for sample in generate(days=2, twaps_per_day=200)}
    assert short < long


def test_month_has_the_real_rate(month: list[Event]) -> None:
    assert len({event.twap_id for event in month}) == pytest.approx(87_000, rel=0.001)
    assert 170_000 < len(month) < 180_000
    events_of_a_twap = Counter(Counter(event.twap_id for event in month).values())
    assert events_of_a_twap[2] > 80_000
    assert events_of_a_twap[1] > 1_000
    assert events_of_a_twap[3] > 1_000
    assert {event.minutes for event in month} >= {5, 10_080}


def test_one_wallet_has_a_twentieth_and_many_have_little(month: list[Event]) -> None:
    placed = Counter(event.user for event in month if event.status == "activated")
    [(_, heaviest), (_, next_one)] = placed.most_common(2)
    assert 0.045 < heaviest / placed.total() < 0.065
    assert next_one < heaviest / 2
    assert len(placed) > 300
    assert min(placed.values()) < 10
    assert "0xabc123" in placed


def test_events_of_a_twap_agree_in_all_that_does_not_change(
    month: list[Event],
) -> None:
    first: dict[int, Event] = {}
    for event in month:
        placed = first.setdefault(event.twap_id, event)
        assert event.placed_ms == placed.placed_ms
        assert (event.user, event.coin, event.size) == (
            placed.user,
            placed.coin,
            placed.size,
        )
        assert Decimal(event.executed_size) <= Decimal(event.size)
        assert event.time_ns // 1_000_000 >= event.placed_ms


def test_some_events_share_their_nanosecond(month: list[Event]) -> None:
    twaps: dict[int, set[int]] = {}
    for event in month:
        twaps.setdefault(event.time_ns, set()).add(event.twap_id)
    assert sum(len(ids) > 1 for ids in twaps.values()) > 100


def test_some_errors_come_after_partial_execution(month: list[Event]) -> None:
    assert any(
        event.status == "error"
        and 0 < Decimal(event.executed_size) < Decimal(event.size)
        for event in month
    )


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(10836, 2, "108.36"), (0, 5, "0.0"), (10, 0, "10.0"), (1000, 2, "10.0")],
)
def test_decimals_are_written_as_hyperliquid_does(
    units: int, decimals: int, text: str
) -> None:
    assert decimal_text(units, decimals) == text


def test_objects_come_in_the_order_of_their_publication(
    day: list[SampleObject],
) -> None:
    published = [sample.last_modified for sample in day]
    assert published == sorted(published)


def test_plain_history_is_one_good_object_an_hour() -> None:
    objects = list(generate(days=2, twaps_per_day=100, oddities=False))
    assert len({sample.key for sample in objects}) == len(objects) == 48
    for sample in objects:
        assert pq.read_schema(io.BytesIO(sample.body)).names == list(NAMES)


def test_each_encoding_of_time_occurs(tables: list[pa.Table]) -> None:
    # Parquet has no whole seconds: they come as milliseconds.
    expected = {
        *(f"timestamp[{unit}]" for unit in ("ns", "us", "ms")),
        "timestamp[ns, tz=UTC]",
        "timestamp[ms, tz=Asia/Tokyo]",
        "string",
        "int64",
        "double",
    }
    for column in ("time", "state_timestamp"):
        assert kinds(tables, column) == expected
    digits = {
        len(str(table["time"][0].as_py()))
        for table in tables
        if len(table) and table.schema.field("time").type == pa.int64()
    }
    assert digits == {10, 13, 16, 19}
    assert any(text.endswith("Z") for text in texts(tables, "time"))
    assert any(not text.endswith("Z") for text in texts(tables, "time"))


def test_milliseconds_in_a_nanosecond_column_read_as_january_1970(
    tables: list[pa.Table],
) -> None:
    assert any(
        table["time"].cast(pa.int64())[0].as_py() < 10**13
        for table in tables
        if len(table) and table.schema.field("time").type == pa.timestamp("ns")
    )


def test_each_form_of_error_occurs(tables: list[pa.Table]) -> None:
    words = texts(tables, "status")
    assert any(text.startswith('{"error": ') for text in words)
    assert any(text.startswith('{"status": "error", ') for text in words)
    assert any(text.startswith("error: ") for text in words)
    structs = {"struct<status: string, description: string>", "struct<error: string>"}
    assert kinds(tables, "status") == {"string", *structs}
    beside = {
        status
        for table in tables
        if "status_error" in table.schema.names
        for status, error in zip(
            table["status"].to_pylist(), table["status_error"].to_pylist(), strict=True
        )
        if error
    }
    assert beside == {"error", None}


def test_each_status_occurs_and_one_that_nobody_knows(month: list[Event]) -> None:
    assert {event.status for event in month} == {
        "activated",
        "waitingForTrigger",
        "finished",
        "terminated",
        "error",
        "stopped",
        "paused",
    }


def test_each_way_of_storage_occurs(tables: list[pa.Table]) -> None:
    assert kinds(tables, "twap_id") == {"int64", "string", "double"}
    assert kinds(tables, "state_sz") == {"string", "decimal128(38, 8)"}
    assert any("dictionary" in kind for kind in kinds(tables, "state_user"))
    assert kinds(tables, "state_minutes") == {"int64", "string"}
    assert kinds(tables, "state_stopPx") == {"string"}
    assert any("struct" in kind for kind in kinds(tables, "state_trigger"))
    assert any(wallet != wallet.lower() for wallet in texts(tables, "state_user"))
    assert any(None in table["state_user"].to_pylist() for table in tables)


def test_each_kind_of_coin_occurs(month: list[Event]) -> None:
    expected = {"BTC", "kBONK", "@107", "PURR/USDC", "xyz:NVDA", "#1890"}
    assert {event.coin for event in month} >= expected


def test_broken_and_foreign_objects_occur(day: list[SampleObject]) -> None:
    bodies = {sample.key.rpartition("/")[2]: sample.body for sample in day}
    assert {"_SUCCESS", ".part-0.parquet.crc", "notes.txt"} < set(bodies)
    others = [sample for sample in day if sample.key.endswith("part-1.parquet")]
    assert any(not sample.body for sample in others)
    assert any(_rows(sample) == 0 for sample in others)
    assert any(sample.body and _rows(sample) is None for sample in others)


def _rows(sample: SampleObject) -> int | None:
    try:
        return pq.read_metadata(io.BytesIO(sample.body)).num_rows
    except pa.ArrowInvalid:
        return None


def test_doubled_and_republished_and_late_objects_occur(
    day: list[SampleObject],
) -> None:
    keys_of_body: dict[bytes, set[str]] = {}
    bodies_of_key: dict[str, list[bytes]] = {}
    for sample in day:
        if sample.body:
            keys_of_body.setdefault(sample.body, set()).add(sample.key)
        bodies_of_key.setdefault(sample.key, []).append(sample.body)
    assert any(len(keys) == 2 for keys in keys_of_body.values())
    assert any(len(set(bodies)) == 2 for bodies in bodies_of_key.values())
    typical = datetime(2025, 11, 2, 0, 5, tzinfo=UTC)
    assert day[-1].last_modified - typical > timedelta(days=1)
    assert "date=2025-11-01/hour=05" in day[-1].key


def test_filled_bucket_shows_the_last_version_of_each_key() -> None:
    objects = list(generate(days=1, twaps_per_day=50))
    with S3Server() as server:
        assert fill(server, objects) == len(objects)
        assert server.keys() == sorted({sample.key for sample in objects})


def test_real_rows_make_a_parquet_object_of_the_same_values() -> None:
    facts: list[dict[str, Any]] = json.loads(
        (ROOT / "tests/fixtures/real_rows.json").read_text()
    )
    rows = [fact["row"] for fact in facts]
    table = pq.read_table(io.BytesIO(write_rows(rows)))
    assert table["twap_id"].to_pylist() == [row["twap_id"] for row in rows]
    assert table["state_executedNtl"].to_pylist() == [
        row["state_executedNtl"] for row in rows
    ]
    assert table["time"].to_pylist() == [str(row["time"]) for row in rows]
    assert '{"error": "Insufficient margin to place order."}' in set(
        table["status"].to_pylist()
    )
