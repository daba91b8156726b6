"""Coverage: how far all answers can be trusted."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.answers import ANSWERS, Certificate
from api.certificate import read_covered
from api.instants import FIRST_MOMENT, LAST_MOMENT
from api.json_text import json_object
from api.parameters import COVERAGE
from api.query_string import openapi_parameters, read_query
from api.routes.plain import PlainRoute
from api.versions import answer
from api.window import read_window

router = APIRouter(route_class=PlainRoute, prefix="/api/v1", tags=["coverage"])


@router.get(
    "/coverage",
    summary="Whether all that the bucket held is here",
    response_class=Response,
    responses={
        **ANSWERS,
        200: {"model": Certificate, "description": "The certificate."},
    },
    openapi_extra=openapi_parameters(COVERAGE),
)
async def get_coverage(request: Request) -> Response:
    """Answer with the certificate of a window over all wallets, or of all that is here.

    Each answer carries one as `coverage`; here, `open_twaps` is of all wallets.
    """
    given = read_query(request.scope["query_string"], COVERAGE)
    window = read_window(given) if given else None
    found, coverage = await read_covered(
        request,
        "coverage",
        {
            "start": window.start if window else FIRST_MOMENT,
            "as_of": window.end if window else LAST_MOMENT,
        },
    )
    # Neither a window nor an event: there is no moment to speak of.
    as_of = found.as_of if found.as_of < LAST_MOMENT else None
    text = json_object(
        coverage.certificate(window, as_of=as_of, open_twaps=found.open_twaps)
    )
    return answer(request, coverage.version, text)
