"""Struct, list and map columns as JSON text."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.objects import ObjectFailed
from ingestion.text import AnyArray, is_text, plain, scalar_text

_T = TypeVar("_T")


def is_nested(kind: pa.DataType) -> bool:
    """Return whether a value of the type holds other values."""
    return pa.types.is_nested(kind) and not pa.types.is_union(kind)


def json_text(array: AnyArray) -> AnyArray:
    """Return each value of a nested array as JSON text, a null as null.

    Integers, booleans, floats, timestamps and durations go in bare; all else, also NaN
    and the infinities, as strings, written as a column of that type would be. A map
    whose keys are distinct texts is an object, any other an array of pairs.

    Raises ObjectFailed for what no JSON text of Postgres can hold.
    """
    valid = array.is_valid().to_pylist()
    values = zip(_values(array), valid, strict=True)
    return pa.array([value if ok else None for value, ok in values], pa.string())


def _values(array: AnyArray) -> list[str]:
    """Return each value's JSON, anything at all where it is null."""
    kind = array.type
    if pa.types.is_struct(kind):
        return _objects(array)
    if pa.types.is_map(kind):
        return _maps(array)
    if is_nested(kind):
        return _lists(array)
    return _scalars(array)


def _fragments(array: AnyArray) -> list[str]:
    """Return each value's JSON, `null` where it is null."""
    array = plain(array)
    valid = array.is_valid().to_pylist()
    values = zip(_values(array), valid, strict=True)
    return [value if ok else "null" for value, ok in values]


def _scalars(array: AnyArray) -> list[str]:
    kind = array.type
    texts = [text or "" for text in scalar_text(array).to_pylist()]
    if (
        pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_duration(kind)
    ):
        return texts
    if pa.types.is_floating(kind):
        no_numbers = ("nan", "-nan", "inf", "-inf")
        return [_quoted(text) if text in no_numbers else text for text in texts]
    return [_quoted(text) for text in texts]


def _objects(array: AnyArray) -> list[str]:
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        raise ObjectFailed("it holds a struct with two fields of one name")
    if any("\0" in name for name in names):
        raise ObjectFailed("it holds a struct with a NUL character in a field's name")
    if not names:
        return ["{}"] * len(array)
    labels = [_quoted(name) for name in names]
    # flatten() cuts a slice to its own rows.
    fields = [_fragments(field) for field in array.flatten()]
    return [_joined(labels, row) for row in zip(*fields, strict=True)]


def _lists(array: AnyArray) -> list[str]:
    # flatten() leaves out what lies under a null or outside the slice.
    items = iter(_fragments(array.flatten()))
    return [f"[{','.join(own)}]" for own in _portions(items, array)]


def _maps(array: AnyArray) -> list[str]:
    kind = array.type
    entry = pa.struct([kind.key_field, kind.item_field])
    lists = array.cast(pa.list_(pa.field("entries", entry, nullable=False)))
    keys, items = lists.flatten().flatten()
    pairs = iter(list(zip(_fragments(keys), _fragments(items), strict=True)))
    text_keys = is_text(plain(keys).type)
    written = []
    for own in _portions(pairs, lists):
        names = [key for key, _ in own]
        if text_keys and len(set(names)) == len(names):
            written.append(_joined(names, [item for _, item in own]))
        else:
            written.append(f"[{','.join(f'[{key},{item}]' for key, item in own)}]")
    return written


def _portions(items: Iterator[_T], lists: AnyArray) -> Iterator[list[_T]]:
    for length in pc.list_value_length(lists).to_pylist():
        yield list(islice(items, length or 0))


def _joined(labels: list[str], values: list[str] | tuple[str, ...]) -> str:
    pairs = zip(labels, values, strict=True)
    return "{" + ",".join(f"{label}:{value}" for label, value in pairs) + "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
