"""Keys: who may ask, where not everybody may."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import ApiError
from warehouse.errors import UserError

MIN_KEY_LENGTH: Final = 16

VISIBLE_ASCII: Final = re.compile("[!-~]+")

OPEN_PATHS: Final = frozenset(
    {"/healthz", "/livez", "/metrics", "/docs", "/openapi.json"}
)
"""What needs no key: what load balancers and monitors ask for, and the documentation,
which has no data. Whatever lies under /docs/ and /static/ is open too."""

REALM: Final = "Hyperliquid TWAP warehouse"
CHALLENGES: Final = (
    f'Basic realm="{REALM}", charset="UTF-8"',
    f'Bearer realm="{REALM}"',
)
"""Each in a header of its own: browsers misread two challenges in one."""


def parse_keys(text: str) -> tuple[str, ...]:
    """Return the keys of a list that is separated by commas.

    Raises UserError, which never shows a key, where one is shorter than 16 characters
    or has others than visible ASCII.
    """
    keys = tuple(key.strip() for key in text.split(","))
    for number, key in enumerate(keys, 1):
        if len(key) < MIN_KEY_LENGTH:
            raise _bad_key(number, f"is shorter than {MIN_KEY_LENGTH} characters")
        if not VISIBLE_ASCII.fullmatch(key):
            raise _bad_key(number, "has a blank, or a character that is not ASCII")
    return keys


def _bad_key(number: int, fault: str) -> UserError:
    return UserError(
        f"API_KEYS: key number {number} {fault}. Keys are separated by commas; "
        "`openssl rand -hex 32` makes a good one."
    )


class RequireKey:
    """Answers 401 to a request without a key, except on the open paths.

    A key comes as `Authorization: Bearer …`, as `X-API-Key`, or as the password of
    HTTP Basic with any user name, as browsers ask for it. Without any `keys` all is
    open. It stands inside CORS, so that a page can read the 401.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str] = ()) -> None:
        self.app = app
        self._digests = [sha256(key.encode()).digest() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, if it may."""
        app = self.app
        if self._digests and scope["type"] == "http" and not self._may_pass(scope):
            response = _unauthorized().response()
            for challenge in CHALLENGES:
                response.headers.append("WWW-Authenticate", challenge)
            app = response
        await app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path in OPEN_PATHS or path.startswith(("/docs/", "/static/")):
            return True
        return any(self._is_key(each) for each in _presented(scope["headers"]))

    def _is_key(self, presented: bytes) -> bool:
        # Digests are of one length, and all of them are compared whatever the first
        # says, so that the time tells nothing of a key.
        digest = sha256(presented).digest()
        return sum(hmac.compare_digest(digest, each) for each in self._digests) > 0


def _presented(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """Yield all that a request presents as a key."""
    for name, value in headers:
        if name == b"x-api-key":
            yield value.strip()
        elif name == b"authorization":
            scheme, _, credentials = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                yield credentials.strip()
            elif scheme.lower() == b"basic":
                yield _password(credentials)


def _password(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials).partition(b":")[2]
    except binascii.Error:
        return b""


def _unauthorized() -> ApiError:
    return ApiError(
        401,
        "unauthorized",
        "A key is needed, as `Authorization: Bearer …`, as `X-API-Key: …`, or as the "
        "password of HTTP Basic.",
    )
