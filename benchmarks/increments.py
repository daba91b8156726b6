"""`elt` as cron calls it: with one new hour, and with nothing new."""

from benchmarks.figures import Figure, Samples
from benchmarks.workplace import Workplace

ELT = ("-m", "warehouse", "elt")

START = (
    "-c",
    """
import os, dlt, pyarrow
from warehouse import dbt
dbt.run(["build", "--select", "path:nothing"], os.environ["DATABASE_URL"], quiet=True)
""",
)

LISTING = (
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


def measure_increments(whole: Workplace, tenth: Workplace, runs: int) -> list[Figure]:
    """Load one more hour onto both histories, and then nothing, as often as asked."""
    turns = []
    for _ in range(runs + 1):
        whole.bucket.publish_hour()
        tenth.bucket.publish_hour()
        turns.append(
            (
                whole.seconds(*ELT),
                tenth.seconds(*ELT),
                whole.seconds(*START),
                whole.seconds(*ELT),
                whole.seconds(*LISTING),
            )
        )
    # The first turn compiles Python's modules and dbt's project.
    columns = zip(*turns[1:], strict=True)
    hours, tenth_hours, starts, nothings, listings = columns
    more = [hour - start for hour, start in zip(hours, starts, strict=True)]
    return [
        Figure(
            "One new hour onto the history, whole process",
            Samples(hours, "s"),
            "start of dlt, and of dbt that builds nothing",
            Samples(starts, "s"),
        ),
        Figure("The one less the other", Samples(more, "s")),
        Figure(
            "One new hour onto the history",
            Samples(hours, "s"),
            "onto a tenth of the history",
            Samples(tenth_hours, "s"),
        ),
        Figure(
            "Nothing new, whole process",
            Samples(nothings, "s"),
            "a listing by boto3, whole process",
            Samples(listings, "s"),
        ),
    ]
