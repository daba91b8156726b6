"""HTTP requests as fast as a server answers them."""

import asyncio
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection

import uvloop


@dataclass(frozen=True)
class Load:
    """What a server did under load: requests a second, and each one's seconds."""

    rate: float
    latencies: list[float]

    def percentile(self, percent: float) -> float:
        """Return the seconds that so many percent of the requests took at most."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def put_under_load(
    host: str, port: int, path: str, *, connections: int, seconds: float
) -> Load:
    """Ask for the path over connections that stay open, each as soon as it can.

    Raises RuntimeError for an answer that is no 200.
    """
    return uvloop.run(_load(host, port, path, connections, seconds))


async def _load(
    host: str, port: int, path: str, connections: int, seconds: float
) -> Load:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    begin = time.perf_counter()
    clients = [_ask(host, port, request, begin + seconds) for _ in range(connections)]
    answered = await asyncio.gather(*clients)
    latencies = [latency for each in answered for latency in each]
    return Load(len(latencies) / (time.perf_counter() - begin), latencies)


async def _ask(host: str, port: int, request: bytes, until: float) -> list[float]:
    latencies = []
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    begin = time.perf_counter()
    while begin < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"The answer is {head.splitlines()[0].decode()}")
        _, _, rest = head.lower().partition(b"content-length:")
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        end = time.perf_counter()
        latencies.append(end - begin)
        begin = end
    writer.close()
    return latencies


def ask_in_turn(host: str, port: int, path: str, times: int) -> Load:
    """Ask for the path so often, one after the other over one connection."""
    return _in_turn(host, port, lambda _: path, times)


def walk(host: str, port: int, path: str) -> Load:
    """Ask for all pages of the walk that begins at the path, over one connection."""

    def following(page: bytes | None) -> str | None:
        if page is None:
            return path
        cursor = json.loads(page)["next_cursor"]
        return f"{path}&cursor={cursor}" if cursor else None

    return _in_turn(host, port, following)


def _in_turn(
    host: str,
    port: int,
    following: Callable[[bytes | None], str | None],
    times: float = math.inf,
) -> Load:
    latencies: list[float] = []
    client = HTTPConnection(host, port)
    start = time.perf_counter()
    page = None
    while len(latencies) < times and (path := following(page)):
        begin = time.perf_counter()
        client.request("GET", path)
        answer = client.getresponse()
        page = answer.read()
        latencies.append(time.perf_counter() - begin)
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"{path}: {answer.status}")
    client.close()
    return Load(len(latencies) / (time.perf_counter() - start), latencies)
