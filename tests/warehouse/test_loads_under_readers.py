"""Readers while loads go on: an exact answer of one state, or a plain refusal."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from sandbox import postgres, sample
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.marts.warehouse import Warehouse
from tests.warehouse.auditor import Auditor, new_year
from tests.warehouse.command import environment, serving
from tests.warehouse.visitor import (
    DataChanged,
    Mirror,
    export,
    get,
    pages,
    tax_year,
    walk,
)
from tests.warehouse.year_edges import EDGE, HOUR_NS, NEW_YEAR, event

START = datetime(2025, 12, 31, tzinfo=UTC)
YEAR = {"wallet": EDGE, "year": 2025, "limit": 2}


@dataclass(frozen=True)
class Read:
    """An answer that a reader got, and how it follows from a state of the data."""

    got: object
    of: Callable[[Auditor], object]
    newest_before: int
    """The newest state that was loaded when it was asked for."""
    newest_after: int


@dataclass
class Scene:
    """A bucket that goes on changing, its API, and all states of the data so far."""

    warehouse: Warehouse
    states: list[Auditor] = field(default_factory=list)

    def load(self) -> None:
        self.warehouse.run_with_oracle()
        self.states.append(Auditor(self.warehouse.oracle))

    def publish(self, objects: Sequence[sample.SampleObject]) -> None:
        sample.fill(self.warehouse, objects)

    def put(self, name: str, *rows: dict[str, Any], hours: int = 3) -> None:
        """Publish an object, last modified so many hours after New Year."""
        key = f"{sample.PREFIX}edges/{name}.parquet"
        at = NEW_YEAR + timedelta(hours=hours)
        self.warehouse.put(key, write_rows(list(rows)), at)

    def is_exact(self, read: Read) -> bool:
        """Tell whether an answer is that of a state that there was meanwhile."""
        # The state that was being loaded may have been seen already.
        states = self.states[read.newest_before : read.newest_after + 2]
        return any(read.of(state) == read.got for state in states)


@contextmanager
def scene(server: postgres.Server, folder: Path) -> Iterator[Scene]:
    with S3Server() as s3:
        yield Scene(Warehouse(s3, new_database(server), folder))


class Readers:
    """Threads that read whatever they like, with short pauses, until told to end."""

    PAUSE = 0.02
    REFUSALS: tuple[type[Exception], ...] = (DataChanged,)
    """What an answer may be instead of a right one."""

    def __init__(self, scene: Scene, api: httpx.Client, count: int) -> None:
        self._scene = scene
        self._url = str(api.base_url)
        self._done = threading.Event()
        self._pool = ThreadPoolExecutor(count + 1)
        self._readers = [self._pool.submit(self._read, n) for n in range(count)]
        self._follower = self._pool.submit(self._follow)
        self.reads: list[Read] = []
        self.refused = 0

    def end(self) -> dict[str, dict[str, Any]]:
        """Wait for them; return the copy of EDGE that one of them has kept."""
        self._done.set()
        self._pool.shutdown()
        for reader in self._readers:
            reader.result()
        return self._follower.result()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self._url, timeout=30)

    def _read(self, seed: int) -> None:
        dice = random.Random(seed)
        ask = [self._walk, self._walk, self._tax_year, self._summary, self._export]
        with self.client() as api:
            while not self._done.wait(self.PAUSE):
                before = len(self._scene.states) - 1
                wallet = dice.choice(self._scene.states[0].wallets)
                try:
                    got, of = dice.choice(ask)(api, wallet, dice)
                except self.REFUSALS:
                    self.refused += 1
                    continue
                after = len(self._scene.states) - 1
                self.reads.append(Read(got, of, before, after))

    def _walk(
        self, api: httpx.Client, wallet: str, dice: random.Random
    ) -> tuple[object, Callable[[Auditor], object]]:
        first, last = dice.choice([(2025, 2025), (2026, 2026), (2023, 2026)])
        got = walk(
            api,
            wallet=wallet,
            start=f"{first}-01-01",
            before=f"{last + 1}-01-01",
            limit=dice.choice([1, 2, 5]),
        )
        return got, lambda s: s.walk(wallet, new_year(first), new_year(last + 1))

    def _tax_year(
        self, api: httpx.Client, wallet: str, dice: random.Random
    ) -> tuple[object, Callable[[Auditor], object]]:
        year = dice.choice([2025, 2026])
        return (
            tax_year(api, wallet, year),
            lambda s: (s.totals(wallet, year), s.open_at(wallet, new_year(year + 1))),
        )

    def _summary(
        self, api: httpx.Client, wallet: str, _dice: random.Random
    ) -> tuple[object, Callable[[Auditor], object]]:
        summary = get(api, f"/api/v1/wallets/{wallet}")
        reasons = {reason["code"] for reason in summary.pop("coverage")["reasons"]}
        # It is of two tables, and says when they may not belong together.
        if "build_in_progress" in reasons:
            return None, lambda _: None
        return summary, lambda s: s.summary(wallet)

    def _export(
        self, api: httpx.Client, wallet: str, dice: random.Random
    ) -> tuple[object, Callable[[Auditor], object]]:
        got = export(api, dice.choice(["csv", "ndjson"]), wallet=wallet, year=2025)
        return got, lambda s: s.walk(wallet, new_year(2025), new_year(2026))

    def _follow(self) -> dict[str, dict[str, Any]]:
        with self.client() as api:
            mirror = Mirror(api, EDGE, limit=1)
            while not self._done.is_set():
                for _ in mirror.follow():
                    time.sleep(0.02)
            for _ in mirror.follow():
                pass
        return mirror.twaps


@dataclass(frozen=True)
class ClosedYear:
    """What a client finds of EDGE's 2025 after a load."""

    rest: list[str] | None
    """Of a walk that began before the load: its other pages; None where refused."""
    etag: str
    spent: Decimal
    updated: dict[str, str]
    """The TWAPs that `updated_since` the state before shows, and their statuses."""
    withdrawn: list[str]


