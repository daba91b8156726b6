"""What docs/api.md shows is what a client gets: each example runs and is compared."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

import api
from api.answers import Reason
from api.csv_file import COLUMNS
from api.errors import ROUTER_CODES
from sandbox import postgres
from sandbox.parquet import write
from sandbox.s3 import S3Server
from sandbox.twaps import Event
from tests.api.marts import Event as Told
from tests.api.marts import Marts, moment
from tests.conftest import new_database
from tests.programs import needs
from tests.warehouse.command import environment, run, serving
from warehouse import PROJECT_ROOT

TEXT = (PROJECT_ROOT / "docs" / "api.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
KEY = "0123456789abcdef0123456789abcdef"
WALLET = "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921"

INTERPRETERS = {
    "bash": ["bash", "-c"],
    "python": [sys.executable, "-c"],
    "javascript": ["node", "--input-type=module", "--eval"],
}

NEEDED = {"bash": ["bash", "curl"], "python": [], "javascript": ["node"]}
"""What `make` does not set up by itself."""

VARYING = "listed_at", "updated_at", "next_updated_since", "next_cursor", "cursor"
"""What differs from load to load: it is compared by its kind alone."""


@dataclass(frozen=True)
class Example:
    """A piece of code in the document, and what stands below it as its output."""

    language: str
    code: str
    kind: str
    output: str

    def __str__(self) -> str:
        return f"{self.language}: {self.code.splitlines()[0][:60]}"

    def run(self, address: str, folder: Path) -> str:
        """Run it against the server, in a folder of its own; return what it prints."""
        finished = subprocess.run(
            [*INTERPRETERS[self.language], self.code.replace(ADDRESS, address)],
            cwd=folder,
            env=dict(os.environ) | {"API_KEY": KEY},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    def comparable(self, text: str) -> Any:
        """A text as it is compared: without what differs from load to load."""
        return without_varying(json.loads(text)) if self.kind == "json" else text


def without_varying(value: Any) -> Any:
    if isinstance(value, list):
        return [without_varying(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: type(each).__name__ if name in VARYING else without_varying(each)
        for name, each in value.items()
    }


BLOCKS = re.findall(
    r"```(\w+)\n(.*?)```\n(?:\n```(json|text)\n(.*?)```)?", TEXT, re.DOTALL
)
EXAMPLES = [Example(*block) for block in BLOCKS if block[0] in INTERPRETERS]
MIRROR = next(each for each in EXAMPLES if "mirror" in each.code)


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3Server]:
    """Half a year with an event in each hour, and a wallet with four TWAPs."""
    with S3Server() as s3:
        hour, end = moment("2025-08-17T00:00:00Z"), moment("2026-02-01T00:00:00Z")
        others = []
        while hour <= end:
            others.append(event(len(others), "0x1", hour, hour, status="finished"))
            hour += timedelta(hours=1)
        s3.put("raw/twap_statuses/others.parquet", write(others))
        s3.put("raw/twap_statuses/wallet.parquet", write(list(of_the_wallet())))
        yield s3


LIVES = """
1271370 HYPE B 100.5  30 2025-11-03T12:00:00Z 2025-11-03T12:30:00.25Z 100.5  4025.1255 finished
1284411 BTC  A  2.00  60 2025-12-09T09:00:00Z 2025-12-09T09:41:10Z     1.25 116093.750 error
1297802 ETH  B  40.0 240 2025-12-31T22:00:00Z 2026-01-01T02:00:00Z     40.0  118800.40 finished
1310077 HYPE A  60.0  45 2026-01-20T08:00:00Z 2026-01-20T08:15:00Z    21.75  870.21750 terminated
"""  # noqa: E501  # a table


def of_the_wallet() -> Iterator[Event]:
    for line in LIVES.strip().splitlines():
        twap_id, coin, side, size, minutes, placed, ended, *end = line.split()
        told = {"coin": coin, "side": side, "size": size, "minutes": int(minutes)}
        at = moment(placed)
        yield event(int(twap_id), WALLET, at, at, **told)
        executed = {"executed_size": end[0], "executed_notional": end[1]}
        error = "Insufficient margin" if end[2] == "error" else None
        state = {**executed, "status": end[2], "status_error": error}
        yield event(int(twap_id), WALLET, at, moment(ended), **told, **state)


def event(
    twap_id: int, user: str, placed: datetime, at: datetime, **told: Any
) -> Event:
    """An event as the source publishes it; without more, that a TWAP began."""
    began = {
        **{"coin": "BTC", "side": "B", "size": "1.0", "minutes": 30},
        **{"executed_size": "0.0", "executed_notional": "0.0"},
        **{"reduce_only": False, "randomize": True},
        **{"status": "activated", "status_error": None},
    }
    placed_us, at_us = (
        (each - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        for each in (placed, at)
    )
    return Event(
        twap_id=twap_id,
        user=user,
        placed_ms=placed_us // 1000,
        time_ns=at_us * 1000,
        **{**began, **told},
    )


@pytest.fixture(scope="module")
def servers(
    server: postgres.Server, bucket: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The addresses of an API that is open, and of one that asks for KEY."""
    env = environment(
        DATABASE_URL=new_database(server),
        DLT_DATA_DIR=str(tmp_path_factory.mktemp("dlt")),
        **bucket.environment,
    )
    loaded = run("elt", env=env)
    assert loaded.returncode == 0, loaded.stderr
    with serving(env) as is_open, serving(env | {"API_KEYS": KEY}) as is_closed:
        yield address_of(is_open), address_of(is_closed)


