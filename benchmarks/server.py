"""The API, served as `make serve` does, by one process."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from benchmarks.workplace import Workplace

HOST = "127.0.0.1"
PATIENCE = 60.0


@dataclass(frozen=True)
class Server:
    """Where the API listens, and its process."""

    port: int
    process_id: int

    def resident_mb(self) -> float:
        """Return how much memory it has now."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """Give a list that is filled with its memory in MB until the end."""
        seen = [self.resident_mb()]
        done = Event()

        def watch() -> None:
            while not done.wait(0.01):
                seen.append(self.resident_mb())

        thread = Thread(target=watch)
        thread.start()
        try:
            yield seen
        finally:
            done.set()
            thread.join()


@contextmanager
def serving(workplace: Workplace) -> Iterator[Server]:
    """Serve the workplace's database."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", "serve"],
        cwd=workplace.folder,
        env=workplace.environment() | {"API_HOST": HOST, "API_PORT": str(port)},
    )
    try:
        _wait(process, port)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("The API does not start")
