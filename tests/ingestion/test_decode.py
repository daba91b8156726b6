"""Parquet bytes as text: each type of Arrow that parquet holds, and each bad file."""

import datetime as dt
import itertools
import re
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ingestion.decode import decode, decode_simple, read_simple
from ingestion.names import KNOWN_COLUMNS, TableColumns
from ingestion.objects import ObjectFailed, S3Object
from ingestion.text import is_simple
from tests.ingestion.support import MORNING, parquet

SOURCE = S3Object("raw/a.parquet", "abc", 1, MORNING)
NAN = float("nan")

STRUCT = pa.struct(
    [
        ("i", pa.int64()),
        ("d", pa.decimal128(10, 2)),
        ("t", pa.timestamp("ns")),
        ("f", pa.float64()),
        ("s", pa.string()),
        ("b", pa.bool_()),
        ("l", pa.list_(pa.int8())),
        ("o", pa.struct([("x", pa.date32())])),
    ]
)

VALUES: list[tuple[Any, list[Any], list[str | None]]] = [
    (pa.int8(), [-128, None], ["-128", None]),
    (pa.int16(), [7], ["7"]),
    (pa.int32(), [7], ["7"]),
    (pa.int64(), [2**63 - 1], ["9223372036854775807"]),
    (pa.uint8(), [255], ["255"]),
    (pa.uint16(), [7], ["7"]),
    (pa.uint32(), [2**32 - 1], ["4294967295"]),
    (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
    (pa.float16(), [1.5, None], ["1.5", None]),
    (pa.float32(), [0.1, 1e20], ["0.1", "1e+20"]),
    (
        pa.float64(),
        [0.1, 5.0, 1764867622417.0, 1e22, NAN, float("-inf"), -0.0],
        ["0.1", "5", "1.764867622417e+12", "1e+22", "nan", "-inf", "-0"],
    ),
    (pa.bool_(), [True, False, None], ["true", "false", None]),
    (pa.string(), ["49.040", "", None, "ä\n\x01"], ["49.040", "", None, "ä\n\x01"]),
    (pa.large_string(), ["a", None], ["a", None]),
    (
        pa.string_view(),
        ["longer than twelve bytes", None],
        ["longer than twelve bytes", None],
    ),
    (
        pa.binary(),
        [b"text", b"\x00\x01", b"\xff", None],
        ["text", "\\x0001", "\\xff", None],
    ),
    (pa.large_binary(), [b"text"], ["text"]),
    (pa.binary_view(), [b"text"], ["text"]),
    (pa.binary(3), [b"abc", b"\xff\x00\x01"], ["abc", "\\xff0001"]),
    (pa.decimal32(9, 2), [Decimal("1.50")], ["1.50"]),
    (pa.decimal64(18, 2), [Decimal("-1.50")], ["-1.50"]),
    (
        pa.decimal128(38, 18),
        [Decimal("0"), Decimal("1e-18"), None],
        ["0.000000000000000000", "0.000000000000000001", None],
    ),
    (pa.decimal256(76, 50), [Decimal("1e-50")], ["0." + "0" * 49 + "1"]),
    (pa.date32(), [dt.date(2025, 1, 2), None], ["2025-01-02", None]),
    (pa.date64(), [dt.date(2025, 1, 2)], ["2025-01-02"]),
    (pa.time32("ms"), [5], ["00:00:00.005"]),
    (pa.time64("us"), [5], ["00:00:00.000005"]),
    (pa.time64("ns"), [5], ["00:00:00.000000005"]),
    (pa.timestamp("ms"), [1764867622417, None], ["1764867622417", None]),
    (pa.timestamp("us", "UTC"), [1764867622417000], ["1764867622417000"]),
    (pa.timestamp("ns", "Asia/Tokyo"), [2**63 - 1, -1], ["9223372036854775807", "-1"]),
    # Parquet has no seconds: pyarrow writes milliseconds.
    (pa.timestamp("s"), [5], ["5000"]),
    (pa.duration("us"), [5], ["5"]),
    (pa.null(), [None, None], [None, None]),
    (pa.dictionary(pa.int8(), pa.string()), ["a", None, "a"], ["a", None, "a"]),
    (pa.dictionary(pa.int32(), pa.int64()), [5, None], ["5", None]),
    (pa.uuid(), [b"\xff" * 16], ["\\x" + "ff" * 16]),
    (pa.json_(), ['{"a": 1}'], ['{"a": 1}']),
    (
        STRUCT,
        [
            {
                "i": 2**60,
                "d": Decimal("1.50"),
                "t": 7,
                "f": NAN,
                "s": 'ä"\n',
                "b": True,
                "l": [1, None],
                "o": {"x": dt.date(2025, 1, 2)},
            },
            None,
            {"f": 0.1},
        ],
        [
            '{"i":1152921504606846976,"d":"1.50","t":7,"f":"nan","s":"ä\\"\\n","b":true,'
            '"l":[1,null],"o":{"x":"2025-01-02"}}',
            None,
            '{"i":null,"d":null,"t":null,"f":0.1,"s":null,"b":null,"l":null,"o":null}',
        ],
    ),
    (pa.list_(pa.string()), [["x", None], None, []], ['["x",null]', None, "[]"]),
    (pa.large_list(pa.int8()), [[1], None], ["[1]", None]),
    (pa.list_(pa.int8(), 2), [[1, 2], None], ["[1,2]", None]),
    (pa.list_view(pa.int8()), [[1], None, [2, 3]], ["[1]", None, "[2,3]"]),
    (
        pa.map_(pa.string(), pa.int32()),
        [[("a", 1), ("b", None)], None, [], [("a", 1), ("a", 2)]],
        ['{"a":1,"b":null}', None, "{}", '[["a",1],["a",2]]'],
    ),
    (pa.map_(pa.int32(), pa.string()), [[(1, "x")]], ['[[1,"x"]]']),
    (
        pa.list_(pa.struct([("a", pa.list_(pa.int8()))])),
        [[{"a": [1]}, None], None],
        ['[{"a":[1]},null]', None],
    ),
]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    VALUES,
    ids=[str(kind)[:40] for kind, _, _ in VALUES],
)
def test_every_type_lands_as_text_without_loss(
    kind: Any, values: list[Any], expected: list[str | None]
) -> None:
    table = decode(parquet({"column": pa.array(values, kind)}), SOURCE)

    assert table.schema.field("column").type == pa.string()
    assert table.column("column").to_pylist() == expected


