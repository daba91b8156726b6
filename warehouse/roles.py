"""Who may do what in the database: a loader, a builder, and a reader.

`make roles` makes them. Where they own the schemas of a database, a run does each of
its steps as the role that the step needs, and can do no more.
"""

from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from psycopg import sql

from warehouse.database import (
    Connection,
    connect,
    connection_parameters,
    url_parameters,
)
from warehouse.errors import UserError
from warehouse.statements import statement

LOADER: Final = "twap_loader"
"""Owns the schema staging, and sees no other."""

BUILDER: Final = "twap_builder"
"""Reads staging; owns the schemas intermediate and marts, and may make others."""

READER: Final = "twap_reader"
"""Reads the schema marts."""


class Logins(NamedTuple):
    """The URLs by which a run connects, one for each of its steps."""

    loading: str
    building: str


def logins(url: str) -> Logins:
    """Return the URL for each step: as its role, if the login of `url` can be that.

    Else it is `url` itself. Raises UserError when the server cannot be reached.
    """
    with connect(url) as connection:
        found = connection.execute(statement("owned_schemas"))
        owned = {schema for (schema,) in found}
    return Logins(
        loading=as_role(url, LOADER) if "staging" in owned else url,
        building=as_role(url, BUILDER) if "marts" in owned else url,
    )


def as_role(url: str, role: str) -> str:
    """Return a URL whose connections are of this role from their first moment."""
    parts = connection_parameters(url)
    parts["options"] = f"{parts.get('options', '')} -c role={role}".lstrip()
    return f"postgresql:///?{urlencode(parts, quote_via=quote)}"


def make_roles(connection: Connection) -> None:
    """Make the three roles and the schemas, and hand the schemas to their owners.

    What the roles are granted is the same after a second time. The connection's login
    is a superuser, or owns the database and what is in it and may create roles.
    """
    connection.execute(statement("roles"))


def make_login(connection: Connection, url: str, roles: tuple[str, ...]) -> str:
    """Make the login that `url` names, with its password; return its name.

    It can take on these roles, and before it has it can read at most. One that is there
    gets the password and the roles. The password leaves this process only as the
    verifier that Postgres keeps of it.

    Raises UserError when `url` names the connection's own login, a superuser, another
    database, or no login at all.
    """
    # What the environment says is of the connection, not of the login to be made.
    parts = url_parameters(url)
    login = parts.get("user", "")
    found = connection.execute(
        "select rolsuper from pg_roles where rolname = %s", [login]
    ).fetchone()
    if not login or login == connection.info.user or found == (True,):
        raise UserError(
            f"The login {login or '(none)'} of DATABASE_URL or API_DATABASE_URL can do "
            "more than its work. Name another in that URL: it is made if need be."
        )
    if parts.get("dbname", login) != connection.info.dbname:
        raise UserError(
            f"The login {login} would work on another database than "
            f"{connection.info.dbname}, where the roles are. Name one in all URLs."
        )
    name = sql.Identifier(login)
    if found is None:
        connection.execute(sql.SQL("create role {} login").format(name))
    if "password" in parts:
        verifier = connection.pgconn.encrypt_password(
            parts["password"].encode(), login.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("alter role {} login password {}").format(name, verifier.decode())
        )
    # Of a role that it only takes on it does not inherit even this.
    connection.execute(
        sql.SQL("grant connect on database {} to {}").format(
            sql.Identifier(connection.info.dbname), name
        )
    )
    for role in roles:
        connection.execute(
            sql.SQL("grant {} to {} with inherit {}, set true").format(
                sql.Identifier(role), name, role == READER
            )
        )
    return login
