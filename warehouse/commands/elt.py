"""`elt`: what is new in the bucket lands in staging, and dbt builds the marts of it."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import structlog

from ingestion import (
    Cost,
    IngestionStopped,
    Plan,
    Report,
    S3Source,
    Selection,
    ingest,
)
from warehouse import LOCAL_DIR, database
from warehouse.builds import Need, build, needed_build
from warehouse.commands import summary
from warehouse.commands.progress import Unwatched, watched
from warehouse.commands.summary import Balance
from warehouse.database import Connection, RunLock
from warehouse.dbt_beside import DbtBeside
from warehouse.errors import UserError
from warehouse.roles import Logins, logins
from warehouse.runs import RunFigures, begin_run, finish_run
from warehouse.schema import prepare_marts, prepare_staging
from warehouse.settings import Settings
from warehouse.statements import statement

EXIT_SOME_FAILED = 3

SAMPLE_PREFIX = "sample/twap_statuses/"
"""Where the demo's objects lie, so that a database tells sample data from real."""

log = structlog.get_logger("warehouse.elt")


def elt(
    selection: Selection,
    settings: Settings,
    database_url: str,
    *,
    dbt_beside: bool = False,
) -> int:
    """Run once; return the exit status: 0, or 3 when some objects failed.

    `dbt_beside`: as soon as there is something to load, dbt gets ready in a process of
    its own. It pays where dbt has not been imported yet, that is in a command.
    Raises UserError when nothing could be done, AlreadyRunning when another run works.
    """
    urls = logins(database_url)
    if selection.dry_run:
        _dry_run(selection, settings, urls)
        return 0
    began = time.monotonic()
    with watched(settings) as progress:
        report, balance = _run(selection, settings, urls, progress, dbt_beside)
    if summary.is_for_people():
        with database.connect(urls.building) as connection:
            seconds = time.monotonic() - began
            summary.print_table(connection, report, balance, seconds)
    else:
        summary.print_lines(report, balance)
    return EXIT_SOME_FAILED if report.failed else 0


def _dry_run(selection: Selection, settings: Settings, urls: Logins) -> None:
    planned: list[tuple[Plan, Cost]] = []

    def on_listed(plan: Plan, cost: Cost) -> None:
        _log_plan(plan, cost)
        planned.append((plan, cost))

    with watched(settings) as progress:
        _ingest(selection, settings, urls.loading, lambda: None, progress, on_listed)
    if summary.is_for_people():
        for plan, cost in planned:
            summary.print_plan(plan, cost)


def _run(
    selection: Selection,
    settings: Settings,
    urls: Logins,
    progress: Unwatched,
    dbt_beside: bool,
) -> tuple[Report, Balance | None]:
    """Land and build, under the lock and with a record of the run."""

    def on_listed(plan: Plan, cost: Cost) -> None:
        _log_plan(plan, cost)
        if plan.fetch or plan.known:
            progress.begin("getting ready to fetch")
            if dbt_beside:
                dbt.get_ready()

    with (
        database.run_lock(urls.loading) as lock,
        database.connect(urls.loading) as connection,
        DbtBeside(urls.building) as dbt,
    ):
        prepare_staging(connection)
        with database.connect(urls.building) as marts:
            prepare_marts(marts)
        if not selection.local_files:
            _keep_sample_data_apart(connection, settings)
        run_id = begin_run(connection, _mode(selection))
        figures = RunFigures()
        try:
            report = _ingest(
                selection, settings, urls.loading, lock.check, progress, on_listed
            )
            figures = _figures(report)
            balance = _build(urls.building, lock, dbt, progress)
        except UserError as error:
            if isinstance(error, IngestionStopped):
                figures = _figures(error.report)
            finish_run(connection, run_id, error.exit_code, figures)
            raise
        exit_status = EXIT_SOME_FAILED if report.failed else 0
        finish_run(connection, run_id, exit_status, figures)
    return report, balance


def _keep_sample_data_apart(connection: Connection, settings: Settings) -> None:
    try:
        held = connection.execute(
            statement("kinds_of_data"), {"sample_prefix": SAMPLE_PREFIX}
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        return
    holds_sample_data, holds_other_data = held or (False, False)
    if settings.aws_s3_prefix == SAMPLE_PREFIX:
        if holds_other_data:
            raise UserError(
                "This database holds data of your own, which the demo's must not be "
                "mixed with. Run make demo in another checkout."
            )
    elif holds_sample_data:
        raise UserError(
            "This database holds the demo's sample data, which real data must not be "
            "mixed with. Run make clean, which removes it, or set DATABASE_URL."
        )


def _ingest(
    selection: Selection,
    settings: Settings,
    database_url: str,
    guard: Callable[[], None],
    progress: Unwatched,
    on_listed: Callable[[Plan, Cost], None],
) -> Report:
    source = S3Source(
        bucket=settings.aws_s3_bucket,
        prefix=settings.aws_s3_prefix,
        region=settings.aws_region,
        request_payer=settings.aws_request_payer,
        endpoint_url=settings.aws_endpoint_url,
    )
    progress.begin(f"listing {source}")
    return ingest(
        selection,
        source,
        database_url,
        working_dir=Path(settings.dlt_data_dir or LOCAL_DIR / "dlt"),
        max_cost_usd=settings.elt_max_cost_usd,
        guard=guard,
        progress=progress,
        on_listed=on_listed,
    )


def _build(
    database_url: str, lock: RunLock, dbt: DbtBeside, progress: Unwatched
) -> Balance | None:
    """Bring the marts up to date; return the balance, None if they were."""
    with database.connect(database_url) as connection:
        need = needed_build(connection)
        if need is Need.NOTHING:
            return None
        lock.check()
        log.info("building_marts", how=need.value)
        progress.begin("getting dbt ready")
        build(database_url, need, partial(dbt.run, tell=progress.tell))
        row = connection.execute(statement("balance")).fetchone()
    return Balance._make(int(str(count)) for count in row or (0, 0, 0, 0))


def _mode(selection: Selection) -> str:
    if selection.local_files:
        return "local_file"
    if selection.object_key is not None:
        return "object_key"
    return "incremental" if selection.since is None else "since"


def _log_plan(plan: Plan, cost: Cost) -> None:
    log.info(
        "listed",
        objects=plan.listed,
        no_data=plan.ignored,
        to_fetch=len(plan.fetch),
        bytes=plan.bytes_to_fetch,
        cost=str(cost),
    )


def _figures(report: Report) -> RunFigures:
    return RunFigures(
        listed_at=report.listed_at,
        objects_listed=report.listed - report.ignored,
        objects_new=report.new,
        objects_loaded=report.loaded,
        objects_failed=len(report.failed),
        objects_not_fetched=report.not_fetched,
        oldest_not_fetched=report.not_fetched_oldest,
        bytes_loaded=report.bytes,
        rows_loaded=report.rows,
    )
