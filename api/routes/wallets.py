"""Wallets: what is known of one, and what it executed in a year."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import ANSWERS, TaxYear, WalletSummary
from api.certificate import read_covered
from api.instants import FIRST_MOMENT, format_instant
from api.json_text import json_object, written_list
from api.parameters import TAX_YEAR, WALLET_IN_PATH
from api.query_string import openapi_parameters, read_path, read_query
from api.routes.plain import PlainRoute
from api.versions import answer
from api.wallet import read_wallet
from api.window import year_window

router = APIRouter(route_class=PlainRoute, prefix="/api/v1/wallets", tags=["wallets"])


@router.get(
    "/{wallet}",
    summary="What is known of a wallet",
    response_class=Response,
    responses={
        **ANSWERS,
        200: {"model": WalletSummary, "description": "The wallet, known or not."},
    },
    openapi_extra=openapi_parameters({"wallet": WALLET_IN_PATH}),
)
async def get_wallet(request: Request) -> Response:
    """Answer with the wallet's first and last event, its counts, and its years.

    A wallet that no TWAP is of has none: that is an answer too, and `coverage` says how
    far it can be trusted.
    """
    read_query(request.scope["query_string"], {})
    wallet = _wallet(request)
    found, coverage = await read_covered(request, "wallet", {"wallet": wallet})
    text = json_object(
        {
            "wallet": wallet,
            "first_event": found.first_event and format_instant(found.first_event),
            "last_event": found.last_event and format_instant(found.last_event),
            "twaps": found.twaps,
            "events": int(found.events),
            "open_twaps": found.open_twaps,
            "years": found.years,
            "coverage": coverage.certificate(
                None, as_of=found.as_of, open_twaps=found.open_twaps
            ),
        }
    )
    return answer(request, coverage.version, text)


@router.get(
    "/{wallet}/tax-years/{year}",
    summary="What a wallet executed in a year, by asset and side",
    response_class=Response,
    responses={
        **ANSWERS,
        200: {"model": TaxYear, "description": "The year's totals."},
    },
    openapi_extra=openapi_parameters({"wallet": WALLET_IN_PATH, "year": TAX_YEAR}),
)
async def get_tax_year(request: Request) -> Response:
    """Answer with the year's totals, over all statuses, and what is still open.

    An amount counts in the year of the event that reported it: the totals are each
    TWAP's state as of the year's end less its state as of the year's start. So
    consecutive years add up to the whole, whatever crosses New Year.
    """
    read_query(request.scope["query_string"], {})
    wallet = _wallet(request)
    year = read_path(request.scope, TAX_YEAR)
    window = year_window(year, location="path")
    found, coverage = await read_covered(
        request,
        "tax_year",
        {
            "wallet": wallet,
            "window_start": window.start,
            "as_of": window.end,
            # What is open at the year's end, whenever it began.
            "start": FIRST_MOMENT,
            "with_raw": False,
            "with_provenance": False,
        },
    )
    text = json_object(
        {
            "wallet": wallet,
            "year": window.start.year,
            "start": format_instant(window.start),
            "end": format_instant(window.end),
            "totals": written_list(found.totals),
            "open_twaps": written_list(found.open_items),
            "coverage": coverage.certificate(
                window,
                as_of=found.as_of,
                open_twaps=found.open_twaps,
                since=found.first_placed,
            ),
        }
    )
    return answer(request, coverage.version, text)


def _wallet(request: Request) -> str:
    return read_wallet(read_path(request.scope, WALLET_IN_PATH))
