"""What a connection of ours asks of its database."""

import psycopg
import pytest

from sandbox import postgres
from tests.conftest import drop_database
from warehouse import database
from warehouse.errors import UserError


def test_a_database_that_cannot_hold_all_text_is_refused(
    server: postgres.Server,
) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            "create database ascii encoding 'SQL_ASCII' locale 'C' template template0"
        )
    url = f"{server.url.rsplit('/', 1)[0]}/ascii"
    with pytest.raises(UserError, match="has the encoding SQL_ASCII"):
        database.connect(url)
    drop_database(server, url)
