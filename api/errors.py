"""The one shape of every answer that is no success.

`{"error": {"code", "message", "field"}, "detail": …}`: `error` for programs, `detail`
as FastAPI's users know it, a list of {loc, msg, type} in a 422 and else a string.
Nothing here ever repeats what the caller sent, or what an exception said.
"""

import json
from collections.abc import Mapping

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

ROUTER_CODES = {404: "not_found", 405: "method_not_allowed"}

ROUTER_MESSAGES = {
    404: "There is nothing at this path; /docs lists what there is.",
    405: "This path can only be read: use GET or HEAD.",
}


class ApiError(Exception):
    """An answer that is no success, raised where it is found.

    `code` is for programs and never changes; `message` is one sentence for people;
    `field` names the parameter at fault, if one is, and `location` where it stood.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        location: str = "query",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.location = location
        self.headers = headers

    def body(self) -> dict[str, object]:
        """Return the answer's body."""
        detail: object = self.message
        if self.status == 422:
            loc = [self.location, *([self.field] if self.field else [])]
            detail = [{"loc": loc, "msg": self.message, "type": self.code}]
        return {
            "error": {"code": self.code, "message": self.message, "field": self.field},
            "detail": detail,
        }

    def response(self) -> Response:
        """Return the answer."""
        return json_response(self.body(), self.status, self.headers)


def bad_parameter(
    code: str, field: str | None, message: str, *, location: str = "query"
) -> ApiError:
    """Return the 422 for a parameter; the message must not contain its value."""
    return ApiError(422, code, message, field=field, location=location)


def unavailable(code: str, message: str, *, retry_after: int = 2) -> ApiError:
    """Return the 503 for what may be asked again in so many seconds."""
    return ApiError(503, code, message, headers={"Retry-After": str(retry_after)})


def internal_error() -> ApiError:
    """Return the 500, which says nothing of what happened."""
    return ApiError(500, "internal_error", "Something broke here; it has been logged.")


def json_response(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a JSON answer from Python values."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers, media_type="application/json")


def install_handlers(app: FastAPI) -> None:
    """Give our shape to what routes raise and to what the router itself answers."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _router_error)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  # registered for this class alone; tells mypy so
    return error.response()


async def _router_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = "GET, HEAD"
    return ApiError(
        error.status_code,
        ROUTER_CODES.get(error.status_code, "http_error"),
        ROUTER_MESSAGES.get(error.status_code, error.detail),
        headers=headers,
    ).response()
