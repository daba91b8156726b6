"""Which column names a landed table can carry."""

from collections import Counter
from collections.abc import Sequence

from ingestion.objects import ObjectFailed

KNOWN_COLUMNS = (
    "twap_id",
    "time",
    "state_coin",
    "state_user",
    "state_side",
    "state_sz",
    "state_executedSz",
    "state_executedNtl",
    "state_minutes",
    "state_reduceOnly",
    "state_randomize",
    "state_timestamp",
    "status",
    "status_error",
)
"""The columns that the publisher is known to write; the table always has them."""

OUR_COLUMNS = ("_s3_object_key", "_s3_etag", "_row_number")
"""The address of a landed row."""

MAX_UNKNOWN_COLUMNS = 100
"""More than that in one object is no new column but another kind of file."""

MAX_TABLE_COLUMNS = 1000
"""Postgres stops at 1,600, dropped ones included."""

_MAX_NAME_BYTES = 63
# Every Postgres table has these already.
_SYSTEM_COLUMNS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
# dlt's naming `direct` and its quoting change these characters.
_CHANGED_CHARACTERS = frozenset("\"'▶\\")


def check_names(names: Sequence[str]) -> None:
    """Return when an object with these columns can be landed under exactly these names.

    Raises ObjectFailed, naming the first column that cannot.
    """
    for name, count in Counter(names).items():
        if count > 1:
            raise ObjectFailed(f"{count} columns are named {name!r}")
        if name in OUR_COLUMNS or name.startswith("_dlt"):
            raise ObjectFailed(f"column name {name!r} is reserved")
        if not _is_kept_as_it_is(name):
            raise ObjectFailed(f"column name {name!r} cannot be a column in Postgres")
    unknown = set(names).difference(KNOWN_COLUMNS)
    if len(unknown) > MAX_UNKNOWN_COLUMNS:
        raise ObjectFailed(
            f"{len(unknown)} unknown columns, more than {MAX_UNKNOWN_COLUMNS}: "
            "this is another kind of file"
        )


def _is_kept_as_it_is(name: str) -> bool:
    return (
        name != ""
        and name == name.strip()
        and name.isprintable()
        and len(name.encode()) <= _MAX_NAME_BYTES
        and name not in _SYSTEM_COLUMNS
        and not _CHANGED_CHARACTERS.intersection(name)
    )


class TableColumns:
    """The columns of the landed table, as this run's objects add to them."""

    def __init__(self, existing: Sequence[str]) -> None:
        self._names = {*existing, *KNOWN_COLUMNS, *OUR_COLUMNS}

    def admit(self, names: Sequence[str]) -> None:
        """Add the columns of one object.

        Raises ObjectFailed, adding none, when the table would become too wide.
        """
        wider = self._names.union(names)
        if len(wider) > max(MAX_TABLE_COLUMNS, len(self._names)):
            raise ObjectFailed(
                f"its new columns would make the table wider than {MAX_TABLE_COLUMNS}"
            )
        self._names = wider
