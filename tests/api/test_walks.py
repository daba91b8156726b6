"""A wallet's walk is the exact answer, whatever the window, the page or the data."""

import random
from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from marts import MICROSECOND, Event, Marts, expected, moment, show

from tests.warehouse.visitor import walk

WALLET = "0xabc0000000000000000000000000000000000001"
OTHER = "0xabc0000000000000000000000000000000000002"
STATUSES = ["activated", "waitingForTrigger", "finished", "terminated", "error", "new"]


def some_events(seed: int) -> list[Event]:
    """A random history: ties in time, ids that sort oddly, amounts that hurt."""
    dice = random.Random(seed)
    events = {}
    for n in range(60):
        twap_id = dice.choice([str(n), f"{n:05}", f"Z{n}", f"a{n}", f"ä{n}"])
        wallet = dice.choice([WALLET, WALLET, WALLET, OTHER])
        began = moment("2025-12-31T23:50:00+00:00") + timedelta(
            seconds=dice.randrange(0, 1200), microseconds=dice.choice([0, 0, 1, 500000])
        )
        ts = began
        size = Decimal(0)
        for _ in range(dice.randrange(1, 5)):
            size += Decimal(dice.randrange(0, 10**9)).scaleb(-dice.randrange(0, 9))
            event = Event(
                twap_id=twap_id,
                wallet=wallet,
                ts=ts,
                status=dice.choice(STATUSES),
                order_ts=dice.choice([began, began, None]),
                asset=dice.choice(["BTC", "kBONK", "@107", "PURR/USDC"]),
                side=dice.choice("AB"),
                status_error=dice.choice(
                    [None, 'no "margin"\n\\ Ünïcode \u2028 +00:00']
                ),
                size_executed=dice.choice([size, None]),
                notional_executed=size * Decimal("98643.64973"),
                duration_minutes=dice.choice([None, 0, 10080]),
            )
            events[(event.key, event.ts, event.status)] = event
            ts += timedelta(seconds=dice.choice([0, 0, 1, 300]))
    return list(events.values())


@pytest.mark.parametrize("seed", range(5))
def test_walks_of_random_histories_equal_an_independent_computation(
    client: httpx.Client, marts: Marts, seed: int
) -> None:
    events = some_events(seed)
    marts.build(events)
    dice = random.Random(seed)
    moments = sorted({event.ts for event in events})
    for _ in range(25):
        start, end = sorted(dice.choices(moments, k=2))
        start += MICROSECOND * dice.choice([-1, 0, 1])
        end = max(start, end + MICROSECOND * dice.choice([-1, 0, 1]))
        last = dice.choice([{"end": show(end)}, {"before": show(end + MICROSECOND)}])
        filters = dice.choice(
            [{}, {}, {"asset": "BTC"}, {"side": "A"}, {"status": "error", "side": "B"}]
        )
        with_events = dice.random() < 0.3
        got = walk(
            client,
            wallet=dice.choice([WALLET, WALLET.upper()]),
            start=show(start),
            limit=dice.choice([1, 2, 7, 500]),
            latest_per_twap=not with_events,
            **last,
            **filters,
        )
        wanted = expected(
            events, WALLET, start, end, with_events=with_events, **filters
        )
        assert got == wanted


