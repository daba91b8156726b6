"""The way to the marts: few connections, that can only read, and that give up early."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, LiteralString, cast

import psycopg
import structlog
from psycopg import errors as postgres_errors
from psycopg.abc import Params
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from api.errors import ApiError
from warehouse.database import libpq_url

READER_ROLE: Final = "twap_reader"
"""The role that the project grants the marts to, and nothing else."""

SETTINGS: Final = {
    "default_transaction_read_only": "on",
    "statement_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "search_path": "",
    # Each query reads one index range in its own order, whatever its values. So one
    # plan is enough; and the planner, which cannot know that a wallet may have 100,000
    # TWAPs, must not read all of them in order to sort.
    "plan_cache_mode": "force_generic_plan",
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
"""Of every connection. Nothing in a request changes them."""

CONNECT_SECONDS: Final = 5
WAIT_SECONDS: Final = 2.0

IN_VAIN: Final = (PoolTimeout, TooManyRequests, postgres_errors.QueryCanceled)
"""Errors after which a second try would end as the first."""

log = structlog.stdlib.get_logger("api")

Row = Any
"""A row by the names of its query's columns: each query has its own."""


class Database:
    """A pool of read-only connections, whether or not the server is there yet."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        self._pool = AsyncConnectionPool(
            libpq_url(url),
            kwargs={
                "application_name": "twap_api",
                "autocommit": True,
                "client_encoding": "utf8",
                "connect_timeout": CONNECT_SECONDS,
                "row_factory": namedtuple_row,
                "prepare_threshold": 0,
            },
            min_size=1,
            max_size=pool_size,
            max_waiting=pool_size * 50,
            timeout=WAIT_SECONDS,
            # Short, so that a request after an outage begins anew instead of waiting
            # for an attempt that was put off for minutes.
            reconnect_timeout=CONNECT_SECONDS,
            configure=_configure,
            open=False,
            name="api",
        )

    async def open(self) -> None:
        """Begin to connect, without waiting for it."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def fetch(self, query: str, values: Mapping[str, object]) -> list[Row]:
        """Return the rows of a query, named as its file in api/sql is.

        Raises ApiError (503) when the database is away, busy, too slow, or holds no
        marts.
        """
        try:
            return await self._read(read_sql(query), values)
        except psycopg.Error as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            log.warning("not answered", code=refusal.code, reason=_one_line(error))
            raise refusal from None

    async def _read(
        self, statement: LiteralString, values: Mapping[str, object]
    ) -> list[Row]:
        try:
            return await self._read_once(statement, values)
        except IN_VAIN:
            raise
        except psycopg.OperationalError:
            # The server went away and may be back, but the pool still holds
            # connections to what it was. Reading twice does no harm.
            await self._pool.check()
            return await self._read_once(statement, values)

    async def _read_once(
        self, statement: LiteralString, values: Mapping[str, object]
    ) -> list[Row]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, cast(Params, values))
            return await cursor.fetchall()


def not_built() -> ApiError:
    """Return the 503 for a database in which no build has finished yet."""
    return _unavailable(
        "not_built", "The warehouse holds no data yet: no build has finished."
    )


@cache
def read_sql(query: str) -> LiteralString:
    """Return the text of a file in api/sql.

    `{{ name(alias) }}` in it stands for the expression in the file of that name, over
    the table that is called `alias` instead of `event`.
    """
    folder = Path(__file__).parent / "sql"

    def expression(match: re.Match[str]) -> str:
        text = (folder / f"{match['file']}.sql").read_text().strip()
        return text.replace("event.", f"{match['alias']}.")

    text = (folder / f"{query}.sql").read_text()
    return re.sub(r"{{ (?P<file>\w+)\((?P<alias>\w+)\) }}", expression, text)


def _refusal(error: psycopg.Error) -> ApiError | None:
    """Return what a caller is told of an error, or None for one that is our fault."""
    match error:
        case postgres_errors.UndefinedTable() | postgres_errors.InvalidSchemaName():
            return not_built()
        case postgres_errors.InsufficientPrivilege():
            return _unavailable(
                "not_granted", "The warehouse has not granted its data to this API."
            )
        case postgres_errors.QueryCanceled():
            return _unavailable(
                "query_timeout", "The answer took too long; ask for a shorter window."
            )
        case TooManyRequests():
            return _unavailable(
                "too_busy", "Too many requests at once; try again shortly."
            )
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return _unavailable(
                "database_unavailable", "The database cannot be reached at the moment."
            )
        case _:
            return None


def _unavailable(code: str, message: str) -> ApiError:
    return ApiError(503, code, message, headers={"Retry-After": "2"})


def _one_line(error: psycopg.Error) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


async def _configure(connection: psycopg.AsyncConnection[Row]) -> None:
    """Make a new connection one that can only read.

    An own login is the protection from attacks; the role protects from our mistakes.
    """
    for name, value in SETTINGS.items():
        await connection.execute("select set_config(%s, %s, false)", [name, value])
    cursor = await connection.execute(read_sql("become_reader"), {"role": READER_ROLE})
    row = await cursor.fetchone()
    if not (row and row.is_reader):
        _say_that_the_role_is_missing()


@cache
def _say_that_the_role_is_missing() -> None:
    log.info("the login's own rights are used", missing_role=READER_ROLE)
