"""The application: its parts put together from values, reading no settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware import Middleware

from api.certificate import CoverageCache
from api.database import Database
from api.errors import install_handlers
from api.middleware import AccessLog, Cors, Guard
from api.routes import coverage, health, twaps, wallets
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
    database_url: str, cors_origins: str = "*", *, pool_size: int = POOL_SIZE
) -> FastAPI:
    """Return the API over the marts of a database.

    `cors_origins` are the origins whose pages may read it, separated by commas; `*` is
    all. The database may be away: until it is there, answers are 503. Raises UserError
    for a text that is no Postgres URL.
    """
    database = Database(database_url, pool_size=pool_size, long_reads=EXPORTS_AT_ONCE)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await database.open()
        yield
        await database.close()

    origins = [origin.strip() for origin in cors_origins.split(",") if origin.strip()]
    app = FastAPI(
        title="Hyperliquid TWAP warehouse",
        description=DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        middleware=[
            Middleware(AccessLog),
            Middleware(
                Cors,
                allow_origins=origins,
                allow_methods=["GET", "HEAD"],
                allow_headers=["*"],
                expose_headers=["Retry-After"],
            ),
            Middleware(Guard),
        ],
    )
    app.state.database = database
    app.state.coverage = CoverageCache(database)
    app.state.is_private = False
    install_handlers(app)
    app.include_router(twaps.router)
    app.include_router(wallets.router)
    app.include_router(coverage.router)
    app.include_router(health.router)
    return app
