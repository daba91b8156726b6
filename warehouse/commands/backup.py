"""`backup` and `restore`: the whole warehouse in a folder, and back, row by row."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from warehouse import __version__, database
from warehouse.commands.databases import builders_url, database_url
from warehouse.commands.programs import program
from warehouse.commands.progress import watched
from warehouse.database import (
    RESTORING,
    Connection,
    environment_without_libpq,
    libpq_environment,
    where,
)
from warehouse.errors import UserError
from warehouse.schema import prepare_marts, prepare_staging
from warehouse.settings import Settings
from warehouse.statements import statement

SCHEMAS = ["staging", "intermediate", "marts"]
MARKER = sql.Identifier(RESTORING)
JOBS = min(4, os.cpu_count() or 1)
MANIFEST = "manifest.json"
"""What the dump beside it holds: each table's rows, a digest of them, and its keys."""

# A program of PostgreSQL 17 or newer sets it, also in a server that has no such thing.
UNKNOWN_SETTING = 'unrecognized configuration parameter "transaction_timeout"'

log = structlog.get_logger("warehouse.backup")


def backup(settings: Settings, folder: Path) -> int:
    """Copy the warehouse's schemas into a new folder, with a digest of each table.

    No run works meanwhile. The folder has its name only when it is whole. Raises
    UserError when there is nothing to copy, or when it cannot be written.
    """
    if folder.exists():
        raise UserError(
            f"{folder} exists already. Name a folder that does not: "
            "make backup TO=/backups/monday."
        )
    url = builders_url(settings)
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    with (
        watched(settings) as progress,
        database.run_lock(url),
        database.connect(url) as connection,
    ):
        if not _relations(connection):
            raise UserError(
                f"There is no warehouse in {where(url)}, so nothing to copy. "
                "Check DATABASE_URL, or run make elt first."
            )
        _make_empty(unfinished)
        progress.begin(f"copying into {unfinished}")
        # The dump and the digests are of one state, whoever changes the data.
        connection.execute("begin isolation level repeatable read read only")
        _dump(connection, url, unfinished)
        progress.begin("taking digests of what was copied")
        manifest = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "release": __version__,
            "postgres": connection.info.server_version // 10000,
            "tables": _contents(connection),
        }
    try:
        (unfinished / MANIFEST).write_text(json.dumps(manifest, indent=1))
        unfinished.rename(folder)
    except OSError as error:
        raise UserError(
            f"The backup cannot be finished in {unfinished}: {error.strerror}. "
            "Mend that, then run it again."
        ) from None
    print(f"{folder} holds {_size(manifest)}.")
    return 0


def restore(settings: Settings, folder: Path, *, replace: bool = False) -> int:
    """Fill an empty database from a backup, and compare every table with its digest.

    `replace` drops a warehouse that is there already. Until all is found to be right no
    other command works on the database. The login of DATABASE_URL then owns it; `make
    roles` hands it on. Raises UserError when the folder is no whole backup, when the
    database holds a warehouse, and when what was restored is not what the backup says.
    """
    url = database_url(settings)
    manifest = _manifest(folder)
    with (
        watched(settings) as progress,
        database.run_lock(url, restores=True),
        database.connect(url) as connection,
    ):
        # Before anything is dropped: can it be read at all?
        said = _run(connection, url, "pg_restore", "--list", str(folder / "dump"))
        if said:
            raise UserError(
                f"The backup in {folder} cannot be read: {said} Take another one."
            )
        if _relations(connection) and not replace:
            raise UserError(
                f"There is a warehouse in {where(url)} already. Let DATABASE_URL name "
                "an empty database; or let ARGS=--replace drop what is there first."
            )
        progress.begin(f"restoring {folder}")
        _fill(connection, url, folder)
        progress.begin("comparing with what was copied")
        differences = _differences(manifest["tables"], _contents(connection))
        if differences:
            raise UserError(
                f"What was restored is not what was copied: {' | '.join(differences)}. "
                "Take another backup, and run it again with ARGS=--replace."
            )
        connection.execute("analyze")
        prepare_staging(connection)
        # From here on the API's role can read.
        prepare_marts(connection)
        connection.execute(sql.SQL("drop schema {}").format(MARKER))
    print(
        f"Restored, and every table is what it was when it was copied, at "
        f"{manifest['made_at']}: {_size(manifest)}."
    )
    return 0


