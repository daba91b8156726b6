"""A parquet file, made of CSV rows: exact decimals, moments in microseconds."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from api.csv_file import COLUMNS
from api.errors import bad_parameter

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_IN_GROUP: Final = 10_000
"""What waits in memory until it is written: some 4 MB."""

DECIMALS: Final = (
    "size_requested",
    "size_executed",
    "notional_executed",
    "average_price",
)
USUAL_SCALE: Final = 18
SHORT_DIGITS: Final = 38
LONG_DIGITS: Final = 76


def parquet_schema(digits: Any, metadata: Mapping[str, str]) -> "pa.Schema":
    """Return the file's columns, wide enough for numbers of so many digits.

    `digits` has, for each decimal column, the most digits before the point (`…_whole`)
    and behind it (`…_scale`), None where it has no number. Raises ApiError (422) for
    numbers that no decimal of parquet can hold.
    """
    # Costs 30 MB, which a server that writes no parquet saves.
    import pyarrow as pa

    moment = pa.timestamp("us", tz="UTC")
    types: dict[str, pa.DataType] = {
        **dict.fromkeys(COLUMNS, pa.string()),
        "duration_minutes": pa.int32(),
        "reduce_only": pa.bool_(),
        "randomize": pa.bool_(),
        "started_at": moment,
        "latest_ts": moment,
        "ended_at": moment,
        "row_number": pa.int64(),
    }
    for name in DECIMALS:
        whole = getattr(digits, f"{name}_whole") or 0
        scale = max(USUAL_SCALE, getattr(digits, f"{name}_scale") or 0)
        if whole + scale > LONG_DIGITS:
            raise bad_parameter(
                "not_representable",
                "format",
                f"`{name}` has numbers that need more than the {LONG_DIGITS} digits of "
                "parquet. Write format=csv",
            )
        short = whole + scale <= SHORT_DIGITS
        types[name] = (
            pa.decimal128(SHORT_DIGITS, scale)
            if short
            else pa.decimal256(LONG_DIGITS, scale)
        )
    return pa.schema(
        [(name, types[name]) for name in COLUMNS],
        {name.encode(): text.encode() for name, text in metadata.items()},
    )


async def parquet_file(
    chunks: AsyncIterator[bytes], schema: "pa.Schema"
) -> AsyncIterator[bytes]:
    """Yield the file, of CSV rows that Postgres wrote."""
    writer = _Writer(schema)
    async for rows in chunks:
        yield await asyncio.to_thread(writer.add, rows)
    yield await asyncio.to_thread(writer.close)


class _Writer:
    """Turns rows into bytes; what is not yet full enough for a row group waits."""

    def __init__(self, schema: "pa.Schema") -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._schema = schema
        self._written = _Written()
        sink = pa.PythonFile(self._written, mode="w")
        self._file = parquet.ParquetWriter(sink, schema, compression="zstd")
        self._waiting: list[pa.Table] = []

    def add(self, rows: bytes) -> bytes:
        import pyarrow as pa

        self._waiting.append(_read_rows(rows, self._schema))
        if sum(table.num_rows for table in self._waiting) >= ROWS_IN_GROUP:
            self._write_group()
        # Else Arrow keeps some 40 MB of what it has freed.
        pa.default_memory_pool().release_unused()
        return self._written.take()

    def close(self) -> bytes:
        if self._waiting:
            self._write_group()
        self._file.close()
        return self._written.take()

    def _write_group(self) -> None:
        import pyarrow as pa

        self._file.write_table(pa.concat_tables(self._waiting))
        self._waiting.clear()


class _Written(io.RawIOBase):
    """What has been written and not taken yet."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._bytes += data
        return len(data)

    def tell(self) -> int:
        return self._taken + len(self._bytes)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._taken += len(taken)
        self._bytes.clear()
        return taken


def _read_rows(rows: bytes, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa
    from pyarrow import csv

    # Arrow reads no long decimal from CSV, but makes one of a text.
    readable = {
        field.name: pa.string() if pa.types.is_decimal256(field.type) else field.type
        for field in schema
    }
    table = csv.read_csv(
        io.BytesIO(rows),
        # One block, since a row must lie within one.
        csv.ReadOptions(
            column_names=list(COLUMNS), use_threads=False, block_size=len(rows)
        ),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types=readable,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return table.cast(schema)
