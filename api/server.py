"""The API on a port: one process, or several that share it."""

import contextlib
import ipaddress
import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from api.protocol import Protocol
from warehouse.errors import UserError

GRACE_SECONDS: Final = 630
"""How long requests in flight may take when the server is asked to end: an export may
run for ten minutes."""

KEEP_ALIVE_SECONDS: Final = 75
"""How long an idle connection stays open: longer than usual proxies (60 seconds) keep
theirs, so that none of them sends a request into a connection that is being closed."""

STALLED_SECONDS: Final = 60
"""After which a client that takes nothing of its answer has gone away. Where the system
knows no such limit (not Linux), it lasts until the client closes."""

log = structlog.stdlib.get_logger("api")


def configure(app: FastAPI | Callable[[], FastAPI], workers: int = 1) -> uvicorn.Config:
    """Return uvicorn's configuration: our limits, our log lines, no Server header.

    `app` may be what makes the application; with several workers it must be, and one
    that can be pickled.
    """
    return uvicorn.Config(
        app,
        factory=not isinstance(app, FastAPI),
        workers=workers,
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Raises UserError when it cannot.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(
            f"The API cannot listen on {host}, port {port}: {error.strerror}. "
            "Choose another API_HOST or API_PORT, or end what uses it."
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Every connection that is accepted here inherits it.
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000
        )
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the URL of what a socket listens on."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Tell whether only this machine can reach a socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def serve(
    make_app: Callable[[], FastAPI], listener: socket.socket, *, workers: int = 1
) -> None:
    """Answer requests until the process is asked to end (SIGINT or SIGTERM).

    Then new connections are refused, idle ones end, and requests in flight are
    answered; a second signal ends those too. Several workers are processes, each with
    an application of its own, for which `make_app` must be one that can be pickled; one
    that dies is replaced.

    Raises UserError when a worker cannot start.
    """
    config = configure(make_app, workers)
    # Also before uvicorn listens for it, and after.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        url = url_of(listener)
        log.info("serving", url=url, docs=f"{url}/docs", workers=workers)
        if workers == 1:
            Server(config).run([listener])
        else:
            _serve_with_workers(config, listener)


class Server(uvicorn.Server):
    """Uvicorn's, which a second SIGTERM ends at once, as a second SIGINT does."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end, or end at once."""
        self.force_exit = self.should_exit
        if self.force_exit:
            # What is cut off would end the log in tracebacks.
            logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


class Workers(Multiprocess):
    """Uvicorn's processes behind one socket, ended as one process is."""

    def keep_subprocess_alive(self) -> None:
        """Replace each worker that has died, unless it could not even start.

        Uvicorn also asks each worker whether it lives, and while it waits for one that
        has just died it hears no signal.
        """
        for place, worker in enumerate(self.processes):
            if self.should_exit.is_set() or self.signal_queue:
                return
            if worker.process.is_alive():
                continue
            if worker.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            log.warning("a worker died and is replaced", pid=worker.pid)
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def handle_hup(self) -> None:
        """End, when the terminal does: uvicorn would go on with new workers."""
        self.handle_term()

    def terminate_all(self) -> None:
        """Ask all workers to end."""
        # A connection that the parent accepts for nobody would wait instead of failing.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()

    def join_all(self) -> None:
        """Wait for all workers, or until the next signal."""
        while any(worker.process.is_alive() for worker in self.processes):
            if {signal.SIGINT, signal.SIGTERM} & set(self.signal_queue):
                for worker in self.processes:
                    worker.kill()
            time.sleep(0.1)
        super().join_all()


def _serve_with_workers(config: uvicorn.Config, listener: socket.socket) -> None:
    # The workers' metrics are summed up from files in this folder.
    with tempfile.TemporaryDirectory(prefix="twap-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        workers = Workers(config, [listener])
        workers.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in workers.processes):
        raise UserError("A worker of the API could not start; the log says why.")
