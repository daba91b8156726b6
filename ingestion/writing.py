"""The part of a run that needs dlt.

In a file of its own, which is imported when there is something to write: dlt and
pyarrow take longer to import than a run takes that finds nothing new.
"""

from collections.abc import Callable
from pathlib import Path

from ingestion.dlt_context import dlt_pipeline
from ingestion.fetch import Read
from ingestion.landing import Landing
from ingestion.loader import Loader
from ingestion.names import TableColumns
from ingestion.pending import Finished, Refused
from ingestion.progress import Progress
from ingestion.report import IngestionStopped, Tally
from ingestion.statements import statement
from ingestion.tables import Indexes, landed_columns
from warehouse.database import Connection
from warehouse.errors import UserError

FAILURES_KEPT = 24
"""Of each object's failed attempts: one that stays bad fails every hour for ever, and
the API reads the whole ledger for its certificate."""


def finish_pending(
    database_url: str, folder: Path, guard: Callable[[], None]
) -> Finished:
    """Load what a broken run left in the folder; return what became of it."""
    with dlt_pipeline(database_url, folder) as pipeline:
        return Loader(pipeline, guard, database_url).finish_pending()


def land(
    connection: Connection,
    database_url: str,
    folder: Path,
    tally: Tally,
    finished: Finished,
    *,
    read: Read,
    guard: Callable[[], None],
    progress: Progress,
) -> None:
    """Land the tally's plan; `finished` are loads of a broken run.

    Raises IngestionStopped when only a part of it could be landed.
    """
    tally.load_ids += [load for load in finished if isinstance(load, str)]
    refused = [load for load in finished if isinstance(load, Refused)]
    try:
        guard()
        with dlt_pipeline(database_url, folder) as pipeline:
            loader = Loader(pipeline, guard, database_url)
            loader.start_anew()
            Landing(
                loader,
                tally,
                read=read,
                columns=TableColumns(landed_columns(connection)),
                indexes=Indexes(connection),
                progress=progress,
            ).land(refused)
        if tally.failed:
            connection.execute(statement("forget_failures"), {"kept": FAILURES_KEPT})
    except UserError as error:
        raise IngestionStopped(error, tally.report()) from error
