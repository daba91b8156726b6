"""The files that the pages load, every byte of them from here."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.errors import ROUTER_CODES, ROUTER_MESSAGES, ApiError
from api.middleware.headers import PAGE_PROTECTION
from api.pages import FOLDER
from api.routes.plain import PlainRoute
from api.versions import not_modified

router = APIRouter(route_class=PlainRoute, include_in_schema=False)

STATIC: Final = FOLDER / "static"

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}

NAMES: Final = frozenset(
    path.relative_to(STATIC).as_posix()
    for path in STATIC.rglob("*")
    if path.suffix in MEDIA_TYPES
)


@router.get("/static/{name:path}")
async def static_file(request: Request) -> Response:
    """Answer with a file of api/pages/static."""
    name = request.path_params["name"]
    if name not in NAMES:
        raise no_such_file()
    return file_response(request, STATIC / name)


def no_such_file() -> ApiError:
    """Return the 404."""
    return ApiError(404, ROUTER_CODES[404], ROUTER_MESSAGES[404])


def file_response(request: Request, path: Path) -> Response:
    """Return the answer with a file that a page loads, or 304."""
    content, etag = _content(path)
    headers = {
        "Content-Security-Policy": PAGE_PROTECTION["Content-Security-Policy"],
        # Kept, but asked for each time, so that a new release is whole at once.
        "Cache-Control": "no-cache",
        "ETag": etag,
    }
    return not_modified(request, headers) or Response(
        content, headers=headers, media_type=MEDIA_TYPES[path.suffix]
    )


@cache
def _content(path: Path) -> tuple[bytes, str]:
    """Return a file's content and its ETag."""
    content = path.read_bytes()
    # Weak, since compressed it is the same file in other bytes.
    return content, f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
