"""TWAPs: those of a wallet, page by page, and all that is known of one."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import Error, ParameterError, TwapEvents, TwapPage
from api.cursor import Cursor, decode_cursor, query_digest
from api.database import Database, not_built
from api.errors import ApiError, bad_parameter
from api.instants import MICROSECOND, format_instant
from api.parameters import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, TWAP_ID, WALKING
from api.query_string import check_text, flag, read_query, whole_number
from api.window import Window, read_window

router = APIRouter(prefix="/api/v1", tags=["twaps"])

Responses = dict[int | str, dict[str, Any]]

REFUSALS: Final[Responses] = {
    414: {"model": Error, "description": "The URL is longer than 4,096 bytes."},
    422: {"model": ParameterError, "description": "A parameter is not understood."},
    500: {"model": Error, "description": "Something broke here."},
    503: {"model": Error, "description": "Not now; `Retry-After` says when."},
}


@router.get(
    "/twaps",
    summary="A wallet's TWAPs in a window, newest first",
    response_class=Response,
    responses={
        **REFUSALS,
        200: {"model": TwapPage, "description": "A page of TWAPs."},
        409: {
            "model": Error,
            "description": "`data_changed`: the walk's data changed. Start it again.",
        },
    },
    openapi_extra={"parameters": [each.openapi() for each in WALKING.values()]},
)
async def list_twaps(request: Request) -> Response:
    """Answer with each TWAP of the wallet in its state as of the window's end.

    The window is exactly one of `start` and `end`, `start` and `before`, or `year`. A
    TWAP is in it when the event that held at its end lies in it, so consecutive windows
    miss and double nothing, and a closed year does not change when the next one comes.

    Follow `next_cursor` until it is null. The pages of a walk are one exact answer, as
    of its beginning; when a load changes what the walk stands on, the next page is a
    409 `data_changed`, never a silent gap.
    """
    given = read_query(request.scope["query_string"], WALKING)
    if "wallet" not in given:
        raise bad_parameter(
            "missing_parameter",
            "wallet",
            f"`wallet` is missing. Write {WALKING['wallet'].hint()}",
        )
    # Of ASCII letters alone, as the marts have it: the lower() of bytes.
    wallet = given["wallet"].encode().lower().decode()
    window = read_window(given)
    limit = whole_number(
        "limit", given.get("limit"), default=DEFAULT_LIMIT, least=1, most=MAX_LIMIT
    )
    offset = whole_number(
        "offset", given.get("offset"), default=0, least=0, most=MAX_OFFSET
    )
    with_events = not flag(
        "latest_per_twap", given.get("latest_per_twap"), default=True
    )
    filters = {name: given.get(name) for name in ("asset", "side", "status")}
    query = query_digest(
        wallet, window.start, window.end, with_events, *filters.values()
    )
    cursor = _read_cursor(given, query, window)
    values: dict[str, object] = {
        **filters,
        "wallet": wallet,
        "start": window.start,
        "as_of": cursor.as_of if cursor else window.end,
        "after_ts": cursor.ts if cursor else window.end + MICROSECOND,
        "after_twap_id": cursor.twap_id if cursor else "",
        "walk_build": cursor.build if cursor else None,
        "with_events": with_events,
        "limit": limit,
        "offset": offset,
    }
    database: Database = request.app.state.database
    (page,) = await database.fetch("twap_page", values)
    if page.build_id is None:
        raise not_built()
    if page.is_changed:
        raise ApiError(
            409,
            "data_changed",
            "The data has changed since this walk began: start it again, without the "
            "cursor.",
            field="cursor",
        )
    next_cursor = None
    if page.has_more:
        build = cursor.build if cursor else page.build_id
        as_of = cursor.as_of if cursor else page.as_of
        next_cursor = Cursor(
            query, build, as_of, page.last_ts, page.last_twap_id
        ).encode()
    return _answer(
        {
            "wallet": wallet,
            "start": format_instant(window.start),
            "end": format_instant(window.end),
        },
        "twaps",
        page.twaps,
        {"next_cursor": next_cursor},
    )


@router.get(
    "/twaps/{twap_id:path}",
    summary="Every event of a TWAP, newest first",
    response_class=Response,
    responses={
        **REFUSALS,
        200: {"model": TwapEvents, "description": "The TWAP's events."},
        404: {"model": Error, "description": "No TWAP has this id."},
    },
    openapi_extra={"parameters": [TWAP_ID.openapi()]},
)
async def get_twap(request: Request) -> Response:
    """Answer with every event of the TWAP, as the marts hold it."""
    read_query(request.scope["query_string"], {})
    twap_id = check_text(TWAP_ID, request.path_params["twap_id"])
    database: Database = request.app.state.database
    (found,) = await database.fetch("twap_events", {"twap_id": twap_id})
    if found.build_id is None:
        raise not_built()
    if found.rows is None:
        raise ApiError(404, "not_found", "No TWAP has this id.", field="twap_id")
    return _answer({"twap_id": twap_id}, "rows", found.rows, {})


def _read_cursor(given: Mapping[str, str], query: str, window: Window) -> Cursor | None:
    if "cursor" not in given:
        return None
    if "offset" in given:
        raise bad_parameter(
            "conflicting_parameters",
            "offset",
            "`offset` and `cursor` exclude each other: a cursor knows its place.",
        )
    return decode_cursor(given["cursor"], query, window)


def _answer(
    before: Mapping[str, object],
    name: str,
    items: str | None,
    after: Mapping[str, object],
) -> Response:
    """Return a JSON object in which Postgres's text stands as it came."""
    fields = [f"{json.dumps(key)}:{_dump(value)}" for key, value in before.items()]
    fields.append(f'"{name}":[{items or ""}]')
    fields += [f"{json.dumps(key)}:{_dump(value)}" for key, value in after.items()]
    return Response("{" + ",".join(fields) + "}", media_type="application/json")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
