"""What an auditor makes of a wallet's events, in plain Python.

An answer is a fold over the events of each TWAP in their order: its state at a moment
is the last event until then. No SQL, no valid_to, no index stands between.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.api.marts import number, show
from tests.marts.oracle import Oracle, Row, price

EVER = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC))

Life = list[Row]
"""A TWAP's events in their order."""

Item = dict[str, Any]


def new_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


class Auditor:
    """Knows the events of all wallets, and computes every answer from them."""

    def __init__(self, oracle: Oracle) -> None:
        lives: dict[str, dict[str, Life]] = defaultdict(lambda: defaultdict(list))
        for event in oracle.marts()["twap_status"]:
            lives[event["wallet"]][event["twap_id"]].append(event)
        self._lives = {wallet: list(twaps.values()) for wallet, twaps in lives.items()}

    @property
    def wallets(self) -> list[str]:
        return sorted(self._lives)

    def events(self, wallet: str | None = None) -> list[Row]:
        """Every event, of one wallet or of all."""
        wallets = self.wallets if wallet is None else [wallet]
        return [event for w in wallets for life in self._lives[w] for event in life]

    def states(self, wallet: str, before: datetime) -> Iterator[Row]:
        """The state of each TWAP that had begun by then."""
        for life in self._lives.get(wallet, []):
            state = _state(life, before)
            if state is not None:
                yield state

    def walk(self, wallet: str, start: datetime, before: datetime) -> list[Item]:
        """The items of the walk through a window, newest first."""
        inside = [s for s in self.states(wallet, before) if s["ts"] >= start]
        inside.sort(key=lambda s: (s["ts"], s["twap_id"].encode()), reverse=True)
        return [item(state) for state in inside]

    def latest(self, wallet: str) -> dict[str, Item]:
        """Each TWAP as it stands in the end."""
        return {s["twap_id"]: item(s) for s in self.states(wallet, EVER[1])}

    def totals(self, wallet: str, year: int) -> dict[tuple[str, str], list[Any]]:
        """By asset and side: TWAPs, size and notional executed in the year."""
        start, end = new_year(year), new_year(year + 1)
        totals: dict[tuple[str, str], list[Any]] = defaultdict(
            lambda: [0, Decimal(0), Decimal(0)]
        )
        for life in self._lives.get(wallet, []):
            state = _state(life, end)
            if state is None or state["ts"] < start:
                continue
            totals[state["asset"], state["side"]][0] += 1
            for sign, then in ((1, state), (-1, _state(life, start))):
                if then is not None:
                    total = totals[then["asset"], then["side"]]
                    total[1] += sign * _amount(then, "size_executed")
                    total[2] += sign * _amount(then, "notional_executed")
        return dict(totals)

    def open_at(self, wallet: str, before: datetime) -> set[str]:
        """The TWAPs that had begun and not ended by then."""
        return {
            state["twap_id"]
            for state in self.states(wallet, before)
            if state["is_terminal"] is False
        }

    def executed(self, wallet: str) -> dict[tuple[str, str], list[Decimal]]:
        """Size and notional by asset and side, of all time."""
        totals: dict[tuple[str, str], list[Decimal]] = defaultdict(
            lambda: [Decimal(0), Decimal(0)]
        )
        for state in self.states(wallet, EVER[1]):
            total = totals[state["asset"], state["side"]]
            total[0] += _amount(state, "size_executed")
            total[1] += _amount(state, "notional_executed")
        return dict(totals)

    def summary(self, wallet: str) -> Item:
        events = self.events(wallet)
        moments = sorted(event["ts"] for event in events)
        return {
            "wallet": wallet,
            "first_event": show(moments[0]),
            "last_event": show(moments[-1]),
            "twaps": len(self._lives[wallet]),
            "events": len(events),
            "open_twaps": len(self.open_at(wallet, EVER[1])),
            "years": sorted({at.year for at in moments}),
        }


def item(state: Row) -> Item:
    """A state as the API tells it: amounts to the digit, times to the microsecond."""
    return {
        "twap_id": state["twap_id"],
        "asset": state["asset"],
        "side": state["side"],
        "status": state["status"],
        "status_error": state["status_error"],
        "duration_minutes": state["duration_minutes"],
        "latest_ts": show(state["ts"]),
        "executed": {
            "size": number(state["size_executed"]),
            "notional": number(state["notional_executed"]),
        },
        "requested": {"size": number(state["size_requested"])},
        "average_price": average(state),
        "started_at": show(state["order_ts"]),
        "ended_at": show(state["ts"]) if state["is_terminal"] else None,
    }


def average(state: Row) -> str | None:
    exact = price(state["notional_executed"], state["size_executed"])
    return None if exact is None else number(exact.normalize())


def added(parts: Iterable[dict[tuple[str, str], list[Any]]]) -> dict[Any, list[Any]]:
    """The sum of totals, group by group."""
    whole: dict[Any, list[Any]] = {}
    for part in parts:
        for group, amounts in part.items():
            before = whole.get(group, [0] * len(amounts))
            whole[group] = [a + b for a, b in zip(before, amounts, strict=True)]
    return whole


def _state(life: Life, before: datetime) -> Row | None:
    until = [event for event in life if event["ts"] < before]
    return until[-1] if until else None


def _amount(state: Row, name: str) -> Decimal:
    amount: Decimal | None = state[name]
    return Decimal(0) if amount is None else amount
