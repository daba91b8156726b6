"""What the tests here share: a warehouse to run on, and parquet to put there."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import Cost, Plan, Report, S3Source, Selection, ingest
from sandbox.s3 import S3Server

PREFIX = "raw/twap_statuses/"
MORNING = datetime(2025, 11, 1, 8, tzinfo=UTC)
EVERYTHING = Selection()


def parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def statuses(*twap_ids: int, status: str = "activated") -> bytes:
    return parquet(
        {
            "twap_id": pa.array(twap_ids, pa.int64()),
            "time": pa.array([1764867622417] * len(twap_ids), pa.timestamp("ns")),
            "status": pa.array([status] * len(twap_ids), pa.string()),
        }
    )


class Silent:
    """A progress that only counts."""

    def __init__(self) -> None:
        self.total = (0, 0)
        self.done = (0, 0)
        self.landed_objects = 0

    def start(self, objects: int, size: int) -> None:
        self.total = (objects, size)

    def advance(self, objects: int, size: int) -> None:
        self.done = (self.done[0] + objects, self.done[1] + size)

    def landed(self, objects: int) -> None:
        self.landed_objects += objects


@dataclass
class Warehouse:
    """A bucket, an empty database and a working folder; `run` is one run on them."""

    bucket: S3Server
    database_url: str
    working_dir: Path
    progress: Silent = field(default_factory=Silent)
    costs: list[Cost] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    @property
    def source(self) -> S3Source:
        return S3Source(
            self.bucket.bucket,
            PREFIX,
            "ap-northeast-1",
            endpoint_url=self.bucket.endpoint_url,
        )

    def put(self, name: str, body: bytes, when: datetime = MORNING) -> str:
        return self.bucket.put(PREFIX + name, body, last_modified=when)

    def gets(self, name: str | None = None) -> int:
        return sum(
            count
            for (method, key), count in self.bucket.requests.items()
            if method == "GET" and (name is None or key.endswith(name))
        )

    def run(
        self,
        selection: Selection = EVERYTHING,
        *,
        max_cost_usd: Decimal | None = None,
        guard: Callable[[], None] = lambda: None,
        **source: Any,
    ) -> Report:
        def on_listed(plan: Plan, cost: Cost) -> None:
            self.plans.append(plan)
            self.costs.append(cost)

        return ingest(
            selection,
            replace(self.source, **source),
            self.database_url,
            working_dir=self.working_dir,
            max_cost_usd=max_cost_usd,
            guard=guard,
            progress=self.progress,
            on_listed=on_listed,
        )

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def landed(self, columns: str = "twap_id, status") -> list[Any]:
        """The rows of complete loads, in order."""
        return self.rows(
            f"select {columns} from staging.twap_statuses where _dlt_load_id in "
            "(select load_id from staging._dlt_loads where status = 0) "
            'order by _s3_object_key, _dlt_load_id collate "C", _row_number'
        )

    def ledger(self) -> list[Any]:
        """(name, outcome, rows, error) of complete loads, in order of observation."""
        rows = self.rows(
            "select object_key, outcome, rows, error from staging.s3_objects "
            "where _dlt_load_id in (select load_id from staging._dlt_loads) "
            'order by _dlt_load_id collate "C", attempt'
        )
        return [(key.removeprefix(PREFIX), *rest) for key, *rest in rows]


def names(objects: Sequence[Any]) -> list[str]:
    return [each.key.removeprefix(PREFIX) for each in objects]