@dataclass
class History:
    """All that was seen while the loads went on."""

    scene: Scene
    readers: Readers
    followed: dict[str, dict[str, Any]]
    mirrors: list[tuple[dict[str, Any], dict[str, Any]]]
    """After each load, of each mirror: what it holds, and what it should."""
    years: dict[str, ClosedYear]


def go_through(
    scene: Scene, api: httpx.Client, loads: dict[str, Callable[[], None]]
) -> History:
    """Change the bucket and load it, time and again, under readers of all kinds."""
    readers = Readers(scene, api, count=2)
    held, years = [], {}
    mirrors = [
        Mirror(api, wallet, limit)
        for wallet, limit in [(EDGE, 1), *((w, 7) for w in scene.states[0].wallets)]
    ]
    try:
        for name, change in loads.items():
            following = [mirror.follow() for mirror in mirrors]
            for follower in following:
                next(follower)
            walk_under_way = pages(api, **YEAR)
            next(walk_under_way)
            since = next(pages(api, wallet=EDGE, updated_since="2023-01-01"))
            change()
            scene.load()
            years[name] = look(api, walk_under_way, since["next_updated_since"])
            for mirror, follower in zip(mirrors, following, strict=True):
                for _ in follower:
                    pass
                for _ in mirror.follow():
                    pass
                held.append(
                    (dict(mirror.twaps), scene.states[-1].latest(mirror.wallet))
                )
        with held_snapshot(scene.warehouse.url):
            scene.warehouse.rebuild()
    finally:
        followed = readers.end()
    return History(scene, readers, followed, held, years)


def look(
    api: httpx.Client, walk_under_way: Iterator[dict[str, Any]], since: str
) -> ClosedYear:
    try:
        rest = [twap["twap_id"] for page in walk_under_way for twap in page["twaps"]]
    except DataChanged:
        rest = None
    found = list(pages(api, wallet=EDGE, updated_since=since, limit=1))
    totals, _ = tax_year(api, EDGE, 2025)
    return ClosedYear(
        rest,
        api.get("/api/v1/twaps", params=YEAR).headers["etag"],
        totals["BTC", "B"][2],
        {t["twap_id"]: t["status"] for page in found for t in page["twaps"]},
        [t["twap_id"] for page in found for t in page["withdrawn"]],
    )


@contextmanager
def held_snapshot(url: str) -> Iterator[None]:
    """Hold one state of the marts for a while, as the writer of a file does."""
    held = threading.Event()

    def hold() -> None:
        with psycopg.connect(url) as connection:
            connection.execute("set transaction isolation level repeatable read")
            connection.execute("select from marts.twap_status limit 1")
            held.set()
            time.sleep(1.5)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        held.wait()
        yield
        holding.result()


def finished(twap_id: int, hours: int, usd: str) -> dict[str, Any]:
    return event(twap_id, hours * HOUR_NS, "finished", state_executedNtl=usd)


