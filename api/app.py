"""The application: its parts put together from values, reading no settings."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware import Middleware

from api import openapi
from api.certificate import CoverageCache
from api.database import Database
from api.errors import install_handlers
from api.keys import RequireKey
from api.metrics import Meter, Metrics, RouteNote
from api.middleware import Compress, Cors, FixedHeaders, Guard, Head, RequestLog
from api.middleware.cors import FOR_ANY_PAGE, headers_for_any_page
from api.routes import (
    coverage,
    docs,
    exports,
    health,
    metrics,
    pages,
    static,
    twaps,
    wallets,
)
from api.watch import NewestObject, Watch
from warehouse import __version__

POOL_SIZE: Final = 10
"""How many answers are read from the database at once."""

EXPORTS_AT_ONCE: Final = 4
"""How many files are written at once."""

DESCRIPTION: Final = """
The complete history of Hyperliquid TWAP orders, by wallet.

Numbers are decimal strings, exactly as published. Times are RFC 3339 in UTC. Every
answer that is no success has one shape:
`{"error": {"code", "message", "field"}, "detail": …}`.
"""


def create_app(
    database_url: str,
    cors_origins: str = "*",
    *,
    api_keys: Sequence[str] = (),
    pool_size: int = POOL_SIZE,
) -> FastAPI:
    """Return the API over the marts of a database.

    `cors_origins` are the origins whose pages may read it, separated by commas; `*` is
    all. With `api_keys`, only who presents one of them is answered; then
    `app.state.is_private` tells the routes that no shared cache may keep an answer. The
    database may be away: until it is there, answers are 503. Raises UserError for a
    text that is no Postgres URL.
    """
    figures = Metrics()
    database = Database(
        database_url,
        pool_size=pool_size,
        long_reads=EXPORTS_AT_ONCE,
        in_use=figures.connections_active,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, object]]:
        figures.connections_max.set(pool_size + EXPORTS_AT_ONCE)
        await database.open()
        yield {FOR_ANY_PAGE: headers_for_any_page(cors_origins)}
        await database.close()

    app = FastAPI(
        title="Hyperliquid TWAP warehouse",
        description=DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        redirect_slashes=False,
        # These are our own: see api/routes/docs.py.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # Names a client's methods: list_twaps, get_tax_year.
        generate_unique_id_function=lambda route: route.name,
        # Outermost first; each says why it stands where it does.
        middleware=[
            Middleware(Meter, metrics=figures),
            Middleware(RequestLog),
            Middleware(FixedHeaders),
            Middleware(Cors, cors_origins),
            Middleware(Head),
            Middleware(Guard),
            Middleware(Compress),
            Middleware(RequireKey, api_keys),
            Middleware(RouteNote),
        ],
    )
    app.state.database = database
    app.state.coverage = CoverageCache(database)
    app.state.is_private = bool(api_keys)
    app.state.metrics = figures
    app.state.watch = Watch(database)
    app.state.newest_object = NewestObject(database)
    install_handlers(app)
    app.include_router(twaps.router)
    app.include_router(wallets.router)
    app.include_router(coverage.router)
    app.include_router(exports.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(docs.router)
    app.include_router(pages.router)
    app.include_router(static.router)
    openapi.complete(app)
    return app
