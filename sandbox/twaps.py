"""A made-up history of TWAP orders, at the rate and of the kinds of the real one.

All amounts are integers of a coin's smallest unit until they are written, so every
decimal is exact.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import NamedTuple

NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_HOUR = 60 * NS_PER_MINUTE

FIRST_TWAP_ID = 1_335_000
HEAVY_WALLET_SHARE = 0.04
NEVER_ENDING_SHARE = 0.015


class Event(NamedTuple):
    """One status event of a TWAP; times are integers in the unit of their name."""

    twap_id: int
    time_ns: int
    coin: str
    user: str
    side: str
    size: str
    executed_size: str
    executed_notional: str
    minutes: int
    reduce_only: bool
    randomize: bool
    placed_ms: int
    status: str
    status_error: str | None


class Coin(NamedTuple):
    """A coin, its price, and how many decimals its sizes and prices have."""

    name: str
    size_decimals: int
    price_decimals: int
    price: int
    typical_size: int


# Perps, spot pairs by index and by name, builder-deployed perps, an outcome.
COINS = (
    Coin("BTC", 5, 1, 1_043_210, 25_000),
    Coin("ETH", 4, 2, 341_250, 40_000),
    Coin("HYPE", 2, 4, 412_357, 20_000),
    Coin("SOL", 2, 3, 162_480, 5_000),
    Coin("kBONK", 0, 6, 12_345, 400_000),
    Coin("@107", 2, 4, 411_998, 15_000),
    Coin("PURR/USDC", 0, 5, 18_432, 9_000),
    Coin("xyz:NVDA", 3, 4, 1_873_215, 12_000),
    Coin("#1890", 0, 4, 4_213, 2_500),
)

# The frequent ones come first: the draw is skewed towards the start.
MINUTES = (5, 15, 30, 60, 10, 120, 20, 90, 45, 240, 270, 360, 720, 1440, 2880, 10080)

# A hundred ends as they are shared out; "paused" is a word that nobody has seen yet.
ENDS = (
    *("finished",) * 73,
    *("terminated",) * 20,
    *("error",) * 5,
    *("stopped",) * 1,
    *("paused",) * 1,
)

ERRORS = (
    "Insufficient margin to place order.",
    "Insufficient spot balance",
    "Reduce only order would increase position.",
    'Order price "0.1" is too far from the oracle: 3 %…',
)


def decimal_text(units: int, decimals: int) -> str:
    """Return units of 10^-decimals as Hyperliquid writes them: `108.36`, `10.0`."""
    if not decimals:
        return f"{units}.0"
    digits = str(units).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:].rstrip('0') or '0'}"


def wallets(count: int, seed: int) -> list[str]:
    """Return as many wallets; the first is the heavy one, the second a short one."""
    made = [
        "0x" + hashlib.sha256(f"wallet {seed} {number}".encode()).hexdigest()[:40]
        for number in range(count)
    ]
    made[1:2] = ["0xabc123"]
    return made[:count]


def hourly_events(
    start: datetime, hours: int, twaps_per_day: int, seed: int, wallet_count: int
) -> Iterator[list[Event]]:
    """Yield the events of each hour, in the order of their times.

    An hour depends on its number and the seed alone, so a longer history begins with
    the shorter one. Only what is still running is held in memory.
    """
    names = wallets(wallet_count, seed)
    first_hour_ns = int(start.timestamp()) * NS_PER_SECOND
    to_come: dict[int, list[Event]] = {}
    for hour in range(hours):
        random = Random(f"{seed} {hour}")  # noqa: S311  # sample data, no secret
        hour_ns = first_hour_ns + hour * NS_PER_HOUR
        numbers = range(hour * twaps_per_day // 24, (hour + 1) * twaps_per_day // 24)
        for number in numbers:
            for event in _twap(random, FIRST_TWAP_ID + number, hour_ns, names):
                due = (event.time_ns - first_hour_ns) // NS_PER_HOUR
                to_come.setdefault(due, []).append(event)
        events = to_come.pop(hour, [])
        events.sort(key=lambda event: event.time_ns)
        yield _in_blocks(random, events)


def _twap(random: Random, twap_id: int, hour_ns: int, names: list[str]) -> list[Event]:
    draw = random.random
    coin = COINS[int(len(COINS) * draw() ** 1.5)]
    size = 1 + int(coin.typical_size * draw() / (0.05 + draw()))
    heavy = draw() < HEAVY_WALLET_SHARE
    time_ns = hour_ns + int(draw() * NS_PER_HOUR)
    placed = Event(
        twap_id=twap_id,
        time_ns=time_ns,
        coin=coin.name,
        user=names[0 if heavy else int(len(names) * draw() * draw())],
        side="B" if draw() < 0.52 else "A",
        size=decimal_text(size, coin.size_decimals),
        executed_size="0.0",
        executed_notional="0.0",
        minutes=MINUTES[int(len(MINUTES) * draw() ** 2)],
        reduce_only=draw() < 0.15,
        randomize=draw() < 0.3,
        placed_ms=time_ns // NS_PER_MS,
        status="activated",
        status_error=None,
    )
    events = [placed]
    if draw() < 0.02:
        triggered_ns = time_ns + 1 + int(draw() * 30 * NS_PER_MINUTE)
        events = [
            placed._replace(status="waitingForTrigger"),
            placed._replace(time_ns=triggered_ns),
        ]
    if draw() < NEVER_ENDING_SHARE:
        return events
    return [*events, _ended(random, events[-1], coin, size)]


def _ended(random: Random, activated: Event, coin: Coin, size: int) -> Event:
    draw = random.random
    status = ENDS[int(len(ENDS) * draw())]
    if status == "finished":
        # As a rule wholly executed, and a little before or after its time.
        executed = size if draw() < 0.95 else int(size * (0.5 + draw() / 2))
        elapsed = 1.0
    else:
        elapsed = draw()
        executed = int(size * elapsed)
    price = coin.price + int(coin.price * (draw() - 0.5) / 5)
    lag_ns = int((draw() - 0.25) * 20 * NS_PER_SECOND)
    duration_ns = int(activated.minutes * elapsed * NS_PER_MINUTE) + lag_ns
    return activated._replace(
        time_ns=activated.time_ns + max(duration_ns, NS_PER_SECOND),
        executed_size=decimal_text(executed, coin.size_decimals),
        executed_notional=decimal_text(
            executed * price, coin.size_decimals + coin.price_decimals
        ),
        status=status,
        status_error=ERRORS[int(len(ERRORS) * draw())] if status == "error" else None,
    )


def _in_blocks(random: Random, events: list[Event]) -> list[Event]:
    """Return the events, some of them in the block, so at the time, of the last one."""
    for position in range(1, len(events)):
        event = events[position]
        if event.status not in ("activated", "waitingForTrigger") and (
            random.random() < 0.03
        ):
            events[position] = event._replace(time_ns=events[position - 1].time_ns)
    return events
