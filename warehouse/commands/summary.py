"""What a run has done, said at its end: lines for a log, a table for people."""

import sys
from collections.abc import Iterator
from typing import NamedTuple

from ingestion import Cost, FailedObject, Plan, Report
from warehouse.database import Connection
from warehouse.settings import Settings
from warehouse.statements import statement

_FAILURES_SHOWN = 10
_MEGABYTE = 1024**2


class Balance(NamedTuple):
    """What became of the landed rows that a build has touched."""

    landed: int
    events: int
    duplicates: int
    rejected: int


def is_for_people() -> bool:
    """Return whether what is printed is read at a terminal, where a table can be."""
    return sys.stdout.isatty()


def print_lines(report: Report, balance: Balance | None) -> None:
    """Print what a run has done, for whoever reads it later."""
    if balance is not None:
        print(
            f"Of what was touched, {balance.landed} landed rows are "
            f"{balance.events} events, {balance.duplicates} more copies of them, "
            f"and {balance.rejected} rejected rows"
        )
    _print_failures(report.failed)
    print(
        f"{report.listed - report.ignored} objects listed, {report.new} new: "
        f"{report.loaded} loaded with {report.rows} rows, {report.known} known, "
        f"{len(report.failed)} failed, {report.not_fetched} left for a later run"
    )


def print_table(
    connection: Connection, report: Report, balance: Balance | None, seconds: float
) -> None:
    """Print what a run has done, and what the marts hold now, as a table."""
    _print_failures(report.failed[:_FAILURES_SHOWN])
    if len(report.failed) > _FAILURES_SHOWN:
        print("The others stand in marts.etl_s3_ingest_log, in the column error_text.")
    _print_rows(
        [
            *_run(report),
            *([("built", _in_words(balance))] if balance else []),
            ("marts now", describe_marts(connection)),
            ("time", _duration(int(seconds))),
        ]
    )


def print_plan(plan: Plan, cost: Cost) -> None:
    """Print what a run would do, as a table."""
    _print_rows(
        [
            ("listed", f"{plan.listed - plan.ignored:,} objects"),
            ("would fetch", f"{cost.objects:,} objects, {_megabytes(cost.bytes)}"),
            ("would cost", f"about {cost.usd:.4f} USD"),
        ]
    )


def print_next_steps(settings: Settings, *, was_dry: bool) -> None:
    """Print the commands that make sense after a run."""
    if was_dry:
        steps = [("make elt", "with the same ARGS, but without --dry-run, does it")]
    else:
        steps = [
            ("make serve", f"then open {address(settings)}"),
            ("make psql", "SQL on the marts"),
            ("make elt", "again, every hour from cron: it loads what is new"),
        ]
    print("How to go on:")
    for command, what in steps:
        print(f"  {command:<12} {what}")


def address(settings: Settings) -> str:
    """Return where a browser on this machine finds what `make serve` answers."""
    is_everywhere = settings.api_host in ("0.0.0.0", "::")  # noqa: S104  # compared only
    host = "127.0.0.1" if is_everywhere else settings.api_host
    return f"http://{host}:{settings.api_port}/"


def describe_marts(connection: Connection) -> str:
    """Return what the marts hold, in words."""
    row = connection.execute(statement("marts_totals")).fetchone()
    twaps, wallets, events, first_day, last_day, rejected = row or (0,) * 6
    if not events:
        return "no event yet"
    return (
        f"{twaps:,} TWAPs of {wallets:,} wallets, in {events:,} events\n"
        f"from {first_day} to {last_day}; {rejected:,} rows that cannot be events"
    )


def _run(report: Report) -> Iterator[tuple[str, str]]:
    yield "listed", f"{report.listed - report.ignored:,} objects"
    yield "new", f"{report.new:,} objects"
    yield (
        "landed",
        f"{report.loaded:,} objects, {report.rows:,} rows, {_megabytes(report.bytes)}",
    )
    if report.known:
        yield "known", f"{report.known:,} objects, an earlier version shown again"
    again = "; each run tries them again" if report.failed else ""
    yield "failed", f"{len(report.failed):,} objects{again}"
    if report.not_fetched:
        yield "left", f"{report.not_fetched:,} objects, for a later run"


def _in_words(balance: Balance) -> str:
    return (
        f"{balance.events:,} events, {balance.duplicates:,} more copies of them, "
        f"{balance.rejected:,} rejected rows"
    )


def _megabytes(size: int) -> str:
    return f"{size / _MEGABYTE:,.1f} MB"


def _duration(seconds: int) -> str:
    minutes = f"{seconds // 60} min " if seconds >= 60 else ""
    return f"{minutes}{seconds % 60} s"


def _print_failures(failed: tuple[FailedObject, ...]) -> None:
    for failure in failed:
        print(f"failed: {failure.object.key}: {failure.reason}")


def _print_rows(rows: list[tuple[str, str]]) -> None:
    # Imported late: only a terminal shows it.
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for row in rows:
        table.add_row(*row)
    Console().print("", table, "")
