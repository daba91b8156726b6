"""Which data an answer is made of, and whether a client's copy of it is still good."""

import hashlib
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.database import not_built
from warehouse import __version__

JSON = "application/json"


@dataclass(frozen=True)
class DataVersion:
    """What the marts held when an answer was read from them.

    `version` is the newest load in them. `build_id` and `run_id` tell more: the newest
    finished build, and the newest run that listed something, which is None when none
    has. `is_building`: a build runs or broke, so the marts may be half of each.
    """

    version: str | None
    build_id: str
    run_id: str | None
    is_building: bool

    @classmethod
    def of(cls, row: Any) -> "DataVersion":
        """Return the version that a query read along with its rows.

        Raises ApiError (503) when no build has finished yet.
        """
        if row.build_id is None:
            raise not_built()
        return cls(row.version, row.build_id, row.run_id, row.is_building)

    def etag(self, request: Request, media_type: str) -> str:
        """Return the weak ETag of the answer to the request.

        Of the release too, since another one may write the same data otherwise.
        """
        parts = (
            self.version,
            self.build_id,
            self.run_id,
            __version__,
            request.scope["path"],
            request.scope["query_string"],
            media_type,
        )
        digest = hashlib.sha256(repr(parts).encode()).hexdigest()
        return f'W/"{digest[:32]}"'

    def headers(self, request: Request, media_type: str = JSON) -> dict[str, str]:
        """Return what tells caches, and people, of the data that an answer holds."""
        version = {"X-Data-Version": self.version or ""}
        if self.is_building:
            return {**version, "Cache-Control": "no-store"}
        whose = "private" if request.app.state.is_private else "public"
        return {
            **version,
            "Cache-Control": f"{whose}, no-cache",
            "ETag": self.etag(request, media_type),
        }


def not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    """Return the 304 when the client holds what would be sent, else None."""
    etag = headers.get("ETag")
    held = request.headers.get("if-none-match", "")
    if etag is None or not held:
        return None
    tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    if tags & {etag.removeprefix("W/"), "*"}:
        return Response(status_code=304, headers=headers)
    return None


def answer(
    request: Request,
    version: DataVersion,
    text: bytes,
    more_headers: dict[str, str] | None = None,
) -> Response:
    """Return a JSON answer, or 304 when the client holds it already."""
    headers = version.headers(request) | (more_headers or {})
    return not_modified(request, headers) or Response(text, 200, headers, JSON)
