"""A walk during loads is exact as of its beginning, or says that it cannot be."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from marts import Event, Marts, moment

from tests.warehouse.visitor import walk

WALLET = "0xabc0000000000000000000000000000000000001"
OTHER = "0xabc0000000000000000000000000000000000002"
NOON = moment("2025-11-03T12:00:00+00:00")
QUERY: dict[str, Any] = {"wallet": WALLET, "year": 2025, "limit": 2}

BEGUN = [
    Event(f"{n}", WALLET, NOON + timedelta(minutes=n), "activated", NOON)
    for n in range(6)
]
ENDED = [
    replace(
        event,
        status="finished",
        ts=event.ts + timedelta(hours=1),
        size_executed=Decimal("10.5"),
        notional_executed=Decimal("21"),
    )
    for event in BEGUN
]
NEWEST = ENDED[-1].ts


@pytest.fixture
def cursor(client: httpx.Client, marts: Marts) -> str:
    """The cursor after the first page, of a walk that began at the build of 1 March."""
    marts.build([*BEGUN, *ENDED[:3], *ENDED[5:]], at="2026-03-01")
    page = client.get("/api/v1/twaps", params=QUERY).json()
    assert [item["twap_id"] for item in page["twaps"]] == ["5", "2"]
    cursor = page["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


def rest(client: httpx.Client, cursor: str) -> list[str]:
    return [
        f"{item['twap_id']} {item['status']}"
        for item in walk(client, **QUERY, cursor=cursor)
    ]


REST = ["1 finished", "0 finished", "4 activated", "3 activated"]


def assert_changed(client: httpx.Client, cursor: str) -> None:
    response = client.get("/api/v1/twaps", params={**QUERY, "cursor": cursor})
    assert response.status_code == 409, response.text
    assert response.json()["error"]["code"] == "data_changed"
    assert isinstance(response.json()["detail"], str)


def test_walk_goes_on_when_nothing_happens(client: httpx.Client, cursor: str) -> None:
    assert rest(client, cursor) == REST


def test_walk_goes_on_without_what_came_after_its_end(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    gained = replace(ENDED[3], ts=NEWEST + timedelta(seconds=1), s3_object_key="raw/2")
    began = Event("9", WALLET, NEWEST + timedelta(seconds=2), "activated", NEWEST)
    began = replace(began, order_ts=began.ts, s3_object_key="raw/2")
    marts.load(gained, began, at="2026-03-02")
    assert rest(client, cursor) == REST


def test_walk_goes_on_when_other_wallets_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.load(replace(BEGUN[0], wallet=OTHER), at="2026-03-02")
    assert rest(client, cursor) == REST


def test_late_event_within_the_walk_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.load(replace(ENDED[3], s3_object_key="raw/late"), at="2026-03-02")
    assert_changed(client, cursor)


def test_late_twap_within_the_walk_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.load(Event("9", WALLET, NOON, "activated"), at="2026-03-02")
    assert_changed(client, cursor)


def test_event_published_again_with_other_amounts_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.load(replace(BEGUN[0], size_requested=Decimal(1)), at="2026-03-02")
    assert_changed(client, cursor)


def test_withdrawn_event_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.build([e for e in marts.events if e != ENDED[0]], at="2026-03-02")
    assert_changed(client, cursor)


def test_withdrawn_twap_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.build([e for e in marts.events if e.twap_id != "3"], at="2026-03-02")
    assert_changed(client, cursor)


def test_event_taken_back_to_an_older_version_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    older = replace(
        BEGUN[3],
        size_requested=Decimal(1),
        inserted_at=moment("2026-02-01T00:00:00+00:00"),
    )
    marts.build([*(e for e in marts.events if e != BEGUN[3]), older], at="2026-03-02")
    assert_changed(client, cursor)


def test_withdrawal_behind_a_later_event_of_the_same_object_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    later = replace(
        ENDED[3],
        ts=NEWEST + timedelta(seconds=1),
        inserted_at=moment("2026-03-02T00:00:00+00:00"),
    )
    marts.build([*(e for e in marts.events if e != BEGUN[3]), later], at="2026-03-02")
    assert_changed(client, cursor)


def test_half_built_marts_are_a_change_until_the_build_has_finished(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.build(marts.events, at="2026-03-02", finished=False)
    assert_changed(client, cursor)
    assert client.get("/api/v1/twaps", params=QUERY).status_code == 200

    marts.build(marts.events, at="2026-03-03")
    assert rest(client, cursor) == REST


def test_other_rules_of_interpretation_are_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.build(marts.events, at="2026-03-01", project_version="2")
    assert_changed(client, cursor)


def test_lost_history_of_builds_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.connection.execute("update marts.etl_builds set build_id = 'another'")
    assert_changed(client, cursor)


def test_restarted_walk_shows_the_new_data(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    marts.load(ENDED[3], ENDED[4], at="2026-03-02")
    assert_changed(client, cursor)
    items = walk(client, **QUERY)
    assert {item["status"] for item in items} == {"finished"}


def test_page_size_may_change_in_a_walk(client: httpx.Client, cursor: str) -> None:
    items = walk(client, **{**QUERY, "limit": 3}, cursor=cursor)
    assert [f"{item['twap_id']} {item['status']}" for item in items] == REST


@pytest.mark.parametrize(
    "other",
    [
        {"wallet": OTHER},
        {"year": 2024},
        {"asset": "BTC"},
        {"side": "B"},
        {"status": "finished"},
        {"latest_per_twap": "false"},
    ],
    ids=str,
)
def test_cursor_of_another_query_is_refused(
    client: httpx.Client, cursor: str, other: dict[str, Any]
) -> None:
    params = {**QUERY, "cursor": cursor, **other}
    response = client.get("/api/v1/twaps", params=params)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "cursor_mismatch"


def test_cursor_fits_the_same_window_in_another_form(
    client: httpx.Client, cursor: str
) -> None:
    window = {"start": "2025-01-01", "before": "2026-01-01T01:00:00+01:00"}
    page = client.get(
        "/api/v1/twaps",
        params={"wallet": WALLET.upper(), "cursor": cursor, **window},
    )
    assert page.status_code == 200


def encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "%20%20x",
        "A" * 2000,
        encode([]),
        encode({}),
        encode(None),
        encode([1, "q", "b", 1, 1]),
        encode([2, "q", "b", 1, 1, "1"]),
        encode([True, "q", "b", 1, 1, "1"]),
        encode([1, "q", "b", 1e300, 1, "1"]),
        encode([1, "q", "b", 10**30, 1, "1"]),
        encode([1, "q", "b", -1, 1, "1"]),
        encode([1, "q", "b", 1, 1, "a\0b"]),
        encode([1, "q", "b", 1, 1, "\ud800"]),
        encode([1, "q", None, 1, 1, "1"]),
        base64.urlsafe_b64encode(b"[" * 1500).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_text_that_is_no_cursor_is_refused(
    client: httpx.Client, marts: Marts, text: str
) -> None:
    marts.build([])
    response = client.get("/api/v1/twaps", params={**QUERY, "cursor": text})
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid_cursor"


@pytest.mark.parametrize("place", [3, 4])
def test_cursor_changed_to_leave_its_window_is_refused(
    client: httpx.Client, cursor: str, place: int
) -> None:
    fields = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    fields[place] += 10**14
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=False)
    forged = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    response = client.get("/api/v1/twaps", params={**QUERY, "cursor": forged})
    assert response.json()["error"]["code"] == "invalid_cursor"


def test_twap_that_a_correction_moves_behind_the_walk_is_a_change(
    client: httpx.Client, cursor: str, marts: Marts
) -> None:
    later = NEWEST + timedelta(days=60)
    moved = replace(
        BEGUN[3],
        ts=later,
        order_ts=later,
        inserted_at=moment("2026-03-02T00:00:00+00:00"),
    )
    marts.build([*(e for e in marts.events if e != BEGUN[3]), moved], at="2026-03-02")
    assert_changed(client, cursor)
