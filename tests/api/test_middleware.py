"""What every answer has, whatever its route: ids, headers, forms of the body."""

import gzip
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from conftest import answering
from marts import Event, Marts, moment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

import api
from api.middleware.headers import PAGE_PROTECTION

WALLET = "0xabc0000000000000000000000000000000000001"
PAGE = f"/api/v1/twaps?wallet={WALLET}&year=2025"
SMALL, LARGE = "/livez", PAGE
STATUSES = [
    ("/livez", 200),
    ("/healthz", 200),
    (PAGE, 200),
    ("/openapi.json", 200),
    ("/api/v1/twaps", 422),
    ("/nothing", 404),
    ("/test/crash", 500),
    ("/" + "a" * 5000, 414),
]
NOON = moment("2025-11-03T12:00:00+00:00")
PARQUET = "application/vnd.apache.parquet"

rows_streamed = 0


async def crash(_request: Request) -> Response:
    raise RuntimeError("select secret from marts.twap_status")


async def page(_request: Request) -> Response:
    return HTMLResponse("<p>hello</p>")


async def own_policy(_request: Request) -> Response:
    headers = {"Content-Security-Policy": "default-src 'self'"}
    return HTMLResponse("<p>hello</p>", headers=headers)


async def not_modified(_request: Request) -> Response:
    return Response(status_code=304, headers={"ETag": 'W/"1"'})


async def kept_error(_request: Request) -> Response:
    return Response(status_code=404, headers={"Cache-Control": "max-age=5"})


async def parquet(_request: Request) -> Response:
    return Response(b"PAR1" * 1000, media_type=PARQUET)


async def export(request: Request) -> Response:
    async def rows() -> AsyncIterator[bytes]:
        global rows_streamed
        for number in range(100):
            rows_streamed += 1
            yield f"{number},0xabc\n".encode() * 50

    async def nothing() -> AsyncIterator[bytes]:
        for chunk in ():
            yield chunk

    headers_only = getattr(request.state, "headers_only", False)
    body = nothing() if headers_only else rows()
    return StreamingResponse(
        body, media_type="text/csv", headers={"X-Row-Count": "100"}
    )


ROUTES = {
    "crash": crash,
    "page": page,
    "own-policy": own_policy,
    "not-modified": not_modified,
    "kept-error": kept_error,
    "parquet": parquet,
    "export": export,
}


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([Event(str(n), WALLET, NOON, "finished") for n in range(20)])
    app = api.create_app(marts.url)
    for name, route in ROUTES.items():
        app.add_route(f"/test/{name}", route)
    with answering(app) as client:
        yield client


def vary(response: httpx.Response) -> list[str]:
    return re.split(r", *", response.headers.get("vary", ""))


@pytest.mark.parametrize(("path", "status"), STATUSES)
def test_every_answer_names_its_request_and_protects_its_reader(
    client: httpx.Client, path: str, status: int
) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        response = client.request(method, path)
        if method != "OPTIONS":
            assert response.status_code == status
        assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"


