"""Moments, as they come in and go out. Always UTC, always microseconds."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from api.errors import ApiError, bad_parameter

FIRST_YEAR: Final = 2023
"""Nothing on Hyperliquid is older."""

LAST_YEAR: Final = 2100

FIRST_MOMENT: Final = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
LAST_MOMENT: Final = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)

MICROSECOND: Final = timedelta(microseconds=1)

FORM = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.(?P<fraction>\d{1,9}))?)?)"
    # In a URL a plus sign that is not written %2B arrives as a blank.
    r"(?P<zone>[Zz]|[-+ ]\d{2}:?\d{2})?)?",
    re.ASCII,
)


def parse_instant(name: str, text: str, *, round_up: bool) -> datetime:
    """Return the moment that a parameter names.

    RFC 3339, a date (its midnight), or without zone; both of these mean UTC. What is
    finer than a microsecond is rounded up or down, as the side of the window needs it.
    Raises ApiError (422) for all else, and outside of the years 2023 to 2100.
    """
    match = FORM.fullmatch(text.strip())
    if not match:
        raise _not_a_time(name, digits_alone=text.strip().isdigit())
    zone = (match["zone"] or "Z").upper().replace(" ", "+")
    fraction = match["fraction"] or ""
    try:
        moment = datetime.fromisoformat(
            f"{match['date']}T{(match['time'] or '00:00')[:8]}{zone}"
        ).astimezone(UTC)
        moment += timedelta(microseconds=int(fraction[:6].ljust(6, "0")))
        if round_up and fraction[6:].strip("0"):
            moment += MICROSECOND
    except (ValueError, OverflowError):
        raise _not_a_time(name, digits_alone=False) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise bad_parameter(
            "time_out_of_range",
            name,
            f"`{name}` must lie in the years {FIRST_YEAR} to {LAST_YEAR}.",
        )
    return moment


# The ends of windows and the moments of certificates come again and again.
@lru_cache(maxsize=1024)
def format_instant(moment: datetime) -> str:
    """Return RFC 3339 in UTC with `Z`, with a fraction only where there is one."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


def _not_a_time(name: str, *, digits_alone: bool) -> ApiError:
    reason = "digits alone are no time" if digits_alone else "is not a time of RFC 3339"
    return bad_parameter(
        "invalid_time",
        name,
        f"`{name}`: {reason}. Write {name}=2025-11-01T00:00:00Z, or a date like "
        f"{name}=2025-11-01",
    )
