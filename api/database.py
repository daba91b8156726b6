"""The way to the marts: few connections, that can only read, and that give up early."""

import asyncio
import json
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Iterator,
    Mapping,
)
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple, Protocol, TypeVar, cast

import psycopg
import structlog
from psycopg import AsyncRawCursor
from psycopg import errors as postgres_errors
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from api.errors import ApiError, unavailable
from warehouse.database import LOST_SERVER, connection_parameters
from warehouse.roles import READER

SETTINGS: Final = {
    "transaction_read_only": "on",
    "statement_timeout": "2s",
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
    "enable_incremental_sort": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}
"""Of every transaction."""

SESSION_SETTINGS: Final = {**SETTINGS, "default_transaction_read_only": "on"}
"""Of a session, and so of each transaction in it."""

LONG_SETTINGS: Final = {
    **SETTINGS,
    "statement_timeout": "10min",
    # Between two statements the client's connection may be slow, but not dead.
    "idle_in_transaction_session_timeout": "2min",
}
"""Of a transaction that a whole file is read in."""

CONNECT_SECONDS: Final = 5
WAIT_SECONDS: Final = 2.0

ANSWER_SECONDS: Final = 10.0
"""How long an answer may take in all, with the wait for a connection and a second try:
a server that is frozen keeps no timeout of its own."""

WAITING_FOR_EACH: Final = 50
"""How many requests may wait for each connection."""
LOCK_MILLISECONDS: Final = 2000

NOBODY: Final = 0
"""A number that no process of Postgres has."""

IN_VAIN: Final = (PoolTimeout, TooManyRequests, postgres_errors.QueryCanceled)
"""Errors after which a second try would end as the first."""

NOT_PREPARED: Final = (
    postgres_errors.InvalidSqlStatementName,
    postgres_errors.DuplicatePreparedStatement,
)

T = TypeVar("T")

log = structlog.stdlib.get_logger("api")

Row = Any
"""A row by the names of its query's columns: each query has its own."""


class Connection(psycopg.AsyncConnection[Row]):
    """A connection to Postgres, or to a pooler before it."""

    keeps_settings = False
    """Whether it has a session of its own, which has the settings. A pooler such as
    PgBouncer may give each transaction another session, and others get that one after
    it: there, the settings go with each transaction and never stay."""


