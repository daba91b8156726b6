"""The place in a walk from which the next page goes on.

Opaque to clients: base64url of a compact JSON list. It carries all that the next page
must know, so the server keeps nothing between two pages.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from api.errors import bad_parameter
from api.window import Window

FORMAT: Final = 1
"""Grows when the list changes its meaning: old cursors are refused, not misread."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MICROSECONDS: Final = 4_200_000_000_000_000
"""In the year 2103: a little later than any window ends."""

MAX_PLACE: Final = 1_000_000_000
"""More than a wallet has TWAPs."""


@dataclass(frozen=True)
class Cursor:
    """A place in a walk through a window.

    `query` binds it to the request; `build` is the newest build when the walk began,
    `as_of` the end of the walk fixed then; `ts` and `twap_id` are of the last item.
    """

    query: str
    build: str
    as_of: datetime
    ts: datetime
    twap_id: str

    def encode(self) -> str:
        """Return the text that the client sends back."""
        return _encode(self.query, self.build, self.as_of, self.ts, self.twap_id)


@dataclass(frozen=True)
class UpdatesCursor:
    """A place in a walk through what has changed.

    `query` binds it to the request; `until` is the newest load when the walk began;
    `updated_at` and `twap_id` are of the last item.
    """

    query: str
    until: datetime
    updated_at: datetime
    twap_id: str

    def encode(self) -> str:
        """Return the text that the client sends back."""
        return _encode(self.query, self.until, self.updated_at, self.twap_id)


@dataclass(frozen=True)
class PlaceCursor:
    """A place in an order of the reader's choice.

    `query` binds it to the request, `build` to what the marts held; `place` is that of
    the last item, the first one's is 1.
    """

    query: str
    build: str
    place: int

    def encode(self) -> str:
        """Return the text that the client sends back."""
        return _encode(self.query, self.build, self.place)


def decode_cursor(text: str, query: str, window: Window) -> Cursor:
    """Return the place that the text names, for the query and its window.

    Raises ApiError (422): `invalid_cursor` for what we cannot have made,
    `cursor_mismatch` for a cursor of another query.
    """
    bound_to, build, as_of, ts, twap_id = _decode(text, query, 5)
    with _invalid():
        cursor = Cursor(
            bound_to, _text(build), _moment(as_of), _moment(ts), _text(twap_id)
        )
        if not window.start <= cursor.ts <= cursor.as_of <= window.end:
            raise ValueError
    return cursor


def decode_updates_cursor(text: str, query: str, since: datetime) -> UpdatesCursor:
    """Return the place that the text names; raises ApiError as decode_cursor does."""
    bound_to, until, updated_at, twap_id = _decode(text, query, 4)
    with _invalid():
        cursor = UpdatesCursor(
            bound_to, _moment(until), _moment(updated_at), _text(twap_id)
        )
        if not since < cursor.updated_at <= cursor.until:
            raise ValueError
    return cursor


def decode_place_cursor(text: str, query: str) -> PlaceCursor:
    """Return the place that the text names; raises ApiError as decode_cursor does."""
    bound_to, build, place = _decode(text, query, 3)
    with _invalid():
        if type(place) is not int or not 0 < place <= MAX_PLACE:
            raise ValueError
        return PlaceCursor(bound_to, _text(build), place)


def query_digest(*parts: object) -> str:
    """Return a short text that is equal for equal queries."""
    text = json.dumps(parts, default=str)
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def _encode(*fields: str | int | datetime) -> str:
    values = [
        _microseconds(field) if isinstance(field, datetime) else field
        for field in fields
    ]
    text = json.dumps([FORMAT, *values], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str, query: str, length: int) -> list[Any]:
    """Return the fields of a cursor, as many as there should be, the query first."""
    with _invalid():
        padded = text + "=" * (-len(text) % 4)
        fields = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        version, bound_to, *others = fields
        if type(version) is not int or version != FORMAT:
            raise ValueError
        # Only what we write ourselves: no blank, no other spelling of a number.
        again = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        if base64.urlsafe_b64encode(again.encode()).decode().rstrip("=") != text:
            raise ValueError
        _text(bound_to)
    if bound_to != query:
        raise bad_parameter(
            "cursor_mismatch",
            "cursor",
            "The cursor belongs to another query: all parameters but `limit` stay the "
            "same from page to page.",
        )
    with _invalid():
        if len(others) != length - 1:
            raise ValueError
    return [bound_to, *others]


@contextmanager
def _invalid() -> Iterator[None]:
    """Turn what a cursor of our own cannot cause into the 422 for it."""
    try:
        yield
    # RecursionError: brackets within brackets, as many as a URL holds.
    except (ValueError, TypeError, RecursionError):
        raise bad_parameter(
            "invalid_cursor",
            "cursor",
            "The cursor is none of ours: send `next_cursor` of the page before, "
            "unchanged.",
        ) from None


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _moment(value: object) -> datetime:
    if type(value) is not int or not 0 <= value <= LATEST_MICROSECONDS:
        raise ValueError
    return EPOCH + timedelta(microseconds=value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 256 or "\0" in value:
        raise ValueError
    # Raises UnicodeEncodeError, a ValueError, for half a surrogate pair.
    value.encode()
    return value
