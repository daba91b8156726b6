"""The API only reads, in little time, and outlives its database."""

import asyncio
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from conftest import running
from marts import Event, Marts, moment
from pooler import pooling

import api.database
from api.database import SETTINGS, Database, Statement, read_statement
from sandbox import postgres
from tests.waiting import wait_until
from warehouse.database import connect
from warehouse.roles import READER

WALLET = "0xabc0000000000000000000000000000000000001"
PAGE = f"/api/v1/twaps?wallet={WALLET}&year=2025"
NOON = moment("2025-11-03T12:00:00+00:00")

MANY_ROWS = """
insert into marts.twap_status
select
    (n / 2)::text, 'w' || n % 50, now() - n * interval '1 min', now(), null,
    'BTC', 'B', n::text, null, 1, 1, 1, 1, 1, true, false, false, 'k', 'e', n, 1, '{}',
    now()
from generate_series(1, 20000) as n;

insert into marts.twap_latest
select
    n::text, 'w' || n % 50, now(), now(), now(), now(), 'BTC', 'B', 'finished', null,
    1, 1, 1, 1, 1, 1, true, false, false, 'k', 'e', n, 1, now(), now()
from generate_series(1, 10000) as n;

insert into marts.twap_daily
select '2020-01-01'::date + n, 'BTC', 'B', 'finished', 1, 1, 1, 1
from generate_series(1, 2000) as n;

insert into marts.twap_daily_largest
select
    '2020-01-01'::date + n, 1, n::text, 'w', 'BTC', 'B', 'finished', 1, 1, 1, now(),
    now()
from generate_series(1, 2000) as n;

insert into marts.twap_withdrawn
select n::text, 'w' || n % 50, now() from generate_series(1, 10000) as n;

insert into marts.etl_builds
select n::text, '1', now(), '{}', '1', now(), now() + n * interval '1 min'
from generate_series(1, 2000) as n;

analyze;
"""


QUERIES = sorted(
    path.stem for path in Path(api.database.__file__).parent.glob("sql/*.sql")
)

OF_A_WALLET = {"idx_twap_status_wallet_ts"}
CHANGES = {
    "idx_twap_latest_wallet_updated_at",
    "idx_twap_withdrawn_wallet_updated_at",
    "twap_status_pkey",
}
NOW_AND_OPEN = {"idx_twap_status_ts", "idx_twap_status_lasting"}
INDEXES = {
    "coverage": NOW_AND_OPEN,
    "etl_figures": {"idx_twap_latest_open", "twap_coverage_pkey"},
    "export_count": OF_A_WALLET,
    "export_csv": OF_A_WALLET,
    "export_digits": OF_A_WALLET,
    "export_ndjson": OF_A_WALLET,
    "market": {"twap_daily_pkey", "twap_daily_largest_pkey"},
    "tax_year": OF_A_WALLET | NOW_AND_OPEN,
    "twap_events": {"idx_twap_status_twap_id"},
    "twap_overdue": {"twap_latest_pkey"},
    "twap_page": OF_A_WALLET | NOW_AND_OPEN | CHANGES,
    "twaps_sorted": OF_A_WALLET | NOW_AND_OPEN,
    "twap_updates": NOW_AND_OPEN | CHANGES,
    "wallet_window": OF_A_WALLET | {"idx_twap_status_lasting"},
    "wallet": OF_A_WALLET | {"idx_twap_status_ts", "idx_twap_latest_wallet_updated_at"},
}
"""Of the marts of TWAPs, what each query reads them by."""


def error_code(response: httpx.Response, status: int = 503) -> str:
    assert response.status_code == status, response.text
    code = response.json()["error"]["code"]
    assert isinstance(code, str)
    return code


def test_empty_database_is_not_built(new_database: Callable[[], str]) -> None:
    with running(new_database()) as client:
        response = client.get(PAGE)
        assert error_code(response) == "not_built"
        assert response.headers["retry-after"]
        assert error_code(client.get("/api/v1/twaps/1")) == "not_built"
        health = client.get("/healthz")
        assert error_code(health) == "not_built"
        assert health.json()["status"] == "degraded"
        assert health.json()["database"] == "connected"
        assert client.get("/livez").status_code == 200


