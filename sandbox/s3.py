"""An S3 endpoint on loopback that asks its requesters to pay, as the real bucket does.

In front of moto stands a check that refuses whoever does not agree to pay, counts the
requests, lets tests inject faults, and answers itself what a loader asks for most:
whole objects and listings. A client needs `AWS_ENDPOINT_URL` (the server's
`endpoint_url`), `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (any text), and
`AWS_S3_BUCKET`; `S3Server.environment` holds them all.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, unquote

from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import FakeKey, S3Backend, s3_backends
from werkzeug.datastructures import Headers
from werkzeug.http import http_date
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from sandbox import listing
from sandbox.faults import Delay, Fault, Rule, error
from sandbox.http_server import Exchange, HttpServer

BUCKET = "artemis-hyperliquid-data"
REGION = "ap-northeast-1"

_ASKS_MORE = {"range", "if-none-match", "if-modified-since", "if-unmodified-since"}

_creating_bucket = threading.Lock()


class S3Server:
    """One bucket behind a real HTTP endpoint on 127.0.0.1.

    Servers share nothing: each has a bucket of its own under the same name. Use it as a
    context manager, or call `close` at the end.
    """

    def __init__(self) -> None:
        self.bucket = BUCKET
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
            self._bucket = self._backend.create_bucket(BUCKET, REGION)
            # Else nobody else in this process could have a bucket of this name.
            s3_backends.bucket_accounts.pop(BUCKET, None)
        self._http = HttpServer(self._handle)

    @property
    def endpoint_url(self) -> str:
        """Where the server listens, as `AWS_ENDPOINT_URL` takes it."""
        return f"http://127.0.0.1:{self._http.port}"

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
        self._http.close()
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
        self._rules.append(Rule(fault, method, key, times))

    def heal(self) -> None:
        """Take all faults away."""
        self._rules = []

    def _handle(self, exchange: Exchange) -> None:
        asked = _asked(exchange)
        self.requests[asked.method, asked.key] += 1
        rules = (rule for rule in self._rules if rule.takes(asked.method, asked.key))
        fault = next((rule.fault for rule in rules), None)
        if isinstance(fault, Delay):
            self._http.later(fault.seconds, self._answer, exchange, asked, None)
        else:
            self._answer(exchange, asked, fault)

    def _answer(self, exchange: Exchange, asked: "_Asked", fault: Fault | None) -> None:
        """Answer what is plain at once, all else in a thread: it may take its time."""
        plain = None if fault else self._plain(asked)
        if plain:
            headers = plain.headers | {"Content-Length": str(len(plain.body))}
            exchange.write(_head("200 OK", headers.items()) + plain.body)
            exchange.end(True)
        else:
            threading.Thread(
                target=self._respond, args=(exchange, asked, fault), daemon=True
            ).start()

    def _respond(
        self, exchange: Exchange, asked: "_Asked", fault: Fault | None
    ) -> None:
        environ = EnvironBuilder(
            exchange.target,
            self.endpoint_url,
            method=exchange.method,
            headers=exchange.headers.items(),
            data=bytes(exchange.body),
        ).get_environ()

        def honest() -> Response:
            if not asked.pays:
                return error(403, "AccessDenied", "Access Denied")
            if plain := self._plain(asked):
                return Response(plain.body, headers=plain.headers)
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._account
            # moto lists by walking what `put` may change meanwhile.
            with self._lock if asked.method == "LIST" else nullcontext():
                return Response.from_app(self._moto, environ)

        whole = False
        try:
            response = fault(Request(environ), honest) if fault else honest()
            body, status, listed = response.get_wsgi_response(environ)
            headers = Headers(listed)
            if "Content-Length" not in headers:
                headers["Connection"] = "close"
            self._http.call(exchange.write, _head(status, headers))
            missing = int(headers.get("Content-Length", 0))
            for piece in body:
                self._http.call(exchange.write, piece)
                missing -= len(piece)
            whole = missing == 0 or exchange.method == "HEAD"
            whole &= headers.get("Connection") != "close"
        except ConnectionError:
            pass
        finally:
            self._http.call(exchange.end, whole)

    def _plain(self, asked: "_Asked") -> "_Plain | None":
        """Return the answer to what is asked most; None where moto has more to say.

        A benchmark of a reader is else one of moto.
        """
        if not asked.pays or asked.bucket != self.bucket:
            return None
        if asked.method == "LIST":
            with self._lock:
                page = listing.page(self._bucket, dict(parse_qsl(asked.query)))
            if page is None:
                return None
            return _Plain(page.encode(), {"Content-Type": "application/xml"})
        if asked.method != "GET" or asked.query or _ASKS_MORE & asked.headers.keys():
            return None
        stored = self._bucket.keys.get(asked.key)
        if not isinstance(stored, FakeKey):
            return None
        if asked.headers.get("if-match", stored.etag) != stored.etag:
            return None
        headers = {
            "Content-Type": "binary/octet-stream",
            "ETag": stored.etag,
            "Last-Modified": http_date(stored.last_modified),
            "Accept-Ranges": "bytes",
        }
        return _Plain(stored.value, headers)


class _Asked(NamedTuple):
    """What a request is for; that for a page of a listing is LIST and its prefix."""

    method: str
    bucket: str
    key: str
    query: str
    headers: dict[str, str]

    @property
    def pays(self) -> bool:
        return self.headers.get("x-amz-request-payer") == "requester"


def _asked(exchange: Exchange) -> _Asked:
    path, _, query = exchange.target.partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    method = exchange.method
    if not key and method == "GET":
        method, key = "LIST", dict(parse_qsl(query)).get("prefix", "")
    return _Asked(method, bucket, key, query, exchange.headers)


class _Plain(NamedTuple):
    """An answer with status 200."""

    body: bytes
    headers: dict[str, str]


def _head(status: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
