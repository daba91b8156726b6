"""What must not get in, and what must not get out."""

import asyncio

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ApiError, internal_error, unavailable
from api.middleware.requests import path_for_log
from api.query_string import MAX_URL_BYTES

log = structlog.stdlib.get_logger("api")


class Guard:
    """Refuses too long a URL, and turns a crash into a 500 that says nothing of it.

    It stands inside CORS, so that a page can read these answers, and outside Compress,
    which holds an answer's start back until its body begins: what has started here has
    left.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it is refused here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        app: ASGIApp = self.app
        if _url_bytes(scope) > MAX_URL_BYTES:
            app = url_too_long().response()
        try:
            await app(scope, receive, note_start)
        except asyncio.CancelledError:
            # The server ends, and waits for nobody any more.
            if started:
                raise
            await _shutting_down().response()(scope, receive, send)
        except Exception:
            log.exception("request failed", path=path_for_log(scope))
            if started:
                # Half an answer cannot be taken back: the server breaks the connection.
                raise
            await internal_error().response()(scope, receive, send)


def url_too_long() -> ApiError:
    """Return the 414."""
    message = f"The URL is longer than {MAX_URL_BYTES} bytes."
    return ApiError(414, "url_too_long", message)


def _shutting_down() -> ApiError:
    message = "The server is ending; try again shortly."
    return unavailable("shutting_down", message)


def _url_bytes(scope: Scope) -> int:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return len(path) + len(query) + (1 if query else 0)
