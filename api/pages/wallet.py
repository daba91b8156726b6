"""What the page of a wallet shows."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from api.certificate import read_covered, read_together
from api.cursor import PlaceCursor, decode_place_cursor, query_digest
from api.errors import ApiError
from api.instants import format_instant
from api.json_text import written_list
from api.pages import View
from api.pages.form import COLUMNS, NUMBERS, TEXTS, api_window, read_sort
from api.pages.words import certificate_in_words
from api.parameters import FILTERS
from api.window import read_window

PAGE_SIZE: Final = 100

DOWNLOADS: Final = (
    ("CSV", {"format": "csv"}),
    ("CSV for spreadsheets", {"format": "csv", "spreadsheet": "true"}),
    ("JSON lines", {"format": "ndjson"}),
    ("Parquet", {"format": "parquet"}),
)


async def newest_year(request: Request, wallet: str) -> int | None:
    """Return the newest year in which anything is known: of the wallet, or at all."""
    found, coverage = await read_covered(request, "wallet", {"wallet": wallet})
    if found.years:
        return int(found.years[-1])
    newest = coverage.certificate(None, as_of=None, open_twaps=0)["last_event"]
    return int(str(newest)[:4]) if newest else None


async def wallet_view(request: Request, wallet: str, given: Mapping[str, str]) -> View:
    """Return what the page shows.

    `given` names a window. Raises ApiError (422, 503) as the API does for the same
    parameters, and 409 when the data has changed between two pages of the table.
    """
    named = api_window(given)
    window = read_window(named)
    sort = read_sort(given)
    filters = {each.name: given.get(each.name) for each in FILTERS}
    query = query_digest("table", wallet, window, filters, sort)
    place = PlaceCursor(query, "", 0)
    if "cursor" in given:
        place = decode_place_cursor(given["cursor"], query)
    (known, executed, table), coverage = await read_together(
        request,
        ("wallet", {"wallet": wallet}),
        (
            "wallet_window",
            {"wallet": wallet, "window_start": window.start, "as_of": window.end},
        ),
        (
            "twaps_sorted",
            {
                "wallet": wallet,
                **filters,
                "start": window.start,
                "as_of": window.end,
                "sort": sort.removeprefix("-"),
                "is_descending": sort.startswith("-"),
                "skip": place.place,
                "page_size": PAGE_SIZE,
                "with_raw": False,
                "with_provenance": False,
            },
        ),
    )
    build = coverage.version.build_id
    if place.build not in ("", build):
        raise ApiError(
            409,
            "data_changed",
            "New data has come in since the page before, so this one may not follow "
            "it: begin again with the first page.",
        )

    def link(**changes: str) -> str:
        kept = {name: each for name, each in given.items() if name != "cursor"}
        return f"?{urlencode({**kept, **changes})}"

    def page_at(first: int) -> str:
        cursor = {"cursor": replace(place, build=build, place=first).encode()}
        return link(**(cursor if first else {}))

    end = place.place + PAGE_SIZE
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
            coverage.certificate(
                window, as_of=table.as_of, open_twaps=table.open_twaps
            ),
            format_instant(window.start),
            format_instant(window.end),
        ),
        "totals": totals,
        "assets": sorted({total["asset"] for total in totals}, key=str.casefold),
        "sides": sorted({total["side"] for total in totals}, reverse=True),
        "days": json.loads(executed.days or "[]"),
        "outcomes": json.loads(executed.outcomes or "[]"),
        "notional": executed.notional,
        "is_filtered": any(filters.values()),
        "twaps": json.loads(written_list(table.twaps)),
        "matching": table.matching,
        "first_place": place.place + 1,
        "previous_page": page_at(max(0, place.place - PAGE_SIZE))
        if place.place
        else "",
        "next_page": page_at(end) if table.matching > end else "",
        "columns": list(_columns(sort, link)),
        "unfiltered": f"?{urlencode({'wallet': wallet, **_form_window(given)})}",
        "downloads": [
            (name, _download({"wallet": wallet, **named, **filters, **chosen}))
            for name, chosen in DOWNLOADS
        ],
    }
    return View("wallet.html", values, coverage)


def _columns(sort: str, link: Callable[..., str]) -> Iterator[dict[str, Any]]:
    """Yield how each column is called, and the link that sorts by it."""
    for column, title in COLUMNS.items():
        direction = {column: "ascending", f"-{column}": "descending"}.get(sort, "none")
        # What is largest or newest first; text from A to Z.
        first, other = f"-{column}", column
        if column in TEXTS:
            first, other = other, first
        yield {
            "title": title,
            "is_number": column in NUMBERS,
            "direction": direction,
            "link": link(sort=other if sort == first else first),
        }


def _form_window(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name] for name in ("year", "from", "to") if name in given}


def _download(parameters: Mapping[str, str | None]) -> str:
    named = {name: text for name, text in parameters.items() if text is not None}
    return f"api/v1/exports/twaps?{urlencode(named)}"
