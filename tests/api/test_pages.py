"""The pages for people, as HTML: whole without a script, and safe whatever is in it."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from conftest import running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marts import Event, Marts, moment

from api.pages.form import COLUMNS, SORTS, WALLET_FORM, tidy
from api.pages.table import PAGE_SIZE
from api.pages.words import REASONS
from tests.html_tables import tables

WALLET = "0xabc0000000000000000000000000000000000001"
OTHER = "0xabc0000000000000000000000000000000000002"
NOON = moment("2025-11-03T12:00:00+00:00")
PAGE = f"/?wallet={WALLET}&year=2025"
MARKUP = "<script>alert('x')</script>&\"'"


def event(twap_id: str, status: str = "finished", **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "ts": NOON,
        "size_executed": Decimal("1.5"),
        "notional_executed": Decimal("150.25"),
        "order_ts": NOON,
        **changes,
    }
    return Event(twap_id, WALLET, status=status, **fields)


def cells(html: str, first_heading: str) -> list[list[str]]:
    """The rows of the table whose first column is called so."""
    for heading, *rows in tables(html):
        if heading[0] == first_heading:
            return rows
    return []


def links(html: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'(?:href|src)="([^"]*)"', html)]


def notice(response: httpx.Response) -> str:
    found = re.search(r'role="alert">(.*?)</p>', response.text, re.DOTALL)
    assert found, response.text
    return " ".join(unescape(re.sub("<[^>]*>", "", found[1])).split())


def test_first_page_asks_for_a_wallet_and_offers_some(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1"), event("2", notional_executed=Decimal(7))])
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert [row[1] for row in cells(response.text, "Ended on")] == ["1", "2"]
    assert f"./?wallet={WALLET}" in links(response.text)


@pytest.mark.parametrize(
    ("asked", "tidy"),
    [
        (f"wallet={WALLET}&year=2025&from=&to=", f"wallet={WALLET}&year=2025"),
        (
            "wallet=0xA&year=2025&from=2025-01-02&to=2025-01-03",
            "wallet=0xA&from=2025-01-02&to=2025-01-03",
        ),
        (f"wallet=++{WALLET}%20&year=2025", f"wallet={WALLET}&year=2025"),
        ("wallet=0xA&year=2025&utm_source=x", "wallet=0xA&year=2025"),
        ("year=", ""),
    ],
)
def test_what_says_nothing_is_taken_out_of_the_address(
    client: httpx.Client, marts: Marts, asked: str, tidy: str
) -> None:
    marts.build([event("1")])
    response = client.get(f"/?{asked}")
    assert response.status_code == 303
    assert response.headers["location"] == f"?{tidy}"
    assert client.get(f"/?{tidy}").status_code == 200


def test_wallet_alone_leads_to_its_newest_year(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1"), event("2", ts=moment("2024-05-01T00:00:00+00:00"))])
    response = client.get(f"/?wallet={WALLET.upper().replace('X', 'x')}")
    assert response.status_code == 303
    assert dict(parse_qsl(response.headers["location"][1:]))["year"] == "2025"
    # Of one that is not known, the newest year of all.
    unknown = client.get("/?wallet=0x7").headers["location"]
    assert unknown == "?wallet=0x7&year=2025"
    assert "No TWAP of this wallet is known" in client.get(f"/{unknown}").text


def test_wallet_alone_leads_to_a_page_also_where_no_twap_is_known(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([])
    response = client.get(f"/?wallet={WALLET}", follow_redirects=True)
    assert response.status_code == 200
    assert "No TWAP of this wallet is known" in response.text


def test_wallet_in_upper_case_is_the_same(client: httpx.Client, marts: Marts) -> None:
    marts.build([event("1")])
    response = client.get(f"/?wallet={WALLET.upper()}&year=2025")
    assert [row[0] for row in cells(response.text, "TWAP")] == ["1"]


def test_amounts_are_exact_and_grouped(client: httpx.Client, marts: Marts) -> None:
    marts.build([event("1", notional_executed=Decimal("1234567.000000000000000100"))])
    html = client.get(PAGE).text
    ((asset, side, twaps, size, usd),) = cells(html, "Asset")
    assert (asset, side, twaps, size) == ("BTC", "Buy", "1", "1.5")
    assert usd == "1,234,567.0000000000000001"
    assert cells(html, "TWAP")[0][4] == usd


def test_amounts_count_on_the_day_that_reported_them(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", "activated", ts=NOON, notional_executed=Decimal(100)),
            event(
                "1",
                "finished",
                ts=moment("2025-11-04T00:00:00+00:00"),
                notional_executed=Decimal(250),
            ),
            event("2", "error", side="A", notional_executed=Decimal(30)),
            event("3", "stopped", side="X", notional_executed=Decimal(5)),
        ]
    )
    assert cells(client.get(PAGE).text, "Day") == [
        ["2025-11-03", "100", "30", "5"],
        ["2025-11-04", "150", "0", "0"],
    ]
    last_day = f"/?wallet={WALLET}&from=2025-11-04&to=2025-11-04"
    assert cells(client.get(last_day).text, "Day") == [["2025-11-04", "150", "0"]]


def test_table_is_sorted_by_any_column_both_ways(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", asset="BTC", notional_executed=Decimal(9)),
            event("2", asset="ETH", notional_executed=Decimal(100)),
            event("3", "stopped", asset="kBONK", notional_executed=None, side="A"),
        ]
    )

    def order(sort: str) -> str:
        html = client.get(f"{PAGE}&sort={sort}").text
        assert 'aria-sort="none"' in html
        direction = "descending" if sort.startswith("-") else "ascending"
        assert html.count(f'aria-sort="{direction}"') == 1
        return "".join(row[0] for row in cells(html, "TWAP"))

    assert order("notional") == "123"
    assert order("-notional") == "213"
    assert order("asset") == "123"
    assert order("-asset") == "321"
    assert order("-status") == "321"
    assert order("-ended") == "321"
    for sort in SORTS:
        assert sorted(order(sort)) == ["1", "2", "3"]


def test_pages_of_the_table_have_every_twap_once(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event(str(n)) for n in range(2 * PAGE_SIZE + 7)])
    path: str | None = f"{PAGE}&sort=price"
    seen: list[str] = []
    while path is not None:
        html = client.get(path).text
        seen += [row[0] for row in cells(html, "TWAP")]
        after = re.search(r'rel="next" href="([^"#]*)#twaps"', html)
        path = "/" + unescape(after[1]) if after else None
    assert len(seen) == len(set(seen)) == 2 * PAGE_SIZE + 7
    before = re.search(r'rel="prev" href="([^"#]*)#twaps"', html)
    assert before
    second = client.get("/" + unescape(before[1])).text
    assert [row[0] for row in cells(second, "TWAP")] == seen[PAGE_SIZE : 2 * PAGE_SIZE]


def test_page_after_new_data_begins_again(client: httpx.Client, marts: Marts) -> None:
    marts.build([event(str(n)) for n in range(PAGE_SIZE + 1)])
    after = re.search(r'rel="next" href="([^"#]*)', client.get(PAGE).text)
    assert after
    following = "/" + unescape(after[1])
    assert client.get(following).status_code == 200
    marts.load(event("new"), at="2026-03-02")
    response = client.get(following)
    assert response.status_code == 409
    assert "begin again with the first page" in notice(response)
    other = client.get(following.replace("year=2025", "year=2024"))
    assert other.status_code == 422
    again = re.search(r'rel="next" href="([^"#]*)', client.get(PAGE).text)
    assert again
    marts.build(marts.events, "2026-03-02", finished=False)
    assert client.get("/" + unescape(again[1])).status_code == 409
    assert client.get(PAGE).status_code == 200


def test_filter_keeps_what_is_asked_for_and_downloads_the_same(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1"),
            event("2", "error", status_error="no margin"),
            event("3", asset="ETH"),
        ]
    )
    html = client.get(f"{PAGE}&asset=BTC&status=error").text
    assert [row[0] for row in cells(html, "TWAP")] == ["2"]
    assert "no margin" in html
    files = [each for each in links(html) if each.startswith("api/v1/exports")]
    assert len(files) == 4
    for each in files:
        response = client.get(f"/{each}")
        assert response.status_code == 200
        assert response.headers["x-row-count"] == "1"
    nothing = client.get(f"{PAGE}&asset=BTC&status=stopped").text
    assert "No TWAP matches" in nothing
    assert f"?wallet={WALLET}&year=2025" in links(nothing)


def test_empty_answer_counts_what_there_is_in_the_window(
    client: httpx.Client, marts: Marts
) -> None:
    year_before = moment("2024-05-01T00:00:00+00:00")
    marts.build([event("1"), event("2"), event("3", ts=year_before)])
    nothing = client.get(f"{PAGE}&status=error").text
    assert re.search(r'<a href="([^"]*)">Show all 2</a>', nothing)
    number = client.get("/?wallet=1430699&year=2025").text
    assert "twap?id=1430699" in links(number)


def test_open_twap_whose_end_is_past_is_called_overdue(
    client: httpx.Client, marts: Marts
) -> None:
    newest = moment("2025-11-03T13:30:00.000001+00:00")
    marts.build(
        [
            event("late", "activated", duration_minutes=30),
            event("hour", "activated", duration_minutes=31),
            event("odd", "paused", duration_minutes=1),
            event("endless", "activated", duration_minutes=None),
            event("longest", "activated", duration_minutes=2**31 - 1),
            event("ended", "activated", ts=NOON, duration_minutes=1),
            event("ended", ts=newest, duration_minutes=1),
        ]
    )

    def overdue(window: str) -> set[str]:
        rows = cells(client.get(f"/?wallet={WALLET}&{window}").text, "TWAP")
        assert len(rows) == 6
        return {row[0] for row in rows if "overdue" in row[3]}

    assert overdue("year=2025") == overdue("from=2025-11-03&to=2025-11-03") == {"late"}
    marts.connection.execute(
        "update marts.twap_latest set is_overdue = true where twap_id = 'late'"
    )
    for twap_id in ("late", "ended"):
        page = client.get(f"/twap?id={twap_id}").text
        assert ("Overdue" in page) is (twap_id == "late")
    # What comes later changes no window that is past.
    marts.build([*marts.events, event("9", ts=moment("2025-11-04T12:00:00+00:00"))])
    assert overdue("from=2025-11-03&to=2025-11-03") == {"late", "hour"}


def test_days_are_whole_days_and_the_last_one_counts(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", ts=moment("2025-11-03T23:59:59.999999+00:00")),
            event("2", ts=moment("2025-11-04T00:00:00+00:00")),
        ]
    )
    html = client.get(f"/?wallet={WALLET}&from=2025-11-03&to=2025-11-03").text
    assert [row[0] for row in cells(html, "TWAP")] == ["1"]
    assert any("start=2025-11-03&before=2025-11-04" in each for each in links(html))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("year=1999", "year is a year from 2023 to 2100, like year=2025"),
        ("from=2025-11-03", "Dates go together: a first and a last day."),
        ("from=yesterday&to=2025-11-03", "from: is not a time of RFC 3339"),
        ("from=2025-11-03&to=2025-11-02", "first day must not come after the last"),
        ("from=2025-11-03T12:00&to=2025-11-04", "A day is written like 2025-11-01"),
        ("year=2025&sort=colour", "sort is one of"),
        ("year=2025&cursor=abc", "The cursor is none of ours"),
        ("year=2025&asset=%00", "asset contains a control character"),
    ],
)
def test_what_is_not_understood_is_said_beside_the_form(
    client: httpx.Client, marts: Marts, query: str, said: str
) -> None:
    marts.build([event("1")])
    response = client.get(f"/?wallet={WALLET}&{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert said in notice(response)
    # What was typed is still there.
    assert f'value="{WALLET}"' in response.text


def test_market_that_is_not_understood_asks_for_its_days_again(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1")])
    response = client.get("/market?from=2025-11-03&asset=BTC")
    assert response.status_code == 422
    assert "Dates go together" in notice(response)
    (form,) = re.findall(r"<form.*?</form>", response.text, re.DOTALL)
    assert 'action="market"' in form
    assert 'value="2025-11-03"' in form
    assert 'value="BTC"' in form
    # The script of the other form would look for its wallet.
    assert "<script" not in response.text


def test_text_of_the_data_and_of_the_address_is_never_markup(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event(MARKUP, "error", status_error=MARKUP, asset=MARKUP, side=MARKUP),
            event("2", MARKUP, s3_object_key=MARKUP),
        ]
    )
    for path in (PAGE, "/twap?id=2", "/market", "/"):
        assert "<script>alert" not in client.get(path).text
    for name in WALLET_FORM:
        query = {"wallet": WALLET, "year": 2025, name: MARKUP}
        asked = client.get("/", params=query, follow_redirects=True)
        assert asked.status_code in (200, 422)
        assert "<script>alert" not in asked.text
    assert cells(client.get(PAGE).text, "TWAP")[0][0] == MARKUP


def test_page_of_a_twap_shows_each_event_and_where_it_comes_from(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("7", "activated", size_executed=Decimal(0)),
            event("7", ts=moment("2025-11-03T13:00:00+00:00")),
        ]
    )
    html = client.get("/twap?id=7").text
    assert html.index("13:00:00") < html.index("2025-11-03 12:00:00</time></h2>")
    assert html.count("raw/1.parquet") == 2
    assert ["status", "finished"] in cells(html, "Column")
    assert f"./?wallet={WALLET}" in links(html)
    unknown = client.get("/twap?id=8")
    assert unknown.status_code == 404
    assert "No TWAP has this id" in notice(unknown)
    assert client.get("/twap").status_code == 422


def test_market_shows_days_assets_and_the_largest(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(
        [
            event("1", side="A"),
            event("2", "stopped", ts=moment("2025-11-04T01:00:00+00:00")),
            event("3", "error", asset="ETH", notional_executed=Decimal(7)),
            event("4", "activated"),
        ]
    )
    html = client.get("/market").text
    heading = ["Day", "Bought, USD", "Sold, USD", "error", "finished", "stopped"]
    assert tables(html)[0] == [
        heading,
        ["2025-11-03", "7", "150.25", "1", "1", "0"],
        ["2025-11-04", "150.25", "0", "0", "0", "1"],
    ]
    assert cells(html, "Asset") == [
        ["BTC", "300", "50 %", "2", "0", "1", "1"],
        ["ETH", "7", "100 %", "1", "1", "0", "0"],
        ["All", "308", "", "3", "1", "1", "1"],
    ]
    assert [row[1] for row in cells(html, "Ended on")] == ["2", "1", "3"]
    one = client.get("/market?from=2025-11-03&to=2025-11-03&asset=ETH").text
    assert [row[1] for row in cells(one, "Ended on")] == ["3"]
    assert "Of ETH among each day’s ten largest" in one
    assert "No TWAP ended" in client.get("/market?from=2024-01-01&to=2024-01-02").text


def test_pages_of_an_empty_warehouse_say_how_to_fill_it(
    marts: Marts,
) -> None:
    with running(marts.url) as client:
        for path in ("/", PAGE, "/market", "/twap?id=1"):
            response = client.get(path)
            assert response.status_code == 503
            assert response.headers["retry-after"]
            assert "make demo" in notice(response)
        marts.build([])
        for path in ("/", PAGE, "/market"):
            assert client.get(path).status_code == 200


def test_pages_load_only_what_is_served_here(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1")])
    for path in ("/", PAGE, "/market", "/twap?id=1", "/?wallet=1&year=1"):
        response = client.get(path)
        assert response.headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        html = response.text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|//", html)
        assert set(re.findall(r"<script[^>]*>(.*?)</script>", html)) <= {""}
        for each in links(html):
            if each.startswith(("static/", "docs")):
                assert client.get(f"/{each}").status_code == 200, each


@pytest.mark.parametrize("name", ["__init__.py", "../form.py", "uplot/LICENSE", "x"])
def test_nothing_but_static_files_is_served(client: httpx.Client, name: str) -> None:
    response = client.get(f"/static/{name.replace('..', '%2e%2e')}")
    assert response.status_code == 404


def test_keys_guard_the_pages_and_not_their_files(marts: Marts) -> None:
    marts.build([event("1")])
    key = "a-key-of-sixteen-or-more"
    with running(marts.url, api_keys=[key]) as client:
        for path in ("/", PAGE, "/market", "/twap?id=1"):
            assert client.get(path).status_code == 401
            assert client.get(path, auth=("anyone", key)).status_code == 200
        assert client.get("/static/style.css").status_code == 200


def test_page_that_is_known_is_not_sent_again(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1")])
    first = client.get(PAGE)
    known = {"If-None-Match": first.headers["etag"]}
    assert client.get(PAGE, headers=known).status_code == 304
    marts.load(event("2"), at="2026-03-02")
    assert client.get(PAGE, headers=known).status_code == 200


def test_every_reason_of_the_certificate_has_words(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["Reason"]
    assert set(described["properties"]["code"]["enum"]) == set(REASONS)
    for code, words in REASONS.items():
        assert words.format(count=1, since="x", until="y", first="a", last="b"), code


def test_certificate_says_in_words_what_is_missing(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([event("1"), event("2", ts=moment("2025-11-03T13:30:00+00:00"))])
    assert "The bucket has never been listed" in client.get(PAGE).text
    marts.list_bucket("2025-11-04T00:00:00+00:00")
    html = " ".join(re.sub("<[^>]*>", "", client.get(PAGE).text).split())
    assert "Complete from 2025-11-03 12:00:00 to 2025-11-03 13:30:00" in html
    assert "The history here ends on 2025-11-03 13:30" in html
    before = client.get(f"/?wallet={WALLET}&year=2024").text
    assert "Nothing is known of this time" in before
    assert "The history here begins on 2025-11-03 12:00" in before
    after = client.get(f"/?wallet={WALLET}&year=2026").text
    assert "The history here ends on 2025-11-03 13:30" in after


@pytest.fixture(scope="module")
def hostile_client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([event("1")])
    with running(marts.url) as client:
        yield client


FIELDS = st.sampled_from([*WALLET_FORM, "id", "x"])
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["2025", "2025-11-03", WALLET, "-notional", "B", *COLUMNS]),
)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(["/", "/market", "/twap"]),
    pairs=st.lists(st.tuples(FIELDS, TEXTS), max_size=5),
)
def test_no_query_breaks_a_page(
    hostile_client: httpx.Client, path: str, pairs: list[tuple[str, str]]
) -> None:
    encoded = [(name, text.encode("utf-8", "surrogatepass")) for name, text in pairs]
    response = hostile_client.get(f"{path}?{urlencode(encoded)}")
    assert response.status_code in (200, 303, 404, 409, 414, 422), response.text
    if response.status_code == 303:
        # It leads somewhere, and not in a circle.
        query = response.headers["location"][1:]
        assert path != "/" or tidy(query.encode(), WALLET_FORM)[1]
