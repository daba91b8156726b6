"""The bucket in a process of its own: it takes no time from what we run."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sandbox.faults import delay
from sandbox.s3 import S3Server
from sandbox.sample import SampleObject, fill, generate

START = datetime(2025, 8, 17, tzinfo=UTC)
"""When the real history begins."""

WALLETS_PER_DAY = 40
"""So many more wallets a day that most have about 100 TWAPs, however long it is; the
heaviest wallet has a twentieth of all."""

MORE_DAYS = 10
"""The bucket can publish the hours of so many more days."""


class Bucket:
    """A bucket that holds a history, and can publish its next hour."""

    def __init__(self, environment: dict[str, str], pipe: Any) -> None:
        self.environment = environment
        self._pipe = pipe

    def publish_hour(self) -> None:
        """Publish one more hour."""
        self._ask("publish")

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Let each GET be answered so much later."""
        self._ask(seconds)
        try:
            yield
        finally:
            self._ask("heal")

    def _ask(self, request: float | str) -> None:
        self._pipe.send(request)
        self._pipe.recv()


@contextmanager
def bucket_of(days: int) -> Iterator[Bucket]:
    """Give a bucket that holds so many days of plain hourly objects."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(days, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Bucket(ours.recv(), ours)
    finally:
        ours.send("end")
        process.join()


def history(days: int) -> Iterator[SampleObject]:
    """Yield the objects of the history, and then those of the days after it."""
    return generate(
        days=days + MORE_DAYS,
        start=START,
        wallets=days * WALLETS_PER_DAY,
        oddities=False,
    )


def _serve(days: int, pipe: Any) -> None:
    objects = history(days)
    with S3Server() as server:
        fill(server, islice(objects, days * 24))
        pipe.send(server.environment)
        while (request := pipe.recv()) != "end":
            if request == "publish":
                fill(server, islice(objects, 1))
            elif request == "heal":
                server.heal()
            else:
                server.inject(delay(request), method="GET")
            pipe.send("done")
