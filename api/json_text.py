"""JSON text in UTF-8, in which what Postgres wrote stands as it came."""

import json
from collections.abc import Mapping
from typing import Final

# json.dumps would make an encoder of its own each time.
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Written(bytes):
    """A value that is JSON text already."""

    __slots__ = ()


def written_list(items: bytes | None) -> Written:
    """Return the list of items that Postgres has written one after the other."""
    return Written(b"[%b]" % (items or b""))


def json_object(fields: Mapping[str, object]) -> bytes:
    """Return a JSON object of the fields, in their order."""
    members = [
        b'"%b":%b'
        % (
            name.encode(),
            value if isinstance(value, Written) else json_text(value).encode(),
        )
        for name, value in fields.items()
    ]
    return b"{%b}" % b",".join(members)


def json_text(value: object) -> str:
    """Return a value as JSON text, as short as it can be."""
    return _encode(value)
