"""A loader, a builder and a reader: what each can do, and above all what it cannot."""

import os
import pwd
import re
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
import pytest

from ingestion.dlt_context import dlt_pipeline
from sandbox import postgres
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.conftest import drop_database, folders_of_dbt, new_database
from tests.marts.warehouse import Warehouse
from tests.warehouse.command import environment, run, running, serving
from tests.warehouse.test_elt_command import ROW
from tests.warehouse.tls import Front, tls_front
from warehouse import database, dbt
from warehouse.commands.roles import roles
from warehouse.errors import UserError
from warehouse.roles import BUILDER, LOADER, READER, as_role, logins, make_login
from warehouse.settings import Settings

CORE = "Gehe1mnis"
"""A part of each secret below that no way of writing it changes."""
PASSWORD = f"@/ {CORE} 'x'\\%ü?"
OWNERS = {"staging": LOADER, "intermediate": BUILDER, "marts": BUILDER}
OUR_ROLES = """
    select rolname from pg_roles
    where rolname in ('twap_loader', 'twap_builder', 'twap_reader')
"""
GRANTS = """
    select nspname, '' as relname, nspacl::text as acl from pg_namespace
    union all
    select relnamespace::regnamespace::text, relname, relacl::text from pg_class
    where relnamespace in ('staging'::regnamespace, 'marts'::regnamespace)
    union all
    select defaclnamespace::regnamespace::text, '', defaclacl::text from pg_default_acl
    union all
    select datname, '', datacl::text from pg_database
    union all
    select roleid::regrole::text, member::regrole::text, inherit_option::text
    from pg_auth_members
    order by 1, 2, 3
"""


class Limited(NamedTuple):
    """A database whose roles were made before its first run, by limited logins."""

    superuser: str
    env: dict[str, str]
    made: subprocess.CompletedProcess[str]
    """How `make roles` ended."""
    loaded: subprocess.CompletedProcess[str]
    """How `make elt` ended, which told all that it can."""


