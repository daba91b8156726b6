"""A disk that is full stops a run in one line, and costs nothing."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import postgres, sample
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.marts.test_kills import assert_nothing_is_lost, start_run
from tests.marts.warehouse import Warehouse


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@pytest.fixture
def small_disk(server: postgres.Server) -> Iterator[Path]:
    """A file system of a few megabytes that the server may write to."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    # Where the server's user may go, which the home of root is not.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        disk = Path(folder) / "disk"
        disk.mkdir()
        mount("-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk))
        os.chown(disk, server.data.stat().st_uid, -1)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_stops_the_run_in_one_line_and_loses_nothing(
    server: postgres.Server, small_disk: Path, tmp_path: Path
) -> None:
    url = new_database(server)
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"create tablespace {name} location '{small_disk}'".encode())
        connection.execute(f"alter database {name} set tablespace {name}".encode())
    try:
        with S3Server() as s3:
            warehouse = Warehouse(s3, url, tmp_path / "dlt")
            sample.fill(warehouse, sample.generate(days=2, twaps_per_day=6_000))
            with start_run(warehouse) as process:
                _, said = process.communicate(timeout=120)
            assert process.returncode == 1, said
            errors = [li for li in said.splitlines() if li.startswith("error: ")]
            assert len(errors) == 1
            assert "No space left on device" in errors[0]
            assert "Traceback" not in said

            mount("-o", "remount,size=400m", str(small_disk))
            assert_nothing_is_lost(warehouse)
    finally:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())
            connection.execute(f"drop tablespace {name}".encode())
