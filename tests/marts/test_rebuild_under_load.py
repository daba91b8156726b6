"""A rebuild beside readers."""

import threading
import time

import psycopg

from tests.marts.hostile import hostile_body
from tests.marts.test_hostile_values import WRITTEN
from tests.marts.warehouse import Warehouse
from tests.waiting import wait_until

WAITING = """
select from pg_locks
where
    not granted
    and mode = 'AccessExclusiveLock'
    and database = (select oid from pg_database where datname = current_database())
"""
"""What waits until nobody reads a table."""


def test_nobody_waits_long_for_a_rebuild_that_waits_for_a_long_reader(
    warehouse: Warehouse,
) -> None:
    warehouse.put("raw/twap_statuses/a.parquet", hostile_body(1, 500, 0.02), WRITTEN)
    warehouse.run()
    (before,) = warehouse.query("select count(*) as count from marts.twap_status")
    done, failures, answers = threading.Event(), [], []

    def read_pages() -> None:
        with psycopg.connect(warehouse.url, autocommit=True) as connection:
            connection.execute("set statement_timeout = '3s'")
            while not done.is_set():
                try:
                    connection.execute("select from marts.etl_s3_ingest_log")
                    rows = connection.execute("select from marts.twap_status")
                    answers.append(rows.rowcount)
                except psycopg.Error as error:
                    failures.append(error)

    def analyze_as_autovacuum_does() -> None:
        with psycopg.connect(warehouse.url, autocommit=True) as connection:
            connection.execute("set statement_timeout = '3s'")
            while not done.wait(0.01):
                try:
                    connection.execute("analyze marts.twap_status")
                except psycopg.Error as error:
                    failures.append(error)

    def read_at_length() -> None:
        with psycopg.connect(warehouse.url) as connection:
            connection.execute("select from marts.twap_status limit 1")
            connection.execute("select from marts.etl_s3_ingest_log limit 1")
            is_reading.set()
            wait_until(lambda: warehouse.query(WAITING))
            time.sleep(4)

    is_reading = threading.Event()
    others = (read_pages, read_at_length, analyze_as_autovacuum_does)
    threads = [threading.Thread(target=other) for other in others]
    for thread in threads:
        thread.start()
    is_reading.wait()
    try:
        warehouse.rebuild()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert set(answers) == {before["count"]}
