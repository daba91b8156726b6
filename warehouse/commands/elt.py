"""`elt`: what is new in the bucket lands in staging, and dbt builds the marts of it."""

from collections.abc import Callable
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
from warehouse.commands.progress import progress_bar
from warehouse.database import Connection, RunLock
from warehouse.dbt_beside import DbtBeside
from warehouse.errors import UserError
from warehouse.runs import RunFigures, begin_run, finish_run
from warehouse.schema import prepare
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
    if selection.dry_run:
        _ingest(selection, settings, database_url, lambda: None, _say_plan)
        return 0

    def on_listed(plan: Plan, cost: Cost) -> None:
        _say_plan(plan, cost)
        if dbt_beside and (plan.fetch or plan.known):
            dbt.get_ready()

    with (
        database.run_lock(database_url) as lock,
        database.connect(database_url) as connection,
        DbtBeside(database_url) as dbt,
    ):
        prepare(connection)
        if not selection.local_files:
            _keep_sample_data_apart(connection, settings)
        run_id = begin_run(connection, _mode(selection))
        figures = RunFigures()
        try:
            report = _ingest(selection, settings, database_url, lock.check, on_listed)
            figures = _figures(report)
            _build(connection, database_url, lock, dbt)
        except UserError as error:
            if isinstance(error, IngestionStopped):
                figures = _figures(error.report)
            finish_run(connection, run_id, error.exit_code, figures)
            raise
        exit_status = EXIT_SOME_FAILED if report.failed else 0
        finish_run(connection, run_id, exit_status, figures)
    _say(report)
    return exit_status


def _keep_sample_data_apart(connection: Connection, settings: Settings) -> None:
    if settings.aws_s3_prefix == SAMPLE_PREFIX:
        return
    try:
        row = connection.execute(
            statement("holds_sample_data"), {"prefix": SAMPLE_PREFIX}
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        return
    if row == (True,):
        raise UserError(
            "This database holds the demo's sample data, which real data must not be "
            "mixed with. Run make clean, which removes it, or set DATABASE_URL."
        )


def _ingest(
    selection: Selection,
    settings: Settings,
    database_url: str,
    guard: Callable[[], None],
    on_listed: Callable[[Plan, Cost], None],
) -> Report:
    source = S3Source(
        bucket=settings.aws_s3_bucket,
        prefix=settings.aws_s3_prefix,
        region=settings.aws_region,
        request_payer=settings.aws_request_payer,
        endpoint_url=settings.aws_endpoint_url,
    )
    with progress_bar() as progress:
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
    connection: Connection, database_url: str, lock: RunLock, dbt: DbtBeside
) -> None:
    need = needed_build(connection)
    if need is Need.NOTHING:
        return
    lock.check()
    log.info("building_marts", how=need.value)
    build(database_url, need, dbt.run)
    landed, events, duplicates, rejected = connection.execute(
        statement("balance")
    ).fetchone() or (0, 0, 0, 0)
    print(
        f"Of what was touched, {landed} landed rows are {events} events, "
        f"{duplicates} more copies of them, and {rejected} rejected rows"
    )


def _mode(selection: Selection) -> str:
    if selection.local_files:
        return "local_file"
    if selection.object_key is not None:
        return "object_key"
    return "incremental" if selection.since is None else "since"


def _say_plan(plan: Plan, cost: Cost) -> None:
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


def _say(report: Report) -> None:
    for failure in report.failed:
        print(f"failed: {failure.object.key}: {failure.reason}")
    print(
        f"{report.listed - report.ignored} objects listed, {report.new} new: "
        f"{report.loaded} loaded with {report.rows} rows, {report.known} known, "
        f"{len(report.failed)} failed, {report.not_fetched} left for a later run"
    )
