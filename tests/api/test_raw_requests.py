"""Requests as no client library sends them: bytes on a socket, to every endpoint."""

import json
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from conftest import running
from marts import Event, Marts, moment

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00+00:00")

# Each is good as it stands; a path with a query takes another parameter after it.
URLS = {
    "/api/v1/twaps": f"/api/v1/twaps?wallet={WALLET}&year=2025",
    "/api/v1/twaps/{twap_id}": "/api/v1/twaps/1?include=provenance",
    "/api/v1/wallets/{wallet}": f"/api/v1/wallets/{WALLET}",
    "/api/v1/wallets/{wallet}/tax-years/{year}": (
        f"/api/v1/wallets/{WALLET}/tax-years/2025"
    ),
    "/api/v1/coverage": "/api/v1/coverage?year=2025",
    "/api/v1/exports/twaps": f"/api/v1/exports/twaps?wallet={WALLET}&year=2025",
    "/metrics": "/metrics",
    "/healthz": "/healthz",
    "/livez": "/livez",
}
WITH_DATA = {path: url for path, url in URLS.items() if path.startswith("/api/")}

QUERIES = {
    "unknown": b"x=1",
    "nameless": b"=1",
    "array": b"wallet[]=a",
    "prototype": b"__proto__[a]=1",
    "nul": b"limit=%00",
    "nul in a name": b"limit%00=1",
    "line break": b"status=%0d%0aSet-Cookie:%20a=b",
    "escape": b"asset=%1b%5b2J",
    "no percent code": b"asset=%zz",
    "half a percent code": b"asset=a%2",
    "percent at the end": b"asset=%",
    "no UTF-8": b"asset=%ff%fe",
    "overlong UTF-8": b"asset=%c0%80",
    "surrogate": b"asset=%ed%a0%80",
    "repeated": b"limit=5&limit=5",
    "empty": b"limit=",
    "huge number": b"limit=" + b"9" * 400,
    "negative number": b"offset=-1",
    "exponent": b"limit=1e3",
    "hexadecimal": b"limit=0x10",
    "digits of another script": b"limit=%D9%A5",
    "infinite time": b"updated_since=infinity",
    "Postgres's words": b"updated_since=now",
    "long text": b"asset=" + b"a" * 257,
    "brackets in a cursor": b"cursor=" + b"W1tb" * 700,
    "no cursor": b"cursor=%00%00",
}

PATHS = {
    "blank": b"%20",
    "nul": b"%00",
    "control character": b"a%1b",
    "no UTF-8": b"%ff",
    "overlong UTF-8": b"%c0%80",
    "surrogate": b"%ed%a0%80",
    "no percent code": b"%zz",
    "long text": b"a" * 257,
}

YEARS = [b"0", b"-1", b"20255", b"2e3", b"0x7e9", b"2022", b"2101", b"9" * 400]
YEARS += [b"%D9%A2%D9%A0%D9%A2%D9%A5", b"2025%20", b"2025%0a", b"NaN"]

