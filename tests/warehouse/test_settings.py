"""Where settings come from, and which of two wins."""

import os
from pathlib import Path

import pytest

from tests.test_troubleshooting import is_explained
from warehouse import dbt
from warehouse.__main__ import main
from warehouse.commands.demo import demo
from warehouse.commands.roles import roles
from warehouse.commands.serve import serve
from warehouse.database import where
from warehouse.errors import UserError
from warehouse.settings import Settings, load_settings


def test_a_setting_may_lie_in_a_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api_keys").write_text("one-of-sixteen-characters\n")
    (tmp_path / "aws_s3_bucket").write_text("of-the-file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("AWS_S3_BUCKET", "of-the-environment")
    monkeypatch.delenv("API_KEYS", raising=False)
    settings = load_settings()
    assert settings.api_keys == "one-of-sixteen-characters"
    assert settings.aws_s3_bucket == "of-the-environment"
    assert "sixteen" not in repr(settings)


def test_no_folder_of_secrets_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/nonexistent")
    assert load_settings().api_port == 8000


def test_a_file_of_a_setting_that_cannot_be_read_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "database_url").write_bytes(b"\xff")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(UserError, match=r'cannot be read: .*"database_url"'):
        load_settings()


def test_a_working_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(dbt, "DBT_DIR", tmp_path / "file" / "dbt")
    monkeypatch.setattr(os, "environ", os.environ.copy())
    with pytest.raises(UserError, match=r"dbt/d-\w+ cannot be made: Not a directory"):
        dbt.run(["build"], "postgresql://h/d")


def test_a_path_that_the_system_refuses_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["backup", "x" * 300]) == 1
    said = capsys.readouterr().err
    assert "x cannot be used: File name too long" in said
    assert is_explained(said)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:geheim@geheim@host/d",
        "postgresql://user:geheim/geheim@host/d",
        "postgresql://user:1/geheim@host/d",
        "postgresql://user@geheim:geheim@host/d",
        "postgresql://user:geheim/d",
    ],
)
def test_a_password_that_is_not_encoded_is_not_taken_for_a_place_and_shown(
    url: str,
) -> None:
    with pytest.raises(UserError, match="not a Postgres URL") as refused:
        where(url)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:%40%2F:?#@[::1]:5432,h:5433/d?passfile=/a@b",
        "postgresql:///d?host=/run/postgresql",
        "postgres+psycopg://%2Frun/d",
        "postgresql://h,h2/d?target_session_attrs=primary",
    ],
)
def test_what_libpq_reads_as_it_is_meant_is_a_url(url: str) -> None:
    assert where(url).startswith("d at ")


@pytest.mark.parametrize("setting", ["database_url", "api_database_url"])
def test_the_demo_goes_nowhere_else_than_what_follows_it_looks(setting: str) -> None:
    with pytest.raises(UserError, match=f"and {setting.upper()} is set"):
        demo(Settings.model_validate({setting: "postgresql://h/d"}))


def test_of_several_urls_the_wrong_one_is_named() -> None:
    good, wrong = "postgresql://h/d", "mysql://h/d"
    with pytest.raises(UserError, match=r"^API_DATABASE_URL is not a Postgres URL"):
        serve(Settings(database_url=good, api_database_url=wrong))
    with pytest.raises(UserError, match=r"^ADMIN_DATABASE_URL is not a Postgres URL"):
        roles(Settings(database_url=good, admin_database_url=wrong))
