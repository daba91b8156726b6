"""Which pages may read the API."""

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from api.errors import ApiError

EXPOSED: Final = (
    "Content-Disposition",
    "ETag",
    "Link",
    "Retry-After",
    "X-Data-Version",
    "X-Request-ID",
    "X-Row-Count",
)
"""What a page may read of an answer, beside what browsers always let it read."""


FOR_ANY_PAGE: Final = "headers_for_any_page"
"""What the server's state calls the headers that `headers_for_any_page` returns."""


def headers_for_any_page(origins: str) -> dict[str, str]:
    """Return what lets a page read a refusal that is sent before there is a request.

    Nobody knows then which page asks, so where only some may read, none can.
    """
    if "*" not in _each(origins):
        return {}
    return {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": ", ".join(EXPOSED),
    }


def _each(origins: str) -> list[str]:
    return [each.strip() for each in origins.split(",") if each.strip()]


class Cors(CORSMiddleware):
    """Starlette's, for reading alone, with a refused preflight in our error shape.

    `origins` are separated by commas; `*` is all. No cookie is ever asked for. A
    preflight is answered here, so it needs no key; and what is refused further inside
    (no key, too long a URL, a crash) can be read by the page that asked.
    """

    def __init__(self, app: ASGIApp, origins: str) -> None:
        super().__init__(
            app,
            allow_origins=_each(origins),
            allow_methods=["GET", "HEAD"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer to a browser that asks before it sends."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-length", "content-type")
        }
        message = "Pages of this origin may not send this request."
        return ApiError(400, "cors_refused", message, headers=headers).response()
