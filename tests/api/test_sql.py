"""The statements of the API, as Postgres gets them: put together from their pieces."""

from pathlib import Path

import pytest
import sqlfluff
from sqlfluff.core import FluffConfig

import api
from api.database import read_sql
from warehouse import PROJECT_ROOT

STATEMENTS = sorted(
    path.stem for path in (Path(api.__file__).parent / "sql").glob("*.sql")
)

EXCLUDED = [
    # A piece brings its own indentation.
    "layout",
    # The parser does not see what a subquery without columns selects from.
    "structure.unused_cte",
    # `(select build_id from data_version)` says where it is from.
    "references.qualification",
]


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_keeps_the_style(name: str) -> None:
    ours = FluffConfig.from_path(str(PROJECT_ROOT))
    excluded = [*ours.get("rule_denylist"), *EXCLUDED]
    config = FluffConfig.from_path(
        str(PROJECT_ROOT),
        overrides={"templater": "placeholder", "exclude_rules": ",".join(excluded)},
    )
    found = sqlfluff.lint(read_sql(name), config=config)
    assert [f"{each['code']}: {each['description']}" for each in found] == []
