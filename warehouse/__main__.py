"""The one entry point: `python -m warehouse <command>`."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

import psycopg
from dotenv import load_dotenv

from warehouse import HOME, __version__, garbage, log
from warehouse.errors import UserError
from warehouse.settings import Settings, load_settings

Command = Callable[[argparse.Namespace, Settings], int]

EXIT_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status.

    A UserError is one line of text, and so is what a file or a folder is refused for.
    """
    # A key may hold what the user's encoding cannot write.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        # boto3 looks for its credentials in the environment, people keep them in .env.
        load_dotenv(HOME / ".env")
        settings = load_settings()
        log.configure(settings.log_level, settings.log_format)
        command: Command = options.command
        return command(options, settings)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        print(f"error: Postgres: {reason}. Check DATABASE_URL.", file=sys.stderr)
        return UserError.exit_code
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"error: {error.filename} cannot be used: {error.strerror}. "
            "Mend that, then run again.",
            file=sys.stderr,
        )
        return UserError.exit_code
    except KeyboardInterrupt:
        print("Interrupted. What is complete is kept; run it again.", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m warehouse", description="The warehouse of Hyperliquid TWAPs."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    elt = commands.add_parser("elt", help="load what is new, then build the marts")
    mode = elt.add_mutually_exclusive_group()
    mode.add_argument(
        "--incremental",
        action="store_true",
        help="all that the ledger does not hold (the default)",
    )
    mode.add_argument(
        "--since",
        type=_moment,
        metavar="TIME",
        help="only objects last modified then or later, such as 2025-11-01T00:00:00Z",
    )
    mode.add_argument("--object-key", metavar="KEY", help="only this object")
    mode.add_argument(
        "--local-file",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="this file, or this folder's files, instead of the bucket; repeatable",
    )
    elt.add_argument(
        "--dry-run", action="store_true", help="say what it would do and cost, and end"
    )
    elt.set_defaults(command=_elt)

    for name, command, text in (
        ("demo", _demo, "load sample data through real S3 and Postgres, and show it"),
        ("serve", _serve, "answer HTTP requests"),
        ("roles", _roles, "make the roles of the database, and logins that have them"),
        ("rebuild", _rebuild, "make the marts anew from staging, without S3"),
        ("audit", _audit, "compare the marts with a full rebuild beside them"),
        ("psql", _psql, "open a shell on the database"),
        ("stop", _stop, "end the sandbox's Postgres"),
        ("clean", _clean, "end the sandbox's Postgres and remove its data"),
    ):
        commands.add_parser(name, help=text).set_defaults(command=command)

    evidence = commands.add_parser(
        "evidence", help="show where every figure of a TWAP comes from"
    )
    evidence.add_argument("twap_id", metavar="TWAP_ID")
    evidence.set_defaults(command=_evidence)

    backup = commands.add_parser("backup", help="copy the database into a new folder")
    backup.add_argument("folder", type=Path, metavar="FOLDER")
    backup.set_defaults(command=_backup)

    restore = commands.add_parser(
        "restore", help="fill an empty database from a backup, and check every table"
    )
    restore.add_argument("folder", type=Path, metavar="FOLDER")
    restore.add_argument(
        "--replace", action="store_true", help="drop the warehouse that is there"
    )
    restore.set_defaults(command=_restore)

    docs = commands.add_parser("docs", help="show the documentation, with lineage")
    docs.add_argument("--port", type=_port, default=8080, help="on loopback; 8080")
    docs.set_defaults(command=_docs)

    dbt = commands.add_parser("dbt", help="run any dbt command on the database")
    dbt.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…")
    dbt.set_defaults(command=_dbt)
    return parser


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is no time; it looks like 2025-11-01T00:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _port(text: str) -> int:
    if text.isdecimal() and 0 < int(text) < 1 << 16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text} is no port; it looks like 8081")


# Each command imports what it needs when it runs: dbt alone takes two seconds.


def _elt(options: argparse.Namespace, settings: Settings) -> int:
    garbage.collect_rarely()
    from ingestion import Selection
    from warehouse.commands import summary
    from warehouse.commands.databases import database_url
    from warehouse.commands.elt import elt

    selection = Selection(
        since=options.since,
        object_key=options.object_key,
        local_files=tuple(options.local_file),
        dry_run=options.dry_run,
    )
    exit_status = elt(selection, settings, database_url(settings), dbt_beside=True)
    if summary.is_for_people():
        summary.print_next_steps(settings, was_dry=selection.dry_run)
    return exit_status


def _demo(_options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.demo import demo

    return demo(settings)


def _serve(_options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.serve import serve

    return serve(settings)


def _roles(_options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.roles import roles

    return roles(settings)


def _rebuild(_options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.rebuild import rebuild

    return rebuild(settings)


def _audit(_options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.audit import audit

    return audit(settings)


def _evidence(options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.evidence import evidence

    return evidence(settings, options.twap_id)


def _backup(options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.backup import backup

    return backup(settings, options.folder)


def _restore(options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.backup import restore

    return restore(settings, options.folder, replace=options.replace)


def _docs(options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.docs import docs

    return docs(settings, options.port)


def _dbt(options: argparse.Namespace, settings: Settings) -> int:
    from warehouse import dbt
    from warehouse.commands.databases import builders_url

    dbt.run(options.arguments or ["--help"], builders_url(settings))
    return 0


def _psql(_options: argparse.Namespace, settings: Settings) -> int:
    from warehouse.commands.psql import psql

    return psql(settings)


def _stop(_options: argparse.Namespace, _settings: Settings) -> int:
    from sandbox import postgres

    postgres.stop()
    return 0


def _clean(_options: argparse.Namespace, _settings: Settings) -> int:
    from sandbox import postgres

    postgres.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
