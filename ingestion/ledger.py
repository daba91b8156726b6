"""What complete loads have landed so far, by object key."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from ingestion.statements import statement
from warehouse.database import Connection


@dataclass
class KeyRecord:
    """What the ledger says of one key.

    `shown` is the (ETag, last_modified) of its last good row; `landed` the rows of each
    ETag that landed under it; `has_failed` tells whether a later version failed.
    """

    shown: tuple[str, datetime]
    landed: dict[str, int] = field(default_factory=dict)
    has_failed: bool = False


Ledger = dict[str, KeyRecord]


def read_ledger(connection: Connection) -> Ledger:
    """Return the ledger; an empty one when the staging schema is not there yet."""
    if connection.execute(statement("has_ledger")).fetchone() != (True,):
        return {}
    ledger: Ledger = {}
    for row in connection.execute(statement("ledger")):
        key, etag, last_modified, outcome, rows = cast(
            "tuple[str, str, datetime, str, int]", row
        )
        if outcome == "failed":
            if key in ledger:
                ledger[key].has_failed = True
            continue
        record = ledger.setdefault(key, KeyRecord(shown=(etag, last_modified)))
        record.shown, record.has_failed = (etag, last_modified), False
        if outcome == "landed":
            record.landed[etag] = rows
    return ledger
