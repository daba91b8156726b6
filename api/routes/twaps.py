"""TWAPs: those of a wallet, page by page, and all that is known of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import ANSWERS, Error, TwapEvents, TwapPage
from api.certificate import read_covered
from api.cursor import (
    Cursor,
    UpdatesCursor,
    decode_cursor,
    decode_updates_cursor,
    query_digest,
)
from api.errors import ApiError, bad_parameter
from api.instants import MICROSECOND, format_instant, parse_instant
from api.json_text import json_object, written_list
from api.parameters import (
    DEFAULT_LIMIT,
    FILTERS,
    INCLUDED,
    MAX_LIMIT,
    MAX_OFFSET,
    ONE_TWAP,
    TWAP_ID,
    WALKING,
    WINDOW,
)
from api.query_string import (
    choices,
    flag,
    openapi_parameters,
    read_path,
    read_query,
    required,
    whole_number,
)
from api.routes.plain import PlainRoute
from api.versions import answer
from api.wallet import read_wallet
from api.window import read_window

router = APIRouter(route_class=PlainRoute, prefix="/api/v1", tags=["twaps"])

NO_BUILD: Final = "none"
"""What no build is called: the next page finds that it is not there."""

ONLY_OF_WINDOWS = [each.name for each in (*WINDOW, *FILTERS)] + [
    "latest_per_twap",
    "offset",
]


@dataclass(frozen=True)
class Page:
    """What both kinds of walk ask of a page."""

    wallet: str
    limit: int
    include: frozenset[str]

    def values(self) -> dict[str, object]:
        """Return what the queries of pages name alike."""
        return {
            "wallet": self.wallet,
            "page_size": self.limit,
            "with_events": "events" in self.include,
            "with_raw": "raw" in self.include,
            "with_provenance": "provenance" in self.include,
        }


@router.get(
    "/twaps",
    summary="A wallet's TWAPs in a window, newest first, or those that have changed",
    response_class=Response,
    responses={
        **ANSWERS,
        200: {"model": TwapPage, "description": "A page of TWAPs."},
        409: {
            "model": Error,
            "description": "`data_changed`: the walk's data changed. Start it again.",
        },
    },
    openapi_extra=openapi_parameters(WALKING),
)
async def list_twaps(request: Request) -> Response:
    """Answer with each TWAP of the wallet in its state as of the window's end.

    The window is exactly one of `start` and `end`, `start` and `before`, or `year`. A
    TWAP is in it when the event that held at its end lies in it, so a closed year does
    not change when the next one comes. One that has events in two windows is in both,
    each time with what it had executed until then since it began.

    Follow `next_cursor` until it is null. The pages of a walk are one exact answer, as
    of its beginning; when a load changes what the walk stands on, the next page is a
    409 `data_changed`, never a silent gap.

    With `updated_since` instead of a window, the answer is each TWAP that a load has
    touched later, in its latest state and the order of the changes, and in `withdrawn`
    those that no object tells of any more. When the walk is done, keep
    `next_updated_since` for the next one.

    `coverage` is the certificate: whether the answer is whole.
    """
    given = read_query(request.scope["query_string"], WALKING)
    page = _page(given)
    if "updated_since" in given:
        return await _changed(request, given, page)
    return await _in_window(request, given, page)


async def _in_window(
    request: Request, given: Mapping[str, str], page: Page
) -> Response:
    window = read_window(given)
    offset = whole_number(
        "offset", given.get("offset"), default=0, least=0, most=MAX_OFFSET
    )
    filters = {each.name: given.get(each.name) for each in FILTERS}
    query = partial(
        query_digest, "window", page.wallet, window, sorted(page.include), filters
    )
    cursor = None
    if "cursor" in given:
        if "offset" in given:
            raise bad_parameter(
                "conflicting_parameters",
                "offset",
                "`offset` and `cursor` exclude each other: a cursor knows its place.",
            )
        cursor = decode_cursor(given["cursor"], query(), window)
    found, coverage = await read_covered(
        request,
        "twap_page",
        {
            **page.values(),
            **filters,
            "start": window.start,
            "as_of": cursor.as_of if cursor else window.end,
            "after_ts": cursor.ts if cursor else window.end + MICROSECOND,
            "after_twap_id": cursor.twap_id if cursor else "",
            "walk_build": cursor.build if cursor else None,
            "skip": offset,
        },
    )
    if found.is_changed:
        raise _start_again("The data has changed since this walk began")
    as_of = cursor.as_of if cursor else found.as_of
    next_cursor = None
    if found.has_more:
        next_cursor = Cursor(
            query(),
            cursor.build if cursor else _build_of(found),
            as_of,
            found.last_ts,
            found.last_twap_id,
        ).encode()
    text = json_object(
        {
            "wallet": page.wallet,
            "start": format_instant(window.start),
            "end": format_instant(window.end),
            "twaps": written_list(found.twaps),
            "next_cursor": next_cursor,
            "coverage": coverage.certificate(
                window, as_of=as_of, open_twaps=found.open_twaps
            ),
        }
    )
    return answer(request, coverage.version, text, _link(given, next_cursor))


async def _changed(request: Request, given: Mapping[str, str], page: Page) -> Response:
    for name in ONLY_OF_WINDOWS:
        if name in given:
            raise bad_parameter(
                "conflicting_parameters",
                name,
                f"`{name}` belongs to a window; `updated_since` goes with `wallet`, "
                "`include`, `limit` and `cursor` alone.",
            )
    since = parse_instant("updated_since", given["updated_since"], round_up=False)
    query = query_digest("updates", page.wallet, since, sorted(page.include))
    cursor = None
    if "cursor" in given:
        cursor = decode_updates_cursor(given["cursor"], query, since)
    found, coverage = await read_covered(
        request,
        "twap_updates",
        {
            **page.values(),
            "until": cursor.until if cursor else None,
            "after": cursor.updated_at if cursor else since + MICROSECOND,
            "after_twap_id": cursor.twap_id if cursor else "",
        },
    )
    if found.lags:
        raise _start_again("The server lags behind the one that this walk began on")
    next_cursor = None
    if found.has_more:
        next_cursor = UpdatesCursor(
            query, found.until, found.last_updated_at, found.last_twap_id
        ).encode()
    text = json_object(
        {
            "wallet": page.wallet,
            "updated_since": format_instant(since),
            "twaps": written_list(found.twaps),
            "withdrawn": written_list(found.withdrawn),
            "next_updated_since": format_instant(found.until or since),
            "next_cursor": next_cursor,
            "coverage": coverage.certificate(
                None, as_of=found.as_of, open_twaps=found.open_twaps
            ),
        }
    )
    return answer(request, coverage.version, text, _link(given, next_cursor))


@router.get(
    "/twaps/{twap_id:path}",
    summary="Every event of a TWAP, newest first",
    response_class=Response,
    responses={
        **ANSWERS,
        200: {"model": TwapEvents, "description": "The TWAP's events."},
        404: {"model": Error, "description": "No TWAP has this id."},
    },
    openapi_extra=openapi_parameters({"twap_id": TWAP_ID, **ONE_TWAP}),
)
async def get_twap(request: Request) -> Response:
    """Answer with every event of the TWAP, as the marts hold it."""
    given = read_query(request.scope["query_string"], ONE_TWAP)
    include = choices("include", given.get("include"), ("provenance",))
    twap_id = read_path(request.scope, TWAP_ID)
    found, coverage = await read_covered(
        request,
        "twap_events",
        {"twap_id": twap_id, "with_provenance": "provenance" in include},
    )
    if found.rows is None:
        raise ApiError(404, "not_found", "No TWAP has this id.", field="twap_id")
    text = json_object({"twap_id": twap_id, "rows": written_list(found.rows)})
    return answer(request, coverage.version, text)


def _page(given: Mapping[str, str]) -> Page:
    include = choices("include", given.get("include"), INCLUDED)
    if not flag("latest_per_twap", given.get("latest_per_twap"), default=True):
        include |= {"events"}
    return Page(
        read_wallet(required(WALKING["wallet"], given)),
        whole_number(
            "limit", given.get("limit"), default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT
        ),
        include,
    )


def _build_of(found: Any) -> str:
    """Return what binds a walk to the marts that its first page was read from.

    That is no build at all while one is under way: another server may not have begun
    it, and would go on with the marts before it.
    """
    return NO_BUILD if found.is_building else str(found.build_id)


def _start_again(reason: str) -> ApiError:
    return ApiError(
        409,
        "data_changed",
        f"{reason}: start it again, without the cursor.",
        field="cursor",
    )


def _link(given: Mapping[str, str], next_cursor: str | None) -> dict[str, str]:
    """Return the header that names the next page, relative to this one."""
    if next_cursor is None:
        return {}
    following = {**given, "cursor": next_cursor}
    following.pop("offset", None)
    return {"Link": f'<?{urlencode(following)}>; rel="next"'}
