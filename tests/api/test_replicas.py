"""The API on a streaming replica: older answers, never wrong ones; and a failover."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from conftest import kill_every_process, running
from marts import Event, Marts, expected, moment

from sandbox import postgres, replica
from tests.waiting import wait_until

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00+00:00")
YEAR = (moment("2025-01-01T00:00:00+00:00"), moment("2025-12-31T23:59:59+00:00"))
PAGE = f"/api/v1/twaps?wallet={WALLET}&year=2025"


OF_A_REPLICA = {"max_standby_streaming_delay": "1s", "hot_standby_feedback": "on"}
"""As docs/scaling.md says."""

SWAP = """
    create table marts.new (like marts.twap_status including all);
    insert into marts.new select * from marts.twap_status;
    alter table marts.twap_status rename to old;
    alter table marts.new rename to twap_status;
    drop table marts.old;
"""
"""What a rebuild does."""


def ended(twap_id: str, minutes: int, executed: int = 1) -> Event:
    at = NOON + timedelta(minutes=minutes)
    return Event(twap_id, WALLET, at, "finished", notional_executed=Decimal(executed))


@dataclass
class Pair:
    """A primary with marts, and a replica of it."""

    primary: postgres.Server
    replica: postgres.Server
    marts: Marts

    def both(self, target: str, *, replica_first: bool = False) -> str:
        """The URL of both servers, of which the target says which one is meant."""
        servers = [self.primary, self.replica]
        ports = [server.port for server in servers[:: -1 if replica_first else 1]]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        login, _, database = self.primary.url.partition("@")
        name = database.split("/")[1]
        return f"{login}@{hosts}/{name}?target_session_attrs={target}"

    def hold(self) -> None:
        """Let the replica stay where it is, as far as the primary has come."""
        self.catch_up()
        ask(self.replica, "select pg_wal_replay_pause()")

    def catch_up(self) -> None:
        """Let the replica go on, and wait until it holds what the primary holds."""
        if ask(self.replica, "select pg_is_wal_replay_paused()"):
            ask(self.replica, "select pg_wal_replay_resume()")
        wait_until(self.is_caught_up)

    def is_caught_up(self) -> bool:
        written = ask(self.primary, "select pg_current_wal_flush_lsn()::text")
        replayed = f"select pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
        return bool(ask(self.replica, replayed))


def ask(server: postgres.Server, query: str) -> Any:
    with psycopg.connect(server.url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[postgres.Server, postgres.Server]]:
    folder = tmp_path_factory.mktemp("pair")
    try:
        primary = postgres.start(folder / "primary", durable=False)
        follower = replica.start(primary, folder / "replica", durable=False)
        for setting, value in OF_A_REPLICA.items():
            ask(follower, f"alter system set {setting} = '{value}'")
        ask(follower, "select pg_reload_conf()")
        marts = Marts(primary.url)
        marts.create()
        marts.connection.close()
        yield primary, follower
    finally:
        postgres.remove(folder / "replica")
        postgres.remove(folder / "primary")


@pytest.fixture
def pair(servers: tuple[postgres.Server, postgres.Server]) -> Iterator[Pair]:
    """Both, without a build."""
    marts = Marts(servers[0].url)
    marts.connection.execute(
        "truncate marts.etl_builds, marts.etl_runs, marts.etl_s3_ingest_log"
    )
    pair = Pair(*servers, marts)
    yield pair
    pair.catch_up()
    marts.connection.close()


@pytest.mark.parametrize(
    ("target", "reads_replica"),
    [
        ("any", False),
        ("read-write", False),
        ("prefer-standby", True),
    ],
)
def test_url_of_two_hosts_says_which_one_the_api_reads(
    pair: Pair, target: str, reads_replica: bool
) -> None:
    pair.marts.build([ended("1", 0)])
    pair.hold()
    pair.marts.build([ended("1", 0), ended("2", 1)])
    try:
        with running(pair.both(target)) as client:
            found = client.get(PAGE).raise_for_status().json()["twaps"]
        assert len(found) == (1 if reads_replica else 2)
    finally:
        pair.catch_up()


def test_replica_that_lags_answers_as_the_primary_did_and_says_of_when(
    pair: Pair,
) -> None:
    paths = [
        PAGE,
        f"/api/v1/twaps?wallet={WALLET}&updated_since=2025-01-01",
        f"/api/v1/wallets/{WALLET}",
        f"/api/v1/wallets/{WALLET}/tax-years/2025",
        f"/api/v1/exports/twaps?wallet={WALLET}&year=2025&format=csv",
        "/api/v1/coverage",
    ]

    def read(client: httpx.Client) -> list[tuple[str, str, str]]:
        answers = [client.get(path).raise_for_status() for path in paths]
        return [
            (a.text, a.headers["etag"], a.headers["x-data-version"]) for a in answers
        ]

    with (
        running(pair.primary.url) as at_primary,
        running(pair.replica.url) as at_replica,
    ):
        pair.marts.build([ended("1", 0)], at="2026-03-01")
        pair.marts.list_bucket("2026-03-01T00:00:00+00:00")
        before = read(at_primary)
        pair.hold()
        pair.marts.build([ended("1", 0), ended("2", 1)], at="2026-03-02")
        pair.marts.list_bucket("2026-03-02T00:00:00+00:00")
        after = read(at_primary)
        assert not {text for text, _, _ in before} & {text for text, _, _ in after}
        assert read(at_replica) == before
        coverage = at_replica.get(PAGE).json()["coverage"]
        assert coverage["listed_at"] == "2026-03-01T00:00:00Z"
        pair.catch_up()
        assert read(at_replica) == after


def test_rebuild_on_the_primary_ends_a_long_read_and_refuses_no_page(
    pair: Pair,
) -> None:
    pair.marts.build([ended("1", 0)])
    pair.catch_up()
    with (
        running(pair.replica.url) as client,
        psycopg.connect(pair.replica.url) as file,
    ):
        first = client.get(PAGE).raise_for_status().text
        file.execute("select from marts.twap_status")
        with pair.marts.connection.transaction():
            pair.marts.connection.execute(SWAP)
        # It waits for the file, but for less than a page may wait.
        while not pair.is_caught_up():
            assert client.get(PAGE).raise_for_status().text == first
        with pytest.raises(psycopg.OperationalError, match="conflict with recovery"):
            file.execute("select from marts.twap_status")


def walk(pages: Iterator[httpx.Client], key: str, **params: Any) -> Any:
    """A walk whose pages come from these servers, or "refused"; and what is next."""
    items = []
    for client in pages:
        answer = client.get("/api/v1/twaps", params={"wallet": WALLET, **params})
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] == "data_changed"
            return "refused", None
        page = answer.raise_for_status().json()
        items += page["twaps"]
        if page["next_cursor"] is None:
            return items, page.get(key)
        params["cursor"] = page["next_cursor"]
    raise AssertionError("a walk does not end")


BEFORE = [ended("1", 10), ended("2", 9), ended("3", 8), ended("4", 7)]
# A correction: what the first page held stands on the last one now, and TWAP 3 has
# executed more.
AFTER = [ended("1", 5), ended("2", 9), ended("3", 8, executed=2), ended("4", 7)]
STAGES: dict[str, Callable[[Marts], None]] = {
    "before": lambda marts: marts.build(BEFORE, at="2026-03-01"),
    "in a build": lambda marts: marts.build(AFTER, at="2026-03-02", finished=False),
    "after": lambda marts: marts.build(AFTER, at="2026-03-02T00:00:01+00:00"),
}


def alternating(first: httpx.Client, second: httpx.Client) -> Iterator[httpx.Client]:
    while True:
        yield first
        yield second


@pytest.mark.parametrize(("behind", "ahead"), [(0, 1), (0, 2), (1, 2)])
def test_walk_whose_pages_come_from_two_servers_is_right_or_refused(
    pair: Pair, behind: int, ahead: int
) -> None:
    stages = list(STAGES.values())
    pair.marts.build([])
    for stage in stages[: behind + 1]:
        stage(pair.marts)
    pair.hold()
    for stage in stages[behind + 1 : ahead + 1]:
        stage(pair.marts)
    right = [expected(events, WALLET, *YEAR) for events in (BEFORE, AFTER)]
    try:
        with running(pair.primary.url) as new, running(pair.replica.url) as old:
            for (first, second), limit in product([(new, old), (old, new)], [1, 2, 3]):
                clients = alternating(first, second)
                found, _ = walk(clients, "", year=2025, limit=limit)
                assert found in [*right, "refused"]
    finally:
        pair.catch_up()


def test_copy_that_is_kept_from_two_servers_misses_no_change(pair: Pair) -> None:
    pair.marts.build(BEFORE, at="2026-04-01")
    pair.hold()
    # It comes last in the order of changes.
    changed = [*BEFORE[:3], ended("4", 7, executed=3)]
    pair.marts.build(changed, at="2026-04-02")
    with running(pair.primary.url) as new, running(pair.replica.url) as old:
        for first, second in ((new, old), (old, new)):
            copy: dict[str, Any] = {}
            since = "2025-01-01T00:00:00Z"
            for lags in (True, False):
                if not lags:
                    pair.catch_up()
                for _ in range(3):
                    found, following = walk(
                        alternating(first, second),
                        "next_updated_since",
                        updated_since=since,
                        limit=1,
                    )
                    if found != "refused":
                        copy |= {item["twap_id"]: item for item in found}
                        since = following
            latest = expected(changed, WALLET, *YEAR)
            for item in copy.values():
                item.pop("updated_at")
            assert sorted(copy.values(), key=lambda i: i["twap_id"]) == sorted(
                latest, key=lambda i: i["twap_id"]
            )
            pair.hold()
        pair.catch_up()


@dataclass
class Load:
    """Threads that read without a pause, until told to end."""

    clients: list[httpx.Client]
    answers: list[tuple[float, int, str, httpx.Response]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def read(self, number: int) -> None:
        with httpx.Client(base_url=self.clients[number].base_url, timeout=30) as client:
            while not self.done.is_set():
                for path in PATHS:
                    asked = time.monotonic()
                    try:
                        answer = client.get(path)
                    except httpx.TransportError:
                        # A file that cannot be whole any more is broken off.
                        assert "exports" in path
                    else:
                        self.answers.append((asked, number, path, answer))

    def wait_for(self, number: int, status: int) -> None:
        """Return when this client has had this answer to what it asked from now on."""
        now = time.monotonic()
        wait_until(
            lambda: any(
                asked > now and who == number and answer.status_code == status
                for asked, who, _, answer in self.answers[-400:]
            )
        )


PATHS = [
    PAGE,
    f"/api/v1/twaps?wallet={WALLET}&updated_since=2025-01-01",
    f"/api/v1/wallets/{WALLET}/tax-years/2025",
    f"/api/v1/exports/twaps?wallet={WALLET}&year=2025&format=ndjson",
    "/api/v1/twaps/7",
]


@contextmanager
def loading(clients: list[httpx.Client]) -> Iterator[Load]:
    load = Load(clients)
    with ThreadPoolExecutor() as threads:
        readers = [threads.submit(load.read, n % len(clients)) for n in range(6)]
        try:
            yield load
        finally:
            load.done.set()
        for reader in readers:
            reader.result()


def texts(client: httpx.Client) -> dict[str, str]:
    """The answers, once all connections are back."""
    wait_until(lambda: all(client.get(path).status_code == 200 for path in PATHS))
    return {path: client.get(path).raise_for_status().text for path in PATHS}


def test_primary_is_killed_and_the_replica_promoted_under_load(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        folders = [tmp_path / "primary", tmp_path / "replica"]
        for folder in folders:
            stack.callback(postgres.remove, folder)
        primary = postgres.start(folders[0], durable=False)
        marts = Marts(primary.url)
        marts.create()
        events = [ended(str(n), n) for n in range(30)]
        marts.build(events)
        pair = Pair(primary, replica.start(primary, folders[1], durable=False), marts)
        pair.catch_up()
        marts.connection.close()
        whoever, writer = clients = [
            stack.enter_context(running(pair.both(target)))
            for target in ("any", "primary")
        ]
        states = [texts(whoever)]
        with loading(clients) as load:
            for number in (0, 1):
                load.wait_for(number, 200)
            kill_every_process(primary)
            # Any server: the replica answers at once. The primary: there is none.
            load.wait_for(0, 200)
            load.wait_for(1, 503)
            assert ask(pair.replica, "select pg_promote()")
            load.wait_for(1, 200)
            # Loads go on there.
            marts.connection = psycopg.connect(pair.replica.url, autocommit=True)
            marts.build([*events, ended("new", 99)], at="2026-03-09")
            marts.connection.close()
            states.append(texts(writer))
            time.sleep(0.3)
        assert texts(whoever) == texts(writer) == states[1]
    for _, _, path, answer in load.answers:
        if answer.status_code == 200:
            assert answer.text in [state[path] for state in states]
        else:
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "database_unavailable"
