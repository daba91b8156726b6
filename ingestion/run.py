"""One run: list, plan, say the cost, then fetch and land package by package."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import structlog

from ingestion.attempts import Attempt
from ingestion.cost import Cost, estimate
from ingestion.dlt_context import dlt_pipeline
from ingestion.fetch import THREADS, Read
from ingestion.ledger import read_ledger
from ingestion.loader import Loader, Refused
from ingestion.local import list_local, read_local
from ingestion.names import TableColumns
from ingestion.objects import FailedObject, S3Object, is_data
from ingestion.package import Package, Progress
from ingestion.plan import Plan, Selection, make_plan
from ingestion.report import IngestionStopped, Report, Tally
from ingestion.source import Bucket, S3Source
from ingestion.statements import statement
from ingestion.tables import Indexes, create_tables, landed_columns
from warehouse.database import Connection, connect, where
from warehouse.errors import UserError

PACKAGE_OBJECTS = 10_000
PACKAGE_BYTES = 1024**3
"""A package is loaded when it has so many objects or bytes: a kill loses no more."""

log = structlog.get_logger("ingestion.run")

OnListed = Callable[[Plan, Cost], None]


def ingest(
    selection: Selection,
    source: S3Source,
    database_url: str,
    *,
    working_dir: Path,
    max_cost_usd: Decimal | None,
    guard: Callable[[], None],
    progress: Progress,
    on_listed: OnListed,
) -> Report:
    """Land what is new of the selection in the schema `staging`; return what was done.

    `working_dir` holds packages on their way and may be lost. `guard` is called before
    each step that writes, and raises when the run has lost its lock. `on_listed` is
    called once, with the plan and what it costs, before anything is fetched.

    A bad object stops nothing: it is in `Report.failed`, and is tried again next time.
    Raises UserError when nothing could be done, IngestionStopped (a UserError too) when
    only a part could; all that it reports has landed for good.
    """
    with _database(database_url) as connection:
        if selection.dry_run:
            tally, _ = _planned(selection, source, connection, None, on_listed)
            return tally.report()
        with dlt_pipeline(
            database_url, working_dir / _identity(connection)
        ) as pipeline:
            loader = Loader(pipeline, guard, where(database_url))
            guard()
            finished = loader.finish_pending()
            create_tables(connection)
            _check_clock(connection)
            tally, read = _planned(
                selection, source, connection, max_cost_usd, on_listed
            )
            refused = [load for load in finished if isinstance(load, Refused)]
            tally.load_ids += [load for load in finished if isinstance(load, str)]
            run = _Run(connection, loader, tally, read, progress)
            try:
                run.land_all(refused)
            except UserError as error:
                raise IngestionStopped(error, tally.report()) from error
            return tally.report()


def _planned(
    selection: Selection,
    source: S3Source,
    connection: Connection,
    max_cost_usd: Decimal | None,
    on_listed: OnListed,
) -> tuple[Tally, Read]:
    listed_at = datetime.now(UTC)
    ledger = read_ledger(connection)
    read: Read
    if selection.local_files:
        plan = make_plan(list_local(selection.local_files), ledger)
        requests, read = 0, read_local
        priced = Plan(0, 0, [], [], [])
    else:
        bucket = Bucket(source, threads=THREADS)
        listing: Iterable[S3Object] = bucket.list(only=selection.object_key)
        if selection.object_key is not None:
            listing = [_only(selection.object_key, list(listing), source)]
        plan = priced = make_plan(listing, ledger, since=selection.since)
        requests, read = bucket.requests, bucket.read
    cost = estimate(
        objects=len(priced.fetch),
        size=priced.bytes_to_fetch,
        list_requests=requests,
        region=source.region,
    )
    on_listed(plan, cost)
    if max_cost_usd is not None and cost.usd > max_cost_usd:
        raise UserError(
            f"This run would cost more than the {max_cost_usd} USD allowed: {cost}. "
            "Nothing was fetched: raise ELT_MAX_COST_USD, or give --since."
        )
    return Tally(listed_at, plan), read


def _only(key: str, listing: Sequence[S3Object], source: S3Source) -> S3Object:
    if not listing:
        raise UserError(
            f"There is no object {key} in {source}. "
            "Give the whole key, as a listing shows it."
        )
    if not is_data(key):
        raise UserError(
            f"The object {key} is no data, by its name: it is never fetched."
        )
    return listing[0]


class _Run:
    """The part of a run that writes."""

    def __init__(
        self,
        connection: Connection,
        loader: Loader,
        tally: Tally,
        read: Read,
        progress: Progress,
    ) -> None:
        self._loader = loader
        self._tally = tally
        self._read = read
        self._progress = progress
        self._columns = TableColumns(landed_columns(connection))
        self._indexes = Indexes(connection)

    def land_all(self, refused: Sequence[Refused]) -> None:
        """Land the whole plan; objects of refused packages are noted, not tried."""
        plan = self._tally.plan
        noted = _failures(refused)
        left = {attempt.object.key for attempt in noted}
        to_fetch = [shown for shown in plan.fetch if shown.key not in left]
        now = datetime.now(UTC)
        noted += [
            Attempt(known.object, "known", now, rows=known.rows) for known in plan.known
        ]
        self._progress.start(len(to_fetch), sum(shown.size for shown in to_fetch))
        try:
            for objects in _portions(to_fetch, at_least_one=bool(noted)):
                noted = self._land(objects, noted)
            if noted:
                self._land([], noted)
        finally:
            self._indexes.after_loads()

    def _land(self, objects: list[S3Object], noted: list[Attempt]) -> list[Attempt]:
        """Land one package; return what the next one shall note."""
        package = Package(
            objects,
            noted,
            read=self._read,
            columns=self._columns,
            progress=self._progress,
        )
        load_ids = self._loader.prepare(package.tables())
        refused = []
        if load_ids:
            self._indexes.before_load(package.rows)
            loads = self._loader.load(load_ids)
            refused = [load for load in loads if isinstance(load, Refused)]
            self._tally.load_ids += [load for load in loads if isinstance(load, str)]
            if not refused:
                self._count(package)
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
                    reason = attempt.error or ""
                    tally.failed.append(FailedObject(attempt.object, reason))
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
            landed, "failed", now, error=f"Postgres refused its rows: {load.reason}"
        )
        for load in refused
        for landed in load.objects
    ]


def _portions(
    objects: Sequence[S3Object], *, at_least_one: bool
) -> Iterator[list[S3Object]]:
    portion: list[S3Object] = []
    size = 0
    for shown in objects:
        if portion and (
            len(portion) >= PACKAGE_OBJECTS or size + shown.size > PACKAGE_BYTES
        ):
            yield portion
            portion, size = [], 0
        portion.append(shown)
        size += shown.size
    if portion or at_least_one:
        yield portion


@contextmanager
def _database(url: str) -> Iterator[Connection]:
    """Give a connection; what Postgres refuses becomes a UserError."""
    try:
        with connect(url) as connection:
            yield connection
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Postgres refuses ({where(url)}): {reason}. Check DATABASE_URL, and that "
            "its login may create the schema staging and tables in it."
        ) from error


def _identity(connection: Connection) -> str:
    """Return a folder name of this database alone: pending loads stay apart."""
    row = connection.execute(statement("identity")).fetchone()
    return hashlib.sha256(repr((row, connection.info.host)).encode()).hexdigest()[:16]


def _check_clock(connection: Connection) -> None:
    """Raise UserError when the next load would seem older than one that is here."""
    row = connection.execute(statement("newest_load")).fetchone()
    newest = float(str(row[0])) if row and row[0] is not None else 0.0
    if newest > time.time():
        raise UserError(
            f"The clock of this machine is behind: the newest load is of "
            f"{datetime.fromtimestamp(newest, UTC):%Y-%m-%dT%H:%M:%SZ}. Set the clock; "
            "the order of loads decides which version of an object is the newest."
        )
