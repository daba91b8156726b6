"""HTTP on one connection, with an end to what a client can make the server hold."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import ApiError, unavailable
from api.middleware.cors import FOR_ANY_PAGE
from api.middleware.guard import url_too_long
from api.middleware.headers import PROTECTION
from api.middleware.requests import new_request_id

REQUEST_SECONDS: Final = 10
"""In which a request must be here, its body included, counted from its first byte; and
in which the first byte of a new connection must come."""

MAX_HEAD_BYTES: Final = 32 * 1024
"""Of a request's line and headers: as much as usual proxies let through."""

MAX_BODY_BYTES: Final = 1024 * 1024
"""Of a body, which nobody reads. A client that sends one by mistake gets its answer;
one that goes on sending is cut off."""

MAX_PIPELINED: Final = 16
"""Of requests that a client sends before it has the answer to the one before; those
after that are not answered."""

MAX_CONNECTIONS: Final = 900
"""Of a worker, idle ones included: with its files and database connections less than
1,024, which is all that most systems let a process open."""

log = structlog.stdlib.get_logger("api")


class Protocol(HttpToolsProtocol):
    """Uvicorn's, which by itself waits for ever and keeps all that comes.

    A request that is too slow or too large is refused in our error shape, and its
    connection ends; an answer that is still under way on it is finished first. Where
    there are too many connections, a new one takes the place of one that waits for no
    answer; only when all do is it refused.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._refusal = ApiError(400, "bad_request", "This is no HTTP request.")
        self._in_message = False
        self._in_head = False
        self._received = 0
        self._is_deaf = False

    def connection_made(  # type: ignore[override]  # uvicorn too says what asyncio really gives
        self, transport: asyncio.Transport
    ) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._start_deadline()
        if len(self.connections) > MAX_CONNECTIONS and not self._displace_another():
            message = "Too many connections at once; try again shortly."
            self._refuse(unavailable("too_busy", message))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, within the limits."""
        if self._is_deaf:
            return
        self._start_deadline()
        super().data_received(data)
        if self._in_message:
            self._received += len(data)
            if self._in_head and self._received > MAX_HEAD_BYTES:
                self._give_up(self._too_large())
            elif self._received > MAX_HEAD_BYTES + MAX_BODY_BYTES:
                self._give_up()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to stay open, uvicorn says nothing
        """Answer what was asked, also to one who will ask no more."""
        self._give_up()
        return not self.transport.is_closing()

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._start_deadline()
        self._in_message = self._in_head = True
        self._received = 0

    def on_headers_complete(self) -> None:
        """Answer, unless the head is too large."""
        lines = [self.url, *(name + b": " + value for name, value in self.headers)]
        if sum(len(line) + len(b"\r\n") for line in lines) > MAX_HEAD_BYTES:
            self._refusal = self._too_large()
            raise ValueError("too large")
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests ahead of their answers")
        if any(
            name == b"transfer-encoding" and value.strip().lower() != b"chunked"
            for name, value in self.headers
        ):
            # The parser says so only after the request has been answered.
            raise ValueError("an unknown transfer encoding")
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop to count."""
        super().on_message_complete()
        self._in_message = False
        self._stop_deadline()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed."""
        self._give_up(self._refusal)

    def is_waiting_for_an_answer(self) -> bool:
        """Tell whether a request of this connection is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._overdue)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _overdue(self) -> None:
        message = f"The request was not here within {REQUEST_SECONDS} seconds."
        error = ApiError(408, "request_timeout", message)
        self._give_up(error if self._in_head else None)

    def _too_large(self) -> ApiError:
        if len(self.url) > MAX_HEAD_BYTES // 2:
            return url_too_long()
        message = f"The headers are longer than {MAX_HEAD_BYTES} bytes."
        return ApiError(431, "headers_too_large", message)

    def _give_up(self, error: ApiError | None = None) -> None:
        """Read no more, and close the connection after the answer that is under way.

        Where none is, an `error` is the last answer.
        """
        self._is_deaf = True
        if self.is_waiting_for_an_answer():
            self.cycle.keep_alive = False
        elif error is not None:
            self._refuse(error)
        else:
            self.transport.close()

    def _refuse(self, error: ApiError) -> None:
        self._is_deaf = True
        if self.transport.is_closing():
            return
        request_id = new_request_id()
        log.info("refused", code=error.code, status=error.status, request_id=request_id)
        response = error.response()
        response.headers.update(PROTECTION)
        response.headers.update(self.app_state.get(FOR_ANY_PAGE, {}))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Connection"] = "close"
        response.headers["X-Request-ID"] = request_id
        status = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(status.encode() + lines + b"\r\n" + bytes(response.body))
        self.transport.close()

    def _displace_another(self) -> bool:
        for other in self.connections:
            if (
                other is not self
                and isinstance(other, Protocol)
                and not other.is_waiting_for_an_answer()
                and not other.transport.is_closing()
            ):
                other.transport.close()
                return True
        return False
