"""A file holds exactly the items of a walk, exactly as they are."""

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest
from conftest import running
from marts import MICROSECOND, Event, Marts, expected, moment, show
from pyarrow import parquet
from test_walks import some_events

import api.exports
import api.parquet_file
from api.csv_file import COLUMNS
from api.parameters import EXPORT

WALLET = "0xabc0000000000000000000000000000000000001"
NOON = moment("2025-11-03T12:00:00+00:00")
PATH = "/api/v1/exports/twaps"
YEAR: dict[str, Any] = {"wallet": WALLET, "year": 2025}
ALL: dict[str, Any] = {"wallet": WALLET, "start": "2024-01-01", "end": "2027-01-01"}
FORMATS = ["csv", "ndjson", "parquet"]

HOSTILE = [
    'a "quote"',
    '"',
    '""',
    ",",
    "a,b",
    "line\nfeed",
    "line\r\nfeed",
    "\r",
    "\n",
    "\\",
    "\\n",
    '\\"',
    "tab\tbed",
    "\x01\x02\x1f\x7f",
    "\ufeff",
    "\u2028 \u0085 \x0b\x0c",
    "Ünïcode 😀",
    "",
    " ",
    " padded ",
    "=1+1",
    "+1",
    "-1",
    "@107",
    "'",
    "(1,2)",
    "null",
    "NULL",
    "NaN",
    "%s %%",
    "true",
    "0x10",
    None,
]


def export(client: httpx.Client, **params: Any) -> httpx.Response:
    response = client.get(PATH, params=params)
    assert response.status_code == 200, response.text
    return response


def lines(response: httpx.Response) -> list[str]:
    """The lines of JSON: no other character than the line feed ends one."""
    *whole, rest = response.text.split("\n")
    assert rest == ""
    return whole


def records(response: httpx.Response) -> list[dict[str, str]]:
    header, *rows = csv.reader(io.StringIO(response.text, newline=""), strict=True)
    assert header == list(COLUMNS)
    return [dict(zip(header, row, strict=True)) for row in rows]


def table(response: httpx.Response) -> pa.Table:
    return parquet.read_table(io.BytesIO(response.content))


