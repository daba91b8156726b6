"""dbt, run in this process with the connection that DATABASE_URL names."""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from warehouse import LOCAL_DIR, PROJECT_ROOT
from warehouse.database import connection_parameters, libpq_environment
from warehouse.errors import UserError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

log = structlog.get_logger("warehouse.dbt")

DBT_DIR = LOCAL_DIR / "dbt"


def folder(database_url: str) -> Path:
    """Return where dbt keeps its profile, its target and its logs for a database.

    Each database has a folder of its own: runs on two of them from one checkout do not
    meet, and neither makes dbt parse the project anew for the other.
    """
    parts = connection_parameters(database_url)
    address = [parts.get(part) for part in ("host", "hostaddr", "port", "user")]
    name = parts.get("dbname", "default")
    digest = hashlib.sha256(repr([*address, name]).encode()).hexdigest()[:8]
    return DBT_DIR / f"{re.sub(r'[^A-Za-z0-9_]', '_', name)[:40]}-{digest}"


def run(
    arguments: Sequence[str],
    database_url: str,
    *,
    quiet: bool = False,
    manifest: "Manifest | None" = None,
) -> None:
    """Run one dbt command, such as `["build", "--full-refresh"]`.

    `quiet` keeps dbt's own lines off the terminal; the logs in `folder` have them all.
    `manifest` is the project as `read_project` gave it.
    Raises UserError that names each node that failed, with its message.
    """
    ours = folder(database_url)
    _set_environment(database_url, ours)
    # Imported late: it takes longer than many a command that does not need it.
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner(manifest).invoke(_command(arguments, ours, quiet=quiet))
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
        f"Nothing that has landed is lost; {ours / 'logs'} has all that dbt said."
    )


def read_project(database_url: str) -> "Manifest | None":
    """Return the project, read for the database; None where dbt cannot read it.

    What is wrong with it is then said by `run`.
    """
    ours = folder(database_url)
    _set_environment(database_url, ours)
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    command = _command(["parse", "--no-write-json"], ours, quiet=True)
    manifest = dbtRunner().invoke(command).result
    return manifest if isinstance(manifest, Manifest) else None


def _command(arguments: Sequence[str], ours: Path, *, quiet: bool) -> list[str]:
    return [
        *("--log-level", "none" if quiet else "info", "--log-level-file", "debug"),
        *arguments,
        *("--project-dir", str(PROJECT_ROOT)),
        *("--profiles-dir", str(_profiles_dir(ours))),
    ]


def _set_environment(database_url: str, ours: Path) -> None:
    """Let libpq's variables say what the URL says, and nothing else."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    os.environ |= libpq_environment(database_url)
    os.environ["DBT_TARGET_PATH"] = str(ours / "target")
    os.environ["DBT_LOG_PATH"] = str(ours / "logs")


def _profiles_dir(ours: Path) -> Path:
    """The folder of profiles.yml: the checkout's own, else a copy of the example."""
    if (PROJECT_ROOT / "profiles.yml").exists():
        return PROJECT_ROOT
    ours.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "profiles.yml.example", ours / "profiles.yml")
    return ours
