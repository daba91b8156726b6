"""`serve`: the API on a port, until it is asked to end."""

import multiprocessing
import os
import signal
import threading
from functools import partial
from multiprocessing.process import BaseProcess

import structlog
from fastapi import FastAPI

import api
from warehouse import log
from warehouse.commands.databases import database_url
from warehouse.database import libpq_url
from warehouse.errors import UserError
from warehouse.settings import Settings

lines = structlog.stdlib.get_logger("warehouse.serve")


def serve(settings: Settings) -> int:
    """Answer HTTP requests until SIGINT or SIGTERM; return the exit status.

    Raises UserError for keys that cannot be used, a database that cannot be named, and
    an address that cannot be had.
    """
    keys = _keys(settings)
    if settings.api_database_url is not None:
        url = libpq_url(settings.api_database_url, "API_DATABASE_URL")
    else:
        url = database_url(settings)
    with api.listen(settings.api_host, settings.api_port) as listener:
        if not keys and not api.is_loopback(listener):
            lines.warning(
                "everybody who reaches this machine can read the API: set API_KEYS, or "
                "let API_HOST be 127.0.0.1",
                api_host=settings.api_host,
            )
        make_app = partial(make_app_of_process, settings, url, keys)
        api.serve(make_app, listener, workers=settings.api_workers)
    return 0


def make_app_of_process(settings: Settings, url: str, keys: tuple[str, ...]) -> FastAPI:
    """Return the application of a process that answers requests.

    In a worker it also sets up the process: its log lines, and its end when its parent
    is gone.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        log.configure(settings.log_level, settings.log_format)
        threading.Thread(target=_end_after, args=[parent], daemon=True).start()
    return api.create_app(url, settings.cors_origins, api_keys=keys)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _keys(settings: Settings) -> tuple[str, ...]:
    if settings.api_keys is not None:
        return api.parse_keys(settings.api_keys)
    if any(name.upper() == "API_KEYS" for name in os.environ):
        # Whoever wrote this meant to close the API.
        raise UserError(
            "API_KEYS is set but empty. Unset it to let everybody in, or name keys of "
            f"{api.MIN_KEY_LENGTH} or more characters, separated by commas."
        )
    return ()
