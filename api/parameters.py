"""Every parameter of the API: one table for its reading and its documentation."""

from dataclasses import replace
from typing import Final

from api.exports import MEDIA_TYPES
from api.instants import FIRST_YEAR, LAST_YEAR
from api.query_string import MAX_TEXT, MAX_URL_BYTES, Parameter

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 5000
MAX_OFFSET: Final = 1_000_000

INCLUDED: Final = ("events", "raw", "provenance")
INCLUDE_PATTERN: Final = f"^({'|'.join(INCLUDED)})(,({'|'.join(INCLUDED)}))*$"

_CONTROL = r"\u0000-\u001f\u007f-\u009f"
_TEXT = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_TEXT,
    # No control character, and not only blanks.
    "pattern": rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$",
}
_TIME = {
    "type": "string",
    "pattern": "^(202[3-9]|20[3-9][0-9]|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
    "([Zz]|[-+ ]([01][0-9]|2[0-3]):?[0-5][0-9])?)?$",
}

_YEAR = {"type": "integer", "minimum": FIRST_YEAR, "maximum": LAST_YEAR}

_WINDOW = "RFC 3339, a date (its midnight) or without zone, both of which mean UTC."


def _by_name(*parameters: Parameter) -> dict[str, Parameter]:
    return {parameter.name: parameter for parameter in parameters}


WALLET: Final = Parameter(
    "wallet",
    "The wallet whose TWAPs are asked for; upper and lower case are the same.",
    "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921",
    _TEXT,
    required=True,
)

WINDOW: Final = (
    Parameter(
        "start",
        f"First moment of the window; needs `end` or `before`. {_WINDOW}",
        "2025-11-01T00:00:00Z",
        _TIME,
    ),
    Parameter(
        "end",
        f"Last moment of the window, itself included. {_WINDOW}",
        "2025-11-30T23:59:59Z",
        _TIME,
    ),
    Parameter(
        "before",
        f"First moment after the window, instead of `end`. {_WINDOW}",
        "2025-12-01",
        _TIME,
    ),
    Parameter(
        "year",
        "A whole year in UTC, instead of `start` and `end`.",
        2025,
        _YEAR,
        is_tried=True,
    ),
)

FILTERS: Final = (
    Parameter("asset", "Only TWAPs of this asset; case matters.", "HYPE", _TEXT),
    Parameter("side", "Only `B` (buy) or `A` (sell).", "B", _TEXT),
    Parameter(
        "status",
        "Only TWAPs whose state as of the window's end has this status.",
        "finished",
        _TEXT,
    ),
)

WALKING: Final = _by_name(
    WALLET,
    *WINDOW,
    Parameter(
        "updated_since",
        "Instead of a window: only TWAPs that a load has touched later than this. Send "
        "`next_updated_since` of the answer before, never your clock.",
        "2025-12-01T06:03:11.52Z",
        _TIME,
    ),
    *FILTERS,
    Parameter(
        "latest_per_twap",
        "`false` adds to each TWAP its `events` within the window, newest first.",
        True,
        # No `default` where a parameter excludes another: clients would send it always.
        {"type": "boolean"},
    ),
    Parameter(
        "include",
        "What else is shown, separated by commas: `events` (as `latest_per_twap=false` "
        "does), `raw` (the source's columns as published), `provenance` (the object "
        "and row that tell of it).",
        "events,provenance",
        {"type": "string", "pattern": INCLUDE_PATTERN},
    ),
    Parameter(
        "limit",
        "How many TWAPs a page has at most; may change from page to page.",
        DEFAULT_LIMIT,
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LIMIT,
            "default": DEFAULT_LIMIT,
        },
    ),
    Parameter(
        "offset",
        "How many TWAPs to skip, none by default. Prefer `cursor`: its pages fit "
        "together even while data is loaded.",
        0,
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
    ),
    Parameter(
        "cursor",
        "`next_cursor` of the page before; all other parameters but `limit` stay.",
        "WzEsIjRRek5wM1V1",
        {"type": "string", "maxLength": MAX_URL_BYTES, "pattern": "^[A-Za-z0-9_-]+$"},
        max_length=MAX_URL_BYTES,
    ),
)
"""The query parameters of `GET /api/v1/twaps`."""

ONE_TWAP: Final = _by_name(
    Parameter(
        "include",
        "What else is shown: `provenance`, the object and row that tell of an event.",
        "provenance",
        {"type": "string", "enum": ["provenance"]},
    ),
)
"""The query parameters of `GET /api/v1/twaps/{twap_id}`."""

COVERAGE: Final = _by_name(*WINDOW)
"""The query parameters of `GET /api/v1/coverage`."""

EXPORT: Final = _by_name(
    WALLET,
    *WINDOW,
    *FILTERS,
    Parameter(
        "format",
        "`csv` (RFC 4180), `ndjson` (a line for each item of `/api/v1/twaps`) or "
        "`parquet` (zstd, exact decimals).",
        "csv",
        {"type": "string", "enum": list(MEDIA_TYPES), "default": "csv"},
    ),
    Parameter(
        "spreadsheet",
        "`true` puts an apostrophe before each text that a spreadsheet would take for "
        "a formula; only with `format=csv`, which is exact without it.",
        True,
        {"type": "boolean"},
    ),
)
"""The query parameters of `GET /api/v1/exports/twaps`."""

TWAP_ID: Final = Parameter(
    "twap_id", "The TWAP's id.", "1271370", _TEXT, required=True, location="path"
)

WALLET_IN_PATH: Final = replace(WALLET, location="path")

TAX_YEAR: Final = Parameter(
    "year",
    "The calendar year in UTC.",
    2025,
    _YEAR,
    required=True,
    location="path",
)