def test_each_request_has_an_id_of_its_own(client: httpx.Client) -> None:
    ids = {client.get("/livez").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("given", ["a", "Trace-1.2_3", "x" * 64])
def test_id_of_the_caller_is_kept(client: httpx.Client, given: str) -> None:
    for path in ("/livez", "/nothing", "/test/crash"):
        response = client.get(path, headers={"X-Request-ID": given})
        assert response.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", 'a"b', "a,b", "é"])
def test_id_that_needs_escaping_is_replaced(client: httpx.Client, given: str) -> None:
    headers = [(b"X-Request-ID", given.encode("latin-1"))]
    response = client.get("/livez", headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_every_line_of_a_request_has_its_id_and_none_the_query(
    client: httpx.Client, logged: Callable[[int], list[dict[str, object]]]
) -> None:
    client.get("/test/crash?wallet=0xsecret", headers={"X-Request-ID": "mine"})
    lines = logged(2)
    assert {line["event"] for line in lines} == {"request", "request failed"}
    assert {line["request_id"] for line in lines} == {"mine"}
    assert "0xsecret" not in str(lines)
    client.get("/livez")
    assert logged(3)[-1]["request_id"] != "mine"


@pytest.mark.parametrize("rest", ["", "/tax-years/2025"])
def test_wallet_in_a_path_is_not_logged(
    client: httpx.Client, logged: Callable[[int], list[dict[str, object]]], rest: str
) -> None:
    client.get(f"/api/v1/wallets/0xsecret{rest}")
    assert logged(1)[-1]["path"] == f"/api/v1/wallets/{{wallet}}{rest}"


def test_path_in_the_log_cannot_begin_a_line(
    client: httpx.Client, logged: Callable[[int], list[dict[str, object]]]
) -> None:
    client.get("/nothing%0aevent=forged")
    assert logged(1)[-1]["path"] == "/nothing%0aevent=forged"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize(
    "path",
    [path for path, _ in STATUSES]
    + ["/docs", *(f"/test/{name}" for name in ROUTES if name != "crash")],
)
def test_head_has_exactly_the_headers_of_get(
    client: httpx.Client, path: str, encoding: str
) -> None:
    asked = {"Accept-Encoding": encoding, "X-Request-ID": "same", "Origin": "https://a"}
    got, head = client.get(path, headers=asked), client.head(path, headers=asked)
    assert head.status_code == got.status_code
    assert head.content == b""
    # How a body is framed; there is none.
    ignored = {"transfer-encoding", "date"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in got.headers.items() if k not in ignored
    }


def test_head_of_an_export_streams_no_row(client: httpx.Client) -> None:
    global rows_streamed
    rows_streamed = 0
    response = client.head("/test/export")
    assert response.headers["x-row-count"] == "100"
    assert rows_streamed == 0
    assert client.get("/test/export").text.count("\n") == 5000
    assert rows_streamed == 100


@pytest.mark.parametrize("path", [PAGE, "/test/export"])
def test_gzip_is_the_same_body_smaller(client: httpx.Client, path: str) -> None:
    identity = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in identity.headers
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["content-encoding"] == "gzip"
        packed = b"".join(response.iter_raw())
    assert gzip.decompress(packed) == identity.content
    assert len(packed) < len(identity.content) / 3


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        ("gzip", True),
        ("GZIP;q=0.5, br", True),
        ("br, x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("gzip;Q=0.0", False),
        ("gzipped", False),
        ("br;q=1.0, identity", False),
        ("", False),
        (",;,=;q", False),
        ("gzip;q=nonsense", True),
    ],
)
def test_gzip_is_for_those_who_accept_it(
    client: httpx.Client, accepted: str, is_packed: bool
) -> None:
    response = client.get(PAGE, headers={"Accept-Encoding": accepted})
    assert response.status_code == 200
    assert ("content-encoding" in response.headers) is is_packed


def test_parquet_is_sent_as_it_is(client: httpx.Client) -> None:
    response = client.get("/test/parquet", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert "Accept-Encoding" not in vary(response)


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
@pytest.mark.parametrize("path", [SMALL, LARGE, "/test/export", "/test/not-modified"])
def test_caches_are_told_once_that_answers_vary(
    client: httpx.Client, path: str, accepted: str
) -> None:
    response = client.get(path, headers={"Accept-Encoding": accepted})
    assert sorted(vary(response)) == ["Accept-Encoding", "Origin"]


def test_page_has_a_strict_policy_unless_it_has_its_own(client: httpx.Client) -> None:
    headers = client.get("/test/page").headers
    for name, value in PAGE_PROTECTION.items():
        assert headers[name] == value
    own = client.get("/test/own-policy").headers
    assert own["content-security-policy"] == "default-src 'self'"
    assert own["x-frame-options"] == "DENY"
    assert "content-security-policy" not in client.get("/livez").headers


@pytest.mark.parametrize(("path", "status"), STATUSES)
def test_failures_and_health_are_never_stored(
    client: httpx.Client, path: str, status: int
) -> None:
    is_stored = client.get(path).headers.get("cache-control") != "no-store"
    assert is_stored is (status < 400 and path not in ("/healthz", "/livez"))


def test_error_that_may_be_stored_says_so_itself(client: httpx.Client) -> None:
    assert client.get("/test/kept-error").headers["cache-control"] == "max-age=5"


def test_page_of_another_origin_may_read_our_headers(client: httpx.Client) -> None:
    headers = client.get("/livez", headers={"Origin": "https://a.example"}).headers
    assert set(headers["access-control-expose-headers"].split(", ")) == {
        "Content-Disposition",
        "ETag",
        "Link",
        "Retry-After",
        "X-Data-Version",
        "X-Request-ID",
        "X-Row-Count",
    }


def test_crash_leaks_nothing(client: httpx.Client) -> None:
    response = client.get("/test/crash")
    text = json.dumps([response.text, dict(response.headers)])
    for secret in ("select", "marts", "RuntimeError", ".py", "uvicorn", "Python"):
        assert secret not in text
