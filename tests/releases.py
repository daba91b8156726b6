"""What a release left behind, for the tests of backups and of upgrades."""

import tarfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sandbox.sample import SampleObject

ARCHIVE = Path(__file__).parent / "fixtures" / "release-0.1.0.tar.xz"


class Release(NamedTuple):
    """A database as SQL, and all objects in the order of their publication."""

    database: bytes
    objects: list[SampleObject]


@cache
def first_release() -> Release:
    """Return what `fixtures/make_release.py` kept of 0.1.0."""
    with tarfile.open(ARCHIVE) as archive:
        members = [
            (member, archive.extractfile(member).read())  # type: ignore[union-attr]  # all are files
            for member in archive
        ]
    (_, database), *objects = members
    return Release(
        database,
        [
            SampleObject(member.name, body, datetime.fromtimestamp(member.mtime, UTC))
            for member, body in objects
        ],
    )
