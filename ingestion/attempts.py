"""The ledger rows that a run writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.objects import S3Object

_FIELDS: list[Any] = [
    pa.field("object_key", pa.string(), nullable=False),
    pa.field("etag", pa.string(), nullable=False),
    pa.field("size_bytes", pa.int64(), nullable=False),
    pa.field("last_modified", pa.timestamp("us", "UTC"), nullable=False),
    pa.field("outcome", pa.string(), nullable=False),
    pa.field("rows", pa.int64()),
    pa.field("error", pa.string()),
    pa.field("attempt", pa.int64(), nullable=False),
    pa.field("attempted_at", pa.timestamp("us", "UTC"), nullable=False),
]

LEDGER_SCHEMA = pa.schema(_FIELDS)


MAX_ERROR_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt at an object came to.

    `rows` is set unless it failed, `error` only if it did.
    """

    object: S3Object
    outcome: Literal["landed", "known", "failed"]
    attempted_at: datetime
    rows: int | None = None
    error: str | None = None


def ledger_table(attempts: Sequence[Attempt]) -> pa.Table:
    """Return the attempts of one load as ledger rows, numbered in the given order."""
    return pa.Table.from_pylist(
        [
            {
                "object_key": attempt.object.key,
                "etag": attempt.object.etag,
                "size_bytes": attempt.object.size,
                "last_modified": attempt.object.last_modified,
                "outcome": attempt.outcome,
                "rows": attempt.rows,
                "error": attempt.error and _storable(attempt.error),
                "attempt": number,
                "attempted_at": attempt.attempted_at,
            }
            for number, attempt in enumerate(attempts)
        ],
        LEDGER_SCHEMA,
    )


def landed_in(ledger_file: Path) -> list[S3Object]:
    """Return the objects that a load file with ledger rows calls landed."""
    columns = ["object_key", "etag", "size_bytes", "last_modified", "outcome"]
    table = pq.read_table(ledger_file, columns=columns)
    return [
        S3Object(
            row["object_key"], row["etag"], row["size_bytes"], row["last_modified"]
        )
        for row in table.to_pylist()
        if row["outcome"] == "landed"
    ]


def _storable(text: str) -> str:
    """Return the text, not too long, with what Postgres refuses as an escape."""
    escaped = text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
    return escaped[:MAX_ERROR_LENGTH]
