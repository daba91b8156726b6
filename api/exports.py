"""A whole answer as a file: of one snapshot, in constant memory, whole or broken off.

A client must be able to tell a whole file from a part of one. So what can be refused is
refused before the first byte, and what fails later breaks the connection.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.certificate import Coverage
from api.csv_file import FORMULA, csv_file
from api.database import Database, Snapshot, not_built
from api.errors import ApiError
from api.instants import format_instant
from api.parquet_file import parquet_file, parquet_schema
from api.versions import DataVersion, not_modified
from api.window import Window

if TYPE_CHECKING:
    import pyarrow as pa

MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
"""The formats, the one first that is meant by none, and what HTTP calls them."""

ROWS_IN_CHUNK: Final = 1_000
"""How many rows Postgres writes at once: some 350 KB, which stay in its cache."""

BYTES_AT_ONCE: Final = 1 << 16
SEND_SECONDS: Final = 60.0
"""How long a client may take to make room for BYTES_AT_ONCE more."""

MAX_SECONDS: Final = 600.0
"""How long a file may take: the marts' tables cannot be replaced meanwhile."""

T = TypeVar("T")

log = structlog.stdlib.get_logger("api")


class BrokenExportError(Exception):
    """A file that cannot be written to its end: its connection must be broken."""


@dataclass(frozen=True)
class Export:
    """What is asked for: a wallet's TWAPs in their states as of a window's end.

    `filters` has each filter by its name, None where it lets everything pass; `format`
    is one of MEDIA_TYPES; `spreadsheet` is whether a CSV's formulas are made harmless.
    """

    wallet: str
    window: Window
    filters: Mapping[str, str | None]
    format: str
    spreadsheet: bool

    @property
    def filename(self) -> str:
        """A name of characters that every file system takes.

        It says what is left out, so that a part is not taken for the whole.
        """
        start, end = format_instant(self.window.start), format_instant(self.window.end)
        parts = ["twaps", self.wallet, start, end]
        parts += [f"{name}-{text}" for name, text in self.filters.items() if text]
        if self.spreadsheet:
            parts.append("spreadsheet")
        name = f"{'_'.join(parts)}.{self.format}"
        return re.sub(r"[^A-Za-z0-9._-]", "", name)

    def values(self) -> dict[str, object]:
        """Return what the queries are asked with."""
        return {
            "wallet": self.wallet,
            "start": self.window.start,
            "as_of": self.window.end,
            **self.filters,
            "chunk_size": ROWS_IN_CHUNK,
            "spreadsheet": self.spreadsheet,
            "formula": FORMULA,
            "with_raw": False,
            "with_provenance": False,
        }


class ExportResponse(Response):
    """Answers with the file, or, when only the headers are asked for, with these.

    Raises ApiError before the first byte: as Database.snapshot does, and 422 for what
    the format cannot hold. Later raises BrokenExportError.
    """

    def __init__(self, request: Request, export: Export) -> None:
        super().__init__(media_type=MEDIA_TYPES[export.format])
        self._request = request
        self._export = export

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, in little memory, and not for longer than MAX_SECONDS."""
        started = False

        async def send_in_time(message: Message) -> None:
            nonlocal started
            started = True
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        try:
            async with asyncio.timeout(MAX_SECONDS):
                held = await _unless_gone(receive, self._write(send_in_time))
        except ClientDisconnect:
            return
        except (ApiError, psycopg.Error, TimeoutError) as error:
            if not started:
                raise
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            log.error("export broken off", path=scope["path"], reason=reason)
            raise BrokenExportError(reason) from None
        if held:
            await held(scope, receive, send)
        else:
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send) -> Response | None:
        """Send all but the end; or return the 304, and send nothing."""
        request, export = self._request, self._export
        database: Database = request.app.state.database
        async with database.snapshot() as snapshot:
            version = await _version(snapshot)
            headers = version.headers(request, MEDIA_TYPES[export.format])
            held = not_modified(request, headers)
            if held:
                return held
            values = export.values()
            (counted,) = await snapshot.fetch("export_count", values)
            disposition = f'attachment; filename="{export.filename}"'
            headers |= {
                "Content-Disposition": disposition,
                "Content-Type": MEDIA_TYPES[export.format],
                "X-Row-Count": str(counted.rows),
            }
            schema = None
            if export.format == "parquet":
                # Refuses what parquet cannot hold, so before the first byte.
                (digits,) = await snapshot.fetch("export_digits", values)
                schema = parquet_schema(digits, _metadata(export, headers))
            if getattr(request.state, "headers_only", False):
                await send(_start(headers))
                return None
            values["first_ts"] = counted.first_ts
            values["first_twap_id"] = counted.first_twap_id
            async with aclosing(_chunks(snapshot, export, values)) as chunks:
                pieces = _pieces(_file(export, chunks, schema))
                # Read before the start is sent: until then a failure can be refused.
                piece = await anext(pieces, b"")
                await send(_start(headers))
                await send(_body(piece))
                async for piece in pieces:
                    await send(_body(piece))
        return None


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; raises ClientDisconnect if the client goes first.

    The work is then cancelled once, not over and over, so that it can leave in good
    order.
    """

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    working = asyncio.create_task(work)
    watching = asyncio.create_task(gone())
    watching.add_done_callback(lambda _: working.cancel())
    try:
        return await working
    except asyncio.CancelledError:
        if watching.done():
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


async def _version(snapshot: Snapshot) -> DataVersion:
    facts = await snapshot.fetch("certificate", {})
    if not facts:
        raise not_built()
    return Coverage(facts[0]).version


async def _chunks(
    snapshot: Snapshot, export: Export, values: Mapping[str, object]
) -> AsyncGenerator[bytes, None]:
    """Yield the rows as Postgres writes them, many at once."""
    query = "export_ndjson" if export.format == "ndjson" else "export_csv"
    async with aclosing(snapshot.stream(query, values)) as chunks:
        async for chunk in chunks:
            yield chunk.rows


def _file(
    export: Export, chunks: AsyncIterator[bytes], schema: "pa.Schema | None"
) -> AsyncIterator[bytes]:
    """Return the file, piece by piece."""
    if schema:
        return parquet_file(chunks, schema)
    if export.format == "csv":
        return csv_file(chunks)
    return chunks


async def _pieces(file: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a file in pieces of BYTES_AT_ONCE, none of them empty."""
    async for part in file:
        for at in range(0, len(part), BYTES_AT_ONCE):
            yield part[at : at + BYTES_AT_ONCE]


def _metadata(export: Export, headers: Mapping[str, str]) -> dict[str, str]:
    return {
        "wallet": export.wallet,
        "start": format_instant(export.window.start),
        "end": format_instant(export.window.end),
        "data_version": headers["X-Data-Version"],
        "row_count": headers["X-Row-Count"],
    }


def _start(headers: Mapping[str, str]) -> Message:
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in headers.items()
        ],
    }


def _body(piece: bytes) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}
