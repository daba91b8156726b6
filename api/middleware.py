"""What every request passes through before and after its route, outermost first."""

import time

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, internal_error
from api.query_string import MAX_URL_BYTES

log = structlog.stdlib.get_logger("api.access")
failures = structlog.stdlib.get_logger("api")


class AccessLog:
    """Writes a line for each answer: never the query, which names a wallet."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its line."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                milliseconds=round((time.perf_counter() - began) * 1000, 2),
            )


class Cors(CORSMiddleware):
    """Starlette's, with a refused preflight in our error shape."""

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


class Guard:
    """Refuses too long a URL, answers HEAD as GET, and turns a crash into a 500.

    It stands inside CORS, so that a page can read these answers too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is refused here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
            send = _without_body(send)
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        app: ASGIApp = self.app
        if _url_bytes(scope) > MAX_URL_BYTES:
            message = f"The URL is longer than {MAX_URL_BYTES} bytes."
            app = ApiError(414, "url_too_long", message).response()
        try:
            await app(scope, receive, note_start)
        except Exception:
            failures.exception("request failed", path=scope["path"])
            if started:
                # Half an answer cannot be taken back: the server breaks the connection.
                raise
            await internal_error().response()(scope, receive, send)


def _url_bytes(scope: Scope) -> int:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return len(path) + len(query) + (1 if query else 0)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
