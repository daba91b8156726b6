"""What there is, before anything is asked of the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from ingestion.cost import Cost, estimate
from ingestion.fetch import THREADS, Read
from ingestion.local import list_local, read_local
from ingestion.objects import S3Object, is_data
from ingestion.plan import Plan, Selection
from ingestion.source import Bucket, S3Source
from warehouse.errors import UserError


@dataclass(frozen=True)
class Listing:
    """All objects that the selection can mean, and how to read one of them.

    `listed_at` is None when the source shows nothing: under a mistyped prefix nobody
    knows what there is. `region` is where the objects are paid for; local files cost
    nothing and have none.
    """

    listed_at: datetime | None
    objects: list[S3Object]
    read: Read
    list_requests: int
    region: str | None

    def cost(self, plan: Plan) -> Cost:
        """Return what this listing and the plan's objects cost."""
        return estimate(
            objects=len(plan.fetch),
            size=plan.bytes_to_fetch,
            list_requests=self.list_requests,
            region=self.region,
        )


log = structlog.get_logger("ingestion.listing")


def list_selection(selection: Selection, source: S3Source) -> Listing:
    """Return the listing of the local files, of one key, or of the whole source.

    Raises UserError when it cannot be had, or does not show the one key.
    """
    listed_at = datetime.now(UTC)
    if selection.local_files:
        return Listing(
            listed_at, list_local(selection.local_files), read_local, 0, region=None
        )
    bucket = Bucket(source, threads=THREADS)
    objects = list(bucket.list(only=selection.object_key))
    if selection.object_key is not None:
        _check_key(selection.object_key, objects, source)
    elif not objects:
        log.warning("nothing_listed", where=str(source))
    return Listing(
        listed_at if objects else None,
        objects,
        bucket.read,
        bucket.list_requests,
        source.region,
    )


def _check_key(key: str, objects: Sequence[S3Object], source: S3Source) -> None:
    if not objects:
        raise UserError(
            f"There is no object {key} in {source}. "
            "Give the whole key, as a listing shows it."
        )
    if not is_data(key):
        raise UserError(
            f"{key} is no data, by its name: it is never fetched. Give another key."
        )
