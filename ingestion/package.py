"""One load package: rows of some objects, and the ledger rows that vouch for them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import structlog

from ingestion.attempts import Attempt, ledger_table
from ingestion.decode import decode
from ingestion.fetch import Body, Read, read_ahead
from ingestion.names import OUR_COLUMNS, TableColumns
from ingestion.objects import ObjectFailed, S3Object
from ingestion.progress import Progress
from ingestion.s3_errors import ConnectionFailed
from warehouse.errors import UserError

BUNDLE_ROWS = 100_000
BUNDLE_BYTES = 64 * 1024 * 1024
"""Rows are yielded in bundles of about this size: many small ones are slow, and memory
follows the large."""

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
        in_a_row = 0
        try:
            for shown, body in read_ahead(self._objects, self._read):
                try:
                    table = self._admitted(shown, body)
                except ObjectFailed as failure:
                    self._note_failure(shown, str(failure))
                    in_a_row = (
                        in_a_row + 1 if isinstance(failure, ConnectionFailed) else 0
                    )
                    if in_a_row >= MAX_CONNECTION_FAILURES:
                        raise UserError(
                            f"S3 has stopped answering: {failure}. "
                            "Check the network, then run again."
                        ) from failure
                    continue
                in_a_row = 0
                self._note(shown, rows=table.num_rows)
                if table.num_rows:
                    yield table
        except UserError as error:
            self.stopped_by = error

    def _admitted(self, shown: S3Object, body: Body) -> pa.Table:
        if isinstance(body, ObjectFailed):
            raise body
        table = decode(body, shown)
        self._columns.admit(table.column_names)
        return table

    def _note(self, shown: S3Object, *, rows: int) -> None:
        self.rows += rows
        self.attempts.append(Attempt(shown, "landed", datetime.now(UTC), rows=rows))
        self._progress.advance(1, shown.size)

    def _note_failure(self, shown: S3Object, reason: str) -> None:
        log.warning("object_failed", key=shown.key, etag=shown.etag, reason=reason)
        self.attempts.append(Attempt(shown, "failed", datetime.now(UTC), error=reason))
        self._progress.advance(1, shown.size)


def _together(bundle: Sequence[pa.Table]) -> pa.Table:
    """Return the tables as one, our columns last, absent columns null."""
    table = pa.concat_tables(bundle, promote_options="default")
    theirs = [name for name in table.column_names if name not in OUR_COLUMNS]
    return table.select([*theirs, *OUR_COLUMNS]).combine_chunks()
