"""`python -m benchmarks`: measure, print a table, and write results.md."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.bucket import MORE_DAYS, bucket_of
from benchmarks.building import measure_building
from benchmarks.exports import measure_exports
from benchmarks.figures import Figure
from benchmarks.increments import measure_increments
from benchmarks.landing import measure_landing, measure_latency
from benchmarks.pages import measure_locality, measure_pages
from benchmarks.results import page
from benchmarks.server import serving
from benchmarks.workplace import make_workplace
from sandbox import postgres

RESULTS = Path(__file__).parent / "results.md"


def main() -> int:
    """Measure all; return the exit status."""
    options = _options()
    busy = os.getloadavg()[0]
    runs = options.runs
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="twap-benchmarks-") as name,
        postgres.temporary() as server,
        bucket_of(options.days) as bucket,
        bucket_of(options.days // 10) as small_bucket,
    ):
        folder = Path(name)
        whole = make_workplace(folder / "whole", bucket, server.url)
        tenth = make_workplace(folder / "tenth", small_bucket, server.url)
        figures += _shown(measure_latency(whole, runs))
        figures += _shown(measure_landing(whole, tenth, runs))
        figures += _shown(measure_building(whole, tenth, runs))
        figures += _shown(measure_increments(whole, tenth, runs))
        with serving(whole) as api:
            figures += _shown(measure_pages(whole, api, runs))
            figures += _shown(measure_exports(whole, api, runs))
        figures += _shown(measure_locality(whole, runs))
        text = page(
            figures, days=options.days, runs=runs, busy=busy, server_url=server.url
        )
    options.output.write_text(text)
    print(f"\n{text}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Our speed, beside its limits."
    )
    parser.add_argument(
        "--days",
        type=int,
        default=448,
        help="of history, each of 2,900 TWAPs; 448 are all that there was",
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="how often each thing is measured"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="where to write")
    options = parser.parse_args()
    if options.days < 10 or not 1 <= options.runs < MORE_DAYS * 24:
        parser.error("--days are 10 or more, --runs 1 or more")
    return options


def _shown(figures: list[Figure]) -> list[Figure]:
    for figure in figures:
        print(" | ".join(cell for cell in figure.cells() if cell), flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
