"""Every answer for every wallet, against a fold of its events in plain Python."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from sandbox import postgres, sample
from sandbox.parquet import write_rows
from sandbox.s3 import S3Server
from tests.api.marts import MICROSECOND, show
from tests.conftest import new_database
from tests.cookbook import RECIPES
from tests.marts.warehouse import Warehouse
from tests.warehouse.auditor import Auditor, added, new_year
from tests.warehouse.command import environment, serving
from tests.warehouse.visitor import (
    amounts_compared,
    export,
    get,
    page,
    tax_year,
    walk,
)
from tests.warehouse.year_edges import EDGE, EDGES, NEW_YEAR

YEARS = range(2024, 2028)


@dataclass
class Instance:
    """A loaded warehouse, its API, and who checks them."""

    warehouse: Warehouse
    auditor: Auditor
    api: httpx.Client

    def exactly(self, sql: str) -> dict[Any, list[Any]]:
        """The rows of a query of an analyst's: a group's key, then its amounts."""
        rows = self.warehouse.query(sql)
        return {
            tuple(value for value in row.values() if not isinstance(value, Decimal)): [
                value for value in row.values() if isinstance(value, Decimal)
            ]
            for row in rows
        }


@pytest.fixture(scope="module")
def instance(
    server: postgres.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """Two publishers of all oddities, who give their TWAPs the same ids."""
    with S3Server() as s3:
        folder = tmp_path_factory.mktemp("dlt")
        warehouse = Warehouse(s3, new_database(server), folder)
        for seed, wallets in ((1, 9), (2, 15)):
            sample.fill(
                warehouse,
                sample.generate(
                    days=3,
                    twaps_per_day=240,
                    seed=seed,
                    start=datetime(2025, 12, 30, tzinfo=UTC),
                    wallets=wallets,
                    prefix=f"{sample.PREFIX}{seed}/",
                ),
            )
        for key, (rows, last_modified) in EDGES.items():
            warehouse.put(key, write_rows(rows), last_modified)
        assert warehouse.run_with_oracle() == 3
        with serving(environment(DATABASE_URL=warehouse.url)) as api:
            yield Instance(warehouse, Auditor(warehouse.oracle), api)


def test_the_history_is_worth_the_checks(instance: Instance) -> None:
    auditor = instance.auditor
    assert len(auditor.wallets) > 20
    events = auditor.events()
    assert len({e["status"] for e in events}) >= 7
    crossing = [
        event
        for event in events
        if event["ts"] < NEW_YEAR and (event["valid_to"] or NEW_YEAR) > NEW_YEAR
    ]
    assert len(crossing) > 20
    assert len({e["twap_id"] for e in events}) < len(
        {(e["twap_id"], e["wallet"]) for e in events}
    )


@pytest.mark.parametrize("limit", [3, 5000])
def test_walks_by_year_show_every_wallet_as_its_events_do(
    instance: Instance, limit: int
) -> None:
    for wallet in instance.auditor.wallets:
        for year in YEARS:
            got = walk(instance.api, wallet=wallet, year=year, limit=limit)
            wanted = instance.auditor.walk(wallet, new_year(year), new_year(year + 1))
            assert got == wanted, (wallet, year)


def test_walks_by_moments_show_every_wallet_as_its_events_do(
    instance: Instance,
) -> None:
    dice = random.Random(1)
    for wallet in instance.auditor.wallets:
        moments = [event["ts"] for event in instance.auditor.events(wallet)]
        for _ in range(6):
            # At, right before and right after an event: where an error would show.
            start, end = sorted(
                at + dice.choice([-1, 0, 1]) * MICROSECOND
                for at in dice.choices([*moments, NEW_YEAR], k=2)
            )
            wanted = instance.auditor.walk(wallet, start, end + MICROSECOND)
            for last in ({"end": show(end)}, {"before": show(end + MICROSECOND)}):
                got = walk(
                    instance.api, wallet=wallet, start=show(start), limit=50, **last
                )
                assert got == wanted, (wallet, start, last)


def test_tax_years_of_every_wallet_are_differences_of_its_states(
    instance: Instance,
) -> None:
    for wallet in instance.auditor.wallets:
        for year in YEARS:
            totals, still_open = tax_year(instance.api, wallet, year)
            assert totals == instance.auditor.totals(wallet, year), (wallet, year)
            assert still_open == instance.auditor.open_at(wallet, new_year(year + 1))


def test_page_of_every_wallet_adds_up_by_asset_and_by_day(instance: Instance) -> None:
    for wallet in instance.auditor.wallets:
        for year in YEARS:
            shown = page(instance.api, wallet=wallet, year=year)
            wanted = instance.auditor.totals(wallet, year)
            assert shown.totals == wanted, (wallet, year)
            by_side = added(
                {("", side): [usd]} for (_, side), [_, _, usd] in wanted.items()
            )
            for side, name in (("B", "bought"), ("A", "sold")):
                usd = by_side.get(("", side), [Decimal(0)])[0]
                assert sum(day[name] for day in shown.days.values()) == usd


def test_table_of_every_wallet_has_the_twaps_of_its_walk_in_any_order(
    instance: Instance,
) -> None:
    def ids(query: dict[str, Any]) -> list[str]:
        return [twap["twap_id"] for twap in walk(instance.api, **query)]

    for wallet in instance.auditor.wallets:
        query = {"wallet": wallet, "year": 2025}
        assert page(instance.api, **query).all_twap_ids() == ids(query)
        for sort in ("notional", "-asset"):
            listed = page(instance.api, **query, sort=sort).all_twap_ids()
            assert sorted(listed) == sorted(ids(query))


def test_tax_years_of_the_cookbook_are_those_of_the_api_for_every_wallet(
    instance: Instance,
) -> None:
    query = RECIPES["What did a wallet execute in a tax year?"].query
    (as_shown,) = re.findall(r"'(0x[0-9a-f]+)' as wallet", query)
    for wallet in instance.auditor.wallets:
        of_wallet = query.replace(as_shown, wallet)
        for year in YEARS:
            of_year = of_wallet.replace("2026-01-01", f"{year + 1}-01-01").replace(
                "2025-01-01", f"{year}-01-01"
            )
            got = {
                (row["asset"], row["side"]): [
                    row["twaps"],
                    row["size_executed"],
                    row["notional_executed"],
                ]
                for row in instance.warehouse.query(of_year)
            }
            assert got == tax_year(instance.api, wallet, year)[0], (wallet, year)


def test_consecutive_tax_years_of_every_wallet_add_up_to_all_it_executed(
    instance: Instance,
) -> None:
    for wallet in instance.auditor.wallets:
        years = [tax_year(instance.api, wallet, year)[0] for year in YEARS]
        amounts = [{g: a[1:] for g, a in totals.items()} for totals in years]
        assert added(amounts) == instance.auditor.executed(wallet)


def test_wallets_add_up_to_the_total_of_all(instance: Instance) -> None:
    by_api = added(
        tax_year(instance.api, wallet, year)[0]
        for wallet in instance.auditor.wallets
        for year in YEARS
    )
    by_sql = instance.exactly(
        """
        select asset, side, sum(size_executed) as size, sum(notional_executed) as usd
        from marts.twap_latest group by asset, side
        """
    )
    assert {group: amounts[1:] for group, amounts in by_api.items()} == by_sql


def test_plain_sql_over_valid_to_gives_the_same_years(instance: Instance) -> None:
    """As an analyst writes it: the states at both ends of a year, and their sums."""
    for year in YEARS:
        by_sql = instance.exactly(
            f"""
            with boundaries (sign, moment) as (
                values
                    (1, timestamptz '{year + 1}-01-01 00:00:00+00'),
                    (-1, timestamptz '{year}-01-01 00:00:00+00')
            )

            select
                wallet, asset, side,
                sum(sign * coalesce(size_executed, 0)) as size,
                sum(sign * coalesce(notional_executed, 0)) as usd
            from marts.twap_status
            inner join boundaries
                on ts < moment and (valid_to is null or valid_to >= moment)
            group by wallet, asset, side
            """
        )
        wanted = {
            (wallet, *group): amounts[1:]
            for wallet in instance.auditor.wallets
            for group, amounts in instance.auditor.totals(wallet, year).items()
        }
        # The boundaries hold also what did not change in the year.
        nothing = [Decimal(0), Decimal(0)]
        for group in by_sql.keys() | wanted.keys():
            assert by_sql.get(group, nothing) == wanted.get(group, nothing), group


@pytest.mark.parametrize("file_format", ["csv", "ndjson", "parquet"])
def test_files_show_every_wallet_as_its_events_do(
    instance: Instance, file_format: str
) -> None:
    for wallet in instance.auditor.wallets:
        for first, last in ((2025, 2025), (2026, 2026), (2023, 2027)):
            got = export(
                instance.api,
                file_format,
                wallet=wallet,
                start=f"{first}-01-01",
                before=f"{last + 1}-01-01",
            )
            wanted = instance.auditor.walk(wallet, new_year(first), new_year(last + 1))
            if file_format == "parquet":
                got, wanted = amounts_compared(got), amounts_compared(wanted)
            assert got == wanted, (wallet, first, last)


def test_summaries_of_every_wallet_count_its_events(instance: Instance) -> None:
    for wallet in instance.auditor.wallets:
        summary = get(instance.api, f"/api/v1/wallets/{wallet}")
        del summary["coverage"]
        assert summary == instance.auditor.summary(wallet)


def test_updates_since_ever_are_the_latest_states_of_every_wallet(
    instance: Instance,
) -> None:
    for wallet in instance.auditor.wallets:
        twaps = walk(instance.api, wallet=wallet, updated_since="2023-01-01", limit=50)
        for twap in twaps:
            del twap["updated_at"]
        assert {t["twap_id"]: t for t in twaps} == instance.auditor.latest(wallet)
        assert len(twaps) == len(instance.auditor.latest(wallet))


def statuses(instance: Instance, **window: Any) -> dict[str, str]:
    twaps = walk(instance.api, wallet=EDGE, limit=3, **window)
    return {twap["twap_id"]: twap["status"] for twap in twaps}


def test_each_side_of_new_year_has_its_events_to_the_microsecond(
    instance: Instance,
) -> None:
    assert statuses(instance, year=2025) == {
        "90002": "finished",  # half a second before
        "90003": "finished",  # the last nanosecond
        "90004": "activated",  # goes on in the new year
        "90005": "error",  # the first of two reports
        "90006": "finished",  # the last microsecond
        "90008": "finished",  # the last tenth of a microsecond
        "90009": "finished",  # the last microsecond, told in Tokyo
    }
    assert statuses(instance, year=2026) == {
        "90001": "finished",  # midnight
        "90004": "finished",
        "90005": "error",
        "90007": "finished",  # a microsecond after
        "90010": "finished",  # midnight, told in Tokyo
    }


def test_a_year_and_the_moment_before_the_next_one_are_the_same_window(
    instance: Instance,
) -> None:
    for wallet in instance.auditor.wallets:
        forms = [
            {"year": 2025},
            {"start": "2025-01-01", "before": "2026-01-01"},
            {"start": "2025-01-01", "end": "2025-12-31T23:59:59.999999Z"},
        ]
        first, *others = [walk(instance.api, wallet=wallet, **form) for form in forms]
        assert all(other == first for other in others)


def test_an_error_counts_what_it_executed_in_the_year_of_each_report(
    instance: Instance,
) -> None:
    """49.0413 were reported in December, 61.5 in all in February."""
    in_2025, _ = tax_year(instance.api, EDGE, 2025)
    in_2026, _ = tax_year(instance.api, EDGE, 2026)
    assert in_2025["@151", "B"] == [1, Decimal("49.0413"), Decimal("107736.21719")]
    assert in_2026["@151", "B"] == [1, Decimal("12.4587"), Decimal("27263.78281")]


def test_a_twap_across_new_year_is_open_in_the_old_one(instance: Instance) -> None:
    assert "90004" in tax_year(instance.api, EDGE, 2025)[1]
    assert "90004" not in tax_year(instance.api, EDGE, 2026)[1]
