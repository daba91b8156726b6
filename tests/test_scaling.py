"""What docs/scaling.md stands on: all that a wallet asks can lie on one machine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import api
from api.database import read_sql
from warehouse import PROJECT_ROOT

BY_WALLET = {"twap_status", "twap_latest", "twap_withdrawn"}
"""The marts that grow with the history: each is distributed by its wallets."""

ON_EACH_MACHINE = {
    "twap_coverage": "a row an hour",
    "twap_daily": "sums over all wallets: some 70 rows a day",
    "twap_daily_largest": "ten rows a day",
    "twap_digest": "a row a day",
    "twap_status_rejected": "rows that may have no wallet: few",
    "etl_builds": "a row for each build",
}
"""The other tables, and why no wallet need be in their key."""

NEWEST = "(select max(every.ts) from marts.twap_status as every)"
"""The newest event of all: on each machine the first entry of an index."""

OF_ALL_WALLETS = {
    "certificate": "the oldest event, once for each build",
    "coverage": "the certificate of all wallets",
    "etl_figures": "the open TWAPs for /metrics, once for each build",
    "twap_events": "a TWAP by its id alone, by the index on it",
    "twap_overdue": "the same, by the key",
}
"""The queries that ask every machine, and why."""

QUERIES = sorted(
    path.stem for path in (Path(api.__file__).parent / "sql").glob("*.sql")
)


def keys() -> dict[str, list[str]]:
    """The key of each mart that is a table."""
    models = (PROJECT_ROOT / "dbt_project" / "models" / "marts").glob("*.yml")
    return {
        model["name"]: constraint["columns"]
        for path in models
        for model in yaml.safe_load(path.read_text())["models"]
        for constraint in model.get("constraints", [])
        if constraint["type"] == "primary_key"
    }


def levels(sql: str) -> Iterator[str]:
    """Each select with its own words only: those within it are left out.

    Comments and texts are left out too. Of a union, each part is one.
    """
    sql = re.sub(r"--[^\n]*|'[^']*'", "", sql)
    inner = re.compile(r"\(([^()]*)\)")
    while match := inner.search(sql):
        if re.match(r"\s*(with|select)\b", match[1]):
            yield from re.split(r"\bunion all\b", match[1])
            kept = " "
        else:
            kept = f"⟨{match[1]}⟩"
        sql = sql[: match.start()] + kept + sql[match.end() :]
    yield from re.split(r"\bunion all\b", sql)


def reads_of_no_wallet(sql: str) -> list[str]:
    """The reads of a mart of TWAPs that do not say of which wallet."""
    found = []
    for level in levels(sql.replace(NEWEST, "")):
        for mart, alias in re.findall(r"\bmarts\.(\w+)(?: as (\w+))?", level):
            of_wallet = rf"\b{alias}\.wallet = " if alias else r"\bwallet = "
            if mart in BY_WALLET and not re.search(of_wallet, level):
                found.append(f"{mart} as {alias}")
    return found


def test_key_of_each_mart_that_grows_with_the_history_contains_the_wallet() -> None:
    of_wallets = {mart for mart, columns in keys().items() if "wallet" in columns}
    assert of_wallets == BY_WALLET
    assert keys().keys() - of_wallets == ON_EACH_MACHINE.keys()


@pytest.mark.parametrize("query", QUERIES)
def test_query_of_a_request_names_the_wallet_wherever_it_reads_twaps(
    query: str,
) -> None:
    assert bool(reads_of_no_wallet(read_sql(query))) == (query in OF_ALL_WALLETS)


@pytest.mark.parametrize(
    "forgotten",
    [
        "select ts from marts.twap_status as event where event.twap_id = %(id)s",
        "select 1 where exists (select from marts.twap_latest as latest "
        "where latest.twap_id = 1) and event.wallet = %(wallet)s",
        "select ts from marts.twap_status as event where event.wallet = %(wallet)s "
        "union all select ts from marts.twap_status as event",
        "select * from marts.twap_status as a join marts.twap_latest as b "
        "on a.twap_id = b.twap_id where a.wallet = %(wallet)s",
    ],
)
def test_query_that_forgets_the_wallet_is_found(forgotten: str) -> None:
    assert len(reads_of_no_wallet(forgotten)) == 1


def test_every_exception_stands_in_the_plan() -> None:
    plan = (PROJECT_ROOT / "docs" / "scaling.md").read_text()
    for name in (*OF_ALL_WALLETS, *ON_EACH_MACHINE, *BY_WALLET):
        assert f"`{name}`" in plan, name
