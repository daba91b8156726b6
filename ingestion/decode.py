"""One parquet object as one Arrow table of text."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.names import check_names
from ingestion.nested import is_nested, json_text
from ingestion.objects import ObjectFailed, S3Object
from ingestion.text import AnyArray, TextRefused, plain, scalar_text

MAX_DECODED_BYTES = 512 * 1024 * 1024
"""What one object may become in memory; a small file can decode to gigabytes."""

_MAX_BATCH_ROWS = 65_536
_MIN_BATCH_ROWS = 64


def decode(
    body: bytes, source: S3Object, *, limit: int = MAX_DECODED_BYTES
) -> pa.Table:
    """Return the object's rows, every source column as text, and the address of each.

    Columns: the source's, in its order, as `string`; `_s3_object_key` and `_s3_etag`
    (string); `_row_number` (int64, the row's place in the file, from 0). An object
    without rows gives a table without rows.

    Raises ObjectFailed with a reason for whatever cannot be landed exactly.
    """
    if not body:
        raise ObjectFailed("it is empty (0 bytes)")
    try:
        return _decode(body, source, limit)
    except pa.ArrowNotImplementedError as error:
        raise ObjectFailed(f"its parquet cannot be read: {_line(error)}") from error
    # What pyarrow raises on a damaged or hostile file: ArrowInvalid is a ValueError (as
    # is UnicodeDecodeError), ArrowKeyError a KeyError, ArrowTypeError a TypeError.
    except (
        pa.ArrowException,
        ArithmeticError,
        LookupError,
        MemoryError,
        OSError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        if not body.startswith(b"PAR1"):
            raise ObjectFailed("it is not parquet") from error
        raise ObjectFailed(f"its parquet is damaged: {_line(error)}") from error


def _decode(body: bytes, source: S3Object, limit: int) -> pa.Table:
    file: Any = pq.ParquetFile(pa.BufferReader(body))
    schema = file.schema_arrow
    check_names(schema.names)
    if file.metadata.num_rows and not schema.names:
        raise ObjectFailed("it has rows, but no column")
    batches: list[Any] = []
    decoded = first_row = 0
    for group in range(file.num_row_groups):
        size = _uncompressed(file.metadata.row_group(group), limit)
        # No value is larger than the row group, so no batch than the limit.
        rows = min(max(limit // max(size, 1), _MIN_BATCH_ROWS), _MAX_BATCH_ROWS)
        for batch in file.iter_batches(rows, row_groups=[group], use_threads=False):
            batches.append(_text_batch(batch, first_row))
            first_row += batch.num_rows
            decoded += batches[-1].nbytes
            if decoded > limit:
                raise ObjectFailed(f"it decodes to more than {limit:,} bytes")
    texts = pa.schema([(name, pa.string()) for name in schema.names])
    return _with_address(pa.Table.from_batches(batches, texts), source)


def _uncompressed(group: Any, limit: int) -> int:
    """Return the row group's size by its metadata: no value in it is larger."""
    # Never group.column(): on damaged metadata it ends the process.
    size = int(group.total_byte_size)
    if size > limit:
        raise ObjectFailed(f"it decodes to more than {limit:,} bytes")
    return size


def _text_batch(batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            columns.append(_as_text(plain(column)))
        except TextRefused as refusal:
            place = f"row {first_row + refusal.row}"
            if is_nested(column.type):
                place = "a nested value"
            raise ObjectFailed(f"column {name!r}, {place}: {refusal.what}") from None
        except ObjectFailed as failure:
            raise ObjectFailed(f"column {name!r}: {failure}") from None
    return pa.record_batch(columns, names=batch.schema.names)


def _as_text(array: AnyArray) -> AnyArray:
    return json_text(array) if is_nested(array.type) else scalar_text(array)


def _with_address(table: pa.Table, source: S3Object) -> pa.Table:
    rows = table.num_rows
    columns = [
        *table.columns,
        pa.repeat(pa.scalar(source.key, pa.string()), rows),
        pa.repeat(pa.scalar(source.etag, pa.string()), rows),
        pa.array(range(rows), pa.int64()),
    ]
    names = [*table.schema.names, "_s3_object_key", "_s3_etag", "_row_number"]
    return pa.table(columns, names=names)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
