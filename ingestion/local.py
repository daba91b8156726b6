"""Parquet files on this machine, as if a bucket had listed them."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from ingestion.objects import ObjectFailed, S3Object
from warehouse.errors import UserError

KEY_PREFIX = "local:"
MAX_KEY_BYTES = 1024
"""As in S3; an index of Postgres holds a little more."""

_BLOCK = 1024 * 1024


def list_local(paths: Sequence[Path]) -> list[S3Object]:
    """Return the files as objects: a file itself, of a folder all data files under it.

    The key is `local:` and the path as given; a folder's files are in the order of
    their paths. Raises UserError when a path does not exist or cannot be read.
    """
    found: dict[str, S3Object] = {}
    for path in paths:
        if not path.exists():
            raise UserError(
                f"There is no file or folder {path}. "
                "Nothing was landed: check the path, then run again."
            )
        for file in _files(path):
            found[_key(file)] = _described(file)
    return list(found.values())


def read_local(wanted: S3Object) -> bytes:
    """Return the content of the very version that was listed, or raise ObjectFailed."""
    path = Path(wanted.key.removeprefix(KEY_PREFIX))
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ObjectFailed(f"it cannot be read: {error.strerror}") from error
    if hashlib.md5(body, usedforsecurity=False).hexdigest() != wanted.etag:
        raise ObjectFailed("it changed while it was read; run again")
    return body


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = (
        Path(folder, name)
        for folder, _, names in os.walk(path, onerror=_refuse)
        for name in names
    )
    return sorted(file for file in inside if file.is_file())


def _refuse(error: OSError) -> NoReturn:
    raise UserError(
        f"{error.filename} cannot be read: {error.strerror}. "
        "Nothing was landed: let this login read it, or leave it out."
    ) from None


def _key(file: Path) -> str:
    key = f"{KEY_PREFIX}{file}"
    try:
        fits = len(key.encode()) <= MAX_KEY_BYTES
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise UserError(
            f"The path {str(file)!r} is too long, or not UTF-8: give another one."
        )
    return key


def _described(file: Path) -> S3Object:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with file.open("rb") as content:
            while block := content.read(_BLOCK):
                digest.update(block)
        stat = file.stat()
    except OSError as error:
        _refuse(error)
    return S3Object(
        key=_key(file),
        etag=digest.hexdigest(),
        size=stat.st_size,
        last_modified=datetime.fromtimestamp(int(stat.st_mtime), UTC),
    )
