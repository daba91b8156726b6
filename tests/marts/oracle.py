"""The marts, computed anew in plain Python from the parquet objects.

Written from the rules and not from the SQL, so that a mistake in one shows against the
other. It reads typed values (an int, a datetime, a Decimal), where the warehouse reads
text.
"""

import hashlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
OPEN = {"activated", "waitingForTrigger", "executing", "running"}
TERMINAL = {"finished", "terminated", "error", "stopped"} | {
    "completed",
    "canceled",
    "cancelled",
}
WHITE_SPACE = " \t\n\v\f\r"
NUMBER = re.compile(
    r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE]([+-]?[0-9]{1,3}))?\s*", re.ASCII
)
ISO = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*"
    r"(Z|z|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)?)?\s*",
    re.ASCII,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Published:
    """An object as a listing shows it."""

    key: str
    body: bytes
    last_modified: datetime

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Seen:
    """A good observation of an object: it landed, or it was known."""

    etag: str
    last_modified: datetime
    completed_at: datetime


@dataclass
class Oracle:
    """What a warehouse has seen, run by run, and the marts that follow from it."""

    bodies: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    landed_at: dict[tuple[str, str], datetime] = field(default_factory=dict)
    failures: dict[str, list[datetime | None]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Of each attempt at a key, last_modified of what it failed at; None if good."""
    sizes: dict[tuple[str, str], int] = field(default_factory=dict)

    def run(self, listing: Iterable[Published], completed_at: datetime) -> None:
        """Take one run over the whole bucket, whose load was complete at that time."""
        for shown in listing:
            name = shown.key.rsplit("/", 1)[-1]
            if not name or name[0] in "_.":
                continue
            history = self.seen[shown.key]
            if history and (history[-1].etag, history[-1].last_modified) == (
                shown.etag,
                shown.last_modified,
            ):
                continue
            address = (shown.key, shown.etag)
            if address not in self.bodies:
                rows = read_rows(shown.body)
                self.failures[shown.key].append(
                    shown.last_modified if rows is None else None
                )
                if rows is None:
                    continue
                self.bodies[address] = rows
                self.sizes[address] = len(shown.body)
                self.landed_at[address] = completed_at
            else:
                self.failures[shown.key].append(None)
            history.append(Seen(shown.etag, shown.last_modified, completed_at))

    def ingest_log(self) -> list[Row]:
        """Return etl_s3_ingest_log; of error_text only whether there is one."""
        log = []
        for key, failures in self.failures.items():
            shown = self.seen[key][-1] if self.seen[key] else None
            address = (key, shown.etag) if shown else ("", "")
            log.append(
                {
                    "object_key": key,
                    "last_modified": shown and shown.last_modified,
                    "etag": shown and shown.etag,
                    "size_bytes": self.sizes.get(address),
                    "rows_ingested": len(self.bodies[address]) if shown else None,
                    "has_error": failures[-1] is not None,
                    "error_last_modified": failures[-1],
                    "attempts": len(failures),
                    "ingested_at": self.landed_at.get(address),
                }
            )
        return log

    def marts(self) -> dict[str, list[Row]]:
        """Return twap_status, twap_latest, twap_withdrawn and twap_status_rejected."""
        copies: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        touched: dict[tuple[str, str], datetime] = {}
        revised: dict[tuple[str, str], datetime] = {}
        once_here: dict[tuple[str, str], datetime] = {}
        rejected = []
        for (key, etag), rows in self.bodies.items():
            history = self.seen[key]
            if not history:
                continue
            is_shown = history[-1].etag == etag
            last_modified = [o.last_modified for o in history if o.etag == etag][-1]
            touched_at = max(
                after.completed_at
                for before, after in zip([None, *history], history, strict=False)
                if etag in (after.etag, before and before.etag)
            )
            revisions = [
                after.completed_at
                for before, after in itertools.pairwise(history)
                if etag in (after.etag, before.etag)
            ]
            for number, row in enumerate(rows):
                event, is_good = interpret(row, last_modified)
                event |= {"s3_object_key": key, "s3_etag": etag, "row_number": number}
                event["inserted_at"] = self.landed_at[key, etag]
                event["last_modified"] = last_modified
                twap = (event["twap_id"], event["wallet"])
                if None not in twap:
                    touched[twap] = max(touched.get(twap, touched_at), touched_at)
                    if revisions:
                        revised[twap] = max(revised.get(twap, revisions[0]), *revisions)
                if not is_shown and is_good:
                    once = max(once_here.get(twap, touched_at), touched_at)
                    once_here[twap] = once
                elif is_shown and is_good:
                    copies[*twap, event["ts"], event["status"]].append(event)
                elif is_shown:
                    rejected.append(
                        {
                            n: event[n]
                            for n in ("s3_object_key", "s3_etag", "row_number")
                        }
                    )
        lives: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for same in copies.values():
            winner = max(
                same,
                key=lambda e: (
                    e["last_modified"],
                    _null_low(e["size_executed"]),
                    e["s3_object_key"].encode(),
                    e["row_number"],
                ),
            )
            lives[winner["twap_id"], winner["wallet"]].append(
                {**winner, "copies": len(same)}
            )
        status, latest = [], []
        for twap, life in lives.items():
            life.sort(
                key=lambda e: (
                    e["ts"],
                    {False: 0, None: 1, True: 2}[e["is_terminal"]],
                    _null_low(e["size_executed"]),
                    e["status"].encode(),
                )
            )
            for event, following in zip(life, [*life[1:], None], strict=True):
                event["valid_to"] = following and following["ts"]
                event["average_price"] = price(
                    event["notional_executed"], event["size_executed"]
                )
            status += life
            last = life[-1]
            latest.append(
                {
                    **last,
                    "started_at": last["order_ts"],
                    "ended_at": last["ts"] if last["is_terminal"] else None,
                    "event_count": len(life),
                    "updated_at": touched[twap],
                    "revised_at": revised.get(twap),
                }
            )
        newest = max((event["ts"] for event in status), default=None)
        for twap in latest:
            twap["is_overdue"] = is_overdue(twap, newest)
        withdrawn = [
            {"twap_id": twap[0], "wallet": twap[1], "updated_at": at}
            for twap, at in once_here.items()
            if twap not in lives
        ]
        return {
            "twap_status": status,
            "twap_latest": latest,
            "twap_withdrawn": withdrawn,
            "twap_status_rejected": rejected,
            "twap_coverage": coverage(status),
            "twap_daily": daily(latest),
            "twap_daily_largest": daily_largest(latest),
            "twap_digest": digests(status),
        }


def is_overdue(twap: Row, newest: datetime | None) -> bool:
    """Tell whether an open TWAP should have ended an hour before the newest event."""
    if twap["is_terminal"] is not False or newest is None:
        return False
    if twap["order_ts"] is None or twap["duration_minutes"] is None:
        return False
    end = (twap["order_ts"] - EPOCH) / timedelta(minutes=1) + twap["duration_minutes"]
    return end + 60 < (newest - EPOCH) / timedelta(minutes=1)


def coverage(events: list[Row]) -> list[Row]:
    """Return twap_coverage."""
    hours: dict[datetime, list[Row]] = defaultdict(list)
    for event in events:
        hours[event["ts"].replace(minute=0, second=0, microsecond=0)].append(event)
    rows = []
    hour = min(hours, default=EPOCH)
    while hours and hour <= max(hours):
        inside = hours.get(hour, [])
        moments = [event["ts"] for event in inside]
        rows.append(
            {
                "hour": hour,
                "events": len(inside),
                "activated": sum(event["status"] == "activated" for event in inside),
                "terminal": sum(event["is_terminal"] is True for event in inside),
                "objects": len({event["s3_object_key"] for event in inside}),
                "is_empty": not inside,
                "first_event": min(moments, default=None),
                "last_event": max(moments, default=None),
            }
        )
        hour += timedelta(hours=1)
    return rows


def daily(latest: list[Row]) -> list[Row]:
    """Return twap_daily."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for twap in latest:
        if twap["is_terminal"]:
            key = (twap["ts"].date(), twap["asset"], twap["side"], twap["status"])
            groups[key].append(twap)
    return [
        {
            "day": day,
            "asset": asset,
            "side": side,
            "status": status,
            "twaps": len(twaps),
            "size_executed": total(twaps, "size_executed"),
            "notional_executed": total(twaps, "notional_executed"),
            "wallets": len({twap["wallet"] for twap in twaps}),
        }
        for (day, asset, side, status), twaps in groups.items()
    ]


def daily_largest(latest: list[Row]) -> list[Row]:
    """Return twap_daily_largest."""
    days: dict[Any, list[Row]] = defaultdict(list)
    for twap in latest:
        if twap["is_terminal"] and (twap["notional_executed"] or 0) > 0:
            days[twap["ts"].date()].append(twap)
    rows = []
    for day, twaps in days.items():
        twaps.sort(key=lambda twap: (twap["twap_id"].encode(), twap["wallet"].encode()))
        # Stable, also when reversed: the order of the ids stays among equals.
        twaps.sort(key=lambda twap: twap["notional_executed"], reverse=True)
        rows += [
            {"day": day, "rank": rank, **{name: twap[name] for name in TOLD_OF_LARGEST}}
            for rank, twap in enumerate(twaps[:10], start=1)
        ]
    return rows


TOLD_OF_LARGEST = (
    *("twap_id", "wallet", "asset", "side", "status", "size_executed"),
    *("notional_executed", "average_price", "started_at", "ended_at"),
)


def total(twaps: list[Row], name: str) -> Decimal | None:
    """Return the exact sum of what is not null; null where all are."""
    amounts = [twap[name] for twap in twaps if twap[name] is not None]
    with localcontext(prec=300):
        return sum(amounts, Decimal(0)) if amounts else None


def digests(events: list[Row]) -> list[Row]:
    """Return twap_digest."""
    days: dict[Any, list[Row]] = defaultdict(list)
    for event in events:
        days[event["ts"].date()].append(event)
    rows = []
    for day, inside in days.items():
        inside.sort(
            key=lambda e: (
                e["twap_id"].encode(),
                e["wallet"].encode(),
                e["ts"],
                e["status"].encode(),
            )
        )
        text = "\n".join(canonical_text(event) for event in inside)
        digest = hashlib.sha256(text.encode()).hexdigest()
        rows.append({"day": day, "events": len(inside), "sha256": digest})
    return rows


def canonical_text(event: Row) -> str:
    """Return the line of an event that its day's digest is taken of."""

    def micros(at: datetime | None) -> int | None:
        return None if at is None else (at - EPOCH) // timedelta(microseconds=1)

    def plain(amount: Decimal | None) -> str | None:
        if amount is None:
            return None
        with localcontext(prec=300):
            text = format(amount + 0, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text if text.strip("-0.") else "0"

    values = [event["twap_id"], event["wallet"], micros(event["ts"])]
    values += [micros(event["order_ts"]), event["asset"], event["side"]]
    values += [event["status"], event["status_error"]]
    values += [plain(event[n]) for n in ("size_requested", "size_executed")]
    values += [plain(event["notional_executed"]), event["duration_minutes"]]
    values += [event["reduce_only"], event["randomize"]]
    return json.dumps(values, ensure_ascii=False, separators=(", ", ": "))


def read_rows(body: bytes) -> list[Row] | None:
    """Return the rows of a parquet body; None where it is none."""
    try:
        table = pq.ParquetFile(BytesIO(body)).read()
    except (pa.ArrowException, OSError):
        return None
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        columns[name] = column.to_pylist()
    return [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]


def interpret(row: Row, last_modified: datetime) -> tuple[Row, bool]:
    """Return the row as an event, and whether it can be one."""
    good = True

    def amount(name: str) -> Decimal | None:
        nonlocal good
        value = row.get(name)
        if value is None or value == "":
            return None
        read = number(value)
        good = good and read is not None
        return read

    def moment(name: str) -> datetime | None:
        at = instant(row.get(name))
        return at if at and FIRST <= at <= last_modified + timedelta(days=1) else None

    status, status_error = status_of(row)
    order_ts = moment("state_timestamp")
    minutes = amount("state_minutes")
    if minutes is not None and not (is_whole(minutes) and 0 <= minutes < 2**31):
        good, minutes = False, None
    wallet = "".join(
        chr(ord(c) + 32) if "A" <= c <= "Z" else c
        for c in str(row.get("state_user") or "")
    )
    event = {
        "twap_id": twap_id(row.get("twap_id")),
        "wallet": wallet or None,
        "ts": moment("time") or order_ts,
        "has_time": moment("time") is not None,
        "order_ts": order_ts,
        "asset": row.get("state_coin") or "unknown",
        "side": row.get("state_side") or "unknown",
        "size_requested": amount("state_sz"),
        "size_executed": amount("state_executedSz"),
        "notional_executed": amount("state_executedNtl"),
        "status": status,
        "status_error": status_error,
        "is_terminal": True
        if status in TERMINAL
        else False
        if status in OPEN
        else None,
        "duration_minutes": None if minutes is None else int(minutes),
        "reduce_only": boolean(row.get("state_reduceOnly")),
        "randomize": boolean(row.get("state_randomize")),
    }
    keys = [event[name] for name in ("twap_id", "wallet", "asset", "side", "status")]
    good = good and None not in (event["twap_id"], event["wallet"], event["ts"])
    good = good and all(
        len(key) <= 256 and len(key.encode()) <= 768 for key in keys if key is not None
    )
    return event, good


def number(value: Any) -> Decimal | None:
    """Return the value as an exact number; None where it is none."""
    if isinstance(value, bool):
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    match = NUMBER.fullmatch(text)
    if len(text) > 64 or not match or abs(int(match[3] or 0)) > 40:
        return None
    return Decimal(text.strip())


def is_whole(read: Decimal) -> bool:
    """Tell whether a number is a whole one."""
    return read == read.to_integral_value()


def instant(value: Any) -> datetime | None:
    """Return the value as a moment, cut to the microsecond; None where it is none."""
    read = number(value) if value is not None else None
    if read is not None:
        if not is_whole(read) or read < 0:
            return None
        whole = int(read)
        if whole >= 10**17:
            micros = whole // 1000
        elif whole >= 10**14:
            micros = whole
        else:
            micros = whole * (1000 if whole >= 10**11 else 1_000_000)
        return EPOCH + timedelta(microseconds=micros) if micros < 9e15 else None
    match = ISO.fullmatch(str(value or ""))
    if not match:
        return None
    year, month, day, hour, minute, second = (
        int(part or 0) for part in match.groups()[:6]
    )
    micro = int((match[7] or "").ljust(6, "0")[:6])
    try:
        at = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    except ValueError:
        return None
    zone = (match[8] or "Z").replace(":", "")
    if zone not in "Zz":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5] or 0))
        at -= offset if zone[0] == "+" else -offset
    return at


