"""A whole warehouse for a test: a bucket, a database, and the oracle beside them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ingestion import Selection
from sandbox.s3 import S3Server
from tests.marts.oracle import Oracle, Published, Row, Seen, read_rows
from warehouse.builds import Need, build
from warehouse.commands.elt import elt
from warehouse.settings import Settings


@dataclass
class Warehouse:
    """A bucket that is loaded into a database, and what the marts should be."""

    s3: S3Server
    url: str
    working_dir: Path
    oracle: Oracle = field(default_factory=Oracle)
    bucket: dict[str, Published] = field(default_factory=dict)
    ever: dict[tuple[str, str], Published] = field(default_factory=dict)
    """Every version that was ever published, by key and ETag."""

    def put(self, key: str, body: bytes, last_modified: datetime) -> None:
        """Publish an object."""
        shown = Published(key, body, last_modified.replace(microsecond=0))
        self.bucket[key] = self.ever[key, shown.etag] = shown
        assert self.s3.put(key, body, last_modified) == shown.etag

    def run(self, selection: Selection | None = None) -> int:
        """Run `elt` as the command does; return its exit status."""
        return elt(selection or Selection(), self.settings(), self.url)

    def run_with_oracle(self) -> int:
        """Run over the whole bucket, and let the oracle do the same."""
        exit_status = self.run()
        (newest,) = self.query("select max(inserted_at) as at from staging._dlt_loads")
        self.oracle.run(sorted(self.bucket.values(), key=lambda o: o.key), newest["at"])
        return exit_status

    def follow_the_ledger(self) -> None:
        """Let the oracle see what the ledger says was seen, in its order.

        For histories with crashes, where only the ledger knows which run saw what; that
        it is right itself is what `faults_of_the_ledger` tells.
        """
        self.oracle = Oracle()
        for row in self.query(LEDGER):
            address = (row["object_key"], row["etag"])
            failed = row["outcome"] == "failed"
            self.oracle.failures[row["object_key"]].append(
                row["last_modified"] if failed else None
            )
            if failed:
                continue
            if row["outcome"] == "landed":
                body = self.ever[address].body
                rows = read_rows(body)
                assert rows is not None
                self.oracle.bodies[address] = rows
                self.oracle.sizes[address] = len(body)
                self.oracle.landed_at[address] = row["completed_at"]
            self.oracle.seen[row["object_key"]].append(
                Seen(row["etag"], row["last_modified"], row["completed_at"])
            )

    def faults_of_the_ledger(self) -> list[str]:
        """Return, in words, where the ledger is not what the bucket asks for.

        To be called after a run over the whole bucket.
        """
        faults = []
        landed = Counter(
            (row["object_key"], row["etag"])
            for row in self.query(LEDGER)
            if row["outcome"] == "landed"
        )
        faults += [f"{a} landed {n} times" for a, n in landed.items() if n > 1]
        shown = {row["object_key"]: row for row in self.query(SHOWN)}
        for key, published in self.bucket.items():
            if read_rows(published.body) is None:
                continue
            row = shown.get(key)
            if row is None:
                faults.append(f"{key} is not in the ledger")
            elif (row["etag"], row["last_modified"]) != (
                published.etag,
                published.last_modified,
            ):
                faults.append(f"{key} shows another version than the bucket")
        addresses = {
            (row["key"], row["etag"]): row["rows"] for row in self.query(ADDRESSES)
        }
        for address in landed:
            rows = read_rows(self.ever[address].body) or []
            if addresses.get(address, 0) != len(rows):
                faults.append(f"{address} has {addresses.get(address)} rows")
        return faults

    def rebuild(self) -> None:
        """Make the marts anew, as the command does."""
        build(self.url, Need.FULL_REFRESH)

    def settings(self) -> Settings:
        """Return the settings that lead to this warehouse."""
        return Settings(
            database_url=self.url,
            aws_endpoint_url=self.s3.endpoint_url,
            aws_s3_bucket=self.s3.bucket,
            dlt_data_dir=str(self.working_dir),
        )

    def query(self, sql: str, *parameters: Any) -> list[Row]:
        """Return the rows of a query."""
        with psycopg.connect(
            self.url, client_encoding="utf8", row_factory=dict_row
        ) as connection:
            connection.execute("set time zone 'UTC'; set datestyle to iso")
            return connection.execute(sql.encode(), parameters or None).fetchall()

    def execute(self, sql: str) -> None:
        """Change the database behind the warehouse's back."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def differences(self) -> list[str]:
        """Return every cell in which the marts and the oracle differ, in words."""
        found = []
        marts = self.oracle.marts() | {"etl_s3_ingest_log": self.oracle.ingest_log()}
        for mart, expected in marts.items():
            key = KEYS[mart]
            want = {tuple(row[name] for name in key): row for row in expected}
            rows = self.query(f"select * from marts.{mart}")
            for row in rows:
                row["has_error"] = row.get("error_text") is not None
            have = {tuple(row[name] for name in key): row for row in rows}
            found += [f"{mart}: missing {k}" for k in want.keys() - have.keys()]
            found += [f"{mart}: too many {k}" for k in have.keys() - want.keys()]
            for k in want.keys() & have.keys():
                found += [
                    f"{mart} {k}: {name} is {have[k][name]!r}, not {value!r}"
                    for name, value in want[k].items()
                    if name in have[k] and have[k][name] != value
                ]
        return found

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of the marts of TWAPs, in the order of their keys."""
        return {
            mart: [
                tuple(_exactly(value) for value in row.values())
                for row in self.query(
                    f"select * from marts.{mart} order by {', '.join(key)}"
                )
            ]
            for mart, key in KEYS.items()
        }


COMPLETE = """
    with complete as (
        select load_id, min(inserted_at) as completed_at
        from staging._dlt_loads where status = 0 group by load_id
    )
"""
LEDGER = f"""{COMPLETE}
    select distinct on (load_id collate "C", attempt, object_key)
        objects.*,
        completed_at
    from staging.s3_objects as objects
    inner join complete on objects._dlt_load_id = complete.load_id
    order by load_id collate "C", attempt, object_key
"""
SHOWN = f"""{COMPLETE}
    select distinct on (object_key) objects.*
    from staging.s3_objects as objects
    inner join complete on objects._dlt_load_id = complete.load_id
    where outcome <> 'failed'
    order by object_key, load_id collate "C" desc, attempt desc
"""
ADDRESSES = f"""{COMPLETE}
    select
        _s3_object_key as key,
        _s3_etag as etag,
        count(distinct _row_number) as rows
    from staging.twap_statuses as landed
    inner join complete on landed._dlt_load_id = complete.load_id
    group by _s3_object_key, _s3_etag
"""

KEYS = {
    "twap_status": ("twap_id", "wallet", "ts", "status"),
    "twap_latest": ("twap_id", "wallet"),
    "twap_withdrawn": ("twap_id", "wallet"),
    "twap_coverage": ("hour",),
    "twap_daily": ("day", "asset", "side", "status"),
    "twap_daily_largest": ("day", "rank"),
    "twap_digest": ("day",),
    "etl_s3_ingest_log": ("object_key",),
    "twap_status_rejected": ("s3_object_key", "s3_etag", "row_number"),
}


def _exactly(value: Any) -> Any:
    """1.0 and 1.00 are equal decimals, and not the same bytes."""
    return str(value) if isinstance(value, Decimal) else value
