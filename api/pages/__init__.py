"""Pages for people: HTML, whole without JavaScript, that loads nothing elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.certificate import Coverage
from api.pages.words import outcome_in_words, side_in_words
from warehouse import __version__

FOLDER: Final = Path(__file__).parent

NOTHING: Final = "–"
"""What stands where there is no value."""


@dataclass(frozen=True)
class View:
    """A page before it is written: its template, the values, and of which data."""

    template: str
    values: Mapping[str, Any]
    coverage: Coverage


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return the HTML of a template in api/pages/templates."""
    return _templates.get_template(template).render(values)


def grouped(amount: str | int | None) -> str:
    """Return an exact decimal with commas between thousands and no zeros at its end."""
    if amount is None:
        return NOTHING
    text = f"{Decimal(amount):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dollars(amount: str | None) -> str:
    """Return an amount of USD rounded to whole dollars, for a look at its size."""
    return f"{Decimal(amount or 0):,.0f}"


def moment(text: str | None) -> str:
    """Return a moment of the API to the second."""
    return NOTHING if text is None else text[:19].replace("T", " ")


def share(part: str | int | None, whole: str | int | None) -> str:
    """Return how much of the whole a part is, in percent."""
    if part is None or whole is None or not Decimal(whole):
        return ""
    return f"{100 * Decimal(part) / Decimal(whole):.0f} %"


_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "grouped": grouped,
    "dollars": dollars,
    "moment": moment,
    "side": side_in_words,
    "outcome": outcome_in_words,
}
_templates.globals |= {"share": share, "release": __version__}
