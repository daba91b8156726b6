"""A file of comma-separated values, by RFC 4180.

Every text stands in quotes and nothing else does, so an empty text differs from null.
"""

from collections.abc import AsyncIterator
from typing import Final

COLUMNS: Final = (
    "twap_id",
    "wallet",
    "asset",
    "side",
    "status",
    "status_error",
    "duration_minutes",
    "reduce_only",
    "randomize",
    "started_at",
    "latest_ts",
    "ended_at",
    "size_requested",
    "size_executed",
    "notional_executed",
    "average_price",
    "s3_object_key",
    "s3_etag",
    "row_number",
)
"""The columns in the order of api/sql/pieces/csv_row.sql."""

FORMULA: Final = ["=", "+", "-", "@", "\t", "\r"]
"""What a text begins with that a spreadsheet takes for a formula."""


async def csv_file(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the file, of rows that Postgres wrote."""
    yield (",".join(COLUMNS) + "\r\n").encode()
    async for rows in chunks:
        yield rows
