"""The certificate of an answer, and the cache that it makes possible."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from conftest import running
from marts import Event, Marts, moment

from api.certificate import CoverageCache
from api.database import Database
from api.versions import DataVersion
from tests.waiting import wait_until
from warehouse import __version__

WALLET = "0xabc0000000000000000000000000000000000001"
NOVEMBER = {"start": "2025-11-01T00:00:00Z", "before": "2025-12-01"}
FIRST = moment("2025-10-30T00:00:00+00:00")
LAST = moment("2025-12-01T23:30:00+00:00")
HOUR = timedelta(hours=1)
LISTED = "2026-01-01T00:05:00+00:00"


def events() -> list[Event]:
    """One each hour, all of another wallet, and one TWAP of ours."""
    hours = int((LAST - FIRST) / HOUR) + 1
    return [
        *(Event(f"{n}", "0xother", FIRST + n * HOUR, "finished") for n in range(hours)),
        Event("open", WALLET, moment("2025-11-03T12:00:00+00:00"), "activated"),
        Event("done", WALLET, moment("2025-11-03T13:00:00+00:00"), "finished"),
    ]


@pytest.fixture
def whole(marts: Marts) -> Marts:
    """Marts to which nothing is missing in November."""
    marts.build(events(), at="2026-01-01")
    marts.list_bucket(LISTED)
    return marts


def coverage(client: httpx.Client, **window: Any) -> dict[str, Any]:
    answer = client.get(
        "/api/v1/twaps", params={"wallet": WALLET, **(window or NOVEMBER)}
    )
    assert answer.status_code == 200, answer.text
    certificate = answer.json()["coverage"]
    assert certificate["complete"] is (certificate["reasons"] == [])
    assert isinstance(certificate, dict)
    return certificate


def reasons(client: httpx.Client, **window: Any) -> list[dict[str, Any]]:
    found = coverage(client, **window)["reasons"]
    assert isinstance(found, list)
    return found


def reason(
    code: str, count: int = 1, since: str | None = None, until: str | None = None
) -> dict[str, Any]:
    return {"code": code, "count": count, "from": since, "to": until}


def test_whole_answer_is_complete(client: httpx.Client, whole: Marts) -> None:
    assert coverage(client) == {
        "as_of": "2025-11-30T23:59:59.999999Z",
        "listed_at": "2026-01-01T00:05:00Z",
        "first_event": "2025-10-30T00:00:00Z",
        "last_event": "2025-12-01T23:00:00Z",
        "complete": True,
        "reasons": [],
        "open_twaps": 1,
    }


def test_window_beyond_the_events_says_which_part_is_missing(
    client: httpx.Client, whole: Marts
) -> None:
    window = {"start": "2025-10-29T22:30:00Z", "end": "2025-12-02T00:30:00Z"}
    assert reasons(client, **window) == [
        reason("before_first_event", 2, window["start"], "2025-10-30T00:00:00Z"),
        reason("after_last_event", 2, "2025-12-01T23:00:00Z", window["end"]),
    ]


@pytest.mark.parametrize("at", ["2024-01-01", "2027-01-01"])
def test_window_of_no_time_lacks_none(
    client: httpx.Client, whole: Marts, at: str
) -> None:
    assert reasons(client, start=at, before=at) == []


@pytest.mark.parametrize("year", [2024, 2027])
def test_window_without_any_event_is_missing_as_a_whole(
    client: httpx.Client, whole: Marts, year: int
) -> None:
    code = "before_first_event" if year == 2024 else "after_last_event"
    hours = (366 if year == 2024 else 365) * 24
    until = f"{year}-12-31T23:59:59.999999Z"
    assert reasons(client, year=year) == [
        reason(code, hours, f"{year}-01-01T00:00:00Z", until)
    ]


def test_marts_without_events_cover_nothing(client: httpx.Client, marts: Marts) -> None:
    marts.build([], at="2026-01-01")
    assert [each["code"] for each in reasons(client)] == [
        "never_listed",
        "before_first_event",
    ]
    assert coverage(client)["as_of"] == "2025-11-30T23:59:59.999999Z"
    assert client.get("/api/v1/coverage").json()["as_of"] is None


def test_bucket_that_was_never_listed_is_a_reason(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(events(), at="2026-01-01")
    assert reasons(client) == [reason("never_listed")]


def test_objects_that_a_run_left_are_a_reason_until_one_takes_them(
    client: httpx.Client, whole: Marts
) -> None:
    whole.list_bucket("2026-01-01T01:05:00+00:00", not_fetched=7)
    assert reasons(client) == [
        reason("objects_not_fetched", 7, "2026-01-01T00:05:00Z", "2026-01-01T01:05:00Z")
    ]
    whole.list_bucket("2026-01-01T02:05:00+00:00")
    assert coverage(client)["complete"] is True
    assert coverage(client)["listed_at"] == "2026-01-01T02:05:00Z"


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        # An event may be up to a day later than its object.
        ("2025-10-30T23:59:59Z", False),
        ("2025-10-31T00:00:00Z", True),
        ("2026-06-01T00:00:00Z", True),
    ],
)
def test_failed_object_counts_unless_it_is_older_than_the_window(
    client: httpx.Client, whole: Marts, at: str, counts: bool
) -> None:
    whole.connection.execute(
        "insert into marts.etl_s3_ingest_log values"
        " ('broken', null, null, null, null, 'no parquet', %s, 3, null)",
        [at],
    )
    whole.list_bucket("2026-01-01T01:05:00+00:00")
    assert reasons(client) == ([reason("failed_objects", 1, at, at)] if counts else [])


def test_rejected_rows_are_counted_with_the_time_of_their_objects(
    client: httpx.Client, whole: Marts
) -> None:
    for key, at, rows in (
        ("old", "2025-10-01", 5),
        ("a", "2025-11-05", 2),
        ("b", "2025-11-09", 1),
    ):
        whole.connection.execute(
            "insert into marts.etl_s3_ingest_log values"
            " (%s, %s, 'e', 1, 9, null, null, 1, '2025-12-01')",
            [key, at],
        )
        whole.connection.execute(
            "insert into marts.twap_status_rejected"
            " select %s, 'e', n, 'no wallet', '{}' from generate_series(1, %s) as n",
            [key, rows],
        )
    whole.list_bucket("2026-01-01T01:05:00+00:00")
    assert reasons(client) == [
        reason("rejected_rows", 3, "2025-11-05T00:00:00Z", "2025-11-09T00:00:00Z")
    ]


def test_hours_without_events_are_counted_within_the_window(
    client: httpx.Client, marts: Marts
) -> None:
    empty = {moment("2025-10-31T23:00:00+00:00") + n * HOUR for n in (0, 1, 2, 50, 740)}
    marts.build([e for e in events() if e.ts not in empty], at="2026-01-01")
    marts.list_bucket(LISTED)
    assert reasons(client) == [
        # Two of the first three lie in November, and one by itself.
        reason("empty_hours", 3, "2025-11-01T00:00:00Z", "2025-11-03T02:00:00Z")
    ]
    assert reasons(client, start="2025-11-01T01:59:00Z", end="2025-11-02") == [
        reason("empty_hours", 1, "2025-11-01T01:00:00Z", "2025-11-01T02:00:00Z")
    ]
    assert reasons(client, start="2025-11-01T02:00:00Z", end="2025-11-02") == []


def test_build_that_runs_is_a_reason_and_nothing_of_it_is_cached(
    client: httpx.Client, whole: Marts
) -> None:
    whole.build(whole.events, at="2026-01-02", finished=False)
    assert [each["code"] for each in reasons(client)] == ["build_in_progress"]
    answer = client.get("/api/v1/twaps", params={"wallet": WALLET, **NOVEMBER})
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_coverage_is_read_once_a_second_while_a_build_runs(
    client: httpx.Client, whole: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    fetch = Database.fetch

    async def counted(self: Database, query: str, values: Mapping[str, object]) -> Any:
        read.append(query)
        return await fetch(self, query, values)

    monkeypatch.setattr(Database, "fetch", counted)
    monkeypatch.setattr("api.certificate.BUILDING_SECONDS", 60)
    whole.build(whole.events, at="2026-01-02", finished=False)
    for _ in range(3):
        assert [each["code"] for each in reasons(client)] == ["build_in_progress"]
    assert read.count("certificate") == 1
    whole.build(whole.events, at="2026-01-02")
    assert reasons(client) == []
    monkeypatch.setattr("api.certificate.BUILDING_SECONDS", 0)
    whole.build(whole.events, at="2026-01-03", finished=False)
    for _ in range(3):
        assert coverage(client)["complete"] is False
    assert read.count("certificate") == 1 + 1 + 3


def test_what_landed_and_was_not_built_is_a_reason(
    client: httpx.Client, whole: Marts
) -> None:
    whole.connection.execute(
        "insert into marts.etl_s3_ingest_log values"
        " ('new', '2026-01-01', 'e', 1, 9, null, null, 1, '2026-01-01T01:00:00Z')"
    )
    whole.list_bucket("2026-01-01T01:05:00+00:00")
    assert reasons(client) == [reason("build_in_progress")]
    answer = client.get("/api/v1/coverage")
    assert answer.headers["cache-control"] == "no-store"


def test_coverage_of_everything_has_no_window_to_miss(
    client: httpx.Client, whole: Marts
) -> None:
    certificate = client.get("/api/v1/coverage").json()
    assert certificate["complete"] is True
    assert certificate["as_of"] == certificate["last_event"]
    assert certificate["open_twaps"] == 1


def test_coverage_of_a_window_counts_what_was_open_then(
    client: httpx.Client, marts: Marts
) -> None:
    began = moment("2025-11-03T12:00:00+00:00")
    for life in (timedelta(minutes=5), timedelta(days=30)):
        marts.build(
            [
                Event("1", WALLET, began, "activated"),
                Event("1", WALLET, began + life, "finished"),
                Event("never", WALLET, began, "activated"),
            ]
        )
        for after, open_twaps in (
            (timedelta(), 2),
            (life - timedelta(microseconds=1), 2),
            (life, 1),
            (timedelta(days=300), 1),
        ):
            end = (began + after).isoformat()
            window = {"start": "2025-11-01", "end": end}
            for path in ("/api/v1/coverage", f"/api/v1/twaps?wallet={WALLET}"):
                answer = client.get(path, params=window | dict(httpx.URL(path).params))
                body = answer.json()
                assert body.get("coverage", body)["open_twaps"] == open_twaps


def test_open_twaps_are_those_that_the_filters_leave(
    client: httpx.Client, whole: Marts
) -> None:
    assert coverage(client, **NOVEMBER, asset="BTC")["open_twaps"] == 1
    assert coverage(client, **NOVEMBER, asset="ETH")["open_twaps"] == 0
    assert coverage(client, **NOVEMBER, status="finished")["open_twaps"] == 0


PATHS = [
    f"/api/v1/twaps?wallet={WALLET}&year=2025",
    f"/api/v1/twaps?wallet={WALLET}&updated_since=2025-01-01",
    "/api/v1/twaps/open",
    f"/api/v1/wallets/{WALLET}",
    f"/api/v1/wallets/{WALLET}/tax-years/2025",
    "/api/v1/coverage",
]


@pytest.fixture(scope="module")
def shared(new_marts: Callable[[], Marts]) -> Iterator[tuple[Marts, httpx.Client]]:
    marts = new_marts()
    marts.build(events()[-3:], at="2026-01-01")
    marts.list_bucket(LISTED)
    with running(marts.url) as client:
        yield marts, client


@pytest.mark.parametrize("path", PATHS)
def test_copy_is_good_until_the_data_version_changes(
    shared: tuple[Marts, httpx.Client], path: str
) -> None:
    marts, client = shared
    first = client.get(path)
    assert first.headers["cache-control"] == "public, no-cache"
    assert first.headers["x-data-version"] == "1"
    held = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    again = client.get(path, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.head(path, headers=held).status_code == 304

    marts.build(marts.events, at="2026-01-02")
    after_build = client.get(path, headers=held)
    assert after_build.status_code == 200
    marts.list_bucket(f"2026-01-{marts._builds + 1:02}T00:00:00+00:00")
    after_listing = client.get(path, headers=held)
    assert after_listing.status_code == 200
    assert after_listing.headers["etag"] != after_build.headers["etag"]


def test_copy_of_another_answer_is_no_good(
    shared: tuple[Marts, httpx.Client],
) -> None:
    _, client = shared
    etags = {
        client.get(path).headers["etag"] for path in (*PATHS, PATHS[0] + "&side=B")
    }
    assert len(etags) == len(PATHS) + 1


def test_copy_of_another_release_is_no_good(
    shared: tuple[Marts, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = shared
    first = client.get(PATHS[0])
    monkeypatch.setattr("api.versions.__version__", __version__ + ".1")
    held = {"If-None-Match": first.headers["etag"]}
    assert client.get(PATHS[0], headers=held).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/coverage", f"/?wallet={WALLET}&year=2025"])
def test_answer_whose_certificate_never_fits_is_refused(
    client: httpx.Client, whole: Marts, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """As of two servers, one of which gets nothing new."""

    async def of_another_server(_self: CoverageCache, _version: DataVersion) -> None:
        return None

    monkeypatch.setattr(CoverageCache, "of", of_another_server)
    answer = client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "hold different data" in answer.text


def test_what_lands_after_a_build_of_nothing_is_a_build_to_come(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([])
    marts.list_bucket("2026-03-02T00:00:00+00:00")
    marts.connection.execute(
        "update marts.etl_builds set version = null, completed_at = null"
    )
    assert client.get("/api/v1/coverage").json()["complete"] is True
    marts.connection.execute(
        "insert into marts.etl_s3_ingest_log (object_key, attempts, ingested_at)"
        " values ('raw/1.parquet', 1, '2026-03-03')"
    )
    marts.list_bucket("2026-03-03T00:00:00+00:00")
    certificate = client.get("/api/v1/coverage").json()
    assert [r["code"] for r in certificate["reasons"]] == ["build_in_progress"]


WAITING = """
select pid
from pg_locks
where not granted and relation = 'marts.etl_s3_ingest_log'::regclass
"""


def test_answer_whose_certificate_has_no_build_yet_is_refused(
    client: httpx.Client, marts: Marts
) -> None:
    """As where a replica answers for the second that has yet to get the first build."""
    marts.build([Event("1", WALLET, FIRST, "activated")])
    with ThreadPoolExecutor(1) as pool, psycopg.connect(marts.url) as other:
        other.execute("lock table marts.etl_s3_ingest_log")
        asked = pool.submit(client.get, "/api/v1/coverage")
        wait_until(lambda: marts.connection.execute(WAITING).fetchone())
        other.execute("delete from marts.etl_builds")
        other.commit()
        answer = asked.result()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_built"
