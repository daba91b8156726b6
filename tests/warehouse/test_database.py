"""What a connection of ours asks of its database."""

import psycopg
import pytest

from sandbox import postgres
from tests.conftest import drop_database
from warehouse import database
from warehouse.errors import UserError


def test_what_ends_forgotten_sessions_ends_neither_a_lock_nor_a_snapshot(
    database_url: str,
) -> None:
    timeouts = "idle_session_timeout", "idle_in_transaction_session_timeout"
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        for timeout in timeouts:
            connection.execute(f"alter database {name} set {timeout} to 1000".encode())
    with database.connect(database_url) as connection:
        for timeout in timeouts:
            shown = connection.execute(f"show {timeout}".encode())
            assert shown.fetchone() == ("0",)


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
