"""A warehouse whose runs are killed, and what must hold when one has not been."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from sandbox import postgres
from sandbox.sample import SampleObject
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.marts.oracle import Oracle, Seen, read_rows
from tests.marts.warehouse import Warehouse
from tests.warehouse.command import environment
from warehouse import PROJECT_ROOT

PATIENCE = 120
PROJECT = ("api", "dbt_project", "ingestion", "sandbox", "warehouse")

MOMENTS = {
    # What the run says, and how many seconds after that it may be killed.
    "": 1.5,
    "listed": 0.5,
    "package_loaded": 0.2,
    "building_marts": 4.0,
}


def copy_of_project(folder: Path) -> Path:
    """Copy the project, so that what a killed dbt leaves behind is nobody else's."""
    for name in PROJECT:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT_ROOT / name, folder / name, ignore=ignored)
    for name in ("dbt_project.yml", "profiles.yml.example"):
        shutil.copyfile(PROJECT_ROOT / name, folder / name)
    return folder


class Run:
    """One `python -m warehouse elt`, as its user starts it, and what it says."""

    def __init__(
        self, project: Path, settings: dict[str, str], *arguments: str, **popen: Any
    ) -> None:
        self.said = ""
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "warehouse", "elt", *arguments],
            cwd=project,
            env=environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **popen,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self.said += line
                self._news.notify_all()

    def wait_until_it_says(self, word: str) -> bool:
        """Return whether it said the word; False when it ended without."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with self._news:
                if word in self.said:
                    return True
                if self._process.poll() is not None and not self._reader.is_alive():
                    return False
                self._news.wait(0.02)
        raise AssertionError(f"neither {word!r} nor an end: {self.said}")

    def ends_within(self, seconds: float) -> bool:
        """Return whether it ends by itself in that time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Return its exit status, once it has ended."""
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stdout
        self._process.stdout.close()
        return status

    def assert_one_clear_line(self) -> None:
        """Hold what it said to the promise for every failure."""
        errors = [n for n in self.said.splitlines() if n.startswith("error: ")]
        assert len(errors) == 1, self.said
        assert "Traceback" not in self.said, self.said


@dataclass
class Disturbed:
    """A bucket, a Postgres and a working folder that are not treated well."""

    project: Path
    s3: S3Server
    postgres_folder: Path
    working_dir: Path
    url: str = ""
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    shown: dict[str, SampleObject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.url = self.url or new_database(self.start_postgres())

    @property
    def settings(self) -> dict[str, str]:
        return {
            **self.s3.environment,
            "DATABASE_URL": self.url,
            "DLT_DATA_DIR": str(self.working_dir),
        }

    def start_postgres(self) -> postgres.Server:
        """Start the server where it was, with nothing that it committed lost."""
        return postgres.start(self.postgres_folder, durable=True)

    def crash_postgres(self) -> None:
        """Stop the server at once, as `pg_ctl stop --mode=immediate` does."""
        running = postgres.status(self.postgres_folder)
        assert running
        os.kill(running.pid, signal.SIGQUIT)
        deadline = time.monotonic() + PATIENCE
        while postgres.status(self.postgres_folder) and time.monotonic() < deadline:
            time.sleep(0.01)

    def publish(self, objects: Iterable[SampleObject]) -> None:
        """Put objects into the bucket."""
        for published in objects:
            etag = self.s3.put(published.key, published.body, published.last_modified)
            self.bodies[published.key, etag] = published.body
            self.shown[published.key] = published

    def run(self, *arguments: str, **popen: Any) -> Run:
        """Start a run."""
        return Run(self.project, self.settings, *arguments, **popen)

    def differences_after_a_plain_run(self) -> list[str]:
        """Run undisturbed to the end; return what is wrong then, in words."""
        self._wait_until_killed_runs_are_gone()
        run = self.run()
        if run.end() not in (0, 3):
            return [f"the plain run failed: {run.said}"]
        warehouse = Warehouse(self.s3, self.url, self.working_dir)
        warehouse.oracle = self._oracle(warehouse)
        return (
            self._lost(warehouse)
            + _landed_twice(warehouse)
            + _not_whole(warehouse)
            + warehouse.differences()
        )

    def _wait_until_killed_runs_are_gone(self) -> None:
        deadline = time.monotonic() + PATIENCE
        with psycopg.connect(self.url, autocommit=True) as connection:
            while connection.execute(
                "select from pg_stat_activity where datname = current_database()"
                " and backend_type = 'client backend' and pid <> pg_backend_pid()"
            ).fetchone():
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def _oracle(self, warehouse: Warehouse) -> Oracle:
        """What the marts must be if the loads were the ones that staging names."""
        oracle = Oracle()
        for row in warehouse.query(LEDGER):
            key, etag, completed_at = row["object_key"], row["etag"], row["at"]
            oracle.attempts[key].append(row["outcome"] != "failed")
            if row["outcome"] == "landed":
                body = self.bodies[key, etag]
                oracle.bodies[key, etag] = read_rows(body) or []
                oracle.sizes[key, etag] = len(body)
                oracle.landed_at.setdefault((key, etag), completed_at)
            if row["outcome"] != "failed":
                oracle.seen[key].append(Seen(etag, row["last_modified"], completed_at))
        return oracle

    def _lost(self, warehouse: Warehouse) -> list[str]:
        """Name each object that is good, and not what the warehouse shows."""
        seen = warehouse.oracle.seen
        wrong = []
        for key, published in self.shown.items():
            if key.rsplit("/", 1)[-1].startswith(("_", ".")):
                continue
            good = bool(published.body) and read_rows(published.body) is not None
            newest = seen[key][-1] if seen[key] else None
            shown = newest and self.bodies[key, newest.etag]
            if good and (
                shown != published.body
                or newest.last_modified != published.last_modified
            ):
                wrong.append(f"{key}: its newest version is not shown")
            elif not good and warehouse.oracle.attempts[key][-1]:
                wrong.append(f"{key}: it is bad, and passes for good")
        return wrong


LEDGER = """
    select distinct on (objects._dlt_load_id collate "C", objects.attempt)
        objects.object_key, objects.etag, objects.last_modified, objects.outcome,
        loads.at
    from staging.s3_objects as objects
    inner join (
        select load_id, min(inserted_at) as at from staging._dlt_loads
        where status = 0 group by load_id
    ) as loads on loads.load_id = objects._dlt_load_id
    order by objects._dlt_load_id collate "C", objects.attempt
