"""Landing: from the bucket's listing to staged rows."""

from benchmarks.figures import Figure, Samples
from benchmarks.workplace import Workplace, new_database


def measure_landing(
    workplace: Workplace, server_url: str, runs: int
) -> tuple[str, list[Figure]]:
    """Land the bucket into an empty database, as often as asked.

    Returns the URL of the last database, and the figures.
    """
    rates, limits, objects, gets, peaks = [], [], [], [], []
    url = ""
    for _ in range(runs):
        url = new_database(server_url, "bench")
        ours = workplace.job("land", url)
        limit = workplace.job("land_limit", url)
        if ours["rows"] != limit["rows"]:
            raise RuntimeError(f"{ours['rows']} rows landed, {limit['rows']} are there")
        rates.append(ours["rows"] / ours["seconds"])
        limits.append(limit["rows"] / limit["seconds"])
        bare = workplace.job("get_limit", url)
        objects.append(ours["objects"] / ours["seconds"])
        gets.append(bare["objects"] / bare["seconds"])
        peaks.append(ours["peak_mb"])
    return url, [
        Figure(
            f"Landing {ours['objects']:,} objects, {ours['rows']:,} rows",
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
        Figure("Peak memory of the landing process", Samples(peaks, "MB")),
    ]
