"""An hour of hourly loads, a minute each, under readers, faults and a restart."""

import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from sandbox import postgres, sample
from sandbox.faults import Fault, answer, delay, drop, truncate
from sandbox.s3 import S3Server
from tests.marts.warehouse import Warehouse
from tests.warehouse.auditor import Auditor
from tests.warehouse.command import environment, free_port, run, running, wait_for
from tests.warehouse.test_loads_under_readers import Read, Readers, Scene
from tests.warehouse.visitor import DataChanged, Mirror
from warehouse import PROJECT_ROOT

MINUTES = int(os.environ.get("SOAK_MINUTES", "60"))
SECONDS = 60
"""For an hour of data."""

KEPT = 10
"""States of the data: more than loads break in a row."""

READERS = 3
WORKERS = 2
MEGABYTE = 1_000_000

FAULTS: dict[str, tuple[Fault, str, int | None]] = {
    "none": (delay(0), "GET", 0),
    "503 twice": (answer(503, "SlowDown"), "GET", 2),
    "500 twice": (answer(500, "InternalError"), "GET", 2),
    "dropped twice": (drop, "GET", 2),
    "cut off twice": (truncate(100), "GET", 2),
    "slow": (delay(1), "GET", None),
    "no object to be had": (answer(503, "SlowDown"), "GET", None),
    "no listing to be had": (answer(500, "InternalError"), "LIST", None),
}
"""What S3 does in an hour; the next one it is well again."""


class Unavailable(Exception):
    """The API said 503, or its connection broke within a file."""


class PatientReaders(Readers):
    """Readers for whom the database may be away."""

    PAUSE = 0.1
    REFUSALS = (DataChanged, Unavailable, httpx.TransportError)

    def client(self) -> httpx.Client:
        def refuse(response: httpx.Response) -> None:
            if response.status_code == 503:
                raise Unavailable

        return httpx.Client(
            base_url=self._url, timeout=30, event_hooks={"response": [refuse]}
        )

    def _follow(self) -> dict[str, dict[str, Any]]:
        with self.client() as api:
            mirror = Mirror(api, self._scene.states[0].wallets[0], limit=20)
            while not self._done.wait(1):
                with suppress(*self.REFUSALS):
                    for _ in mirror.follow():
                        pass
            for _ in mirror.follow():
                pass
        return mirror.twaps


@dataclass(frozen=True)
class Usage:
    """What the processes of a command take together."""

    memory: int
    files: int
    threads: int

    @classmethod
    def of(cls, parent: psutil.Process) -> "Usage":
        taken = [0, 0, 0]
        for process in [parent, *parent.children(recursive=True)]:
            # One that has ended meanwhile takes nothing.
            with suppress(psutil.NoSuchProcess), process.oneshot():
                taken[0] += process.memory_info().rss
                taken[1] += process.num_fds()
                taken[2] += process.num_threads()
        return cls(*taken)


class Gauge:
    """Looks at the API and at its connections every second, until told to end."""

    def __init__(self, api: psutil.Process, url: str) -> None:
        self.api: list[Usage] = []
        self.connections: list[int] = []
        self._process, self._url = api, url
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._done.set()
        if self._thread.ident:
            self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(1):
            self.api.append(Usage.of(self._process))
            with suppress(psycopg.OperationalError):
                with psycopg.connect(self._url) as connection:
                    row = connection.execute(OF_THE_API).fetchone()
                assert row
                self.connections.append(row[0])


OF_THE_API = "select count(*) from pg_stat_activity where application_name = 'twap_api'"
SIZE = """
    select
        pg_database_size(current_database()) as bytes,
        (select count(*) from marts.twap_latest) as twaps
"""
WAL = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as bytes"


@dataclass
class Load:
    """A run of `elt`, watched."""

    exit_status: int
    seconds: float
    peak: int
    files: int