def test_objects_decoded_together_are_what_they_are_alone() -> None:
    columns = {
        str(kind): pa.array((values * 8)[:8], kind)
        for kind, values, _ in VALUES
        if is_simple(kind)
    }
    bodies = [parquet(pa.table(columns).slice(n, n)) for n in (1, 2, 3)]
    sources = [S3Object(f"raw/{n}.parquet", f"{n}", 1, MORNING) for n in (1, 2, 3)]

    simple = [table for body in bodies if (table := read_simple(body)) is not None]
    together = decode_simple(simple, sources)

    alone = [decode(*each) for each in zip(bodies, sources, strict=True)]
    assert together == pa.concat_tables(alone)
    assert together.num_rows == 6


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": pa.array(["a", "b"]).dictionary_encode()},
        {"state": [{"sz": "1.5"}]},
        {"blob": [b"\xff"]},
        {"text": ["x" * 100_000] * 1_000},
        {"n": list(range(1_000_000))},
        {"n": pa.array([], pa.int64())},
        {"_row_number": [1]},
    ],
    ids=["dictionary", "nested", "binary", "long", "many", "none", "reserved name"],
)
def test_what_is_not_small_and_simple_is_decoded_alone(columns: Any) -> None:
    assert read_simple(parquet(columns)) is None


def test_run_end_encoded_values_are_read() -> None:
    from ingestion.text import plain

    array = pa.array(["a", "a", "b"], pa.run_end_encoded(pa.int32(), pa.string()))

    assert plain(array).to_pylist() == ["a", "a", "b"]


