"""S3 objects into the schema `staging`, losslessly. Interprets nothing.

`ingest` is the one way in.
"""

from ingestion.cost import Cost
from ingestion.objects import FailedObject, S3Object
from ingestion.plan import Plan, Selection
from ingestion.progress import Progress
from ingestion.report import IngestionStopped, Report
from ingestion.run import ingest
from ingestion.source import S3Source

__all__ = [
    "Cost",
    "FailedObject",
    "IngestionStopped",
    "Plan",
    "Progress",
    "Report",
    "S3Object",
    "S3Source",
    "Selection",
    "ingest",
]
