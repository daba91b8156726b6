"""The image and the compose file, as far as they can be tried without containers."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import metadata, resources
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest
import yaml

from sandbox import postgres
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.conftest import drop_database, new_database
from tests.deploy.test_watching import check
from tests.warehouse.command import environment, free_port
from tests.warehouse.test_elt_command import ROW
from warehouse import PROJECT_ROOT
from warehouse.settings import Settings

DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
SETTINGS = {name.upper() for name in Settings.model_fields}
OF_AWS = {"AWS_SHARED_CREDENTIALS_FILE"}
SECRETS = PROJECT_ROOT / "deploy" / "docker" / "secrets.sh"
NO_CAPABILITIES = (
    *("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
    "--",
)
"""As the services have it. Without them root heeds permissions, too."""


def test_the_compose_file_keeps_to_the_specification() -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    schema = json.loads((vendored / "compose-spec.json").read_text())
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.validate(COMPOSE)
    wrong = COMPOSE | {"services": {"db": {"image": "postgres", "prots": []}}}
    assert not validator.is_valid(wrong)


def test_what_a_service_names_is_there() -> None:
    for name, service in SERVICES.items():
        for needed, condition in service.get("depends_on", {}).items():
            is_checked = "healthcheck" in SERVICES[needed]
            assert condition["condition"] != "service_healthy" or is_checked, name
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (PROJECT_ROOT / source).is_dir(), source
            else:
                assert source in COMPOSE["volumes"]


def test_our_services_have_only_settings_and_secrets_that_exist() -> None:
    assert set(OURS) == {"roles", "etl", "api"}
    for name in OURS:
        service = SERVICES[name]
        assert set(service.get("environment", {})) <= SETTINGS | OF_AWS
        files = {f"/run/secrets/{secret}" for secret in service["secrets"]}
        for secret in service["secrets"]:
            is_named = (
                f"/run/secrets/{secret}" in service.get("environment", {}).values()
            )
            assert secret.upper() in SETTINGS or is_named
        pointed_at = {
            value
            for value in service.get("environment", {}).values()
            if str(value).startswith("/run/secrets/")
        }
        assert pointed_at <= files


def test_only_the_roles_know_the_administrator() -> None:
    knowing = [
        name
        for name in SERVICES
        if {"admin_database_url", "postgres_password"}
        & set(SERVICES[name].get("secrets", []))
    ]
    assert knowing == ["db", "roles"]


def test_no_service_of_ours_can_write_or_become_more_than_it_is() -> None:
    for name, service in SERVICES.items():
        if name != "db":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        if "image" in service:
            assert re.fullmatch(r"[a-z/]+:v?\d+(\.\d+)*", service["image"]), name
    assert not re.search(r"privileged|network_mode|docker\.sock", json.dumps(COMPOSE))


def test_a_linter_has_nothing_to_say_against_the_dockerfile(tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None and "CI" not in os.environ:
        pytest.skip("hadolint has no wheel for this machine")
    assert hadolint
    assert check(hadolint, "--no-color", PROJECT_ROOT / "Dockerfile") == ""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /app\n")
    assert subprocess.run([hadolint, bad], capture_output=True, check=False).returncode


def test_the_image_does_not_run_as_root() -> None:
    *_, last = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last)


def copied() -> list[tuple[Path, str]]:
    """What the last stage copies from the checkout, and where to."""
    found = []
    for sources, target in re.findall(
        r"^COPY (?!--from)(.*) (\S+)$", DOCKERFILE.rsplit("FROM ", 1)[1], re.MULTILINE
    ):
        for source in sources.split():
            name = f"{target}{source}" if target.endswith("/") else target
            found.append((PROJECT_ROOT / source, name))
    return found


def test_the_context_has_what_the_image_copies_and_nothing_else() -> None:
    lines = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    sources = {source.relative_to(PROJECT_ROOT).as_posix() for source, _ in copied()}
    assert allowed == sources | {"requirements.txt"}
    assert any(fnmatch("api/__pycache__", line) for line in lines)


BLOCKER = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
"""A sitecustomize that hides what the image does not install."""


def not_installed() -> set[str]:
    """The modules of this machine that requirements.txt does not bring."""
    text = (PROJECT_ROOT / "requirements.txt").read_text()
    pinned = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==", text, re.MULTILINE)
    brought = {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}
    return {
        module
        for module, packages in metadata.packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", each).lower() for each in packages} & brought
    }


class Image(NamedTuple):
    """What the Dockerfile would put together, read-only."""

    folder: Path
    env: dict[str, str]

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start Python in it, without any way around permissions."""
        prefix = NO_CAPABILITIES if os.getuid() == 0 else ()
        return subprocess.Popen(
            [*prefix, sys.executable, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        """Run Python in it to its end; return its exit status and its last words."""
        with self.start(*arguments) as process:
            _, said = process.communicate(timeout=120)
        return process.returncode, said


@pytest.fixture(scope="module")
def image(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Image]:
    parent = tmp_path_factory.mktemp("image")
    folder, secrets, hidden = (parent / name for name in ("app", "secrets", "hidden"))
    for source, name in copied():
        target = folder / name.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignored)
        else:
            shutil.copyfile(source, target)
    hidden.mkdir()
    blocker = BLOCKER.format(names=sorted(not_installed()))
    (hidden / "sitecustomize.py").write_text(blocker)
    url = new_database(server)
    _, place = url.split("@")
    secrets.mkdir()
    (secrets / "admin_database_url").write_text(url)
    (secrets / "database_url").write_text(f"postgresql://image_etl:e@{place}")
    (secrets / "api_database_url").write_text(f"postgresql://image_api:a@{place}")
    (folder / ".local").mkdir()
    (parent / "tmp").mkdir()
    with S3Server() as s3:
        s3.put("raw/twap_statuses/a.parquet", write_rows([ROW]))
        env = environment(
            CREDENTIALS_DIRECTORY=str(secrets),
            HOME="/nonexistent",
            TMPDIR=str(parent / "tmp"),
            PYTHONPATH=str(hidden),
            PYTHONDONTWRITEBYTECODE="1",
            **s3.environment,
        )
        _make_read_only(parent, but=[folder / ".local", parent / "tmp"])
        yield Image(folder, env)
    # Else pytest could not remove it.
    for path in (parent, *parent.rglob("*")):
        if path.is_dir():
            path.chmod(0o700)
    drop_database(server, url)


def _make_read_only(parent: Path, *, but: list[Path]) -> None:
    for path in (parent, *parent.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for path in but:
        path.chmod(0o700)


def test_the_image_makes_roles_loads_and_answers_and_writes_where_it_may(
    image: Image,
) -> None:
    status, said = image.run("-c", "open('anything', 'w')")
    assert (status, "PermissionError" in said) == (1, True)
    for command in ("roles", "elt"):
        status, said = image.run("-m", "warehouse", command)
        assert status == 0, said
    image.env["API_PORT"] = str(free_port())
    healthcheck = image.folder / "usr" / "local" / "share" / "healthcheck.py"
    assert image.run(healthcheck) == (1, "")
    with image.start("-m", "warehouse", "serve") as api:
        assert api.stderr
        while "serving" not in (line := api.stderr.readline()):
            assert line, "the API has ended"
        assert any(image.run(healthcheck) == (0, "") for _ in range(20))
        api.terminate()
        api.communicate(timeout=30)
    assert api.returncode == 0
    written = {path.name for path in (image.folder / ".local").iterdir()}
    assert written == {"dlt", "dbt"}


def test_the_image_says_that_it_has_no_database_of_its_own(image: Image) -> None:
    env = {k: v for k, v in image.env.items() if k != "CREDENTIALS_DIRECTORY"}
    status, said = Image(image.folder, env).run("-m", "warehouse", "elt")
    assert status == 1
    assert "the sandbox's Postgres is not installed" in said


def test_the_secrets_are_urls_that_roles_can_use_and_are_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    script = tmp_path / "deploy" / "docker" / "secrets.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(SECRETS, script)
    assert "Put your AWS key" in check("sh", script)
    folder = tmp_path / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = {path.name: path.read_text() for path in folder.iterdir()}
    assert {f"./secrets/{name}" for name in files} == {
        secret["file"] for secret in COMPOSE["secrets"].values()
    }
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes.pop("aws_credentials") == 0o644  # to be filled in
    assert set(modes.values()) == {0o444}
    passwords = re.findall(r":(\w{48})@db/warehouse$", "".join(files.values()), re.M)
    assert len(set(passwords)) == 3
    assert files["postgres_password"].strip() in files["admin_database_url"]
    assert "is there already" in check("sh", script)
    assert files == {path.name: path.read_text() for path in folder.iterdir()}


def test_the_secrets_take_the_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "deploy" / "docker" / "secrets.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(SECRETS, script)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    said = check("sh", script)
    assert said == ""
    assert "= AKIA\n" in (tmp_path / "secrets" / "aws_credentials").read_text()
