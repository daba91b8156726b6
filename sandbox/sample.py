"""A sample bucket: hourly objects of TWAP events, with every oddity of the real one."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sandbox.parquet import ERRORS, ONLY_ERRORS, STORAGE, TIMES, write
from sandbox.twaps import Event, hourly_events

DEFAULT_START = datetime(2025, 11, 1, tzinfo=UTC)
PREFIX = "raw/twap_statuses/"
EVERYDAY_ERRORS = [form for form in ERRORS if form != ONLY_ERRORS]


@dataclass(frozen=True)
class SampleObject:
    """One publication of an object; the same key again is a new version of it."""

    key: str
    body: bytes = field(repr=False)
    last_modified: datetime


class Bucket(Protocol):
    """Where objects can be put."""

    def put(self, key: str, body: bytes, last_modified: datetime) -> object:
        """Publish an object."""


def generate(
    *,
    days: int = 30,
    twaps_per_day: int = 2_900,
    seed: int = 1,
    start: datetime = DEFAULT_START,
    wallets: int = 400,
    oddities: bool = True,
    prefix: str = PREFIX,
) -> Iterator[SampleObject]:
    """Yield the objects of a history in the order of their publication.

    The arguments alone decide every byte. One day at the real rate has every oddity;
    `oddities=False` leaves plain hourly objects, one encoding and nothing broken. One
    hour is held in memory at a time, and what is published late.
    """
    waiting: list[tuple[datetime, int, SampleObject]] = []
    made = 0
    events_by_hour = hourly_events(start, days * 24, twaps_per_day, seed, wallets)
    for hour, events in enumerate(events_by_hour):
        begin = start + timedelta(hours=hour)
        folder = f"{prefix}date={begin:%Y-%m-%d}/hour={begin:%H}/"
        published = begin + timedelta(hours=1, minutes=5)
        objects = (
            _odd_hour(hour, events, folder, published)
            if oddities
            else [SampleObject(f"{folder}part-0.parquet", write(events), published)]
        )
        for sample in objects:
            heapq.heappush(waiting, (sample.last_modified, made, sample))
            made += 1
        while waiting and waiting[0][0] <= published:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def fill(bucket: Bucket, objects: Iterable[SampleObject]) -> int:
    """Put the objects into a bucket, in their order, and return how many they were."""
    count = 0
    for sample in objects:
        bucket.put(sample.key, sample.body, sample.last_modified)
        count += 1
    return count


def _odd_hour(
    hour: int, events: list[Event], folder: str, published: datetime
) -> Iterator[SampleObject]:
    """Yield the publications of an hour.

    The tables of encodings differ in length, so they meet in ever other pairs. What is
    broken for good is there on the first day only, all else on every day.
    """
    times = list(TIMES)[hour % len(TIMES)]
    errors = EVERYDAY_ERRORS[hour % len(EVERYDAY_ERRORS)]
    storage = list(STORAGE)[hour % len(STORAGE)]
    key = f"{folder}part-0.parquet"
    other_key = f"{folder}part-1.parquet"
    body = write(events, times, errors, storage)
    of_day = hour % 24
    if of_day == 5:
        published += timedelta(days=3)
    if of_day == 8:
        # Corrected two hours later: what executed, and an event that never happened.
        yield SampleObject(key, write(_mistaken(events), times, errors), published)
        published += timedelta(hours=2)
    if of_day == 11:
        copied = published + timedelta(minutes=30)
        yield SampleObject(f"{folder}part-0-copy.parquet", body, copied)
    if of_day == 14:
        failed = [event for event in events if event.status == "error"]
        others = [event for event in events if event.status != "error"]
        body = write(others, times, errors, storage)
        yield SampleObject(other_key, write(failed, times, ONLY_ERRORS), published)
    yield SampleObject(key, body, published)
    if hour == 2:
        yield SampleObject(other_key, b"", published)
    if hour == 3:
        yield SampleObject(other_key, body[: len(body) // 2], published)
    if hour == 4:
        yield SampleObject(f"{folder}_SUCCESS", b"", published)
        yield SampleObject(f"{folder}.part-0.parquet.crc", b"crc\x00\x01", published)
        yield SampleObject(f"{folder}notes.txt", b"Not parquet.\n", published)
    if hour == 6:
        yield SampleObject(other_key, write([]), published)


def _mistaken(events: list[Event]) -> list[Event]:
    """Return the events as a publisher had them who did not yet know all."""
    wrong = [
        event._replace(executed_notional="1.0") if event.status == "finished" else event
        for event in events
    ]
    never = [event._replace(twap_id=event.twap_id + 10**9) for event in events[:2]]
    return wrong[:-3] + never
