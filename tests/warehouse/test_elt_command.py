"""What `python -m warehouse elt` says and how it ends, above all when it fails."""

import json
import re
from pathlib import Path

import psycopg
import pytest

from ingestion import Selection
from sandbox import postgres, sample
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.test_troubleshooting import is_explained
from tests.warehouse.command import environment, run, running
from warehouse import dbt
from warehouse.commands.elt import SAMPLE_PREFIX, elt
from warehouse.database import run_lock
from warehouse.settings import Settings

ROW = {
    "twap_id": 1,
    "time": 1764867622417,
    "state_coin": "BTC",
    "state_user": "0xabc123",
    "state_side": "B",
    "state_sz": "1.0",
    "state_executedSz": "0.0",
    "state_executedNtl": "0.0",
    "state_minutes": 5,
    "state_timestamp": 1764867622417,
    "status": "activated",
}


@pytest.fixture
def bucket():
    with S3Server() as s3:
        yield s3


@pytest.fixture
def env(bucket: S3Server, database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment(
        DATABASE_URL=database_url,
        DLT_DATA_DIR=str(tmp_path / "dlt"),
        **bucket.environment,
    )


def load(env: dict[str, str]) -> None:
    """Fill the warehouse by a run here, which a test of a later run begins with."""
    settings = Settings(
        aws_endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_s3_prefix=env.get("AWS_S3_PREFIX", "raw/twap_statuses/"),
        dlt_data_dir=env["DLT_DATA_DIR"],
    )
    assert elt(Selection(), settings, env["DATABASE_URL"]) == 0


def has_rows(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        try:
            rows = connection.execute("select from staging.twap_statuses limit 1")
        except psycopg.errors.UndefinedTable:
            return False
        return rows.rowcount > 0


@pytest.mark.parametrize(
    ("wrong", "arguments", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, (), "credentials"),
        ({"AWS_S3_BUCKET": "no-such-bucket"}, (), "no-such-bucket"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, (), "127.0.0.1:9"),
        ({"DATABASE_URL": "postgresql://u:secret@127.0.0.1:9/d"}, (), "127.0.0.1:9"),
        ({"DATABASE_URL": "mysql://u:secret@host/d"}, (), "not a Postgres URL"),
        ({"LOG_LEVEL": "LOUD"}, (), "LOG_LEVEL"),
        ({}, ("--local-file", "/no/such/file.parquet"), "/no/such/file.parquet"),
        ({}, ("--object-key", "raw/twap_statuses/none"), "raw/twap_statuses/none"),
        ({"ELT_MAX_COST_USD": "0"}, (), "ELT_MAX_COST_USD"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict | tuple) else None,
)
def test_a_mistake_is_one_line_that_is_explained_and_exit_1_and_loads_nothing(
    wrong: dict[str, str],
    arguments: tuple[str, ...],
    said: str,
    env: dict[str, str],
    bucket: S3Server,
    database_url: str,
) -> None:
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    ended = run("elt", *arguments, env=env | wrong)
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert ended.returncode == 1
    assert len(errors) == 1
    assert said in errors[0]
    assert is_explained(errors[0])
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stdout + ended.stderr
    assert not has_rows(database_url)


def test_objects_that_fail_are_named_and_exit_3(
    env: dict[str, str], bucket: S3Server, database_url: str
) -> None:
    bucket.put("raw/twap_statuses/good.parquet", write_rows([ROW]))
    bucket.put("raw/twap_statuses/bad-日本.parquet", b"PAR1 but no more")
    ended = run("elt", env=env | {"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 3
    assert r"failed: raw/twap_statuses/bad-\u65e5\u672c.parquet: " in ended.stdout
    assert has_rows(database_url)


def test_a_second_run_with_nothing_new_starts_no_dbt_and_leaves_a_row(
    env: dict[str, str], bucket: S3Server, database_url: str
) -> None:
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    load(env)
    assert run("elt", env=env).returncode == 0
    with psycopg.connect(database_url) as connection:
        runs = connection.execute(
            "select mode, exit_status, objects_listed, objects_new, objects_loaded,"
            " rows_loaded, finished_at is not null"
            " from marts.etl_runs order by started_at"
        ).fetchall()
        builds = connection.execute("select from marts.etl_builds").rowcount
    assert runs == [
        ("incremental", 0, 1, 1, 1, 1, True),
        ("incremental", 0, 1, 0, 0, 0, True),
    ]
    assert builds == 1


def test_a_run_beside_another_says_so_and_exits_75(
    env: dict[str, str], database_url: str
) -> None:
    with run_lock(database_url):
        ended = run("elt", env=env)
    assert ended.returncode == 75
    assert "Another run" in ended.stderr


def test_two_databases_are_filled_at_once_from_one_checkout(
    env: dict[str, str],
    bucket: S3Server,
    database_url: str,
    server: postgres.Server,
    tmp_path: Path,
) -> None:
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    other = new_database(server)
    other_env = {"DATABASE_URL": other, "DLT_DATA_DIR": str(tmp_path / "other")}
    with running("elt", env=env | other_env) as process:
        ended = run("elt", env=env)
        _, said = process.communicate(timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert process.returncode == 0, said
    for url in (database_url, other):
        manifest = (dbt.folder(url) / "target" / "manifest.json").read_text()
        nodes = json.loads(manifest)["nodes"].values()
        assert {node["database"] for node in nodes} == {url.rsplit("/", 1)[1]}


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    env: dict[str, str], bucket: S3Server, database_url: str
) -> None:
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    ended = run("elt", "--dry-run", env=env)
    assert ended.returncode == 0
    assert "1 objects" in ended.stderr
    assert "USD" in ended.stderr
    with psycopg.connect(database_url) as connection:
        schemas = connection.execute(
            "select from pg_namespace where nspname in ('staging', 'marts')"
        )
        assert schemas.rowcount == 0


def test_an_empty_bucket_gives_empty_marts(
    env: dict[str, str], database_url: str
) -> None:
    assert run("elt", env=env).returncode == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select from marts.twap_status").rowcount == 0
        assert connection.execute("select from marts.etl_builds").rowcount == 1


@pytest.mark.parametrize("comes_first", ["the demo's", "your own"])
def test_real_data_is_not_mixed_with_the_demos(
    env: dict[str, str], bucket: S3Server, comes_first: str
) -> None:
    one = next(sample.generate(days=1, twaps_per_day=24, prefix=SAMPLE_PREFIX))
    bucket.put(one.key, one.body)
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    first, second = {"AWS_S3_PREFIX": SAMPLE_PREFIX}, dict[str, str]()
    if comes_first == "your own":
        first, second = second, first
    load(env | first)
    ended = run("elt", env=env | second)
    assert ended.returncode == 1
    assert re.search(f"This database holds (data of )?{comes_first}", ended.stderr)


def test_a_new_project_version_makes_the_marts_anew(
    env: dict[str, str], bucket: S3Server, database_url: str
) -> None:
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    load(env)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update marts.etl_builds set project_version = '0.0.1'")
        connection.execute("delete from marts.twap_status")
        assert run("elt", env=env).returncode == 0
        assert connection.execute("select from marts.twap_status").rowcount == 1


def test_a_build_that_fails_leaves_what_landed_in_the_record_of_the_run(
    env: dict[str, str], bucket: S3Server, database_url: str
) -> None:
    load(env)
    bucket.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table marts.twap_status add check (asset <> 'BTC')")
        assert run("elt", env=env).returncode == 1
        newest = connection.execute(
            "select exit_status, objects_loaded, rows_loaded from marts.etl_runs"
            " order by started_at desc limit 1"
        ).fetchone()
    assert newest == (1, 1, 1)
