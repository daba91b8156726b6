"""What people do on the pages, in a real browser.

Each page that `open_page` opens fails its test for an error in the console, for what
breaks the Content-Security-Policy, and for a request to anybody else.
"""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Download, Page, expect

from tests.browser.conftest import Open, Site
from tests.programs import needs
from tests.warehouse.visitor import export, walk

pytestmark = needs("chromium")

NARROW = {"viewport": {"width": 360, "height": 740}}
DARK = {"color_scheme": "dark"}
WITHOUT_JAVASCRIPT = {"java_script_enabled": False}


def wallet_path(site: Site, **query: Any) -> str:
    return f"/?wallet={site.heaviest}&year=2025" + "".join(
        f"&{name}={value}" for name, value in query.items()
    )


@contextmanager
def downloading(page: Page) -> Iterator[list[Download]]:
    """A file that a click in the block downloads."""
    found: list[Download] = []
    with page.expect_download() as download:
        yield found
    found.append(download.value)


def rows_of(download: Download) -> list[dict[str, str]]:
    text = download.path().read_text()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("options", [{}, WITHOUT_JAVASCRIPT, NARROW | DARK])
def test_visitor_gets_a_year_as_csv_in_three_actions(
    site: Site, open_page: Open, options: dict[str, Any]
) -> None:
    with open_page(**options) as page:
        page.goto("/")
        page.get_by_label("Wallet", exact=True).fill(site.heaviest)
        page.get_by_role("button", name="Show").click()
        # Without a script there is no caption without a chart.
        expect(page.get_by_text("Each TWAP of this page")).to_be_visible(
            visible=options != WITHOUT_JAVASCRIPT
        )
        with downloading(page) as downloads:
            page.get_by_role("link", name="CSV", exact=True).click()
        (download,) = downloads
        assert download.suggested_filename.endswith(".csv")
        expected = export(site.api, "csv", wallet=site.heaviest, year=2025)
        ids = [row["twap_id"] for row in rows_of(download)]
        assert ids == [twap["twap_id"] for twap in expected]
        assert len(ids) > 200


def test_wallet_is_checked_while_it_is_typed(site: Site, open_page: Open) -> None:
    with open_page() as page:
        page.goto("/")
        wallet = page.get_by_label("Wallet", exact=True)
        hint = page.locator("#wallet-hint")
        wallet.press_sequentially("1234")
        expect(hint).to_contain_text("A number is the id of a TWAP, not a wallet.")
        wallet.fill("0x12AB")
        expect(hint).to_contain_text("40 digits after 0x, this has 4")
        expect(hint).to_contain_text("No TWAP of this wallet is known.")
        wallet.fill(site.heaviest.upper())
        known = site.api.get(f"/api/v1/wallets/{site.heaviest}").json()
        expect(hint).to_have_text(
            f"{known['twaps']:,} TWAPs, from {known['first_event'][:10]} "
            f"to {known['last_event'][:10]}."
        )
        # A short one that is known needs no advice.
        wallet.fill("0xABC123")
        expect(hint).to_have_text(re.compile(r"^\d+ TWAPs, from "))
        wallet.press("Enter")
        expect(page.locator("h1")).to_have_text("0xabc123")


def test_charts_show_what_the_tables_hold(site: Site, open_page: Open) -> None:
    with open_page() as page:
        page.goto(wallet_path(site))
        days, bars = page.locator(".chart").all()
        for chart in (days, bars):
            assert colours_of(chart.locator("canvas")) > 2
        days.scroll_into_view_if_needed()
        days.locator(".u-over").hover()
        day = page.locator("tr[data-day]").first
        bought = float(day.get_attribute("data-bought") or "")
        page.mouse.move(*left_edge(days.locator(".u-over")))
        expect(days.locator(".readout")).to_contain_text(
            f"{day.get_attribute('data-day')}: bought {round(bought):,} USD"
        )


def test_bar_of_a_twap_leads_to_it(site: Site, open_page: Open) -> None:
    with open_page() as page:
        page.goto(wallet_path(site, sort="-duration"))
        chart = page.locator('[data-chart="twaps"]')
        over = chart.locator(".u-over")
        chart.scroll_into_view_if_needed()
        box = over.bounding_box()
        assert box
        readout = chart.locator(".readout")
        for step in range(40):
            page.mouse.move(
                box["x"] + box["width"] * (step + 0.5) / 40,
                box["y"] + box["height"] * 0.3,
            )
            if "·" in readout.inner_text():
                break
        twap_id = readout.inner_text().split(" · ")[0]
        page.mouse.down()
        page.mouse.up()
        expect(page.locator("h1")).to_have_text(f"TWAP {twap_id}")


def colours_of(canvas: Any) -> int:
    """How many colours are in a picture."""
    return int(
        canvas.evaluate(
            """
            canvas => {
                const { width, height } = canvas;
                const { data } = canvas.getContext("2d")
                    .getImageData(0, 0, width, height);
                const found = new Set();
                for (let at = 0; at < data.length; at += 4) {
                    if (data[at + 3] === 255) {
                        found.add(data.slice(at, at + 3).join());
                    }
                }
                return found.size;
            }
            """
        )
    )


def left_edge(element: Any) -> tuple[float, float]:
    box = element.bounding_box()
    return box["x"] + 4, box["y"] + box["height"] / 2


