"""How far a run is: a bar on a terminal; elsewhere the log lines say it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


class ObjectsBar:
    """The progress of objects that are fetched, on standard error."""

    def __init__(self, until_the_end: ExitStack) -> None:
        self._until_the_end = until_the_end

    def start(self, objects: int, size: int) -> None:
        """Show the bar for so many objects of so many bytes in all."""
        # Imported late: most runs find nothing new, and show none.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self._bar = self._until_the_end.enter_context(
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                disable=not console.is_terminal,
                transient=True,
            )
        )
        self._task = self._bar.add_task("fetching", total=objects)

    def advance(self, objects: int, size: int) -> None:
        """Move on by so many objects and bytes."""
        self._bar.advance(self._task, objects)


@contextmanager
def progress_bar() -> Iterator[ObjectsBar]:
    """Give a bar that is there while the block runs, on a terminal."""
    with ExitStack() as until_the_end:
        yield ObjectsBar(until_the_end)
