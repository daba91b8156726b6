"""An embedded Postgres on loopback, for people and tests without one.

`start` makes it if need be, `stop` ends it, `remove` forgets it. The server outlives
the process that started it. A folder holds one server: its password, its port, the lock
of those who start it, and its data. Root's data lies in /var/tmp, since PostgreSQL
refuses to run as root, and nobody else may enter root's folders.
"""

import re
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from sandbox.binaries import Runner, major_version, runner
from sandbox.place import (
    USER,
    Place,
    Server,
    bury,
    kill_leftovers,
    live_process,
    locate,
    locked,
    running_server,
    write_secret,
)
from warehouse import LOCAL_DIR
from warehouse.errors import UserError

__all__ = [
    "DEFAULT_FOLDER",
    "Server",
    "remove",
    "start",
    "status",
    "stop",
    "temporary",
]

DEFAULT_FOLDER = LOCAL_DIR / "postgres"
"""Where the server lives that an unset DATABASE_URL means."""

PATIENCE = 120
"""Seconds that a server may take to start, to recover, or to stop."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # What is read most, for all processes; the system caches the rest.
    "shared_buffers": "256MB",
    # For each of the two indexes that a full build makes at a time.
    "maintenance_work_mem": "256MB",
    # For each sort of a full build, of which six may run at once.
    "work_mem": "32MB",
    # A full build writes gigabytes, and shall not be stopped by checkpoints.
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    # The API's queries take less time than compiling them.
    "jit": "off",
}
"""What fits a laptop with two cores and 4 GB."""

NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""For tests: quicker. A crash of the machine, but not of the server, loses data."""


def start(folder: Path = DEFAULT_FOLDER, *, durable: bool = True) -> Server:
    """Return the folder's server, making and starting it where needed.

    Costs a few milliseconds when it runs already; its settings then stay as they are.
    Raises UserError, with the server's own words, when it cannot be started.
    """
    place = locate(folder)
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The sandbox's Postgres has no place: {place.folder} cannot be made "
            f"({error.strerror}). Mend that, or point DATABASE_URL at a Postgres."
        ) from None
    with locked(place.folder):
        running = running_server(place)
        if running and _answers(running):
            return running
        programs = runner()
        _make(place, programs, durable=durable)
        return _start(place, programs, durable=durable)


def status(folder: Path = DEFAULT_FOLDER) -> Server | None:
    """Return the folder's server when it runs and is ready, else None."""
    return running_server(locate(folder))


def stop(folder: Path = DEFAULT_FOLDER) -> None:
    """End the folder's server, if it runs; its data stays."""
    place = locate(folder)
    if not place.folder.is_dir():
        return
    with locked(place.folder):
        if live_process(place):
            try:
                _pg_ctl(place, runner(), "stop", "--mode=fast")
            except subprocess.CalledProcessError as error:
                # One that was killed meanwhile has stopped too.
                if live_process(place):
                    reason = _last_words(error.stdout)
                    raise UserError(
                        f"The sandbox's Postgres does not stop: {reason} "
                        f"Its log is {place.log}. Try again, or end it by hand."
                    ) from None
        shutil.rmtree(place.sockets, ignore_errors=True)


def remove(folder: Path = DEFAULT_FOLDER) -> None:
    """End the folder's server and delete all that belongs to it, and nothing else."""
    place = locate(folder)
    stop(folder)
    kill_leftovers(place.data)
    for name in ("data", "data.unfinished", "sockets"):
        shutil.rmtree(place.home / name, ignore_errors=True)
    place.log.unlink(missing_ok=True)
    for name in ("password", "port", "lock"):
        (place.folder / name).unlink(missing_ok=True)
    for emptied in {place.home, place.folder}:
        with suppress(OSError):
            emptied.rmdir()


@contextmanager
def temporary() -> Iterator[Server]:
    """Give a new server for the length of the block, not durable, gone after it."""
    with tempfile.TemporaryDirectory(prefix="twap-sandbox-") as parent:
        folder = Path(parent) / "postgres"
        try:
            yield start(folder, durable=False)
        finally:
            remove(folder)


