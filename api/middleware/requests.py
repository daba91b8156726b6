"""Which request it was: an id for the caller and for the log, and a line for each."""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""An id that a caller may choose: one that needs no escaping anywhere."""

WALLET: Final = re.compile("(?<=/wallets/)[^/]+")

log = structlog.stdlib.get_logger("api.access")


class RequestLog:
    """Gives each request an id, and writes a line for each answer.

    The id is the caller's own `X-Request-ID`, where that can be one. It is in the
    answer, and in every line that is logged on the way. The line of the answer names no
    wallet: it has no query. Only the Meter stands outside of it, so it misses none.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write its line."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0
        request_id = _request_id(scope)

        async def note_start(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        bound = bind_contextvars(request_id=request_id)
        try:
            await self.app(scope, receive, note_start)
        finally:
            log.info(
                "request",
                method=scope["method"],
                path=path_for_log(scope),
                status=status,
                milliseconds=round((time.perf_counter() - began) * 1000, 2),
            )
            reset_contextvars(**bound)


def new_request_id() -> str:
    """Return an id that no other request has."""
    return uuid4().hex


def path_for_log(scope: Scope) -> str:
    """Return the path without a wallet that it names.

    It is as it was sent, with its percent signs, so it cannot break a line.
    """
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return WALLET.sub("{wallet}", path.decode("ascii", "backslashreplace"))


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else new_request_id()