class Snapshot:
    """One state of the marts, whatever is loaded meanwhile."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, query: str, values: Mapping[str, object]) -> list[Row]:
        """Return the rows of a query; raises ApiError as Database.fetch does."""
        statement = read_statement(query)
        with _refusals():
            cursor = await _ask(self._connection, statement, values)
            return await cursor.fetchall()

    async def stream(
        self, query: str, values: Mapping[str, object]
    ) -> AsyncGenerator[Row, None]:
        """Yield the rows of a query as they come; raises ApiError as `fetch` does.

        Postgres waits while nobody takes a row. Who does not take them all closes it.
        """
        statement = read_statement(query)
        with _refusals():
            rows = cast(
                AsyncGenerator[Row, None],
                self._connection.cursor().stream(
                    statement.text, statement.in_order(values), binary=True
                ),
            )
            async with aclosing(rows):
                async for row in rows:
                    yield row


class Level(Protocol):
    """Something that counts how many there are at the moment."""

    def inc(self) -> None:
        """Count one more."""

    def dec(self) -> None:
        """Count one less."""


class CountedPool(AsyncConnectionPool[Connection]):
    """A pool that counts who waits for a connection, and what it has lent.

    Its own `max_waiting` also counts those that have given up: after as many requests
    to a database that is away, it would refuse all and never try to connect again.
    """

    in_use: Level | None = None
    _waiting_now = 0

    async def getconn(self, timeout: float | None = None) -> Connection:
        """Lend a connection; raises TooManyRequests when too many wait for one."""
        if self._waiting_now >= self.max_size * WAITING_FOR_EACH:
            raise TooManyRequests(f"{self._waiting_now} requests wait already")
        self._waiting_now += 1
        try:
            connection = await super().getconn(timeout)
        finally:
            self._waiting_now -= 1
        if self.in_use:
            self.in_use.inc()
        return connection

    async def putconn(self, conn: Connection) -> None:
        """Take a connection back."""
        if self.in_use:
            self.in_use.dec()
        await super().putconn(conn)


class Database:
    """Two pools of read-only connections, whether or not the server is there yet.

    One is for answers that a client waits for, the other for whole files, so that no
    number of files ever keeps an answer waiting.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        long_reads: int,
        in_use: Level | None = None,
    ) -> None:
        self._pool = _pool(
            url, "pages", in_use, min_size=1, max_size=pool_size, configure=_settle
        )
        self._long_pool = _pool(
            url,
            "exports",
            in_use,
            min_size=0,
            max_size=long_reads,
            # A file begins rarely: it can afford to ask whether its connection lives.
            check=AsyncConnectionPool.check_connection,
        )
        self._long_reads = asyncio.Semaphore(long_reads)
        self._prepares = True

    async def open(self) -> None:
        """Begin to connect, without waiting for it."""
        await self._pool.open(wait=False)
        await self._long_pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()
        await self._long_pool.close()

    async def fetch(self, query: str, values: Mapping[str, object]) -> list[Row]:
        """Return the rows of a query, named as its file in api/sql is.

        Raises ApiError (503) when the database is away, busy, too slow, or holds no
        marts.
        """
        return await _in_time(self._read(read_statement(query), values))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Hold one state of the marts for the length of the block.

        Raises ApiError (503) as `fetch` does, and when too many blocks are under way.
        """
        if self._long_reads.locked():
            raise unavailable(
                "too_many_exports",
                "As many files as may be are being written; try again shortly.",
                retry_after=10,
            )
        async with self._long_reads:
            connection = await _in_time(self._long_pool.getconn())
            try:
                await _in_time(_begin_snapshot(connection))
                yield Snapshot(connection)
            finally:
                await _leave(connection)
                await self._long_pool.putconn(connection)

    async def _read(
        self, statement: "Statement", values: Mapping[str, object]
    ) -> list[Row]:
        try:
            return await self._read_once(statement, values)
        except IN_VAIN:
            raise
        except NOT_PREPARED:
            # A pooler that gives each transaction another session, and that does not
            # know of prepared statements, as PgBouncer before 1.21.
            if self._prepares:
                log.warning("statements are planned anew each time", why="pooler")
            self._prepares = False
            return await self._read_once(statement, values)
        except psycopg.OperationalError:
            # The server went away and may be back, but the pool still holds
            # connections to what it was. Reading twice does no harm.
            await self._pool.check()
            return await self._read_once(statement, values)

    async def _read_once(
        self, statement: "Statement", values: Mapping[str, object]
    ) -> list[Row]:
        connection = await self._pool.getconn()
        try:
            connection.prepare_threshold = 0 if self._prepares else None
            # Either way one transaction, and one round trip.
            if connection.keeps_settings:
                cursor = await _ask(connection, statement, values)
            else:
                async with connection.pipeline():
                    await _set(connection, SETTINGS)
                    cursor = await _ask(connection, statement, values)
            return await cursor.fetchall()
        finally:
            await self._pool.putconn(connection)


def not_built() -> ApiError:
    """Return the 503 for a database in which no build has finished yet."""
    return unavailable(
        "not_built", "The warehouse holds no data yet: no build has finished."
    )


@cache
def read_sql(query: str) -> LiteralString:
    """Return the text of a file in api/sql, put together from its pieces.

    `{{ name(alias) }}` in it stands for the text of api/sql/pieces/name.sql, over the
    table that is called `alias` instead of `event`; `{{ name(alias.column) }}` for that
    of a piece about one value, which it calls `event.column`.
    """
    return _with_pieces((Path(__file__).parent / "sql" / f"{query}.sql").read_text())


class Statement(NamedTuple):
    """A query in Postgres's own form: `$1` stands for the first of its names."""

    text: bytes
    names: tuple[str, ...]

    def in_order(self, values: Mapping[str, object]) -> list[object]:
        """Return the values as the statement takes them."""
        return [values[name] for name in self.names]


