"""Runs and servers killed at random moments, and one plain run after that."""

import os
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import postgres, sample
from sandbox.s3 import S3Server
from tests.crash.disturbed import Disturbed, copy_of_project, random_moment

SCENARIOS_AT_ONCE = 3


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for server in tmp_path.glob("*/postgres"):
        postgres.remove(server)


def disturb(folder: Path, seed: int, kills: int) -> list[str]:
    """Kill so many runs of one warehouse; return what is wrong after a plain one."""
    choose = random.Random(seed)
    objects = list(sample.generate(days=2, twaps_per_day=120, seed=seed))
    project = copy_of_project(folder / "project")
    with S3Server() as s3:
        disturbed = Disturbed(project, s3, folder / "postgres", folder / "dlt")
        killed = 0
        while killed < kills:
            share = 1 + len(objects) // (kills - killed + 1)
            disturbed.publish(objects[:share])
            del objects[:share]
            killed += strike(disturbed, choose)
        disturbed.publish(objects)
        wrong = disturbed.differences_after_a_plain_run()
        postgres.remove(disturbed.postgres_folder)
        return [f"seed {seed}: {line}" for line in wrong]


def strike(disturbed: Disturbed, choose: random.Random) -> bool:
    """Start a run and strike it at a random moment; return whether it was in time."""
    said, seconds = random_moment(choose)
    of_server = choose.random() < 0.25
    run = disturbed.run()
    in_time = run.wait_until_it_says(said) and not run.ends_within(seconds)
    if in_time and of_server:
        disturbed.crash_postgres()
        if choose.random() < 0.5:
            run.kill()
        disturbed.start_postgres()
        if run.end() == 1:
            run.assert_one_clear_line()
    elif in_time:
        run.kill()
    else:
        assert run.end() in (0, 3), run.said
    if choose.random() < 0.2:
        shutil.rmtree(disturbed.working_dir, ignore_errors=True)
    return in_time


def disturb_all(folder: Path, seeds: range, kills: int) -> list[str]:
    folders = [folder / str(seed) for seed in seeds]
    for each in folders:
        each.mkdir()
    with ThreadPoolExecutor(SCENARIOS_AT_ONCE) as pool:
        found = pool.map(disturb, folders, seeds, [kills] * len(folders))
    return [line for lines in found for line in lines]


@pytest.mark.timeout(900)
def test_a_plain_run_after_killed_ones_gives_exact_marts(folder: Path) -> None:
    assert disturb_all(folder, range(3), kills=10) == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_plain_run_after_hundreds_of_killed_ones_gives_exact_marts(
    folder: Path,
) -> None:
    first = int(os.environ.get("SOAK_SEED", "1000"))
    assert disturb_all(folder, range(first, first + 20), kills=12) == []
