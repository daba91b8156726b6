"""JSON text, in which what Postgres wrote stands as it came."""

import json
from collections.abc import Mapping
from typing import Final

# json.dumps would make an encoder of its own each time.
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Written(str):
    """A value that is JSON text already."""

    __slots__ = ()


def written_list(items: str | None) -> Written:
    """Return the list of items that Postgres has written one after the other."""
    return Written(f"[{items or ''}]")


def json_object(fields: Mapping[str, object]) -> str:
    """Return a JSON object of the fields, in their order."""
    members = (f'"{name}":{json_text(value)}' for name, value in fields.items())
    return "{" + ",".join(members) + "}"


def json_text(value: object) -> str:
    """Return a value as JSON text, as short as it can be."""
    if isinstance(value, Written):
        return value
    return _encode(value)