@cache
def read_statement(query: str) -> Statement:
    """Return the statement of a file in api/sql.

    psycopg would look for the names in each of our long queries each time it is asked.
    """
    names: list[str] = []

    def place(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "%"
        if match["name"] not in names:
            names.append(match["name"])
        return f"${names.index(match['name']) + 1}"

    text = re.sub(r"%\((?P<name>\w+)\)s|%%", place, read_sql(query))
    return Statement(text.encode(), tuple(names))


def _with_pieces(text: str) -> LiteralString:
    def piece(match: re.Match[str]) -> str:
        path = Path(__file__).parent / "sql" / "pieces" / f"{match['name']}.sql"
        piece = _with_pieces(path.read_text().strip())
        if match["column"]:
            return piece.replace("event.column", f"{match['alias']}.{match['column']}")
        return piece.replace("event.", f"{match['alias'] or 'event'}.")

    return re.sub(
        r"{{ (?P<name>\w+)\((?P<alias>\w*)(\.(?P<column>\w+))?\) }}", piece, text
    )


def _pool(url: str, name: str, in_use: Level | None, **options: Any) -> CountedPool:
    pool = CountedPool(
        make_conninfo(**LOST_SERVER | connection_parameters(url)),
        connection_class=Connection,
        kwargs={
            "application_name": "twap_api",
            "autocommit": True,
            "client_encoding": "utf8",
            "connect_timeout": CONNECT_SECONDS,
            "row_factory": namedtuple_row,
            "cursor_factory": AsyncRawCursor,
            # Whole files are read by statements that run once.
            "prepare_threshold": None,
        },
        timeout=WAIT_SECONDS,
        # Short, so that a request after an outage begins anew instead of waiting for
        # an attempt that was put off for minutes.
        reconnect_timeout=CONNECT_SECONDS,
        open=False,
        name=name,
        **options,
    )
    pool.in_use = in_use
    return pool


async def _ask(
    connection: Connection, statement: Statement, values: Mapping[str, object]
) -> psycopg.AsyncCursor[Row]:
    """Execute a statement; as binary, since what Postgres wrote comes as bytea."""
    return await connection.execute(
        statement.text, statement.in_order(values), binary=True
    )


async def _begin_snapshot(connection: Connection) -> None:
    """Begin a transaction that sees one state, and keeps it from being replaced.

    A table that another transaction has put in place after the snapshot was taken looks
    empty to it. So the lock comes first: it waits for a swap under way, and takes no
    snapshot itself.
    """
    await connection.execute("begin isolation level repeatable read")
    await connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
    await connection.execute("lock table marts.twap_status in access share mode")
    await _set(connection, LONG_SETTINGS)


async def _settle(connection: Connection) -> None:
    """Give the settings to the session, if the connection has one of its own.

    Whoever takes a connection names the process that serves it, so that a statement
    can be cancelled. A pooler names none of Postgres's, since that one changes. The
    pool replaces a connection after an hour, so a role that comes later is taken then.
    """
    own = connection.info.backend_pid
    cursor = await _set(connection, SESSION_SETTINGS, session_of=own)
    (made,) = await cursor.fetchall()
    connection.keeps_settings = made.of_session


async def _set(
    connection: Connection, settings: Mapping[str, str], *, session_of: int = NOBODY
) -> psycopg.AsyncCursor[Row]:
    """Set them in the session, if that process serves it, else in the transaction."""
    statement = read_statement("settings")
    values = {
        "settings": json.dumps(settings),
        "role": READER,
        "session_of": session_of,
    }
    return await connection.execute(statement.text, statement.in_order(values))


async def _leave(connection: Connection) -> None:
    """End the transaction; a connection that cannot is one that the pool replaces."""
    with suppress(psycopg.Error, TimeoutError):
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.rollback()


async def _in_time(work: Awaitable[T]) -> T:
    """Return what it returns; raises ApiError when Postgres refuses, or is frozen."""
    with _refusals():
        async with asyncio.timeout(ANSWER_SECONDS):
            return await work


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what Postgres says into what a caller is told."""
    try:
        yield
    except (psycopg.Error, TimeoutError) as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        log.warning("not answered", code=refusal.code, reason=_one_line(error))
        raise refusal from None


def _refusal(error: psycopg.Error | TimeoutError) -> ApiError | None:
    """Return what a caller is told of an error, or None for one that is our fault."""
    match error:
        case postgres_errors.UndefinedTable() | postgres_errors.InvalidSchemaName():
            return not_built()
        case postgres_errors.UndefinedColumn() | postgres_errors.UndefinedFunction():
            return unavailable(
                "not_upgraded",
                "The warehouse was built by another version; its next run upgrades it.",
            )
        case postgres_errors.InsufficientPrivilege():
            return unavailable(
                "not_granted", "The warehouse has not granted its data to this API."
            )
        case postgres_errors.QueryCanceled():
            return unavailable(
                "query_timeout", "The answer took too long; ask for a shorter window."
            )
        case TooManyRequests():
            return unavailable(
                "too_busy", "Too many requests at once; try again shortly."
            )
        case psycopg.OperationalError() | psycopg.InterfaceError() | TimeoutError():
            return unavailable(
                "database_unavailable", "The database cannot answer at the moment."
            )
        case _:
            return None


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
