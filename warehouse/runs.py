"""The record of runs, `staging.runs`: one row per run, also with nothing new."""

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from warehouse.database import Connection
from warehouse.statements import statement


@dataclass(frozen=True)
class RunFigures:
    """What a run saw and did; null where it did not come so far."""

    listed_at: datetime | None = None
    objects_listed: int | None = None
    objects_new: int | None = None
    objects_loaded: int | None = None
    objects_failed: int | None = None
    objects_not_fetched: int | None = None
    oldest_not_fetched: datetime | None = None
    bytes_loaded: int | None = None
    rows_loaded: int | None = None


def begin_run(connection: Connection, mode: str) -> str:
    """Write the row of a run that begins; return its id. It has no end as yet."""
    run_id = str(uuid.uuid4())
    connection.execute(statement("begin_run"), {"run_id": run_id, "mode": mode})
    return run_id


def finish_run(
    connection: Connection, run_id: str, exit_status: int, figures: RunFigures
) -> None:
    """Write the end of a run into its row."""
    connection.execute(
        statement("finish_run"),
        {"run_id": run_id, "exit_status": exit_status, **asdict(figures)},
    )
