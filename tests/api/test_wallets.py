"""A wallet and its tax years: amounts count in the year that reported them."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import httpx
import pytest
from marts import MICROSECOND, Event, Marts, lives, moment

WALLET = "0xabc0000000000000000000000000000000000001"
NEW_YEAR = moment("2026-01-01T00:00:00+00:00")
DAY = timedelta(days=1)
Totals = dict[tuple[str, str], tuple[Decimal, Decimal]]


def event(twap_id: str, ts: Any, status: str, size: str = "0", **more: Any) -> Event:
    amount = Decimal(size)
    return Event(
        twap_id,
        WALLET,
        ts,
        status,
        size_executed=amount,
        notional_executed=amount * 10,
        **more,
    )


def tax_year(client: httpx.Client, year: int) -> dict[str, Any]:
    answer = client.get(f"/api/v1/wallets/{WALLET.upper()}/tax-years/{year}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["wallet"], body["year"]) == (WALLET, year)
    assert isinstance(body, dict)
    return body


def totals(body: dict[str, Any]) -> dict[tuple[str, str], tuple[int, str, str]]:
    return {
        (each["asset"], each["side"]): (
            each["twaps"],
            each["executed"]["size"],
            each["executed"]["notional"],
        )
        for each in body["totals"]
    }


@pytest.mark.parametrize(
    ("ts", "year"),
    [
        (NEW_YEAR - timedelta(seconds=0.5), 2025),
        (NEW_YEAR - MICROSECOND, 2025),
        (NEW_YEAR, 2026),
        (NEW_YEAR + MICROSECOND, 2026),
    ],
)
def test_event_at_new_year_counts_in_the_year_of_its_microsecond(
    client: httpx.Client, marts: Marts, ts: Any, year: int
) -> None:
    marts.build([event("1", ts, "finished", "2.50")])
    for each in (2025, 2026):
        expected = {("BTC", "B"): (1, "2.50", "25.00")} if each == year else {}
        assert totals(tax_year(client, each)) == expected


def test_twap_across_new_year_counts_what_each_year_reported(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", NEW_YEAR - DAY, "activated", "1.5"),
            event("1", NEW_YEAR + DAY, "finished", "4.0"),
        ]
    )
    old, new = tax_year(client, 2025), tax_year(client, 2026)
    assert totals(old) == {("BTC", "B"): (1, "1.5", "15.0")}
    assert totals(new) == {("BTC", "B"): (1, "2.5", "25.0")}
    (still_open,) = old["open_twaps"]
    assert still_open["executed"] == {"size": "1.5", "notional": "15.0"}
    assert still_open["executed_in_year"] == {"size": "1.5", "notional": "15.0"}
    assert old["coverage"]["open_twaps"] == 1
    assert new["open_twaps"] == []


def test_error_in_december_keeps_its_amounts_when_the_rest_comes_in_february(
    client: httpx.Client, marts: Marts
) -> None:
    december = NEW_YEAR - 10 * DAY
    marts.build([event("1", december, "error", "49.0413")])
    before = tax_year(client, 2025)
    marts.load(event("1", NEW_YEAR + 40 * DAY, "finished", "86.0"), at="2026-03-02")
    after = tax_year(client, 2025)
    assert after["totals"] == before["totals"]
    assert totals(after) == {("BTC", "B"): (1, "49.0413", "490.4130")}
    assert totals(tax_year(client, 2026)) == {("BTC", "B"): (1, "36.9587", "369.5870")}


@pytest.mark.parametrize(
    ("last_modified", "counts"),
    [("2025-12-20T23:59:59Z", False), ("2025-12-21T00:00:00Z", True)],
)
def test_lost_object_counts_for_the_year_when_it_may_hold_what_is_taken_off(
    client: httpx.Client, marts: Marts, last_modified: str, counts: bool
) -> None:
    """Of the December of a TWAP that ended in January, the year could know nothing."""
    ended = event("1", NEW_YEAR + DAY, "finished", "86.0", order_ts=NEW_YEAR - 10 * DAY)
    marts.build([ended, event("2", NEW_YEAR + 2 * DAY, "finished", order_ts=NEW_YEAR)])
    marts.connection.execute(
        "insert into marts.etl_s3_ingest_log values"
        " ('broken', null, null, null, null, 'no parquet', %s, 3, null)",
        [last_modified],
    )
    codes = {each["code"] for each in tax_year(client, 2026)["coverage"]["reasons"]}
    assert ("failed_objects" in codes) is counts
    page = client.get("/", params={"wallet": WALLET, "year": 2026}).text
    assert ("could not be read" in page) is counts


def test_late_object_changes_a_closed_year_and_its_etag(
    client: httpx.Client, marts: Marts
) -> None:
    path = f"/api/v1/wallets/{WALLET}/tax-years/2025"
    marts.build([event("1", NEW_YEAR - DAY, "finished", "1")])
    etag = client.get(path).headers["etag"]
    marts.load(event("2", NEW_YEAR - 2 * DAY, "finished", "2"), at="2026-03-02")
    answer = client.get(path, headers={"If-None-Match": etag})
    assert totals(answer.json()) == {("BTC", "B"): (2, "3", "30")}


def test_twap_that_stays_open_for_years_is_listed_in_each(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", NEW_YEAR - 300 * DAY, "activated", "3"),
            event("1", NEW_YEAR + 400 * DAY, "terminated", "7"),
        ]
    )
    listed = {year: tax_year(client, year)["open_twaps"] for year in range(2024, 2029)}
    assert {year: len(twaps) for year, twaps in listed.items()} == {
        2024: 0,
        2025: 1,
        2026: 1,
        2027: 0,
        2028: 0,
    }
    (in_2026,) = listed[2026]
    assert in_2026["executed"]["size"] == "3"
    assert in_2026["executed_in_year"]["size"] == "0"
    assert totals(tax_year(client, 2026)) == {}
    assert totals(tax_year(client, 2027)) == {("BTC", "B"): (1, "4", "40")}


def test_amounts_that_are_missing_count_nothing(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [Event("1", WALLET, NEW_YEAR, "x", size_executed=None, notional_executed=None)]
    )
    assert totals(tax_year(client, 2026)) == {("BTC", "B"): (1, "0", "0")}


@pytest.mark.parametrize("seed", range(4))
def test_years_of_random_histories_add_up_to_the_whole(
    client: httpx.Client, marts: Marts, seed: int
) -> None:
    random = Random(seed)
    events = []
    for n in range(60):
        asset, side = random.choice(["BTC", "ETH"]), random.choice("AB")
        at = NEW_YEAR + timedelta(days=random.uniform(-700, 700))
        for status in random.choice(["afe", "af", "a", "eaf", "ef"]):
            at += random.choice([timedelta(), DAY * 3, DAY * 8, DAY * 90, DAY * 400])
            word = {"a": "activated", "f": "finished", "e": "error"}[status]
            size = f"{random.randrange(10**6)}e-4"
            events.append(event(f"{n}", at, word, size, asset=asset, side=side))
    events = list({(e.key, e.ts, e.status): e for e in events}.values())
    marts.build(events)
    whole: Totals = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for life in lives(events).values():
        _add(whole, life[-1])
    summed: Totals = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for year in range(2023, 2035):
        body = tax_year(client, year)
        assert totals(body) == _expected(events, year)
        for key, (_, size, notional) in totals(body).items():
            was = summed[key]
            summed[key] = (was[0] + Decimal(size), was[1] + Decimal(notional))
    assert summed == whole


def _add(totals: Totals, state: Event, sign: int = 1) -> None:
    size, notional = totals[state.asset, state.side]
    assert state.size_executed is not None
    assert state.notional_executed is not None
    totals[state.asset, state.side] = (
        size + sign * state.size_executed,
        notional + sign * state.notional_executed,
    )


def _expected(
    events: list[Event], year: int
) -> dict[tuple[str, str], tuple[int, str, str]]:
    """A year's totals from the events alone."""
    found: Totals = defaultdict(lambda: (Decimal(0), Decimal(0)))
    twaps: dict[tuple[str, str], int] = defaultdict(int)
    for life in lives(events).values():
        inside = [event for event in life if event.ts.year == year]
        earlier = [event for event in life if event.ts.year < year]
        if inside:
            twaps[inside[-1].asset, inside[-1].side] += 1
            _add(found, inside[-1])
            if earlier:
                _add(found, earlier[-1], -1)
    return {
        key: (twaps[key], format(size, "f"), format(notional, "f"))
        for key, (size, notional) in found.items()
    }


