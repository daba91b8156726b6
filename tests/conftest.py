"""Real components for all tests: a Postgres for the session, a database for each."""

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sandbox import postgres, sample
from sandbox.s3 import S3Server
from tests.marts.warehouse import Warehouse
from warehouse import dbt


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A Postgres that all tests share."""
    with postgres.temporary() as running:
        yield running


def new_database(server: postgres.Server, *, template: str | None = None) -> str:
    """Make a database, empty or a copy of another by its URL; return its URL.

    It has the first name that is free: dbt parses the project anew for each name that
    it has not seen, which costs as much as all that most tests build.
    """
    parts = conninfo_to_dict(server.url)
    login = f"{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}"
    original = template.rsplit("/", 1)[1] if template else "template1"
    with psycopg.connect(server.url, autocommit=True) as connection:
        for number in count(1):
            create = f"create database test_{number} template {original}"
            try:
                connection.execute(create.encode())
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                continue
            url = f"postgresql://{login}/test_{number}"
            folders_of_dbt.add(dbt.folder(url))
            return url
    raise AssertionError


def drop_database(server: postgres.Server, url: str) -> None:
    """Remove a database with all that is in it; its name is free again."""
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


folders_of_dbt: set[Path] = set()


@pytest.fixture(scope="session", autouse=True)
def _no_folders_of_dbt_are_left() -> Iterator[None]:
    yield
    for folder in folders_of_dbt:
        shutil.rmtree(folder, ignore_errors=True)


COMMENTS = """
    select
        relname as mart,
        obj_description(pg_class.oid, 'pg_class') as description,
        (
            select json_object_agg(attname, col_description(attrelid, attnum))
            from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and not attisdropped
        ) as columns
    from pg_class
    where relnamespace = 'marts'::regnamespace and relkind in ('r', 'v')
"""
"""What Postgres says of each mart."""


@pytest.fixture(scope="session")
def sample_marts(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """Two days of what `make demo` loads, by a full build and an increment.

    For all tests that read only. The comments that the full build left are in
    `public.after_the_full_build`.
    """
    with S3Server() as s3:
        warehouse = Warehouse(s3, new_database(server), tmp_path_factory.mktemp("dlt"))
        first, *others = sample.generate(days=2)
        warehouse.put(first.key, first.body, first.last_modified)
        warehouse.run_with_oracle()
        warehouse.execute(f"create table public.after_the_full_build as {COMMENTS}")
        sample.fill(warehouse, others)
        warehouse.run_with_oracle()
        yield warehouse


@pytest.fixture
def database_url(server: postgres.Server) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    url = new_database(server)
    yield url
    drop_database(server, url)


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
