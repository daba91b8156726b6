"""Pages of the API, against Postgres alone answering the page's own SQL."""

import re
import subprocess
from pathlib import Path

import psycopg

from api.database import SETTINGS, read_sql
from api.instants import MICROSECOND
from api.window import read_window
from benchmarks.figures import Figure, Samples
from benchmarks.load import ask_in_turn, put_under_load, walk
from benchmarks.server import HOST, Server
from benchmarks.workplace import Workplace
from sandbox.binaries import binary
from warehouse.database import libpq_environment

YEAR = "2025"
LIMIT = 100
LIGHT = 100
HEAVIEST = 10**9
"""More TWAPs than any wallet has: the wallet nearest to it is the heaviest."""
CONNECTIONS = 8
CLIENTS = 2
SECONDS = 8.0
WARM_UP_SECONDS = 3.0


def measure_pages(whole: Workplace, api: Server, runs: int) -> list[Figure]:
    """Ask for pages of a light and of the heaviest wallet, as often as asked."""
    light, twaps = wallet_of(whole.url, LIGHT)
    heavy, heavy_twaps = wallet_of(whole.url, HEAVIEST)
    script = _page_script(whole, light)
    rates, limits, late, middle = [], [], [], []
    walks, light_pages, worst, light_worst = [], [], [], []
    for turn in range(runs + 1):
        load = put_under_load(
            HOST,
            api.port,
            _path(light),
            connections=CONNECTIONS,
            seconds=SECONDS if turn else WARM_UP_SECONDS,
        )
        walked = walk(HOST, api.port, _path(heavy))
        same = ask_in_turn(HOST, api.port, _path(light), len(walked.latencies))
        if turn:
            rates.append(load.rate)
            late.append(load.percentile(99) * 1000)
            middle.append(load.percentile(50) * 1000)
            limits.append(_pgbench(whole, script))
            walks.append(walked.percentile(50) * 1000)
            light_pages.append(same.percentile(50) * 1000)
            worst.append(walked.percentile(95) * 1000)
            light_worst.append(same.percentile(95) * 1000)
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
        Figure(
            f"Walk of the heaviest wallet, {heavy_twaps:,} TWAPs: p50 of its pages",
            Samples(walks, "ms"),
            "p50 of the light wallet's page, one at a time",
            Samples(light_pages, "ms"),
        ),
        Figure(
            "The same: p95",
            Samples(worst, "ms"),
            "p95",
            Samples(light_worst, "ms"),
        ),
    ]


def measure_locality(whole: Workplace, runs: int) -> list[Figure]:
    """Ask for the page when its rows lie together, and when they lie as they came."""
    wallet, _ = wallet_of(whole.url, LIGHT)
    script = _page_script(whole, wallet)
    together = [_pgbench(whole, script) for _ in range(runs)]
    with psycopg.connect(whole.url, autocommit=True) as connection:
        connection.execute("cluster marts.twap_status using idx_twap_status_ts")
        connection.execute("analyze marts.twap_status")
    scattered = [_pgbench(whole, script) for _ in range(runs)]
    return [
        Figure(
            "The page's SQL if all had come hour by hour",
            Samples(scattered, "pages/s"),
            "after a rebuild, which puts the rows of a wallet together",
            Samples(together, "pages/s"),
            is_rate=True,
        ),
    ]


def wallet_of(url: str, twaps: int) -> tuple[str, int]:
    """Return the wallet with nearest to so many TWAPs, and how many it has."""
    statement = (Path(__file__).parent / "wallet.sql").read_bytes()
    with psycopg.connect(url) as connection:
        row = connection.execute(statement, {"twaps": twaps}).fetchone()
    if row is None:
        raise RuntimeError(f"No wallet has a TWAP in {YEAR}")
    return str(row[0]), int(row[1])


def _path(wallet: str) -> str:
    return f"/api/v1/twaps?wallet={wallet}&year={YEAR}&limit={LIMIT}"


def _page_script(workplace: Workplace, wallet: str) -> Path:
    """Write the statement of the first page, with its values in it, for pgbench."""
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
        "page_size": LIMIT,
        "skip": 0,
        **dict.fromkeys(("asset", "side", "status")),
    }
    with psycopg.connect(workplace.url) as connection:
        text = psycopg.ClientCursor(connection).mogrify(read_sql("twap_page"), values)
    script = workplace.folder / "page.sql"
    # As a comment ends pgbench's line, and a colon begins a variable.
    script.write_text(re.sub(r"--.*", "", text) + ";\n")
    return script


def _pgbench(workplace: Workplace, script: Path) -> float:
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
        env=workplace.environment()
        | libpq_environment(workplace.url)
        | {"PGOPTIONS": options},
        check=False,
        capture_output=True,
        text=True,
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(found[1])
