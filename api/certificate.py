"""The certificate of an answer: whether it is whole, and if not, what is missing.

It says that every object that the bucket had at `listed_at` is in the answer. That none
will come late, nobody can say.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request

from api.database import Database
from api.errors import ApiError, unavailable
from api.instants import format_instant
from api.versions import DataVersion
from api.window import Window

HOUR = timedelta(hours=1)

READS_AT_MOST: Final = 20
"""How often an answer is read until its certificate fits. A build may finish between
the two, but not that often: then they come from servers that differ for long."""

BUILDING_SECONDS: Final = 1.0
"""How long the coverage of marts that change under a build is good for. To read it for
each answer costs more than the answer: it looks at every object that there ever was."""

EVENT_AFTER_ITS_OBJECT = timedelta(days=1)
"""How much later than its object's last_modified an event may be: the marts reject what
is later. So an object last modified before that holds nothing of a window."""


@dataclass(frozen=True)
class Reason:
    """Why an answer may not be whole.

    `count` is of the objects, rows or UTC hours concerned, and 1 where there is nothing
    to count; `since` and `until` are the span of time concerned, where there is one.
    """

    code: str
    count: int = 1
    since: datetime | None = None
    until: datetime | None = None

    def body(self) -> dict[str, object]:
        """Return it as it is sent."""
        return {
            "code": self.code,
            "count": self.count,
            "from": self.since and format_instant(self.since),
            "to": self.until and format_instant(self.until),
        }


class Coverage:
    """What the marts of one data version hold, and what they lack."""

    def __init__(self, facts: Any) -> None:
        self._facts = facts
        version = DataVersion.of(facts)
        is_building = version.is_building or facts.is_behind
        self.version = replace(version, is_building=is_building)

    def certificate(
        self,
        window: Window | None,
        *,
        as_of: datetime | None,
        open_twaps: int,
        since: datetime | None = None,
    ) -> dict[str, object]:
        """Return the certificate of an answer.

        `window` is what was asked for, None for all that there is; `as_of` the moment
        whose states are shown, and `open_twaps` how many of them may still change.
        `since` is the earliest moment whose events the answer stands on, where that may
        be before the window.
        """
        facts = self._facts
        reasons = list(_reasons(facts, window, since))
        if self.version.is_building:
            reasons.append(Reason("build_in_progress"))
        return {
            "as_of": as_of and format_instant(as_of),
            "listed_at": facts.listed_at and format_instant(facts.listed_at),
            "first_event": facts.first_event and format_instant(facts.first_event),
            "last_event": facts.last_event and format_instant(facts.last_event),
            "complete": not reasons,
            "reasons": [reason.body() for reason in reasons],
            "open_twaps": open_twaps,
        }


class CoverageCache:
    """Reads the coverage once per data version; while a build runs, once a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._newest: Coverage | None = None
        self._read_as: DataVersion | None = None
        self._good_until = 0.0

    async def of(self, version: DataVersion) -> Coverage | None:
        """Return the coverage of that version, or None when it is no longer there."""
        if self._read_as == version and time.monotonic() < self._good_until:
            return self._newest
        found = await self._database.fetch("certificate", {})
        if not found:
            # Another server, which has no finished build yet.
            return None
        (facts,) = found
        self._newest, self._read_as = Coverage(facts), DataVersion.of(facts)
        self._good_until = math.inf
        if self._newest.version.is_building:
            self._good_until = time.monotonic() + BUILDING_SECONDS
        return self._newest if self._read_as == version else None


def _reasons(
    facts: Any, window: Window | None, since: datetime | None
) -> Iterator[Reason]:
    if facts.listed_at is None:
        yield Reason("never_listed")
    if facts.objects_not_fetched:
        yield Reason(
            "objects_not_fetched",
            facts.objects_not_fetched,
            facts.oldest_not_fetched,
            facts.listed_at,
        )
    if window is None:
        yield from _missing_objects(facts, None)
        yield from _empty_hours(facts, facts.first_event, facts.last_event)
        return
    oldest = min(since or window.start, window.start)
    yield from _missing_objects(facts, oldest - EVENT_AFTER_ITS_OBJECT)
    if window.start > window.end:
        # `before` is `start`: no time is asked for, so none is missing.
        return
    if facts.first_event is None:
        yield _missing_time("before_first_event", window.start, window.end)
        return
    if window.start < facts.first_event:
        until = min(facts.first_event, window.end)
        yield _missing_time("before_first_event", window.start, until)
    if window.end > facts.last_event:
        since = max(facts.last_event, window.start)
        yield _missing_time("after_last_event", since, window.end)
    yield from _empty_hours(facts, window.start, window.end)


def _missing_objects(facts: Any, oldest: datetime | None) -> Iterator[Reason]:
    """Yield what could not be read, of objects last modified then or later."""

    def counts(at: datetime | None) -> bool:
        return oldest is None or at is None or at >= oldest

    failed = [at for at in facts.failed_objects if counts(at)]
    if failed:
        yield Reason("failed_objects", len(failed), *_span(failed))
    rejected = [
        (at, rows)
        for at, rows in zip(
            facts.rejected_last_modified, facts.rejected_rows, strict=True
        )
        if counts(at)
    ]
    if rejected:
        count = sum(rows for _, rows in rejected)
        yield Reason("rejected_rows", count, *_span([at for at, _ in rejected]))


def _empty_hours(
    facts: Any, start: datetime | None, end: datetime | None
) -> Iterator[Reason]:
    spans = [
        (
            max(since, _hour(start)) if start else since,
            min(until, _hour(end) + HOUR) if end else until,
        )
        for since, until in zip(facts.empty_since, facts.empty_until, strict=True)
    ]
    spans = [(since, until) for since, until in spans if since < until]
    if spans:
        hours = sum((until - since for since, until in spans), timedelta()) // HOUR
        yield Reason("empty_hours", hours, spans[0][0], spans[-1][1])


def _missing_time(code: str, since: datetime, until: datetime) -> Reason:
    return Reason(code, max(1, -((since - until) // HOUR)), since, until)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _span(
    moments: Sequence[datetime | None],
) -> tuple[datetime | None, datetime | None]:
    known = [at for at in moments if at is not None]
    return min(known, default=None), max(known, default=None)


async def read_covered(
    request: Request, query: str, values: Mapping[str, object]
) -> tuple[Any, Coverage]:
    """Return the one row of a query, and the coverage of the version that it read.

    Raises ApiError (503) as Database.fetch does, when no build has finished yet, and
    when the two never fit.
    """
    database: Database = request.app.state.database
    cache: CoverageCache = request.app.state.coverage
    for _ in range(READS_AT_MOST):
        (row,) = await database.fetch(query, values)
        coverage = await cache.of(DataVersion.of(row))
        # None when a build has finished between the two: read the newer data.
        if coverage is not None:
            return row, coverage
    raise _servers_differ()


async def read_together(
    request: Request, *queries: tuple[str, Mapping[str, object]]
) -> tuple[list[Any], Coverage]:
    """Return the one row of each query, all of one version, and its coverage.

    Raises ApiError (503) as read_covered does.
    """
    for _ in range(READS_AT_MOST):
        answers = [await read_covered(request, *query) for query in queries]
        coverage = answers[-1][1]
        # Else a build has finished between two of them: read the newer data.
        if all(each.version == coverage.version for _, each in answers):
            return [row for row, _ in answers], coverage
    raise _servers_differ()


def _servers_differ() -> ApiError:
    message = "The servers of the database hold different data; try again shortly."
    return unavailable("database_unavailable", message)
