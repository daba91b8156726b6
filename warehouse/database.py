"""Connections to Postgres, for all parts of the house."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from warehouse.errors import AlreadyRunning, UserError

MINIMUM_VERSION = 160000
"""PostgreSQL 16: the marts need pg_input_is_valid."""

LOST_SERVER: Final = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""libpq's parameters with which a server whose machine or network vanished is noticed
after some 25 seconds; without them it takes the system's two hours. A server that only
takes long is not concerned: its system confirms what arrives."""

SOCKETS: Final = "/var/run/postgresql"
"""The folder of the socket of a server that neither URL nor environment name: that of
Debian, of Red Hat, and of psycopg's libpq."""

RESTORING: Final = "restore_under_way"
"""A schema that is there from a restore's beginning until all is found to be right."""

Connection = psycopg.Connection[tuple[object, ...]]


def libpq_url(url: str, setting: str = "DATABASE_URL") -> str:
    """Return the URL as libpq reads it, whatever driver SQLAlchemy's spelling names.

    `postgres://`, `postgresql+asyncpg://` and `postgresql+psycopg://` are accepted.
    Raises UserError for anything that is no Postgres URL, naming the setting that holds
    it, without showing it.
    """
    match = re.fullmatch(r"postgres(?:ql)?(?:\+\w+)?://(.*)", url.strip(), re.DOTALL)
    normalised = f"postgresql://{match[1]}" if match else ""
    if not _is_read_as_meant(normalised):
        raise UserError(
            f"{setting} is not a Postgres URL. "
            "It looks like postgresql://user:password@host:5432/database; "
            "a character like @ or / in the password is written as %40 or %2F."
        )
    return normalised


def _is_read_as_meant(url: str) -> bool:
    """Whether libpq reads the URL, and takes no part of a password for a place.

    After a bare @ or / in a password it does, and places are shown.
    """
    if not re.fullmatch(r"postgresql://([^@/]*@)?[^@?]*(\?.*)?", url, re.DOTALL):
        return False
    try:
        port = conninfo_to_dict(url).get("port", "")
    except psycopg.ProgrammingError:
        return False
    return re.fullmatch("[0-9,]*", str(port)) is not None


def url_parameters(url: str) -> dict[str, str]:
    """Return the URL's parts by libpq's names, percent-decoded: host, port, user, …

    Of several hosts with one port, the port stands once: dbt wants a number. Text goes
    over the wire as UTF-8, whatever the database, its role or the environment prefer:
    what loads the rows sends nothing else.
    """
    found = conninfo_to_dict(libpq_url(url), client_encoding="UTF8")
    parts = {name: str(value) for name, value in found.items() if value is not None}
    port, *others = dict.fromkeys(parts.get("port", "").split(","))
    if port and not others:
        parts["port"] = port
    return parts


def connection_parameters(url: str) -> dict[str, str]:
    """Return all that decides a connection, by libpq's names.

    What the URL leaves out the environment's PG… variables say, and then libpq's
    defaults: here, since each driver brings a libpq of its own, which looks elsewhere
    for the server's socket, and dbt has other defaults.
    """
    defaults = {
        option.keyword.decode(): option.val.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.val
        and (
            option.keyword == b"user"
            or (option.envvar and os.environ.get(option.envvar.decode()))
        )
    }
    named = url_parameters(url)
    # A service's file says more than its name.
    if "service" in named or "service" in defaults:
        return named
    if not (defaults | named).keys() & {"host", "hostaddr"}:
        defaults["host"] = SOCKETS
    return defaults | named


def where(url: str) -> str:
    """Return the place that the URL names, without user or password, for messages."""
    parts = connection_parameters(url)
    host = parts.get("host") or parts.get("hostaddr") or "its service"
    port = f":{parts['port']}" if "port" in parts else ""
    return f"{parts.get('dbname', 'the default database')} at {host}{port}"


def connect(url: str, *, autocommit: bool = True) -> Connection:
    """Return a new connection in UTC, which writes times as ISO 8601 does.

    Raises UserError when the server cannot be reached or is older than PostgreSQL 16,
    or the database has another encoding than UTF-8.
    """
    parameters = {"application_name": "twap_warehouse", "connect_timeout": "10"}
    parameters |= LOST_SERVER | connection_parameters(url)
    try:
        connection = psycopg.connect(autocommit=autocommit, **parameters)  # type: ignore[arg-type]  # libpq's own parameters are strings
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Postgres cannot be reached ({where(url)}): {reason}. "
            "Check DATABASE_URL and that the server runs."
        ) from None
    if connection.info.server_version < MINIMUM_VERSION:
        connection.close()
        raise UserError(
            f"Postgres is too old ({where(url)} is version "
            f"{connection.info.server_version // 10000}): 16 or newer is needed. "
            "Upgrade it, or let DATABASE_URL name another."
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        connection.close()
        raise UserError(
            f"The database has the encoding {encoding} ({where(url)}): UTF8 is needed. "
            "Create one with it, and let DATABASE_URL name that."
        )
    # One that holds a lock or a snapshot is idle while others work, for as long as that
    # takes: what ends forgotten sessions may not end it.
    connection.execute(
        "set time zone 'UTC'; set datestyle to iso; set idle_session_timeout to 0; "
        "set idle_in_transaction_session_timeout to 0"
    )
    return connection


class RunLock:
    """The lock that lets one run at a time work on a database.

    A session advisory lock on a connection of its own: Postgres frees it when the
    process dies, however it dies.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self) -> None:
        """Return when the lock is still ours.

        Raises UserError when its connection broke, since another run may work by now.
        """
        try:
            self._connection.execute("select 1")
        except psycopg.OperationalError:
            raise UserError(
                "The connection that holds the run's lock broke, so another run may "
                "have begun: this one stops. What it landed is kept; run it again."
            ) from None


@contextmanager
def run_lock(url: str, *, restores: bool = False) -> Iterator[RunLock]:
    """Hold the lock of the database for the length of the block.

    Raises AlreadyRunning when another run holds it, and UserError when a restore broke
    off: only another one may work on what it left.
    """
    with connect(url) as connection:
        row = connection.execute(
            "select pg_try_advisory_lock(hashtext('twap_warehouse run'))"
        ).fetchone()
        if row != (True,):
            raise AlreadyRunning(
                f"Another run works on this database ({where(url)}). "
                "Nothing was done; try again when it has ended."
            )
        row = connection.execute(
            "select to_regnamespace(%s) is null", [RESTORING]
        ).fetchone()
        if row != (True,) and not restores:
            raise UserError(
                f"A restore did not come to its end in {where(url)}, so what is there "
                "is not whole. Run make restore again, with ARGS=--replace."
            )
        yield RunLock(connection)


def libpq_environment(url: str) -> dict[str, str]:
    """Return the URL as the PG… variables that libpq's tools read (psql, psycopg2).

    Parameters without a variable of their own are left out, see "Environment
    Variables" in libpq's documentation.
    """
    variables = {
        option.envvar.decode(): option.keyword.decode()
        for option in psycopg.pq.Conninfo.get_defaults()
        if option.envvar
    }
    parts = connection_parameters(url)
    return {
        variable: parts[keyword]
        for variable, keyword in variables.items()
        if keyword in parts
    }


def environment_without_libpq() -> dict[str, str]:
    """Return the environment less what libpq reads of it, for `libpq_environment`.

    A file of passwords stays: it does not say which database.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PG") or name == "PGPASSFILE"
    }
