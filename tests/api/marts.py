"""Marts for the tests of the API: a stand-in for dbt, and an independent reading.

`Marts.build` is the only place that writes; the rest of the tests know no tables.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any

import psycopg

OPEN = {"activated", "waitingForTrigger"}
ENDED = {"finished", "terminated", "error", "stopped"}
MICROSECOND = timedelta(microseconds=1)

DDL = (Path(__file__).parent / "marts.sql").read_text()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True)
class Event:
    twap_id: str
    wallet: str
    ts: datetime
    status: str
    order_ts: datetime | None = None
    asset: str = "BTC"
    side: str = "B"
    status_error: str | None = None
    size_requested: Decimal | None = Decimal("10.50")
    size_executed: Decimal | None = Decimal(0)
    notional_executed: Decimal | None = Decimal(0)
    duration_minutes: int | None = 30
    s3_object_key: str = "raw/1.parquet"
    inserted_at: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    @property
    def key(self) -> tuple[str, str]:
        return (self.twap_id, self.wallet)

    @property
    def is_terminal(self) -> bool | None:
        return True if self.status in ENDED else False if self.status in OPEN else None

    @property
    def order(self) -> tuple[object, ...]:
        """The order of a TWAP's events."""
        place = {False: 0, None: 1, True: 2}[self.is_terminal]
        size = self.size_executed
        return (self.ts, place, size is not None, size or Decimal(0), self.status)

    @property
    def average_price(self) -> Decimal | None:
        if not self.size_executed or self.notional_executed is None:
            return None
        context = Context(prec=12, rounding=ROUND_HALF_EVEN)
        price = context.divide(self.notional_executed, self.size_executed)
        return Decimal(format(price.normalize(), "f"))

    def json(self) -> dict[str, Any]:
        """The event as the API should show it."""
        return {
            "twap_id": self.twap_id,
            "asset": self.asset,
            "side": self.side,
            "status": self.status,
            "status_error": self.status_error,
            "duration_minutes": self.duration_minutes,
            "latest_ts": show(self.ts),
            "executed": {
                "size": number(self.size_executed),
                "notional": number(self.notional_executed),
            },
            "requested": {"size": number(self.size_requested)},
            "average_price": number(self.average_price),
            "started_at": show(self.order_ts),
            "ended_at": show(self.ts) if self.is_terminal else None,
        }


def show(at: datetime | None) -> str | None:
    if at is None:
        return None
    whole = at.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{at.microsecond:06}".rstrip("0").rstrip(".") + "Z"


def number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def lives(events: Iterable[Event]) -> dict[tuple[str, str], list[Event]]:
    """Each TWAP's events in their order."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in sorted(events, key=lambda event: event.order):
        found.setdefault(event.key, []).append(event)
    return found


def expected(
    events: Iterable[Event],
    wallet: str,
    start: datetime,
    end: datetime,
    *,
    with_events: bool = False,
    **filters: str,
) -> list[dict[str, Any]]:
    """A walk's items, computed from the events alone, without SQL or valid_to."""
    items = []
    for life in lives(event for event in events if event.wallet == wallet).values():
        until = [event for event in life if event.ts <= end]
        if not until or until[-1].ts < start:
            continue
        state = until[-1]
        if any(getattr(state, name) != value for name, value in filters.items()):
            continue
        item = state.json()
        if with_events:
            item["events"] = [
                event.json() for event in reversed(until) if event.ts >= start
            ]
        items.append((state.ts, state.twap_id, item))
    items.sort(key=lambda item: item[:2], reverse=True)
    return [item for _, _, item in items]


