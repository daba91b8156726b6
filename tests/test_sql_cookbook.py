"""Each recipe of the cookbook runs in psql, and says what plain Python says too."""

import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from tests.cookbook import RECIPES, TEXT, Recipe, psql
from tests.marts.oracle import Row, price
from tests.marts.warehouse import Warehouse

VARYING = {"listed_at", "built_at", "ingested_at"}
"""What differs from load to load."""

FIRST, SECOND, THIRD = (datetime(2025, 11, day, tzinfo=UTC) for day in (1, 2, 3))


@pytest.fixture(scope="module")
def latest(sample_marts: Warehouse) -> list[Row]:
    return sample_marts.oracle.marts()["twap_latest"]


@pytest.fixture(scope="module")
def events(sample_marts: Warehouse) -> list[Row]:
    return sample_marts.oracle.marts()["twap_status"]


def answer(marts: Warehouse, question: str) -> list[dict[str, str]]:
    """The rows of a recipe, by the names of its columns."""
    header, *rows = psql(marts.url, RECIPES[question].query)
    return [dict(zip(header, row, strict=True)) for row in rows]


def literal(question: str, pattern: str) -> str:
    """The first such literal in the query of a recipe."""
    return re.findall(f"'({pattern})'", RECIPES[question].query)[0]


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def percent(share: Decimal) -> Decimal:
    return (100 * share).quantize(Decimal("0.1"), ROUND_HALF_UP)


def paid(twaps: list[Row]) -> Decimal | None:
    """The price of all that TWAPs executed."""
    amounts = [(t["notional_executed"], t["size_executed"]) for t in twaps]
    return price(sum(n for n, _ in amounts), sum(s for _, s in amounts))


def grouped(rows: list[Row], *names: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


def test_each_recipe_has_a_grain_a_warning_and_an_answer() -> None:
    assert len(RECIPES) == TEXT.count("```sql\n") == TEXT.count("\n## ")
    for recipe in RECIPES.values():
        assert re.match(r"A row is |One row is ", recipe.prose), recipe
        assert re.search(r"Beware:\s", recipe.prose), recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=str)
def test_recipe_answers_the_reader_as_it_is_shown(
    sample_marts: Warehouse, recipe: Recipe
) -> None:
    header, *rows = psql(sample_marts.url, recipe.query)
    shown_header, *shown = recipe.answer
    assert header == shown_header
    if shown[-1][0] == "…":
        shown.pop()
        assert len(rows) > len(shown)
        rows = rows[: len(shown)]
    steady = [place for place, name in enumerate(header) if name not in VARYING]
    assert rows
    assert [[row[place] for place in steady] for row in rows] == [
        [row[place] for place in steady] for row in shown
    ]


def test_average_prices_are_of_all_that_ended_on_the_days(
    sample_marts: Warehouse, latest: list[Row]
) -> None:
    ended = [t for t in latest if t["is_terminal"] and FIRST <= t["ts"] < THIRD]
    rows = answer(sample_marts, "What was the average price of an asset?")
    assert {
        row["asset"]: (int(row["twaps"]), Decimal(row["vwap"])) for row in rows
    } == {
        asset: (len(twaps), paid(twaps))
        for (asset,), twaps in grouped(ended, "asset").items()
    }


def test_what_was_left_is_told_at_both_prices(
    sample_marts: Warehouse, latest: list[Row]
) -> None:
    ended = [t for t in latest if t["is_terminal"] and SECOND <= t["ts"] < THIRD]
    prices = {group: paid(t) for group, t in grouped(ended, "asset", "side").items()}
    left = {
        twap["twap_id"]: twap["size_requested"] - twap["size_executed"]
        for twap in ended
        if twap["status"] in ("terminated", "stopped")
        and 0 < twap["size_executed"] < twap["size_requested"]
    }
    twaps = {twap["twap_id"]: twap for twap in ended}
    rows = answer(sample_marts, "What did it cost to stop early?")
    assert {row["twap_id"] for row in rows} == left.keys()
    for row in rows:
        size, twap = left[row["twap_id"]], twaps[row["twap_id"]]
        day_price = prices[twap["asset"], twap["side"]]
        assert day_price is not None
        assert Decimal(row["size_left"]) == size
        assert Decimal(row["day_price"]) == day_price
        assert Decimal(row["usd_at_own_price"]) == cents(size * twap["average_price"])
        assert Decimal(row["usd_at_day_price"]) == cents(size * day_price)


def test_no_error_that_executed_is_left_out(
    sample_marts: Warehouse, latest: list[Row]
) -> None:
    failed = [t for t in latest if t["status"] == "error" and t["size_executed"] > 0]
    failed.sort(key=lambda t: (-t["notional_executed"], t["twap_id"]))
    rows = answer(sample_marts, "Which TWAPs failed after they had executed something?")
    assert [row["twap_id"] for row in rows] == [twap["twap_id"] for twap in failed]


