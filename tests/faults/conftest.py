"""The same warehouse as the tests of ingestion have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.s3 import S3Server
from tests.ingestion.support import Warehouse


@pytest.fixture
def warehouse(database_url: str, tmp_path: Path) -> Iterator[Warehouse]:
    with S3Server() as bucket:
        yield Warehouse(bucket, database_url, tmp_path / "dlt")
