"""What Prometheus sees: bounded in number, right in value, and never late."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import running
from marts import Event, Marts, moment
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import StreamingResponse

import api.database
import api.routes.health
from api.app import EXPORTS_AT_ONCE
from tests.programs import needs
from tests.waiting import wait_until
from tests.warehouse.command import free_port, wait_for_port
from warehouse import PROJECT_ROOT

WALLET = "0xabc0000000000000000000000000000000000001"
PAGE = f"/api/v1/twaps?wallet={WALLET}&year=2025"
PAGES = "/api/v1/twaps"
NOON = moment("2025-11-03T12:00:00+00:00")
QUICK = 10.0
"""Seconds in which a scrape has its answer, whatever the database does: Prometheus
waits no longer."""

Series = dict[tuple[str, frozenset[str]], float]


def scrape(client: httpx.Client) -> Series:
    """Every series by its name and the values of its labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(series: Series, name: str, *labels: str) -> float:
    return series.get((name, frozenset(labels)), 0)


def requests(client: httpx.Client, *labels: str) -> float:
    return value(scrape(client), "http_requests_total", *labels)


@pytest.fixture
def filled(marts: Marts) -> Marts:
    marts.build([Event("1", WALLET, NOON, "finished")])
    return marts


@pytest.fixture
def client(filled: Marts) -> Iterator[httpx.Client]:
    with running(filled.url) as client:
        yield client


def test_requests_are_counted_by_the_template_of_their_route(
    client: httpx.Client,
) -> None:
    for path in (PAGE, PAGE, "/api/v1/twaps/1", "/api/v1/twaps/2", "/api/v1/twaps"):
        client.get(path)
    client.get("/openapi.json")
    by_id = "/api/v1/twaps/{twap_id}"
    wait_until(lambda: requests(client, "GET", PAGES, "422") == 1)
    assert requests(client, "GET", PAGES, "200") == 2
    assert requests(client, "GET", by_id, "200") == 1
    assert requests(client, "GET", by_id, "404") == 1
    assert requests(client, "GET", "/openapi.json", "200") == 1
    found = scrape(client)
    assert value(found, "http_request_duration_seconds_count", "GET", PAGES) == 3
    assert WALLET not in client.get("/metrics").text


def test_head_counts_as_head_and_a_wrong_method_as_its_own(
    client: httpx.Client,
) -> None:
    client.head(PAGE)
    client.post(PAGE)
    wait_until(lambda: requests(client, "POST", PAGES, "405") == 1)
    assert requests(client, "HEAD", PAGES, "200") == 1
    assert requests(client, "GET", PAGES, "200") == 0


def test_what_a_stranger_sends_does_not_make_new_series(client: httpx.Client) -> None:
    client.get("/nothing")
    client.request("PROPFIND", "/nothing")
    client.request("PROPFIND", PAGES)
    wait_until(lambda: requests(client, "other", PAGES, "405") == 1)
    before = scrape(client).keys()
    for n in range(40):
        client.get(f"/{n}")
        client.get(f"/docs{n}/x")
        client.request(("LOCK", "MKCOL", "REPORT")[n % 3], f"/a{n}")
        client.request(("LOCK", "MKCOL", "REPORT")[n % 3], PAGES)
    wait_until(lambda: requests(client, "GET", "unmatched", "404") == 81)
    assert requests(client, "other", "unmatched", "404") == 41
    assert scrape(client).keys() == before


def test_refusal_before_routing_is_counted(client: httpx.Client) -> None:
    client.get(f"{PAGE}&asset={'x' * 5000}")
    wait_until(lambda: requests(client, "GET", "unmatched", "414") == 1)


def test_crash_counts_as_500(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.routes.health, "json_response", None)
    assert client.get("/livez").status_code == 500
    wait_until(lambda: requests(client, "GET", "/livez", "500") == 1)


def stream(chunks: Callable[[], AsyncIterator[bytes]]) -> Callable[..., Any]:
    return lambda *_: StreamingResponse(chunks())