@dataclass
class Soak(Scene):
    """A scene whose loads are processes, and whose Postgres may be restarted."""

    folder: Path = Path()
    loads: list[Load] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)

    def load(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Run `elt` and note the state that it leaves, whatever came of it."""
        began = time.monotonic()
        with (
            ThreadPoolExecutor(1) as threads,
            subprocess.Popen(
                [sys.executable, "-m", "warehouse", "elt"],
                cwd=PROJECT_ROOT,
                env=self.environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            usages = threads.submit(watch, process)
            meanwhile()
            _, said = process.communicate()
            seen = usages.result()
        assert "Traceback" not in said, said
        self.loads.append(
            Load(
                process.returncode,
                time.monotonic() - began,
                max(usage.memory for usage in seen),
                max(usage.files for usage in seen),
            )
        )
        self.warehouse.follow_the_ledger()
        self.states.append(Auditor(self.warehouse.oracle))

    def environment(self, **more: str) -> dict[str, str]:
        return environment(
            DATABASE_URL=self.warehouse.url,
            DLT_DATA_DIR=str(self.warehouse.working_dir),
            **self.warehouse.s3.environment,
            **more,
        )

    def restart_postgres(self) -> None:
        """In the midst of a load, and of all that is read."""
        time.sleep(3)
        postgres.stop(self.folder)
        time.sleep(2)
        postgres.start(self.folder, durable=False)

    def is_exact(self, read: Read) -> bool:
        """Tell whether an answer is that of a state that there was meanwhile."""
        first = read.newest_before
        # What a load has landed that broke, the next one builds.
        while first and self.loads[first].exit_status == 1:
            first -= 1
        states = self.states[first : read.newest_after + 2]
        return any(read.of(state) == read.got for state in states)

    def check(self, readers: Readers, *, to_the_end: bool = False) -> int:
        """Take the reads whose states are all known; return how many were right."""
        count = 0
        reads = readers.reads
        known = len(self.states) - (0 if to_the_end else 1)
        while reads and reads[0].newest_after < known:
            read = reads.pop(0)
            assert self.is_exact(read), read
            count += 1
        # Nothing is of a state that old any more; the first one names the wallets.
        for number in range(1, len(self.states) - KEPT):
            self.states[number] = self.states[0]
        return count


def watch(process: subprocess.Popen[str]) -> list[Usage]:
    """What a process takes, time and again until it ends; never nothing."""
    seen = [Usage(0, 0, 0)]
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            seen.append(Usage.of(watched))
        time.sleep(0.1)
    return seen


@contextmanager
def soaking(folder: Path) -> Iterator[Soak]:
    home = folder / "postgres"
    try:
        server = postgres.start(home, durable=False)
        # The first host never answers: as after a failover.
        url = server.url.replace("@127.0.0.1", f"@127.0.0.2:{server.port},127.0.0.1")
        with S3Server() as s3:
            yield Soak(Warehouse(s3, url, folder / "dlt"), folder=home)
    finally:
        postgres.remove(home)


@contextmanager
def serving(scene: Soak) -> Iterator[tuple[psutil.Process, httpx.Client]]:
    port = free_port()
    env = scene.environment(
        API_PORT=str(port), API_WORKERS=str(WORKERS), LOG_LEVEL="ERROR"
    )
    with (
        running("serve", env=env) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api,
    ):
        wait_for(api)
        yield psutil.Process(process.pid), api


def thirds(values: list[int]) -> tuple[float, float]:
    """The median of the first third, and of the last."""
    third = max(1, len(values) // 3)
    return statistics.median(values[:third]), statistics.median(values[-third:])


@dataclass
class Bucket:
    """The sample's objects, published as the hours go by."""

    scene: Soak
    objects: Iterator[sample.SampleObject]
    now: datetime = sample.DEFAULT_START

    def __post_init__(self) -> None:
        self.next = next(self.objects)

    def go_on(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        while self.next.last_modified <= self.now:
            self.scene.publish([self.next])
            self.next = next(self.objects)


def go_through(scene: Soak, bucket: Bucket) -> Iterator[None]:
    """Load an hour of data each minute, whatever S3 and Postgres do; stop then."""
    dice = random.Random(1)
    began = time.monotonic()
    for minute in range(MINUTES):
        bucket.go_on(hours=1)
        name = dice.choice([*FAULTS])
        fault, method, times = FAULTS[name]
        scene.warehouse.s3.inject(fault, method=method, times=times)
        if minute == MINUTES // 2:
            name = "restart of Postgres"
            scene.load(scene.restart_postgres)
        else:
            scene.load()
        scene.events[name] += 1
        scene.warehouse.s3.heal()
        yield
        rest = began + (minute + 1) * SECONDS - time.monotonic()
        assert rest > 0, f"a load of an hour took {SECONDS - rest:.0f} s"
        time.sleep(rest)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_memory_connections_and_files_stay_flat_and_every_answer_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = 0
    with soaking(tmp_path) as scene:
        bucket = Bucket(scene, sample.generate(days=2 + MINUTES // 24, wallets=40))
        bucket.go_on(hours=24)
        scene.load()
        with serving(scene) as (process, api):
            readers = PatientReaders(scene, api, count=READERS)
            gauge = Gauge(process, scene.warehouse.url)
            try:
                # Until every way has been gone.
                time.sleep(SECONDS / 4)
                gauge.begin()
                (before,) = scene.warehouse.query(WAL)
                for _ in go_through(scene, bucket):
                    right += scene.check(readers)
                (after,) = scene.warehouse.query(WAL)
                scene.load()
            finally:
                gauge.end()
                mirrored = readers.end()
        right += scene.check(readers, to_the_end=True)
        audited = run("audit", env=scene.environment())
        assert audited.returncode == 0, audited.stderr
        assert scene.warehouse.faults_of_the_ledger() == []
        assert scene.warehouse.differences() == []
        assert mirrored == scene.states[-1].latest(scene.states[0].wallets[0])
        (size,) = scene.warehouse.query(SIZE)

    loads = [load for load in scene.loads[1:] if load.exit_status in (0, 3)]
    seconds = [load.seconds for load in loads]
    figures = {
        "memory of the API, MB": [u.memory // MEGABYTE for u in gauge.api],
        "open files of the API": [u.files for u in gauge.api],
        "threads of the API": [u.threads for u in gauge.api],
        "connections of the API": gauge.connections,
        "peak memory of a load, MB": [load.peak // MEGABYTE for load in loads],
        "open files of a load": [load.files for load in loads],
    }
    statuses = Counter(load.exit_status for load in scene.loads)
    wal = (after["bytes"] - before["bytes"]) / MINUTES / MEGABYTE
    with capsys.disabled():
        print(f"\n{MINUTES} minutes, an hour of data each: {size['twaps']} TWAPs")
        print(f"exit statuses {dict(statuses)}; {dict(scene.events)}")
        print(f"right answers {right}, refused {readers.refused}")
        print(f"a load: {statistics.median(seconds):.1f} s, at most {max(seconds):.1f}")
        print(f"WAL for each: {wal:.1f} MB; database {size['bytes'] // MEGABYTE} MB")
        print(f"audit: {audited.stdout.strip()}")
        for name, values in figures.items():
            early, late = thirds(values)
            print(f"{name}: {early:.0f}, then {late:.0f}; at most {max(values)}")
    assert statuses.keys() <= {0, 1, 3}
    assert len(loads) > MINUTES / 2
    for name, values in figures.items():
        early, late = thirds(values)
        # What a request more at a time takes is no growth.
        assert late <= early * 1.1 + 5, name