@pytest.mark.parametrize("kind", [kind for kind, _, _ in VALUES], ids=str)
def test_a_slice_of_any_type_holds_its_own_rows(kind: Any) -> None:
    from ingestion.decode import _as_text
    from ingestion.text import plain

    values = next(values for other, values, _ in VALUES if other is kind) * 3
    whole = _as_text(plain(pa.array(values, kind))).to_pylist()

    assert _as_text(plain(pa.array(values, kind)[1:])).to_pylist() == whole[1:]


def test_rows_carry_their_address_and_no_type_but_text_and_row_number() -> None:
    body = parquet({"status": ["a", "b", "c"]}, row_group_size=2)

    table = decode(body, SOURCE)

    assert table.schema.names == ["status", "_s3_object_key", "_s3_etag", "_row_number"]
    assert {str(kind) for kind in table.schema.types} == {"string", "int64"}
    assert table.column("_row_number").to_pylist() == [0, 1, 2]
    assert table.column("_s3_object_key").to_pylist() == ["raw/a.parquet"] * 3
    assert table.column("_s3_etag").to_pylist() == ["abc"] * 3


def test_parquet_without_rows_or_without_columns_is_good_and_has_no_rows() -> None:
    empty = pa.table({"status": pa.array([], pa.string())})

    assert decode(parquet(empty), SOURCE).num_rows == 0
    assert decode(parquet(pa.table({})), SOURCE).num_rows == 0


def _broken_utf8() -> pa.Table:
    offsets = pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0")
    data = pa.py_buffer(b"a\xff")
    return pa.table({"s": pa.Array.from_buffers(pa.string(), 2, [None, offsets, data])})


