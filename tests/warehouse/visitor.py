"""A client of the API that follows every page, as a tax platform does."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import unescape
from typing import Any

import httpx
from pyarrow import parquet

from tests.api.marts import number, show
from tests.html_tables import tables


class DataChanged(Exception):
    """The API said that the walk must start again."""


def pages(api: httpx.Client, **query: Any) -> Iterator[dict[str, Any]]:
    """The pages of a walk; raises DataChanged where the API says so."""
    while True:
        answer = api.get("/api/v1/twaps", params=query)
        if answer.status_code == 409:
            assert answer.json()["error"]["code"] == "data_changed"
            assert "cursor" in query
            raise DataChanged
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def walk(api: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    """The TWAPs of all pages of a walk."""
    return [twap for page in pages(api, **query) for twap in page["twaps"]]


def get(api: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    """The body of an answer that must be good."""
    answer = api.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def export(api: httpx.Client, file_format: str, **query: Any) -> list[dict[str, Any]]:
    """The TWAPs of a whole file, as the items of a walk."""
    answer = api.get("/api/v1/exports/twaps", params={**query, "format": file_format})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]]
    match file_format:
        case "ndjson":
            rows = [json.loads(line) for line in answer.text.split("\n")[:-1]]
        case "csv":
            file = io.StringIO(answer.text, newline="")
            rows = [_item(row) for row in csv.DictReader(file, strict=True)]
        case _:
            table = parquet.read_table(io.BytesIO(answer.content))
            rows = [_item(row) for row in table.to_pylist()]
    assert len(rows) == int(answer.headers["x-row-count"])
    return rows


def _item(row: dict[str, Any]) -> dict[str, Any]:
    """A flat row of a file as the item of a walk that it is."""
    texts = {name: _text(value) for name, value in row.items()}
    minutes = texts["duration_minutes"]
    return {
        **{
            name: texts[name]
            for name in ("twap_id", "asset", "side", "status", "status_error")
        },
        "duration_minutes": None if minutes is None else int(minutes),
        "latest_ts": texts["latest_ts"],
        "executed": {
            "size": texts["size_executed"],
            "notional": texts["notional_executed"],
        },
        "requested": {"size": texts["size_requested"]},
        "average_price": texts["average_price"],
        "started_at": texts["started_at"],
        "ended_at": texts["ended_at"],
    }


def _text(value: object) -> str | None:
    match value:
        case None | "":
            return None
        case datetime():
            return show(value)
        case Decimal():
            return number(value)
        case _:
            return str(value)


def amounts_compared(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items with amounts as numbers: a file of decimals has its own scale."""

    def exact(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return [
        {
            **item,
            "executed": {k: exact(v) for k, v in item["executed"].items()},
            "requested": {"size": exact(item["requested"]["size"])},
            "average_price": exact(item["average_price"]),
        }
        for item in items
    ]


def tax_year(
    api: httpx.Client, wallet: str, year: int
) -> tuple[dict[tuple[str, str], list[Any]], set[str]]:
    """The totals of a year by asset and side, and the TWAPs open at its end."""
    body = get(api, f"/api/v1/wallets/{wallet}/tax-years/{year}")
    totals = {
        (total["asset"], total["side"]): [
            total["twaps"],
            Decimal(total["executed"]["size"]),
            Decimal(total["executed"]["notional"]),
        ]
        for total in body["totals"]
    }
    assert len(totals) == len(body["totals"])
    return totals, {twap["twap_id"] for twap in body["open_twaps"]}


@dataclass
class WalletPage:
    """What a person sees of a wallet: the page's first three tables."""

    api: httpx.Client
    html: str

    @property
    def days(self) -> dict[str, dict[str, Decimal]]:
        """What was bought and sold on each day, in USD."""
        return {
            row[0]: {"bought": _amount(row[1]), "sold": _amount(row[2])}
            for row in self._table("Day")
        }

    @property
    def totals(self) -> dict[tuple[str, str], list[Any]]:
        """As `tax_year` gives them."""
        sides = {"Buy": "B", "Sell": "A"}
        return {
            (asset, sides.get(side, side)): [
                int(_amount(twaps)),
                _amount(size),
                _amount(usd),
            ]
            for asset, side, twaps, size, usd in self._table("Asset")
        }

    def all_twap_ids(self) -> list[str]:
        """The TWAPs of the table, from this page of it to its last."""
        ids = [row[0] for row in self._table("TWAP")]
        following = re.search(r'rel="next" href="([^"#]*)', self.html)
        if following is None:
            return ids
        answer = self.api.get("/" + unescape(following[1]))
        assert answer.status_code == 200, answer.text
        return ids + WalletPage(self.api, answer.text).all_twap_ids()

    def _table(self, first_heading: str) -> list[list[str]]:
        for heading, *rows in tables(self.html):
            if heading[0] == first_heading:
                return rows
        return []


def page(api: httpx.Client, **query: Any) -> WalletPage:
    """The page of a wallet, which must be good."""
    answer = api.get("/", params=query)
    assert answer.status_code == 200, answer.text
    return WalletPage(api, answer.text)


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


class Mirror:
    """A copy of a wallet that is kept up to date by `updated_since` alone."""

    def __init__(self, api: httpx.Client, wallet: str, limit: int) -> None:
        self.wallet = wallet
        self._limit = limit
        self._api = api
        self._since = "2023-01-01"
        self.twaps: dict[str, dict[str, Any]] = {}

    def follow(self) -> Iterator[None]:
        """Take in what has changed; it stops after each page."""
        for page in pages(
            self._api,
            wallet=self.wallet,
            updated_since=self._since,
            limit=self._limit,
        ):
            for twap in page["twaps"]:
                twap.pop("updated_at")
                self.twaps[twap["twap_id"]] = twap
            for twap in page["withdrawn"]:
                self.twaps.pop(twap["twap_id"], None)
            following = page["next_updated_since"]
            yield
        self._since = following
