"""`python -m warehouse serve`: what it refuses, and how it ends, whatever is asked."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.api.marts import Event, Marts, moment
from tests.waiting import wait_until
from tests.warehouse.command import environment, free_port, run, running
from warehouse import PROJECT_ROOT
from warehouse.statements import statement

WALLET = "0xabc0000000000000000000000000000000000001"
WHOLE = f"/api/v1/twaps?wallet={WALLET}&year=2025&limit=500"
KEY = "0123456789abcdef"
WAITING = """
select from pg_locks
where
    not granted
    and relation = 'marts.twap_status'::regclass
    and database = (select oid from pg_database where datname = current_database())
"""


@pytest.fixture
def marts(database_url: str) -> Iterator[Marts]:
    marts = Marts(database_url)
    marts.create()
    # The role that the API reads as is the whole server's: any load may have made it.
    marts.connection.execute(statement("reader_role"))
    noon = moment("2025-11-03T12:00:00+00:00")
    marts.build([Event(str(n), WALLET, noon, "finished") for n in range(500)])
    yield marts
    marts.connection.close()


@dataclass
class Serving:
    """A server process, with marts that can be made slow."""

    process: subprocess.Popen[str]
    marts: Marts
    port: int

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def is_refusing(self) -> bool:
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def workers(self) -> dict[int, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if any("spawn_main" in part for part in child.cmdline()):
                    found[child.pid] = child
        return found

    @contextmanager
    def answer_in_flight(self) -> Iterator[Future[httpx.Response]]:
        """An answer that waits for a lock until the block ends."""
        with ThreadPoolExecutor(1) as threads:
            with self.marts.connection.transaction():
                self.marts.connection.execute("lock table marts.twap_status")
                future = threads.submit(self.get, WHOLE)
                wait_until(lambda: self.marts.connection.execute(WAITING).rowcount > 0)
                yield future
            future.exception(timeout=30)


@contextmanager
def serving(marts: Marts, folder: Path, workers: int) -> Iterator[Serving]:
    port = free_port()
    env = environment(
        DATABASE_URL=marts.url,
        API_PORT=str(port),
        API_WORKERS=str(workers),
        TMPDIR=str(folder),
    )
    with running("serve", env=env) as process:
        server = Serving(process, marts, port)
        wait_until(lambda: not server.is_refusing())
        if workers > 1:
            wait_until(lambda: len(server.workers()) == workers)
        assert server.get("/healthz").status_code == 200
        yield server


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_finishes_what_is_under_way_and_lets_nothing_in(
    marts: Marts, tmp_path: Path, workers: int
) -> None:
    with serving(marts, tmp_path, workers) as server, server.connect() as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        while not idle.recv(4096).endswith(b"}"):
            pass
        whole = server.get(WHOLE).json()
        with server.answer_in_flight() as answer:
            server.process.send_signal(signal.SIGTERM)
            wait_until(server.is_refusing)
            assert idle.recv(1) == b""
            assert not answer.done()
        assert answer.result().json() == whole
        assert len(whole["twaps"]) == 500
        assert server.process.wait(timeout=30) == 0
        assert server.process.stderr
        assert "Traceback" not in server.process.stderr.read()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_at_once(
    marts: Marts, tmp_path: Path, workers: int, second: signal.Signals
) -> None:
    with serving(marts, tmp_path, workers) as server:
        with server.answer_in_flight() as answer:
            server.process.send_signal(signal.SIGTERM)
            wait_until(server.is_refusing)
            assert not answer.done()
            server.process.send_signal(second)
            server.process.wait(timeout=30)
        assert server.process.stderr
        assert "Traceback" not in server.process.stderr.read()
        if answer.exception():
            assert isinstance(answer.exception(), httpx.TransportError)
        else:
            assert answer.result().status_code == 503
            assert answer.result().json()["error"]["code"] == "shutting_down"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_reaches_all_processes_and_still_ends_in_good_order(
    marts: Marts, tmp_path: Path
) -> None:
    with serving(marts, tmp_path, 2) as server:
        with server.answer_in_flight() as answer:
            for pid in (server.process.pid, *server.workers()):
                psutil.Process(pid).send_signal(signal.SIGINT)
            wait_until(server.is_refusing)
        assert answer.result().status_code == 200
        assert server.process.wait(timeout=30) == 0


def test_workers_end_when_their_terminal_closes(marts: Marts, tmp_path: Path) -> None:
    with serving(marts, tmp_path, 2) as server:
        workers = server.workers()
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(timeout=30) == 0
        assert not any(worker.is_running() for worker in workers.values())


def test_worker_that_is_killed_is_replaced(marts: Marts, tmp_path: Path) -> None:
    with serving(marts, tmp_path, 2) as server:
        before = server.workers()
        killed = next(iter(before))
        before[killed].kill()
        wait_until(lambda: len(server.workers().keys() - {killed}) == 2)
        for _ in range(20):
            assert server.get("/livez").status_code == 200
        server.process.terminate()
        assert server.process.wait(timeout=30) == 0
        assert server.process.stderr
        assert "a worker died and is replaced" in server.process.stderr.read()


def test_workers_share_a_folder_for_metrics_and_one_process_has_none(
    marts: Marts, tmp_path: Path
) -> None:
    with serving(marts, tmp_path, 2) as server:
        (folder,) = {
            worker.environ()["PROMETHEUS_MULTIPROC_DIR"]
            for worker in server.workers().values()
        }
        assert Path(folder).parent == tmp_path
        assert Path(folder).is_dir()
    assert list(tmp_path.iterdir()) == []


def test_workers_end_when_their_parent_is_killed(marts: Marts, tmp_path: Path) -> None:
    with serving(marts, tmp_path, 2) as server:
        workers = server.workers()
        server.process.kill()
        _, alive = psutil.wait_procs(workers.values(), timeout=30)
        assert alive == []
        assert server.is_refusing()


BROKEN = """
from contextlib import asynccontextmanager

