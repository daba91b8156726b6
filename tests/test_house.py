"""What the documents say is what the code does, and the house keeps its own rules."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import yaml

from warehouse import PROJECT_ROOT, __version__
from warehouse.settings import Settings

README = (PROJECT_ROOT / "README.md").read_text()
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text()
MODELS = PROJECT_ROOT / "dbt_project" / "models"


def committed(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *patterns],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [PROJECT_ROOT / line for line in listed.stdout.splitlines()]


def test_readme_describes_every_setting_as_the_code_does() -> None:
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \| (.*?) \| (.*?) \|$", README, re.MULTILINE)
    assert rows == [
        (
            name.upper(),
            f"`{field.default}`" if field.default else "",
            field.description,
        )
        for name, field in Settings.model_fields.items()
    ]


def test_env_example_names_every_setting_once() -> None:
    text = (PROJECT_ROOT / ".env.example").read_text()
    named = re.findall(r"^# ([A-Z_0-9]+)=", text, re.MULTILINE)
    credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert sorted(named) == sorted(
        [*(name.upper() for name in Settings.model_fields), *credentials]
    )


def test_every_make_target_is_told_to_those_who_use_or_change_the_project() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)
    contributing = (PROJECT_ROOT / "CONTRIBUTING.md").read_text()
    row = re.compile(r"^\| `make ([a-z-]+)[ `]", re.MULTILINE)
    told = row.findall(README) + row.findall(contributing)
    assert sorted(told) == sorted(set(targets) - {"help"})


def test_readme_is_short_enough_to_read() -> None:
    assert len(README.splitlines()) < 200


def test_every_link_between_the_documents_leads_somewhere() -> None:
    for page in (*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^):]+)\)", page.read_text()):
            path, _, anchor = link.partition("#")
            there = page.parent / path if path else page
            assert there.exists(), (page.name, link)
            if anchor:
                headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
                slugs = [re.sub(r"[^\w -]", "", each.lower()) for each in headings]
                slugs = [slug.replace(" ", "-") for slug in slugs]
                assert anchor in slugs, (page.name, link)


def test_one_version_everywhere() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    dbt = yaml.safe_load((PROJECT_ROOT / "dbt_project.yml").read_text())
    versions = {
        project["project"]["version"],
        dbt["version"],
        dbt["vars"]["project_version"],
    }
    assert versions == {__version__}


def imports(path: Path) -> set[str]:
    """The top-level names of all modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_folders_meet_in_the_database_and_in_the_entry_point_alone() -> None:
    allowed = {
        "ingestion": {"warehouse"},
        "api": {"warehouse"},
        "sandbox": {"warehouse"},
        "warehouse": set(),
    }
    for folder, others in allowed.items():
        for path in committed(f"{folder}/*.py"):
            place = path.relative_to(PROJECT_ROOT).as_posix()
            if place.startswith(("warehouse/commands/", "warehouse/__main__.py")):
                continue
            foreign = imports(path) & allowed.keys() - others - {folder}
            assert not foreign, f"{place} imports {foreign}"


def test_every_model_has_its_yaml_and_every_column_of_a_mart_a_description() -> None:
    for sql in MODELS.rglob("*.sql"):
        (model,) = yaml.safe_load(sql.with_suffix(".yml").read_text())["models"]
        assert model["name"] == sql.stem
        assert model["description"].startswith("One row per"), sql.stem
        if sql.parent.name == "marts":
            assert model["columns"], sql.stem
            for column in model["columns"]:
                assert column["description"], f"{sql.stem}.{column['name']}"


def test_dependencies_are_pinned_with_hashes_and_without_addresses() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (PROJECT_ROOT / name).read_text()
        assert "http" not in re.sub(r"http(core|tools|x)\b", "", text)
        pins = re.findall(r"^[a-z0-9].*$", text, re.MULTILINE | re.IGNORECASE)
        assert all("==" in pin and pin.endswith("\\") for pin in pins)


def test_no_committed_file_names_this_machine() -> None:
    home = re.compile(r"(?<![\w.])/(work|root|home)/[a-z]")
    for path in committed():
        if path.is_file() and path.suffix not in {".png", ".parquet", ".xz"}:
            found = home.search(path.read_text())
            assert not found, f"{path}: {found}"
