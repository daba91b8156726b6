"""What a broken run leaves in the working folder, told without dlt."""

from dataclasses import dataclass
from pathlib import Path

from ingestion.objects import S3Object

PIPELINE_NAME = "hyperliquid_twap"


@dataclass(frozen=True)
class Refused:
    """A package that Postgres will never take, and the objects whose rows it held.

    `sqlstate` is the error code, None where it was not Postgres that refused.
    """

    objects: list[S3Object]
    reason: str
    sqlstate: str | None


Finished = list[str | Refused]
"""The loads that were pending: the id of each, or why it was refused for good."""


def has_pending_loads(folder: Path) -> bool:
    """Return whether dlt may have packages in the folder that are not in the database.

    Its storages are `normalize/extracted`, `load/new` and `load/normalized`, with a
    folder for each package on its way; `load/loaded` holds those that are there.
    """
    pipeline = folder / PIPELINE_NAME
    return any(
        any((pipeline / storage).glob("*"))
        for storage in ("normalize/extracted", "load/new", "load/normalized")
    )
