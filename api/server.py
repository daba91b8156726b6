"""The API on a port."""

import contextlib
import socket

import structlog
import uvicorn
from fastapi import FastAPI

from warehouse.errors import UserError

log = structlog.stdlib.get_logger("api")

GRACE_SECONDS = 10
"""How long requests in flight may take when the server is asked to end."""


def configure(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """Return uvicorn's configuration: our log lines, and no Server header."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def serve(app: FastAPI, host: str, port: int) -> None:
    """Answer requests until the process is asked to end (SIGINT or SIGTERM).

    Raises UserError when the address and port cannot be had.
    """
    config = configure(app, host, port)
    with _listen(host, port) as listener:
        url = f"http://{host}:{listener.getsockname()[1]}"
        log.info("serving", url=url, docs=f"{url}/docs")
        # Uvicorn ends in good order and then raises the signal again.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UserError(
            f"The API cannot listen on {host}, port {port}: {error.strerror}. "
            "Choose another API_HOST or API_PORT, or end what uses it."
        ) from None
