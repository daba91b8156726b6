"""HTTP on loopback, answered by an event loop in a thread of its own.

A request costs little, a connection that waits costs nothing, and both count where the
server stands beside what is measured.
"""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import httptools
import uvloop


class Exchange:
    """A request that is here as a whole, and the way to answer it."""

    def __init__(self, connection: "_Connection") -> None:
        self.method = ""
        self.target = ""
        """Path and query, encoded as they came."""
        self.headers: dict[str, str] = {}
        """By their names in lower case."""
        self.body = bytearray()
        self.keep_alive = True
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Send a part of the answer, unless the client has gone."""
        self._connection.write(data)

    def end(self, keep_alive: bool) -> None:
        """Have answered, and end the connection if it is not to be kept.

        What was not written will not come, whatever the answer promised.
        """
        self._connection.end(keep_alive and self.keep_alive)


class HttpServer:
    """A port on 127.0.0.1 whose requests go to a function.

    `handle` is called in the server's thread, in which alone an exchange is answered:
    at once, by `later`, or by `call` from another thread.
    """

    def __init__(self, handle: Callable[[Exchange], None]) -> None:
        self._handle = handle
        self._connections: set[_Connection] = set()
        # Listens at once: who comes before the thread runs only waits for it.
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._loop = uvloop.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, name="sandbox-http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more and drop every connection."""
        self.call(self._closing.set)
        self._thread.join()

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the server's thread call a function soon; a closed server does not."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def later(
        self, seconds: float, function: Callable[..., None], *arguments: Any
    ) -> None:
        """Call a function after a time; for the server's thread."""
        self._loop.call_later(seconds, function, *arguments)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_server(
            lambda: _Connection(self._handle, self._connections), sock=self._listener
        )
        await self._closing.wait()
        server.close()
        # Who was accepted just now is a connection only in the next round.
        await asyncio.sleep(0)
        while self._connections:
            for connection in self._connections:
                connection.abort()
            await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """What the loop tells of a connection, and the parser of what comes on it."""

    def __init__(
        self, handle: Callable[[Exchange], None], connections: set["_Connection"]
    ) -> None:
        self._handle = handle
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._unanswered: deque[Exchange] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()

    def on_message_begin(self) -> None:
        self._coming = Exchange(self)

    def on_url(self, url: bytes) -> None:
        self._coming.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._coming.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if "expect" in self._coming.headers:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._coming.body += body

    def on_message_complete(self) -> None:
        # The body is whole now, and its length known.
        self._coming.headers.pop("transfer-encoding", None)
        self._coming.method = self._parser.get_method().decode()
        self._coming.keep_alive = self._parser.should_keep_alive()
        self._unanswered.append(self._coming)
        if len(self._unanswered) == 1:
            self._handle(self._coming)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def end(self, keep_alive: bool) -> None:
        self._unanswered.popleft()
        if not keep_alive:
            self._transport.close()
        elif self._unanswered:
            self._handle(self._unanswered[0])

    def abort(self) -> None:
        self._transport.abort()
