"""The staging tables and their indexes, by plain SQL."""

import psycopg
import structlog
from psycopg import sql

from ingestion.statements import statement
from warehouse.database import Connection
from warehouse.statements import statement as shared_statement

_BIG_SHARE = 5
"""A load of more than one fifth of the table is quicker without its indexes."""

_LOCK_TIMEOUT = "10s"

log = structlog.get_logger("ingestion.tables")


def create_tables(connection: Connection) -> None:
    """Create the staging schema and its tables, where they are not there yet."""
    connection.execute(shared_statement("staging_schema"))
    connection.execute(statement("create_tables"))


def landed_columns(connection: Connection) -> list[str]:
    """Return the columns that the table of landed rows has now."""
    return [str(name) for (name,) in connection.execute(statement("columns"))]


class Indexes:
    """The indexes of the landed rows; the next build makes those that are missing.

    What finds a landed row by its TWAP is an interpretation, so they are dbt's own.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        row = connection.execute(statement("landed_rows")).fetchone()
        self._rows = int(str(row[0])) if row else 0
        self._dropped = False

    def before_load(self, rows: int) -> None:
        """Drop them when the load is big, constraints excepted; they cost 5 times."""
        if not self._dropped and rows * _BIG_SHARE > self._rows:
            self._dropped = self._drop_all()
        self._rows += rows

    def _drop_all(self) -> bool:
        found = self._connection.execute(statement("droppable_indexes")).fetchall()
        try:
            with self._connection.transaction():
                self._connection.execute(
                    sql.SQL("set local lock_timeout = {}").format(_LOCK_TIMEOUT)
                )
                for schema, index in found:
                    name = sql.Identifier(str(schema), str(index))
                    self._connection.execute(sql.SQL("drop index {}").format(name))
        except psycopg.errors.LockNotAvailable:
            log.info("indexes_kept", reason="somebody reads the table")
            return False
        return True
