"""The embedded Postgres works wherever its folder lies, and whatever became of it."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psycopg
import psycopg2
import pytest

from sandbox import binaries, postgres
from tests.waiting import wait_until
from warehouse.errors import UserError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes the rights of others")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a home" / "postgres"
    yield folder
    postgres.remove(folder)


def scalar(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_url_works_with_psycopg_and_psycopg2_and_adbc_and_psql(
    server: postgres.Server,
) -> None:
    assert scalar(server.url, "select 1") == 1
    with psycopg2.connect(server.url) as legacy, legacy.cursor() as cursor:
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)
    legacy.close()
    with (
        adbc_driver_postgresql.dbapi.connect(server.url) as arrow,
        arrow.cursor() as cursor,
    ):
        cursor.execute("select 1::int8")
        assert cursor.fetchone() == (1,)
    psql = [binaries.binary("psql"), server.url, "-XAtc", "select 1"]
    assert subprocess.check_output(psql, text=True) == "1\n"


def test_socket_url_works_and_its_folder_is_closed_to_others(
    server: postgres.Server,
) -> None:
    assert scalar(server.socket_url, "select 1") == 1
    sockets = Path(str(scalar(server.url, "show unix_socket_directories")))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700


def test_server_is_in_utc_with_one_order_of_text_everywhere(
    server: postgres.Server,
) -> None:
    number = str(scalar(server.url, "show server_version_num"))
    assert int(number) // 10000 == binaries.major_version()
    assert scalar(server.url, "show timezone") == "UTC"
    assert scalar(server.url, "show server_encoding") == "UTF8"
    assert scalar(server.url, "select 'Z' < 'a' and 'z' < 'ä'") is True
    assert scalar(server.url, "select lower('Ä')") == "ä"


def test_wrong_password_is_refused(server: postgres.Server) -> None:
    user, _, place = server.url.partition("@")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{user}x@{place}")


def test_second_start_returns_the_running_server(folder: Path) -> None:
    first = postgres.start(folder, durable=False)
    assert postgres.start(folder) == first


def test_data_and_url_are_the_same_after_stop_and_start(folder: Path) -> None:
    first = postgres.start(folder, durable=False)
    execute(first.url, "create table kept as select 7 as n")
    postgres.stop(folder)
    assert postgres.status(folder) is None
    second = postgres.start(folder, durable=False)
    assert scalar(second.url, "select n from kept") == 7
    assert second.url == first.url


def test_stop_without_a_server_does_nothing(folder: Path) -> None:
    postgres.stop(folder)
    assert not folder.exists()


def test_remove_leaves_what_it_did_not_make(folder: Path) -> None:
    postgres.start(folder, durable=False)
    (folder / "notes.txt").write_text("mine")
    postgres.remove(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("durable", [True, False])
def test_server_starts_again_after_kill_9_and_keeps_what_was_committed(
    folder: Path, durable: bool
) -> None:
    killed = postgres.start(folder, durable=durable)
    execute(killed.url, "create table kept as select 7 as n")
    os.kill(killed.pid, signal.SIGKILL)
    again = postgres.start(folder, durable=durable)
    assert again.pid != killed.pid
    assert scalar(again.url, "select n from kept") == 7


def test_server_starts_again_after_kill_9_under_a_busy_query(folder: Path) -> None:
    killed = postgres.start(folder, durable=False)

    def work() -> None:
        with pytest.raises(psycopg.OperationalError):
            scalar(killed.url, "select count(*) from generate_series(1, 10000000000)")

    busy = threading.Thread(target=work)
    busy.start()
    working = (
        "select count(*) from pg_stat_activity "
        "where query like '%series(1,%' and pid <> pg_backend_pid()"
    )
    wait_until(lambda: scalar(killed.url, working))
    os.kill(killed.pid, signal.SIGKILL)
    assert scalar(postgres.start(folder, durable=False).url, "select 1") == 1
    busy.join(timeout=30)
    assert not busy.is_alive()


@pytest.mark.parametrize("whose", ["another program's", "another postgres'"])
def test_stale_pid_of_another_process_is_not_trusted(
    folder: Path, server: postgres.Server, whose: str
) -> None:
    killed = postgres.start(folder, durable=False)
    pid_file = killed.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    postgres.stop(folder)
    other = os.getpid() if whose == "another program's" else server.pid
    pid_file.write_text("".join([f"{other}\n", *lines[1:]]))
    assert postgres.status(folder) is None
    again = postgres.start(folder, durable=False)
    assert again.pid != other
    assert scalar(again.url, "select 1") == 1
    assert scalar(server.url, "select 1") == 1


def test_garbled_pid_file_is_not_trusted(folder: Path) -> None:
    stopped = postgres.start(folder, durable=False)
    postgres.stop(folder)
    (stopped.data / "postmaster.pid").write_text("")
    assert scalar(postgres.start(folder, durable=False).url, "select 1") == 1


def test_starts_at_once_give_one_server(folder: Path) -> None:
    code = (
        "import sys, pathlib; from sandbox import postgres; "
        "print(postgres.start(pathlib.Path(sys.argv[1]), durable=False))"
    )

    def start(_: int) -> str:
        command = [sys.executable, "-c", code, str(folder)]
        return subprocess.check_output(
            command, cwd=Path(__file__).parents[2], text=True
        )

    with ThreadPoolExecutor(4) as pool:
        servers = set(pool.map(start, range(4)))
    assert len(servers) == 1


def test_servers_of_two_folders_do_not_clash(
    folder: Path, server: postgres.Server
) -> None:
    other = postgres.start(folder, durable=False)
    assert other.port != server.port
    assert other.data != server.data


def test_taken_port_is_left_for_another(folder: Path, server: postgres.Server) -> None:
    postgres.start(folder, durable=False)
    postgres.stop(folder)
    (folder / "port").write_text(str(server.port))
    assert postgres.start(folder, durable=False).port != server.port


def test_port_taken_at_the_last_moment_is_left_for_another(
    folder: Path, server: postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = postgres._free_port
    ports = iter([server.port])
    monkeypatch.setattr(
        postgres, "_free_port", lambda place: next(ports, None) or honest(place)
    )
    assert postgres.start(folder, durable=False).port != server.port


def test_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/postgres cannot be made.*DATABASE_URL"):
        postgres.start(tmp_path / "file" / "postgres")


def test_libpq_variables_of_the_caller_do_not_matter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGHOSTADDR": "127.0.0.2",
        "PGSSLMODE": "require",
        "PGOPTIONS": "-c no_such=1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server = postgres.start(folder, durable=False)
    for name in variables:
        monkeypatch.delenv(name)
    assert scalar(server.url, "select 1") == 1


def test_folder_made_again_does_not_show_old_data(folder: Path) -> None:
    old = postgres.start(folder, durable=False)
    execute(old.url, "create table old as select 1")
    os.kill(old.pid, signal.SIGKILL)
    shutil.rmtree(folder)
    new = postgres.start(folder, durable=False)
    assert scalar(new.url, "select to_regclass('old')") is None


def test_server_that_cannot_start_says_why(folder: Path) -> None:
    stopped = postgres.start(folder, durable=False)
    postgres.stop(folder)
    (stopped.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(UserError, match=r"version 9.*make clean"):
        postgres.start(folder)


def test_another_postgres_is_used_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "postgres"
    other.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.4 (Debian 16.4-1)'\n")
    other.chmod(0o755)
    monkeypatch.setenv("SANDBOX_POSTGRES", str(tmp_path))
    assert binaries.runner().programs == tmp_path
    assert binaries.major_version() == 16


def test_unknown_program_is_named() -> None:
    with pytest.raises(UserError, match="no_such_program"):
        binaries.binary("no_such_program")


@needs_root
def test_home_of_mode_700_of_root_works_and_stays_closed(tmp_path: Path) -> None:
    home = tmp_path / "root's home"
    home.mkdir(mode=0o700)
    try:
        assert scalar(postgres.start(home / "pg", durable=False).url, "select 1") == 1
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert home.stat().st_uid == 0
    finally:
        postgres.remove(home / "pg")
    assert not list(home.iterdir())


def as_nobody(work: Callable[[], None]) -> int:
    """Run the work in a child process of the user nobody, and return its exit code."""
    nobody = binaries.runner()
    assert nobody.user is not None
    assert nobody.group is not None
    child = os.fork()
    if child == 0:
        exit_code = 1
        try:
            os.setgroups([])
            os.setgid(nobody.group)
            os.setuid(nobody.user)
            work()
            exit_code = 0
        finally:
            if exit_code:
                traceback.print_exc()
            os._exit(exit_code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@needs_root
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_home_of_mode_700_of_another_user_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where nobody may read the venv, the copies that root made for it are as good.
    programs = binaries.runner().programs
    monkeypatch.setattr(binaries, "installation", lambda: programs.parents[1])
    home = Path("/var/tmp") / f"twap sandbox test {os.getpid()}"  # noqa: S108  # pytest's own folders are closed to nobody
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")

    def work() -> None:
        folder = home / "postgres"
        server = postgres.start(folder, durable=False)
        assert server.data == folder / "data"
        assert scalar(server.url, "select 1") == 1
        os.kill(server.pid, signal.SIGKILL)
        again = postgres.start(folder, durable=False)
        assert scalar(again.socket_url, "select 1") == 1
        postgres.remove(folder)
        assert not folder.exists()
        (home / "of another").mkdir()
        (home / "of another" / "lock").touch(mode=0)
        with pytest.raises(UserError, match="another user's"):
            postgres.start(home / "of another")

    try:
        assert as_nobody(work) == 0
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(home)


@needs_root
def test_folder_for_root_that_another_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    shutil.chown(foreign, "nobody")
    monkeypatch.setattr(binaries, "SHARED_DIR", foreign)
    with pytest.raises(UserError, match="only root can write to"):
        postgres.start(tmp_path / "pg")
