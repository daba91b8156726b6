"""What the warehouse needs in a database before the first run."""

import psycopg
import structlog

from warehouse.database import Connection
from warehouse.errors import UserError
from warehouse.statements import statement

log = structlog.get_logger("warehouse.schema")


def prepare_staging(connection: Connection) -> None:
    """Make the schema staging and the table of runs, where they are not there yet.

    Raises UserError when the login may not.
    """
    _make(connection, "staging_schema")
    _make(connection, "prepare_staging")


def prepare_marts(connection: Connection) -> None:
    """Make the schema marts, and the role that the API reads it as.

    Where the login may not make roles, one line says so and all goes on. Raises
    UserError when it may not make schemas.
    """
    _make(connection, "prepare_marts")
    try:
        connection.execute(statement("reader_role"))
    except psycopg.errors.InsufficientPrivilege as error:
        log.warning(
            "no_reader_role",
            reason=" ".join(str(error).split()),
            consequence="the API reads as the login of its own URL",
        )


def _make(connection: Connection, what: str) -> None:
    try:
        connection.execute(statement(what))
    except psycopg.Error as error:
        raise UserError(
            "The schemas staging and marts cannot be made: "
            f"{' '.join(str(error).split())}. "
            "Let the login of DATABASE_URL create schemas in this database, "
            "or run make roles."
        ) from None
