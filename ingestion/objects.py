"""What an object is, and how one can fail."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object as a listing shows it.

    `etag` is without quotes; `last_modified` is UTC, in whole seconds. A local file is
    one too: its key is `local:<path as given>`, its ETag the MD5 of its content.
    """

    key: str
    etag: str
    size: int
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class FailedObject:
    """An object that could not be landed, and why, for a person to read."""

    object: S3Object
    reason: str


class ObjectFailed(Exception):
    """This object cannot be landed; the others can. The message is the reason."""


def is_data(key: str) -> bool:
    """Return whether the key can hold data, by its name alone.

    `_SUCCESS`, `.part-0.crc` and folder markers are what writers leave beside it. A key
    with a NUL, which S3 allows, is none: no ledger in Postgres could hold it.
    """
    base_name = key.rsplit("/", 1)[-1]
    named = base_name != "" and not base_name.startswith(("_", "."))
    return named and "\0" not in key