def test_marts_of_an_unfinished_first_build_are_not_built(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")], finished=False)
    for path in (PAGE, "/api/v1/twaps/1", "/healthz"):
        assert error_code(client.get(path)) == "not_built"


def test_health_reads_the_ledger_only_when_a_build_has_changed_something(
    client: httpx.Client, marts: Marts
) -> None:
    def newest() -> Any:
        return client.get("/healthz").json()["last_ingested_object"]

    event = Event("1", WALLET, NOON, "finished", s3_object_key="a")
    marts.build([event])
    assert newest() == "a"
    with marts.connection.transaction():
        marts.connection.execute("lock table marts.etl_s3_ingest_log")
        assert newest() == "a"
    marts.build([event, replace(event, twap_id="2", s3_object_key="b")], "2026-03-02")
    assert newest() == "b"


def test_slow_query_is_given_up(client: httpx.Client, marts: Marts) -> None:
    marts.build([])
    with marts.connection.transaction():
        marts.connection.execute("lock table marts.twap_status")
        began = time.monotonic()
        assert error_code(client.get(PAGE)) == "query_timeout"
        assert time.monotonic() - began > 1.5
    assert client.get(PAGE).status_code == 200


def test_too_many_requests_at_once_wait_and_then_are_refused(marts: Marts) -> None:
    marts.build([])
    with running(marts.url, pool_size=1) as client:
        assert client.get(PAGE).status_code == 200
        with marts.connection.transaction():
            marts.connection.execute("lock table marts.twap_status")
            with ThreadPoolExecutor(3) as threads:
                codes = {
                    error_code(response)
                    for response in threads.map(client.get, [PAGE] * 3)
                }
    assert "query_timeout" in codes
    assert codes <= {"query_timeout", "database_unavailable"}


def test_lost_connections_are_replaced_unseen(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([])
    assert client.get(PAGE).status_code == 200
    marts.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'twap_api' and datname = current_database()"
    )
    assert client.get(PAGE).status_code == 200


def test_database_that_goes_and_comes_back_needs_no_restart(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    try:
        url = postgres.start(folder, durable=False).url
        marts = Marts(url)
        marts.create()
        marts.build([])
        marts.connection.close()
        postgres.stop(folder)
        with running(url) as client:
            health = client.get("/healthz")
            assert error_code(health) == "database_unavailable"
            assert health.json()["database"] == "unavailable"
            assert client.get("/livez").status_code == 200

            assert postgres.start(folder, durable=False).url == url
            wait_until(lambda: client.get(PAGE).status_code == 200)
            postgres.stop(folder)
            assert error_code(client.get(PAGE)) == "database_unavailable"
            postgres.start(folder, durable=False)
            wait_until(lambda: client.get(PAGE).status_code == 200)
    finally:
        postgres.remove(folder)


@pytest.mark.parametrize(("option", "wanted"), [("", 25_000), ("3000", 3_000)])
def test_connections_notice_a_server_that_vanished(
    marts: Marts, option: str, wanted: int
) -> None:
    """Its machine closes nothing; the system's own limit is two hours."""
    url = marts.url + (f"?tcp_user_timeout={option}" if option else "")

    async def limit() -> int:
        database = Database(url, pool_size=1, long_reads=1)
        await database.open()
        async with database._pool.connection() as connection:
            found = limit_of(connection.pgconn.socket)
        await database.close()
        return found

    def limit_of(descriptor: int) -> int:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as same:
            return same.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    with connect(url) as connection:
        assert limit_of(connection.fileno()) == asyncio.run(limit()) == wanted


def test_many_requests_to_a_database_that_is_away_do_not_keep_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.database, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(api.database, "WAITING_FOR_EACH", 5)
    monkeypatch.setattr(api.database, "CONNECT_SECONDS", 1)
    folder = tmp_path / "postgres"
    try:
        url = postgres.start(folder, durable=False).url
        marts = Marts(url)
        marts.create()
        marts.build([])
        marts.connection.close()
        postgres.stop(folder)
        with running(url, pool_size=1) as client:
            with ThreadPoolExecutor(16) as threads:
                codes = {
                    error_code(response)
                    for response in threads.map(client.get, [PAGE] * 100)
                }
            assert codes == {"database_unavailable", "too_busy"}
            # Until the pool gives up by itself.
            time.sleep(2)
            postgres.start(folder, durable=False)
            wait_until(lambda: client.get(PAGE).status_code == 200)
    finally:
        postgres.remove(folder)


def test_pooler_that_knows_no_prepared_statements_costs_planning_and_no_answer(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    assert client.get(PAGE).status_code == 200

    async def forget(database: Database) -> None:
        # As when the pooler gives the next transaction another session.
        async with database._pool.connection() as connection:
            connection.prepare_threshold = None
            await connection.execute("deallocate all")

    async def run() -> list[list[Any]]:
        database = Database(marts.url, pool_size=1, long_reads=1)
        await database.open()
        try:
            found = []
            for _ in range(3):
                found.append(await database.fetch("newest_object", {}))
                await forget(database)
            return found
        finally:
            await database.close()

    first, *others = asyncio.run(run())
    assert others == [first, first]


@pytest.fixture
def reader(server: postgres.Server, marts: Marts) -> Iterator[str]:
    """The reader's role, which may read these marts and nothing else."""
    execute: Callable[[str], object] = marts.connection.execute
    execute(f"create role {READER}")
    execute(f"grant usage on schema marts to {READER}")
    execute(f"grant select on all tables in schema marts to {READER}")
    yield READER
    execute(f"drop owned by {READER}")
    execute(f"drop role {READER}")


def test_connections_take_the_reader_role_where_there_is_one(
    reader: str, client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    assert len(client.get(PAGE).json()["twaps"]) == 1
    marts.connection.execute(f"revoke all on marts.twap_status from {reader}")
    assert error_code(client.get(PAGE)) == "not_granted"
    marts.connection.execute(f"revoke all on marts.etl_builds from {reader}")
    health = client.get("/healthz")
    assert error_code(health) == "not_granted"
    assert health.json()["database"] == "connected"


@pytest.fixture(params=["direct", "pooler"])
def way(request: pytest.FixtureRequest, marts: Marts) -> Iterator[str]:
    """The URL of the marts, without and with a pooler before them."""
    if request.param == "direct":
        yield marts.url
    else:
        with pooling(marts.url) as url:
            yield url


def test_connections_cannot_write_with_or_without_the_role(
    way: str, marts: Marts
) -> None:
    marts.build([])
    for statement in ("delete from marts.etl_builds", "create table marts.x ()"):
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            run_as_the_api_does(way, statement)


def test_connections_stay_as_they_are_after_a_failure(way: str, marts: Marts) -> None:
    marts.build([])

    async def run() -> list[Any]:
        database = Database(way, pool_size=1, long_reads=1)
        await database.open()
        try:
            for statement in ("select 1 / 0", "select pg_sleep(3)"):
                with pytest.raises(psycopg.Error):
                    await database._read_once(Statement(statement.encode(), ()), {})
            shown = b"show transaction_read_only"
            return await database._read_once(Statement(shown, ()), {})
        finally:
            await database.close()

    assert asyncio.run(run()) == [("on",)]


def test_settings_and_role_never_stay_in_a_session_of_a_pooler(
    reader: str, marts: Marts
) -> None:
    marts.build([])
    shown = (
        "select current_setting('statement_timeout') as patience, "
        "current_setting('default_transaction_read_only') as by_default, "
        "current_setting('transaction_read_only') as now, current_user as role"
    )

    async def run(url: str) -> list[Any]:
        database = Database(url, pool_size=1, long_reads=1)
        await database.open()
        try:
            found = await database._read_once(Statement(shown.encode(), ()), {})
            async with database._pool.connection() as connection:
                # What the pooler would give to the next one.
                cursor = await connection.execute(shown)
                return found + await cursor.fetchall()
        finally:
            await database.close()

    with pooling(marts.url) as url:
        ours, next_ones = asyncio.run(run(url))
    assert ours == ("2s", "off", "on", reader)
    assert next_ones == ("0", "off", "off", "postgres")
    ours, next_ones = asyncio.run(run(marts.url))
    assert ours == next_ones == ("2s", "on", "on", reader)


def test_pages_come_through_a_pooler(marts: Marts) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    with pooling(marts.url) as url, running(url) as client:
        for _ in range(3):
            assert len(client.get(PAGE).json()["twaps"]) == 1


def run_as_the_api_does(url: str, statement: str) -> list[Any]:
    """The rows of a statement on a connection of the API's own pool."""

    async def run() -> list[Any]:
        database = Database(url, pool_size=1, long_reads=1)
        await database.open()
        try:
            return await database._read_once(Statement(statement.encode(), ()), {})
        finally:
            await database.close()

    return asyncio.run(run())


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_connections_have_the_settings(way: str, name: str) -> None:
    ((value,),) = run_as_the_api_does(way, f"show {name}")
    assert value == {"DateStyle": "ISO, MDY"}.get(name, SETTINGS[name])


@pytest.mark.parametrize("wallets", [2, 50, 5000])
def test_every_query_reads_index_ranges(marts: Marts, wallets: int) -> None:
    marts.connection.execute(MANY_ROWS.replace("% 50", f"% {wallets}"))
    page = plan_of(marts, "twap_page")
    by_id = plan_of(marts, "twap_events")
    for table in ("twap_status", "twap_latest", "twap_withdrawn"):
        assert f"Seq Scan on {table}" not in page + by_id
    assert "Index Scan Backward using idx_etl_builds_finished_at" in page
    # The rows come in the order of the walk: no sort stands between them and the limit.
    assert re.search(
        r"Limit .*\n *->  WindowAgg .*\n.*\n *->  Index Scan using "
        r"idx_twap_status_wallet_ts .*\n *Index Cond: .*wallet = .*ts >= .*ROW\(ts, ",
        page,
    )


@pytest.mark.parametrize("wallets", [2, 5000])
@pytest.mark.parametrize("query", ["twap_page", "twap_updates", "tax_year", "coverage"])
def test_states_that_last_have_an_index_of_their_own(
    marts: Marts, query: str, wallets: int
) -> None:
    marts.connection.execute(MANY_ROWS.replace("% 50", f"% {wallets}"))
    plan = plan_of(marts, query)
    assert "Index Scan using idx_twap_status_lasting" in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("query", ["export_csv", "export_ndjson"])
def test_chunk_of_a_file_is_one_index_range(marts: Marts, query: str) -> None:
    marts.connection.execute(MANY_ROWS)
    # The rows come in the file's order, and none before the chunk's first is read.
    assert re.search(
        r"Limit .*\n *->  Index Scan using idx_twap_status_wallet_ts .*\n"
        r" *Index Cond: .*wallet = .*ts >= .*ts <= chunk.ts\) AND \(ROW\(ts, ",
        plan_of(marts, query),
    )


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_reads_the_whole_of_a_mart(marts: Marts, query: str) -> None:
    marts.connection.execute(MANY_ROWS)
    plan = plan_of(marts, query)
    # The two journals are read whole, for answers that are kept until the next run.
    whole = set(re.findall(r"Seq Scan on (\w+)", plan)) - {
        "etl_s3_ingest_log",
        "etl_runs",
    }
    used = set(re.findall(r"using (\w+) on twap_", plan))
    assert whole == set()
    assert used == INDEXES.get(query, used)


def plan_of(marts: Marts, query: str) -> str:
    """The plan that the API's connections use, whatever the values."""
    for name, value in SETTINGS.items():
        marts.connection.execute("select set_config(%s, %s, false)", [name, value])
    statement = read_statement(query).text.decode()
    rows = marts.connection.execute(f"explain (generic_plan) {statement}").fetchall()
    return "\n".join(row[0] for row in rows)
