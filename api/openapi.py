"""The OpenAPI document: what FastAPI tells of each route, and what holds for all."""

from typing import Any, Final

from fastapi import FastAPI

from api.answers import EXAMPLES

TAGS: Final = [
    {
        "name": "twaps",
        "description": "TWAPs: those of a wallet in a window of time, those that have "
        "changed, and all events of one.",
    },
    {
        "name": "wallets",
        "description": "Wallets: what is known of one, and what it executed in a tax "
        "year.",
    },
    {
        "name": "exports",
        "description": "Whole files: a wallet's window of time without pages.",
    },
    {
        "name": "coverage",
        "description": "The certificate: whether what is here is whole.",
    },
    {
        "name": "health",
        "description": "For load balancers and monitors. They need no key.",
    },
]

SERVERS: Final = [{"url": "/", "description": "The server that this document is of."}]

SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `API_KEYS`, as `Authorization: Bearer …`.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key of `API_KEYS`.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A key of `API_KEYS` as the password, with any user name.",
    },
}

# The empty one says that a server without API_KEYS asks for none.
SECURITY: Final[list[dict[str, list[str]]]] = [
    {},
    {"bearer": []},
    {"apiKey": []},
    {"basic": []},
]

HEADERS: Final = {
    "Cache-Control": "Whether, and by whom, the answer may be kept. `no-cache`: kept, "
    "but asked for again each time with `If-None-Match`.",
    "Content-Disposition": "The name under which the file is saved.",
    "ETag": "Names what was sent. With `If-None-Match` the answer is 304 while that is "
    "still what would be sent. None while a build runs.",
    "Link": 'The next page, as `<?…>; rel="next"`, relative to this one. None on the '
    "last.",
    "Retry-After": "After how many seconds to try again.",
    "WWW-Authenticate": "How a key can be presented.",
    "X-Data-Version": "The load that the answer's data is of. Answers with one version "
    "fit together.",
    "X-Request-ID": "The request's name in the log: the caller's own `X-Request-ID`, "
    "or a new one.",
    "X-Row-Count": "How many rows the whole file has.",
}
"""Every header of an answer that says more than HTTP itself needs."""

REFUSALS: Final = {
    400: "This is no HTTP request.",
    408: "The request took too long to come.",
    414: "The URL is longer than 4,096 bytes.",
    431: "The headers are too long.",
    500: "Something broke here.",
}
"""What any path may answer."""


def complete(app: FastAPI) -> None:
    """Add what holds for all routes to the document that the app shows."""
    document = app.openapi()
    document["servers"] = SERVERS
    document["tags"] = TAGS
    document["security"] = SECURITY
    components = document["components"]
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in HEADERS.items()
    }
    for name, schema in components["schemas"].items():
        # Here, since FastAPI drops each null of an example on its way.
        if name in EXAMPLES:
            schema["examples"] = [EXAMPLES[name]]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    has_data = path.startswith("/api/")
    if not has_data:
        operation["security"] = []
    responses = operation["responses"]
    for status, description in REFUSALS.items():
        responses.setdefault(
            str(status), {"description": description, "content": _ERROR}
        )
    for status, response in responses.items():
        names = _header_names(path, int(status), has_data=has_data)
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = headers | response.get("headers", {})
    operation["responses"] = dict(sorted(responses.items()))


_ERROR: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def _header_names(path: str, status: int, *, has_data: bool) -> list[str]:
    names = ["X-Request-ID", "Cache-Control"]
    if has_data and status in (200, 304):
        names += ["ETag", "X-Data-Version"]
    if path == "/api/v1/twaps" and status in (200, 304):
        names.append("Link")
    if "/exports/" in path and status == 200:
        names += ["X-Row-Count", "Content-Disposition"]
    if status == 401:
        names.append("WWW-Authenticate")
    if status == 503:
        names.append("Retry-After")
    return sorted(names)