def _make(place: Place, programs: Runner, *, durable: bool) -> None:
    if place.data.is_dir() and place.password.is_file():
        return
    # Data without its password is what an earlier folder of this path left behind.
    kill_leftovers(place.data)
    unfinished = place.home / "data.unfinished"
    for old in (place.data, unfinished):
        shutil.rmtree(old, ignore_errors=True)
    place.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    programs.give(place.home)
    password = secrets.token_hex(16)
    password_file = place.home / "password.initdb"
    write_secret(password_file, password)
    programs.give(password_file)
    try:
        programs.run(
            "initdb",
            f"--pgdata={unfinished.name}",
            f"--username={USER}",
            f"--pwfile={password_file.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            *_one_order_of_text(),
            *(f"--set={name}={value}" for name, value in SETTINGS.items()),
            *([] if durable else ["--no-sync"]),
            cwd=place.home,
        )
    except subprocess.CalledProcessError as error:
        reason = _last_words(error.stdout)
        raise UserError(
            f"Postgres cannot make its data in {place.home}: {reason} "
            "Mend that, or point DATABASE_URL at a Postgres."
        ) from None
    finally:
        password_file.unlink()
    write_secret(place.password, password)
    unfinished.rename(place.data)


def _one_order_of_text() -> list[str]:
    """By code points on every machine; before PostgreSQL 17 it is the system's."""
    if major_version() < 17:
        return ["--locale=C.UTF-8"]
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]


def _start(place: Place, programs: Runner, *, durable: bool) -> Server:
    reason = "it does not answer."
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        running = running_server(place)
        if running and _answers(running):
            return running
        if live_process(place):
            # Whoever started it was killed while it waited, or it is about to die.
            time.sleep(0.05)
            continue
        try:
            _start_once(place, programs, durable=durable)
        except subprocess.CalledProcessError as error:
            reason = _last_words(error.stdout)
            if not re.search("(already|still) in use", error.stdout):
                break
            # Another took the port meanwhile, or a killed server's last process has yet
            # to let go of its memory.
            place.port.unlink(missing_ok=True)
            time.sleep(0.5)
    raise UserError(
        f"The sandbox's Postgres does not start: {reason} Its log is {place.log}. "
        "`make clean` removes it with its data; or point DATABASE_URL at a Postgres."
    )


def _start_once(place: Place, programs: Runner, *, durable: bool) -> None:
    bury(place)
    place.sockets.mkdir(mode=0o700)
    programs.give(place.sockets)
    port = _free_port(place)
    options = {"port": str(port), "unix_socket_directories": str(place.sockets)}
    options |= {} if durable else NOT_DURABLE
    settings = shlex.join(f"-c{name}={value}" for name, value in options.items())
    log_size = place.log.stat().st_size if place.log.exists() else 0
    try:
        _pg_ctl(
            place, programs, "start", f"--log={place.log.name}", f"--options={settings}"
        )
    except subprocess.CalledProcessError as error:
        error.stdout = _text_after(place.log, log_size) or error.stdout
        raise
    place.port.write_text(str(port))


def _answers(server: Server) -> bool:
    try:
        # Said outright, so that no PG… variable of our caller says it.
        psycopg.connect(
            server.url,
            hostaddr="127.0.0.1",
            sslmode="disable",
            options="",
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as error:
        # A server without a free connection is well.
        return "too many clients" in str(error)
    return True


def _free_port(place: Place) -> int:
    """Return the port that the server had last time, or another if that is taken."""
    remembered = place.port.read_text() if place.port.exists() else "0"
    for port in (int(remembered), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    raise UserError("No port is free on 127.0.0.1: end some servers, then try again.")


def _pg_ctl(place: Place, programs: Runner, *arguments: str) -> None:
    # By relative paths: pg_ctl hands them to a shell.
    programs.run(
        "pg_ctl",
        *arguments,
        f"--pgdata={place.data.name}",
        "--wait",
        f"--timeout={PATIENCE}",
        cwd=place.home,
    )


def _text_after(path: Path, offset: int) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def _last_words(output: str) -> str:
    """Return what a program said about its failure, in one line."""
    without_time = re.sub(r"(?m)^\S+ \S+ UTC \[\d+\] ", "", output)
    lines = [line.strip() for line in without_time.splitlines() if line.strip()]
    telling = [
        line for line in lines if re.search("fatal|error|detail|hint", line, re.I)
    ]
    return " ".join((telling or lines)[-3:])
