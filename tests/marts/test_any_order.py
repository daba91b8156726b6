"""Any order of arrivals, corrections and crashes gives the marts of a full refresh."""

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ingestion import Selection
from sandbox import postgres
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.marts.hostile import hostile_body
from tests.marts.warehouse import Warehouse
from warehouse.commands import elt as elt_command
from warehouse.errors import UserError

PREFIX = "raw/twap_statuses/"
KEYS = st.sampled_from([f"{PREFIX}{name}.parquet" for name in "abcde"])
# Also within one second, and behind what is already there.
MOMENTS = st.integers(0, 3).map(
    lambda n: datetime(2025, 12, 5, tzinfo=UTC) + timedelta(milliseconds=400 * n)
)
BODIES = st.builds(
    hostile_body,
    st.integers(0, 10_000),
    st.integers(0, 6),
    st.sampled_from([0.0, 0.05, 0.5]),
)
NO_PARQUET = st.sampled_from([b"", b"PAR1", b"not parquet at all"])


class Crash(Exception):
    """The process dies here."""


class AnyOrder(RuleBasedStateMachine):
    """What may happen to a bucket and its warehouse, in any sequence."""

    server: postgres.Server

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.s3 = S3Server()
        self.warehouse = Warehouse(
            self.s3, new_database(self.server), self.folder / "dlt"
        )

    def teardown(self) -> None:
        try:
            self.everything_adds_up()
        finally:
            self.s3.close()
            shutil.rmtree(self.folder)

    @rule(key=KEYS, body=BODIES, at=MOMENTS)
    def publish(self, key: str, body: bytes, at: datetime) -> None:
        self.warehouse.put(key, body, at)

    @rule(key=KEYS, body=NO_PARQUET, at=MOMENTS)
    def publish_what_is_no_parquet(self, key: str, body: bytes, at: datetime) -> None:
        self.warehouse.put(key, body, at)

    @precondition(lambda self: self.warehouse.ever)
    @rule(key=KEYS, at=MOMENTS, data=st.data())
    def publish_again(self, key: str, at: datetime, data: st.DataObject) -> None:
        """An earlier version under its key, or an object doubled under another."""
        old = data.draw(st.sampled_from(list(self.warehouse.ever.values())))
        self.warehouse.put(data.draw(st.sampled_from([old.key, key])), old.body, at)

    @precondition(lambda self: self.warehouse.bucket)
    @rule(data=st.data())
    def delete_upstream(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.warehouse.bucket)))
        del self.warehouse.bucket[key]
        self.s3.delete(key)

    @rule()
    def run(self) -> None:
        self.warehouse.run()

    @precondition(lambda self: self.warehouse.bucket)
    @rule(data=st.data())
    def run_of_one_key(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.warehouse.bucket)))
        self.warehouse.run(Selection(object_key=key))

    @rule(since=MOMENTS)
    def run_since(self, since: datetime) -> None:
        self.warehouse.run(Selection(since=since))

    @rule(step=st.integers(0, 8))
    def crash_at_a_step(self, step: int) -> None:
        """Die when the run asks for the n-th time whether it still has its lock."""
        calls = 0

        def check(_lock: Any) -> None:
            nonlocal calls
            calls += 1
            if calls > step:
                raise Crash

        self._die(elt_command.database.RunLock, "check", check)

    @rule()
    def crash_after_landing(self) -> None:
        self._die(elt_command, "_build", _crash)

    @rule()
    def lose_the_local_folder(self) -> None:
        shutil.rmtree(self.folder / "dlt", ignore_errors=True)

    def _die(self, owner: Any, name: str, how: Callable[..., None]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, how)
            try:
                self.warehouse.run()
            except (Crash, UserError):
                return

    def everything_adds_up(self) -> None:
        warehouse = self.warehouse
        warehouse.run()
        assert warehouse.faults_of_the_ledger() == []
        warehouse.follow_the_ledger()
        assert warehouse.differences() == []
        incremental = warehouse.contents()
        warehouse.rebuild()
        assert warehouse.contents() == incremental


def _crash(*_: Any) -> None:
    raise Crash


def run_sequences(server: postgres.Server, count: int, *, seeded: bool) -> None:
    AnyOrder.server = server
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=count,
            stateful_step_count=14,
            deadline=None,
            derandomize=seeded,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_gives_the_marts_of_a_rebuild_and_of_the_oracle(
    server: postgres.Server,
) -> None:
    run_sequences(server, 2, seeded=True)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_any_of_many_sequences_gives_the_marts_of_a_rebuild(
    server: postgres.Server,
) -> None:
    random.seed()
    run_sequences(server, int(os.environ.get("SEQUENCES", "500")), seeded=False)
