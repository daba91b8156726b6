"""Landing: from the bucket's listing to staged rows."""

from benchmarks.figures import Figure, Samples
from benchmarks.workplace import Workplace
from ingestion.fetch import THREADS

LATENCY_SECONDS = 0.08
"""About what S3 takes to answer a GET from another continent."""


def measure_landing(whole: Workplace, tenth: Workplace, runs: int) -> list[Figure]:
    """Land the history, and a tenth of it, into empty databases, as often as asked."""
    rates, limits, objects, gets, peaks, tenth_peaks = [], [], [], [], [], []
    for _ in range(runs):
        tenth.empty_database()
        tenth_peaks.append(tenth.job("land")["peak_mb"])
        whole.empty_database()
        ours = whole.job("land")
        limit = whole.job("land_limit")
        if ours["rows"] != limit["rows"]:
            raise RuntimeError(f"{ours['rows']} rows landed, {limit['rows']} are there")
        rates.append(ours["rows"] / ours["seconds"])
        limits.append(limit["rows"] / limit["seconds"])
        bare = whole.job("get_limit")
        objects.append(ours["objects"] / ours["seconds"])
        gets.append(bare["objects"] / bare["seconds"])
        peaks.append(ours["peak_mb"])
    return [
        Figure(
            f"Backfill: {ours['objects']:,} objects, {ours['rows']:,} rows",
            Samples(rates, "rows/s"),
            "`adbc_ingest` of the same rows from memory, 2 connections",
            Samples(limits, "rows/s"),
            is_rate=True,
        ),
        Figure(
            "The same by objects",
            Samples(objects, "objects/s"),
            "bare GETs of them: what the sandbox's bucket can give",
            Samples(gets, "objects/s"),
            is_rate=True,
        ),
        Figure(
            "Peak memory of the backfill",
            Samples(peaks, "MB"),
            "that of a tenth of the objects",
            Samples(tenth_peaks, "MB"),
        ),
    ]


def measure_latency(whole: Workplace, runs: int) -> list[Figure]:
    """Land the history from a bucket that is far away, as often as asked."""
    seconds, limits = [], []
    with whole.bucket.delayed(LATENCY_SECONDS):
        for _ in range(runs):
            whole.empty_database()
            ours = whole.job("land")
            seconds.append(ours["seconds"])
            limits.append(ours["objects"] * LATENCY_SECONDS / THREADS)
    return [
        Figure(
            f"Backfill with {LATENCY_SECONDS * 1000:.0f} ms of latency a GET",
            Samples(seconds, "s"),
            f"objects × latency ÷ {THREADS} connections",
            Samples(limits, "s"),
        )
    ]
