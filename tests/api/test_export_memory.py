"""A file takes the server little memory, however long it is or slow its reader.

The server runs by itself, since these tests have much in memory.
"""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from many import WALLET, fill
from marts import Marts

TWAPS = 141_000
"""The heaviest wallet of the history has as many."""

MEBIBYTE = 1 << 20
BOUND = 64 * MEBIBYTE

SERVER = """
import sys
from functools import partial
import api
from warehouse import log
log.configure("INFO", "json")
api.serve(partial(api.create_app, sys.argv[1]), api.listen("127.0.0.1", 0))
"""


@pytest.fixture(scope="module")
def filled(new_marts: Callable[[], Marts]) -> Marts:
    marts = new_marts()
    fill(marts, TWAPS)
    return marts


@contextmanager
def serving(url: str) -> Iterator[tuple[psutil.Process, httpx.Client]]:
    """The API in a process of its own, after its first answer, and a client for it."""
    command = [sys.executable, "-c", SERVER, url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            serving = re.search(r"http://[\d.:]+", process.stderr.readline())
            assert serving
            with httpx.Client(base_url=serving[0], timeout=30) as client:
                page = {"wallet": WALLET, "year": 2025}
                assert client.get("/api/v1/twaps", params=page).status_code == 200
                yield psutil.Process(process.pid), client
        finally:
            process.terminate()
            process.communicate()


@pytest.mark.parametrize("pause", [0.0, 0.01], ids=["quick", "slow"])
@pytest.mark.parametrize("format_", ["csv", "ndjson", "parquet"])
def test_file_of_the_heaviest_wallet_takes_little_memory(
    filled: Marts, format_: str, pause: float
) -> None:
    path = f"/api/v1/exports/twaps?wallet={WALLET}&year=2025&format={format_}"
    with serving(filled.url) as (server, client):
        idle = most = server.memory_info().rss
        with client.stream("GET", path) as response:
            assert response.headers["x-row-count"] == str(TWAPS)
            for _ in response.iter_raw(MEBIBYTE):
                most = max(most, server.memory_info().rss)
                time.sleep(pause)
    assert most - idle < BOUND
