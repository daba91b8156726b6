"""Real components for all tests: a Postgres for the session, a database for each."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sandbox import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A Postgres that all tests share."""
    with postgres.temporary() as running:
        yield running


def new_database(server: postgres.Server) -> str:
    """Make an empty database; return its URL."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    parts = conninfo_to_dict(server.url)
    return (
        f"postgresql://{parts['user']}:{parts['password']}"
        f"@{parts['host']}:{parts['port']}/{name}"
    )


@pytest.fixture
def database_url(server: postgres.Server) -> str:
    """The URL of an empty database of the test's own."""
    return new_database(server)


@pytest.fixture(scope="session", autouse=True)
def _no_credentials_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        patch.delenv("DATABASE_URL", raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        yield
