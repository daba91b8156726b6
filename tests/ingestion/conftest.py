"""A real S3 endpoint for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import postgres
from sandbox.s3 import S3Server
from tests.ingestion.support import Warehouse


@pytest.fixture
def bucket() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture
def warehouse(bucket: S3Server, database_url: str, tmp_path: Path) -> Warehouse:
    return Warehouse(bucket, database_url, tmp_path / "dlt")


@pytest.fixture
def socket_url(server: postgres.Server, database_url: str) -> str:
    """The test's database by its Unix socket."""
    name = database_url.rsplit("/", 1)[1]
    before, _, parameters = server.socket_url.partition("?")
    return f"{before.rsplit('/', 1)[0]}/{name}?{parameters}"
