"""The commands, run as their user runs them: a process of its own."""

import os
import pty
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.waiting import wait_until
from warehouse import PROJECT_ROOT

FOREIGN = ("AWS_", "PG", "DBT_", "API_", "ELT_", "LOG_")


class Place(NamedTuple):
    """Which Python has the commands, and the folder that they run in."""

    python: Path
    folder: Path


CHECKOUT = Place(Path(sys.executable), PROJECT_ROOT)


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with these settings, and none but these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    # Else a machine in a cloud asks that for credentials, and ~/.aws has some.
    isolated = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    return kept | isolated | settings


def run(
    *arguments: str, env: Mapping[str, str], at: Place = CHECKOUT
) -> subprocess.CompletedProcess[str]:
    """Run `python -m warehouse` to its end."""
    return subprocess.run(
        [at.python, "-m", "warehouse", *arguments],
        cwd=at.folder,
        env=dict(env),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def run_at_a_terminal(*arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Run `python -m warehouse` at a terminal; return its exit status and all it wrote.

    Both of its outputs go to the terminal, with what moves the cursor and colours.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    written = b""
    with subprocess.Popen(
        [sys.executable, "-m", "warehouse", *arguments],
        cwd=PROJECT_ROOT,
        env={**env, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        # When nobody holds the other end any more, Linux says EIO instead of "the end".
        with suppress(OSError):
            while piece := os.read(ours, 65_536):
                written += piece
    os.close(ours)
    return process.returncode, written.decode()


@contextmanager
def running(
    *arguments: str, env: Mapping[str, str], at: Place = CHECKOUT
) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m warehouse` while the block lasts, then ask it to end."""
    with subprocess.Popen(
        [at.python, "-m", "warehouse", *arguments],
        cwd=at.folder,
        env=dict(env),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)


@contextmanager
def serving(env: Mapping[str, str], at: Place = CHECKOUT) -> Iterator[httpx.Client]:
    """Run `serve` on a free port while the block lasts; give a client for it."""
    port = free_port()
    # What it says is read at its end only, so it may not say much.
    quiet = {"LOG_LEVEL": "ERROR", "API_PORT": str(port)}
    with (
        running("serve", env={**env, **quiet}, at=at),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api,
    ):
        wait_for(api)
        yield api


def free_port() -> int:
    """Return a port that nobody takes before the program that it is for.

    It is none that the system gives to whoever asks for any. Of the tests' own
    processes, the one that holds the same port of UDP has it, until that process ends.
    """
    for port in range(20_000, 32_000):
        with (
            suppress(OSError),
            socket.socket(type=socket.SOCK_DGRAM) as claim,
            socket.socket() as probe,
        ):
            claim.bind(("127.0.0.1", port))
            probe.bind(("127.0.0.1", port))
            claim.detach()
            return port
    raise AssertionError


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    """Return when the process listens there."""

    def listens() -> bool:
        assert process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens)


def wait_for(api: httpx.Client) -> None:
    """Return when the API is ready."""

    def is_ready() -> bool:
        with suppress(httpx.TransportError):
            return api.get("/healthz").status_code == 200
        return False

    wait_until(is_ready)
