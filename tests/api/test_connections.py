"""Raw sockets: whatever a client sends, or does not send, costs little and ends."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from conftest import answering, running
from marts import Marts
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

import api
from api import protocol, server

GET = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /test/slow HTTP/1.1\r\nHost: a\r\n\r\n"
ALIVE = b'{"status":"alive"}'
HEAD = b"HTTP/1.1 "


async def slow(_request: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"begun,"
        await asyncio.sleep(2)
        yield b"done"

    return StreamingResponse(body())


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([])
    app = api.create_app(marts.url)
    app.add_route("/test/slow", slow)
    with answering(app) as client:
        yield client


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address, timeout=30) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """All until the server closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        # It closed while we were still sending.
        pass
    return b"".join(parts)


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """All until these bytes have come."""
    read = b""
    while mark not in read:
        part = connection.recv(65536)
        assert part, read
        read += part
    return read


def ask(client: httpx.Client, request: bytes) -> bytes:
    with connected(client) as connection:
        connection.sendall(request)
        return read_all(connection)


def status_of(answer: bytes) -> int:
    assert answer.startswith(HEAD), answer
    return int(answer[9:12])


def code_of(answer: bytes) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.search(rb"x-request-id: [0-9a-f]{32}", head), head
    assert b"x-content-type-options: nosniff" in head
    assert b"cache-control: no-store" in head
    assert b"connection: close" in head
    assert b"server:" not in head
    assert f"content-length: {len(body)}".encode() in head
    error = json.loads(body)
    assert error.keys() == {"error", "detail"}
    code: str = error["error"]["code"]
    return code


