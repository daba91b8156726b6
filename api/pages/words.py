"""What the API says in codes, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.errors import ApiError

SIDES: Final = {"B": "Buy", "A": "Sell"}

OUTCOMES: Final = {
    "activated": "running",
    "waitingForTrigger": "waiting for its trigger",
}
"""Statuses that say something else in the source's words than in a reader's."""

BOUNDS: Final = frozenset({"before_first_event", "after_last_event"})
"""Reasons that only say where the history begins and ends."""

REASONS: Final = {
    "before_first_event": "The history here begins on {first}: what was before is not "
    "in it.",
    "after_last_event": "The history here ends on {last}: what came later has not "
    "been loaded yet.",
    "failed_objects": "{count} of the published files could not be read (last modified "
    "{since} to {until}): TWAPs in them are missing. Each run tries them again; "
    "`make elt` names them.",
    "objects_not_fetched": "{count} published files have not been fetched yet, the "
    "oldest last modified {since}: `make elt` without a limit fetches them.",
    "rejected_rows": "{count} published rows cannot be events, in files last modified "
    "{since} to {until}: the mart `twap_status_rejected` shows them, and why.",
    "empty_hours": "In {count} hours between {since} and {until} nobody had any TWAP "
    "event: files of these hours may be missing at the source.",
    "never_listed": "The bucket has never been listed, or showed nothing, so nobody "
    "knows what is missing: `make elt` lists it, and warns when it shows nothing.",
    "build_in_progress": "New data is being built in, or a build broke: look again in "
    "a minute. If this stays, `make elt` mends it.",
}
"""Each code of the certificate, see docs/api.md."""

ADVICE: Final = {
    "not_built": "Load something first: `make demo` for sample data, `make elt` for "
    "the real history. A first load takes some minutes.",
    "not_upgraded": "`make elt` upgrades it.",
    "not_granted": "`make elt` grants it anew; see docs/operations.md.",
    "query_timeout": "Ask for fewer days.",
    "not_found": "Look at the id once more: it is a number, as in the table of a "
    "wallet.",
}
"""What to do about an error, by its code, where its message does not say it."""


@dataclass(frozen=True)
class Certificate:
    """A certificate in words.

    `is_complete`: nothing is missing between `since` and `until`, the part of the
    window that the history covers. `notes`: the reasons, a sentence each.
    """

    is_complete: bool
    since: str | None
    until: str | None
    listed_at: str | None
    notes: list[str]


def certificate_in_words(
    certificate: Mapping[str, Any], start: str, end: str
) -> Certificate:
    """Return the certificate of an answer about a window, whose ends are RFC 3339."""
    reasons = certificate["reasons"]
    first, last = certificate["first_event"], certificate["last_event"]
    since = max(start, first, key=datetime.fromisoformat) if first else start
    until = min(end, last, key=datetime.fromisoformat) if last else end
    has_part = bool(first) and (
        datetime.fromisoformat(since) <= datetime.fromisoformat(until)
    )
    return Certificate(
        has_part and all(reason["code"] in BOUNDS for reason in reasons),
        since if has_part else None,
        until if has_part else None,
        certificate["listed_at"],
        [
            REASONS[reason["code"]].format(
                count=reason["count"],
                since=_minute(reason["from"]),
                until=_minute(reason["to"]),
                # A reason lies in the window, which may lie in another year.
                first=_minute(first),
                last=_minute(last),
            )
            for reason in reasons
        ],
    )


def error_in_words(error: ApiError) -> dict[str, Any]:
    """Return what the page of an error shows of it."""
    advice = "Try again in a moment." if error.status == 503 else ""
    title = {404: "Not found", 409: "The data has changed", 422: "Not understood"}
    return {
        "title": title.get(error.status, "Not now"),
        "field": error.field,
        "message": error.message,
        "advice": ADVICE.get(error.code, advice),
    }


def side_in_words(side: str) -> str:
    """Return what the side does."""
    return SIDES.get(side, side)


def outcome_in_words(status: str) -> str:
    """Return how a TWAP stands."""
    return OUTCOMES.get(status, status)


def _minute(moment: str | None) -> str:
    return "an unknown moment" if moment is None else moment[:16].replace("T", " ")
