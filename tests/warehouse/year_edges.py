"""Hand-made events around a New Year, where a year's end shows its mistakes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.sample import PREFIX

EDGE = "0xedge000000000000000000000000000000000000"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NEW_YEAR_NS = int(NEW_YEAR.timestamp()) * 10**9
HOUR_NS = 3600 * 10**9


def event(twap_id: int, ns: int, status: str, **changes: Any) -> dict[str, Any]:
    """A row as published; `ns` are nanoseconds since New Year."""
    return {
        "twap_id": twap_id,
        "time": NEW_YEAR_NS + ns,
        "state_coin": "BTC",
        "state_user": EDGE.upper().replace("0X", "0x"),
        "state_side": "B",
        "state_sz": "122.0",
        "state_executedSz": "0.0" if status == "activated" else "1.000001",
        "state_executedNtl": "0.0" if status == "activated" else "98643.649731",
        "state_minutes": 90,
        "state_reduceOnly": False,
        "state_randomize": True,
        "state_timestamp": (NEW_YEAR_NS - 24 * HOUR_NS) // 10**6,
        "status": status,
        "status_error": None,
        **changes,
    }


ERROR = {"state_coin": "@151", "state_sz": "86.0"}

EDGES: dict[str, tuple[list[dict[str, Any]], datetime]] = {
    f"{PREFIX}edges/nanoseconds.parquet": (
        [
            event(90001, 0, "finished"),
            event(90002, -(10**9) // 2, "finished"),
            # Cut and never rounded: else it would be of another year.
            event(90003, -1, "finished"),
            event(90004, -12 * HOUR_NS, "activated"),
            event(90004, 2 * HOUR_NS, "finished"),
        ],
        NEW_YEAR + timedelta(hours=3),
    ),
    f"{PREFIX}edges/microseconds.parquet": (
        [
            event(90006, 0, "finished", time=NEW_YEAR_NS // 1000 - 1),
            event(90007, 0, "finished", time=NEW_YEAR_NS // 1000 + 1),
        ],
        NEW_YEAR + timedelta(hours=3),
    ),
    f"{PREFIX}edges/texts.parquet": (
        [
            event(90008, 0, "finished", time="2025-12-31T23:59:59.9999999Z"),
            event(90009, 0, "finished", time="2026-01-01T08:59:59.999999+09:00"),
            event(90010, 0, "finished", time="2026-01-01T09:00:00+09:00"),
        ],
        NEW_YEAR + timedelta(hours=3),
    ),
    f"{PREFIX}edges/error.parquet": (
        [
            event(
                90005,
                -240 * HOUR_NS,
                '{"error": "Insufficient spot balance"}',
                state_executedSz="49.0413",
                state_executedNtl="107736.21719",
                **ERROR,
            )
        ],
        NEW_YEAR,
    ),
    f"{PREFIX}edges/error-again.parquet": (
        [
            event(
                90005,
                800 * HOUR_NS,
                '{"error": "Insufficient spot balance"}',
                state_executedSz="61.5",
                state_executedNtl="135000.0",
                **ERROR,
            )
        ],
        NEW_YEAR + timedelta(days=40),
    ),
}
"""Objects by key: their rows, and when they were last modified."""
