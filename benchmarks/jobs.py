"""What is measured in a process of its own: `python -m benchmarks.jobs <job>`.

The last line that a job prints is a JSON object of its figures.
"""

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import adbc_driver_postgresql.dbapi  # type: ignore[import-untyped]  # ships no types
import pyarrow as pa

from ingestion import S3Source, Selection, ingest
from ingestion.fetch import THREADS
from warehouse import builds
from warehouse.commands.progress import Unwatched
from warehouse.database import connect
from warehouse.schema import prepare_marts, prepare_staging
from warehouse.settings import load_settings

CHUNK_ROWS = 100_000

READER = {
    "x-amz-request-payer": "requester",
    # The sandbox asks who is there, and believes it.
    "Authorization": "AWS4-HMAC-SHA256 Credential=sandbox/20250817/any/s3/aws4_request",
}


def land(url: str) -> dict[str, float]:
    """Land the whole bucket: from the listing to staged and indexed rows."""
    settings = load_settings()
    source = S3Source(
        bucket=settings.aws_s3_bucket,
        prefix=settings.aws_s3_prefix,
        region=settings.aws_region,
        request_payer=settings.aws_request_payer,
        endpoint_url=settings.aws_endpoint_url,
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        report = ingest(
            Selection(),
            source,
            url,
            working_dir=Path(folder),
            max_cost_usd=None,
            guard=lambda: None,
            progress=Unwatched(),
            on_listed=lambda _plan, _cost: None,
        )
        seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "rows": report.rows,
        "objects": report.loaded,
        "peak_mb": _peak_mb(),
    }


def land_limit(url: str) -> dict[str, float]:
    """Copy the same rows from memory into a table of the same columns."""
    with adbc_driver_postgresql.dbapi.connect(url, autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("select * from staging.twap_statuses")
        rows: pa.Table = cursor.fetch_arrow_table().combine_chunks()
        cursor.execute("drop schema if exists bench cascade")
        cursor.execute("create schema bench")
        cursor.execute("create table bench.landed (like staging.twap_statuses)")
        cursor.execute("checkpoint")
        cursor.close()
    # Two equal halves, each in pieces as the loader yields them.
    half = max(1, -(-rows.num_rows // 2))
    halves = [rows.slice(0, half), rows.slice(half)]
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_copy, [url, url], halves))
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "rows": rows.num_rows}


def _copy(url: str, rows: pa.Table) -> None:
    with (
        adbc_driver_postgresql.dbapi.connect(url) as connection,
        connection.cursor() as cursor,
    ):
        for begin in range(0, rows.num_rows, CHUNK_ROWS):
            cursor.adbc_ingest(
                "landed",
                rows.slice(begin, CHUNK_ROWS),
                mode="append",
                db_schema_name="bench",
            )
        connection.commit()


def get_limit(url: str) -> dict[str, float]:
    """Ask for the same objects by bare HTTP: what the bucket itself can give."""
    settings = load_settings()
    endpoint = urlsplit(settings.aws_endpoint_url or "")
    with connect(url) as connection:
        found = connection.execute("select object_key from staging.s3_objects")
        paths = [f"/{settings.aws_s3_bucket}/{quote(str(key))}" for (key,) in found]

    def get_all(mine: list[str]) -> None:
        client = HTTPConnection(endpoint.hostname or "", endpoint.port)
        for path in mine:
            client.request("GET", path, headers=READER)
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        client.close()

    begin = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(get_all, [paths[turn::THREADS] for turn in range(THREADS)]))
    return {"seconds": time.perf_counter() - begin, "objects": len(paths)}


def build(url: str) -> dict[str, float]:
    """Build and test all marts anew."""
    with connect(url) as connection:
        prepare_staging(connection)
        prepare_marts(connection)
    begin = time.perf_counter()
    builds.build(url, builds.Need.FULL_REFRESH)
    return {"seconds": time.perf_counter() - begin}


def _peak_mb() -> float:
    # ru_maxrss would be our parent's when that was larger.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


JOBS = {
    "land": land,
    "land_limit": land_limit,
    "get_limit": get_limit,
    "build": build,
}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](os.environ["DATABASE_URL"])))
