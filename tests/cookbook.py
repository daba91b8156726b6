"""The recipes of docs/sql-cookbook.md, and psql as an analyst runs it."""

import csv
import re
import subprocess
from dataclasses import dataclass

from sandbox.binaries import binary
from warehouse import PROJECT_ROOT
from warehouse.database import environment_without_libpq, libpq_environment
from warehouse.roles import READER

TEXT = (PROJECT_ROOT / "docs" / "sql-cookbook.md").read_text()

AS_READER = f"-c role={READER} -c timezone=UTC -c default_transaction_read_only=on"

Table = list[list[str]]
"""A header and its rows, as texts; null is the empty one."""


@dataclass(frozen=True)
class Recipe:
    """A question, its query, and the answer that the document shows."""

    question: str
    prose: str
    query: str
    answer: Table

    def __str__(self) -> str:
        return self.question


def psql(url: str, query: str) -> Table:
    """Run a query as the role that reads the marts; return what psql prints."""
    ended = subprocess.run(
        [str(binary("psql")), "--no-psqlrc", "--csv", "-v", "ON_ERROR_STOP=1"],
        input=query,
        env=environment_without_libpq()
        | libpq_environment(url)
        | {"PGOPTIONS": AS_READER},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return list(csv.reader(ended.stdout.splitlines()))


def _recipe(section: str) -> Recipe:
    question, text = section.split("\n", 1)
    prose, query, table = re.split(r"```sql\n|```\n", text)
    header, _, *rows = table.strip().splitlines()
    return Recipe(question, prose.strip(), query, [_cells(r) for r in (header, *rows)])


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


RECIPES = {recipe.question: recipe for recipe in map(_recipe, TEXT.split("\n## ")[1:])}
