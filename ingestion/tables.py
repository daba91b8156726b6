"""The staging tables and their indexes, by plain SQL."""

import psycopg
import structlog
from psycopg import sql

from ingestion.statements import statement
from warehouse.database import Connection

_BIG_SHARE = 5
"""A load of more than one fifth of the table is quicker without its indexes."""

_LOCK_TIMEOUT = "10s"

log = structlog.get_logger("ingestion.tables")


def create_tables(connection: Connection) -> None:
    """Create the staging schema and its tables, where they are not there yet."""
    connection.execute(statement("create_tables"))


def landed_columns(connection: Connection) -> list[str]:
    """Return the columns that the table of landed rows has now."""
    return [str(name) for (name,) in connection.execute(statement("columns"))]


class Indexes:
    """The indexes of the landed rows around one run's loads."""

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

    def after_loads(self) -> None:
        """Make ours again, and tell Postgres's planner of a big change."""
        self._connection.execute(statement("create_indexes"))
        if self._dropped:
            self._connection.execute(
                "analyze staging.twap_statuses, staging.s3_objects"
            )

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
