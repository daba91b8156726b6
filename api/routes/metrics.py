"""What Prometheus asks for."""

from typing import Final

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response

from api.metrics import Metrics
from api.routes.plain import PlainRoute
from api.watch import Watch

router = APIRouter(route_class=PlainRoute, tags=["health"])

EXAMPLE: Final = """\
# HELP database_up 1 when the database answers and holds a finished build, else 0.
# TYPE database_up gauge
database_up 1.0
"""


@router.get(
    "/metrics",
    summary="How is it doing, in figures?",
    response_class=Response,
    responses={
        200: {
            "description": "The figures, in Prometheus's text format.",
            "content": {"text/plain": {"example": EXAMPLE}},
        }
    },
)
async def metrics(request: Request) -> Response:
    """Answer with figures of the requests, the database and the ETL.

    While the database is away, `database_up` is 0, and those of the ETL are left out.
    """
    own: Metrics = request.app.state.metrics
    watch: Watch = request.app.state.watch
    text = own.text(await watch.read())
    return Response(
        text,
        headers={
            "Content-Type": CONTENT_TYPE_PLAIN_0_0_4,
            "Cache-Control": "no-store",
        },
    )
