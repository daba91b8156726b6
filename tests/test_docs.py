"""The SQL in the documents runs, on marts that hold something."""

import re

import psycopg
import pytest

from tests.marts.warehouse import Warehouse
from warehouse import PROJECT_ROOT

QUERIES = [
    (path.name, query)
    for path in sorted((PROJECT_ROOT / "docs").glob("*.md"))
    for query in re.findall(r"```sql\n(.*?)```", path.read_text(), re.DOTALL)
]


@pytest.mark.parametrize(("document", "query"), QUERIES)
def test_each_query_of_the_documents_has_an_answer(
    sample_marts: Warehouse, document: str, query: str
) -> None:
    with psycopg.connect(sample_marts.url) as connection:
        assert connection.execute(query.encode()).rowcount > 0, document


def test_a_digest_agrees_when_it_is_taken_by_hand(sample_marts: Warehouse) -> None:
    (by_hand,) = [query for _, query in QUERIES if "by_hand" in query]
    with psycopg.connect(sample_marts.url) as connection:
        rows = connection.execute(by_hand.encode()).fetchall()
    assert [row[2] for row in rows] == [True]


DAYS = re.compile(r"marts\.(twap_daily\w*)\nwhere\s+day between")


@pytest.mark.parametrize(
    ("mart", "query"),
    [(DAYS.findall(query)[0], query) for _, query in QUERIES if DAYS.search(query)],
)
def test_a_range_of_days_is_read_by_the_key(
    sample_marts: Warehouse, mart: str, query: str
) -> None:
    with psycopg.connect(sample_marts.url) as connection:
        # The tables of a test are too small to need an index.
        connection.execute("set enable_seqscan = off")
        plan = connection.execute(f"explain {query}".encode()).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert f"{mart}_pkey" in text
    assert "Index Cond: ((day >=" in text
