"""A page of the API, against Postgres alone answering the page's own SQL."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from api.database import SETTINGS, read_sql
from api.instants import MICROSECOND
from api.parameters import DEFAULT_LIMIT
from api.window import read_window
from benchmarks.figures import Figure, Samples
from benchmarks.load import put_under_load
from benchmarks.workplace import Workplace
from sandbox.binaries import binary
from warehouse.database import libpq_environment

HOST = "127.0.0.1"
YEAR = "2025"
CONNECTIONS = 8
CLIENTS = 2
SECONDS = 8.0
WARM_UP_SECONDS = 3.0
PATIENCE = 60.0


def measure_pages(workplace: Workplace, url: str, runs: int) -> list[Figure]:
    """Ask for a wallet's year as fast as it is answered, as often as asked."""
    wallet, twaps = _wallet(url)
    script = workplace.folder / "page.sql"
    script.write_text(_page_sql(url, wallet))
    path = f"/api/v1/twaps?wallet={wallet}&year={YEAR}"
    rates, limits, late, middle = [], [], [], []
    with _api(workplace, url) as port:
        for turn in range(runs + 1):
            load = put_under_load(
                HOST,
                port,
                path,
                connections=CONNECTIONS,
                seconds=SECONDS if turn else WARM_UP_SECONDS,
            )
            if turn:
                rates.append(load.rate)
                late.append(load.percentile(99) * 1000)
                middle.append(load.percentile(50) * 1000)
                limits.append(_pgbench(workplace, url, script))
    return [
        Figure(
            f"Page of a wallet with {twaps} TWAPs, 1 worker, {CONNECTIONS} connections",
            Samples(rates, "pages/s"),
            f"pgbench of the page's SQL, {CLIENTS} clients",
            Samples(limits, "pages/s"),
            is_rate=True,
        ),
        Figure(
            "p99 of the page",
            Samples(late, "ms"),
            "its p50",
            Samples(middle, "ms"),
        ),
    ]


def _wallet(url: str) -> tuple[str, int]:
    statement = (Path(__file__).parent / "wallet.sql").read_bytes()
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    if row is None:
        raise RuntimeError(f"No wallet has a TWAP in {YEAR}")
    return str(row[0]), int(row[1])


def _page_sql(url: str, wallet: str) -> str:
    """Return the statement of the first page with its values in it."""
    window = read_window({"year": YEAR})
    values = {
        "wallet": wallet,
        "start": window.start,
        "as_of": window.end,
        "after_ts": window.end + MICROSECOND,
        "after_twap_id": "",
        "walk_build": None,
        "with_events": False,
        "with_raw": False,
        "with_provenance": False,
        "page_size": DEFAULT_LIMIT,
        "skip": 0,
        **dict.fromkeys(("asset", "side", "status")),
    }
    with psycopg.connect(url) as connection:
        text = psycopg.ClientCursor(connection).mogrify(read_sql("twap_page"), values)
    # As a comment ends pgbench's line, and a colon begins a variable.
    return re.sub(r"--.*", "", text) + ";\n"


def _pgbench(workplace: Workplace, url: str, script: Path) -> float:
    """Return the statements a second, prepared, with the API's own settings."""
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    done = subprocess.run(
        [
            str(binary("pgbench")),
            "--no-vacuum",
            "--protocol=prepared",
            f"--client={CLIENTS}",
            f"--jobs={CLIENTS}",
            f"--time={SECONDS:.0f}",
            f"--file={script}",
        ],
        env=workplace.environment(url)
        | libpq_environment(url)
        | {"PGOPTIONS": options},
        check=False,
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(found[1])


@contextmanager
def _api(workplace: Workplace, url: str) -> Iterator[int]:
    """Give the port of the API, served by one process as `make serve` does."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    environment = workplace.environment(url) | {"API_HOST": HOST, "API_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", "serve"],
        cwd=workplace.folder,
        env=environment,
    )
    try:
        _wait(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("The API does not start")
