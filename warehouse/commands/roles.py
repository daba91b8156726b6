"""`roles`: the three roles, and the logins that may take them on."""

import psycopg

from warehouse import database
from warehouse.commands.databases import database_url
from warehouse.database import libpq_url
from warehouse.errors import UserError
from warehouse.roles import BUILDER, LOADER, READER, make_login, make_roles
from warehouse.settings import Settings


def roles(settings: Settings) -> int:
    """Make the roles; with ADMIN_DATABASE_URL also the logins of the other two URLs.

    Waits for nobody: raises AlreadyRunning when a run works on the database. Raises
    UserError when the login may not make them.
    """
    admin = settings.admin_database_url
    url = libpq_url(admin, "ADMIN_DATABASE_URL") if admin else database_url(settings)
    with database.run_lock(url), database.connect(url, autocommit=False) as connection:
        try:
            make_roles(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise UserError(
                f"This login may not make the roles: {error.diag.message_primary}. "
                "Let ADMIN_DATABASE_URL name a superuser, or one that may create roles "
                "and owns the database."
            ) from None
        print(f"The roles {LOADER}, {BUILDER} and {READER} are as they should be.")
        if admin:
            for login_url, own_roles in _logins(settings):
                name = make_login(connection, login_url, own_roles)
                print(f"The login {name} can be {' and '.join(own_roles)}.")
    return 0


def _logins(settings: Settings) -> list[tuple[str, tuple[str, ...]]]:
    """The URLs of runs and of the API, with the roles that each needs."""
    elt, api = settings.database_url, settings.api_database_url
    runs = (LOADER, BUILDER) if api else (LOADER, BUILDER, READER)
    return [*([(elt, runs)] if elt else []), *([(api, (READER,))] if api else [])]
