"""The API over real HTTP, on a real Postgres."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import uvicorn
from fastapi import FastAPI
from marts import Marts

import api
from api.server import configure, listen, url_of
from sandbox import postgres
from tests.waiting import wait_until
from warehouse import log

numbers = count()


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    log.configure("WARNING", "json")


@contextmanager
def running(
    url: str, cors_origins: str = "*", **options: Any
) -> Iterator[httpx.Client]:
    """The API on a free port, and a client for it."""
    with answering(api.create_app(url, cors_origins, **options)) as client:
        yield client


@contextmanager
def answering(app: FastAPI) -> Iterator[httpx.Client]:
    """An application on a free port, and a client for it."""
    listener = listen("127.0.0.1", 0)
    base_url = url_of(listener)
    server = uvicorn.Server(configure(app))
    thread = threading.Thread(target=server.run, args=[[listener]])
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        assert server.started
        with httpx.Client(base_url=base_url, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def processes_of(server: postgres.Server) -> list[psutil.Process]:
    process = psutil.Process(server.pid)
    return [process, *process.children(recursive=True)]


def kill_every_process(server: postgres.Server) -> None:
    """As a machine does that loses its power."""
    processes = processes_of(server)
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=30)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """Not that of all tests, which make the reader's role: the API would take it."""
    with postgres.temporary() as server:
        yield server


@pytest.fixture(scope="session")
def new_database(server: postgres.Server) -> Callable[[], str]:
    """Make an empty database of one's own."""

    def make() -> str:
        name = f"api_{next(numbers)}"
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return server.url.rsplit("/", 1)[0] + f"/{name}"

    return make


@pytest.fixture(scope="session")
def new_marts(new_database: Callable[[], str]) -> Iterator[Callable[[], Marts]]:
    """Make marts of one's own, empty."""
    with ExitStack() as stack:

        def make() -> Marts:
            marts = Marts(new_database())
            stack.callback(marts.connection.close)
            marts.create()
            return marts

        yield make


@pytest.fixture
def marts(new_marts: Callable[[], Marts]) -> Iterator[Marts]:
    marts = new_marts()
    yield marts
    marts.connection.close()


@pytest.fixture
def client(marts: Marts) -> Iterator[httpx.Client]:
    with running(marts.url) as client:
        yield client


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[int], list[dict[str, Any]]]:
    """The fields of each line that the API logs during the test.

    To be called with how many there must be: an answer's is written after its end.
    """
    caplog.set_level("INFO", logger="api")

    def lines() -> list[dict[str, Any]]:
        return [each.msg for each in caplog.records if isinstance(each.msg, dict)]

    def at_least(count: int) -> list[dict[str, Any]]:
        wait_until(lambda: len(lines()) >= count)
        return lines()

    return at_least
