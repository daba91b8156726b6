"""What tests let the S3 endpoint do wrong.

A fault takes a request and a function that answers it honestly, and returns what the
client gets: it may call that function late, change its answer, or not call it at all.
One that raises ConnectionError drops the connection without an answer; after an answer
that is shorter than its Content-Length the connection is dropped too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from werkzeug.wrappers import Request, Response

Fault = Callable[[Request, Callable[[], Response]], Response]


@dataclass
class Rule:
    """A fault and the requests that it takes."""

    fault: Fault
    method: str | None
    key: str | None
    times: int | None

    def takes(self, method: str, key: str) -> bool:
        """Say whether this request is to fail, and count it if so."""
        if self.method not in (None, method) or self.key not in (None, key):
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


def error(status: int, code: str, message: str) -> Response:
    """Return an error as S3 words it."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, content_type="application/xml")


def answer(status: int, code: str, message: str = "Injected by a test") -> Fault:
    """Answer an error instead: 503 SlowDown, 500 InternalError, 404 NoSuchKey, …"""
    return lambda _request, _honest: error(status, code, message)


@dataclass(frozen=True)
class Delay:
    """A fault that only waits: the server needs no thread for that."""

    seconds: float

    def __call__(self, _: Request, honest: Callable[[], Response]) -> Response:
        """Wait in a thread, where another fault calls this one."""
        time.sleep(self.seconds)
        return honest()


def delay(seconds: float) -> Fault:
    """Answer honestly, but late."""
    return Delay(seconds)


def drop(_request: Request, _honest: Callable[[], Response]) -> Response:
    """Drop the connection without an answer."""
    raise ConnectionError


def truncate(size: int) -> Fault:
    """Promise the whole body, send so many bytes of it, and drop the connection."""

    def truncated(_request: Request, honest: Callable[[], Response]) -> Response:
        response = honest()
        promised = response.headers["Content-Length"]
        response.set_data(response.get_data()[:size])
        response.headers["Content-Length"] = promised
        return response

    return truncated


def shorten(size: int) -> Fault:
    """Send so many bytes as if they were the whole body, the length agreeing."""

    def shortened(_request: Request, honest: Callable[[], Response]) -> Response:
        response = honest()
        response.set_data(response.get_data()[:size])
        return response

    return shortened


def on_later_pages(fault: Fault) -> Fault:
    """Let a fault answer every page of a listing but the first."""

    def later(request: Request, honest: Callable[[], Response]) -> Response:
        if "continuation-token" in request.args:
            return fault(request, honest)
        return honest()

    return later
