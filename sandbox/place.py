"""Where a sandbox's Postgres lives, and whether it does."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil  # type: ignore[import-untyped]  # psutil publishes no types

from sandbox.binaries import shared_dir
from warehouse.errors import UserError

USER = DATABASE = "postgres"


@dataclass(frozen=True)
class Server:
    """A running Postgres.

    `url` works with libpq, psycopg, psycopg2, ADBC and psql. `socket_url` names the
    same database by its Unix socket, for the server's own user and for root.
    """

    url: str
    socket_url: str
    data: Path
    port: int
    pid: int


@dataclass(frozen=True)
class Place:
    """Where the parts of a folder's server lie; root's data lies in /var/tmp."""

    folder: Path
    password: Path
    port: Path
    home: Path
    data: Path
    log: Path
    sockets: Path


def locate(folder: Path) -> Place:
    """Return where the parts of the folder's server lie, whether it exists or not."""
    folder = folder.resolve()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    # Never deep: the whole path of a socket has at most 103 bytes.
    if os.geteuid() == 0:
        home = shared_dir() / digest
        sockets = home / "sockets"
    else:
        home = folder
        sockets = Path(tempfile.gettempdir()) / f"twap-{os.geteuid()}-{digest}"
    return Place(
        folder=folder,
        password=folder / "password",
        port=folder / "port",
        home=home,
        data=home / "data",
        log=home / "log",
        sockets=sockets,
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep every other process from starting or stopping the folder's server.

    Raises UserError when the folder is another user's.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        raise UserError(
            f"The sandbox's Postgres in {folder} is another user's. Be that user, "
            "remove the folder, or point DATABASE_URL at a Postgres."
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _works_in(data: Path, process: psutil.Process) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data
    except psutil.Error:
        return False


def live_process(place: Place) -> tuple[int, list[str]] | None:
    """Return the server's pid and the lines of its pid file, or None if none runs.

    The file may outlive the server, and another process may have its pid by now; what
    no other process has is our data as its working directory.
    """
    try:
        lines = (place.data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
    except (FileNotFoundError, ValueError, IndexError, psutil.Error):
        return None
    return (process.pid, lines) if _works_in(place.data, process) else None


def running_server(place: Place) -> Server | None:
    """Return the server of the place if it runs and says that it is ready."""
    found = live_process(place)
    if found is None or not place.password.is_file():
        return None
    pid, lines = found
    # As in PostgreSQL's pidfile.h: line 4 the port, 5 the sockets' folder, 8 the state.
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    port = int(lines[3])
    login = f"{USER}:{place.password.read_text()}"
    return Server(
        url=f"postgresql://{login}@127.0.0.1:{port}/{DATABASE}",
        socket_url=f"postgresql://{login}@/{DATABASE}?"
        + urlencode({"host": lines[4], "port": port}),
        data=place.data,
        port=port,
        pid=pid,
    )


def write_secret(path: Path, secret: str) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(secret)


def bury(place: Place) -> None:
    """Remove what a killed server left; nothing of it is alive or trusted."""
    pid_file = place.data / "postmaster.pid"
    if pid_file.exists():
        kill_leftovers(place.data)
        # Postgres would believe it if another process had the pid by now.
        pid_file.unlink()
    if place.sockets.exists():
        shutil.rmtree(place.sockets)


def kill_leftovers(data: Path) -> None:
    """End every Postgres process that works in the data."""
    leftovers = [
        process for process in psutil.process_iter() if _works_in(data, process)
    ]
    for process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(leftovers, timeout=10)