def test_offset_skips_items_of_the_same_order(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(some_events(1))
    params = {"wallet": WALLET, "start": "2025-01-01", "end": "2027-01-01"}
    whole = walk(client, **params)
    assert len(whole) > 20
    for offset in (0, 1, 13, len(whole), 1_000_000):
        for limit in (5, 5000):
            query = {**params, "wallet": WALLET, "offset": offset, "limit": limit}
            page = client.get("/api/v1/twaps", params=query).json()
            assert page["twaps"] == whole[offset : offset + limit]
            assert (page["next_cursor"] is None) == (offset + limit >= len(whole))
            if page["next_cursor"] is not None:
                rest = walk(client, **params, cursor=page["next_cursor"])
                assert rest == whole[offset + limit :]


def test_page_that_ends_with_the_last_item_has_no_next_cursor(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(some_events(2))
    params = {"wallet": WALLET, "start": "2025-01-01", "end": "2027-01-01"}
    count = len(walk(client, **params))
    page = client.get("/api/v1/twaps", params={**params, "limit": count}).json()
    assert (len(page["twaps"]), page["next_cursor"]) == (count, None)


def test_wallet_without_events_has_an_empty_page(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(some_events(3))
    answer = client.get("/api/v1/twaps", params={"wallet": "0xNone", "year": 2025})
    page = answer.json()
    assert page.pop("coverage")["open_twaps"] == 0
    assert page == {
        "wallet": "0xnone",
        "start": "2025-01-01T00:00:00Z",
        "end": "2025-12-31T23:59:59.999999Z",
        "twaps": [],
        "next_cursor": None,
    }


def test_event_belongs_to_the_year_of_its_microsecond(
    client: httpx.Client, marts: Marts
) -> None:
    new_year = moment("2026-01-01T00:00:00+00:00")
    marts.build(
        [
            Event("midnight", WALLET, new_year, "finished"),
            Event("before", WALLET, new_year - MICROSECOND, "finished"),
            Event("half", WALLET, new_year - timedelta(seconds=0.5), "finished"),
        ]
    )
    years = {
        year: [item["twap_id"] for item in walk(client, wallet=WALLET, year=year)]
        for year in (2024, 2025, 2026, 2027)
    }
    assert years == {2024: [], 2025: ["before", "half"], 2026: ["midnight"], 2027: []}


def test_closed_year_stays_the_same_when_the_next_year_goes_on(
    client: httpx.Client, marts: Marts
) -> None:
    across = Event("1", WALLET, moment("2025-12-31T23:00:00+00:00"), "activated")
    marts.build([across])
    december = walk(client, wallet=WALLET, year=2025)
    assert [item["status"] for item in december] == ["activated"]

    later = Event("1", WALLET, moment("2026-02-01T00:00:00+00:00"), "finished")
    marts.load(later, at="2026-03-02")
    assert walk(client, wallet=WALLET, year=2025) == december
    (item,) = walk(client, wallet=WALLET, year=2026)
    assert item["status"] == "finished"


def test_finer_times_than_a_microsecond_keep_their_side(
    client: httpx.Client, marts: Marts
) -> None:
    at = moment("2025-12-31T12:00:00.000001+00:00")
    marts.build([Event("1", WALLET, at, "finished")])

    def count(**window: str) -> int:
        return len(walk(client, wallet=WALLET, **window))

    day = "2025-12-31T12:00:00"
    assert count(start=f"{day}.000001000", end="2026-01-01") == 1
    assert count(start=f"{day}.000001001", end="2026-01-01") == 0
    assert count(start="2025-12-31", end=f"{day}.000001999Z") == 1
    assert count(start="2025-12-31", end=f"{day}.000000999Z") == 0
    assert count(start="2025-12-31", before=f"{day}.000001Z") == 0
    assert count(start="2025-12-31", before=f"{day}.000001001Z") == 1


@pytest.mark.parametrize(
    "start",
    [
        "2025-12-31",
        "2025-12-31T00:00",
        "2025-12-31 00:00:00",
        "2025-12-31t00:00:00z",
        "2025-12-31T01:30:00+01:30",
        "2025-12-30T19:00:00.000-05:00",
    ],
)
def test_times_of_every_form_mean_the_same(
    client: httpx.Client, marts: Marts, start: str
) -> None:
    marts.build([])
    params = {"wallet": "a", "start": start, "end": "2026-01-01"}
    page = client.get("/api/v1/twaps", params=params).json()
    assert page["start"] == "2025-12-31T00:00:00Z"
    raw = f"/api/v1/twaps?wallet=a&start={start.replace(' ', '%20')}&end=2026-01-01"
    assert client.get(raw).json()["start"] == "2025-12-31T00:00:00Z"


def test_twap_by_id_shows_every_event_newest_first(
    client: httpx.Client, marts: Marts
) -> None:
    at = moment("2025-11-03T12:00:00.25+00:00")
    begun = Event("a/b c", WALLET, at, "activated", at)
    ended = Event(
        "a/b c",
        WALLET,
        at,
        "finished",
        at,
        size_executed=Decimal("10.50"),
        notional_executed=Decimal("21.000000"),
    )
    marts.build([begun, ended, Event("other", WALLET, at, "activated")])
    answer = client.get("/api/v1/twaps/a%2Fb%20c").json()
    assert answer["twap_id"] == "a/b c"
    assert [row["status"] for row in answer["rows"]] == ["finished", "activated"]
    assert answer["rows"][0] == {
        "twap_id": "a/b c",
        "wallet": WALLET,
        "ts": "2025-11-03T12:00:00.25Z",
        "asset": "BTC",
        "side": "B",
        "size_requested": "10.50",
        "size_executed": "10.50",
        "notional_executed": "21.000000",
        "average_price": "2",
        "status": "finished",
        "status_error": None,
        "duration_minutes": 30,
        "started_at": "2025-11-03T12:00:00.25Z",
        "ended_at": "2025-11-03T12:00:00.25Z",
        "raw": {"status": "finished"},
    }
