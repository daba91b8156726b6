"""The form in which a body is sent: not at all for HEAD, and compressed on request."""

import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GZIP_LEVEL: Final = 4
"""Of a page of 5,000 TWAPs it leaves a sixth, in a quarter of the time of level 9,
which leaves a seventh."""

INCOMPRESSIBLE: Final = ("application/vnd.apache.parquet", "image/png")
"""Types of ours that are compressed already."""

ACCEPT_ENCODING: Final = b"accept-encoding"
ZERO_QUALITY: Final = re.compile(r"q=0(\.0{0,3})?")


class Head:
    """Answers HEAD with the headers of GET, on every path.

    Routes see a GET. One whose body is costly asks whether
    `request.state.headers_only` is set (it is absent for a GET), and if so sends its
    headers with any body or none; nothing of it reaches the client.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, a HEAD as a GET."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # The server's own state must not learn of this request.
            state = {**scope.get("state", {}), "headers_only": True}
            scope = {**scope, "method": "GET", "state": state}
            send = _without_body(send)
        await self.app(scope, receive, send)


class Compress:
    """Compresses by gzip what can be, for those who accept that.

    Every answer that could have been has `Vary: Accept-Encoding`, also a small one and
    a 304, so that a cache treats all answers of a URL alike. It stands inside Head, so
    that a HEAD tells the length and encoding of the compressed body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._as_it_is = app
        self._get = _gzip(app)
        self._head = _gzip(_with_open_end(app))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and compress its answer."""
        if scope["type"] != "http":
            await self._as_it_is(scope, receive, send)
            return
        app = self._as_it_is
        if accepts_gzip(Headers(scope=scope).getlist("accept-encoding")):
            # Starlette only looks for the word, and in the first header.
            others = [each for each in scope["headers"] if each[0] != ACCEPT_ENCODING]
            scope = {**scope, "headers": [*others, (ACCEPT_ENCODING, b"gzip")]}
            is_head = scope.get("state", {}).get("headers_only", False)
            app = self._head if is_head else self._get
        await app(scope, receive, _varying(send))


def accepts_gzip(accept_encoding: list[str]) -> bool:
    """Tell whether these values of Accept-Encoding name gzip, and not with `q=0`."""
    for choice in ",".join(accept_encoding).lower().split(","):
        coding, *options = (part.strip() for part in choice.split(";"))
        if coding in ("gzip", "x-gzip"):
            return not any(ZERO_QUALITY.fullmatch(option) for option in options)
    return False


def _gzip(app: ASGIApp) -> ASGIApp:
    return GZipMiddleware(
        app, compresslevel=GZIP_LEVEL, exclude_content_types=INCOMPRESSIBLE
    )


def _varying(send: Send) -> Send:
    async def add_vary(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            varies = headers.get("vary", "").lower()
            if _is_compressible(headers) and "accept-encoding" not in varies:
                headers.add_vary_header("Accept-Encoding")
        await send(message)

    return add_vary


def _is_compressible(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type not in INCOMPRESSIBLE


def _with_open_end(app: ASGIApp) -> ASGIApp:
    """Make an app's body the beginning of a stream, unless its length is told.

    A GET of it is a stream, so gzip, which leaves short bodies alone, must take the
    empty body of its HEAD for one too.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, _opening(send))

    return call


def _opening(send: Send) -> Send:
    is_stream = False

    async def forward(message: Message) -> None:
        nonlocal is_stream
        if message["type"] == "http.response.start":
            has_body = message["status"] not in (204, 304)
            is_stream = has_body and "content-length" not in Headers(scope=message)
        elif is_stream:
            await send({**message, "more_body": True})
            message = {**message, "body": b""}
        await send(message)

    return forward


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
