"""One run: list, plan, say the cost, then land what is new."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg

from ingestion.cost import Cost
from ingestion.ledger import read_ledger
from ingestion.listing import Listing, list_selection
from ingestion.pending import Finished, has_pending_loads
from ingestion.plan import Plan, Selection, make_plan
from ingestion.progress import Progress
from ingestion.report import Report, Tally
from ingestion.source import S3Source
from ingestion.statements import statement
from ingestion.tables import create_tables
from warehouse.database import Connection, connect, where
from warehouse.errors import UserError

OnListed = Callable[[Plan, Cost], None]


def ingest(
    selection: Selection,
    source: S3Source,
    database_url: str,
    *,
    working_dir: Path,
    max_cost_usd: Decimal | None,
    guard: Callable[[], None],
    progress: Progress,
    on_listed: OnListed,
) -> Report:
    """Land what is new of the selection in the schema `staging`; return what was done.

    `working_dir` holds packages on their way and may be lost. `guard` is called before
    each step that writes, and raises when the run has lost its lock. `on_listed` is
    called once, with the plan and what it costs, before anything is fetched.

    A bad object stops nothing: it is in `Report.failed`, and is tried again next time.
    Raises UserError when nothing could be done, IngestionStopped (a UserError too) when
    only a part could; all that it reports has landed for good.
    """
    with _database(database_url) as connection:
        listing = list_selection(selection, source)
        if selection.dry_run:
            return _planned(selection, listing, connection, on_listed).report()
        guard()
        create_tables(connection)
        folder = working_dir / _identity(connection)
        finished: Finished = []
        # Both imported late: ingestion/writing.py says why.
        if has_pending_loads(folder):
            from ingestion.writing import finish_pending

            finished = finish_pending(database_url, folder, guard)
        _check_clock(connection)
        tally = _planned(selection, listing, connection, on_listed, max_cost_usd)
        if finished or tally.plan.fetch or tally.plan.known:
            from ingestion.writing import land

            land(
                connection,
                database_url,
                folder,
                tally,
                finished,
                read=listing.read,
                guard=guard,
                progress=progress,
            )
        return tally.report()


def _planned(
    selection: Selection,
    listing: Listing,
    connection: Connection,
    on_listed: OnListed,
    max_cost_usd: Decimal | None = None,
) -> Tally:
    ledger = read_ledger(connection)
    plan = make_plan(listing.objects, ledger, since=selection.since)
    cost = listing.cost(plan)
    on_listed(plan, cost)
    if max_cost_usd is not None and cost.usd > max_cost_usd:
        raise UserError(
            f"This run would cost more than the {max_cost_usd} USD allowed: {cost}. "
            "Nothing was fetched: raise ELT_MAX_COST_USD, or give --since."
        )
    return Tally(listing.listed_at, plan)


@contextmanager
def _database(url: str) -> Iterator[Connection]:
    """Give a connection; what Postgres refuses becomes a UserError."""
    try:
        with connect(url) as connection:
            yield connection
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Postgres refuses ({where(url)}): {reason}. Check DATABASE_URL, and that "
            "its login may create the schema staging and tables in it."
        ) from error


def _identity(connection: Connection) -> str:
    """Return a folder name of this database alone: pending loads stay apart."""
    row = connection.execute(statement("identity")).fetchone()
    return hashlib.sha256(repr((row, connection.info.host)).encode()).hexdigest()[:16]


def _check_clock(connection: Connection) -> None:
    """Raise UserError when the next load would seem older than one that is here."""
    row = connection.execute(statement("newest_load")).fetchone()
    newest = float(str(row[0])) if row and row[0] is not None else 0.0
    if newest > time.time():
        raise UserError(
            "The clock of this machine is behind: the newest load is of "
            f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%dT%H:%M:%SZ}. Set the clock: "
            "the order of loads decides which version of an object is the newest."
        )
