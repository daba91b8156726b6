"""`demo`: a month of sample TWAPs, by the same way that real ones go."""

import os
from typing import Any

from psycopg.rows import namedtuple_row
from rich.console import Console
from rich.table import Table

from api.certificate import Coverage
from api.database import read_sql
from ingestion import Selection
from sandbox import postgres, sample
from sandbox.s3 import S3Server
from warehouse import database
from warehouse.commands import summary
from warehouse.commands.elt import EXIT_SOME_FAILED, SAMPLE_PREFIX, elt
from warehouse.commands.progress import watched
from warehouse.database import Connection
from warehouse.errors import UserError
from warehouse.settings import Settings
from warehouse.statements import statement


def demo(settings: Settings) -> int:
    """Fill a bucket, load it, show a wallet's TWAPs, and say how to go on.

    Always in the sandbox's Postgres: sample data has no place in a database of one's
    own. Raises UserError when DATABASE_URL or API_DATABASE_URL names one, since what
    follows would not show what was loaded.
    """
    for name in ("DATABASE_URL", "API_DATABASE_URL"):
        if getattr(settings, name.lower()) is not None:
            raise UserError(
                f"The demo loads sample data into the sandbox's Postgres, and {name} "
                "is set. Unset it for the demo, or load your own bucket with make elt."
            )
    server = postgres.start()
    with S3Server() as s3:
        print("Filling a bucket with a month of sample TWAPs …", flush=True)
        with watched(settings) as progress:
            progress.begin("making hourly parquet objects")
            sample.fill(s3, sample.generate(prefix=SAMPLE_PREFIX))
        os.environ |= s3.environment
        sample_settings = settings.model_copy(
            update={
                "aws_endpoint_url": s3.endpoint_url,
                "aws_s3_bucket": s3.bucket,
                "aws_s3_prefix": SAMPLE_PREFIX,
                "elt_max_cost_usd": None,
            }
        )
        exit_status = elt(Selection(), sample_settings, server.url, dbt_beside=True)
    if exit_status == EXIT_SOME_FAILED:
        print("The failed objects are broken on purpose: they stop nothing else.\n")
    with database.connect(server.url) as connection:
        show(connection, settings)
    return 0


def show(connection: Connection, settings: Settings) -> None:
    """Print a wallet's TWAPs, the certificate, and how to go on.

    Raises UserError when no wallet has a few TWAPs, so that nothing can be shown.
    """
    console = Console(highlight=False, soft_wrap=True)
    found = connection.execute(statement("demo_wallet")).fetchone()
    if found is None:
        raise UserError("The demo loaded no TWAPs. Run make clean, then make demo.")
    (wallet,) = found
    console.print(f"The newest TWAPs of wallet {wallet}:\n")
    table = Table(box=None, pad_edge=False)
    for column in ("TWAP", "asset", "side", "status"):
        table.add_column(column, no_wrap=True)
    for column in ("executed", "of", "price"):
        table.add_column(column, justify="right")
    table.add_column("ended, UTC", no_wrap=True)
    for row in connection.execute(statement("demo_twaps"), {"wallet": wallet}):
        table.add_row(*(str(value) if value is not None else "" for value in row))
    console.print(table)
    console.print(f"\nThe certificate: {_certificate(connection)}\n", markup=False)
    address = summary.address(settings)
    csv = f"{address}api/v1/exports/twaps?wallet={wallet}&year=2025"
    console.print(
        "How to go on:\n"
        f"  make serve   then open {address}?wallet={wallet}\n"
        f"               or save its year: curl -o 2025.csv '{csv}'\n"
        "  make psql    SQL on the marts; docs/sql-cookbook.md has queries\n"
        "  make docs    what each column means, and where it comes from\n"
        "  make clean   remove the sample data, before make elt loads real data",
        markup=False,
    )


def _certificate(connection: Connection) -> str:
    """Return what the API's certificate of all that is here says, in one sentence."""
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        facts: Any = cursor.execute(read_sql("certificate")).fetchone()
    told: dict[str, Any] = Coverage(facts).certificate(None, as_of=None, open_twaps=0)
    held = f"all that the bucket held at {facts.listed_at:%H:%M} UTC is here"
    if told["complete"]:
        return f"{held}."
    but = [f"{one['count']} {one['code'].replace('_', ' ')}" for one in told["reasons"]]
    return f"{held}, except for {', '.join(but)}."