@pytest.fixture(scope="module")
def history(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    """A year that is closed: it is added to, late, then corrected, then made anew."""
    objects = list(
        sample.generate(days=2, twaps_per_day=240, seed=5, start=START, wallets=4)
    )
    with scene(server, tmp_path_factory.mktemp("dlt")) as here:
        here.publish(objects[:30])
        here.put("gone", finished(7, -2, "700"))
        here.put("one", finished(1, -4, "100"), finished(2, -4, "200"))
        here.put("more", finished(3, -5, "300"), event(4, -6 * HOUR_NS, "activated"))
        here.load()

        def next_year() -> None:
            here.publish(objects[36:50])
            here.put("later", finished(4, 4, "400"), finished(8, 4, "800"), hours=5)

        def late() -> None:
            here.publish(objects[30:36])
            stopped = event(4, -HOUR_NS, "stopped", state_executedNtl="50")
            here.put("late", stopped, hours=6)

        def corrected() -> None:
            here.publish(objects[50:])
            here.put("gone", hours=7)
            here.put("one", finished(1, -4, "1000"), finished(2, 1, "200"), hours=7)

        loads = {"next year": next_year, "late": late, "corrected": corrected}
        with serving(environment(DATABASE_URL=here.warehouse.url)) as api:
            yield go_through(here, api, loads)


def test_every_answer_under_loads_is_that_of_one_state_of_the_data(
    history: History,
) -> None:
    reads = history.readers.reads
    assert len(reads) > 100
    assert any(read.newest_before < read.newest_after for read in reads)
    wrong = [read for read in reads if not history.scene.is_exact(read)]
    assert wrong == []


def test_mirror_is_the_latest_state_after_each_load_also_between_its_pages(
    history: History,
) -> None:
    assert len(history.mirrors) > 10
    for held, wanted in history.mirrors:
        assert held == wanted


def test_mirror_that_follows_while_marts_are_built_ends_with_the_latest_state(
    history: History,
) -> None:
    assert history.followed == history.scene.states[-1].latest(EDGE)


def test_closed_year_stays_as_it_is_when_the_next_one_goes_on(
    history: History,
) -> None:
    year = history.years["next year"]
    assert year.rest == ["1", "3", "4"]
    assert year.spent == Decimal(1300)
    assert year.updated == {"4": "finished", "8": "finished"}


def test_late_object_changes_the_closed_year_and_says_so(history: History) -> None:
    before, year = history.years["next year"], history.years["late"]
    assert year.rest is None
    assert year.spent == Decimal(1350)
    assert year.etag != before.etag
    # Its latest state is still that of the new year.
    assert year.updated == {"4": "finished"}


def test_correction_changes_the_closed_year_and_tells_what_is_withdrawn(
    history: History,
) -> None:
    year = history.years["corrected"]
    assert year.rest is None
    # The first was corrected, the second belongs to the new year, one is gone.
    assert year.spent == Decimal(1350 + 900 - 200 - 700)
    assert year.updated == {"1": "finished", "2": "finished"}
    assert year.withdrawn == ["7"]


def test_rebuild_gives_the_same_marts_under_readers(history: History) -> None:
    assert history.scene.warehouse.differences() == []


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(int(os.environ.get("HISTORIES", "20"))))
def test_every_answer_under_many_loads_is_that_of_one_state_of_the_data(
    server: postgres.Server, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    objects = list(
        sample.generate(days=4, twaps_per_day=300, seed=seed, start=START, wallets=6)
    )
    dice.shuffle(objects)
    edges = [finished(n, dice.randrange(-9, 9), str(n)) for n in range(1, 40)]
    with scene(server, tmp_path / "dlt") as here:

        def change() -> None:
            # New, late and older versions: whatever comes.
            here.publish(dice.sample(objects, 12))
            for name in dice.sample("abcde", 2):
                rows = dice.sample(edges, dice.randrange(0, 12))
                here.put(name, *rows, hours=dice.randrange(9, 20))

        here.put("first", *edges[:6], hours=8)
        change()
        here.load()
        with serving(environment(DATABASE_URL=here.warehouse.url)) as api:
            seen = go_through(here, api, {str(n): change for n in range(25)})
    assert [read for read in seen.readers.reads if not here.is_exact(read)] == []
    assert [pair for pair in seen.mirrors if pair[0] != pair[1]] == []
    assert seen.followed == here.states[-1].latest(EDGE)
