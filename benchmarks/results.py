"""The page of results: figures, and on what they were measured."""

import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version

import psycopg

from benchmarks.bucket import WALLETS_PER_DAY
from benchmarks.figures import Figure, table
from benchmarks.workplace import cores

PACKAGES = ("dlt", "dbt-core", "dbt-postgres", "pyarrow", "adbc-driver-postgresql")

TEMPLATE = """\
# Results

Made by `{command}`, which measures each limit in the same run on the same machine.
A figure is the median of {runs} with the spread (min-max); a ratio is that of pairs.

{table}

Machine: {cores} cores, {memory:.0f} GiB of memory, {system}; load average {busy:.1f}
(1 minute) before the run began: above 0.3, others were at work too.
Postgres (without fsync), the bucket and the load generator run on the same cores.

Versions: Python {python}, PostgreSQL {postgres}, {packages}.

Data: plain hourly objects of {days} days at the real rate of 2,900 TWAPs a day, of
{wallets:,} wallets; the heaviest has a twentieth of all TWAPs.
"""


def page(
    figures: Sequence[Figure], *, days: int, runs: int, busy: float, server_url: str
) -> str:
    """Return the page as Markdown."""
    return TEMPLATE.format(
        command=f"python -m benchmarks --days {days} --runs {runs}",
        runs=runs,
        table=table(figures),
        cores=cores(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.machine()}",
        busy=busy,
        python=".".join(map(str, sys.version_info[:3])),
        postgres=_postgres_version(server_url),
        packages=", ".join(f"{name} {version(name)}" for name in PACKAGES),
        days=days,
        wallets=days * WALLETS_PER_DAY,
    )


def _postgres_version(url: str) -> str:
    with psycopg.connect(url) as connection:
        return connection.info.parameter_status("server_version") or "?"
