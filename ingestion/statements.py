"""The SQL of this part, by name."""

from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast

_FOLDER = Path(__file__).parent / "sql"


@cache
def statement(name: str) -> LiteralString:
    """Return the text of `sql/<name>.sql`. It is ours, so psycopg may trust it."""
    text: Any = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return cast("LiteralString", text)
