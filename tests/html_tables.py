"""The tables of an HTML page, as a reader without a browser gets them."""

from html.parser import HTMLParser


def tables(html: str) -> list[list[list[str]]]:
    """Each table's rows, a row's cells as text; the first row has the headings."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.tables


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "small":
            # A share of the amount before it.
            self._in_cell = False

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell and self.tables:
            row = self.tables[-1][-1]
            row[-1] = f"{row[-1]} {data.strip()}".strip()
