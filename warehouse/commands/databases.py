"""Which database a command works on."""

import sys

from warehouse.database import libpq_url
from warehouse.errors import UserError
from warehouse.roles import logins
from warehouse.settings import Settings


def database_url(settings: Settings) -> str:
    """Return DATABASE_URL; where it is unset, start the sandbox's Postgres, and say so.

    Raises UserError when there is neither.
    """
    if settings.database_url is not None:
        return libpq_url(settings.database_url)
    try:
        from sandbox import postgres
    except ModuleNotFoundError:
        raise UserError(
            "DATABASE_URL is not set, and the sandbox's Postgres is not installed. "
            "Set DATABASE_URL, or install requirements-dev.txt."
        ) from None
    server = postgres.start()
    print(
        "DATABASE_URL is not set: using the sandbox's Postgres in "
        f"{postgres.DEFAULT_FOLDER}",
        file=sys.stderr,
    )
    return server.url


def builders_url(settings: Settings) -> str:
    """Return the same database's URL for what reads staging and makes the marts."""
    return logins(database_url(settings)).building
