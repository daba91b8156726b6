"""An S3 endpoint on loopback that asks its requesters to pay, as the real bucket does.

moto answers in this process. In front of it stands a check that refuses whoever does
not agree to pay, counts the requests, and lets tests inject faults. A client needs
`AWS_ENDPOINT_URL` (the server's `endpoint_url`), `AWS_ACCESS_KEY_ID` and
`AWS_SECRET_ACCESS_KEY` (any text), and `AWS_S3_BUCKET` if the server has another bucket
than the project's default; `S3Server.environment` holds them all.
"""

import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.s3.models import S3Backend, s3_backends
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sandbox.faults import Fault, Rule, error

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DEFAULT_BUCKET = "artemis-hyperliquid-data"
DEFAULT_REGION = "ap-northeast-1"

_creating_bucket = threading.Lock()


class S3Server:
    """One bucket behind a real HTTP endpoint on 127.0.0.1, served by threads.

    Servers share nothing: each has a bucket of its own, also under the same name. Use
    it as a context manager, or call `close` at the end.
    """

    def __init__(
        self, bucket: str = DEFAULT_BUCKET, *, region: str = DEFAULT_REGION
    ) -> None:
        self.bucket = bucket
        self.requests: Counter[tuple[str, str]] = Counter()
        """How often each (method, key) was asked for, refused requests among them.

        A page of a listing counts as ("LIST", prefix).
        """
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        # An account of its own is what separates the buckets of moto's servers.
        self._account = f"{secrets.randbelow(10**12):012}"
        self._backend: S3Backend = s3_backends[self._account]["aws"]
        self._moto = create_backend_app("s3")
        with _creating_bucket:
            self._bucket = self._backend.create_bucket(bucket, region)
            # Else nobody else in this process could have a bucket of this name.
            s3_backends.bucket_accounts.pop(bucket, None)
        self._connections: set[socket.socket] = set()
        self._server = make_server(
            "127.0.0.1",
            0,
            self._answer,
            threaded=True,
            request_handler=_handler(self._connections),
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(0.02,),
            name="sandbox-s3",
            daemon=True,
        )
        self._thread.start()

    @property
    def endpoint_url(self) -> str:
        """Where the server listens, as `AWS_ENDPOINT_URL` takes it."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the project, or any client of AWS, to this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_S3_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            # Else a machine without credentials of its own asks its cloud for some.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering, drop every connection, and forget the objects."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for key in self.keys():
            self.delete(key)
        s3_backends.pop(self._account, None)
        # moto remembers each object that it ever had, for a reset of them all.
        reset_model_data()

    def put(self, key: str, body: bytes, last_modified: datetime | None = None) -> str:
        """Publish an object, replacing one of the same key, and return its ETag.

        `last_modified` is cut to whole seconds, as S3 does; by default it is now.
        """
        published = (last_modified or datetime.now(UTC)).astimezone(UTC)
        with self._lock:
            # In moto directly: 30 times quicker than by HTTP.
            stored = self._backend.put_object(
                self.bucket, key, body, disable_notification=True
            )
            stored.last_modified = published.replace(microsecond=0, tzinfo=None)
        return stored.etag.strip('"')

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        with self._lock, suppress(KeyError):
            self._bucket.keys.pop(key)

    def keys(self) -> list[str]:
        """Return the keys of all objects, in S3's order."""
        return sorted(self._bucket.keys)

    def inject(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        key: str | None = None,
        times: int | None = None,
    ) -> None:
        """Let a fault answer requests: of a method, for a key, the next few of them.

        What is left out matches all. `method` is as in `requests`: GET, HEAD, LIST, …;
        for LIST the key is the prefix. Of several faults that match, the first one
        injected is tried first.
        """
        with self._lock:
            self._rules.append(Rule(fault, method, key, times))

    def heal(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._rules.clear()

    def _answer(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        method, key = _asked(request)
        with self._lock:
            self.requests[method, key] += 1
            fault = next(
                (rule.fault for rule in self._rules if rule.takes(method, key)), None
            )

        def honest() -> Response:
            if request.headers.get("x-amz-request-payer") != "requester":
                return error(403, "AccessDenied", "Access Denied")
            if plain := self._plain_object(request, method, key):
                return plain
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
            # moto lists by walking what `put` may change meanwhile.
            with self._lock if method == "LIST" else nullcontext():
                return Response.from_app(self._moto, environ)

        response = fault(request, honest) if fault else honest()
        return response(environ, start_response)

    def _plain_object(self, request: Request, method: str, key: str) -> Response | None:
        """Return a whole object as it is; None where moto has more to say.

        Twice as quick as moto's own way: a benchmark of a reader is else one of moto.
        """
        stored = self._bucket.keys.get(key) if method == "GET" else None
        asked_more = request.query_string or "Range" in request.headers
        if stored is None or asked_more:
            return None
        if request.headers.get("If-Match", stored.etag) != stored.etag:
            return None
        response = Response(stored.value, content_type="binary/octet-stream")
        response.headers |= {"ETag": stored.etag, "Accept-Ranges": "bytes"}
        response.last_modified = stored.last_modified
        return response


def _asked(request: Request) -> tuple[str, str]:
    _, _, key = request.path.lstrip("/").partition("/")
    if not key and request.method == "GET":
        return "LIST", request.args.get("prefix", "")
    return request.method, key


def _handler(connections: set[socket.socket]) -> type[MotoRequestHandler]:
    class Handler(MotoRequestHandler):
        # As S3 answers, though werkzeug closes each connection after its answer.
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            connections.add(self.request)
            super().setup()

        def finish(self) -> None:
            connections.discard(self.request)
            super().finish()

        def connection_dropped(self, *_: Any) -> None:
            """End what a fault dropped, instead of waiting for the next request."""
            self.close_connection = True

        def log(self, *_: Any) -> None:
            """Say nothing: the tests' output and the demo's belong to others."""

    return Handler