GOOD = parquet({"status": ["activated"] * 100})
BAD: dict[str, tuple[bytes, str]] = {
    "zero bytes": (b"", "empty"),
    "not parquet": (b"PK\3\4 something else", "not parquet"),
    "truncated": (GOOD[: len(GOOD) // 2], "damaged"),
    "footer cut": (GOOD[:-6], "damaged"),
    "only magic": (b"PAR1PAR1", "damaged"),
    "bytes in the middle changed": (GOOD[:4] + b"\xff" * 40 + GOOD[44:], "damaged"),
    "NUL": (parquet({"s": ["a", "b\0"]}), "column 's', row 1: a NUL"),
    "NUL in a dictionary": (
        parquet({"s": pa.array(["a", "b\0"]).dictionary_encode()}),
        "column 's', row 1: a NUL",
    ),
    "nested NUL": (parquet({"s": [{"a": "\0"}]}), "column 's', a nested value: a NUL"),
    "not UTF-8": (parquet(_broken_utf8()), "column 's', row 1: text that is not UTF-8"),
    "one name twice": (
        parquet(pa.table([["a"], ["b"]], names=["s", "s"])),
        "2 columns are named 's'",
    ),
    "a struct with a field twice": (
        parquet({"s": pa.StructArray.from_arrays([pa.array([1])] * 2, ["a", "a"])}),
        "two fields of one name",
    ),
    "our name": (parquet({"_s3_etag": ["a"]}), "'_s3_etag' is reserved"),
    "dlt's name": (parquet({"_dlt_load_id": ["a"]}), "'_dlt_load_id' is reserved"),
    "too many unknown": (parquet({f"c{n}": ["a"] for n in range(101)}), "101 unknown"),
}
for name in ("", " a", "a ", "a\nb", 'a"b', "a'b", "a\\b", "a▶b", "ä" * 32, "xmin"):
    BAD[f"name {name!r}"] = (parquet({name: ["a"]}), "cannot be a column in Postgres")


@pytest.mark.parametrize(("body", "reason"), BAD.values(), ids=list(BAD))
def test_what_cannot_be_landed_exactly_fails_with_a_reason(
    body: bytes, reason: str
) -> None:
    with pytest.raises(ObjectFailed, match=re.escape(reason)) as failure:
        decode(body, SOURCE)

    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("simple", [True, False])
def test_damage_at_any_byte_is_a_failure_of_the_object_or_none(
    simple: bool,
) -> None:
    columns: dict[str, Any] = {"twap_id": range(50), "status": ["a", "b"] * 25}
    if not simple:
        columns["state"] = [{"sz": "1.5", "l": [1, 2]}] * 50
        columns["kind"] = pa.array(["a", "b"] * 25).dictionary_encode()
    body = parquet(columns)
    for position in range(0, len(body), 3):
        for flip in (0x01, 0x80, 0xFF):
            broken = bytearray(body)
            broken[position] ^= flip
            read_simple(bytes(broken))
            try:
                decode(bytes(broken), SOURCE, limit=10_000_000)
            except ObjectFailed:
                continue


def test_damage_to_an_object_with_checksums_changes_no_value_and_loses_no_row() -> None:
    numbers = [str(n) for n in range(50)]
    body = parquet(
        {"n": numbers},
        write_page_checksum=True,
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
    )
    for position, bit in itertools.product(range(len(body)), range(8)):
        broken = bytearray(body)
        broken[position] ^= 1 << bit
        with suppress(ObjectFailed):
            assert decode(bytes(broken), SOURCE).column(0).to_pylist() == numbers
        simple = read_simple(bytes(broken))
        if simple is not None:
            assert simple.column(0).to_pylist() == numbers


def test_row_of_a_refused_text_counts_from_the_file_start() -> None:
    body = parquet({"s": ["a"] * 200 + ["\0"]}, row_group_size=100)

    with pytest.raises(ObjectFailed, match="row 200: a NUL"):
        decode(body, SOURCE)


@pytest.mark.parametrize(
    "columns",
    [
        {"n": pa.array([0] * 3_000_000, pa.int8())},
        {"s": ["x" * 100_000] * 1_000},
        {"s": ["x" * 20_000_000]},
        {"s": [[None] * 100_000] * 30},
    ],
    ids=["many rows", "one long text often", "one huge text", "many nested nulls"],
)
def test_small_file_that_decodes_to_more_than_the_limit_fails(columns: Any) -> None:
    body = parquet(columns, compression="zstd")
    assert len(body) < 100_000

    with pytest.raises(ObjectFailed, match="decodes to more than 10,000,000 bytes"):
        decode(body, SOURCE, limit=10_000_000)


def test_few_rows_that_share_a_large_text_are_not_held_all_at_once() -> None:
    body = parquet({"s": ["x" * 1_000_000] * 64}, compression="zstd")
    default = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(default)
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(ObjectFailed, match="decodes to more than 5,000,000 bytes"):
            decode(body, SOURCE, limit=5_000_000)
    finally:
        pa.set_memory_pool(default)

    assert 0 < (pool.max_memory() or 0) < 30_000_000


def test_rows_whose_addresses_arrow_could_not_count_are_refused() -> None:
    far = S3Object("k" * 1024, "abc", 1, MORNING)
    table = pa.table({"state_randomize": [True] * 600_000})

    with pytest.raises(ObjectFailed, match="addresses of its rows"):
        decode(parquet(table), far)
    with pytest.raises(ObjectFailed, match="addresses of its rows"):
        decode_simple([table], [far])
    assert decode_simple([table], [SOURCE]).num_rows == 600_000


def test_row_that_is_too_large_for_a_build_fails_its_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingestion.decode.MAX_ROW_BYTES", 1000)
    most = {"a": ["", "x" * 500], "b": [None, "x" * 500]}
    more = {"a": ["", "x" * 500], "b": [None, "x" * 501]}

    assert decode(parquet(most), SOURCE).num_rows == 2
    with pytest.raises(ObjectFailed, match="row 1 is larger than 1,000 bytes"):
        decode(parquet(more), SOURCE)


def test_table_grows_no_wider_than_postgres_can_bear() -> None:
    columns = TableColumns([f"old{n}" for n in range(950)])

    columns.admit([f"new{n}" for n in range(30)])
    with pytest.raises(ObjectFailed, match="wider than 1000"):
        columns.admit([f"other{n}" for n in range(30)])
    columns.admit([*KNOWN_COLUMNS, "new1", "old1"])