@pytest.mark.parametrize("seed", range(3))
def test_files_of_random_histories_equal_an_independent_computation(
    client: httpx.Client, marts: Marts, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = some_events(seed)
    marts.build(events)
    dice = random.Random(seed)
    moments = sorted({event.ts for event in events})
    for _ in range(12):
        # The last chunk is full, or not, or empty.
        monkeypatch.setattr(api.exports, "ROWS_IN_CHUNK", dice.choice([1, 2, 7, 2000]))
        monkeypatch.setattr(api.parquet_file, "ROWS_IN_GROUP", dice.choice([3, 20000]))
        start, end = sorted(dice.choices(moments, k=2))
        end = max(start, end + MICROSECOND * dice.choice([-1, 0, 1]))
        filters = dice.choice(
            [{}, {}, {"asset": "BTC"}, {"side": "A"}, {"status": "error", "side": "B"}]
        )
        asked = {"wallet": WALLET.upper(), "start": show(start), "end": show(end)}
        wanted = expected(events, WALLET, start, end, **filters)

        ndjson = export(client, **asked, **filters, format="ndjson")
        assert [json.loads(line) for line in lines(ndjson)] == wanted
        assert ndjson.headers["x-row-count"] == str(len(wanted))

        found = records(export(client, **asked, **filters))
        assert [shown(row) for row in found] == [as_record(item) for item in wanted]

        rows = table(export(client, **asked, **filters, format="parquet")).to_pylist()
        for row, record in zip(rows, found, strict=True):
            for name, value in row.items():
                assert_same(value, record[name])


def as_record(item: dict[str, Any]) -> dict[str, str]:
    """An item of a walk as a CSV file shows it."""
    flat = {
        **{name: item[name] for name in item if name not in ("executed", "requested")},
        "size_requested": item["requested"]["size"],
        "size_executed": item["executed"]["size"],
        "notional_executed": item["executed"]["notional"],
    }
    return {name: "" if value is None else str(value) for name, value in flat.items()}


def shown(record: dict[str, str]) -> dict[str, str]:
    """What an item of a walk shows too."""
    only_here = {"wallet", "reduce_only", "randomize", *COLUMNS[-3:]}
    return {name: record[name] for name in COLUMNS if name not in only_here}


def assert_same(value: object, text: str) -> None:
    """A value of parquet is what the CSV file has."""
    match value:
        case None:
            assert text == ""
        case Decimal():
            assert value == Decimal(text)
        case datetime():
            assert show(value) == text
        case _:
            assert str(value) == text


@pytest.mark.parametrize("rows_in_chunk", [1, 2, 3, 100])
def test_rows_of_one_moment_stand_in_the_order_of_a_walk(
    client: httpx.Client,
    marts: Marts,
    rows_in_chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api.exports, "ROWS_IN_CHUNK", rows_in_chunk)
    ids = ["10", "9", "B", "a", "ä", "é", "ﬀ"]
    marts.build([Event(twap_id, WALLET, NOON, "finished") for twap_id in ids])
    wanted = sorted(ids, reverse=True)
    assert [row["twap_id"] for row in records(export(client, **YEAR))] == wanted
    ndjson = export(client, **YEAR, format="ndjson")
    assert [json.loads(line)["twap_id"] for line in lines(ndjson)] == wanted


def test_lines_are_the_very_text_of_the_items_of_a_page(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build(some_events(7))
    page = client.get("/api/v1/twaps", params={**ALL, "limit": 5000}).text
    found = lines(export(client, **ALL, format="ndjson"))
    assert len(found) > 20
    assert f'"twaps":[{",".join(found)}],"next_cursor":null' in page


def hostile_events() -> list[Event]:
    """An event for each text, in the file's order."""
    return [
        Event(
            f"{text}{n}",
            WALLET,
            NOON - timedelta(seconds=n),
            "error",
            asset=text or "empty",
            side=text or "empty",
            status_error=text,
            s3_object_key=f"{text}/{n}",
        )
        for n, text in enumerate(HOSTILE)
    ]


def test_csv_reads_back_exactly(client: httpx.Client, marts: Marts) -> None:
    events = hostile_events()
    marts.build(events)
    response = export(client, **YEAR)
    for event, row in zip(events, records(response), strict=True):
        assert row["twap_id"] == event.twap_id
        assert row["asset"] == event.asset
        assert row["side"] == event.side
        assert row["status_error"] == (event.status_error or "")
        assert row["s3_object_key"] == event.s3_object_key


def test_csv_has_the_lines_of_rfc_4180(client: httpx.Client, marts: Marts) -> None:
    event = Event(
        'say "hi"',
        WALLET,
        NOON,
        "finished",
        NOON - timedelta(minutes=30.5),
        size_executed=Decimal("10.50"),
        notional_executed=Decimal("420.000"),
        status_error="",
    )
    still_open = Event("2", WALLET, NOON - timedelta(hours=1), "activated")
    marts.build([event, still_open])
    marts.connection.execute(
        "update marts.twap_status set reduce_only = true, randomize = false "
        "where status = 'finished'"
    )
    assert export(client, **YEAR).text == (
        "twap_id,wallet,asset,side,status,status_error,duration_minutes,reduce_only,"
        "randomize,started_at,latest_ts,ended_at,size_requested,size_executed,"
        "notional_executed,average_price,s3_object_key,s3_etag,row_number\r\n"
        f'"say ""hi""","{WALLET}","BTC","B","finished","",30,true,false,'
        "2025-11-03T11:29:30Z,2025-11-03T12:00:00Z,2025-11-03T12:00:00Z,"
        '10.50,10.50,420.000,40,"raw/1.parquet","etag",1\r\n'
        f'"2","{WALLET}","BTC","B","activated",,30,,,'
        ',2025-11-03T11:00:00Z,,10.50,0,0,,"raw/1.parquet","etag",1\r\n'
    )


def test_spreadsheet_makes_formulas_harmless_and_leaves_numbers(
    client: httpx.Client, marts: Marts
) -> None:
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '="x"', "a=1", "'=1", ""]
    marts.build(
        [
            Event(
                text or "0",
                WALLET,
                NOON - timedelta(seconds=n),
                text or "error",
                asset=text or "BTC",
                side=text or "B",
                status_error=text,
                size_executed=Decimal(-1),
                s3_object_key=text or "key",
            )
            for n, text in enumerate(texts)
        ]
    )
    marts.connection.execute("update marts.twap_status set s3_etag = s3_object_key")
    rows = records(export(client, **YEAR, spreadsheet="true"))
    for text, row in zip(texts, rows, strict=True):
        harmless = "'" + text if text and text[0] in "=+-@\t\r" else text
        assert row["status_error"] == harmless
        if text:
            names = ("twap_id", "asset", "side", "status", "s3_object_key", "s3_etag")
            assert {row[name] for name in names} == {harmless}
        assert row["size_executed"] == "-1"
    assert records(export(client, **YEAR, spreadsheet="false"))[0]["asset"] == "=1+1"


def test_formula_in_a_wallet_is_made_harmless(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", "=cmd", NOON, "finished")])
    (row,) = records(export(client, wallet="=cmd", year=2025, spreadsheet=True))
    assert row["wallet"] == "'=cmd"


def test_parquet_reads_back_exactly(client: httpx.Client, marts: Marts) -> None:
    events = hostile_events()
    marts.build(events)
    found = table(export(client, **YEAR, format="parquet")).to_pylist()
    for event, row in zip(events, found, strict=True):
        assert row["twap_id"] == event.twap_id
        assert row["asset"] == event.asset
        assert row["status_error"] == event.status_error
        assert row["s3_object_key"] == event.s3_object_key
        assert row["size_requested"] == Decimal("10.50")
        assert row["latest_ts"] == event.ts
        assert row["started_at"] is None


def test_parquet_has_honest_types_and_says_what_it_holds(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", WALLET, NOON + MICROSECOND, "finished", NOON)])
    response = export(client, **YEAR, format="parquet")
    file = parquet.ParquetFile(io.BytesIO(response.content))
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert list(types) == list(COLUMNS)
    for name in ("started_at", "latest_ts", "ended_at"):
        assert types[name] == "timestamp[us, tz=UTC]"
    for name in ("size_requested", "size_executed", "notional_executed"):
        assert types[name] == "decimal128(38, 18)"
    assert types["duration_minutes"] == "int32"
    assert types["reduce_only"] == "bool"
    assert types["row_number"] == "int64"
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    metadata = file.schema_arrow.metadata
    assert metadata[b"wallet"].decode() == WALLET
    assert metadata[b"start"] == b"2025-01-01T00:00:00Z"
    assert metadata[b"end"] == b"2025-12-31T23:59:59.999999Z"
    assert metadata[b"data_version"].decode() == response.headers["x-data-version"]
    assert metadata[b"row_count"] == b"1"
    (row,) = file.read().to_pylist()
    assert row["latest_ts"] == datetime(2025, 11, 3, 12, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "type_"),
    [
        ("1.5", "decimal128(38, 18)"),
        ("12345678901234567890.123456789012345678", "decimal128(38, 18)"),
        ("1.1234567890123456789012345", "decimal128(38, 25)"),
        ("-123456789012345678901.5", "decimal256(76, 18)"),
        ("1e-40", "decimal256(76, 40)"),
        ("1e40", "decimal256(76, 18)"),
        ("-" + "9" * 38 + "." + "9" * 38, "decimal256(76, 38)"),
    ],
)
def test_parquet_has_decimals_as_wide_as_the_data_needs(
    client: httpx.Client, marts: Marts, number: str, type_: str
) -> None:
    short = Event("2", WALLET, NOON, "finished", size_requested=None)
    marts.build([replace(short, twap_id="1", size_requested=Decimal(number)), short])
    found = table(export(client, **YEAR, format="parquet"))
    assert str(found.schema.field("size_requested").type) == type_
    assert str(found.schema.field("size_executed").type) == "decimal128(38, 18)"
    values = found.column("size_requested").to_pylist()
    assert values == [None, Decimal(number)]


def test_number_that_no_parquet_decimal_holds_is_refused_before_the_file(
    client: httpx.Client, marts: Marts
) -> None:
    long = Decimal("1" * 60 + "." + "1" * 18)
    marts.build([Event("1", WALLET, NOON, "finished", size_executed=long)])
    response = client.get(PATH, params={**YEAR, "format": "parquet"})
    assert response.status_code == 422
    error = response.json()["error"]
    assert (error["code"], error["field"]) == ("not_representable", "format")
    (row,) = records(export(client, **YEAR))
    assert row["size_executed"] == str(long)


@pytest.mark.parametrize("format_", FORMATS)
def test_file_of_a_wallet_without_twaps_is_empty_but_whole(
    client: httpx.Client, marts: Marts, format_: str
) -> None:
    marts.build([])
    response = export(client, wallet="0xnone", year=2025, format=format_)
    assert response.headers["x-row-count"] == "0"
    match format_:
        case "csv":
            assert records(response) == []
        case "ndjson":
            assert response.content == b""
        case "parquet":
            assert table(response).num_rows == 0


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8; header=present"),
        ("ndjson", "application/x-ndjson"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
def test_headers_say_what_the_file_is(
    client: httpx.Client, marts: Marts, format_: str, media_type: str
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    params = {"wallet": WALLET, "start": "2025-11-01", "before": "2025-12-01"}
    headers = export(client, **params, format=format_).headers
    page = client.get("/api/v1/twaps", params=YEAR).headers
    assert headers["content-type"] == media_type
    assert headers["x-row-count"] == "1"
    assert headers["x-data-version"] == page["x-data-version"]
    assert headers["cache-control"] == page["cache-control"]
    assert headers["content-disposition"] == (
        f'attachment; filename="twaps_{WALLET}_2025-11-01T000000Z_'
        f'2025-11-30T235959.999999Z.{format_}"'
    )


def test_file_name_has_only_characters_that_are_safe(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([])
    headers = export(client, wallet='../a"; x=/😀é\\', year=2025).headers
    name = headers["content-disposition"].removeprefix("attachment; filename=")
    assert name == '"twaps_..ax_2025-01-01T000000Z_2025-12-31T235959.999999Z.csv"'


def test_file_name_says_what_is_left_out(client: httpx.Client, marts: Marts) -> None:
    marts.build([])
    asked = YEAR | {"asset": "PURR/USDC", "status": "é", "spreadsheet": "true"}
    name = export(client, **asked).headers["content-disposition"]
    assert name.endswith('_asset-PURRUSDC_status-_spreadsheet.csv"')


def test_page_of_another_origin_can_read_what_a_whole_file_holds(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([])
    response = client.get(PATH, params=YEAR, headers={"Origin": "https://any.example"})
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"X-Row-Count", "X-Data-Version", "Content-Disposition"} <= set(exposed)


def test_file_that_the_client_has_is_not_counted_again(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    etags = {export(client, **YEAR, format=f).headers["etag"] for f in FORMATS}
    assert len(etags) == 3
    held = {"If-None-Match": ", ".join(etags)}
    asked = {**YEAR, "format": "ndjson"}
    response = client.get(PATH, params=asked, headers=held)
    assert (response.status_code, response.content) == (304, b"")
    assert "x-row-count" not in response.headers

    marts.build([Event("2", WALLET, NOON, "finished")], at="2026-03-02")
    assert client.get(PATH, params=asked, headers=held).status_code == 200


def test_file_of_a_build_under_way_is_not_kept(
    client: httpx.Client, marts: Marts
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    marts.build(marts.events, at="2026-03-02", finished=False)
    headers = export(client, **YEAR).headers
    assert headers["cache-control"] == "no-store"
    assert "etag" not in headers


def test_nothing_is_exported_before_the_first_build(
    client: httpx.Client, marts: Marts, new_database: Callable[[], str]
) -> None:
    response = client.get(PATH, params=YEAR)
    assert (response.status_code, response.json()["error"]["code"]) == (
        503,
        "not_built",
    )
    with running(new_database()) as other:
        assert other.get(PATH, params=YEAR).json()["error"]["code"] == "not_built"


REFUSED = [
    ("wallet=a", "missing_parameter", "start"),
    ("year=2025", "missing_parameter", "wallet"),
    ("wallet=a&year=2025&format=xlsx", "invalid_choice", "format"),
    ("wallet=a&year=2025&format=csv,ndjson", "invalid_choice", "format"),
    ("wallet=a&year=2025&format=CSV", "invalid_choice", "format"),
    ("wallet=a&year=2025&limit=5", "unknown_parameter", None),
    ("wallet=a&year=2025&spreadsheet=2", "invalid_flag", "spreadsheet"),
    (
        "wallet=a&year=2025&spreadsheet=true&format=parquet",
        "conflicting_parameters",
        "spreadsheet",
    ),
    (
        "wallet=a&year=2025&spreadsheet=false&format=ndjson",
        "conflicting_parameters",
        "spreadsheet",
    ),
]


@pytest.mark.parametrize(("query", "code", "field"), REFUSED)
def test_refusal_names_its_parameter(
    client: httpx.Client, query: str, code: str, field: str | None
) -> None:
    response = client.get(f"{PATH}?{query}")
    assert response.status_code == 422
    error = response.json()["error"]
    assert (error["code"], error["field"]) == (code, field)


def test_openapi_describes_the_three_formats_and_the_headers(
    client: httpx.Client,
) -> None:
    document = client.get("/openapi.json").json()["paths"][PATH]["get"]
    parameters = document["parameters"]
    assert [each["name"] for each in parameters] == list(EXPORT)
    assert all(each["description"] for each in parameters)
    assert all(each["schema"]["examples"] for each in parameters)
    answer = document["responses"]["200"]
    assert set(answer["content"]) == set(api.exports.MEDIA_TYPES.values())
    assert all(
        each["schema"]["type"] == "string" for each in answer["content"].values()
    )
    assert {"X-Row-Count", "X-Data-Version", "ETag"} <= set(answer["headers"])


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("format_", FORMATS)
def test_headers_alone_are_those_of_the_file_and_nothing_is_written(
    client: httpx.Client,
    marts: Marts,
    format_: str,
    encoding: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marts.build([Event("1", WALLET, NOON, "finished")])
    params = {**YEAR, "format": format_}
    client.headers = {"X-Request-ID": "same", "Accept-Encoding": encoding}
    whole = client.get(PATH, params=params)

    def write(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(api.exports, "_chunks", write)
    alone = client.head(PATH, params=params)
    assert alone.content == b""
    for headers in (alone.headers, whole.headers):
        headers.pop("date")
        headers.pop("transfer-encoding", None)
    assert alone.headers == whole.headers