def test_answer_that_breaks_in_the_middle_counts_as_broken(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError

    monkeypatch.setattr(api.routes.health, "json_response", stream(half))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/livez")
    wait_until(lambda: requests(client, "GET", "/livez", "broken") == 1)
    assert requests(client, "GET", "/livez", "200") == 0


def test_answer_that_the_client_does_not_wait_for_counts_as_broken(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000
            await asyncio.sleep(0.01)

    monkeypatch.setattr(api.routes.health, "json_response", stream(endless))
    with client.stream("GET", "/livez") as response:
        next(response.iter_raw())
    wait_until(lambda: requests(client, "GET", "/livez", "broken") == 1)
    assert value(scrape(client), "http_requests_in_progress") == 1


def test_duration_is_that_to_the_last_byte(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(0.3)
        yield b"y"

    monkeypatch.setattr(api.routes.health, "json_response", stream(slow))
    client.get("/livez")
    wait_until(lambda: requests(client, "GET", "/livez", "200") == 1)
    took = value(scrape(client), "http_request_duration_seconds_sum", "GET", "/livez")
    assert 0.3 <= took < 30


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may wait for a lock for as long as the test looks at it."""
    patience = {**api.database.SESSION_SETTINGS, "statement_timeout": "30s"}
    monkeypatch.setattr(api.database, "SESSION_SETTINGS", patience)
    monkeypatch.setattr(api.database, "ANSWER_SECONDS", 30)


@pytest.mark.usefixtures("_patient")
def test_requests_and_connections_in_use_are_counted_while_they_are(
    client: httpx.Client, filled: Marts
) -> None:
    idle = scrape(client)
    assert value(idle, "http_requests_in_progress") == 1
    assert value(idle, "database_connections_active") == 0
    assert value(idle, "database_connections_max") == 10 + EXPORTS_AT_ONCE
    with ThreadPoolExecutor(3) as threads, filled.connection.transaction():
        filled.connection.execute("lock table marts.twap_status")
        for _ in range(3):
            threads.submit(client.get, PAGE)
        wait_until(lambda: value(scrape(client), "database_connections_active") == 3)
        assert value(scrape(client), "http_requests_in_progress") == 4
    wait_until(lambda: value(scrape(client), "database_connections_active") == 0)
    assert value(scrape(client), "http_requests_in_progress") == 1


def fill_journals(marts: Marts) -> None:
    marts.build(
        [
            Event("1", WALLET, NOON, "finished"),
            Event("2", WALLET, NOON, "activated"),
            Event("3", WALLET, NOON, "waitingForTrigger"),
            Event("4", WALLET, NOON, "unheardOf"),
        ],
        at="2026-03-02",
    )
    marts.connection.execute("""
        update marts.twap_latest set is_overdue = true where twap_id = '2';
        insert into marts.twap_coverage (hour, is_empty, last_event) values
            ('2026-01-01T00:00Z', false, '2026-01-01T00:00:09Z'),
            ('2026-01-01T01:00Z', false, '2026-01-01T01:00:00.5Z');
        insert into marts.etl_s3_ingest_log (object_key, attempts, error_text) values
            ('bad', 2, 'no parquet'), ('worse', 1, 'empty');
        insert into marts.etl_runs (
            run_id, started_at, listed_at, finished_at, mode, exit_status,
            objects_loaded, rows_loaded
        ) values
            ('a', now(), '2026-01-01 01:00Z', '2026-01-01 01:01Z', 'incremental',
                0, 6, 600),
            ('b', now(), '2026-01-01 02:00Z', '2026-01-01 02:01Z', 'since',
                0, 1, 100),
            ('c', now(), '2026-01-01 03:00Z', '2026-01-01 03:01Z', 'local_file',
                3, 2, 11),
            ('killed', '2026-01-01 04:00Z', null, null, 'incremental',
                null, null, null);
    """)


def etl(client: httpx.Client) -> dict[str, float]:
    return {
        name: number
        for (name, _), number in scrape(client).items()
        if name.startswith(("etl_", "database_up"))
    }


def at(text: str) -> float:
    return moment(text).timestamp()


def test_figures_of_the_etl_are_those_of_the_marts(
    client: httpx.Client, filled: Marts
) -> None:
    fill_journals(filled)
    assert etl(client) == {
        "database_up": 1,
        "etl_objects_processed_total": 9,
        "etl_rows_ingested_total": 711,
        "etl_objects_failed": 2,
        "etl_last_event_timestamp_seconds": at("2026-01-01T01:00:00.5+00:00"),
        # Not that of a run over local files alone.
        "etl_last_listing_timestamp_seconds": at("2026-01-01T02:00:00+00:00"),
        "etl_last_build_timestamp_seconds": at("2026-03-02T00:02:05+00:00"),
        "etl_last_run_exit_status": 3,
        "etl_build_in_progress": 0,
        "etl_twaps_open": 2,
        "etl_twaps_overdue": 1,
    }


def test_what_is_not_known_is_left_out(client: httpx.Client) -> None:
    figures = etl(client)
    assert figures["etl_rows_ingested_total"] == 0
    assert "etl_last_event_timestamp_seconds" not in figures
    assert "etl_last_run_exit_status" not in figures


def test_build_under_way_is_seen_and_its_end_too(
    client: httpx.Client, filled: Marts
) -> None:
    filled.build(filled.events, finished=False, at="2026-03-02")
    assert etl(client)["etl_build_in_progress"] == 1
    filled.build(filled.events, at="2026-03-02")
    assert etl(client)["etl_build_in_progress"] == 0


@pytest.mark.parametrize(
    "change",
    [
        "insert into marts.etl_builds values "
        "('new', '2', now(), '{}', '1', now(), now())",
        "insert into marts.etl_runs (run_id, started_at, finished_at, mode) "
        "values ('new', now(), now(), 'x')",
    ],
    ids=["build", "run"],
)
def test_figures_are_read_again_only_after_a_build_or_a_run(
    client: httpx.Client, filled: Marts, change: str
) -> None:
    fill_journals(filled)
    before = etl(client)
    filled.connection.execute("update marts.etl_runs set rows_loaded = 1000")
    assert etl(client) == before
    filled.connection.execute(change.encode())
    assert etl(client)["etl_rows_ingested_total"] == 4000


def test_figures_that_take_too_long_leave_the_database_up(
    client: httpx.Client, filled: Marts
) -> None:
    fill_journals(filled)
    with filled.connection.transaction():
        filled.connection.execute("lock table marts.twap_coverage")
        for _ in range(2):
            began = time.monotonic()
            assert etl(client) == {"database_up": 1, "etl_build_in_progress": 0}
            assert time.monotonic() - began < QUICK
    wait_until(lambda: etl(client).get("etl_twaps_open") == 2)


def test_empty_database_is_not_up(new_database: Callable[[], str]) -> None:
    with running(new_database()) as client:
        assert etl(client) == {"database_up": 0}


def test_marts_without_a_finished_build_are_not_up(marts: Marts) -> None:
    marts.build([], finished=False)
    with running(marts.url) as client:
        assert etl(client) == {"database_up": 0}


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def no_server() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.mark.parametrize("server_there", [silent_server, no_server])
def test_database_that_is_away_is_not_up_and_keeps_nobody_waiting(
    server_there: Callable[[], Any],
) -> None:
    with (
        server_there() as port,
        running(f"postgresql://u:p@127.0.0.1:{port}/x") as client,
    ):
        for _ in range(3):
            began = time.monotonic()
            found = scrape(client)
            assert time.monotonic() - began < QUICK
            assert value(found, "database_up") == 0
            assert value(found, "database_connections_active") == 0
            assert value(found, "process_cpu_seconds_total") > 0


@pytest.mark.usefixtures("_patient")
def test_many_scrapes_of_a_stuck_database_share_one_connection(
    client: httpx.Client, filled: Marts
) -> None:
    with filled.connection.transaction():
        filled.connection.execute("lock table marts.etl_runs")
        began = time.monotonic()
        with ThreadPoolExecutor(20) as threads:
            found = list(threads.map(lambda _: scrape(client), range(20)))
        assert time.monotonic() - began < QUICK
    assert {value(series, "database_up") for series in found} == {0}
    assert {value(series, "database_connections_active") for series in found} == {1}
    wait_until(lambda: value(scrape(client), "database_up") == 1)


def test_answer_says_its_format_and_is_not_kept(client: httpx.Client) -> None:
    headers = client.get("/metrics").headers
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["cache-control"] == "no-store"


@needs("promtool")
def test_promtool_has_nothing_to_say(client: httpx.Client, filled: Marts) -> None:
    fill_journals(filled)
    client.get(PAGE)
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=client.get("/metrics").text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.stdout + checked.stderr, checked.returncode) == ("", 0)


def test_operations_page_tells_of_every_metric(
    client: httpx.Client, filled: Marts
) -> None:
    fill_journals(filled)
    text = client.get("/metrics").text
    exposed = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    page = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    told = re.findall(r"^\| `((?:http|database|etl)_\w+)[`{]", page, re.MULTILINE)
    own = {name for name in exposed if not name.startswith("process_")}
    assert sorted(told) == sorted(own)


MOST = 5 + EXPORTS_AT_ONCE
"""Connections of a worker."""

WORKER = """
import sys, uvicorn, api, api.database
# An answer may wait for a lock for as long as a test looks at it.
api.database.SESSION_SETTINGS["statement_timeout"] = "30s"
api.database.ANSWER_SECONDS = 30
app = api.create_app(sys.argv[1], pool_size=5)
uvicorn.run(app, port=int(sys.argv[2]), log_config=None)
"""


@contextmanager
def worker(
    folder: Path, url: str
) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """A process of its own that shares its figures with others by the folder."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(port)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        stdout=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_for_port(port, process)
            yield client, process
    finally:
        process.kill()
        process.wait()


def test_each_worker_answers_for_all_and_a_killed_one_is_not_missed(
    filled: Marts, tmp_path: Path
) -> None:
    fill_journals(filled)
    with ExitStack() as stack:
        one, _ = stack.enter_context(worker(tmp_path, filled.url))
        two, process = stack.enter_context(worker(tmp_path, filled.url))
        for client in (one, one, two, two, two):
            assert client.get(PAGE).status_code == 200
        for client in (one, two):
            wait_until(lambda: requests(client, "GET", PAGES, "200") == 5)  # noqa: B023  # asked at once
            found = scrape(client)
            count = "http_request_duration_seconds_count"
            assert value(found, count, "GET", PAGES) == 5
            assert value(found, "http_requests_in_progress") == 1
            assert value(found, "database_connections_max") == 2 * MOST
            assert value(found, "etl_objects_processed_total") == 9
            assert value(found, "database_up") == 1

        with ThreadPoolExecutor(1) as threads, filled.connection.transaction():
            filled.connection.execute("lock table marts.twap_status")
            hanging = threads.submit(two.get, PAGE)
            wait_until(lambda: value(scrape(one), "database_connections_active") == 1)
            process.kill()
            process.wait()
            assert isinstance(hanging.exception(), httpx.TransportError)
        found = scrape(one)
        assert value(found, "http_requests_total", "GET", PAGES, "200") == 5
        assert value(found, "http_requests_in_progress") == 1
        assert value(found, "database_connections_active") == 0
        assert value(found, "database_connections_max") == MOST


def test_figures_of_two_applications_in_one_process_are_apart(filled: Marts) -> None:
    with running(filled.url) as one, running(filled.url) as two:
        one.get(PAGE)
        wait_until(lambda: requests(one, "GET", PAGES, "200") == 1)
        assert requests(two, "GET", PAGES, "200") == 0
