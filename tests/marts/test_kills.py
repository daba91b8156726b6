"""A run that is killed at any moment, and a database that is, cost nothing."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import postgres, sample
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.marts.warehouse import Warehouse
from tests.warehouse.command import environment
from warehouse import PROJECT_ROOT

LONGEST_RUN = 6.0
"""Seconds: a kill after that finds a run that has ended, which is a moment too."""


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[postgres.Server]:
    """A Postgres that a test may kill."""
    folder = tmp_path / "postgres"
    try:
        yield postgres.start(folder, durable=False)
    finally:
        postgres.remove(folder)


def start_run(warehouse: Warehouse) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "warehouse", "elt"],
        cwd=PROJECT_ROOT,
        env=environment(
            DATABASE_URL=warehouse.url,
            DLT_DATA_DIR=str(warehouse.working_dir),
            **warehouse.s3.environment,
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def publish_some(
    warehouse: Warehouse, objects: list[sample.SampleObject], count: int
) -> None:
    sample.fill(warehouse, objects[:count])
    del objects[:count]


def assert_nothing_is_lost(warehouse: Warehouse) -> None:
    """One plain run mends it all."""
    with start_run(warehouse) as last:
        _, said = last.communicate(timeout=120)
    assert last.returncode in (0, 3), said
    assert warehouse.faults_of_the_ledger() == [], said
    warehouse.follow_the_ledger()
    assert warehouse.differences() == []


def kill_runs(warehouse: Warehouse, seed: int, kills: int) -> None:
    dice = random.Random(seed)
    objects = list(sample.generate(days=3, twaps_per_day=240, seed=seed))
    for _ in range(kills):
        publish_some(warehouse, objects, 1 + len(objects) // (2 * kills))
        with start_run(warehouse) as process:
            time.sleep(dice.uniform(0.3, LONGEST_RUN))
            process.kill()
            process.communicate()
        if dice.random() < 0.2:
            shutil.rmtree(warehouse.working_dir, ignore_errors=True)
    assert_nothing_is_lost(warehouse)


def kill_the_database(
    warehouse: Warehouse, server: postgres.Server, folder: Path, seed: int, kills: int
) -> None:
    dice = random.Random(seed)
    objects = list(sample.generate(days=3, twaps_per_day=240, seed=seed))
    for _ in range(kills):
        publish_some(warehouse, objects, 1 + len(objects) // (2 * kills))
        with start_run(warehouse) as process:
            time.sleep(dice.uniform(0.3, LONGEST_RUN))
            # An immediate stop: the server goes without a checkpoint.
            os.kill(server.pid, signal.SIGQUIT)
            _, said = process.communicate(timeout=120)
        assert process.returncode in (0, 1, 3), said
        assert "Traceback" not in said
        server = postgres.start(folder, durable=False)
    assert_nothing_is_lost(warehouse)


def kill_runs_of_one_warehouse(
    server: postgres.Server, folder: Path, seed: int, kills: int
) -> None:
    with S3Server() as s3:
        warehouse = Warehouse(s3, new_database(server), folder / str(seed))
        kill_runs(warehouse, seed, kills)


def test_runs_killed_at_random_moments_lose_nothing(
    server: postgres.Server, tmp_path: Path
) -> None:
    # Three at once, since each of them mostly waits for its moment.
    with ThreadPoolExecutor(3) as pool:
        scenarios = [
            pool.submit(kill_runs_of_one_warehouse, server, tmp_path, seed, 5)
            for seed in (1, 2, 3)
        ]
        for scenario in scenarios:
            scenario.result()


def test_a_database_killed_at_random_moments_loses_nothing(
    own_server: postgres.Server, tmp_path: Path
) -> None:
    with S3Server() as s3:
        warehouse = Warehouse(s3, new_database(own_server), tmp_path / "dlt")
        folder = tmp_path / "postgres"
        kill_the_database(warehouse, own_server, folder, seed=4, kills=4)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_runs_killed_at_random_moments_lose_nothing(
    server: postgres.Server, tmp_path: Path, seed: int
) -> None:
    kill_runs_of_one_warehouse(server, tmp_path, seed, kills=10)
