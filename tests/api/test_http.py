"""HTTP as clients, browsers and load balancers expect it, on every path."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from conftest import running
from marts import Event, Marts, moment

import api.routes.twaps
from api.parameters import WALKING
from warehouse.errors import UserError

WALLET = "0xabc0000000000000000000000000000000000001"
PAGE = f"/api/v1/twaps?wallet={WALLET}&year=2025"
ORIGIN = {"Origin": "https://tax.example"}
NOON = moment("2025-11-03T12:00:00+00:00")


@pytest.fixture(scope="module")
def filled(new_marts: Callable[[], Marts]) -> Marts:
    marts = new_marts()
    marts.build([Event("1", WALLET, NOON, "finished")], at="2026-03-01")
    return marts


@pytest.fixture(scope="module")
def client(filled: Marts) -> Iterator[httpx.Client]:
    with running(filled.url, "https://tax.example, https://other.example") as client:
        yield client


FAILURES = [
    ("GET", "/api/v1/nothing", 404),
    ("GET", "/api/v1/twaps/", 404),
    ("GET", "/api/v1/twaps/unknown", 404),
    ("GET", "/api/v1/twaps", 422),
    ("POST", "/api/v1/twaps", 405),
    ("OPTIONS", "/healthz", 405),
    ("GET", f"/api/v1/twaps?wallet={'a' * 4100}&year=2025", 414),
]


@pytest.mark.parametrize(("method", "path", "status"), FAILURES)
def test_every_failure_has_the_one_shape_and_can_be_read_by_a_page(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path, headers=ORIGIN)
    assert response.status_code == status
    body = response.json()
    assert body.keys() == {"error", "detail"}
    assert body["error"].keys() == {"code", "message", "field"}
    assert isinstance(body["detail"], list if status == 422 else str)
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]


def test_crash_is_a_500_that_says_nothing(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(api.routes.twaps, "read_query", crash)
    response = client.get(PAGE, headers=ORIGIN)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "secret" not in response.text
    assert response.headers["access-control-allow-origin"] == ORIGIN["Origin"]


@pytest.mark.parametrize(
    "path", [PAGE, "/api/v1/twaps/1", "/api/v1/twaps", "/healthz", "/livez", "/docs"]
)
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    for name in ("content-length", "content-type"):
        assert head.headers[name] == got.headers[name]


def test_server_does_not_say_what_it_is(client: httpx.Client) -> None:
    assert "server" not in client.get("/livez").headers


def test_port_that_is_taken_is_said_in_one_line(client: httpx.Client) -> None:
    port = client.base_url.port
    assert port
    with pytest.raises(UserError, match=f"port {port}: Address already in use"):
        api.listen("127.0.0.1", port)


def test_wrong_method_says_which_are_right(client: httpx.Client) -> None:
    assert client.delete("/livez").headers["allow"] == "GET, HEAD"


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    return client.options(PAGE, headers=headers)


def test_preflight_of_a_named_origin_passes(client: httpx.Client) -> None:
    response = preflight(client, "https://other.example")
    assert response.status_code == 200
    allowed = response.headers["access-control-allow-origin"]
    assert allowed == "https://other.example"
    assert "access-control-allow-credentials" not in response.headers


def test_preflight_of_another_origin_is_refused_in_our_shape(
    client: httpx.Client,
) -> None:
    response = preflight(client, "https://evil.example")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "cors_refused"
    assert "access-control-allow-origin" not in response.headers


def test_star_allows_every_origin(filled: Marts) -> None:
    with running(filled.url, "*") as client:
        response = client.get("/livez", headers={"Origin": "https://any.example"})
    assert response.headers["access-control-allow-origin"] == "*"


def test_health_names_the_newest_object(client: httpx.Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "database": "connected",
        "last_ingested_object": "raw/1.parquet",
        "last_ingested_at": "2026-03-01T00:00:00Z",
    }


def test_openapi_describes_every_parameter_with_an_example(
    client: httpx.Client,
) -> None:
    document = client.get("/openapi.json").json()
    described = document["paths"]["/api/v1/twaps"]["get"]["parameters"]
    assert [each["name"] for each in described] == list(WALKING)
    assert all(each["description"] and each["schema"]["examples"] for each in described)
    by_id, _ = document["paths"]["/api/v1/twaps/{twap_id}"]["get"]["parameters"]
    assert (by_id["name"], by_id["in"], by_id["required"]) == ("twap_id", "path", True)


@pytest.mark.parametrize(
    ("path", "template"),
    [
        (f"{PAGE}&latest_per_twap=false", "/api/v1/twaps"),
        (f"{PAGE}&limit=0", "/api/v1/twaps"),
        ("/api/v1/twaps/1", "/api/v1/twaps/{twap_id}"),
        ("/api/v1/twaps/2", "/api/v1/twaps/{twap_id}"),
        ("/healthz", "/healthz"),
        ("/livez", "/livez"),
    ],
)
def test_answers_have_the_shape_that_openapi_says(
    client: httpx.Client, path: str, template: str
) -> None:
    document = client.get("/openapi.json").json()
    response = client.get(path)
    described = document["paths"][template]["get"]["responses"]
    content = described[str(response.status_code)]["content"]["application/json"]
    assert_shape(response.json(), content["schema"], document)


def assert_shape(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    """No key too many, none missing; `events` alone may be left out."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = document["components"]["schemas"][name]
    if "properties" in schema:
        assert (
            set(schema.get("required", [])) <= set(value) <= set(schema["properties"])
        )
        for key, item in value.items():
            assert_shape(item, schema["properties"][key], document)
    elif schema.get("type") == "array":
        for item in value:
            assert_shape(item, schema["items"], document)
