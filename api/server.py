"""The API on a port."""

import contextlib

import structlog
import uvicorn
from fastapi import FastAPI

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

    Exits with uvicorn's status when the port cannot be had; its reason is logged.
    """
    log.info("serving", url=f"http://{host}:{port}", docs=f"http://{host}:{port}/docs")
    # Uvicorn ends in good order and then raises the signal again.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(configure(app, host, port)).run()
