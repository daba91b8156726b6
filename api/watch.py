"""How the database and the ETL fare, for Prometheus and for load balancers."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.database import Database, Row, not_built
from api.errors import ApiError

READ_SECONDS: Final = 1.5
"""How long a scrape waits for the database before it says that it is away."""

HELP: Final = {
    "database_up": "1 when the database answers and holds a finished build, else 0.",
    "etl_objects_processed_total": "Objects landed by all runs that came to their end.",
    "etl_rows_ingested_total": "Rows landed by all runs that came to their end.",
    "etl_objects_failed": "Objects whose newest attempt failed.",
    "etl_last_event_timestamp_seconds": "When the newest event took place.",
    "etl_last_listing_timestamp_seconds": "When the bucket was last listed.",
    "etl_last_build_timestamp_seconds": "When the newest build of the marts ended.",
    "etl_last_run_exit_status": "Exit status of the newest run that ended.",
    "etl_build_in_progress": "1 while a build runs, or after one broke, else 0.",
    "etl_twaps_open": "TWAPs whose latest event is open.",
    "etl_twaps_overdue": "Of these, past their planned end.",
}

Figures = Mapping[str, float | None]

AWAY: Final[Figures] = {"database_up": 0}

Version = tuple[str, str | None]
"""The newest build that ended, and the newest run, if there is one."""


class Watch:
    """The figures that the marts tell, read no oftener than they change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading: asyncio.Task[None] | None = None
        self._known: Figures = AWAY
        self._version: Version | None = None
        self._figures: Figures = {}

    async def read(self) -> Collector:
        """Return what is known now, after READ_SECONDS at the latest.

        Only `database_up` is known while the database is away. Scrapes at the same
        time share one reading, so that many of them cannot take up the pool.
        """
        if self._reading is None or self._reading.done():
            self._known = AWAY
            self._reading = asyncio.create_task(self._read())
        done, _ = await asyncio.wait({self._reading}, timeout=READ_SECONDS)
        for reading in done:
            # Raises what went wrong with us, not with the database.
            reading.result()
        return _Families(self._known)

    async def _read(self) -> None:
        with suppress(ApiError):
            state, version = await _newest_state(self._database)
            if version != self._version:
                # Until they are read there are none, rather than old ones.
                self._version, self._figures = None, {}
            up = {"database_up": 1, "etl_build_in_progress": int(state.is_building)}
            self._known = {**up, **self._figures}
            if version != self._version:
                (row,) = await self._database.fetch("etl_figures", {})
                self._version, self._figures = version, row._asdict()
                self._known = {**up, **self._figures}


class NewestObject:
    """Which object came in last, read no oftener than a run or a build ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version: Version | None = None
        self._newest: Row = None

    async def read(self) -> Row:
        """Return its key and when its load was complete, null where there is none.

        Raises ApiError (503) as Database.fetch does, and when no build has finished.
        """
        _, version = await _newest_state(self._database)
        if version != self._version:
            (self._newest,) = await self._database.fetch("newest_object", {})
            self._version = version
        return self._newest


async def _newest_state(database: Database) -> tuple[Row, Version]:
    """Return how far the ETL has come, and which version of the marts that is.

    Raises ApiError (503) as Database.fetch does, and when no build has finished.
    """
    (state,) = await database.fetch("etl_state", {})
    if state.build_id is None:
        raise not_built()
    return state, (state.build_id, state.run_id)


class _Families(Collector):
    """Figures as Prometheus's client wants them; what is null is left out."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for name, text in HELP.items():
            value = self._figures.get(name)
            if value is None:
                continue
            if name.endswith("_total"):
                yield CounterMetricFamily(name, text, value)
            else:
                yield GaugeMetricFamily(name, text, value)
