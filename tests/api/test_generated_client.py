"""A client that a tool makes from the OpenAPI document works against the server."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from conftest import running
from marts import Event, Marts, moment

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00.25+00:00")
KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([Event(str(n), WALLET, NOON, "finished") for n in range(3)])
    with running(marts.url, api_keys=[KEY]) as client:
        yield client


@pytest.fixture(scope="module")
def generated(
    client: httpx.Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModuleType]:
    """The package `twaps`, made by openapi-python-client."""
    folder: Path = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(client.get("/openapi.json").text)
    # Without its hooks, which would format the package.
    (folder / "config.yml").write_text(
        "package_name_override: twaps\nproject_name_override: twaps\npost_hooks: []\n"
    )
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate"),
            *("--path", "openapi.json", "--config", "config.yml", "--meta", "none"),
            *("--output-path", "twaps", "--fail-on-warning"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("twaps")


@pytest.fixture
def us(generated: ModuleType, client: httpx.Client) -> Iterator[Any]:
    """A client of that package, with our key."""
    with generated.AuthenticatedClient(str(client.base_url), token=KEY) as us:
        yield us


def operation(name: str) -> ModuleType:
    return importlib.import_module(f"twaps.api.{name}")


def test_it_reads_a_page_and_the_next(us: Any) -> None:
    list_twaps = operation("twaps.list_twaps")
    page = list_twaps.sync(client=us, wallet=WALLET, year=2025, limit=2)
    assert [twap.twap_id for twap in page.twaps] == ["2", "1"]
    assert page.twaps[0].latest_ts == NOON
    assert page.twaps[0].requested.size == "10.50"
    assert page.coverage.reasons[0].code == "never_listed"
    rest = list_twaps.sync(client=us, wallet=WALLET, year=2025, cursor=page.next_cursor)
    assert [twap.twap_id for twap in rest.twaps] == ["0"]
    assert rest.next_cursor is None


def test_it_reads_a_tax_year(us: Any) -> None:
    year = operation("wallets.get_tax_year").sync(WALLET, 2025, client=us)
    (total,) = year.totals
    assert (total.asset, total.side, total.twaps) == ("BTC", "B", 3)
    assert total.executed.size == "0"


def test_it_follows_what_changes(us: Any) -> None:
    changed = operation("twaps.list_twaps").sync(
        client=us, wallet=WALLET, updated_since="2023-01-01"
    )
    assert [twap.twap_id for twap in changed.twaps] == ["0", "1", "2"]


def test_it_takes_a_file(us: Any) -> None:
    ndjson = importlib.import_module("twaps.models").ExportTwapsFormat.NDJSON
    answer = operation("exports.export_twaps").sync_detailed(
        client=us, wallet=WALLET, year=2025, format_=ndjson
    )
    assert answer.headers["X-Row-Count"] == "3"
    assert len(answer.content.splitlines()) == 3


def test_it_reads_a_refusal(us: Any) -> None:
    unknown = operation("twaps.get_twap").sync("9", client=us)
    assert unknown.error.code == "not_found"


def test_it_asks_without_a_key(generated: ModuleType, client: httpx.Client) -> None:
    with generated.Client(str(client.base_url)) as anybody:
        refused = operation("coverage.get_coverage").sync(client=anybody)
        assert refused.error.code == "unauthorized"
        assert operation("health.livez").sync(client=anybody).status == "alive"


def test_every_operation_is_a_method(
    generated: ModuleType, client: httpx.Client
) -> None:
    document = json.loads(client.get("/openapi.json").text)
    for methods in document["paths"].values():
        for each in methods.values():
            made = operation(f"{each['tags'][0]}.{each['operationId']}")
            assert callable(made.sync_detailed)