def _dump(connection: Connection, url: str, folder: Path) -> None:
    """Write what the connection's transaction sees into the folder."""
    (snapshot,) = connection.execute("select pg_export_snapshot()").fetchone() or ()
    said = _run(
        connection,
        url,
        "pg_dump",
        *("--format=directory", f"--jobs={JOBS}", f"--snapshot={snapshot}"),
        *(f"--schema={schema}" for schema in SCHEMAS),
        # What a build works with, and the next one makes anew.
        "--no-unlogged-table-data",
        f"--file={folder / 'dump'}",
    )
    if said:
        raise UserError(
            f"pg_dump could not copy the database: {said} "
            f"Mend that, then run it again; {folder} may be deleted."
        )


def _fill(connection: Connection, url: str, folder: Path) -> None:
    """Put what the folder holds in the place of what the schemas hold."""
    with connection.transaction():
        for schema in map(sql.Identifier, SCHEMAS):
            connection.execute(
                sql.SQL("drop schema if exists {} cascade").format(schema)
            )
        connection.execute(sql.SQL("create schema if not exists {}").format(MARKER))
    said = _run(
        connection,
        url,
        "pg_restore",
        *("--no-owner", "--no-privileges", f"--jobs={JOBS}"),
        f"--dbname={make_conninfo(dbname=connection.info.dbname)}",
        str(folder / "dump"),
    )
    if said:
        raise UserError(
            f"pg_restore could not fill the database: {said} "
            "Mend that, then run it again with ARGS=--replace."
        )


def _make_empty(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        # It holds all that the database does, so nobody else reads it.
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be made: {error.strerror}. "
            "Name one where this login may write: make backup TO=/backups/monday."
        ) from None


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError):
        raise UserError(
            f"{folder} is no whole backup: it has no {MANIFEST} that can be read. "
            "Name one that make backup has finished: make restore FROM=/backups/monday."
        ) from None
    return manifest


def _run(connection: Connection, url: str, name: str, *arguments: str) -> str:
    """Run a program of PostgreSQL on the database; return what it says went wrong.

    The password goes by the environment: a command line can be read by all users.
    """
    path = program(name, connection.info.server_version // 10000)
    log.info("running", program=str(path))
    ran = subprocess.run(
        [path, *arguments],
        env=environment_without_libpq() | libpq_environment(url) | {"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if ran.returncode == 0:
        return ""
    errors = [line for line in ran.stderr.splitlines() if "error: " in line]
    serious = [line for line in errors if UNKNOWN_SETTING not in line]
    if errors and not serious:
        return ""
    return serious[0] if serious else f"it ended with status {ran.returncode}."


def _relations(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        statement("backup_relations"), {"schemas": SCHEMAS}
    ).fetchall()


def _contents(connection: Connection) -> dict[str, Any]:
    """Return, of each table and each view of the marts, what a restore must bring."""
    connection.execute("set datestyle = 'ISO'")
    contents = {}
    for schema, name, indexes, constraints in _relations(connection):
        query = sql.SQL(statement("relation_digest")).format(
            relation=sql.Identifier(schema, name)
        )
        rows, digest = connection.execute(query).fetchone() or (0, "")
        contents[f"{schema}.{name}"] = {
            "rows": rows,
            "digest": digest,
            "indexes": sorted(indexes),
            "constraints": sorted(constraints),
        }
    return contents


def _differences(copied: dict[str, Any], restored: dict[str, Any]) -> list[str]:
    """Return, in words, where tables differ."""
    found = [f"{name} is missing" for name in copied.keys() - restored.keys()]
    for name in sorted(copied.keys() & restored.keys()):
        found += [
            f"{name} has other {part}"
            for part, value in copied[name].items()
            if restored[name][part] != value
        ]
    return found


def _size(manifest: dict[str, Any]) -> str:
    tables = manifest["tables"]
    rows = sum(table["rows"] for table in tables.values())
    return f"{rows:,} rows of {len(tables)} tables and views"
