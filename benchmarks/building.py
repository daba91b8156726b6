"""A full build of the marts, from rows that have landed."""

import time
from pathlib import Path

import psycopg

from benchmarks.figures import Figure, Samples
from benchmarks.workplace import Workplace

FOLDER = Path(__file__).parent


def measure_building(whole: Workplace, tenth: Workplace, runs: int) -> list[Figure]:
    """Build the marts of landed rows, as often as asked; leave both with marts.

    Raises RuntimeError when the limit's tables are not the same to the last value.
    """
    tenth.job("build")
    # The first build of a folder parses the project.
    whole.job("build")
    ours, limit = [], []
    for _ in range(runs):
        ours.append(whole.job("build")["seconds"])
        limit.append(_by_hand(whole.url))
    _compare(whole.url)
    return [
        Figure(
            "Full build with dbt: all marts, and all their tests",
            Samples(ours, "s"),
            "hand-written SQL for the marts, without a test",
            Samples(limit, "s"),
        ),
    ]


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
        connection.execute("set time zone 'UTC'")
        row = connection.execute((FOLDER / "differences.sql").read_bytes()).fetchone()
        connection.execute("drop schema bench cascade")
    if row != (0,):
        raise RuntimeError(f"The limit's tables differ from the marts: {row} rows")