def twap_id(value: Any) -> str | None:
    """Return the id: whole numbers as integers, any other text as it is."""
    if value is None or value == "":
        return None
    read = number(value)
    if read is not None and is_whole(read):
        return str(int(read))
    return str(value)


def status_of(row: Row) -> tuple[str, str | None]:
    """Return the status and the message of its error."""
    status, column = row.get("status"), row.get("status_error") or None
    if isinstance(status, str) and status.lstrip(WHITE_SPACE).startswith("{"):
        if len(re.findall(r"[\[{]", status)) >= 1000:
            return status, column
        try:
            read = json.loads(re.sub(r"(?<!\\)((\\\\)*)\\u0000", r"\1\\ufffd", status))
        except ValueError:
            return status, column
        if not {"error", "status"} & read.keys():
            return status, column
        status = read
    if isinstance(status, dict):
        if status.get("error") is not None:
            return "error", status["error"] or column
        word = status.get("status") or ("error" if column else "unknown")
        message = status.get("description") if word == "error" else None
        return word, message or column
    if status and status.startswith("error:"):
        return "error", status[len("error:") :].strip(WHITE_SPACE) or column
    return status or ("error" if column else "unknown"), column


def boolean(value: Any) -> bool | None:
    """Return the value as a boolean; None where it is none."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    return words.get(str(value).lower())


def price(notional: Decimal | None, size: Decimal | None) -> Decimal | None:
    """Return the average price to 12 digits."""
    if notional is None or not size:
        return None
    return Context(prec=12, rounding=ROUND_HALF_EVEN).divide(notional, size)


def _null_low(value: Decimal | None) -> tuple[bool, Decimal]:
    return (value is not None, value or Decimal(0))