def address_of(client: httpx.Client) -> str:
    return str(client.base_url).rstrip("/")


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(each, marks=needs(*NEEDED[each.language]), id=str(each))
        for each in EXAMPLES
        if each != MIRROR
    ],
)
def test_an_example_prints_what_stands_below_it(
    servers: tuple[str, str], example: Example, tmp_path: Path
) -> None:
    is_open, is_closed = servers
    address = is_closed if "API_KEY" in example.code else is_open
    printed = example.run(address, tmp_path)
    assert example.comparable(printed) == example.comparable(example.output)


# The API reads as this role, where another test has made it.
GRANT = """
do $$ begin
    if exists (select from pg_roles where rolname = 'twap_reader') then
        grant usage on schema marts to twap_reader;
        grant select on all tables in schema marts to twap_reader;
    end if;
end $$
"""


def test_the_mirror_follows_what_changes(database_url: str, tmp_path: Path) -> None:
    first, later = outputs_of(MIRROR)
    placed, ended = moment("2026-01-20T08:00:00Z"), moment("2026-01-20T08:15:00Z")
    began = [Told(n, WALLET, placed, "activated") for n in ("1310077", "1310078")]
    end = Told("1310077", WALLET, ended, "terminated", size_executed=Decimal("21.75"))
    marts = Marts(database_url)
    marts.create()
    marts.build(began, at="2026-01-21")
    marts.connection.execute(GRANT)
    try:
        with serving(environment(DATABASE_URL=database_url)) as client:
            assert MIRROR.run(address_of(client), tmp_path) == first
            marts.build([began[0], end], at="2026-01-22")
            assert MIRROR.run(address_of(client), tmp_path) == later
            assert MIRROR.run(address_of(client), tmp_path) == "1 TWAPs\n"
    finally:
        marts.connection.close()


def outputs_of(example: Example) -> list[str]:
    """All that stands below an example as its output, up to the next heading."""
    section = TEXT[TEXT.index(example.code) + len(example.code) :].split("\n## ")[0]
    return re.findall(r"```text\n(.*?)```", section, re.DOTALL)


def test_the_saved_tax_year_is_the_whole_file(
    servers: tuple[str, str], tmp_path: Path
) -> None:
    (saving,) = [each for each in EXAMPLES if "HARMLESS" in each.code]
    saving.run(servers[0], tmp_path)
    saved = (tmp_path / "2025.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in saved[1:]] == [
        '"1297802"',
        '"1284411"',
        '"1271370"',
    ]


def test_every_language_has_its_examples() -> None:
    assert {each.language for each in EXAMPLES} == set(INTERPRETERS)
    assert all(each.output for each in EXAMPLES), "an example without its output"


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call in the API's source, with the name of what is called."""
    for path in (PROJECT_ROOT / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                function = node.func
                yield getattr(function, "id", getattr(function, "attr", "")), node


def constant(call: ast.Call, position: int) -> Any:
    """An argument that is written out, else None."""
    value = call.args[position] if len(call.args) > position else None
    return value.value if isinstance(value, ast.Constant) else None


def test_the_table_has_every_error_code_of_the_source() -> None:
    found = {(str(status), code) for status, code in ROUTER_CODES.items()}
    found.add(("4xx", "http_error"))
    for name, call in calls():
        if name == "ApiError":
            found.add((str(constant(call, 0)), constant(call, 1)))
        elif name in ("bad_parameter", "unavailable"):
            status = "422" if name == "bad_parameter" else "503"
            found.add((status, constant(call, 0)))
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \|", TEXT, re.MULTILINE)
    assert rows == sorted(rows, key=lambda row: row[0])
    assert sorted(rows) == sorted(row for row in found if row[1])


def test_the_table_has_every_reason_of_the_certificate() -> None:
    of_the_source = {
        constant(call, 0)
        for name, call in calls()
        if name in ("Reason", "_missing_time")
    } - {None}
    section = TEXT.split("| Reason |")[1].split("\n\n")[0]
    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert set(told) == of_the_source
    assert set(told) == set(get_args(Reason.model_fields["code"].annotation))


def test_the_table_has_every_column_of_a_file() -> None:
    section = TEXT.split("| Column | Means |")[1].split("\n\n")[0]
    told = [row.split(" | ")[0] for row in section.splitlines()]
    assert sorted(re.findall(r"`(\w+)`", "".join(told))) == sorted(COLUMNS)


def test_every_endpoint_has_a_heading_and_a_row_in_the_readme() -> None:
    readme = (PROJECT_ROOT / "README.md").read_text()
    headings = " ".join(re.findall(r"^### GET (.*)$", TEXT, re.MULTILINE))
    app = api.create_app("postgresql://nobody@127.0.0.1:1/nothing")
    for path in app.openapi()["paths"]:
        assert re.search(rf"{re.escape(path)}(,|$| )", headings), path
        assert f"`GET {path}" in readme, path
