"""A warehouse of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.s3 import S3Server
from tests.marts.warehouse import Warehouse


@pytest.fixture
def warehouse(database_url: str, tmp_path: Path) -> Iterator[Warehouse]:
    with S3Server() as s3:
        yield Warehouse(s3, database_url, tmp_path / "dlt")
