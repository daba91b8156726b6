"""dbt, run in this process with the connection that DATABASE_URL names."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import structlog

from warehouse import LOCAL_DIR, PROJECT_ROOT
from warehouse.database import libpq_environment
from warehouse.errors import UserError

log = structlog.get_logger("warehouse.dbt")

DBT_DIR = LOCAL_DIR / "dbt"


def run(arguments: Sequence[str], database_url: str, *, quiet: bool = False) -> None:
    """Run one dbt command, such as `["build", "--full-refresh"]`.

    `quiet` keeps dbt's own lines off the terminal; `.local/dbt/logs` has them all.
    Raises UserError that names each node that failed, with its message.
    """
    _set_environment(database_url)
    # Imported late: it takes longer than many a command that does not need it.
    from dbt.cli.main import dbtRunner

    command = [
        *arguments,
        *("--project-dir", str(PROJECT_ROOT)),
        *("--profiles-dir", str(_profiles_dir())),
    ]
    levels = ["--log-level", "none" if quiet else "info", "--log-level-file", "debug"]
    outcome = dbtRunner().invoke(levels + command)
    for result in getattr(outcome.result, "results", []):
        if result.status == "warn":
            log.warning("source_is_odd", test=result.node.name, rows=result.failures)
    if outcome.success:
        return
    if outcome.exception is not None:
        raise UserError(f"dbt {arguments[0]} could not run: {outcome.exception}")
    failed = [
        f"{result.node.name}: {' '.join((result.message or result.status).split())}"
        for result in getattr(outcome.result, "results", [])
        if result.status in ("error", "fail", "runtime error", "partial success")
    ]
    raise UserError(
        f"dbt {arguments[0]} failed: {' | '.join(failed)}. "
        f"Nothing that has landed is lost; {DBT_DIR / 'logs'} has all that dbt said."
    )


def _set_environment(database_url: str) -> None:
    """Let libpq's variables say what the URL says, and nothing else."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    os.environ |= libpq_environment(database_url)
    os.environ["DBT_TARGET_PATH"] = str(DBT_DIR / "target")
    os.environ["DBT_LOG_PATH"] = str(DBT_DIR / "logs")


def _profiles_dir() -> Path:
    """The folder of profiles.yml: the checkout's own, else a copy of the example."""
    if (PROJECT_ROOT / "profiles.yml").exists():
        return PROJECT_ROOT
    DBT_DIR.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "profiles.yml.example", DBT_DIR / "profiles.yml")
    return DBT_DIR
