"""What the pages show of all wallets together."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Final

from starlette.requests import Request

from api.certificate import read_covered
from api.pages import View
from api.pages.form import api_window
from api.window import read_window

MOST_DAYS: Final = 31
"""Of a longer span only the largest TWAP of each day is shown, else three."""


async def market_view(request: Request, given: Mapping[str, str]) -> View:
    """Return what the page shows.

    Without dates it shows the newest thirty days; with an asset, that one alone.
    Raises ApiError (422, 503).
    """
    named = api_window(given)
    days = 30
    first, last = None, None
    if named:
        window = read_window(named)
        first, last = window.start.date(), window.end.date()
        days = (last - first).days + 1
    found, coverage = await read_covered(
        request,
        "market",
        {
            "asset": given.get("asset"),
            "first_day": first,
            "last_day": last,
            "largest_of_a_day": 3 if days <= MOST_DAYS else 1,
        },
    )
    values = {
        "given": {**given, **_span(found.first_day, found.last_day)},
        "twaps": found.twaps,
        "notional": found.notional,
        "days": json.loads(found.days or "[]"),
        "assets": json.loads(found.assets or "[]"),
        "outcomes": json.loads(found.outcomes or "[]"),
        "largest": json.loads(found.largest or "[]"),
    }
    return View("market.html", values, coverage)


def _span(first: date | None, last: date | None) -> dict[str, str]:
    if first is None or last is None:
        return {}
    return {"from": first.isoformat(), "to": last.isoformat()}
