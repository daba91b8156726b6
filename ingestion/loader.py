"""Load packages on their way into Postgres, by dlt."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import adbc_driver_manager
import dlt
import psycopg
import psycopg2  # type: ignore[import-untyped]  # dlt's own, ships no types
import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from dlt.pipeline.exceptions import PipelineStepFailed

from ingestion.attempts import landed_in
from ingestion.objects import S3Object
from ingestion.package import LEDGER_TABLE, ROWS_TABLE
from ingestion.pending import Finished, Refused
from ingestion.statements import statement
from warehouse.database import connect, where
from warehouse.errors import UserError

LOAD_WORKERS = 2

_ATTEMPTS = 2

# SQLSTATE of what time or the user can mend: connections, resources, locks, operators;
# a read-only server, the login and its rights.
_PASSING = ("08", "40", "53", "55", "57", "58", "25", "28", "3D", "42501")

# SQLSTATE of undefined_table and undefined_column.
_UNDEFINED = ("42P01", "42703")

log = structlog.get_logger("ingestion.loader")


class Loader:
    """One run's use of the pipeline; `guard` is called before each step that writes."""

    def __init__(
        self, pipeline: dlt.Pipeline, guard: Callable[[], None], database_url: str
    ) -> None:
        self._pipeline = pipeline
        self._guard = guard
        self._database_url = database_url

    def start_anew(self) -> None:
        """Make the working folder as good as new.

        What dlt must remember lies in the database.
        """
        self._pipeline.drop()
        self._step(self._pipeline.sync_destination)

    def finish_pending(self) -> Finished:
        """Load what a broken run left; return the load ids, and what was refused."""
        self._step(self._pipeline.sync_destination)
        finished: Finished = []
        if self._pipeline.has_pending_data:
            log.info("pending_load_found")
            self._step(self._pipeline.normalize)
            for load_id in self._normalized():
                if self._is_forgotten(load_id):
                    log.warning("pending_load_dropped", load_id=load_id)
                    self._guard()
                    self._abort(load_id)
                    continue
                load = self._load(load_id)
                # The folder says that the tables were made, and the database has
                # forgotten them: the objects are fetched again, as new ones are.
                if isinstance(load, Refused) and load.sqlstate in _UNDEFINED:
                    log.warning("pending_load_dropped", load_id=load_id)
                else:
                    finished.append(load)
        self.start_anew()
        return finished

    def prepare(self, tables: Iterator[tuple[str, pa.Table]]) -> list[str]:
        """Write the tables as load packages on disk; return their load ids.

        None when there are no tables.
        """
        # dlt would wrap what goes wrong before the first.
        first = next(tables, None)
        if first is None:
            return []
        # For a generator, dlt would search all modules for the one that it is of.
        resource = dlt.resource(
            itertools.starmap(_item, itertools.chain([first], tables)),
            name="objects",
            max_table_nesting=0,
        )
        self._step(
            lambda: self._pipeline.extract(
                dlt.source(lambda: resource, name=self._pipeline.dataset_name)(),
                loader_file_format="parquet",
                workers=1,
            )
        )
        self._step(self._pipeline.normalize)
        return self._normalized()

    def load(self, load_ids: list[str]) -> Finished:
        """Load these packages; return each one's id, or why it was refused for good."""
        return [self._load(load_id) for load_id in load_ids]

    def _load(self, load_id: str) -> str | Refused:
        objects = self._objects(load_id)
        for attempt in range(1, _ATTEMPTS + 1):
            self._guard()
            try:
                self._pipeline.load(workers=LOAD_WORKERS)
            except PipelineStepFailed as error:
                _raise_if_wrapped(error)
                self._raise_if_it_may_pass(error)
                reason, sqlstate = _reason(error), _sqlstate(error)
                log.warning(
                    "load_refused", load_id=load_id, attempt=attempt, reason=reason
                )
            else:
                return load_id
        self._guard()
        self._abort(load_id)
        return Refused(objects, reason, sqlstate)

    def _abort(self, load_id: str) -> None:
        self._step(lambda: self._pipeline.abort_packages(load_id))

    def _is_forgotten(self, load_id: str) -> bool:
        """Return whether the database lacks rows that the folder says it took.

        A server that crashed with `synchronous_commit=off`, a failover to a standby
        behind, or a restored backup forgets commits. dlt would load only the rest.
        """
        taken = {ROWS_TABLE: 0, LEDGER_TABLE: 0}
        jobs = self._pipeline.get_load_package_info(load_id).jobs
        for job in jobs["completed_jobs"]:
            table = job.job_file_info.table_name
            if table in taken and job.job_file_info.file_format == "parquet":
                taken[table] += pq.read_metadata(job.file_path).num_rows
        if not any(taken.values()):
            return False
        with connect(self._database_url) as connection:
            try:
                row = connection.execute(
                    statement("rows_of_load"), {"load_id": load_id}
                ).fetchone()
            # A restored database may not even have the tables.
            except psycopg.errors.UndefinedTable:
                return True
        rows, attempts = (int(str(count)) for count in row or (0, 0))
        return rows < taken[ROWS_TABLE] or attempts < taken[LEDGER_TABLE]

    def _raise_if_it_may_pass(self, error: PipelineStepFailed) -> None:
        """Raise UserError when a later run may load the package as it is."""
        connect(self._database_url).close()
        if (_sqlstate(error) or "").startswith(_PASSING):
            raise UserError(
                f"Postgres did not take the rows ({where(self._database_url)}): "
                f"{_reason(error)}. They are kept: mend that, then run again."
            ) from error

    def _normalized(self) -> list[str]:
        return sorted(self._pipeline.list_normalized_load_packages(), key=float)

    def _objects(self, load_id: str) -> list[S3Object]:
        jobs = self._pipeline.get_load_package_info(load_id).jobs
        return [
            landed
            for job in itertools.chain.from_iterable(jobs.values())
            if job.job_file_info.table_name == LEDGER_TABLE
            and job.job_file_info.file_format == "parquet"
            for landed in landed_in(Path(job.file_path))
        ]

    def _step(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except PipelineStepFailed as error:
            _raise_if_wrapped(error)
            raise UserError(
                f"dlt's step `{error.step}` failed ({where(self._database_url)}): "
                f"{_reason(error)}. Run again; what has landed is kept."
            ) from error


def _item(name: str, table: pa.Table) -> Any:
    hints = dlt.mark.make_hints(table_name=name, write_disposition="append")
    return dlt.mark.with_hints(table, hints, create_table_variant=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _raise_if_wrapped(error: PipelineStepFailed) -> None:
    """Raise what is no failure of the step, but was wrapped as one."""
    for cause in _causes(error):
        if isinstance(cause, KeyboardInterrupt | UserError):
            raise cause


def _sqlstate(error: PipelineStepFailed) -> str | None:
    for cause in _causes(error):
        if isinstance(cause, psycopg2.Error) and cause.pgcode:
            return str(cause.pgcode)
        if isinstance(cause, adbc_driver_manager.Error) and cause.sqlstate:
            return cause.sqlstate
    return None


def _reason(error: PipelineStepFailed) -> str:
    *_, root = _causes(error)
    return " ".join(str(root).split())[:500]
