"""A backup brings all back, says so only if that is true, and harms nothing."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import postgres
from sandbox.binaries import major_version
from tests.conftest import drop_database, new_database
from tests.releases import first_release
from warehouse import PROJECT_ROOT
from warehouse.commands.backup import backup, restore
from warehouse.commands.programs import program
from warehouse.database import connect, libpq_environment, run_lock
from warehouse.errors import UserError
from warehouse.roles import BUILDER, LOADER, READER, make_login, make_roles
from warehouse.settings import Settings


def settings(url: str) -> Settings:
    return Settings(database_url=url)


def execute(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())


@pytest.fixture(scope="module")
def source(server: postgres.Server) -> Iterator[str]:
    """A database with a small warehouse, for tests that only copy it."""
    url = new_database(server)
    execute(url, first_release().database.decode())
    yield url
    drop_database(server, url)


@pytest.fixture(scope="module")
def copied(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it, for tests that only read it."""
    folder = tmp_path_factory.mktemp("backups") / "monday"
    assert backup(settings(source), folder) == 0
    return folder


def test_restore_says_how_much_it_has_compared(
    copied: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(settings(database_url), copied) == 0
    manifest = json.loads((copied / "manifest.json").read_text())
    rows = sum(table["rows"] for table in manifest["tables"].values())
    assert f"{rows:,} rows of {len(manifest['tables'])}" in capsys.readouterr().out
    assert {"marts.twap_digest", "marts.etl_s3_ingest_log", "staging.s3_objects"} <= (
        manifest["tables"].keys()
    )


def test_a_restored_warehouse_can_be_read_by_the_api_s_role(
    copied: Path, database_url: str
) -> None:
    restore(settings(database_url), copied)
    execute(database_url, "set role twap_reader; select from marts.twap_latest")


def test_a_login_with_roles_copies_and_the_owner_restores(
    source: str, server: postgres.Server, tmp_path: Path
) -> None:
    owner = new_database(server, template=source)
    login = re.sub("//.*@", "//copier:of_the_warehouse@", owner)

    def roles() -> None:
        with connect(owner, autocommit=False) as connection:
            make_roles(connection)
            make_login(connection, login, (LOADER, BUILDER, READER))

    roles()
    backup(settings(login), tmp_path / "monday")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="must be owner"):
        restore(settings(login), tmp_path / "monday", replace=True)
    restore(settings(owner), tmp_path / "monday", replace=True)
    roles()
    execute(login, "set role twap_loader; select from staging.runs")
    execute(login, "set role twap_reader; select from marts.twap_latest")
    execute(owner, "drop owned by copier; drop role copier")
    drop_database(server, owner)


def test_a_database_with_a_warehouse_is_kept_unless_told_otherwise(
    copied: Path, database_url: str
) -> None:
    restore(settings(database_url), copied)
    execute(database_url, "delete from marts.twap_latest")
    with pytest.raises(UserError, match="There is a warehouse in test_"):
        restore(settings(database_url), copied)
    restore(settings(database_url), copied, replace=True)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            "update marts.twap_latest set asset = 'x'",
            "marts.twap_latest has other digest",
        ),
        ("delete from staging.runs", "staging.runs has other rows"),
        ("drop index marts.idx_twap_status_twap_id", "twap_status has other indexes"),
        ("drop table marts.twap_withdrawn", "marts.twap_withdrawn is missing"),
    ],
)
def test_a_copy_that_is_not_what_was_copied_is_told(
    source: str,
    copied: Path,
    server: postgres.Server,
    tmp_path: Path,
    harm: str,
    said: str,
) -> None:
    url = new_database(server, template=source)
    execute(url, harm)
    backup(settings(url), tmp_path / "harmed")
    # What is harmed is dumped, beside what was whole.
    shutil.copy(copied / "manifest.json", tmp_path / "harmed")
    with pytest.raises(UserError, match=said):
        restore(settings(url), tmp_path / "harmed", replace=True)
    drop_database(server, url)


