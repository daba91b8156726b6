"""The pages for people: a wallet, the market, a TWAP."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.errors import ApiError
from api.pages import View, render
from api.pages.form import MARKET_FORM, TWAP_FORM, WALLET_FORM, tidy
from api.pages.market import market_view
from api.pages.twap import twap_view
from api.pages.wallet import newest_year, wallet_view
from api.pages.words import error_in_words
from api.query_string import Parameter, read_query
from api.routes.plain import PlainRoute
from api.versions import not_modified
from api.wallet import read_wallet

router = APIRouter(route_class=PlainRoute, include_in_schema=False)

HTML: Final = "text/html"

Viewer = Callable[[Request, Mapping[str, str]], Awaitable[View]]


class Moved(Exception):
    """What is asked for is better asked for by another query."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self.query = query

    def response(self) -> Response:
        """Return the redirect, relative so that a proxy may serve us under any path."""
        return RedirectResponse(f"?{self.query}", 303)


@router.get("/")
async def wallet_page(request: Request) -> Response:
    """Answer with what a wallet did, or with a form that asks for one."""
    return await _page(request, WALLET_FORM, _wallet)


@router.get("/market")
async def market_page(request: Request) -> Response:
    """Answer with what all wallets did, by day and by asset."""
    return await _page(request, MARKET_FORM, market_view)


@router.get("/twap")
async def twap_page(request: Request) -> Response:
    """Answer with every event of a TWAP, and where each comes from."""
    return await _page(request, TWAP_FORM, twap_view)


async def _page(
    request: Request, form: Mapping[str, Parameter], view: Viewer
) -> Response:
    query_string = request.scope["query_string"]
    typed, is_tidy = tidy(query_string, form)
    try:
        if not is_tidy:
            raise Moved(urlencode(typed))
        shown = await view(request, read_query(query_string, form))
    except Moved as moved:
        return moved.response()
    except ApiError as error:
        asked = {"given": typed, "is_of_market": form is MARKET_FORM}
        text = render("error.html", {**asked, **error_in_words(error)})
        return Response(text, error.status, error.headers, HTML)
    headers = shown.coverage.version.headers(request, HTML)
    return not_modified(request, headers) or Response(
        render(shown.template, shown.values), 200, headers, HTML
    )


async def _wallet(request: Request, given: Mapping[str, str]) -> View:
    if "wallet" not in given:
        return replace(await market_view(request, {}), template="welcome.html")
    wallet = read_wallet(given["wallet"])
    if not given.keys() & {"year", "from", "to"}:
        # So that the address names what is shown, also next year.
        year = await newest_year(request, wallet)
        raise Moved(urlencode({**given, "year": year}))
    return await wallet_view(request, wallet, given)
