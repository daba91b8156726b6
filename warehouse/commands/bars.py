"""Progress bars, for a person at a terminal."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from warehouse import dbt
from warehouse.commands.progress import Unwatched

_REFRESHES_PER_SECOND = 4
_MEGABYTE = 1024**2


@dataclass
class _Bar:
    """What a bar shows when it is drawn next; the size is in bytes."""

    task: TaskID
    done: int = 0
    size_done: int = 0
    size: int = 0
    note: str = ""


class Bars(Unwatched):
    """A bar for each part of a run, below the log lines, while the block runs.

    To be told something costs an addition: what is shown is read when it is drawn.
    """

    def __init__(self) -> None:
        self._bars: dict[str, _Bar] = {}
        self._waiting: TaskID | None = None
        self._display = _Display(
            self._update,
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            _CountColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            _TimeColumn(),
            console=_Console(stderr=True, force_terminal=True),
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            # What is printed to a pipe must not end up here.
            redirect_stdout=False,
        )

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._display.stop()

    def begin(self, what: str) -> None:
        """Show that this is done, until the next bar comes."""
        self._end_waiting()
        self._waiting = self._add_task(what, None)

    def start(self, objects: int, size: int) -> None:
        """Show how many of so many objects and bytes are fetched, and landed."""
        self._add("fetched", objects, "objects", has_pace=True).size = size
        self._add("landed", objects, "objects")

    def advance(self, objects: int, size: int) -> None:
        """Move on by so many objects and bytes that have been fetched."""
        self._bars["fetched"].done += objects
        self._bars["fetched"].size_done += size

    def landed(self, objects: int) -> None:
        """Move on by so many objects that are in the database."""
        self._bars["landed"].done += objects

    def tell(self, said: dbt.Step | dbt.Oddity) -> None:
        """Show how far dbt is; what it finds odd goes to the log."""
        super().tell(said)
        if isinstance(said, dbt.Step) and said.total:
            bar = self._bars.get("built") or self._add("built", said.total, "steps")
            bar.done, bar.note = said.done, said.model

    def _add(self, what: str, total: int, of: str, has_pace: bool = False) -> _Bar:
        self._end_waiting()
        self._bars[what] = _Bar(self._add_task(what, total, of, has_pace))
        return self._bars[what]

    def _add_task(
        self, what: str, total: int | None, of: str = "", has_pace: bool = False
    ) -> TaskID:
        return self._display.add_task(
            what, total=total, of=of, note="", has_pace=has_pace
        )

    def _end_waiting(self) -> None:
        if self._waiting is not None:
            self._display.remove_task(self._waiting)
            self._waiting = None

    def _update(self) -> None:
        for bar in tuple(self._bars.values()):
            note = bar.note
            if bar.size:
                done, size = bar.size_done / _MEGABYTE, bar.size / _MEGABYTE
                note = f"{done:,.1f}/{size:,.1f} MB"
            self._display.update(bar.task, completed=bar.done, note=note)


class _Display(Progress):
    """Asks for what it shows when it draws."""

    def __init__(
        self, update: Callable[[], None], *columns: ProgressColumn, **options: Any
    ) -> None:
        self._ask = update
        super().__init__(*columns, **options)

    def get_renderables(self) -> Iterable[RenderableType]:
        self._ask()
        return super().get_renderables()


class _Console(Console):
    """Leaves the cursor alone: a run that is killed could not bring it back."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class _CountColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        done, total = int(task.completed), int(task.total)
        return Text(f"{done:,}/{total:,} {task.fields['of']}")


class _TimeColumn(ProgressColumn):
    """How long it will take, where steps are alike; else how long it has taken."""

    def render(self, task: Task) -> Text:
        seconds, word = task.finished_time or task.elapsed or 0, ""
        if task.fields["has_pace"] and task.time_remaining:
            seconds, word = task.time_remaining, " left"
        return Text(f"{int(seconds) // 60}:{int(seconds) % 60:02}{word}", style="cyan")
