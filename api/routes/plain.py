"""A route whose endpoint reads the request itself."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response


class PlainRoute(APIRoute):
    """A route that FastAPI only describes.

    Its endpoint takes the request and returns the answer. FastAPI would look for
    parameters, dependencies and a body first, though none of ours has any.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint."""
        return self.endpoint
