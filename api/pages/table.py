"""The table of a wallet's TWAPs: which are in it, in which order, on which page."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from api.cursor import PlaceCursor, decode_place_cursor, query_digest
from api.errors import ApiError
from api.json_text import written_list
from api.pages.form import COLUMNS, NUMBERS, TEXTS, read_sort
from api.parameters import FILTERS
from api.versions import DataVersion
from api.window import Window

PAGE_SIZE: Final = 100


@dataclass(frozen=True)
class Table:
    """What is asked for: `given` by the form, `place` is that of the item before."""

    given: Mapping[str, str]
    filters: Mapping[str, str | None]
    sort: str
    place: PlaceCursor

    @classmethod
    def of(cls, given: Mapping[str, str], wallet: str, window: Window) -> "Table":
        """Return what a form asks for; raises ApiError (422) for what is none of it."""
        filters = {each.name: given.get(each.name) for each in FILTERS}
        sort = read_sort(given)
        query = query_digest("table", wallet, window, filters, sort)
        place = PlaceCursor(query, "", 0)
        if "cursor" in given:
            place = decode_place_cursor(given["cursor"], query)
        return cls(given, filters, sort, place)

    def values(self) -> dict[str, object]:
        """Return the values of the query that are the table's own."""
        return {
            **self.filters,
            "sort": self.sort.removeprefix("-"),
            "is_descending": self.sort.startswith("-"),
            "skip": self.place.place,
            "page_size": PAGE_SIZE,
        }

    def view(self, found: Any, version: DataVersion) -> dict[str, object]:
        """Return what the template shows of the row that the query found.

        Raises ApiError (409) when the page before was of other data, or may have been.
        """
        build = version.build_id
        if self.place.place and (version.is_building or self.place.build != build):
            raise ApiError(
                409,
                "data_changed",
                "New data has come in since the page before, so this one may not "
                "follow it: begin again with the first page.",
            )
        here = self.place.place
        return {
            "twaps": json.loads(written_list(found.twaps)),
            "matching": found.matching,
            "is_filtered": any(self.filters.values()),
            "first_place": here + 1,
            "columns": list(self._columns()),
            "previous_page": self._page(here - PAGE_SIZE, build) if here else "",
            "next_page": (
                self._page(here + PAGE_SIZE, build)
                if found.matching > here + PAGE_SIZE
                else ""
            ),
            "unfiltered": self._link(without=("sort", *self.filters)),
        }

    def _columns(self) -> Iterator[dict[str, object]]:
        """Yield how each column is called, and the link that sorts by it."""
        for column, title in COLUMNS.items():
            directions = {column: "ascending", f"-{column}": "descending"}
            # What is largest or newest first; text from A to Z.
            first, other = f"-{column}", column
            if column in TEXTS:
                first, other = other, first
            yield {
                "title": title,
                "is_number": column in NUMBERS,
                "direction": directions.get(self.sort, "none"),
                "link": self._link(sort=other if self.sort == first else first),
            }

    def _page(self, before: int, build: str) -> str:
        """Return the link to the page after a place."""
        if before <= 0:
            return self._link()
        place = replace(self.place, build=build, place=before)
        return self._link(cursor=place.encode())

    def _link(self, *, without: tuple[str, ...] = (), **changes: str) -> str:
        dropped = {"cursor", *without}
        kept = {name: each for name, each in self.given.items() if name not in dropped}
        return f"?{urlencode({**kept, **changes})}"
