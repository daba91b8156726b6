"""The API through PgBouncer in transaction mode: each transaction has any session."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from conftest import running
from marts import Event, Marts, expected, moment
from pgbouncer import knows_prepared_statements, pooling

from api.app import EXPORTS_AT_ONCE
from tests.programs import needs
from tests.warehouse.visitor import walk
from warehouse.roles import READER

pytestmark = needs("pgbouncer")

WALLETS = [f"0xabc{n:037}" for n in range(8)]
NOON = moment("2025-11-03T12:00:00+00:00")
YEAR = (moment("2025-01-01T00:00:00+00:00"), moment("2025-12-31T23:59:59+00:00"))
REMEMBERED = [0, 100] if knows_prepared_statements() else [0]
SESSIONS = 3
"""Fewer than the API has connections, so that they change hands all the time."""


@dataclass
class Pooled:
    marts: Marts
    url: str


@pytest.fixture(scope="module", params=REMEMBERED, ids="remembers {}".format)
def pooled(
    request: pytest.FixtureRequest,
    new_marts: Callable[[], Marts],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pooled]:
    marts = new_marts()
    marts.build(
        Event(f"{wallet[-1]}{n}", wallet, NOON + timedelta(minutes=n), "finished")
        for wallet in WALLETS
        for n in range(12)
    )
    with pooling(
        marts.url,
        tmp_path_factory.mktemp("pooler"),
        sessions=SESSIONS,
        prepared=request.param,
    ) as url:
        yield Pooled(marts, url)


def test_every_answer_is_that_of_the_database_itself(pooled: Pooled) -> None:
    def read(wallet: str) -> None:
        with httpx.Client(base_url=base_url, timeout=30) as client:
            wanted = expected(pooled.marts.events, wallet, *YEAR)
            for limit in (2, 5, 100):
                assert walk(client, wallet=wallet, year=2025, limit=limit) == wanted
                path = f"/api/v1/exports/twaps?wallet={wallet}&year=2025&format=ndjson"
                file = client.get(path).raise_for_status()
                assert len(file.text.splitlines()) == len(wanted)
                for other in (f"wallets/{wallet}", "coverage", f"twaps/{wallet[-1]}7"):
                    client.get(f"/api/v1/{other}").raise_for_status()

    # As many at once as files may be written at once.
    with (
        running(pooled.url) as client,
        ThreadPoolExecutor(EXPORTS_AT_ONCE) as threads,
    ):
        base_url = client.base_url
        list(threads.map(read, WALLETS))


def test_settings_of_the_api_reach_no_other_client_of_the_pooler(
    pooled: Pooled,
) -> None:
    names = ["transaction_read_only", "statement_timeout", "search_path", "role"]

    def settings(url: str) -> list[Any]:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as session:
            return [
                row
                for name in names
                for row in session.execute(f"show {name}").fetchall()
            ]

    untouched = settings(pooled.marts.url)
    with running(pooled.url) as client:
        for wallet in WALLETS:
            client.get(f"/api/v1/wallets/{wallet}").raise_for_status()
            for _ in range(SESSIONS):
                assert settings(pooled.url) == untouched
    assert READER not in str(untouched)
