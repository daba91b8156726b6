"""The ways in which publishers write the same TWAP events as parquet.

Three things vary on their own, and each is a table of functions here: how times are
written, how errors are worded, and how the rest of the columns are stored.
"""

import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sandbox.twaps import NS_PER_MS, NS_PER_SECOND, Event

Columns = dict[str, Any]
"""The Arrow columns of an object by their published names."""

NAMES = (
    "twap_id",
    "time",
    "state_coin",
    "state_user",
    "state_side",
    "state_sz",
    "state_executedSz",
    "state_executedNtl",
    "state_minutes",
    "state_reduceOnly",
    "state_randomize",
    "state_timestamp",
    "status",
    "status_error",
)
"""The columns as published, in the order of `Event`."""

ONLY_ERRORS = "error_struct"
"""The one form of errors that can say nothing else: for objects of failed TWAPs."""

AMOUNTS = ("state_sz", "state_executedSz", "state_executedNtl")


def _timestamps(unit: str, zone: str | None = None) -> Callable[[list[int]], Any]:
    divisor = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_SECOND}[unit]
    kind: Any = pa.timestamp(unit, zone)

    def written(times_ns: list[int]) -> Any:
        return pa.array([time // divisor for time in times_ns], pa.int64()).cast(kind)

    return written


def _integers(divisor: int) -> Callable[[list[int]], Any]:
    return lambda times_ns: pa.array([time // divisor for time in times_ns], pa.int64())


def _iso(suffix: str) -> Callable[[list[int]], Any]:
    def text(time_ns: int) -> str:
        seconds, rest = divmod(time_ns, NS_PER_SECOND)
        moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{moment}.{rest:09}{suffix}"

    return lambda times_ns: pa.array([text(time) for time in times_ns])


def _milliseconds_read_as_nanoseconds(times_ns: list[int]) -> Any:
    milliseconds = pa.array([time // NS_PER_MS for time in times_ns], pa.int64())
    return milliseconds.cast(pa.timestamp("ns"))


def _floats(times_ns: list[int]) -> Any:
    return pa.array([float(time // NS_PER_MS) for time in times_ns], pa.float64())


TIMES: dict[str, Callable[[list[int]], Any]] = {
    "timestamp_ns": _timestamps("ns"),
    "timestamp_us": _timestamps("us"),
    "timestamp_ms": _timestamps("ms"),
    "timestamp_s": _timestamps("s"),
    "timestamp_ns_utc": _timestamps("ns", "UTC"),
    "timestamp_ms_tokyo": _timestamps("ms", "Asia/Tokyo"),
    "iso": _iso(""),
    "iso_utc": _iso("Z"),
    "integer_ns": _integers(1),
    "integer_us": _integers(1_000),
    "integer_ms": _integers(NS_PER_MS),
    "integer_s": _integers(NS_PER_SECOND),
    "milliseconds_in_timestamp_ns": _milliseconds_read_as_nanoseconds,
    "float_ms": _floats,
}


def _worded(
    columns: Columns, events: Sequence[Event], wording: Callable[[str], str]
) -> None:
    columns["status"] = pa.array(
        [
            event.status if event.status_error is None else wording(event.status_error)
            for event in events
        ]
    )
    del columns["status_error"]


def _error_object(columns: Columns, events: Sequence[Event]) -> None:
    _worded(columns, events, lambda message: json.dumps({"error": message}))


def _description_object(columns: Columns, events: Sequence[Event]) -> None:
    _worded(
        columns,
        events,
        lambda message: json.dumps({"status": "error", "description": message}),
    )


def _prefixed(columns: Columns, events: Sequence[Event]) -> None:
    _worded(columns, events, lambda message: f"error: {message}")


def _null_status(columns: Columns, events: Sequence[Event]) -> None:
    columns["status"] = pa.array(
        [event.status if event.status_error is None else None for event in events],
        pa.string(),
    )


def _struct(columns: Columns, events: Sequence[Event]) -> None:
    columns["status"] = pa.array(
        [
            {"status": event.status, "description": event.status_error}
            for event in events
        ],
        pa.struct([("status", pa.string()), ("description", pa.string())]),
    )
    del columns["status_error"]


def _error_struct(columns: Columns, events: Sequence[Event]) -> None:
    columns["status"] = pa.array(
        [{"error": event.status_error} for event in events],
        pa.struct([("error", pa.string())]),
    )
    del columns["status_error"]


ERRORS: dict[str, Callable[[Columns, Sequence[Event]], None]] = {
    "status_error_column": lambda _columns, _events: None,
    "error_object": _error_object,
    "description_object": _description_object,
    "prefixed": _prefixed,
    "null_status": _null_status,
    "struct": _struct,
    ONLY_ERRORS: _error_struct,
}


def _upper_case_wallets(columns: Columns, events: Sequence[Event]) -> None:
    columns["state_user"] = pa.array(
        [f"0x{event.user[2:].upper()}" for event in events], pa.string()
    )


def _text_ids(columns: Columns, events: Sequence[Event]) -> None:
    columns["twap_id"] = pa.array(
        [f"{event.twap_id}.0" for event in events], pa.string()
    )


def _float_ids(columns: Columns, _events: Sequence[Event]) -> None:
    columns["twap_id"] = columns["twap_id"].cast(pa.float64())


def _decimals(columns: Columns, _events: Sequence[Event]) -> None:
    for name in AMOUNTS:
        columns[name] = columns[name].cast(pa.decimal128(38, 8))


def _dictionaries(columns: Columns, _events: Sequence[Event]) -> None:
    for name in ("state_coin", "state_user", "state_side"):
        columns[name] = columns[name].dictionary_encode()


def _all_text(columns: Columns, events: Sequence[Event]) -> None:
    columns["state_minutes"] = pa.array(
        [f"{event.minutes}.0" for event in events], pa.string()
    )
    for name in ("state_reduceOnly", "state_randomize"):
        columns[name] = columns[name].cast(pa.string())


def _unseen_columns(columns: Columns, events: Sequence[Event]) -> None:
    columns["state_stopPx"] = pa.array(
        [f"{event.minutes}.5" if event.minutes > 60 else None for event in events],
        pa.string(),
    )
    columns["state_trigger"] = pa.array(
        [
            {"isMarket": True, "triggerPx": event.size, "steps": [1, event.minutes]}
            if event.minutes > 120
            else None
            for event in events
        ],
        pa.struct(
            [
                ("isMarket", pa.bool_()),
                ("triggerPx", pa.string()),
                ("steps", pa.list_(pa.int64())),
            ]
        ),
    )


def _first_row_without_a_wallet(columns: Columns, events: Sequence[Event]) -> None:
    columns["state_user"] = pa.array(
        [event.user if position else None for position, event in enumerate(events)],
        pa.string(),
    )


STORAGE: dict[str, Callable[[Columns, Sequence[Event]], None]] = {
    "plain": lambda _columns, _events: None,
    "upper_case_wallets": _upper_case_wallets,
    "text_ids": _text_ids,
    "float_ids": _float_ids,
    "decimals": _decimals,
    "dictionaries": _dictionaries,
    "all_text": _all_text,
    "unseen_columns": _unseen_columns,
    "first_row_without_a_wallet": _first_row_without_a_wallet,
}


def write(
    events: Sequence[Event],
    times: str = "timestamp_ns",
    errors: str = "status_error_column",
    storage: str = "plain",
) -> bytes:
    """Return a parquet object with a row per event, written in the named ways."""
    fields: Any = list(zip(*events, strict=True)) or [()] * len(NAMES)
    columns: Columns = dict(zip(NAMES, fields, strict=True))
    written = TIMES[times]
    placed_ns = [placed_ms * NS_PER_MS for placed_ms in fields[11]]
    columns |= {
        "twap_id": pa.array(fields[0], pa.int64()),
        "time": written(list(fields[1])),
        **{name: pa.array(columns[name], pa.string()) for name in NAMES[2:8]},
        "state_minutes": pa.array(fields[8], pa.int64()),
        "state_reduceOnly": pa.array(fields[9], pa.bool_()),
        "state_randomize": pa.array(fields[10], pa.bool_()),
        "state_timestamp": written(placed_ns),
        "status": pa.array(fields[12], pa.string()),
        "status_error": pa.array(fields[13], pa.string()),
    }
    ERRORS[errors](columns, events)
    STORAGE[storage](columns, events)
    return _bytes(pa.table(columns))


def write_rows(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return a parquet object of rows as a JSON file has them.

    A column whose values differ in type, or are objects, is written as text: objects as
    JSON, all else as it stands.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if len(kinds) > 1 or dict in kinds:
            values = [
                json.dumps(value) if isinstance(value, dict) else value and str(value)
                for value in values
            ]
        columns[name] = pa.array(values) if kinds else pa.array(values, pa.string())
    return _bytes(pa.table(columns))


def _bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