def test_wallet_tells_its_span_its_counts_and_its_years(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", NEW_YEAR - DAY, "activated"),
            event("1", NEW_YEAR - MICROSECOND, "finished"),
            event("2", NEW_YEAR + 366 * DAY, "activated"),
            Event("3", "0xother", NEW_YEAR + DAY, "finished"),
        ]
    )
    body = client.get(f"/api/v1/wallets/{WALLET}").json()
    assert body.pop("coverage")["open_twaps"] == 1
    assert body == {
        "wallet": WALLET,
        "first_event": "2025-12-31T00:00:00Z",
        "last_event": "2027-01-02T00:00:00Z",
        "twaps": 2,
        "events": 3,
        "open_twaps": 1,
        "years": [2025, 2027],
    }


def test_wallet_without_twaps_is_an_answer_too(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1", NEW_YEAR, "finished")])
    body = client.get("/api/v1/wallets/0xNobody").json()
    assert body["wallet"] == "0xnobody"
    assert (body["first_event"], body["twaps"], body["years"]) == (None, 0, [])
    year = client.get("/api/v1/wallets/0xnobody/tax-years/2025").json()
    assert (year["totals"], year["open_twaps"]) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        "0xa/tax-years/2022",
        "0xa/tax-years/2101",
        "0xa/tax-years/25",
        "0xa/tax-years/2025.0",
        "0xa/tax-years/%D9%A2025",
        "0x%00a",
        f"{'a' * 257}",
        "0xa?year=2025",
    ],
)
def test_odd_wallets_and_years_are_refused(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/api/v1/wallets/{path}")
    assert answer.status_code == 422, answer.text
