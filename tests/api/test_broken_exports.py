"""Half a file never looks like a whole one, and no file keeps what others need."""

import asyncio
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from conftest import running
from many import WALLET, fill
from marts import Marts

import api.app
import api.exports
from tests.waiting import wait_until

TWAPS = 60_000
PATH = f"/api/v1/exports/twaps?wallet={WALLET}&year=2025"
FORMATS = ["csv", "ndjson", "parquet"]

BACKENDS = """
select pid
from pg_stat_activity
where application_name = 'twap_api' and datname = current_database()
and xact_start is not null
"""


@pytest.fixture(scope="module")
def filled(new_marts: Callable[[], Marts]) -> Marts:
    marts = new_marts()
    fill(marts, TWAPS)
    return marts


@pytest.fixture
def client(filled: Marts) -> Iterator[httpx.Client]:
    with running(filled.url) as client:
        yield client


def exports_under_way(marts: Marts) -> int:
    return len(marts.connection.execute(BACKENDS).fetchall())


def kill_exports(marts: Marts) -> None:
    marts.connection.execute(f"select pg_terminate_backend(pid) from ({BACKENDS}) as _")


@contextmanager
def slow_reader(client: httpx.Client, path: str = PATH) -> Iterator[socket.socket]:
    """A connection that has asked for the file, and read nothing of it."""
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.connect((client.base_url.host, client.base_url.port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: api\r\n\r\n".encode())
        yield connection


def is_waiting(marts: Marts) -> bool:
    """Whether the export has written as much as its client makes room for."""
    found = marts.connection.execute(
        f"select from pg_stat_activity where pid in ({BACKENDS}) "
        "and wait_event = 'ClientWrite' "
        "and query_start < clock_timestamp() - interval '300 ms'"
    )
    return found.fetchone() is not None


def read_all(connection: socket.socket) -> bytes:
    """The body; raises IncompleteRead when the connection ends before it."""
    connection.settimeout(30)
    response = HTTPResponse(connection)
    response.begin()
    return response.read()


def rows_in(body: bytes) -> int:
    return body.count(b"\r\n") - 1


@pytest.mark.parametrize("format_", FORMATS)
def test_client_of_a_lost_database_sees_a_broken_transfer(
    client: httpx.Client,
    filled: Marts,
    monkeypatch: pytest.MonkeyPatch,
    format_: str,
) -> None:
    file = api.exports._file
    is_lost = threading.Event()

    async def half_before(*given: Any) -> AsyncIterator[bytes]:
        parts = file(*given)
        yield await anext(parts)
        yield await anext(parts)
        await asyncio.to_thread(is_lost.wait, 30)
        async for part in parts:
            yield part

    monkeypatch.setattr(api.exports, "_file", half_before)
    with client.stream("GET", f"{PATH}&format={format_}") as response:
        assert response.headers["x-row-count"] == str(TWAPS)
        pieces = response.iter_raw()
        assert next(pieces)
        kill_exports(filled)
        is_lost.set()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    # The next one gets another connection.
    assert client.head(PATH).status_code == 200


@pytest.fixture
def _lost_at_the_first_row(filled: Marts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database goes away when the rows are counted, and none is read yet."""
    file = api.exports._file

    def lose(*given: Any) -> AsyncIterator[bytes]:
        kill_exports(filled)
        return file(*given)

    monkeypatch.setattr(api.exports, "_file", lose)


CODINGS = ["identity", "gzip"]


@pytest.mark.usefixtures("_lost_at_the_first_row")
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("format_", ["ndjson", "parquet"])
def test_file_that_fails_before_its_first_byte_is_refused(
    client: httpx.Client, format_: str, coding: str
) -> None:
    headers = {"Accept-Encoding": coding}
    response = client.get(f"{PATH}&format={format_}", headers=headers)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "database_unavailable"


@pytest.mark.usefixtures("_lost_at_the_first_row")
@pytest.mark.parametrize("coding", CODINGS)
def test_file_that_fails_after_its_header_line_is_broken_off(
    client: httpx.Client, coding: str
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(PATH, headers={"Accept-Encoding": coding})


def test_curl_says_that_the_transfer_is_broken(
    client: httpx.Client, filled: Marts, tmp_path: Path
) -> None:
    url, file = str(client.base_url.join(PATH)), tmp_path / "twaps.csv"
    command = ["curl", "--silent", "--limit-rate", "5M", "--output", file, url]
    with subprocess.Popen(command) as curl:
        wait_until(lambda: file.exists() and file.stat().st_size > 0)
        kill_exports(filled)
        assert curl.wait(60) == 18


def test_failure_is_logged_in_a_line_without_the_wallet(
    client: httpx.Client, filled: Marts, caplog: pytest.LogCaptureFixture
) -> None:
    with slow_reader(client) as connection:
        wait_until(lambda: is_waiting(filled))
        kill_exports(filled)
        with pytest.raises(IncompleteRead):
            read_all(connection)
    (line,) = [each for each in caplog.messages if "export broken off" in each]
    assert "/api/v1/exports/twaps" in line
    assert "database_unavailable" in line or "cannot answer" in line
    assert WALLET not in line
    assert "\n" not in line


def test_client_that_takes_nothing_is_cut_off(
    client: httpx.Client,
    filled: Marts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api.exports, "SEND_SECONDS", 0.5)
    with slow_reader(client) as connection:
        wait_until(lambda: "export broken off" in caplog.text)
        wait_until(lambda: exports_under_way(filled) == 0)
        with pytest.raises(IncompleteRead):
            read_all(connection)


def test_client_that_takes_a_little_is_not_cut_off(
    client: httpx.Client, filled: Marts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.exports, "SEND_SECONDS", 1.0)
    with slow_reader(client) as connection:
        response = HTTPResponse(connection)
        response.begin()
        body = b""
        for _ in range(20):
            time.sleep(0.1)
            body += response.read(1 << 18)
        body += response.read()
    assert rows_in(body) == TWAPS


def test_file_that_takes_too_long_is_broken_off(
    client: httpx.Client,
    filled: Marts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api.exports, "MAX_SECONDS", 1.0)
    with slow_reader(client) as connection:
        wait_until(lambda: "export broken off" in caplog.text)
        wait_until(lambda: exports_under_way(filled) == 0)
        with pytest.raises(IncompleteRead):
            read_all(connection)


def test_client_that_goes_away_frees_its_connection_at_once(
    client: httpx.Client,
    filled: Marts,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def endless_file(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for rows in chunks:
            yield rows
            await asyncio.sleep(60)

    monkeypatch.setattr(api.exports, "csv_file", endless_file)
    with slow_reader(client) as connection:
        assert connection.recv(1)
        assert exports_under_way(filled) == 1
    wait_until(lambda: exports_under_way(filled) == 0)
    assert "broken off" not in caplog.text


def test_no_more_files_than_may_be_are_written_at_once(
    client: httpx.Client, filled: Marts
) -> None:
    with ExitStack() as stack:
        for _ in range(api.app.EXPORTS_AT_ONCE):
            stack.enter_context(slow_reader(client))
        wait_until(lambda: exports_under_way(filled) == api.app.EXPORTS_AT_ONCE)
        refused = client.get(PATH)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "too_many_exports"
        assert int(refused.headers["retry-after"]) > 0
        page = client.get("/api/v1/twaps", params={"wallet": WALLET, "year": 2025})
        assert page.status_code == 200
    # Once they are gone, there is room again.
    wait_until(lambda: client.head(PATH).status_code == 200)


SWAP = """
create table marts.twap_status_new (like marts.twap_status including all);
insert into marts.twap_status_new select * from marts.twap_status;
alter table marts.twap_status rename to twap_status_old;
alter table marts.twap_status_new rename to twap_status;
"""


def test_table_that_is_replaced_meanwhile_waits_for_the_file(
    marts: Marts,
) -> None:
    """The swap of a rebuild tries for a moment at a time, and comes after the file."""
    fill(marts, TWAPS)
    with running(marts.url) as client, slow_reader(client) as connection:
        wait_until(lambda: is_waiting(marts))
        marts.connection.execute("set lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            marts.connection.execute(SWAP)
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(read_all, connection)
            swap_in_the_end(marts)
            body = reading.result()
    assert rows_in(body) == TWAPS


WAITING = """
select from pg_locks
where not granted and database = (
    select oid from pg_database where datname = current_database()
)
"""


def swap_in_the_end(marts: Marts) -> None:
    for _ in range(100):
        try:
            marts.connection.execute(SWAP + "drop table marts.twap_status_old")
        except psycopg.errors.LockNotAvailable:
            time.sleep(0.1)
        else:
            return
    raise AssertionError


def test_file_that_begins_during_a_swap_waits_and_is_whole(marts: Marts) -> None:
    """What was put in place after a snapshot looks empty to it."""
    fill(marts, 100)
    with running(marts.url) as client, ThreadPoolExecutor(1) as threads:
        with marts.connection.transaction():
            marts.connection.execute(SWAP)
            asked = threads.submit(client.get, PATH)
            wait_until(lambda: marts.connection.execute(WAITING).rowcount > 0)
        response = asked.result()
    assert response.status_code == 200
    assert response.headers["x-row-count"] == "100"


def test_file_is_of_one_state_whatever_is_loaded_meanwhile(marts: Marts) -> None:
    fill(marts, TWAPS)
    with running(marts.url) as client, slow_reader(client) as connection:
        wait_until(lambda: is_waiting(marts))
        marts.connection.execute("delete from marts.twap_status")
        body = read_all(connection)
    assert rows_in(body) == TWAPS