@pytest.fixture(scope="module")
def front(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("tls")
    port = database.connection_parameters(server.url)["port"]
    with tls_front(folder, int(port)) as front:
        yield front


@pytest.fixture(scope="module")
def limited(
    server: postgres.Server, front: Front, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Limited]:
    url = new_database(server)
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("create role admin login createrole password 'admin'")
        connection.execute(f"alter database {name} owner to admin".encode())
        # Those that other tests have made are not the administrator's own.
        for (role,) in connection.execute(OUR_ROLES).fetchall():
            connection.execute(f"grant {role} to admin with admin option".encode())
    _, place = url.split("@")
    address = f"localhost:{front.port}/{name}?{front.parameters}"
    with S3Server() as s3:
        s3.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
        env = environment(
            ADMIN_DATABASE_URL=f"postgresql://admin:admin@{place}",
            DATABASE_URL=f"postgresql://twap_etl:{quote(PASSWORD, safe='')}@{address}",
            API_DATABASE_URL=(
                f"postgresql://twap_api:{quote(PASSWORD, safe='')}@{address}"
            ),
            DLT_DATA_DIR=str(tmp_path_factory.mktemp("dlt")),
            LOG_LEVEL="DEBUG",
            **(s3.environment | {"AWS_SECRET_ACCESS_KEY": f"{CORE}Aws"}),
        )
        folders_of_dbt.add(dbt.folder(env["DATABASE_URL"]))
        made = run("roles", env=env)
        with psycopg.connect(url, autocommit=True) as connection:
            # As docs/operations.md has it.
            connection.execute(
                f"revoke connect, temporary on database {name} from public".encode()
            )
        loaded = run("elt", env=env)
        yield Limited(url, env, made, loaded)
    drop_database(server, url)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("drop role twap_etl, twap_api")
        connection.execute("drop role if exists twap_alone, only_builder")
        connection.execute("drop role admin")


def test_a_run_and_the_api_need_no_more_than_their_roles_and_keep_to_the_urls_tls(
    limited: Limited,
) -> None:
    assert limited.made.returncode == 0, limited.made.stderr
    assert limited.loaded.returncode == 0, limited.loaded.stderr
    with serving(limited.env) as api:
        answer = api.get("/api/v1/twaps?wallet=0xabc123&year=2025")
        assert [twap["twap_id"] for twap in answer.json()["twaps"]] == ["1"]
        file = api.get("/api/v1/exports/twaps?wallet=0xabc123&year=2025&format=csv")
        assert len(file.text.splitlines()) == 2
    with psycopg.connect(limited.superuser) as connection:
        owners = connection.execute(
            "select distinct relnamespace::regnamespace::text, relowner::regrole::text"
            " from pg_class where relnamespace::regnamespace::text = any(%s)",
            [list(OWNERS)],
        ).fetchall()
        indexes = connection.execute(
            "select from pg_indexes where tablename = 'twap_statuses'"
        )
    assert dict(owners) == OWNERS
    assert len(owners) == len(OWNERS)
    assert indexes.rowcount == 2


FORBIDDEN = {
    LOADER: [
        "select from marts.twap_status",
        "insert into marts.etl_builds (build_id) values ('x')",
        "drop table marts.twap_status",
        "select from intermediate.int_loads",
        "create table marts.mine ()",
        "create schema mine",
    ],
    BUILDER: [
        "insert into staging.s3_objects default values",
        "update staging.twap_statuses set state_sz = '1'",
        "delete from staging.s3_objects",
        "truncate staging.twap_statuses",
        "alter table staging.twap_statuses add column mine text",
        "drop table staging.runs",
        "drop index staging.twap_statuses_object",
        "create table staging.mine ()",
        "create role mine",
    ],
    READER: [
        "select from staging.twap_statuses",
        "select from intermediate.stg_twap_statuses",
        "insert into marts.twap_withdrawn (twap_id) values ('1')",
        "update marts.twap_status set size_executed = 0",
        "delete from marts.twap_latest",
        "truncate marts.twap_daily",
        "alter table marts.twap_status disable trigger all",
        "drop view marts.etl_runs",
        "create table marts.mine ()",
        "create schema mine",
    ],
    "": [
        "select from marts.twap_status",
        "select from staging.runs",
        "create schema mine",
    ],
}


@pytest.mark.parametrize(
    ("role", "attempt"),
    [(role, attempt) for role, attempts in FORBIDDEN.items() for attempt in attempts],
)
def test_a_role_cannot(limited: Limited, role: str, attempt: str) -> None:
    own = limited.env["DATABASE_URL"]
    url = as_role(limited.superuser, role) if role else own
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(attempt.encode())


def test_the_reader_can_read_every_mart(limited: Limited) -> None:
    with psycopg.connect(as_role(limited.superuser, READER)) as connection:
        marts = connection.execute(
            "select relname from pg_class where relkind in ('r', 'v')"
            " and relnamespace = 'marts'::regnamespace"
        ).fetchall()
        assert len(marts) == 11
        for (mart,) in marts:
            connection.execute(f"select * from marts.{mart}".encode())


@pytest.mark.parametrize(
    ("setting", "role"),
    [("DATABASE_URL", READER), ("API_DATABASE_URL", LOADER)],
)
def test_a_login_cannot_take_on_a_role_that_it_was_not_given(
    limited: Limited, setting: str, role: str
) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(as_role(limited.env[setting], role))


def test_roles_made_again_are_the_same_and_a_new_password_is_the_one(
    limited: Limited,
) -> None:
    with psycopg.connect(limited.superuser) as connection:
        before = connection.execute(GRANTS).fetchall()
    old = limited.env["API_DATABASE_URL"]
    new = old.replace(CORE, "neu")
    for url in (new, old):
        settings = settings_of(limited.env | {"API_DATABASE_URL": url})
        assert roles(settings) == 0
        psycopg.connect(url).close()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(new)
    with psycopg.connect(limited.superuser) as connection:
        assert connection.execute(GRANTS).fetchall() == before


def test_without_a_login_of_its_own_the_api_reads_by_that_of_the_runs(
    limited: Limited,
) -> None:
    url = limited.env["DATABASE_URL"].replace("twap_etl", "twap_alone")
    env = limited.env | {"DATABASE_URL": url, "API_DATABASE_URL": ""}
    assert roles(settings_of(env)) == 0
    for role in (LOADER, BUILDER, READER):
        psycopg.connect(as_role(url, role)).close()


def settings_of(env: dict[str, str]) -> Settings:
    names = ("ADMIN_DATABASE_URL", "DATABASE_URL", "API_DATABASE_URL")
    return Settings.model_validate({name.lower(): env[name] or None for name in names})


def test_what_is_there_already_is_handed_over(
    server: postgres.Server, sample_marts: Warehouse
) -> None:
    url = new_database(server, template=sample_marts.url)
    assert logins(url) == (url, url)
    assert roles(Settings(database_url=url)) == 0
    with psycopg.connect(url) as connection:
        others = connection.execute(
            "select oid::regclass from pg_class where relkind in ('r', 'v')"
            " and relnamespace::regnamespace::text in ('staging', 'marts')"
            " and relowner::regrole::text not in ('twap_loader', 'twap_builder')"
        ).fetchall()
    assert others == []
    loading, building = logins(url)
    with psycopg.connect(building) as connection:
        assert connection.execute("delete from marts.twap_status").rowcount > 0
        assert connection.execute("select from staging.s3_objects").rowcount > 0
    with psycopg.connect(loading) as connection:
        assert connection.execute("delete from staging.s3_objects").rowcount > 0
    drop_database(server, url)


@pytest.mark.soak
def test_a_login_that_is_only_a_builder_can_rebuild_and_audit(
    limited: Limited,
) -> None:
    with psycopg.connect(limited.superuser, autocommit=True) as connection:
        connection.execute("create role only_builder login password 'b'")
        connection.execute(
            "grant twap_builder to only_builder with inherit false, set true"
        )
        database_name = connection.info.dbname
        connection.execute(
            f"grant connect on database {database_name} to only_builder".encode()
        )
        connection.execute("drop index staging.twap_statuses_object")
    _, place = limited.superuser.split("@")
    url = f"postgresql://only_builder:b@{place}"
    folders_of_dbt.add(dbt.folder(url))
    for command in ("rebuild", "audit"):
        ended = run(command, env=environment(DATABASE_URL=url))
        assert ended.returncode == 0, ended.stderr
    refused = run("elt", env=limited.env | {"DATABASE_URL": url})
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr
    # One that is the loader, too, makes the index again.
    assert run("rebuild", env=limited.env).returncode == 0


@pytest.mark.parametrize(
    ("setting", "wrong", "said"),
    [
        ("DATABASE_URL", "postgresql://admin@h/{name}", "login admin"),
        ("API_DATABASE_URL", "postgresql://postgres@h/{name}", "login postgres"),
        ("DATABASE_URL", "postgresql://h/{name}", "(none)"),
        ("DATABASE_URL", "postgresql://someone@h/elsewhere", "another database"),
    ],
)
def test_a_login_that_should_not_be_made_undoes_everything(
    limited: Limited, setting: str, wrong: str, said: str
) -> None:
    name = limited.superuser.rsplit("/", 1)[1]
    with psycopg.connect(limited.superuser) as connection:
        before = connection.execute(GRANTS).fetchall()
    settings = settings_of(limited.env | {setting: wrong.format(name=name)})
    with pytest.raises(UserError, match=re.escape(said)):
        roles(settings)
    with psycopg.connect(limited.superuser) as connection:
        assert connection.execute(GRANTS).fetchall() == before


def test_no_line_or_file_of_a_run_has_a_secret(limited: Limited) -> None:
    ended = (limited.made, limited.loaded)
    said = "".join(each.stdout + each.stderr for each in ended)
    assert "listed" in said
    assert CORE not in said
    written = [
        path
        for folder in (
            Path(limited.env["DLT_DATA_DIR"]),
            dbt.folder(limited.env["DATABASE_URL"]),
        )
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert any(path.name == "dbt.log" for path in written)
    for path in written:
        assert CORE.encode() not in path.read_bytes(), path


def by_dlt(url: str, folder: Path) -> None:
    with dlt_pipeline(url, folder) as pipeline:
        pipeline.sync_destination()


def by_dbt(url: str, _folder: Path) -> None:
    dbt.run(["run", "--select", "stg_loads", "etl_runs"], url)


def by_us(url: str, _folder: Path) -> None:
    database.connect(url).close()


def by_the_api(url: str, _folder: Path) -> None:
    env = environment(
        DATABASE_URL=url, API_PORT="0", LOG_LEVEL="DEBUG", API_KEYS=f"{CORE}-a-long-key"
    )
    with running("serve", env=env) as process:
        assert process.stderr
        line = ""
        while "failed" not in line:
            line = process.stderr.readline()
            print(line)
    raise ConnectionError(line)


@pytest.mark.parametrize("connect", [by_dlt, by_dbt, by_us])
@pytest.mark.parametrize("is_in_url", [True, False])
def test_a_password_may_lie_in_a_file_that_the_url_or_libpq_s_variable_names(
    limited: Limited,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connect: Callable[[str, Path], None],
    is_in_url: bool,
) -> None:
    escaped = PASSWORD.replace("\\", "\\\\")
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_text(f"*:*:*:twap_etl:{escaped}\n")
    url = limited.env["DATABASE_URL"].replace(f":{quote(PASSWORD, safe='')}@", "@")
    assert CORE not in url
    if is_in_url:
        url = f"{url}&passfile={file}"
    else:
        monkeypatch.setenv("PGPASSFILE", str(file))
    connect(logins(url).building, tmp_path / "dlt")


@pytest.mark.parametrize("connect", [by_dlt, by_dbt, by_us])
def test_what_the_url_leaves_out_the_environment_says_to_all_that_connect(
    limited: Limited,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connect: Callable[[str, Path], None],
) -> None:
    said = database.libpq_environment(limited.env["DATABASE_URL"])
    assert {"PGHOST", "PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT"} <= said.keys()
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    connect(logins("postgresql://").building, tmp_path / "dlt")
    # What a build was told is not what the next one finds.
    assert dict(os.environ) == before


@pytest.mark.parametrize("connect", [by_dlt, by_us])
def test_a_url_without_a_host_is_the_same_local_socket_to_all_that_connect(
    limited: Limited,
    server: postgres.Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    connect: Callable[[str, Path], None],
) -> None:
    name = limited.superuser.rsplit("/", 1)[1]
    parts = database.url_parameters(server.socket_url)
    monkeypatch.setattr(database, "SOCKETS", parts["host"])
    url = f"postgresql://{parts['user']}:{parts['password']}@:{parts['port']}/{name}"
    connect(logins(url).building, tmp_path / "dlt")
    # What dbt is told; it has no other way to know.
    assert database.libpq_environment(url)["PGHOST"] == parts["host"]


def test_a_login_is_the_systems_where_neither_url_nor_environment_name_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PGUSER", raising=False)
    found = database.libpq_environment("postgresql:///warehouse")
    assert found["PGUSER"] == pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setenv("PGUSER", "twap_etl")
    found = database.libpq_environment("postgresql:///warehouse")
    assert found["PGUSER"] == "twap_etl"


def test_the_password_of_the_environment_becomes_that_of_no_login(
    limited: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "the administrator's")
    name = limited.superuser.rsplit("/", 1)[1]
    with psycopg.connect(limited.superuser) as connection:
        make_login(connection, f"postgresql://without@h/{name}", (READER,))
        found = connection.execute(
            "select rolpassword from pg_authid where rolname = 'without'"
        )
        assert found.fetchone() == (None,)
        connection.rollback()


@pytest.mark.parametrize("connect", [by_dlt, by_dbt, by_us, by_the_api])
@pytest.mark.parametrize("fault", ["the password", "the authority"])
def test_no_failure_tells_a_secret_and_a_foreign_authority_is_one(
    limited: Limited,
    front: Front,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    connect: Callable[[str, Path], None],
    fault: str,
) -> None:
    url = limited.env["DATABASE_URL"]
    if fault == "the password":
        url, said = url.replace(CORE, f"{CORE}2"), "authentication failed"
    else:
        url = url.replace(str(front.authority), str(front.certificate))
        said = "certificate verify failed"
    with pytest.raises(Exception, match=said) as failure:
        connect(url, tmp_path)
    told = [*capfd.readouterr(), *traceback.format_exception(failure.value)]
    assert CORE not in "".join(told)


def test_a_login_that_may_not_make_roles_is_told_which_one_may(
    database_url: str,
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create role of_nobody login password 'x'")
    place = database_url.split("@")[1]
    with pytest.raises(UserError, match="Let ADMIN_DATABASE_URL name"):
        roles(Settings(database_url=f"postgresql://of_nobody:x@{place}"))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop role of_nobody")