def test_overdue_ones_are_those_of_the_data_s_own_clock(
    sample_marts: Warehouse, latest: list[Row]
) -> None:
    now = max(twap["ts"] for twap in latest)
    rows = answer(sample_marts, "Which TWAPs should have ended long ago?")
    assert {row["twap_id"] for row in rows} == {
        twap["twap_id"]
        for twap in latest
        if twap["is_terminal"] is False
        and twap["order_ts"] + timedelta(minutes=twap["duration_minutes"] + 60) < now
    }


def test_copies_are_counted_by_the_object_that_won(
    sample_marts: Warehouse, events: list[Row]
) -> None:
    further: Counter[str] = Counter()
    for event in events:
        further[event["s3_object_key"]] += event["copies"] - 1
    rows = answer(sample_marts, "What did the source publish twice?")
    assert {row["s3_object_key"]: int(row["further_copies"]) for row in rows} == dict(
        +further
    )


def test_late_objects_are_those_written_a_day_after_their_events(
    sample_marts: Warehouse, events: list[Row]
) -> None:
    rows = answer(sample_marts, "Which objects came late?")
    assert [row["object_key"] for row in rows] == sorted(
        key
        for (key,), inside in grouped(events, "s3_object_key").items()
        if sample_marts.bucket[key].last_modified - max(e["ts"] for e in inside)
        > timedelta(days=1)
    )


def test_freshness_names_the_newest_event_and_counts_what_failed(
    sample_marts: Warehouse, events: list[Row]
) -> None:
    (row,) = answer(sample_marts, "How fresh are the tables?")
    log = sample_marts.oracle.ingest_log()
    assert datetime.fromisoformat(row["newest_event"]) == max(e["ts"] for e in events)
    assert int(row["failed_objects"]) == sum(each["has_error"] for each in log)


def test_state_at_a_moment_is_each_twap_s_last_event_until_then(
    sample_marts: Warehouse, events: list[Row]
) -> None:
    question = "How did a wallet stand at a moment?"
    wallet = literal(question, "0x[0-9a-f]+")
    moment = datetime.fromisoformat(literal(question, "2025-[^']+"))
    # The oracle has each TWAP's events in their order.
    states = {
        event["twap_id"]: (event["status"], event["size_executed"])
        for event in events
        if event["wallet"] == wallet and event["ts"] <= moment
    }
    rows = answer(sample_marts, question)
    assert {
        row["twap_id"]: (row["status"], Decimal(row["size_executed"])) for row in rows
    } == states


def test_what_is_left_of_a_wallet_is_that_of_its_open_twaps(
    sample_marts: Warehouse, latest: list[Row]
) -> None:
    question = "What does a wallet still have to execute?"
    wallet = literal(question, "0x[0-9a-f]+")
    still_open = [
        twap
        for twap in latest
        if twap["wallet"] == wallet
        and twap["is_terminal"] is False
        and not twap["is_overdue"]
    ]
    ended = [t for t in latest if t["is_terminal"] and SECOND <= t["ts"] < THIRD]
    prices = {asset: paid(twaps) for (asset,), twaps in grouped(ended, "asset").items()}
    left = {
        group: sum(twap["size_requested"] - twap["size_executed"] for twap in twaps)
        for group, twaps in grouped(still_open, "asset", "side").items()
    }
    rows = answer(sample_marts, question)
    assert {
        (row["asset"], row["side"]): (Decimal(row["size_left"]), Decimal(row["usd"]))
        for row in rows
    } == {
        (asset, side): (size, cents(size * (prices[asset] or 0)))
        for (asset, side), size in left.items()
    }


def test_completion_is_of_all_that_ended(
    sample_marts: Warehouse, latest: list[Row]
) -> None:
    ended = [twap for twap in latest if twap["is_terminal"]]
    rows = answer(sample_marts, "Do long TWAPs complete?")
    assert {
        int(row["duration_minutes"]): (
            int(row["twaps"]),
            Decimal(row["finished_percent"]),
            Decimal(row["executed_percent"]),
        )
        for row in rows
    } == {
        minutes: (
            len(twaps),
            percent(
                Decimal(sum(t["status"] == "finished" for t in twaps)) / len(twaps)
            ),
            percent(
                sum(
                    (t["size_executed"] / t["size_requested"] for t in twaps),
                    Decimal(0),
                )
                / len(twaps)
            ),
        )
        for (minutes,), twaps in grouped(ended, "duration_minutes").items()
    }


def test_gaps_are_hours_without_an_event(
    sample_marts: Warehouse, events: list[Row]
) -> None:
    hours = Counter((e["ts"].date(), e["ts"].hour) for e in events)
    rows = answer(sample_marts, "Are there gaps?")
    assert {
        date.fromisoformat(row["day"]): (
            int(row["hours"]) - int(row["empty_hours"]),
            int(row["events"]),
        )
        for row in rows
    } == {
        day: (
            sum(each == day for each, _ in hours),
            sum(count for (each, _), count in hours.items() if each == day),
        )
        for day, _ in hours
    }
