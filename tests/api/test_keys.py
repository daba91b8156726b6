"""Who may ask, where keys are set."""

import base64
from collections.abc import Callable, Iterator

import httpx
import pytest
from conftest import running
from marts import Event, Marts, moment

from api import create_app, parse_keys
from warehouse.errors import UserError

WALLET = "0xabc0000000000000000000000000000000000001"
PAGE = f"/api/v1/twaps?wallet={WALLET}&year=2025"
KEY, OTHER = "first-key:with-colon", "second-key-0123456789"
ORIGIN = {"Origin": "https://tax.example"}


@pytest.fixture(scope="module")
def marts(new_marts: Callable[[], Marts]) -> Marts:
    marts = new_marts()
    noon = moment("2025-11-03T12:00:00+00:00")
    marts.build([Event("1", WALLET, noon, "finished")])
    return marts


@pytest.fixture(scope="module")
def client(marts: Marts) -> Iterator[httpx.Client]:
    with running(marts.url, "*", api_keys=(KEY, OTHER)) as client:
        yield client


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer   {OTHER}"},
        {"X-API-Key": KEY},
        {"x-api-key": OTHER},
        {"Authorization": basic("", KEY)},
        {"Authorization": basic("anybody", OTHER)},
        {"Authorization": basic("anybody", KEY).replace("Basic", "BASIC")},
        {"Authorization": "Bearer wrong-wrong-wrong", "X-API-Key": KEY},
    ],
)
def test_a_key_opens_everything_in_any_of_its_forms(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    assert client.get(PAGE, headers=headers).status_code == 200
    assert client.head(PAGE, headers=headers).status_code == 200
    assert client.get("/nothing", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": KEY},
        {"Authorization": f"Token {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY.upper()}"},
        {"Authorization": f"Bearer {KEY},{OTHER}"},
        {"Authorization": basic(KEY, "")},
        {"Authorization": basic("anybody", KEY + "x")},
        {"Authorization": "Basic " + base64.b64encode(KEY.encode()).decode()},
        {"Authorization": "Basic A"},
        {"Authorization": "Basic !§$"},
        {"X-API-Key": "é" * 20},
        {"X-API-Key": ""},
        {"Cookie": f"key={KEY}"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_without_a_key_is_a_401_that_says_how(
    client: httpx.Client, headers: dict[str, str], method: str
) -> None:
    raw = [(name, value.encode("latin-1")) for name, value in headers.items()]
    response = client.request(method, PAGE, headers=raw)
    assert response.status_code == 401
    assert response.headers.get_list("www-authenticate", split_commas=False) == [
        'Basic realm="Hyperliquid TWAP warehouse", charset="UTF-8"',
        'Bearer realm="Hyperliquid TWAP warehouse"',
    ]
    assert response.headers["cache-control"] == "no-store"
    if method != "HEAD":
        assert response.json()["error"]["code"] == "unauthorized"
        assert response.json()["error"].keys() == {"code", "message", "field"}


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/market", "/nothing", "/api/v1/twaps/1", "/api/v1", "/redoc"),
        *("/docsx", "/healthz/", "//healthz", "/livez%2f", "/metricsx", "/DOCS"),
        *("/openapi.json/", "/api/v1/docs/", "/staticx"),
    ],
)
def test_what_is_not_listed_as_open_is_closed(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [("/healthz", 200), ("/livez", 200), ("/docs", 200), ("/openapi.json", 200)],
)
def test_health_and_documentation_need_no_key(
    client: httpx.Client, path: str, status: int
) -> None:
    assert client.get(path).status_code == status


@pytest.mark.parametrize("path", ["/metrics", "/docs/style.css", "/docs/../livez"])
def test_metrics_and_parts_of_the_documentation_are_let_through(
    client: httpx.Client, path: str
) -> None:
    assert client.get(path).status_code != 401


def test_page_can_ask_beforehand_and_read_the_401(client: httpx.Client) -> None:
    asking = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = client.options(PAGE, headers=ORIGIN | asking)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-headers"] == "authorization"
    refused = client.get(PAGE, headers=ORIGIN)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "*"


def test_key_is_in_no_line_and_no_answer(
    client: httpx.Client, logged: Callable[[int], list[dict[str, object]]]
) -> None:
    for headers in (
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": basic("anybody", KEY)},
        {"X-API-Key": KEY + "x"},
    ):
        response = client.get(PAGE, headers=headers)
        assert KEY not in response.text + str(response.headers)
    lines = str(logged(3))
    assert KEY not in lines
    assert base64.b64encode(f"anybody:{KEY}".encode()).decode() not in lines


def test_routes_are_told_whether_answers_are_private(marts: Marts) -> None:
    assert create_app(marts.url).state.is_private is False
    assert create_app(marts.url, api_keys=(KEY,)).state.is_private is True


def test_list_of_keys_is_read() -> None:
    assert parse_keys(f" {KEY} ,{OTHER}\n") == (KEY, OTHER)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tiny", "number 1 is shorter"),
        (f"{KEY},abc", "number 2 is shorter"),
        (f"{KEY},", "number 2 is shorter"),
        ("   ", "number 1 is shorter"),
        ("a key with blanks in it", "number 1 has a blank"),
        (f"{KEY},0123456789abcdef\x00", "number 2 has a blank"),
        ("0123456789abcdefé", "number 1 has a blank"),
        ("0123456789\nabcdef", "number 1 has a blank"),
    ],
)
def test_bad_key_is_refused_by_its_number_and_never_shown(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        parse_keys(text)
    for key in text.split(","):
        assert not key.strip() or key.strip() not in str(caught.value)
