"""The SQL in the documents runs, on marts that hold something."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandbox import postgres
from sandbox.s3 import S3Server
from tests.conftest import new_database
from tests.marts.hostile import hostile_body
from tests.marts.test_hostile_values import WRITTEN
from tests.marts.warehouse import Warehouse
from warehouse import PROJECT_ROOT

QUERIES = [
    (path.name, query)
    for path in sorted((PROJECT_ROOT / "docs").glob("*.md"))
    for query in re.findall(r"```sql\n(.*?)```", path.read_text(), re.DOTALL)
]


@pytest.fixture(scope="module")
def marts(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    url = new_database(server)
    with S3Server() as s3:
        folder = Path(tmp_path_factory.mktemp("dlt"))
        warehouse = Warehouse(s3, url, folder)
        warehouse.put("raw/twap_statuses/a.parquet", hostile_body(1, 90, 0.05), WRITTEN)
        warehouse.put("raw/twap_statuses/b.parquet", b"", WRITTEN)
        warehouse.run()
        yield url


@pytest.mark.parametrize(("document", "query"), QUERIES)
def test_each_query_of_the_documents_has_an_answer(
    marts: str, document: str, query: str
) -> None:
    with psycopg.connect(marts) as connection:
        assert connection.execute(query.encode()).rowcount > 0, document


def test_a_digest_agrees_when_it_is_taken_by_hand(marts: str) -> None:
    (by_hand,) = [query for _, query in QUERIES if "by_hand" in query]
    with psycopg.connect(marts) as connection:
        rows = connection.execute(by_hand.encode()).fetchall()
    assert [row[2] for row in rows] == [True]
