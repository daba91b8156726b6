"""What the page of a wallet shows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from api.certificate import read_covered, read_together
from api.instants import FIRST_MOMENT, format_instant
from api.pages import View
from api.pages.form import api_window
from api.pages.table import Table
from api.pages.words import certificate_in_words
from api.window import read_window

DOWNLOADS: Final = (
    ("CSV", {"format": "csv"}),
    ("CSV for spreadsheets", {"format": "csv", "spreadsheet": "true"}),
    ("JSON lines", {"format": "ndjson"}),
    ("Parquet", {"format": "parquet"}),
)


async def newest_year(request: Request, wallet: str) -> int:
    """Return the newest year in which anything is known: of the wallet, or at all.

    Where nothing is, it is this one.
    """
    found, coverage = await read_covered(request, "wallet", {"wallet": wallet})
    if found.years:
        return int(found.years[-1])
    newest = coverage.certificate(None, as_of=None, open_twaps=0)["last_event"]
    return int(str(newest)[:4]) if newest else datetime.now(UTC).year


async def wallet_view(request: Request, wallet: str, given: Mapping[str, str]) -> View:
    """Return what the page shows.

    `given` names a window. Raises ApiError (422, 503) as the API does for the same
    parameters, and 409 when the data has changed between two pages of the table.
    """
    named = api_window(given)
    window = read_window(named)
    table = Table.of(given, wallet, window)
    of_wallet = {"wallet": wallet, "as_of": window.end}
    (known, executed, listed), coverage = await read_together(
        request,
        ("wallet", of_wallet),
        (
            "wallet_window",
            {**of_wallet, "window_start": window.start, "start": FIRST_MOMENT},
        ),
        (
            "twaps_sorted",
            {
                **of_wallet,
                **table.values(),
                "start": window.start,
                "with_raw": False,
                "with_provenance": False,
            },
        ),
    )
    certificate = coverage.certificate(
        window,
        as_of=listed.as_of,
        open_twaps=listed.open_twaps,
        since=executed.first_placed,
    )
    totals = json.loads(executed.totals or "[]")
    values = {
        "wallet": wallet,
        "given": given,
        "years": known.years,
        "known": {
            "twaps": known.twaps,
            "open_twaps": known.open_twaps,
            "first_event": known.first_event and format_instant(known.first_event),
            "last_event": known.last_event and format_instant(known.last_event),
        },
        "certificate": certificate_in_words(
            certificate, format_instant(window.start), format_instant(window.end)
        ),
        "totals": totals,
        "assets": sorted({total["asset"] for total in totals}, key=str.casefold),
        "sides": sorted({total["side"] for total in totals}, reverse=True),
        "days": json.loads(executed.days or "[]"),
        "outcomes": json.loads(executed.outcomes or "[]"),
        "notional": executed.notional,
        **table.view(listed, coverage.version),
        "downloads": [
            (name, _download({"wallet": wallet, **named, **table.filters, **chosen}))
            for name, chosen in DOWNLOADS
        ],
    }
    return View("wallet.html", values, coverage)


def _download(parameters: Mapping[str, str | None]) -> str:
    named = {name: text for name, text in parameters.items() if text is not None}
    return f"api/v1/exports/twaps?{urlencode(named)}"
