"""The SQL of this part, by name."""

from functools import partial
from pathlib import Path

from warehouse.statements import read_statement

statement = partial(read_statement, Path(__file__).parent / "sql")
"""The text of `ingestion/sql/<name>.sql`."""
