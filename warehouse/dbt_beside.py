"""dbt in a process of its own, which gets ready while this one lands objects."""

import multiprocessing
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Self

from warehouse import dbt, garbage, log
from warehouse.errors import UserError
from warehouse.settings import load_settings


class DbtBeside:
    """Runs dbt commands on a database; with `get_ready`, from a process beside.

    To import dbt and to read the project takes half as long as a run with one new
    object. Without `get_ready`, commands run in this process.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._process: SpawnProcess | None = None

    def __enter__(self) -> Self:
        return self

    def get_ready(self) -> None:
        """Start the process, and return at once."""
        if self._process is None:
            spawning = multiprocessing.get_context("spawn")
            self._pipe, theirs = spawning.Pipe()
            self._process = spawning.Process(
                target=_serve, args=(theirs, self._database_url), daemon=True
            )
            self._process.start()
            theirs.close()

    def run(self, arguments: Sequence[str], tell: dbt.Tell = dbt.log_oddities) -> None:
        """Run one dbt command, quietly, and `tell` what it does, as `dbt.run` does.

        Raises UserError as that does.
        """
        if self._process is None:
            dbt.run(arguments, self._database_url, quiet=True, tell=tell)
            return
        try:
            self._pipe.send(arguments)
            while isinstance(said := self._pipe.recv(), dbt.Step | dbt.Oddity):
                tell(said)
        except (EOFError, OSError):
            raise UserError(
                "The process that ran dbt was ended from outside, perhaps for want of "
                "memory. Nothing that has landed is lost: run it again."
            ) from None
        if said is not None:
            raise UserError(said)

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            # The process ends when nobody can tell it anything more.
            self._pipe.close()
            self._process.join()


def _serve(pipe: Pipe, database_url: str) -> None:
    def tell(said: dbt.Step | dbt.Oddity) -> None:
        # When nobody listens any more, the build goes on all the same.
        with suppress(OSError):
            pipe.send(said)

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        garbage.collect_rarely()
        settings = load_settings()
        log.configure(settings.log_level, settings.log_format)
        manifest = None
        # What is wrong is said when it is to be built.
        with suppress(UserError):
            manifest = dbt.read_project(database_url)
        while True:
            arguments = pipe.recv()
            try:
                dbt.run(
                    arguments, database_url, quiet=True, manifest=manifest, tell=tell
                )
            except UserError as error:
                pipe.send(str(error))
            else:
                pipe.send(None)
    # Nothing more to do; and an interruption is said by the parent.
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _end_with_parent() -> None:
    """End at once when the parent is gone: it held the lock of the run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
