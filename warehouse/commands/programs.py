"""Where PostgreSQL's programs are, of a release that suits the server."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from warehouse.errors import UserError

DEBIAN = Path("/usr/lib/postgresql")
"""Debian's packages keep the programs of each release in a folder of its own."""


def program(name: str, server: int) -> Path:
    """Return a program that works with a server of this major version: 16, 17, …

    That is one of its own version, else the next newer one: a dump by an older one is
    refused, and a newer one may write what the server does not know. Raises UserError
    when there is none.
    """
    by_version = {_version(path): path for path in _installed(name)}
    suitable = [version for version in by_version if version >= server]
    if not suitable:
        raise UserError(
            f"No {name} of PostgreSQL {server} or newer is installed. Install the "
            "PostgreSQL client of the server's version, or requirements-dev.txt, which "
            "brings one."
        )
    return by_version[min(suitable)]


def _installed(name: str) -> Iterator[Path]:
    """The last of a version is taken: the PATH's before any other."""
    # The sandbox, or its PostgreSQL, may not be installed.
    with suppress(ModuleNotFoundError, UserError):
        from sandbox.binaries import binary

        yield binary(name)
    yield from DEBIAN.glob(f"*/bin/{name}")
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)


def _version(path: Path) -> int:
    """The major version of a program, 0 where it does not say so."""
    told = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)", told)
    return int(match[1]) if match else 0
