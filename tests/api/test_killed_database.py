"""A database that dies under load costs its clients a 503, and nothing else."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from conftest import kill_every_process, processes_of, running
from marts import Event, Marts, moment

import api.database
from sandbox import postgres
from tests.waiting import wait_until

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00+00:00")
PATHS = [
    f"/api/v1/twaps?wallet={WALLET}&year=2025",
    f"/api/v1/twaps?wallet={WALLET}&updated_since=2025-01-01",
    f"/api/v1/wallets/{WALLET}",
    f"/api/v1/wallets/{WALLET}/tax-years/2025",
    "/api/v1/coverage",
    "/api/v1/twaps/7",
]
THREADS = 8


def stop_without_a_checkpoint(server: postgres.Server) -> None:
    process = psutil.Process(server.pid)
    process.send_signal(signal.SIGQUIT)
    process.wait(timeout=30)


def kill_one_connection(server: postgres.Server) -> None:
    """The server throws out all others too, and recovers by itself."""
    with psycopg.connect(server.url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)


KILLS = [
    kill_every_process,
    kill_one_connection,
    pytest.param(stop_without_a_checkpoint, marks=pytest.mark.soak),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a Postgres with marts that these tests may kill."""
    folder = tmp_path_factory.mktemp("killed") / "postgres"
    try:
        marts = Marts(postgres.start(folder, durable=False).url)
        marts.create()
        marts.build([Event(str(n), WALLET, NOON, "finished") for n in range(30)])
        marts.connection.close()
        yield folder
    finally:
        postgres.remove(folder)


class Load:
    """Threads that read without a pause; a connection that breaks ends one."""

    def __init__(self, client: httpx.Client) -> None:
        self.answers: list[tuple[float, str, httpx.Response]] = []
        self._url = client.base_url
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS)
        self._readers = [self._pool.submit(self._read, n) for n in range(THREADS)]

    def end(self) -> None:
        self._done.set()
        for reader in self._readers:
            reader.result()

    def wait_for(self, status: int) -> None:
        """Return when a question asked from now on has had this answer."""
        now = time.monotonic()
        wait_until(
            lambda: any(
                asked > now and answer.status_code == status
                for asked, _, answer in self.answers[-200:]
            )
        )

    def _read(self, number: int) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self._done.is_set():
                for path in PATHS[number % len(PATHS) :] + PATHS[: number % 3]:
                    asked = time.monotonic()
                    self.answers.append((asked, path, client.get(path)))


@pytest.mark.parametrize("kill", KILLS)
def test_database_killed_under_load_costs_503s_until_it_is_back(
    folder: Path, kill: Callable[[postgres.Server], None]
) -> None:
    server = postgres.start(folder, durable=False)
    with running(server.url) as client:
        whole = {path: client.get(path).raise_for_status().text for path in PATHS}
        load = Load(client)
        try:
            load.wait_for(200)
            kill(server)
            if kill is not kill_one_connection:
                load.wait_for(503)
                postgres.start(folder, durable=False)
            load.wait_for(200)
            time.sleep(0.3)
        finally:
            load.end()
        assert {client.get(path).status_code for path in PATHS} == {200}
    assert {answer.status_code for _, _, answer in load.answers} <= {200, 503}
    for _, path, answer in load.answers:
        if answer.status_code == 200:
            assert answer.text == whole[path]
        else:
            assert answer.json()["error"]["code"] == "database_unavailable"
            assert int(answer.headers["retry-after"]) > 0


def test_frozen_database_costs_503s_and_no_connection(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine confirms what arrives, so nothing but a deadline tells."""
    server = postgres.start(folder, durable=False)
    paths = [*PATHS, f"/api/v1/exports/twaps?wallet={WALLET}&year=2025"] * 3
    with running(server.url) as client, ThreadPoolExecutor(len(paths)) as threads:
        assert {client.get(path).status_code for path in paths} == {200}
        frozen = processes_of(server)
        for each in frozen:
            each.suspend()
        try:
            with monkeypatch.context() as patch:
                patch.setattr(api.database, "ANSWER_SECONDS", 0.5)
                refused = list(threads.map(client.get, paths))
        finally:
            for each in frozen:
                each.resume()
        assert {answer.status_code for answer in refused} == {503}
        codes = {answer.json()["error"]["code"] for answer in refused}
        assert codes == {"database_unavailable"}
        assert {client.get(path).status_code for path in paths} == {200}
