"""A full build of the marts, from rows that have landed."""

import time
from pathlib import Path

import psycopg

from benchmarks.figures import Figure, Samples
from benchmarks.workplace import Workplace, new_database
from ingestion.tables import create_tables
from warehouse.database import connect
from warehouse.schema import prepare

FOLDER = Path(__file__).parent


def measure_building(
    workplace: Workplace, server_url: str, url: str, runs: int
) -> list[Figure]:
    """Build the marts of a database, and of an empty one, as often as asked.

    Raises RuntimeError when the limit's tables are not the same to the last value.
    """
    empty = new_database(server_url, "bench_empty")
    of_nothing = _builds(workplace, empty, runs)
    ours = _builds(workplace, url, runs)
    limit = [_by_hand(url) for _ in range(runs)]
    _compare(url)
    fixed = Samples(of_nothing, "s").median
    work = [seconds - fixed for seconds in ours]
    by_hand = "hand-written SQL for twap_status and twap_latest alone"
    return [
        Figure(
            "Full build, all marts and their tests",
            Samples(ours, "s"),
            by_hand,
            Samples(limit, "s"),
        ),
        Figure("The same of an empty database: dbt itself", Samples(of_nothing, "s")),
        Figure(
            "The one less the other: the work",
            Samples(work, "s"),
            by_hand,
            Samples(limit, "s"),
        ),
    ]


def _builds(workplace: Workplace, url: str, runs: int) -> list[float]:
    with connect(url) as connection:
        prepare(connection)
        create_tables(connection)
    # The first one parses the project.
    workplace.job("build", url)
    return [workplace.job("build", url)["seconds"] for _ in range(runs)]


def _by_hand(url: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop schema if exists bench cascade")
        connection.execute("create schema bench")
        connection.execute("set time zone 'UTC'")
        connection.execute("checkpoint")
        begin = time.perf_counter()
        connection.execute((FOLDER / "full_build.sql").read_bytes())
        return time.perf_counter() - begin


def _compare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute((FOLDER / "differences.sql").read_bytes()).fetchone()
        connection.execute("drop schema bench cascade")
    if row != (0,):
        raise RuntimeError(f"The limit's tables differ from the marts: {row} rows")
