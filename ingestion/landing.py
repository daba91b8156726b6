"""The part of a run that writes: the plan's objects, package by package."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import structlog

from ingestion.attempts import Attempt
from ingestion.fetch import Read
from ingestion.loader import Loader
from ingestion.names import TableColumns
from ingestion.objects import FailedObject, S3Object
from ingestion.package import Package
from ingestion.pending import Refused
from ingestion.progress import Progress
from ingestion.report import Tally
from ingestion.tables import Indexes

PACKAGE_OBJECTS = 10_000
PACKAGE_BYTES = 1024**3
"""A package is loaded when it has so many objects or bytes: a kill loses no more."""

log = structlog.get_logger("ingestion.landing")


class Landing:
    """Lands a plan, and tallies what has landed for good."""

    def __init__(
        self,
        loader: Loader,
        tally: Tally,
        *,
        read: Read,
        columns: TableColumns,
        indexes: Indexes,
        progress: Progress,
    ) -> None:
        self._loader = loader
        self._tally = tally
        self._read = read
        self._columns = columns
        self._indexes = indexes
        self._progress = progress

    def land(self, refused: Sequence[Refused]) -> None:
        """Land the whole plan; objects of refused packages are noted, not tried."""
        plan = self._tally.plan
        noted = _failures(refused)
        left = {attempt.object.key for attempt in noted}
        fetch = [shown for shown in plan.fetch if shown.key not in left]
        now = datetime.now(UTC)
        noted += [
            Attempt(known.object, "known", now, rows=known.rows) for known in plan.known
        ]
        self._progress.start(len(fetch), sum(shown.size for shown in fetch))
        for objects in _portions(fetch):
            noted = self._land_package(objects, noted)
        if noted:
            self._land_package([], noted)

    def _land_package(
        self, objects: list[S3Object], noted: list[Attempt]
    ) -> list[Attempt]:
        """Land one package; return what the next one shall note."""
        package = Package(
            objects,
            noted,
            read=self._read,
            columns=self._columns,
            progress=self._progress,
        )
        load_ids = self._loader.prepare(package.tables())
        refused: list[Refused] = []
        if load_ids:
            self._indexes.before_load(package.rows)
            loads = self._loader.load(load_ids)
            refused = [load for load in loads if isinstance(load, Refused)]
            self._tally.load_ids += [load for load in loads if isinstance(load, str)]
            if not refused:
                self._count(package)
                self._progress.landed(len(objects))
        if package.stopped_by:
            raise package.stopped_by
        return _failures(refused)

    def _count(self, package: Package) -> None:
        tally = self._tally
        for attempt in package.attempts:
            match attempt.outcome:
                case "landed":
                    tally.loaded.append(attempt.object)
                case "known":
                    tally.known.append(attempt.object)
                case "failed":
                    failure = FailedObject(attempt.object, attempt.error or "")
                    tally.failed.append(failure)
        tally.rows += package.rows
        log.info(
            "package_loaded",
            load_id=tally.load_ids[-1],
            objects=len(package.attempts),
            rows=package.rows,
        )


def _failures(refused: Sequence[Refused]) -> list[Attempt]:
    now = datetime.now(UTC)
    return [
        Attempt(
            landed, "failed", now, error=f"Postgres refused its load: {load.reason}"
        )
        for load in refused
        for landed in load.objects
    ]


def _portions(objects: Sequence[S3Object]) -> Iterator[list[S3Object]]:
    portion: list[S3Object] = []
    size = 0
    for shown in objects:
        full = len(portion) >= PACKAGE_OBJECTS or size + shown.size > PACKAGE_BYTES
        if portion and full:
            yield portion
            portion, size = [], 0
        portion.append(shown)
        size += shown.size
    if portion:
        yield portion
