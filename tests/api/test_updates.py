"""What has changed since a load, for clients that keep a copy."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from conftest import running
from marts import Event, Marts, moment

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00+00:00")
LONG_AGO = "2025-01-01T00:00:00Z"


def event(twap_id: str, status: str = "finished", minutes: int = 0) -> Event:
    return Event(twap_id, WALLET, NOON + timedelta(minutes=minutes), status)


def changes(
    client: httpx.Client, since: str, **more: Any
) -> tuple[list[dict[str, Any]], list[str], str]:
    """The TWAPs, the ids of those withdrawn, and what to send next."""
    params = {"wallet": WALLET, "updated_since": since, **more}
    twaps, withdrawn = [], []
    while True:
        answer = client.get("/api/v1/twaps", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        twaps += page["twaps"]
        withdrawn += [each["twap_id"] for each in page["withdrawn"]]
        if page["next_cursor"] is None:
            assert "link" not in answer.headers
            return twaps, withdrawn, page["next_updated_since"]
        assert len(page["twaps"]) + len(page["withdrawn"]) == params["limit"]
        params["cursor"] = page["next_cursor"]


def ids(twaps: list[dict[str, Any]]) -> list[str]:
    return [twap["twap_id"] for twap in twaps]


def test_first_walk_shows_every_twap_in_its_latest_state(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1", "activated"), event("1", minutes=5), event("2")])
    twaps, withdrawn, following = changes(client, LONG_AGO)
    assert [(twap["twap_id"], twap["status"]) for twap in twaps] == [
        ("1", "finished"),
        ("2", "finished"),
    ]
    assert {twap["updated_at"] for twap in twaps} == {"2026-03-01T00:00:00Z"}
    assert (withdrawn, following) == ([], "2026-03-01T00:00:00Z")


def test_next_walk_shows_only_what_a_load_has_touched(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1", "activated"), event("2")], at="2026-03-01")
    _, _, following = changes(client, LONG_AGO)
    assert changes(client, following) == ([], [], following)
    marts.load(event("1", minutes=5), at="2026-03-02")
    twaps, _, following = changes(client, following)
    assert ids(twaps) == ["1"]
    assert changes(client, following)[0] == []


def test_withdrawn_twap_is_told_until_it_comes_back(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1"), event("2")], at="2026-03-01")
    marts.build([event("2")], at="2026-03-02")
    assert changes(client, "2026-03-01T00:00:00Z")[:2] == ([], ["1"])
    marts.build([event("1"), event("2")], at="2026-03-03")
    twaps, withdrawn, _ = changes(client, "2026-03-01T00:00:00Z")
    assert (ids(twaps), withdrawn) == (["1"], [])


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_fit_together_in_the_order_of_the_changes(
    client: httpx.Client, marts: Marts, limit: int
) -> None:
    marts.build([event(f"{n}") for n in range(9)], at="2026-03-01")
    marts.build([event(f"{n}") for n in range(9) if n % 3], at="2026-03-02")
    marts.load(event("4", minutes=1), at="2026-03-03")
    twaps, withdrawn, _ = changes(client, LONG_AGO, limit=limit)
    assert ids(twaps) == ["1", "2", "5", "7", "8", "4"]
    assert withdrawn == ["0", "3", "6"]


def test_walk_ends_with_the_load_that_it_began_with(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1"), event("2"), event("3")], at="2026-03-01")
    params = {"wallet": WALLET, "updated_since": LONG_AGO, "limit": 1}
    first = client.get("/api/v1/twaps", params=params).json()
    marts.load(event("3", minutes=1), event("4"), at="2026-03-02")
    twaps = first["twaps"]
    page = first
    while page["next_cursor"]:
        following = {**params, "cursor": page["next_cursor"]}
        page = client.get("/api/v1/twaps", params=following).json()
        twaps += page["twaps"]
    assert ids(twaps) == ["1", "2"]
    assert page["next_updated_since"] == first["next_updated_since"]
    # What this walk left out is in the next one.
    assert ids(changes(client, page["next_updated_since"])[0]) == ["3", "4"]


def test_load_of_the_very_moment_is_not_shown_again(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1")], at="2026-03-01T00:00:00.000001+00:00")
    assert changes(client, "2026-03-01T00:00:00.000001Z")[0] == []
    assert ids(changes(client, "2026-03-01T00:00:00Z")[0]) == ["1"]


def test_unbuilt_load_is_for_a_later_walk(client: httpx.Client, marts: Marts) -> None:
    marts.build([event("1")], at="2026-03-01")
    marts.build([event("1"), event("2")], at="2026-03-02", finished=False)
    twaps, _, following = changes(client, LONG_AGO)
    assert (ids(twaps), following) == (["1"], "2026-03-01T00:00:00Z")


@pytest.fixture(scope="module")
def filled(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([event("1", "activated"), event("1", minutes=5), event("2")])
    with running(marts.url) as client:
        yield client


def get(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/api/v1/twaps", params={"wallet": WALLET, **params})


def test_cursor_of_a_window_is_no_cursor_of_changes(filled: httpx.Client) -> None:
    of_window = get(filled, year=2025, limit=1).json()["next_cursor"]
    of_changes = get(filled, updated_since=LONG_AGO, limit=1).json()["next_cursor"]
    for params in (
        {"year": 2025, "cursor": of_changes},
        {"updated_since": LONG_AGO, "cursor": of_window},
        {"updated_since": "2025-01-02", "cursor": of_changes},
    ):
        answer = get(filled, **params)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "cursor_mismatch"


def test_next_page_is_linked_relative_to_this_one(filled: httpx.Client) -> None:
    for params in ({"year": 2025}, {"updated_since": LONG_AGO}):
        answer = get(filled, **params, limit=1)
        link = answer.links["next"]["url"]
        assert link.startswith("?")
        following = filled.get(answer.url.join(link)).json()
        assert ids(answer.json()["twaps"] + following["twaps"]) in (
            ["1", "2"],
            ["2", "1"],
        )


@pytest.mark.parametrize("params", [{"year": 2025}, {"updated_since": LONG_AGO}])
def test_include_adds_what_it_names(
    filled: httpx.Client, params: dict[str, Any]
) -> None:
    plain = get(filled, **params).json()["twaps"]
    for include, added in (
        ("raw", {"raw"}),
        ("provenance", {"provenance"}),
        ("events", {"events"}),
        ("raw,events,provenance", {"raw", "events", "provenance"}),
    ):
        for twap, item in zip(
            plain, get(filled, **params, include=include).json()["twaps"], strict=True
        ):
            assert item.keys() - twap.keys() == added
            assert {name: item[name] for name in twap} == twap
            for each in item.get("events", []):
                assert each.keys() & {"raw", "provenance"} == added - {"events"}


def test_provenance_names_the_object_and_the_row(filled: httpx.Client) -> None:
    expected = {
        "s3_object_key": "raw/1.parquet",
        "s3_etag": "etag",
        "row_number": 1,
        "copies": 1,
        "inserted_at": "2026-03-01T00:00:00Z",
    }
    (twap, _) = get(filled, year=2025, include="provenance").json()["twaps"]
    assert twap["provenance"] == expected
    by_id = filled.get("/api/v1/twaps/1?include=provenance").json()["rows"]
    assert [row["provenance"] for row in by_id] == [expected, expected]
    assert "provenance" not in filled.get("/api/v1/twaps/1").json()["rows"][0]


def test_include_of_events_is_latest_per_twap_false(filled: httpx.Client) -> None:
    included = get(filled, year=2025, include="events").json()
    assert get(filled, year=2025, latest_per_twap="false").json() == included


def test_twap_whose_events_a_build_under_way_has_taken_away_is_left_to_the_next_walk(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event(n, WALLET, NOON, "finished") for n in "123"])
    marts.connection.execute("delete from marts.twap_status where twap_id = '2'")
    answer = client.get(
        "/api/v1/twaps", params={"wallet": WALLET, "updated_since": "2025-01-01"}
    )
    page = answer.json()
    assert [twap["twap_id"] for twap in page["twaps"]] == ["1", "3"]
    assert page["withdrawn"] == []
