"""Files of the API, against psql's own copy of the same rows."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import psycopg

from api.window import read_window
from benchmarks.figures import Figure, Samples
from benchmarks.pages import HEAVIEST, YEAR, wallet_of
from benchmarks.server import HOST, Server
from benchmarks.workplace import Workplace
from sandbox.binaries import binary
from warehouse.database import libpq_environment

AT_ONCE = 4
PIECE = 1 << 20


def measure_exports(whole: Workplace, api: Server, runs: int) -> list[Figure]:
    """Fetch the heaviest wallet's year as a file, as often as asked."""
    wallet, _ = wallet_of(whole.url, HEAVIEST)
    idle = api.resident_mb()
    rates, limits, busy = [], [], []
    for turn in range(runs + 1):
        rate = _rate(api.port, wallet, "csv")
        limit = _psql_rate(whole, wallet)
        with api.watched() as seen, ThreadPoolExecutor(AT_ONCE) as pool:
            formats = ("csv", "ndjson", "parquet", "csv")
            list(pool.map(lambda each: _rate(api.port, wallet, each), formats))
        # The first turn fills Postgres's cache.
        if turn:
            rates.append(rate)
            limits.append(limit)
            busy.append((max(seen) - idle) / AT_ONCE)
    return [
        Figure(
            "CSV of the heaviest wallet's year",
            Samples(rates, "rows/s"),
            "psql's `\\copy` of the same rows to a file",
            Samples(limits, "rows/s"),
            is_rate=True,
        ),
        Figure(
            f"Memory of the API above idle, for each of {AT_ONCE} files at once",
            Samples(busy, "MB"),
        ),
    ]


def _rate(port: int, wallet: str, media: str) -> float:
    """Return the rows a second of a file, which is not kept."""
    client = HTTPConnection(HOST, port)
    path = f"/api/v1/exports/twaps?wallet={wallet}&year={YEAR}&format={media}"
    begin = time.perf_counter()
    client.request("GET", path)
    answer = client.getresponse()
    while answer.read(PIECE):
        pass
    seconds = time.perf_counter() - begin
    client.close()
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(f"{path}: {answer.status}")
    return int(answer.headers["X-Row-Count"]) / seconds


def _psql_rate(workplace: Workplace, wallet: str) -> float:
    """Return the rows a second that psql writes to a file."""
    window = read_window({"year": YEAR})
    text = (Path(__file__).parent / "export.sql").read_text()
    values = {"wallet": wallet, "start": window.start, "as_of": window.end}
    with psycopg.connect(workplace.url) as connection:
        query = psycopg.ClientCursor(connection).mogrify(text.encode(), values)
    target = workplace.folder / "export.csv"
    command = f"\\copy ({' '.join(query.split())}) to '{target}' csv header"
    begin = time.perf_counter()
    done = subprocess.run(
        [str(binary("psql")), "--no-psqlrc", "--command", command],
        env=workplace.environment() | libpq_environment(workplace.url),
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"psql failed: {done.stderr}")
    return int(done.stdout.removeprefix("COPY")) / seconds
