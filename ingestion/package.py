"""One load package: rows of some objects, and the ledger rows that vouch for them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import structlog

from ingestion.attempts import Attempt, ledger_table
from ingestion.decode import decode, decode_simple, read_simple
from ingestion.fetch import Read, one_ahead, read_ahead, work_ahead
from ingestion.names import OUR_COLUMNS, TableColumns
from ingestion.objects import ObjectFailed, S3Object
from ingestion.progress import Progress
from ingestion.s3_errors import ConnectionFailed
from warehouse.errors import UserError

BUNDLE_ROWS = 100_000
BUNDLE_BYTES = 64 * 1024 * 1024
"""Rows are yielded in bundles of about this size: many small ones are slow, and memory
follows the large."""

READERS = 2
"""Threads that read parquet. Most of it is done outside of Python's lock."""

READ_TOGETHER = 16
READ_TOGETHER_BYTES = 1024 * 1024
"""Objects go to these threads in portions of no more: one by one, to hand them over
costs half of what reading them does."""

MAX_CONNECTION_FAILURES = 32
"""So many in a row are no longer the objects' own trouble."""

ROWS_TABLE = "twap_statuses"
LEDGER_TABLE = "s3_objects"

log = structlog.get_logger("ingestion.package")


class Package:
    """Reads and decodes objects while its tables are taken from it."""

    def __init__(
        self,
        objects: Sequence[S3Object],
        noted: Sequence[Attempt],
        *,
        read: Read,
        columns: TableColumns,
        progress: Progress,
    ) -> None:
        """`noted` are attempts that only the ledger shall hold: nothing is fetched."""
        self._objects = objects
        self._read = read
        self._columns = columns
        self._progress = progress
        self.attempts = list(noted)
        self.rows = 0
        self.stopped_by: UserError | None = None
        """Why the objects after the last attempt were not tried."""

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield (table name, rows) until all is read; the ledger rows come last.

        Never yields a table without rows, and nothing at all when the run must stop
        before any object was good.
        """
        bundle: list[pa.Table] = []
        rows = size = 0
        for table in self._decoded():
            bundle.append(table)
            rows += table.num_rows
            size += table.nbytes
            if rows >= BUNDLE_ROWS or size >= BUNDLE_BYTES:
                yield ROWS_TABLE, _together(bundle)
                bundle, rows, size = [], 0, 0
        if bundle:
            yield ROWS_TABLE, _together(bundle)
        good = any(attempt.outcome != "failed" for attempt in self.attempts)
        if self.attempts and (good or not self.stopped_by):
            yield LEDGER_TABLE, ledger_table(self.attempts)

    def _decoded(self) -> Iterator[pa.Table]:
        for run in one_ahead(_runs(self._opened())):
            try:
                yield self._decoded_together(run)
            except ObjectFailed:
                # Not all are simple, or one of them fails: one by one, it is known why.
                for fetched in run:
                    yield from self._decoded_alone(fetched)

    def _decoded_together(self, run: Sequence["_Opened"]) -> pa.Table:
        tables = [fetched.simple for fetched in run if fetched.simple is not None]
        if not tables:
            raise ObjectFailed
        self._columns.admit(tables[0].column_names)
        together = decode_simple(tables, [fetched.shown for fetched in run])
        for fetched, table in zip(run, tables, strict=True):
            self._note(fetched.shown, rows=table.num_rows)
        return together

    def _decoded_alone(self, fetched: "_Fetched") -> Iterator[pa.Table]:
        try:
            table = decode(fetched.body, fetched.shown)
            self._columns.admit(table.column_names)
        except ObjectFailed as failure:
            self._note_failure(fetched.shown, str(failure))
            return
        self._note(fetched.shown, rows=table.num_rows)
        if table.num_rows:
            yield table

    def _opened(self) -> Iterator["_Opened"]:
        """Yield what can be fetched, with its rows where they are simple."""
        ahead = work_ahead(
            _portions(self._fetched()),
            _open,
            size=lambda portion: sum(len(fetched.body) for fetched in portion),
            threads=READERS,
            max_items=2 * READERS,
            max_size=2 * READERS * READ_TOGETHER_BYTES,
        )
        for _, opened in ahead:
            yield from opened

    def _fetched(self) -> Iterator["_Fetched"]:
        """Yield what can be fetched, until S3 stops answering."""
        in_a_row = 0
        try:
            for shown, found in read_ahead(self._objects, self._read):
                self._progress.advance(1, shown.size)
                if not isinstance(found, ObjectFailed):
                    in_a_row = 0
                    yield _Fetched(shown, found)
                    continue
                self._note_failure(shown, str(found))
                in_a_row = in_a_row + 1 if isinstance(found, ConnectionFailed) else 0
                if in_a_row >= MAX_CONNECTION_FAILURES:
                    raise UserError(
                        f"S3 has stopped answering: {found}. "
                        "Check the network, then run again."
                    ) from found
        except UserError as error:
            self.stopped_by = error

    def _note(self, shown: S3Object, *, rows: int) -> None:
        self.rows += rows
        self.attempts.append(Attempt(shown, "landed", datetime.now(UTC), rows=rows))

    def _note_failure(self, shown: S3Object, reason: str) -> None:
        log.warning("object_failed", key=shown.key, etag=shown.etag, reason=reason)
        self.attempts.append(Attempt(shown, "failed", datetime.now(UTC), error=reason))


@dataclass(frozen=True, slots=True)
class _Fetched:
    shown: S3Object
    body: bytes


@dataclass(frozen=True, slots=True)
class _Opened(_Fetched):
    simple: pa.Table | None
    """Its rows, when they can be decoded together with those of others."""


def _portions(fetched: Iterable[_Fetched]) -> Iterator[list[_Fetched]]:
    portion: list[_Fetched] = []
    size = 0
    for one in fetched:
        full = len(portion) >= READ_TOGETHER
        if portion and (full or size + len(one.body) > READ_TOGETHER_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(one)
        size += len(one.body)
    if portion:
        yield portion


def _open(portion: Sequence[_Fetched]) -> list[_Opened]:
    return [_Opened(one.shown, one.body, read_simple(one.body)) for one in portion]


def _runs(opened: Iterable[_Opened]) -> Iterator[list[_Opened]]:
    """Yield all, in runs of simple objects of one schema, every other object alone."""
    run: list[_Opened] = []
    rows = size = 0
    for one in opened:
        full = rows >= BUNDLE_ROWS or size >= BUNDLE_BYTES
        if run and (full or not _is_alike(run[-1].simple, one.simple)):
            yield run
            run, rows, size = [], 0, 0
        run.append(one)
        if one.simple is not None:
            rows += one.simple.num_rows
            size += one.simple.get_total_buffer_size()
    if run:
        yield run


def _is_alike(one: pa.Table | None, other: pa.Table | None) -> bool:
    return one is not None and other is not None and one.schema.equals(other.schema)


def _together(bundle: Sequence[pa.Table]) -> pa.Table:
    """Return the tables as one, our columns last, absent columns null."""
    table = pa.concat_tables(bundle, promote_options="default")
    theirs = [name for name in table.column_names if name not in OUR_COLUMNS]
    return table.select([*theirs, *OUR_COLUMNS]).combine_chunks()
