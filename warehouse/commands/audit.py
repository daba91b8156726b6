"""`audit`: the live marts against a full rebuild beside them."""

import json

from psycopg import sql

from warehouse import database, dbt
from warehouse.builds import Need, needed_build
from warehouse.commands.databases import builders_url
from warehouse.commands.progress import watched
from warehouse.database import Connection
from warehouse.errors import UserError
from warehouse.settings import Settings
from warehouse.statements import statement

PREFIX = "audit_"
NOT_OF_TWAPS = ("etl_builds", "etl_runs", "etl_s3_ingest_log")


def audit(settings: Settings) -> int:
    """Make all marts a second time from staging, test them, and compare row by row.

    Needs as much room as the marts take; the second ones are removed at the end. Raises
    UserError when a test fails, when a row differs, or when the marts are behind.
    """
    url = builders_url(settings)
    with (
        watched(settings) as progress,
        database.run_lock(url),
        database.connect(url) as connection,
    ):
        if needed_build(connection) is not Need.NOTHING:
            raise UserError(
                "The marts are behind what has landed, so there is nothing to compare. "
                "Run make elt first, or make rebuild."
            )
        progress.begin("getting dbt ready")
        try:
            dbt.run(
                [
                    *("build", "--full-refresh"),
                    *("--exclude", *NOT_OF_TWAPS),
                    *("--exclude-resource-type", "unit_test"),
                    *("--vars", json.dumps({"schema_prefix": PREFIX})),
                ],
                url,
                quiet=True,
                tell=progress.tell,
            )
            progress.begin("comparing row by row")
            made = connection.execute(statement("tables"), {"schema": f"{PREFIX}marts"})
            differences = [
                difference
                for (mart,) in made
                for difference in _differ(connection, str(mart))
            ]
        finally:
            for schema in ("marts", "intermediate"):
                connection.execute(
                    sql.SQL("drop schema if exists {} cascade").format(
                        sql.Identifier(PREFIX + schema)
                    )
                )
        if differences:
            raise UserError(
                f"The marts are not what a rebuild gives: {' | '.join(differences)}. "
                "Run make rebuild, and tell us: this must not happen."
            )
        events, days = _size(connection)
    print(
        f"Every test holds, and every mart equals a full rebuild, row by row. "
        f"marts.twap_digest has the digests of {events} events on {days} days."
    )
    return 0


def _differ(connection: Connection, mart: str) -> list[str]:
    query = sql.SQL(statement("mart_differences")).format(
        live=sql.Identifier("marts", mart),
        scratch=sql.Identifier(PREFIX + "marts", mart),
    )
    return [f"{mart}, {place}: {row}" for place, row in connection.execute(query)]


def _size(connection: Connection) -> tuple[object, ...]:
    row = connection.execute(
        "select coalesce(sum(events), 0), count(*) from marts.twap_digest"
    ).fetchone()
    return row or (0, 0)
