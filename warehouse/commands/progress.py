"""How far a run is: a bar on a terminal; elsewhere the log lines say it."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class ObjectsBar:
    """The progress of objects that are fetched, on standard error."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar

    def start(self, objects: int, size: int) -> None:
        """Show the bar for so many objects of so many bytes in all."""
        self._task = self._bar.add_task("fetching", total=objects)

    def advance(self, objects: int, size: int) -> None:
        """Move on by so many objects and bytes."""
        self._bar.advance(self._task, objects)


@contextmanager
def progress_bar() -> Iterator[ObjectsBar]:
    """Give a bar that is there while the block runs, on a terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        yield ObjectsBar(bar)
