"""What describes the API: OpenAPI, and Swagger UI, every byte of it from here."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.errors import json_response
from api.pages import FOLDER
from api.routes.plain import PlainRoute
from api.routes.static import file_response, no_such_file

router = APIRouter(route_class=PlainRoute, include_in_schema=False)

SWAGGER_UI: Final = Path(str(files("fastapi_swagger"))) / "resources"

FILES: Final = {
    "docs.js": FOLDER,
    "swagger-ui-bundle.js": SWAGGER_UI,
    "swagger-ui.css": SWAGGER_UI,
    "favicon-32x32.png": SWAGGER_UI,
}
"""The files that the page loads; the package holds others, which are not served."""


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Answer with the document."""
    return json_response(request.app.openapi())


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Answer with the page."""
    return file_response(request, FOLDER / "docs.html")


@router.get("/docs/{name}")
async def docs_file(request: Request) -> Response:
    """Answer with a file that the page loads."""
    name = request.path_params["name"]
    if name not in FILES:
        raise no_such_file()
    return file_response(request, FILES[name] / name)
