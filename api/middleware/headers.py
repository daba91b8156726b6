"""The headers that an answer has whatever its route is."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROTECTION: Final = {
    "X-Content-Type-Options": "nosniff",
    # A URL of ours may name a wallet.
    "Referrer-Policy": "no-referrer",
}
"""Of every answer, also of those that the server gives before there is a request."""

PAGE_PROTECTION: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "DENY",
}
"""Of every HTML page whose route has not set its own."""

# As ASGI has them. No route sets one of its own.
_PROTECTION: Final = [
    (name.lower().encode(), value.encode()) for name, value in PROTECTION.items()
]

NEVER_STORED: Final = frozenset({"/healthz", "/livez"})
"""Paths whose answer is worth nothing a moment later."""


class FixedHeaders:
    """Protects what reads our answers, and keeps caches from keeping failures.

    An error has `Cache-Control: no-store` where its route has not said otherwise. It
    stands outside CORS, whose preflights it completes too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and complete the headers of its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_fleeting = scope["path"] in NEVER_STORED

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_PROTECTION]
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    for name, value in PAGE_PROTECTION.items():
                        headers.setdefault(name, value)
                if is_fleeting or message["status"] >= 400:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, complete)
