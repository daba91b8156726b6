"""The page that describes the API: all of it from here, under a strict policy."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import running

LOADED = [
    ("/docs", "text/html; charset=utf-8"),
    ("/docs/docs.js", "text/javascript; charset=utf-8"),
    ("/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8"),
    ("/docs/favicon-32x32.png", "image/png"),
]
PATHS = [path for path, _ in LOADED]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    # The page needs no database.
    with running("postgresql://u:p@127.0.0.1:1/x") as client:
        yield client


@pytest.mark.parametrize(("path", "content_type"), LOADED)
def test_files_have_their_type(
    client: httpx.Client, path: str, content_type: str
) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"] == content_type
    assert len(response.content) > 400


def test_page_loads_only_what_is_served_here(client: httpx.Client) -> None:
    page = client.get("/docs").text
    named = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sorted(f"/{each}" for each in named) == sorted([*PATHS[1:], "/openapi.json"])
    assert all(client.get(f"/{each}").status_code == 200 for each in named)
    assert "//" not in page


def test_page_has_nothing_inline(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == ["", ""]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


def test_style_sheet_loads_nothing(client: httpx.Client) -> None:
    css = client.get("/docs/swagger-ui.css").text
    addresses = re.findall(r"url\(\s*[\"']?([^:)]*:?)", css)
    assert set(addresses) == {"data:"}
    assert "@import" not in css


def test_scripts_ask_nobody_what_they_think_of_the_description(
    client: httpx.Client,
) -> None:
    script = client.get("/docs/docs.js").text
    assert "validatorUrl: null" in script
    assert 'url: "openapi.json"' in script
    assert "http" not in script


@pytest.mark.parametrize("path", PATHS)
def test_policy_allows_nothing_from_elsewhere_and_nothing_inline(
    client: httpx.Client, path: str
) -> None:
    policy = client.get(path).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("path", PATHS)
def test_file_that_is_known_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    other = client.get(path, headers={"If-None-Match": '"other"'})
    assert other.content == first.content


@pytest.mark.parametrize(
    "path",
    [
        *("/docs/", "/docs/docs.html", "/docs/__init__.py", "/docs/oauth2-redirect"),
        *("/docs/..%2fapp.py", "/docs/%2e%2e/app.py", "/docs/a/b", "/redoc"),
    ],
)
def test_nothing_else_is_served(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_what_is_filled_in_is_a_question_that_has_an_answer(
    client: httpx.Client,
) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path in ("/api/v1/twaps", "/api/v1/exports/twaps", "/api/v1/coverage"):
        query = {
            each["name"]: each.get("example", each["schema"].get("default"))
            for each in parameters(paths[path])
            if "example" in each or "default" in each["schema"]
        }
        assert query["year"] == 2025
        # The database is away, which is said only to who asked rightly.
        assert client.get(path, params=query).status_code == 503


def parameters(path: dict[str, dict[str, list[dict[str, object]]]]) -> list[Any]:
    return path["get"].get("parameters", [])
