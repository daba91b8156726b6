"""`demo`: a month of sample TWAPs, by the same way that real ones go."""

import os

from rich.console import Console
from rich.table import Table

from ingestion import Selection
from sandbox import postgres, sample
from sandbox.s3 import S3Server
from warehouse import database
from warehouse.commands.elt import EXIT_SOME_FAILED, SAMPLE_PREFIX, elt
from warehouse.errors import UserError
from warehouse.settings import Settings
from warehouse.statements import statement


def demo(settings: Settings) -> int:
    """Fill a bucket, load it, show a wallet's TWAPs, and say how to go on.

    Always in the sandbox's Postgres: sample data has no place in a database of one's
    own. Raises UserError when DATABASE_URL names one, since what follows would not show
    what was loaded.
    """
    if settings.database_url is not None:
        raise UserError(
            "The demo loads sample data into the sandbox's Postgres, and DATABASE_URL "
            "is set. Unset it for the demo, or load your own bucket with make elt."
        )
    console = Console()
    server = postgres.start()
    with S3Server() as s3:
        console.print("Filling a bucket with a month of sample TWAPs …")
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
        exit_status = elt(Selection(), sample_settings, server.url)
    if exit_status == EXIT_SOME_FAILED:
        console.print("These objects are broken on purpose: they stop nothing else.")
    _show(server.url, settings, console)
    return 0


def _show(url: str, settings: Settings, console: Console) -> None:
    with database.connect(url) as connection:
        totals = connection.execute(statement("demo_totals")).fetchone()
        wallets = connection.execute(statement("demo_wallet")).fetchone()
        if totals is None or wallets is None:
            raise UserError("The demo loaded no TWAPs. Run make clean, then make demo.")
        events, twaps, wallet_count, rejected, first_event, last_event = totals
        console.print(
            f"\nThe marts hold {twaps} TWAPs of {wallet_count} wallets in {events}"
            f" events from {first_event:%Y-%m-%d} to {last_event:%Y-%m-%d};"
            f" {rejected} rows cannot be events, and stand in twap_status_rejected."
        )
        (wallet,) = wallets
        console.print(f"\nThe newest TWAPs of {wallet}:")
        table = Table(box=None, pad_edge=False)
        for column in ("TWAP", "asset", "side", "status"):
            table.add_column(column, no_wrap=True)
        for column in ("executed", "of", "price"):
            table.add_column(column, justify="right")
        table.add_column("ended, UTC", no_wrap=True)
        shown = connection.execute(statement("demo_twaps"), {"wallet": wallet})
        for row in shown:
            table.add_row(*(str(value) if value is not None else "" for value in row))
    console.print(table, "")
    page = f"http://{settings.api_host}:{settings.api_port}/api/v1/twaps"
    console.print(
        "How to go on:\n"
        f"  make serve   then: curl '{page}?wallet={wallet}&year=2025'\n"
        "  make psql    SQL on the marts; docs/sql-cookbook.md has queries\n"
        "  make docs    what each column means, and where it comes from\n"
        "  make clean   remove the sample data, before make elt loads real data",
        soft_wrap=True,
        highlight=False,
    )
