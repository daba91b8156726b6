"""What the catalog tells of the marts: in dbt's documentation, and in Postgres."""

import re
import signal
import socket
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

import api
from api.database import read_sql
from tests.api.marts import DDL
from tests.conftest import COMMENTS
from tests.marts.warehouse import Warehouse
from tests.warehouse.command import (
    environment,
    free_port,
    run,
    running,
    wait_for_port,
)
from warehouse import PROJECT_ROOT
from warehouse.__main__ import main

MODELS = PROJECT_ROOT / "dbt_project" / "models"
MARTS = {
    path.stem: yaml.safe_load(path.read_text())["models"][0]
    for path in sorted((MODELS / "marts").glob("*.yml"))
}
EXPOSURES = yaml.safe_load((MODELS / "exposures.yml").read_text())["exposures"]
STATEMENTS = sorted(path.stem for path in Path(api.__file__).parent.glob("sql/*.sql"))


@pytest.fixture(scope="module")
def documentation(sample_marts: Warehouse) -> Iterator[httpx.Client]:
    """A browser on what `make docs` serves, which then ends at Ctrl+C."""
    port = free_port()
    env = environment(DATABASE_URL=sample_marts.url)
    with (
        running("docs", "--port", str(port), env=env) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser,
    ):
        wait_for_port(port, process)
        yield browser
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0


def parts(mart: str) -> dict[str, str]:
    """The parts of a description that have a name, in their order."""
    named = re.findall(r"^([A-Z][a-z]+): (.+)$", MARTS[mart]["description"], re.M)
    return dict(named)


def key(mart: str) -> list[str]:
    """The columns of a key, as the description names them."""
    first, *_ = re.split(r"[.,] ?(?![^(]*\))", parts(mart)["Key"])
    return first.strip("()").split(", ")


@pytest.mark.parametrize("mart", MARTS)
def test_description_tells_the_grain_the_key_the_changes_and_what_to_beware_of(
    mart: str,
) -> None:
    assert MARTS[mart]["description"].startswith("One row per ")
    assert list(parts(mart)) == ["Key", "Changes", "Beware"]
    keys = [
        constraint["columns"]
        for constraint in MARTS[mart].get("constraints", [])
        if constraint["type"] == "primary_key"
    ]
    assert keys in ([], [key(mart)])


@pytest.mark.parametrize("mart", MARTS)
def test_key_in_the_description_names_each_row(
    sample_marts: Warehouse, mart: str
) -> None:
    columns = ", ".join(key(mart))
    (counted,) = sample_marts.query(
        f"select count(*) as rows, count(distinct ({columns})) as keys"
        f" from marts.{mart}"
    )
    assert counted["rows"] == counted["keys"]


def test_comments_in_postgres_are_the_descriptions_after_any_build(
    sample_marts: Warehouse, documentation: httpx.Client
) -> None:
    nodes = documentation.get("/manifest.json").raise_for_status().json()["nodes"]
    described = {
        node["name"]: {
            "mart": node["name"],
            "description": node["description"],
            "columns": {
                name: column["description"] for name, column in node["columns"].items()
            },
        }
        for node in nodes.values()
        if node["schema"] == "marts" and node["resource_type"] == "model"
    }
    assert described.keys() == MARTS.keys()
    after_full_build = sample_marts.query("select * from public.after_the_full_build")
    for comments in (after_full_build, sample_marts.query(COMMENTS)):
        assert {row["mart"]: row for row in comments} == described
    assert all(
        column for mart in described.values() for column in mart["columns"].values()
    )


TYPES = """
    select relname, attname, format_type(atttypid, atttypmod)
    from pg_attribute
    inner join pg_class on attrelid = pg_class.oid
    where
        relnamespace = 'marts'::regnamespace and relkind in ('r', 'v')
        and attnum > 0 and not attisdropped
"""


def test_stand_in_of_the_api_s_tests_has_columns_of_the_marts_alone(
    sample_marts: Warehouse, database_url: str
) -> None:
    with (
        psycopg.connect(sample_marts.url) as real,
        psycopg.connect(database_url) as stand_in,
    ):
        stand_in.execute(DDL)
        assert {*stand_in.execute(TYPES)} <= {*real.execute(TYPES)}


def test_documentation_is_served_with_every_mart_and_exposure_in_its_lineage(
    documentation: httpx.Client,
) -> None:
    assert "<title>dbt Docs</title>" in documentation.get("/").raise_for_status().text
    manifest = documentation.get("/manifest.json").raise_for_status().json()
    catalog = documentation.get("/catalog.json").raise_for_status().json()
    for mart in MARTS:
        node = f"model.twap_warehouse.{mart}"
        assert catalog["nodes"][node]["columns"], mart
        assert manifest["parent_map"][node], mart
    readers = {
        exposure["name"]: exposure["depends_on"]["nodes"]
        for exposure in manifest["exposures"].values()
    }
    assert readers.keys() == {exposure["name"] for exposure in EXPOSURES}
    assert all(readers.values())


def test_documentation_on_a_port_that_is_taken_is_one_line(
    sample_marts: Warehouse,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run(
            "docs", "--port", port, env=environment(DATABASE_URL=sample_marts.url)
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: Port {port} cannot be used")
    assert "Traceback" not in ended.stderr


def test_documentation_on_what_is_no_port_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["docs", "--port", "99999"])
    assert "99999 is no port" in capsys.readouterr().err


def marts_read(statement: str) -> set[str]:
    return set(re.findall(r"\bmarts\.(\w+)", read_sql(statement)))


@pytest.mark.parametrize("exposure", EXPOSURES, ids=lambda exposure: exposure["name"])
def test_exposure_depends_on_the_marts_that_its_statements_read(
    exposure: dict[str, Any],
) -> None:
    patterns = exposure["config"]["meta"]["statements"]
    statements = [
        name for name in STATEMENTS if any(fnmatch(name, each) for each in patterns)
    ]
    named = re.findall(r"ref\('(\w+)'\)", str(exposure["depends_on"]))
    assert statements
    assert set(named) == set().union(*map(marts_read, statements))
    assert len(named) == len(set(named))
    assert set(named) <= MARTS.keys()
    assert exposure["owner"] == {"name": "Hyperliquid TWAP warehouse"}


def test_every_statement_that_reads_a_mart_is_in_an_exposure() -> None:
    patterns = [
        each
        for exposure in EXPOSURES
        for each in exposure["config"]["meta"]["statements"]
    ]
    forgotten = [
        name
        for name in STATEMENTS
        if marts_read(name) and not any(fnmatch(name, each) for each in patterns)
    ]
    assert forgotten == []
