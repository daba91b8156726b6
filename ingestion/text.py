"""One Arrow column of plain values as text, exactly as published."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.objects import ObjectFailed

AnyArray = Any
"""An Arrow array of any type: pyarrow-stubs cannot say that."""

# Functions that pyarrow-stubs lack or type too narrowly.
_compute: Any = pc


class TextRefused(ObjectFailed):
    """A text that Postgres cannot hold. `row` counts from 0 within the array."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row
        self.what = what


def plain(array: AnyArray) -> AnyArray:
    """Return the array without dictionary, run-end or extension encoding."""
    while True:
        kind = array.type
        if isinstance(kind, pa.BaseExtensionType):
            array = array.storage
        elif pa.types.is_dictionary(kind):
            array = array.dictionary_decode()
        elif pa.types.is_run_end_encoded(kind):
            array = _compute.run_end_decode(array)
        else:
            return array


def scalar_text(array: AnyArray) -> AnyArray:
    """Return the plain array as strings, nulls kept.

    Text and decimals stay verbatim, never in exponent form; integers, timestamps and
    durations are the raw integer, in the column's own unit; floats are the shortest
    text that reads back the same; dates and times are ISO 8601; binary is its text when
    it is one, else `\\x` and hex.

    Raises TextRefused for a text that Postgres cannot hold.
    """
    kind = array.type
    if is_text(kind):
        text = array.cast(pa.string())
        _check(text)
        return text
    if _is_binary(kind):
        return _binary_text(array)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return array.cast(pa.int64()).cast(pa.string())
    if pa.types.is_decimal(kind):
        return _decimal_text(array)
    if pa.types.is_date64(kind):
        # Its own text would show a time of day.
        return array.cast(pa.date32()).cast(pa.string())
    return array.cast(pa.string())


def is_simple(kind: pa.DataType) -> bool:
    """Return whether a column of the type is soon made text, whatever it holds.

    That is so for the types of all that the publisher is known to write.
    """
    return (
        pa.types.is_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_timestamp(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Return whether the type holds text, in any of Arrow's layouts."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
    )


def _is_binary(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _check(array: AnyArray) -> None:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raise TextRefused(
            _first_row(array, lambda value: not _is_utf8(value)),
            "text that is not UTF-8",
        ) from None
    data = array.buffers()[2]
    # The buffer may hold more than the array: it only says where to look closer.
    if data is not None and b"\0" in data.to_pybytes():
        row = _compute.index(pc.match_substring(array, "\0"), True).as_py()
        if row >= 0:
            raise TextRefused(row, "a NUL character")


def _first_row(array: AnyArray, holds: Callable[[bytes], bool]) -> int:
    raw = array.view(pa.binary()).to_pylist()
    return next(
        row for row, value in enumerate(raw) if value is not None and holds(value)
    )


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _binary_text(array: AnyArray) -> AnyArray:
    def text(value: bytes) -> str:
        if b"\0" not in value and _is_utf8(value):
            return value.decode()
        return f"\\x{value.hex()}"

    values = array.to_pylist()
    return pa.array(
        [None if value is None else text(value) for value in values], pa.string()
    )


def _decimal_text(array: AnyArray) -> AnyArray:
    text = array.cast(pa.string())
    if not pc.any(pc.match_substring(text, "E")).as_py():
        return text
    values = text.to_pylist()
    return pa.array(
        [None if value is None else format(Decimal(value), "f") for value in values],
        pa.string(),
    )
