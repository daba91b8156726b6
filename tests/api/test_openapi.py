"""The document at /openapi.json is valid, complete, and good enough to build on."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from conftest import running
from jsonschema import Draft202012Validator
from marts import Event, Marts, moment
from openapi_spec_validator import validate

Document = dict[str, Any]

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00+00:00")

EVERY_ANSWER_HAS = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "transfer-encoding",
    "vary",
    "referrer-policy",
    "x-content-type-options",
    "access-control-allow-origin",
    "access-control-expose-headers",
}
"""Headers that say nothing of this API: HTTP's own, and what browsers ask for."""


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([Event(str(n), WALLET, NOON, "finished") for n in range(3)])
    with running(marts.url) as client:
        yield client


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> Document:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    found: Document = answer.json()
    return found


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def assert_valid(value: Any, schema: Document, document: Document) -> None:
    """The schema may refer to the document's components."""
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(value)


def test_the_document_is_valid(document: Document) -> None:
    validate(document)


def test_operation_ids_are_names_of_methods_that_say_what_they_do(
    document: Document,
) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert {"list_twaps", "get_twap", "get_tax_year"} <= set(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


def test_every_operation_has_one_tag_and_every_tag_a_description(
    document: Document,
) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    for path, operation in operations(document):
        (tag,) = operation["tags"]
        assert tag in described, path


def test_every_operation_says_what_it_does_and_how_it_fails(document: Document) -> None:
    for path, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        for status, answer in operation["responses"].items():
            assert answer["description"], (path, status)
            if int(status) >= 400:
                assert "application/json" in answer["content"], (path, status)


def test_every_example_of_a_parameter_is_a_value_of_it(document: Document) -> None:
    for path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            examples = parameter["schema"]["examples"]
            assert examples, (path, parameter["name"])
            for example in [*examples, parameter.get("example", examples[0])]:
                assert_valid(example, parameter["schema"], document)


def test_every_answer_has_an_example_that_is_one(document: Document) -> None:
    schemas = document["components"]["schemas"]
    for path, operation in operations(document):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                if kind != "application/json":
                    continue
                name = content["schema"]["$ref"].rsplit("/", 1)[1]
                assert schemas[name]["examples"], (path, status)
                for example in schemas[name]["examples"]:
                    assert_valid(example, schemas[name], document)


def test_an_example_keeps_what_is_null_in_it(document: Document) -> None:
    (page,) = document["components"]["schemas"]["TwapPage"]["examples"]
    assert page["next_cursor"] is None
    assert page["twaps"][0]["status_error"] is None


def test_the_examples_of_a_request_go_together(
    client: httpx.Client, document: Document
) -> None:
    """The page at /docs fills them in, so its first request must be a good one."""
    for path, operation in operations(document):
        examples = {
            each["name"]: (each["in"], each["example"])
            for each in operation.get("parameters", [])
            if "example" in each
        }
        query = {k: v for k, (place, v) in examples.items() if place == "query"}
        url = path.format(**{k: v for k, (_, v) in examples.items()})
        assert client.get(url, params=query).status_code in (200, 404), url


@pytest.mark.parametrize(
    ("url", "path", "headers"),
    [
        (
            f"/api/v1/twaps?wallet={WALLET}&year=2025&limit=1",
            "/api/v1/twaps",
            {"etag", "link", "x-data-version", "cache-control"},
        ),
        ("/api/v1/twaps?wallet=&year=2025", "/api/v1/twaps", set()),
        ("/api/v1/twaps/1", "/api/v1/twaps/{twap_id}", {"etag", "x-data-version"}),
        ("/api/v1/twaps/9", "/api/v1/twaps/{twap_id}", set()),
        (f"/api/v1/wallets/{WALLET}", "/api/v1/wallets/{wallet}", {"etag"}),
        (
            f"/api/v1/wallets/{WALLET}/tax-years/2025",
            "/api/v1/wallets/{wallet}/tax-years/{year}",
            {"etag"},
        ),
        ("/api/v1/coverage", "/api/v1/coverage", {"etag"}),
        (
            f"/api/v1/exports/twaps?wallet={WALLET}&year=2025",
            "/api/v1/exports/twaps",
            {"etag", "x-data-version", "x-row-count", "content-disposition"},
        ),
        ("/metrics", "/metrics", set()),
        ("/healthz", "/healthz", set()),
        ("/livez", "/livez", set()),
    ],
)
def test_every_header_of_an_answer_is_documented(
    client: httpx.Client,
    document: Document,
    url: str,
    path: str,
    headers: set[str],
) -> None:
    answer = client.get(url)
    told = document["paths"][path]["get"]["responses"][str(answer.status_code)]
    documented = {name.lower() for name in told["headers"]}
    special = set(answer.headers) - EVERY_ANSWER_HAS
    assert headers <= special
    assert special <= documented
    if "etag" in special:
        held = client.get(url, headers={"If-None-Match": answer.headers["etag"]})
        told = document["paths"][path]["get"]["responses"][str(held.status_code)]
        documented = {name.lower() for name in told["headers"]}
        assert set(held.headers) - EVERY_ANSWER_HAS == documented


def test_a_refusal_for_now_documents_when_to_try_again(document: Document) -> None:
    for path, operation in operations(document):
        if "503" in operation["responses"]:
            assert "Retry-After" in operation["responses"]["503"]["headers"], path


def test_a_key_is_documented_in_each_of_its_forms_and_may_be_left_out(
    document: Document,
) -> None:
    schemes = document["components"]["securitySchemes"]
    assert document["security"] == [{}, *({name: []} for name in schemes)]
    assert {
        (each["type"], each.get("scheme") or each["name"]) for each in schemes.values()
    } == {("http", "bearer"), ("http", "basic"), ("apiKey", "X-API-Key")}


def test_what_has_no_data_needs_no_key(document: Document) -> None:
    open_paths = {p for p, each in operations(document) if each.get("security") == []}
    assert {"/healthz", "/livez"} <= open_paths
    assert not any(path.startswith("/api/") for path in open_paths)
