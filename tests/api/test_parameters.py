"""What is not understood is refused, in one shape, and says what to write instead."""

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import httpx
import pytest
from conftest import running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marts import Marts

from api.parameters import WALKING


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    marts = new_marts()
    marts.build([])
    with running(marts.url) as client:
        yield client


REFUSED = [
    ("", "missing_parameter", "wallet"),
    ("wallet=a", "missing_parameter", "start"),
    ("wallet=a&start=2025-01-01", "missing_parameter", "end"),
    ("wallet=a&end=2025-01-01", "missing_parameter", "start"),
    ("wallet=a&before=2025-01-01", "missing_parameter", "start"),
    ("year=2025", "missing_parameter", "wallet"),
    ("wallet=a&year=2025&start=2025-01-01", "conflicting_parameters", "year"),
    (
        "wallet=a&start=2025-01-01&end=2025-01-02&before=2025-01-03",
        "conflicting_parameters",
        "before",
    ),
    ("wallet=a&year=2025&offset=0&cursor=x", "conflicting_parameters", "offset"),
    ("wallet=a&year=2025&walet=b", "unknown_parameter", "wallet"),
    ("wallet=a&year=2025&Limit=1", "unknown_parameter", "limit"),
    ("wallet=a&year=2025&nothing_like_it=1", "unknown_parameter", None),
    ("wallet=a&year=2025&include=raw,all", "invalid_choice", "include"),
    ("wallet=a&year=2025&updated_since=2025-01-01", "conflicting_parameters", "year"),
    (
        "wallet=a&updated_since=2025-01-01&offset=1",
        "conflicting_parameters",
        "offset",
    ),
    ("wallet=a&updated_since=1735689600", "invalid_time", "updated_since"),
    ("wallet=a&wallet=b&year=2025", "repeated_parameter", "wallet"),
    ("wallet=a&year=2025&year=2025", "repeated_parameter", "year"),
    ("wallet=&year=2025", "empty_parameter", "wallet"),
    ("wallet&year=2025", "empty_parameter", "wallet"),
    ("wallet=%20&year=2025", "empty_parameter", "wallet"),
    ("wallet=a&year=2025&asset=", "empty_parameter", "asset"),
    ("wallet=a%00b&year=2025", "invalid_text", "wallet"),
    ("wallet=a&year=2025&status=a%0Ab", "invalid_text", "status"),
    ("wallet=a&year=2025&status=%C2%85b", "invalid_text", "status"),
    (f"wallet={'a' * 257}&year=2025", "invalid_text", "wallet"),
    ("wallet=%ff&year=2025", "invalid_encoding", None),
    ("wallet=%ed%a0%80&year=2025", "invalid_encoding", None),
    ("wallet=a%&year=2025", "invalid_encoding", None),
    ("wallet=a&%zz=2025", "invalid_encoding", None),
    ("wallet=a&year=2022", "invalid_year", "year"),
    ("wallet=a&year=2101", "invalid_year", "year"),
    ("wallet=a&year=02025", "invalid_year", "year"),
    ("wallet=a&year=%D9%A2%D9%A0%D9%A2%D9%A5", "invalid_year", "year"),
    ("wallet=a&start=2025&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=1764867622417&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=2025-02-30&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=2025-01-01T24:00:00Z&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=2025-01-01T00:00:60Z&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=2025-01-01Z&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=2025-01-01T12:00.5Z&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=2025-W01-1&end=2026-01-01", "invalid_time", "start"),
    ("wallet=a&start=now&end=infinity", "invalid_time", "start"),
    ("wallet=a&start=2025-01-01T00:00:00%2B99:00&end=x", "invalid_time", "start"),
    ("wallet=a&start=0001-01-01T00:00:00%2B23:00&end=x", "invalid_time", "start"),
    ("wallet=a&start=2022-12-31&end=2026-01-01", "time_out_of_range", "start"),
    ("wallet=a&start=2025-01-01&end=2101-01-01", "time_out_of_range", "end"),
    ("wallet=a&start=2026-01-02&end=2026-01-01", "start_after_end", "start"),
    ("wallet=a&start=2026-01-02&before=2026-01-01", "start_after_end", "start"),
    ("wallet=a&year=2025&limit=0", "invalid_number", "limit"),
    ("wallet=a&year=2025&limit=5001", "invalid_number", "limit"),
    ("wallet=a&year=2025&limit=-1", "invalid_number", "limit"),
    ("wallet=a&year=2025&limit=1.5", "invalid_number", "limit"),
    ("wallet=a&year=2025&limit=%D9%A2", "invalid_number", "limit"),
    (f"wallet=a&year=2025&limit={'9' * 200}", "invalid_number", "limit"),
    ("wallet=a&year=2025&offset=1000001", "invalid_number", "offset"),
    ("wallet=a&year=2025&latest_per_twap=2", "invalid_flag", "latest_per_twap"),
]


@pytest.mark.parametrize(("query", "code", "field"), REFUSED)
def test_refusal_names_its_parameter_and_never_the_input(
    client: httpx.Client, query: str, code: str, field: str | None
) -> None:
    response = client.get(f"/api/v1/twaps?{query}")
    assert response.status_code == 422
    body = response.json()
    assert body["error"]["code"] == code
    assert body["error"]["field"] == field
    assert body["detail"] == [
        {
            "loc": ["query", field] if field else ["query"],
            "msg": body["error"]["message"],
            "type": code,
        }
    ]
    assert body.keys() == {"error", "detail"}


@pytest.mark.parametrize(
    "query",
    [
        "wallet=a&year=2023",
        "wallet=a&year=2100",
        "wallet=%F0%9F%98%80&year=2025",
        "wallet=a%27%3B%20drop%20table--&year=2025",
        "wallet=a&year=2025&limit=5000&offset=1000000",
        "wallet=a&year=2025&limit=007",
        "wallet=a&year=2025&latest_per_twap=False",
        "wallet=a&start=2025-01-01&before=2025-01-01",
        "wallet=a&start=2025-01-01T00:00:00+00:00&end=2025-01-01",
        "&wallet=a&&year=2025&",
    ],
)
def test_odd_but_clear_query_is_answered(client: httpx.Client, query: str) -> None:
    response = client.get(f"/api/v1/twaps?{query}")
    assert response.status_code == 200, response.text


def test_twap_by_id_takes_no_parameters(client: httpx.Client) -> None:
    error = client.get("/api/v1/twaps/1?wallet=a").json()["error"]
    assert error["code"] == "unknown_parameter"


def test_control_character_in_a_twap_id_is_refused(client: httpx.Client) -> None:
    response = client.get("/api/v1/twaps/a%00b")
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"] == ["path", "twap_id"]


names = st.sampled_from([*WALKING, "x"])
values = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["2025-01-01", "2025", "a", "9999-12-31T23:59:59.999999999Z", "-"]),
    st.integers().map(str),
)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(names, values), max_size=6))
def test_hostile_parameters_never_break_the_server(
    client: httpx.Client, pairs: list[tuple[str, str]]
) -> None:
    response = client.get("/api/v1/twaps", params=urlencode(pairs))
    assert response.status_code in (200, 414, 422), response.text
    response.json()


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=60))
def test_hostile_ids_never_break_the_server(client: httpx.Client, raw: bytes) -> None:
    path = "".join(f"%{byte:02X}" for byte in raw)
    response = client.get(f"/api/v1/twaps/{path}")
    assert response.status_code in (404, 422), response.text
    assert response.json().keys() == {"error", "detail"}
