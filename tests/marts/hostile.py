"""Objects full of values that break a careless reader, by a seed."""

import random
import string
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ENDLESS = "".join(random.Random(0).choices(string.ascii_letters, k=6000))
"""No index takes it: it is hardly compressed."""

IDS = ["7", "7.0", "7e0", " 7", "+7", "007", "7.5", "abc", "", None, "-0", "0", "1e3"]
IDS += ["1e41", "8" * 70, "i" * 256, "i" * 257, "😀" * 192, "😀" * 200, "NaN", "8"]
IDS += [ENDLESS]
WALLETS = ["0xABC123", "0xabc123", "Wallet", "wallet", "ÄÖ", "äö", "", None, "w" * 3000]
TIMES = [
    *("1764867622417074898", "1764867622417074", "1764867622417", "1764867622"),
    *(
        "1.764867622417e+12",
        "1764867622417.0",
        "1764867622417.5",
        "1764867622417999999",
    ),
    *("2025-12-04T17:00:22.417074898", "2025-12-04 17:00:22Z", "2025-12-04", ""),
    *("2025-12-04T17:00:22.417+05:30", "2025-12-04T17:00:22,4-0130", "2025-02-30"),
    *("9999-12-31T23:59:59Z", "0001-01-01", "now", "infinity", "01/02/2025", "1e40"),
    *("2022-12-31T23:59:59.9999999Z", "2023-01-01", "-1764867622417", "nan", "today"),
    *("2025-12-04T24:00:00", "2025-12-04T17:60", "2025-12-04T17:00:22+25:00", "epoch"),
    *("20251204", "2025-12-04T17", "1e11", "99999999999", "1e14", "1e17", "0"),
    None,
]
STATUSES = [
    *("activated", "finished", "finished", "terminated", "error", "stopped", "paused"),
    *("Finished", "", "waitingForTrigger", "running", "canceled", "unknown"),
    *('{"error": "a \\" b"}', '{"status": "error", "description": "c"}', "{broken"),
    *('{"status": "finished", "description": ""}', '{"error": null}', " {} ", "null"),
    *("error: d: e", "error:", "error:f", "errors", '{"error": ""}', '["error"]', None),
    *("s" * 256, "s" * 257, '{"x": 1}', '{"error": "\\u0000"}'),
    # What a parser without a bound on its stack, or a pattern that goes back, dies of.
    f'{{"error": {"[" * 20_000}{"]" * 20_000}}}',
    f"error: a{' ' * 30_000}b",
]
ERRORS = [None, None, "", "message", "m" * 3000, "quote ' and \\ and \n newline"]
NUMBERS = [
    *("0", "0.0", "1.5", "168.460000000000000001", "-1", "+2", ".5", "5.", "1e-40"),
    *(
        "1E2",
        "1e40",
        "1e41",
        "1e-41",
        "1e040",
        "NaN",
        "Infinity",
        "1,5",
        "1_000",
        "0x1",
    ),
    *("", None, " 3 ", "9" * 64, "9" * 65, "1e", "e1", ".", "--1", "١٢", "1e+0040"),
]
MINUTES = [
    "0",
    "5",
    "30.0",
    "3e1",
    "30.5",
    "-1",
    "2147483647",
    "2147483648",
    "",
    None,
    "x",
]
BOOLEANS = ["true", "False", "T", "f", "1", "0", "yes", "", None]
COINS = ["BTC", "kBONK", "@107", "PURR/USDC", "xyz:NVDA", "#1890", "", None, "c" * 300]
SIDES = ["A", "B", "", None, "buy", ENDLESS]

COLUMNS: dict[str, list[Any]] = {
    "twap_id": IDS,
    "state_user": WALLETS,
    "time": TIMES,
    "state_timestamp": TIMES,
    "status": STATUSES,
    "status_error": ERRORS,
    "state_sz": NUMBERS,
    "state_executedSz": NUMBERS,
    "state_executedNtl": NUMBERS,
    "state_minutes": MINUTES,
    "state_reduceOnly": BOOLEANS,
    "state_randomize": BOOLEANS,
    "state_coin": COINS,
    "state_side": SIDES,
    # As our own SQL calls a row.
    "landed": ["x", None],
}
PLAIN: dict[str, list[Any]] = {
    "twap_id": ["1", "2", "3"],
    "state_user": ["0xa", "0xb"],
    "time": [
        *("1764867622417", "1764867622418", "1764867622419000000"),
        # The last millisecond of the day.
        "1764892799999",
    ],
    "state_timestamp": ["1764867000000"],
    "status": ["activated", "finished", "error: x", "paused"],
    "status_error": [None],
    "state_sz": ["10"],
    "state_executedSz": ["0", "5", "10", None],
    "state_executedNtl": ["0", "7", "20"],
    "state_minutes": ["5"],
    "state_reduceOnly": ["true"],
    "state_randomize": ["false"],
    "state_coin": ["BTC"],
    "state_side": ["A"],
    "landed": [None],
}


def hostile_body(seed: int, rows: int, hostility: float) -> bytes:
    """Return a parquet object; each value is hostile with that probability."""
    choose = random.Random(seed)
    names = [
        name
        for name in COLUMNS
        if name in ("twap_id", "state_user") or choose.random() > hostility / 5
    ]
    choose.shuffle(names)
    table = pa.table(
        {
            name: pa.array(
                [
                    choose.choice(
                        (COLUMNS if choose.random() < hostility else PLAIN)[name]
                    )
                    for _ in range(rows)
                ],
                pa.string(),
            )
            for name in names
        }
    )
    for name, convert in TYPED.items():
        if name in names and choose.random() < 0.3:
            values = table.column(name).to_pylist()
            typed = [convert(value) for value in values]
            table = table.set_column(
                names.index(name), name, pa.array(typed, type=TYPES.get(name))
            )
    sink = BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _or_none(read: Callable[[str], Any]) -> Callable[[str | None], Any]:
    def convert(value: str | None) -> Any:
        try:
            return None if value is None else read(value)
        except (ValueError, OverflowError, ArithmeticError):
            return None

    return convert


def _int64(value: str) -> int | None:
    read = int(Decimal(value))
    return read if abs(read) < 2**63 else None


def _struct(value: str) -> dict[str, str | None]:
    return {"status": None if value == "" else value, "error": None}


def _decimal(value: str) -> Decimal | None:
    read = Decimal(value)
    in_range = (
        read.is_finite() and read.adjusted() < 19 and -read.as_tuple().exponent < 19
    )
    return read if in_range else None


TYPED: dict[str, Callable[[str | None], Any]] = {
    "twap_id": _or_none(float),
    "time": _or_none(_int64),
    "state_timestamp": _or_none(_int64),
    "state_sz": _or_none(float),
    "state_executedSz": _or_none(_decimal),
    "state_minutes": _or_none(_int64),
    "status": _or_none(_struct),
    "state_reduceOnly": _or_none(lambda value: value == "true"),
}
TYPES = {
    "time": pa.timestamp("ns"),
    "state_timestamp": pa.int64(),
    "state_executedSz": pa.decimal128(38, 18),
    "state_minutes": pa.int64(),
    "state_reduceOnly": pa.bool_(),
}