from fastapi import FastAPI

import api
from warehouse.errors import UserError


@asynccontextmanager
async def fail(app):
    raise RuntimeError("no")
    yield


def make_app():
    return FastAPI(lifespan=fail)


if __name__ == "__main__":
    with api.listen("127.0.0.1", 0) as listener:
        try:
            api.serve(make_app, listener, workers=2)
        except UserError as error:
            print(error)
"""


def test_workers_that_cannot_start_are_not_tried_for_ever(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(BROKEN)
    ended = subprocess.run(
        [sys.executable, str(script)],
        env=environment(PYTHONPATH=str(PROJECT_ROOT), TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=True,
    )
    assert "A worker of the API could not start" in ended.stdout.splitlines()[-1]
    assert list(tmp_path.iterdir()) == [script]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"API_KEYS": ""}, "API_KEYS is set but empty"),
        ({"api_keys": ""}, "API_KEYS is set but empty"),
        ({"API_KEYS": "tooshort"}, "key number 1 is shorter than 16"),
        ({"API_KEYS": f"{KEY},two words 12345678"}, "key number 2 has a blank"),
        ({"API_WORKERS": "0"}, "API_WORKERS"),
        ({"API_HOST": "no-such-host.invalid"}, "cannot listen on no-such-host"),
        ({"API_DATABASE_URL": "mysql://u:hidden@h/d"}, "not a Postgres URL"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_and_exit_1(wrong: dict[str, str], said: str) -> None:
    settings = {
        "DATABASE_URL": "postgresql://u:hidden@127.0.0.1:9/d",
        "API_PORT": "0",
        "API_WORKERS": "2",
    }
    ended = run("serve", env=environment(**(settings | wrong)))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    for secret in ("hidden", "tooshort", "two words", KEY):
        assert secret not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        ({"API_HOST": "0.0.0.0"}, True),  # noqa: S104
        ({"API_HOST": "0.0.0.0", "API_KEYS": KEY}, False),  # noqa: S104
        ({"API_HOST": "localhost"}, False),
        ({"API_HOST": "::1"}, False),
        ({"API_HOST": "0.0.0.0", "API_WORKERS": "2"}, True),  # noqa: S104
    ],
    ids=str,
)
def test_who_lets_everybody_in_is_warned_once(
    settings: dict[str, str], is_warned: bool
) -> None:
    url = "postgresql://u:hidden@127.0.0.1:9/d"
    env = environment(DATABASE_URL=url, API_PORT="0", **settings)
    with running("serve", env=env) as process:
        assert process.stderr
        lines = []
        while not lines or "serving" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        process.terminate()
        lines.append(process.stderr.read())
    text = "".join(lines)
    assert text.count("set API_KEYS") == (1 if is_warned else 0)
    assert KEY not in text
