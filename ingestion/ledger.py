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
    ETag that landed under it.
    """

    shown: tuple[str, datetime]
    landed: dict[str, int] = field(default_factory=dict)


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
        record = ledger.setdefault(key, KeyRecord(shown=(etag, last_modified)))
        record.shown = (etag, last_modified)
        if outcome == "landed":
            record.landed[etag] = rows
    return ledger
