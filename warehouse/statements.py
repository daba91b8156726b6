"""SQL lives in .sql files; this reads them."""

from functools import cache, partial
from pathlib import Path
from typing import Any, LiteralString, cast


@cache
def read_statement(folder: Path, name: str) -> LiteralString:
    """Return the text of `<name>.sql` in the folder."""
    text: Any = (folder / f"{name}.sql").read_text(encoding="utf-8")
    # A file of the checkout is as trusted as the code beside it.
    return cast("LiteralString", text)


statement = partial(read_statement, Path(__file__).parent / "sql")
"""The text of `warehouse/sql/<name>.sql`."""
