"""Whether the marts are behind what has landed, and the build that brings them up."""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

import psycopg

from warehouse import __version__, dbt
from warehouse.database import Connection
from warehouse.statements import statement

# Views and functions change with the project's version alone, and readers must wait
# when a view is replaced. dbt's artifacts tell of the project, not of the data.
INCREMENT = (
    *("--exclude", "config.materialized:view", "resource_type:function"),
    "--no-write-json",
)


class Need(Enum):
    """What the marts need to be up to date."""

    NOTHING = "nothing"
    INCREMENT = "increment"
    FULL_REFRESH = "full refresh"


def needed_build(connection: Connection) -> Need:
    """Return what the marts need: no dbt is started to find that out.

    Marts of another project version were made by other rules, so they are made anew.
    """
    try:
        row = connection.execute(statement("newest_build")).fetchone()
    except psycopg.errors.UndefinedTable:
        return Need.FULL_REFRESH
    if row is None or row[0] != __version__:
        return Need.FULL_REFRESH
    return Need.INCREMENT if row[1] else Need.NOTHING


def build(
    database_url: str, need: Need, run: Callable[[Sequence[str]], None] | None = None
) -> None:
    """Build the marts and test what was built. Raises UserError when either fails.

    `run` runs a dbt command; unset, in this process.
    """
    # Unit tests test the rules, not the data: they belong to `make test`.
    command = ["build", "--exclude-resource-type", "unit_test"]
    if need is Need.FULL_REFRESH:
        command.append("--full-refresh")
    else:
        command += INCREMENT
    run = run or partial(dbt.run, database_url=database_url, quiet=True)
    run(command)
