"""The page that describes the API: Swagger UI, every byte of it from here."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.errors import ROUTER_CODES, ROUTER_MESSAGES, ApiError
from api.routes.plain import PlainRoute

router = APIRouter(route_class=PlainRoute, include_in_schema=False)

PAGES: Final = Path(__file__).parent.parent / "pages"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""What a browser may do with the page: nothing that leads elsewhere, nothing inline.

Swagger UI's style sheet draws its icons from `data:` addresses.
"""

TYPES: Final = {
    "docs.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
"""The files that the page loads; the package holds others, which are not served."""


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Answer with the page."""
    return _answer(request, "docs.html", "text/html")


@router.get("/docs/{name}")
async def docs_file(request: Request) -> Response:
    """Answer with a file that the page loads."""
    name = request.path_params["name"]
    if name not in TYPES:
        raise ApiError(404, ROUTER_CODES[404], ROUTER_MESSAGES[404])
    return _answer(request, name, TYPES[name])


def _answer(request: Request, name: str, media_type: str) -> Response:
    content, etag = _content(name)
    headers = {
        "Content-Security-Policy": POLICY,
        # Kept, but asked for each time, so that a new release is whole at once.
        "Cache-Control": "no-cache",
        "ETag": etag,
    }
    known = request.headers.get("If-None-Match", "").split(",")
    if etag in (tag.strip() for tag in known):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


@cache
def _content(name: str) -> tuple[bytes, str]:
    """Return a file's content and its ETag."""
    own = PAGES / name
    theirs = files("fastapi_swagger") / "resources" / name
    content = own.read_bytes() if own.exists() else theirs.read_bytes()
    # Weak, since compressed it is the same file in other bytes.
    return content, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
