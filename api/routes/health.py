"""Whether the API can answer, for load balancers and for people."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import Alive, Error, Health
from api.errors import ApiError, json_response
from api.instants import format_instant
from api.routes.plain import PlainRoute
from api.watch import NewestObject

REFUSALS: Final = frozenset({"not_built", "not_granted", "not_upgraded"})
"""What the database itself has said, so it is there."""

router = APIRouter(route_class=PlainRoute, tags=["health"])


@router.get(
    "/healthz",
    summary="Can questions be answered?",
    response_class=Response,
    responses={
        200: {"model": Health, "description": "They can."},
        503: {
            "model": Error,
            "description": "They cannot: the database is away, or holds no data yet. "
            "The body has the fields of a 200 too.",
        },
    },
)
async def healthz(request: Request) -> Response:
    """Say whether the database answers, and which object came in last."""
    newest_object: NewestObject = request.app.state.newest_object
    try:
        newest = await newest_object.read()
    except ApiError as error:
        body = {
            "status": "degraded",
            "database": "connected" if error.code in REFUSALS else "unavailable",
            "last_ingested_object": None,
            "last_ingested_at": None,
            **error.body(),
        }
        return json_response(body, error.status, error.headers)
    ingested_at = newest.last_ingested_at
    return json_response(
        {
            "status": "healthy",
            "database": "connected",
            "last_ingested_object": newest.last_ingested_object,
            "last_ingested_at": ingested_at and format_instant(ingested_at),
        }
    )


@router.get(
    "/livez",
    summary="Does the process run?",
    response_class=Response,
    responses={200: {"model": Alive, "description": "It does."}},
)
async def livez(_request: Request) -> Response:
    """Say that the process runs, whatever the database does."""
    return json_response({"status": "alive"})