def test_what_is_no_whole_backup_drops_nothing(
    source: str, copied: Path, server: postgres.Server, tmp_path: Path
) -> None:
    url = new_database(server, template=source)
    shutil.copytree(copied, tmp_path / "half")
    (tmp_path / "half" / "dump" / "toc.dat").unlink()
    with pytest.raises(UserError, match=r"cannot be read: .*toc"):
        restore(settings(url), tmp_path / "half", replace=True)
    (tmp_path / "half" / "manifest.json").unlink()
    with pytest.raises(UserError, match="is no whole backup"):
        restore(settings(url), tmp_path / "half", replace=True)
    execute(url, "select from marts.twap_latest")
    drop_database(server, url)


def test_the_copy_of_a_container_s_database_comes_back_with_its_owners(
    source: str, server: postgres.Server, tmp_path: Path
) -> None:
    url = new_database(server, template=source)
    with connect(url, autocommit=False) as connection:
        make_roles(connection)
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text().replace("\\\n", "")
    said = re.findall(r"^\$ docker compose exec -T db (.*?)(?: [<>]|$)", text, re.M)
    dump, fill = (
        shlex.split(each.replace("warehouse", url.rsplit("/", 1)[1])) for each in said
    )
    env = libpq_environment(url) | {"LC_ALL": "C"}

    def output(command: list[str], copy: bytes = b"") -> bytes:
        path = program(command[0], major_version())
        return subprocess.run(
            [path, *command[1:]],
            env=env,
            input=copy,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    copy = output(dump)
    execute(url, "drop table marts.twap_latest; delete from staging.s3_objects")
    output(fill, copy)
    execute(url, "set role twap_loader; select 1 / count(*) from staging.s3_objects")
    execute(url, "set role twap_reader; select from marts.twap_latest")
    drop_database(server, url)


def test_what_a_restore_left_that_broke_off_is_neither_built_on_nor_read(
    copied: Path, database_url: str, tmp_path: Path
) -> None:
    shutil.copytree(copied, tmp_path / "half")
    for data in (tmp_path / "half" / "dump").glob("[0-9]*.dat*"):
        data.write_bytes(data.read_bytes()[:20])
    restore(settings(database_url), copied)
    with pytest.raises(UserError, match="pg_restore could not fill"):
        restore(settings(database_url), tmp_path / "half", replace=True)
    with (
        pytest.raises(UserError, match="A restore did not come to its end"),
        run_lock(database_url),
    ):
        pass
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(database_url, "set role twap_reader; select from marts.twap_latest")
    restore(settings(database_url), copied, replace=True)
    with run_lock(database_url):
        execute(database_url, "set role twap_reader; select from marts.twap_latest")


def test_a_backup_never_writes_into_what_is_there(source: str, tmp_path: Path) -> None:
    without_to = Path()
    for folder in (tmp_path, without_to):
        with pytest.raises(UserError, match="exists already"):
            backup(settings(source), folder)


def test_nothing_is_no_backup(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no warehouse in test_"):
        backup(settings(database_url), tmp_path / "monday")
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_can_read_a_backup(copied: Path) -> None:
    assert copied.stat().st_mode & 0o077 == 0


def test_a_dump_that_breaks_off_is_no_backup_and_its_command_line_has_no_password(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "pg_dump"
    script.write_text(
        f"""#!/bin/sh
        test "$1" = --version && echo 'pg_dump (PostgreSQL) {major_version()}' && exit
        echo "$@" >'{tmp_path}/arguments'
        echo "$PGPASSWORD" >'{tmp_path}/password'
        echo 'pg_dump: error: No space left on device' >&2
        exit 1
        """
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match=r"pg_dump could not copy.*No space left"):
        backup(settings(source), tmp_path / "monday")
    assert not (tmp_path / "monday").exists()
    password = (tmp_path / "password").read_text().strip()
    assert password in source
    assert password not in (tmp_path / "arguments").read_text()


def test_no_program_is_older_than_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "pg_dump"
    script.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.9 (Debian)'\n")
    script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        assert program("pg_dump", 14) == script
        assert program("pg_dump", 16) != script
        with pytest.raises(UserError, match="No pg_dump of PostgreSQL 99 or newer"):
            program("pg_dump", 99)
