"""Figures: what we reached, what the limit reached, and how far they are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Samples:
    """Measurements of one thing, in one unit."""

    values: Sequence[float]
    unit: str

    @property
    def median(self) -> float:
        """The one in the middle."""
        return median(self.values)

    def __str__(self) -> str:
        """Return `median (min-max) unit`."""
        low, high = min(self.values), max(self.values)
        return f"{_short(self.median)} ({_short(low)}-{_short(high)}) {self.unit}"


@dataclass(frozen=True)
class Figure:
    """What we reached and its limit, measured in turns: pair by pair a ratio."""

    name: str
    ours: Samples
    limit_name: str | None = None
    limit: Samples | None = None
    is_rate: bool = False
    """Whether more is better; else less is."""

    @property
    def ratio(self) -> str:
        """Ours to the limit: `median (min-max)`, empty where there is no limit."""
        if self.limit is None:
            return ""
        pairs = zip(self.ours.values, self.limit.values, strict=True)
        ratios = [ours / limit for ours, limit in pairs]
        return (
            f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}), "
            f"{'more' if self.is_rate else 'less'} is better"
        )

    def cells(self) -> list[str]:
        """Return the figure as a row of the table."""
        limit = f"{self.limit}: {self.limit_name}" if self.limit else ""
        return [self.name, str(self.ours), limit, self.ratio]


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a table of Markdown."""
    rows = [["What", "Ours", "Limit", "Ours / limit"]]
    rows.append(["---"] * len(rows[0]))
    rows += [figure.cells() for figure in figures]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
