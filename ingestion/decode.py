"""Parquet objects as Arrow tables of text."""

from collections.abc import Sequence
from functools import lru_cache, reduce
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.names import check_names
from ingestion.nested import is_nested, json_text
from ingestion.objects import ObjectFailed, S3Object
from ingestion.text import AnyArray, TextRefused, is_simple, plain, scalar_text

MAX_DECODED_BYTES = 512 * 1024 * 1024
"""What one object may become in memory; a small file can decode to gigabytes."""

MAX_ROW_BYTES = 16 * 1024 * 1024
"""What one row may be as text: Postgres makes no JSON of 256 MiB or 17 million values,
and a build makes several texts of one row."""

MAX_SIMPLE_BYTES = 1024 * 1024
"""What a simple object may become in memory; many are held at once."""

_MAX_SIMPLE_EXPANSION = 64 * 1024 * 1024

_MAX_BATCH_ROWS = 65_536
_MIN_BATCH_ROWS = 64
_MOST_BATCHES = 1000

# What pyarrow-stubs lack.
_arrow: Any = pa
_compute: Any = pc

# What pyarrow raises on a damaged or hostile file: ArrowInvalid is a ValueError (as is
# UnicodeDecodeError), ArrowKeyError a KeyError, ArrowTypeError a TypeError.
_DAMAGED = (
    pa.ArrowException,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)


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
    except _DAMAGED as error:
        if not body.startswith(b"PAR1"):
            raise ObjectFailed("it is not parquet") from error
        raise ObjectFailed(f"its parquet is damaged: {_line(error)}") from error


def read_simple(body: bytes) -> pa.Table | None:
    """Return the rows of a small object of simple columns, each in its own type.

    Returns None for any other object, which `decode` decodes, or says what is wrong.
    """
    try:
        file = _parquet(body)
        rows = file.metadata.num_rows
        groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
        # No value is larger than its row group.
        largest = rows * sum(group.total_byte_size for group in groups)
        if largest > _MAX_SIMPLE_EXPANSION or not _is_simple(file.schema_arrow):
            return None
        table: pa.Table = file.read(use_threads=False)
    except (ObjectFailed, *_DAMAGED):
        return None
    small = table.get_total_buffer_size() <= MAX_SIMPLE_BYTES
    return table if 0 < table.num_rows == rows and small else None


@lru_cache(maxsize=16)
def _is_simple(schema: pa.Schema) -> bool:
    check_names(schema.names)
    return all(map(is_simple, schema.types))


def decode_simple(tables: Sequence[pa.Table], sources: Sequence[S3Object]) -> pa.Table:
    """Return what `decode` would return for each of these, as one table.

    The tables are of one schema. Many small objects at once cost a fifth of one by one.
    Raises ObjectFailed when one of them cannot be landed, without saying which.
    """
    together = pa.concat_tables(tables).combine_chunks()
    (batch,) = together.to_batches()
    rows = [table.num_rows for table in tables]
    texts = pa.Table.from_batches([_text_batch(batch, 0)])
    return _addressed(texts, sources, rows, MAX_DECODED_BYTES)


def _decode(body: bytes, source: S3Object, limit: int) -> pa.Table:
    file = _parquet(body)
    schema = file.schema_arrow
    check_names(schema.names)
    if file.metadata.num_rows and not schema.names:
        raise ObjectFailed("it has rows, but no column")
    batches: list[Any] = []
    decoded = first_row = 0
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        size = _uncompressed(metadata, limit)
        # No value is larger than the row group, so no batch than the limit, unless the
        # rows are so many that there would be too many batches.
        least = min(max(metadata.num_rows // _MOST_BATCHES, 1), _MIN_BATCH_ROWS)
        rows = min(max(limit // max(size, 1), least), _MAX_BATCH_ROWS)
        for batch in file.iter_batches(rows, row_groups=[group], use_threads=False):
            batches.append(_text_batch(batch, first_row))
            first_row += batch.num_rows
            decoded += batches[-1].nbytes
            if decoded > limit:
                raise ObjectFailed(f"it decodes to more than {limit:,} bytes")
    texts = pa.schema([(name, pa.string()) for name in schema.names])
    table = pa.Table.from_batches(batches, texts)
    rows = file.metadata.num_rows
    if table.num_rows != rows:
        raise ObjectFailed(
            f"its parquet is damaged: it tells of {rows:,} rows, and has "
            f"{table.num_rows:,}"
        )
    return _addressed(table, [source], [table.num_rows], limit)


def _parquet(body: bytes) -> Any:
    """Return the file; to read a page that its checksum does not fit raises OSError."""
    return pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)


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
    texts = pa.record_batch(columns, names=batch.schema.names)
    _check_rows(texts, first_row)
    return texts


def _check_rows(texts: pa.RecordBatch, first_row: int) -> None:
    if texts.nbytes <= MAX_ROW_BYTES:
        return
    lengths = [
        _compute.binary_length(column).cast(pa.int64()) for column in texts.columns
    ]
    sizes = reduce(_compute.add, [length.fill_null(0) for length in lengths])
    row = _compute.index(_compute.greater(sizes, MAX_ROW_BYTES), True).as_py()
    if row >= 0:
        raise ObjectFailed(
            f"row {first_row + row} is larger than {MAX_ROW_BYTES:,} bytes"
        )


def _as_text(array: AnyArray) -> AnyArray:
    return json_text(array) if is_nested(array.type) else scalar_text(array)


def _addressed(
    table: pa.Table, sources: Sequence[S3Object], rows: Sequence[int], limit: int
) -> pa.Table:
    """Return the table with the address of each row: so many of each source follow.

    Raises ObjectFailed when a part of the addresses would take more bytes than the
    limit: Arrow counts them in 32 bits, and would go on with wrong ones.
    """
    if not table.num_rows:
        sources, rows = [], []
    ends = pa.array(accumulate(rows), pa.int32())

    def repeated(texts: list[str]) -> AnyArray:
        if sum(len(t.encode()) * n for t, n in zip(texts, rows, strict=True)) > limit:
            raise ObjectFailed(
                f"the addresses of its rows take more than {limit:,} bytes"
            )
        runs = _arrow.RunEndEncodedArray.from_arrays(ends, pa.array(texts, pa.string()))
        return _compute.run_end_decode(runs)

    numbers = pa.chunked_array([_arrow.arange(0, count) for count in rows], pa.int64())
    return (
        table.append_column("_s3_object_key", repeated([one.key for one in sources]))
        .append_column("_s3_etag", repeated([one.etag for one in sources]))
        .append_column("_row_number", numbers.combine_chunks())
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
