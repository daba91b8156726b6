"""Exports: whole answers as files."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import ANSWERS, EXAMPLE_ITEM
from api.csv_file import COLUMNS
from api.errors import bad_parameter
from api.exports import MEDIA_TYPES, Export, ExportResponse
from api.json_text import json_text
from api.parameters import EXPORT, FILTERS
from api.query_string import choice, flag, openapi_parameters, read_query, required
from api.routes.plain import PlainRoute
from api.wallet import read_wallet
from api.window import read_window

router = APIRouter(route_class=PlainRoute, prefix="/api/v1", tags=["exports"])

CONTENT: Final[dict[str, Any]] = {
    MEDIA_TYPES["csv"]: {
        "schema": {
            "type": "string",
            "description": f"A header, and a line for each TWAP: {', '.join(COLUMNS)}. "
            "Texts stand in quotes; null is nothing.",
        },
        "example": ",".join(COLUMNS) + "\r\n",
    },
    MEDIA_TYPES["ndjson"]: {
        "schema": {
            "type": "string",
            "description": "A line for each TWAP: an item of `/api/v1/twaps`.",
        },
        "example": json_text(EXAMPLE_ITEM) + "\n",
    },
    MEDIA_TYPES["parquet"]: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "The columns of the CSV, as timestamps in microseconds and "
            "as decimals of 18 places, or as many as the numbers have. The file's "
            "metadata has `wallet`, `start`, `end`, `data_version` and `row_count`.",
        }
    },
}

HEADERS: Final[dict[str, Any]] = {
    "X-Row-Count": {
        "description": "How many TWAPs a whole file has.",
        "schema": {"type": "integer"},
    },
    "X-Data-Version": {
        "description": "The newest load that the file knows of.",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "The file's name: of the wallet and the window.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Of the data and the query; none while a build runs.",
        "schema": {"type": "string"},
    },
}


@router.get(
    "/exports/twaps",
    summary="All of a wallet's TWAPs in a window, as a file",
    response_class=Response,
    responses={
        **ANSWERS,
        200: {"description": "The file.", "content": CONTENT, "headers": HEADERS},
    },
    openapi_extra=openapi_parameters(EXPORT),
)
async def export_twaps(request: Request) -> Response:
    """Answer with all items of `/api/v1/twaps`, in its order, however many there are.

    The file is of one state of the data, named by `X-Data-Version`. It is whole when
    the transfer ends well and its rows are as many as `X-Row-Count` says: whatever goes
    wrong on the way breaks the connection. Only a few files are written at once; one
    more is a 503 `too_many_exports`.
    """
    given = read_query(request.scope["query_string"], EXPORT)
    chosen = choice("format", given.get("format"), tuple(MEDIA_TYPES))
    if "spreadsheet" in given and chosen != "csv":
        raise bad_parameter(
            "conflicting_parameters",
            "spreadsheet",
            "`spreadsheet` goes with format=csv alone: no other format has formulas.",
        )
    return ExportResponse(
        request,
        Export(
            read_wallet(required(EXPORT["wallet"], given)),
            read_window(given),
            {each.name: given.get(each.name) for each in FILTERS},
            chosen,
            flag("spreadsheet", given.get("spreadsheet"), default=False),
        ),
    )