class Marts:
    """The marts of a database, filled from a list of events."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("set time zone 'UTC'")
        self.events: list[Event] = []
        self._updated: dict[tuple[str, str], datetime] = {}
        self._withdrawn: dict[tuple[str, str], datetime] = {}
        self._revised: dict[tuple[str, str], datetime] = {}
        self._builds = 0

    def create(self) -> None:
        self.connection.execute(DDL)

    def build(
        self,
        events: Iterable[Event],
        at: str = "2026-03-01",
        *,
        project_version: str = "1",
        finished: bool = True,
    ) -> None:
        """Make the marts those of the events, by a load that was complete at `at`."""
        new, old = lives(events), lives(self.events)
        at_time = moment(f"{at}T00:00:00+00:00" if len(at) == 10 else at)
        for key in {key for key in (*new, *old) if new.get(key) != old.get(key)}:
            self._updated[key] = at_time
            if not set(old.get(key, [])) <= set(new.get(key, [])):
                self._revised[key] = at_time
            self._withdrawn.pop(key, None)
            if key not in new:
                self._withdrawn[key] = at_time
        self.events = [event for life in new.values() for event in life]
        with self.connection.pipeline(), self.connection.transaction():
            self.connection.execute("delete from marts.twap_status")
            self.connection.execute("delete from marts.twap_latest")
            self.connection.execute("delete from marts.twap_withdrawn")
            for life in new.values():
                self._write_life(life)
            for key, updated_at in self._withdrawn.items():
                self._insert("twap_withdrawn", (*key, updated_at))
            self._write_days()
            self._log_hours()
            self._log_objects(at_time)
            self._log_build(at_time, project_version, finished=finished)

    def load(self, *events: Event, at: str) -> None:
        """Add events, or new versions of events, that came in a load."""
        inserted_at = moment(f"{at}T00:00:00+00:00")
        kept = {(e.key, e.ts, e.status): e for e in self.events}
        for event in events:
            kept[(event.key, event.ts, event.status)] = replace(
                event, inserted_at=inserted_at
            )
        self.build(kept.values(), at)

    def _write_life(self, life: list[Event]) -> None:
        for event, following in zip(life, [*life[1:], None], strict=True):
            names = [field.name for field in fields(event)]
            self._insert(
                "twap_status",
                (
                    *(getattr(event, name) for name in names),
                    following and following.ts,
                    event.is_terminal,
                    event.average_price,
                    "etag",
                    1,
                    1,
                    json.dumps({"status": event.status}),
                ),
                f"({', '.join(names)}, valid_to, is_terminal, average_price, s3_etag, "
                "row_number, copies, raw_payload)",
            )
        last = life[-1]
        names = [field.name for field in fields(last)]
        self._insert(
            "twap_latest",
            (
                *(getattr(last, name) for name in names),
                last.is_terminal,
                len(life),
                "etag",
                1,
                1,
                self._updated[last.key],
                self._revised.get(last.key),
            ),
            f"({', '.join(names)}, is_terminal, event_count, s3_etag, row_number, "
            "copies, updated_at, revised_at)",
        )

    def _write_days(self) -> None:
        """Only what the pages read of the days."""
        self.connection.execute("delete from marts.twap_daily")
        self.connection.execute("delete from marts.twap_daily_largest")
        self.connection.execute(
            """
            insert into marts.twap_daily
            select
                (ts at time zone 'UTC')::date, asset, side, status, count(*),
                sum(size_executed), sum(notional_executed), count(distinct wallet)
            from marts.twap_latest
            where is_terminal
            group by 1, 2, 3, 4
            """
        )
        self.connection.execute(
            """
            insert into marts.twap_daily_largest
            select
                (ts at time zone 'UTC')::date,
                row_number() over (
                    partition by (ts at time zone 'UTC')::date
                    order by notional_executed desc, twap_id
                ),
                twap_id, wallet, asset, side, status, size_executed,
                notional_executed, average_price, order_ts, ts
            from marts.twap_latest
            where is_terminal and notional_executed > 0
            """
        )

    def _log_objects(self, at: datetime) -> None:
        for key in {event.s3_object_key for event in self.events}:
            self.connection.execute(
                """
                insert into marts.etl_s3_ingest_log (object_key, attempts, ingested_at)
                values (%s, 1, %s)
                on conflict (object_key) do nothing
                """,
                [key, at],
            )

    def _log_hours(self) -> None:
        self.connection.execute("delete from marts.twap_coverage")
        self.connection.execute(
            """
            insert into marts.twap_coverage
            select hour, not exists (
                select from marts.twap_status where date_trunc('hour', ts) = hour
            )
            from generate_series(
                (select date_trunc('hour', min(ts)) from marts.twap_status),
                (select date_trunc('hour', max(ts)) from marts.twap_status),
                interval '1 hour'
            ) as hour
            """
        )

    def list_bucket(self, at: str, *, not_fetched: int = 0) -> None:
        """Add the row of a run that listed the bucket."""
        listed_at = moment(at)
        self._insert(
            "etl_runs",
            (
                f"run-{at}",
                listed_at,
                listed_at,
                listed_at + timedelta(seconds=1),
                "incremental",
                0,
                not_fetched,
                listed_at - timedelta(hours=1) if not_fetched else None,
            ),
        )

    def _log_build(self, at: datetime, version: str, *, finished: bool) -> None:
        self._builds += 1
        started = at + timedelta(minutes=self._builds)
        done = started + timedelta(seconds=5) if finished else None
        row: tuple[Any, ...] = (
            f"build-{self._builds}",
            "1",
            at,
            [],
            version,
            started,
            done,
        )
        self._insert("etl_builds", row)

    def _insert(self, table: str, row: tuple[Any, ...], columns: str = "") -> None:
        places = ", ".join(["%s"] * len(row))
        self.connection.execute(
            f"insert into marts.{table} {columns} values ({places})",
            row,
        )
