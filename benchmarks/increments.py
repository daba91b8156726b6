"""`elt` as cron calls it: with one new hour, and with nothing new."""

from benchmarks.bucket import Bucket
from benchmarks.figures import Figure, Samples
from benchmarks.workplace import Workplace

ELT = ("-m", "warehouse", "elt")

BARE_START = ("-c", "import dlt, dbt.cli.main, pyarrow")

BARE_LISTING = (
    "-c",
    """
import os, boto3
client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
pages = client.get_paginator("list_objects_v2").paginate(
    Bucket=os.environ["AWS_S3_BUCKET"],
    Prefix="raw/twap_statuses/",
    RequestPayer="requester",
)
print(sum(len(page["Contents"]) for page in pages))
""",
)


def measure_increments(
    workplace: Workplace, bucket: Bucket, url: str, runs: int
) -> list[Figure]:
    """Load one more hour onto the history, and then nothing, as often as asked."""
    hours, starts, nothings, listings = [], [], [], []
    for turn in range(runs + 1):
        bucket.publish_hour()
        hour = workplace.seconds(*ELT, database_url=url)
        start = workplace.seconds(*BARE_START)
        nothing = workplace.seconds(*ELT, database_url=url)
        listing = workplace.seconds(*BARE_LISTING)
        # The first turn compiles Python's modules and dbt's project.
        if turn:
            hours.append(hour)
            starts.append(start)
            nothings.append(nothing)
            listings.append(listing)
    return [
        Figure(
            "One new hour onto the history, whole process",
            Samples(hours, "s"),
            "`import dlt, dbt.cli.main, pyarrow`",
            Samples(starts, "s"),
        ),
        Figure(
            "Nothing new, whole process",
            Samples(nothings, "s"),
            "a listing by boto3, whole process",
            Samples(listings, "s"),
        ),
    ]
