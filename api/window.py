"""The span of time that a request asks for, in each of its three forms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from api.errors import bad_parameter
from api.instants import FIRST_YEAR, LAST_YEAR, MICROSECOND, parse_instant

FORMS = "`start` and `end`, `start` and `before`, or `year`"


@dataclass(frozen=True)
class Window:
    """A span of time, both ends inclusive.

    The marts hold microseconds, so `before` an instant and `until` the microsecond
    before it are the same; therefore all forms of a window become this one.
    """

    start: datetime
    end: datetime


def read_window(given: Mapping[str, str]) -> Window:
    """Return the window that the parameters name.

    Raises ApiError (422) unless there is exactly one, and for a start after its end.
    """
    form = {name for name in ("start", "end", "before", "year") if name in given}
    if form == {"year"}:
        return year_window(given["year"])
    if form not in ({"start", "end"}, {"start", "before"}):
        raise _no_window(form)
    start = parse_instant("start", given["start"], round_up=True)
    if "end" in form:
        last = end = parse_instant("end", given["end"], round_up=False)
    else:
        last = parse_instant("before", given["before"], round_up=True)
        end = last - MICROSECOND
    if start > last:
        other = "end" if "end" in form else "before"
        raise bad_parameter(
            "start_after_end", "start", f"`start` must not be later than `{other}`."
        )
    return Window(start, end)


def year_window(text: str, *, location: str = "query") -> Window:
    """Return the whole year in UTC; raises ApiError (422) for what is none."""
    if not re.fullmatch(r"[0-9]{4}", text) or not FIRST_YEAR <= int(text) <= LAST_YEAR:
        raise bad_parameter(
            "invalid_year",
            "year",
            f"`year` is a year from {FIRST_YEAR} to {LAST_YEAR}, like year=2025",
            location=location,
        )
    year = int(text)
    return Window(
        datetime(year, 1, 1, tzinfo=UTC),
        datetime(year + 1, 1, 1, tzinfo=UTC) - MICROSECOND,
    )


def _no_window(form: set[str]) -> Exception:
    if not form:
        return bad_parameter(
            "missing_parameter",
            "start",
            f"A window is missing: {FORMS}. Write "
            "start=2025-11-01T00:00:00Z&end=2025-11-30T23:59:59Z, or year=2025",
        )
    if form in ({"start"}, {"end"}, {"before"}):
        missing = "end" if form == {"start"} else "start"
        return bad_parameter(
            "missing_parameter",
            missing,
            f"`{missing}` is missing. A window is {FORMS}.",
        )
    return bad_parameter(
        "conflicting_parameters",
        next(name for name in ("year", "before", "end") if name in form),
        f"A window is exactly one of {FORMS}.",
    )
