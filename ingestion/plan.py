"""What a run shall do: the listing minus the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingestion.ledger import Ledger
from ingestion.objects import S3Object, is_data


@dataclass(frozen=True)
class Selection:
    """Which objects a run considers; as it stands, all of the source's.

    `since`: only objects last modified then or later. `object_key`: only this one.
    `local_files`: these files and folders instead of the bucket. `dry_run`: plan, and
    change nothing. At most one of the first three.
    """

    since: datetime | None = None
    object_key: str | None = None
    local_files: tuple[Path, ...] = ()
    dry_run: bool = False

    def __post_init__(self) -> None:
        narrowed = (self.since, self.object_key, self.local_files or None)
        if sum(part is not None for part in narrowed) > 1:
            raise ValueError("since, object_key and local_files exclude each other")
        if self.since is not None and self.since.tzinfo is None:
            raise ValueError(f"since must say its time zone: {self.since}")


@dataclass(frozen=True)
class KnownObject:
    """An object that shows again what landed before, so that no GET is needed."""

    object: S3Object
    rows: int


@dataclass(frozen=True)
class Plan:
    """The listing, sorted by what is to be done with each object."""

    listed: int
    ignored: int
    fetch: list[S3Object]
    known: list[KnownObject]
    left_out: list[S3Object]
    """New, but outside the selection."""

    @property
    def bytes_to_fetch(self) -> int:
        """The size of all objects to fetch."""
        return sum(planned.size for planned in self.fetch)


def make_plan(
    listing: Iterable[S3Object], ledger: Ledger, *, since: datetime | None = None
) -> Plan:
    """Return what to do with each object of the listing.

    What landed under the key with this ETag is never fetched again; where the key's
    last ledger row is of another version, it is `known`. All else is to be fetched,
    what failed before included. `listed` counts all, `ignored` those that are
    no data.
    """
    listed = ignored = 0
    plan = Plan(0, 0, [], [], [])
    for shown in listing:
        listed += 1
        if not is_data(shown.key):
            ignored += 1
            continue
        record = ledger.get(shown.key)
        version = (shown.etag, shown.last_modified)
        if record and record.shown == version and not record.has_failed:
            continue
        if since is not None and shown.last_modified < since:
            plan.left_out.append(shown)
        elif record and shown.etag in record.landed:
            plan.known.append(KnownObject(shown, record.landed[shown.etag]))
        else:
            plan.fetch.append(shown)
    return Plan(listed, ignored, plan.fetch, plan.known, plan.left_out)