def test_table_is_sorted_filtered_and_paged_and_the_address_says_so(
    site: Site, open_page: Open
) -> None:
    with open_page() as page:
        page.goto(wallet_path(site))
        ids = page.locator("#list tbody th")
        walked = [
            twap["twap_id"] for twap in walk(site.api, wallet=site.heaviest, year=2025)
        ]
        assert ids.all_inner_texts() == walked[:100]
        page.get_by_role("link", name="Next page").click()
        expect(ids.first).to_have_text(walked[100])
        page.go_back()
        expect(ids.first).to_have_text(walked[0])
        page.get_by_role("link", name="USD").click()
        expect(page.locator('[aria-sort="descending"]')).to_have_text("USD")
        # A choice is applied at once.
        page.get_by_label("Outcome").select_option("error")
        expect(page.get_by_role("link", name="Show all")).to_be_visible()
        assert set(page.locator("#list .status").all_inner_texts()) == {"error"}
        shared = page.url
        listed = ids.all_inner_texts()
        with downloading(page) as downloads:
            page.get_by_role("link", name="CSV", exact=True).click()
        assert {row["twap_id"] for row in rows_of(downloads[0])} == set(listed)
        page.go_back()
        expect(page.get_by_role("link", name="Show all")).to_be_hidden()
        expect(page.get_by_label("Outcome")).to_have_value("")
    with open_page() as other:
        other.goto(shared)
        assert other.locator("#list tbody th").all_inner_texts() == listed


def test_twap_shows_the_row_of_the_file_that_tells_of_it(
    site: Site, open_page: Open
) -> None:
    with open_page() as page:
        page.goto(wallet_path(site))
        link = page.locator("#list tbody th a").first
        twap_id = link.inner_text()
        link.click()
        page.get_by_text("Where this comes from").first.click()
        (event, *_) = site.api.get(
            f"/api/v1/twaps/{twap_id}", params={"include": "provenance"}
        ).json()["rows"]
        first = page.locator(".event").first
        expect(first).to_contain_text(event["provenance"]["s3_object_key"])
        expect(first.get_by_role("rowheader").first).to_be_visible()


def test_dates_win_over_the_year_and_an_empty_answer_says_what_to_do(
    site: Site, open_page: Open
) -> None:
    with open_page() as page:
        page.goto(wallet_path(site))
        page.get_by_label("or from").fill("2024-01-01")
        page.get_by_label("to", exact=True).fill("2024-01-31")
        page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile("from=2024-01-01&to=2024-01-31$"))
        expect(page.get_by_text("Nothing in this time")).to_be_visible()
        page.get_by_role("status").get_by_role("link", name="2025").click()
        expect(page.get_by_role("heading", name="TWAPs")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        *((path, "light") for path in ("/", "/market", "wallet", "twap", "/?year=1")),
        # Of these the wallet's page has all colours.
        ("wallet", "dark"),
    ],
)
def test_nobody_is_kept_out(
    site: Site, open_page: Open, path: str, scheme: str
) -> None:
    with open_page(color_scheme=scheme) as page:
        go(page, site, path)
        violations = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == []


@pytest.mark.parametrize("path", ["/", "/market", "wallet", "twap", "/?wallet=0x1"])
def test_narrow_page_scrolls_in_one_direction_alone(
    site: Site, open_page: Open, path: str
) -> None:
    with open_page(**NARROW) as page:
        go(page, site, path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == NARROW["viewport"]["width"]


def go(page: Page, site: Site, path: str) -> None:
    """Open a page by its path, or by its kind."""
    if path == "twap":
        (twap, *_) = walk(site.api, wallet=site.heaviest, year=2025)
        path = f"/twap?id={twap['twap_id']}"
    page.goto(wallet_path(site) if path == "wallet" else path)


def test_scheme_of_the_reader_decides_the_colours(site: Site, open_page: Open) -> None:
    def ground(page: Page) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    with open_page(color_scheme="light") as page:
        page.goto(wallet_path(site))
        assert ground(page) == "rgb(255, 255, 255)"
        page.emulate_media(color_scheme="dark")
        assert ground(page) == "rgb(16, 22, 20)"
        # The charts are drawn anew, once each.
        expect(page.locator("canvas")).to_have_count(2)


def test_keyboard_alone_is_enough(site: Site, open_page: Open) -> None:
    with open_page() as page:
        page.goto("/")
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_label("Wallet", exact=True)).to_be_focused()
        page.keyboard.type(site.heaviest)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(site.heaviest)


def test_market_leads_to_an_asset_and_to_a_wallet(open_page: Open) -> None:
    with open_page() as page:
        page.goto("/market")
        assert colours_of(page.locator("canvas")) > 2
        page.get_by_role("link", name="BTC").click()
        expect(page.locator("h2").first).to_contain_text("TWAPs of BTC executed")
        wallet = page.locator("td .address").first
        name = wallet.inner_text()
        wallet.click()
        expect(page.locator("h1")).to_have_text(name)


def test_documentation_of_the_api_answers_a_question(
    site: Site, open_page: Open
) -> None:
    with open_page() as page:
        page.goto("/docs")
        page.get_by_role(
            "button", name="get /api/v1/wallets/{wallet}", exact=True
        ).click()
        block = page.locator(".opblock.is-open")
        block.get_by_placeholder("wallet").fill(site.heaviest)
        block.get_by_role("button", name="Execute").click()
        expect(block.locator(".live-responses-table")).to_contain_text('"twaps":')