"""


def _landed_twice(warehouse: Warehouse) -> list[str]:
    twice = warehouse.query(
        "select object_key, etag from staging.s3_objects where outcome = 'landed'"
        " and _dlt_load_id in (select load_id from staging._dlt_loads where status = 0)"
        " group by object_key, etag having count(distinct _dlt_load_id) > 1"
    )
    return [f"landed in two loads: {row}" for row in twice]


def _not_whole(warehouse: Warehouse) -> list[str]:
    """Name each landed object whose rows are not all there, or are too many.

    A kill may land a row twice under one address, so addresses are counted.
    """
    rows = warehouse.query(
        "select object_key, etag, rows, (select count(distinct _row_number)"
        " from staging.twap_statuses as landed"
        " where landed._s3_object_key = objects.object_key"
        " and landed._s3_etag = objects.etag"
        " and landed._dlt_load_id = objects._dlt_load_id) as found"
        " from staging.s3_objects as objects where outcome = 'landed'"
        " and _dlt_load_id in (select load_id from staging._dlt_loads where status = 0)"
    )
    return [f"not whole: {row}" for row in rows if row["rows"] != row["found"]]


def random_moment(choose: random.Random) -> tuple[str, float]:
    """Return when to strike: what the run says before, and seconds after that."""
    said = choose.choice(list(MOMENTS))
    return said, choose.uniform(0, MOMENTS[said])
