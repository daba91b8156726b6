"""dbt, run in this process with the connection that DATABASE_URL names."""

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from warehouse import HOME, LOCAL_DIR, PROJECT_ROOT
from warehouse.database import (
    connection_parameters,
    environment_without_libpq,
    libpq_environment,
)
from warehouse.errors import UserError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

log = structlog.get_logger("warehouse.dbt")

DBT_DIR = LOCAL_DIR / "dbt"


class Step(NamedTuple):
    """How far dbt is: the model begun last, and how many models and tests are done."""

    model: str
    done: int
    total: int


class Oddity(NamedTuple):
    """A test that only warns, and how many rows of the source it has found."""

    test: str
    rows: int


Tell = Callable[[Step | Oddity], None]
"""Who is told what dbt does; it is called from dbt's threads, one at a time."""


def log_oddities(said: Step | Oddity) -> None:
    """Write a log line for an oddity, and none for a step."""
    if isinstance(said, Oddity):
        log.warning("source_is_odd", test=said.test, rows=said.rows)


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
    tell: Tell = log_oddities,
) -> None:
    """Run one dbt command, such as `["build", "--full-refresh"]`.

    `quiet` keeps dbt's own lines off the terminal; the logs in `folder` have them all.
    `manifest` is the project as `read_project` gave it. `tell` is told of each step,
    and at the end of each oddity.
    Raises UserError that names each node that failed, with its message.
    """
    ours = folder(database_url)
    with _environment(database_url, ours):
        # Imported late: it takes longer than many a command that does not need it.
        from dbt.cli.main import dbtRunner

        command = _command(arguments, ours, quiet=quiet)
        outcome = dbtRunner(manifest, [_steps(tell)]).invoke(command)
    for result in getattr(outcome.result, "results", []):
        if result.status == "warn":
            tell(Oddity(result.node.name, result.failures))
    if outcome.success:
        return
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if outcome.exception is not None:
        reason = " ".join(str(outcome.exception).split())
        raise UserError(
            f"dbt {arguments[0]} could not run: {reason}. "
            f"Mend that, then run again; {ours / 'logs'} has all that dbt said."
        )
    failed = [
        f"{result.node.name}: {' '.join((result.message or result.status).split())}"
        for result in getattr(outcome.result, "results", [])
        if result.status in ("error", "fail", "runtime error", "partial success")
    ]
    raise UserError(
        f"dbt {arguments[0]} failed: {' | '.join(failed)}. "
        "Nothing that has landed is lost: mend that, then run again; "
        f"{ours / 'logs'} has all that dbt said."
    )


def _steps(tell: Tell) -> "Callable[[EventMsg], None]":
    """Return a listener to dbt's events that makes steps of them."""
    one_at_a_time = threading.Lock()
    step = Step("", 0, 0)

    def hear(event: "EventMsg") -> None:
        nonlocal step
        if event.info.name not in ("ConcurrencyLine", "NodeStart", "NodeFinished"):
            return
        with one_at_a_time:
            if event.info.name == "ConcurrencyLine":
                step = step._replace(total=event.data.node_count)
            elif event.info.name == "NodeFinished":
                step = step._replace(done=step.done + 1)
            elif event.data.node_info.resource_type == "model":
                step = step._replace(model=event.data.node_info.node_name)
            tell(step)

    return hear


def read_project(database_url: str) -> "Manifest | None":
    """Return the project, read for the database; None where dbt cannot read it.

    What is wrong with it is then said by `run`.
    """
    ours = folder(database_url)
    with _environment(database_url, ours):
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


@contextmanager
def _environment(database_url: str, ours: Path) -> Iterator[None]:
    """Let libpq's variables say how to connect while the block lasts.

    Afterwards they are the user's again: the next URL may leave to them what this one
    said, such as a password.
    """
    users = dict(os.environ)
    _set_environment(
        environment_without_libpq()
        | libpq_environment(database_url)
        | {"DBT_TARGET_PATH": str(ours / "target"), "DBT_LOG_PATH": str(ours / "logs")}
    )
    try:
        yield
    finally:
        _set_environment(users)


def _set_environment(environment: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def _profiles_dir(ours: Path) -> Path:
    """The folder of profiles.yml: one's own, else a copy of the example."""
    if (HOME / "profiles.yml").exists():
        return HOME
    try:
        ours.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT_ROOT / "profiles.yml.example", ours / "profiles.yml")
    except OSError as error:
        raise UserError(
            f"The working folder {ours} cannot be made: {error.strerror}. "
            "Let this login write there, then run again."
        ) from None
    return ours
