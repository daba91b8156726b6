"""What the forms of the pages send: the addresses that people see, share and change."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl

from api.errors import bad_parameter
from api.instants import parse_instant
from api.parameters import FILTERS, TWAP_ID, WALKING, WALLET, WINDOW
from api.query_string import Parameter, choice

_YEAR = next(each for each in WINDOW if each.name == "year")
_DAY = {"type": "string", "format": "date"}
FROM: Final = Parameter("from", "First day, in UTC.", "2025-11-01", _DAY)
TO: Final = Parameter("to", "Last day, itself included.", "2025-11-30", _DAY)

COLUMNS: Final = {
    "asset": "Asset",
    "side": "Side",
    "status": "Outcome",
    "notional": "USD",
    "executed": "Executed",
    "requested": "Ordered",
    "price": "Price",
    "started": "Started",
    "ended": "Last event",
    "duration": "Minutes",
}
"""What the table of TWAPs can be sorted by, and how its columns are called."""

TEXTS: Final = frozenset({"asset", "side", "status"})
NUMBERS: Final = frozenset({"duration", "requested", "executed", "notional", "price"})

NEWEST_FIRST: Final = "-ended"
SORTS: Final = (NEWEST_FIRST, *COLUMNS, *(f"-{column}" for column in COLUMNS))

WALLET_FORM: Final = {
    each.name: each
    for each in (
        WALLET,
        _YEAR,
        FROM,
        TO,
        *FILTERS,
        Parameter("sort", "A column; `-` turns it round.", "-notional", {}),
        WALKING["cursor"],
    )
}
MARKET_FORM: Final = {each.name: each for each in (FROM, TO, WALLET_FORM["asset"])}
TWAP_FORM: Final = {"id": replace(TWAP_ID, name="id", location="query")}

Typed = dict[str, str]


def tidy(query_string: bytes, known: Mapping[str, Parameter]) -> tuple[Typed, bool]:
    """Return what was typed into a form, and whether the query says just that.

    A form also sends fields that were left empty, and both ways to name a window, of
    which dates win; and links that people share are given parameters by others.
    """
    pairs = parse_qsl(query_string.decode(errors="replace"), keep_blank_values=True)
    typed = {
        name: text.strip() for name, text in pairs if name in known and text.strip()
    }
    if "from" in typed or "to" in typed:
        typed.pop("year", None)
    return typed, list(typed.items()) == pairs


def api_window(given: Mapping[str, str]) -> dict[str, str]:
    """Return the window of a form as the API's parameters; it is empty without one.

    Raises ApiError (422) for dates that are none, for one of two, and for a first day
    after the last.
    """
    if "year" in given:
        return {"year": given["year"]}
    if "from" not in given and "to" not in given:
        return {}
    for name in ("from", "to"):
        if name not in given:
            raise bad_parameter(
                "missing_parameter", name, "Dates go together: a first and a last day."
            )
    first, last = (_day(name, given[name]) for name in ("from", "to"))
    if first > last:
        raise bad_parameter(
            "start_after_end", "from", "The first day must not come after the last one."
        )
    before = parse_instant("to", last, round_up=False) + timedelta(days=1)
    return {"start": first, "before": f"{before:%Y-%m-%d}"}


def read_sort(given: Mapping[str, str]) -> str:
    """Return by what the table is sorted; raises ApiError (422) for another word."""
    return choice("sort", given.get("sort"), SORTS)


def _day(name: str, text: str) -> str:
    parse_instant(name, text, round_up=False)
    if len(text) != len(f"{FROM.example}"):
        raise bad_parameter("invalid_time", name, "A day is written like 2025-11-01.")
    return text