NO_HTTP = {
    "non-ASCII in the URL": b"GET %s\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the URL": b"GET %s\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "line break in the URL": b"GET %s\n HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a header": b"GET %s HTTP/1.1\r\nHost: a\r\nX-A: \x00\r\n\r\n",
    "folded header": b"GET %s HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    "bare line feeds": b"GET %s HTTP/1.1\nHost: a\n\n",
    "bare carriage return": b"GET %s HTTP/1.1\r\nHost: a\rX-A: b\r\n\r\n",
    "method in lower case": b"get %s HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown version": b"GET %s HTTP/9.9\r\nHost: a\r\n\r\n",
    "two lengths": b"GET %s HTTP/1.1\r\nHost: a\r\n"
    b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
    "negative length": b"GET %s HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "huge length": b"GET %s HTTP/1.1\r\nHost: a\r\nContent-Length: "
    + b"9" * 40
    + b"\r\n\r\n",
    "length and chunks": b"GET %s HTTP/1.1\r\nHost: a\r\n"
    b"Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown encoding": b"GET %s HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding: xchunked\r\n\r\n",
    "blank before the colon": b"GET %s HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding : chunked\r\n\r\n",
    "chunk that is no number": b"POST %s HTTP/1.1\r\nHost: a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}
"""What no server may understand: where two would read it differently, a request could
hide in another one."""

ODD_HEADERS = {
    "ETag of bytes": b'If-None-Match: \xff"',
    "many ETags": b"If-None-Match: " + b'W/"a",' * 900,
    "origin of bytes": b"Origin: \xff",
    "range": b"Range: bytes=5-1",
    "other host": b"Host: a@b:c/d",
    "forwarded": b"X-Forwarded-For: \xff, ::1, 999.9.9.9",
    "method override": b"X-HTTP-Method-Override: DELETE",
    "websocket": b"Upgrade: websocket",
    "kind": b"Accept: \xff/\xfe;q=-1",
    "encoding": b"Accept-Encoding: \xff;q=x",
    "key of bytes": b"Authorization: Basic \xff\xfe",
    "request id": b"X-Request-ID: \xff" + b"a" * 300,
    "cookie": b"Cookie: " + b"a=b; " * 500,
}

Send = Callable[[bytes], tuple[int, str, bytes]]


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([Event("1", WALLET, NOON, "finished")])
    with running(marts.url) as client:
        yield client


@pytest.fixture
def send(client: httpx.Client) -> Send:
    """Send bytes; return status, media type and body of the only answer to them."""
    port = client.base_url.port
    assert port

    def send(request: bytes) -> tuple[int, str, bytes]:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.count(b"HTTP/1.1 ") == 1
        head, _, body = received.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        kinds = [
            line.partition(b":")[2].strip().decode()
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-type:")
        ]
        return status, kinds[0] if kinds else "", body

    return send


def get(url: bytes, header: bytes = b"X-A: b") -> bytes:
    lines = [b"GET " + url + b" HTTP/1.1", b"Host: a", header, b"Connection: close"]
    return b"\r\n".join([*lines, b"", b""])


def assert_refused(answer: tuple[int, str, bytes]) -> None:
    status, kind, body = answer
    assert 400 <= status < 500, answer
    assert kind == "application/json"
    error = json.loads(body)
    assert error.keys() == {"error", "detail"}
    assert error["error"].keys() == {"code", "message", "field"}


def test_the_urls_are_of_every_endpoint_and_good(client: httpx.Client) -> None:
    assert set(URLS) == set(client.get("/openapi.json").json()["paths"])
    for url in URLS.values():
        assert client.get(url).status_code == 200, url


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("path", WITH_DATA)
def test_a_hostile_query_is_refused(send: Send, path: str, query: bytes) -> None:
    url = URLS[path].encode()
    assert_refused(send(get(url + (b"&" if b"?" in url else b"?") + query)))


@pytest.mark.parametrize("text", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize(
    "path", ["/api/v1/twaps/%s", "/api/v1/wallets/%s", "/api/v1/wallets/%s/tax-years/1"]
)
def test_a_hostile_path_is_refused(send: Send, path: str, text: bytes) -> None:
    assert_refused(send(get(path.encode() % text)))


@pytest.mark.parametrize("year", YEARS)
def test_an_odd_year_is_refused(send: Send, year: bytes) -> None:
    assert_refused(send(get(b"/api/v1/wallets/a/tax-years/" + year)))
    assert_refused(send(get(b"/api/v1/twaps?wallet=a&year=" + year)))
    assert_refused(send(get(b"/api/v1/coverage?year=" + year)))


@pytest.mark.parametrize("path", URLS)
def test_a_long_url_is_refused(send: Send, path: str) -> None:
    url = URLS[path].encode()
    answer = send(get(url + (b"&" if b"?" in url else b"?") + b"a" * 4096))
    assert answer[0] == 414
    assert_refused(answer)


@pytest.mark.parametrize("request_text", NO_HTTP.values(), ids=NO_HTTP)
@pytest.mark.parametrize("path", URLS)
def test_what_is_no_http_is_refused(send: Send, path: str, request_text: bytes) -> None:
    # An honest request that stands behind it is not answered either.
    follower = get(b"/livez")
    assert_refused(send(request_text % URLS[path].encode() + follower))


@pytest.mark.parametrize("header", ODD_HEADERS.values(), ids=ODD_HEADERS)
@pytest.mark.parametrize("path", URLS)
def test_an_odd_header_changes_nothing(send: Send, path: str, header: bytes) -> None:
    url = URLS[path].encode()
    odd, plain = send(get(url, header)), send(get(url))
    assert odd[:2] == plain[:2]
    # The metrics count these very requests.
    assert odd[2] == plain[2] or path == "/metrics"


def test_other_protocols_are_refused(send: Send) -> None:
    assert_refused(send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
    assert_refused(send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))


def test_the_server_still_answers(client: httpx.Client) -> None:
    assert client.get("/livez").status_code == 200