def line(path: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: a", b"Connection: close"]
    return b"\r\n".join([*lines, *headers, b"", b""])


ODD_REQUESTS = {
    "bad percent": (line(b"/%"), 404),
    "bad percent pair": (line(b"/api/v1/twaps/%zz"), 422),
    "no UTF-8 in path": (line(b"/api/v1/twaps/%ff%fe"), None),
    "half a character": (line(b"/api/v1/twaps/%e2%82"), None),
    "surrogate in path": (line(b"/api/v1/twaps/%ed%a0%80"), None),
    "NUL in path": (line(b"/api/v1/twaps/%00"), 422),
    "NUL in query": (line(b"/api/v1/twaps?wallet=%00&year=2025"), 422),
    "no UTF-8 in query": (line(b"/api/v1/twaps?wallet=%ff&year=2025"), 422),
    "newline in path": (line(b"/a%0d%0aX-Evil:%201"), 404),
    "raw bytes in path": (line(b"/\xff\xfe"), 400),
    "blank in path": (line(b"/a b"), 400),
    "dots": (line(b"/../../etc/passwd"), 404),
    "encoded dots": (line(b"/%2e%2e/%2e%2e/etc/passwd"), 404),
    "backslashes": (line(b"/..\\..\\x"), 404),
    "two slashes": (line(b"//evil.example/livez"), 404),
    "whole URL": (line(b"http://evil.example/livez"), 200),
    "fragment": (line(b"/livez#part"), 200),
    "star": (line(b"*", method=b"OPTIONS"), None),
    "connect": (line(b"evil.example:443", method=b"CONNECT"), None),
    "unknown method": (line(b"/livez", method=b"FETCH"), 400),
    "known method": (line(b"/livez", method=b"PROPFIND"), 405),
    "trace": (line(b"/livez", method=b"TRACE"), 405),
    "no host": (b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
    "http 1.0": (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    "http 0.9": (b"GET /livez\r\n\r\n", 200),
    "http 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50, 400),
    "control in header": (line(b"/livez", b"X-A: a\x01b"), 400),
    "NUL in header": (line(b"/livez", b"X-A: a\x00b"), 400),
    "blank in header name": (line(b"/livez", b"X A: b"), 400),
    "folded header": (line(b"/livez", b"X-A: b\r\n c"), None),
    "latin header": (line(b"/livez", b"X-A: \xe9\xff"), 200),
    "latin everywhere": (
        line(
            b"/livez",
            *(b"Accept-Encoding: \xff;q=\xff", b"Authorization: Basic \xff"),
            *(b"Origin: \xff", b"X-Request-ID: \xff", b"If-None-Match: \xff"),
        ),
        200,
    ),
    "preflight for odd headers": (
        line(
            b"/livez",
            *(b"Origin: \xff\xfe", b"Access-Control-Request-Method: GET"),
            b"Access-Control-Request-Headers: \xff, \xfe",
            method=b"OPTIONS",
        ),
        200,
    ),
    "many headers": (line(b"/livez", *[b"X-A: b"] * 1000), 200),
    "many codings": (line(b"/livez", b"Accept-Encoding: " + b"a;q=0," * 5000), 200),
    "long header": (line(b"/livez", b"X-A: " + b"a" * 30_000), 200),
    "too long a header": (line(b"/livez", b"X-A: " + b"a" * 40_000), 431),
    "too many headers": (line(b"/livez", *[b"X-A: b"] * 10_000), 431),
    "long URL": (line(b"/" + b"a" * 5_000), 414),
    "too long a URL": (line(b"/" + b"a" * 40_000), 414),
    "tiny headers": (line(b"/livez", *[b"a:"] * 7_000), 431),
    "two lengths": (line(b"/livez", b"Content-Length: 1", b"Content-Length: 2"), 400),
    "length and chunks": (
        line(b"/livez", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        400,
    ),
    "negative length": (line(b"/livez", b"Content-Length: -1"), 400),
    "huge length": (line(b"/livez", b"Content-Length: 99999999999999999999999"), 400),
    "bad chunk": (line(b"/livez", b"Transfer-Encoding: chunked") + b"zz\r\n", None),
    "body": (line(b"/livez", b"Content-Length: 5") + b"hello", 200),
    "body of a mebibyte": (
        line(b"/livez", b"Content-Length: 1000000") + b"a" * 1_000_000,
        200,
    ),
    "expects to go on": (
        line(b"/livez", b"Expect: 100-continue", b"Content-Length: 5"),
        200,
    ),
    "upgrade to h2c": (
        line(b"/livez", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"),
        200,
    ),
    "upgrade to a websocket": (
        line(
            b"/livez",
            *(b"Upgrade: websocket", b"Connection: Upgrade"),
            *(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: YQ=="),
        ),
        200,
    ),
}


@pytest.mark.parametrize("name", ODD_REQUESTS)
def test_odd_request_is_answered_and_never_a_5xx(
    client: httpx.Client, name: str
) -> None:
    request, status = ODD_REQUESTS[name]
    answer = ask(client, request)
    assert b"Traceback" not in answer
    assert b"uvicorn" not in answer.lower()
    if status is None:
        assert 200 <= status_of(answer) < 500
    else:
        assert status_of(answer) == status
    if status in (400, 414, 431):
        code_of(answer.replace(b"content-type: application/json\r\n", b""))
    assert client.get("/livez").status_code == 200


def test_request_that_is_none_has_the_one_shape(client: httpx.Client) -> None:
    refused = ask(client, b"hello\r\n\r\n")
    assert code_of(refused) == "bad_request"
    assert b"access-control-allow-origin: *" in refused


def test_request_that_is_none_tells_no_page_where_only_some_may_read() -> None:
    """Nobody knows which page sent it."""
    with running("postgresql://u:p@127.0.0.1:1/x", "https://a.example") as client:
        answer = ask(client, b"hello\r\n\r\n")
    assert status_of(answer) == 400
    assert b"access-control" not in answer


def is_cut_off(connection: socket.socket, part: bytes, most: int) -> bool:
    """Tell whether the server closes when it has read so many parts, or fewer."""
    try:
        for _ in range(most):
            connection.sendall(part)
    except (ConnectionResetError, BrokenPipeError):
        return True
    # It has yet to read what was sent; one that waits for more says so much later.
    connection.settimeout(protocol.REQUEST_SECONDS / 2)
    try:
        read_all(connection)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("start", [b"GET /livez HTTP/1.1\r\nX-A: ", b"GET /"])
def test_head_without_end_is_cut_off(client: httpx.Client, start: bytes) -> None:
    with connected(client) as connection:
        connection.sendall(start)
        assert is_cut_off(connection, b"a" * 10_000, most=100)


def test_body_without_end_is_cut_off(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(
            b"GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert status_of(read_until(connection, ALIVE)) == 200
        chunk = b"2710\r\n" + b"a" * 10_000 + b"\r\n"
        assert is_cut_off(connection, chunk, most=1000)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 1)


def trickle(connection: socket.socket, part: bytes) -> None:
    """Send it time and again, until the connection ends."""
    with suppress(OSError):
        while True:
            connection.sendall(part)
            time.sleep(0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        (b"", b"", None),
        (b"", b"\r\n", None),
        (b"GET /livez HTTP/1.1\r\n", b"", "request_timeout"),
        (b"GET /livez HTTP/1.1\r\n", b"X-A: b\r\n", "request_timeout"),
        (b"GET /livez HTTP/1.1\r\nX-A: ", b"b", "request_timeout"),
    ],
    ids=["silent", "blank lines", "half a head", "slow headers", "slow header"],
)
def test_request_that_does_not_come_is_not_waited_for(
    client: httpx.Client, first: bytes, then: bytes, code: str | None
) -> None:
    began = time.monotonic()
    with connected(client) as connection:
        connection.sendall(first)
        if then:
            threading.Thread(target=trickle, args=[connection, then]).start()
        answer = read_all(connection)
        assert time.monotonic() - began > 0.9
        assert (code_of(answer) if answer else None) == code


@pytest.mark.usefixtures("impatient")
def test_slow_body_is_answered_at_once_and_then_cut_off(client: httpx.Client) -> None:
    began = time.monotonic()
    with connected(client) as connection:
        connection.sendall(GET[:-2] + b"Content-Length: 1000\r\n\r\n")
        assert status_of(read_until(connection, ALIVE)) == 200
        threading.Thread(target=trickle, args=[connection, b"a"]).start()
        assert read_all(connection) == b""
        assert time.monotonic() - began > 0.9


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("rest", [b"GET /li", b"nonsense\r\n\r\n", b"G" * 50_000])
def test_answer_under_way_is_finished_before_a_bad_request_ends_it(
    client: httpx.Client, rest: bytes
) -> None:
    with connected(client) as connection:
        connection.sendall(SLOW)
        answer = read_until(connection, b"begun")
        connection.sendall(rest)
        answer += read_all(connection)
    assert answer.endswith(b"6\r\nbegun,\r\n4\r\ndone\r\n0\r\n\r\n")
    assert answer.count(HEAD) == 1


@pytest.mark.parametrize("rest", [b"", b"GET /li"])
def test_who_will_ask_no_more_gets_the_whole_answer(
    client: httpx.Client, rest: bytes
) -> None:
    with connected(client) as connection:
        connection.sendall(SLOW + rest)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).endswith(b"4\r\ndone\r\n0\r\n\r\n")


def test_connection_that_asks_nothing_and_ends_is_closed(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(b"GET /li")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


@pytest.mark.usefixtures("impatient")
def test_connection_is_kept_for_the_next_request(client: httpx.Client) -> None:
    with connected(client) as connection:
        for _ in range(3):
            connection.sendall(GET)
            assert status_of(read_until(connection, ALIVE)) == 200
            time.sleep(1.2)
        connection.sendall(GET * 2 + line(b"/livez"))
        assert read_all(connection).count(HEAD) == 3


def test_few_requests_ahead_of_their_answers_are_kept(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(GET * 1000)
        answers = read_all(connection)
    most = protocol.MAX_PIPELINED + 1
    assert answers.count(HEAD) == answers.count(ALIVE) == most


def test_too_many_connections_displace_an_idle_one_and_never_an_answer(
    new_marts: Callable[[], Marts], monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    async def held(_request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun,"
            await asyncio.to_thread(may_end.wait, 30)
            yield b"done"

        return StreamingResponse(body())

    app = api.create_app(new_marts().url)
    app.add_route("/test/held", held)
    with answering(app) as client, ExitStack() as stack:
        assert client.get("/livez").status_code == 200  # an idle connection
        monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 3)
        stack.callback(may_end.set)
        busy = []
        for _ in range(3):
            connection = stack.enter_context(connected(client))
            busy.append(connection)
            connection.sendall(b"GET /test/held HTTP/1.1\r\nHost: a\r\n\r\n")
            assert status_of(read_until(connection, b"begun")) == 200
        with connected(client) as fourth:
            refused = read_all(fourth)
            assert status_of(refused) == 503
            assert code_of(refused) == "too_busy"
            assert b"retry-after: 2" in refused
        may_end.set()
        for connection in busy:
            read_until(connection, b"done")
        assert status_of(ask(client, line(b"/livez"))) == 200


def test_client_that_takes_nothing_of_its_answer_is_let_go(
    new_marts: Callable[[], Marts], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    async def large(_request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            try:
                for _ in range(1000):
                    yield b"x" * 100_000
            finally:
                let_go.set()

        return StreamingResponse(body())

    monkeypatch.setattr(server, "STALLED_SECONDS", 1)
    app = api.create_app(new_marts().url)
    app.add_route("/test/large", large)
    with answering(app) as client, connected(client) as connection:
        connection.sendall(b"GET /test/large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert let_go.wait(30)
        assert 0 < len(read_all(connection)) < 100_000_000
