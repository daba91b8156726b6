"""How far a command is: bars on a terminal; elsewhere the log lines say it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from warehouse import dbt
from warehouse.settings import Settings


class Unwatched:
    """Shows nothing; what is more than progress goes to the log."""

    def begin(self, what: str) -> None:
        """Be told what is done from now on, which has no end that is known."""

    def start(self, objects: int, size: int) -> None:
        """Be told how many objects and bytes are to be fetched."""

    def advance(self, objects: int, size: int) -> None:
        """Be told how many more have been fetched."""

    def landed(self, objects: int) -> None:
        """Be told how many more are in the database."""

    def tell(self, said: dbt.Step | dbt.Oddity) -> None:
        """Be told what dbt does."""
        dbt.log_oddities(said)


@contextmanager
def watched(settings: Settings) -> Iterator[Unwatched]:
    """Give bars that are there while the block runs, if somebody can see them.

    They are on standard error, when it is a terminal and the log is for people.
    """
    is_for_people = settings.log_format == "text" and os.environ.get("TERM") != "dumb"
    if not (is_for_people and sys.stderr.isatty()):
        yield Unwatched()
        return
    # Imported late: it takes a tenth of a run that finds nothing new.
    from warehouse.commands.bars import Bars

    with Bars() as bars:
        yield bars
