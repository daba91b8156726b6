"""A real Postgres for the session; a real S3 endpoint and a database for each test."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import postgres
from sandbox.s3 import S3Server
from tests.ingestion.support import Warehouse, postgres_url


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.temporary() as running:
        yield running


@pytest.fixture
def bucket() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")


@pytest.fixture
def database_url(server: postgres.Server) -> str:
    name = f"ingestion_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    return postgres_url(server.url, name)


@pytest.fixture
def warehouse(bucket: S3Server, database_url: str, tmp_path: Path) -> Warehouse:
    return Warehouse(bucket, database_url, tmp_path / "dlt")


@pytest.fixture
def socket_url(server: postgres.Server, database_url: str) -> str:
    """The test's database by its Unix socket."""
    name = database_url.rsplit("/", 1)[1]
    before, _, parameters = server.socket_url.partition("?")
    return f"{before.rsplit('/', 1)[0]}/{name}?{parameters}"
