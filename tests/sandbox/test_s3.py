"""The S3 endpoint behaves as the real bucket: it makes its requesters pay."""

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from hashlib import md5
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    IncompleteReadError,
    ResponseStreamingError,
)
from werkzeug.wrappers import Request, Response

from sandbox.faults import answer, delay, drop, truncate
from sandbox.s3 import S3Server
from tests.waiting import wait_until

PAYING: Any = {"RequestPayer": "requester"}
PAYING_HEADER = {"x-amz-request-payer": "requester"}


@pytest.fixture
def server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


def client(server: S3Server, addressing: str = "auto", attempts: int = 1) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name="ap-northeast-1",
        aws_access_key_id="any",
        aws_secret_access_key="text",  # noqa: S106  # no secret: any text does
        config=Config(
            s3={"addressing_style": addressing},
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def connected(server: S3Server) -> closing[http.client.HTTPConnection]:
    host = server.endpoint_url.removeprefix("http://")
    return closing(http.client.HTTPConnection(host, timeout=30))


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None
) -> tuple[int, bytes]:
    chunked = body is not None and not isinstance(body, bytes)
    connection.request(method, path, body, PAYING_HEADER, encode_chunked=chunked)
    answered = connection.getresponse()
    return answered.status, answered.read()


def get(server: S3Server, key: str) -> tuple[int, bytes]:
    with connected(server) as connection:
        return ask(connection, "GET", f"/{server.bucket}/{key}")


def error_code(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize("addressing", ["auto", "path", "virtual"])
def test_object_put_is_listed_and_read_back(server: S3Server, addressing: str) -> None:
    etag = server.put("raw/a b+ü.parquet", b"body")
    s3 = client(server, addressing)
    [listed] = s3.list_objects_v2(Bucket=server.bucket, **PAYING)["Contents"]
    assert (listed["Key"], listed["Size"]) == ("raw/a b+ü.parquet", 4)
    assert listed["ETag"] == f'"{etag}"' == f'"{md5(b"body").hexdigest()}"'  # noqa: S324  # what an ETag is
    got = s3.get_object(Bucket=server.bucket, Key=listed["Key"], **PAYING)
    assert got["Body"].read() == b"body"
    assert got["ETag"] == listed["ETag"]


def test_requests_without_the_requester_pays_header_are_denied(
    server: S3Server,
) -> None:
    server.put("a", b"body")
    s3 = client(server)
    denied = (403, "AccessDenied")
    assert error_code(s3.list_objects_v2, Bucket=server.bucket) == denied
    assert error_code(s3.get_object, Bucket=server.bucket, Key="a") == denied
    assert error_code(s3.put_object, Bucket=server.bucket, Key="a", Body=b"") == denied
    assert error_code(s3.head_object, Bucket=server.bucket, Key="a")[0] == 403
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{server.endpoint_url}/{server.bucket}/a")  # noqa: S310  # loopback


def test_missing_bucket_and_missing_key_are_told_apart(server: S3Server) -> None:
    s3 = client(server)
    missing_bucket = error_code(s3.list_objects_v2, Bucket="elsewhere", **PAYING)
    assert missing_bucket == (404, "NoSuchBucket")
    missing_key = error_code(s3.get_object, Bucket=server.bucket, Key="a", **PAYING)
    assert missing_key == (404, "NoSuchKey")


def test_last_modified_is_what_was_put_in_whole_seconds_of_utc(
    server: S3Server,
) -> None:
    tokyo = timezone(timedelta(hours=9))
    server.put("a", b"", datetime(2025, 11, 2, 3, 4, 5, 999_999, tokyo))
    s3 = client(server)
    expected = datetime(2025, 11, 1, 18, 4, 5, tzinfo=UTC)
    [listed] = s3.list_objects_v2(Bucket=server.bucket, **PAYING)["Contents"]
    got = s3.get_object(Bucket=server.bucket, Key="a", **PAYING)
    assert listed["LastModified"] == got["LastModified"] == expected


def test_object_put_again_has_a_new_etag_and_deleted_ones_are_gone(
    server: S3Server,
) -> None:
    assert server.put("a", b"1") != server.put("a", b"2")
    server.put("b", b"3")
    server.delete("b")
    server.delete("b")
    assert server.keys() == ["a"]
    got = client(server).get_object(Bucket=server.bucket, Key="a", **PAYING)
    assert got["Body"].read() == b"2"


def test_reading_a_version_that_is_no_more_fails(server: S3Server) -> None:
    old = server.put("a", b"1")
    server.put("a", b"2")
    arguments = {"Bucket": server.bucket, "Key": "a", "IfMatch": old, **PAYING}
    failed = error_code(client(server).get_object, **arguments)
    assert failed == (412, "PreconditionFailed")


def test_history_of_11000_objects_is_listed_in_pages_of_1000(
    server: S3Server,
) -> None:
    for number in range(11_000):
        server.put(f"raw/{number:05}", b"x")
    pages = client(server).get_paginator("list_objects_v2")
    keys = [
        [listed["Key"] for listed in page["Contents"]]
        for page in pages.paginate(Bucket=server.bucket, Prefix="raw/", **PAYING)
    ]
    assert {len(page) for page in keys} == {1000}
    assert [key for page in keys for key in page] == [
        f"raw/{number:05}" for number in range(11_000)
    ]
    assert server.requests == {("LIST", "raw/"): 11}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"Prefix": "raw/"},
        {"Prefix": "raw/b"},
        {"Prefix": "raw/&", "EncodingType": "url"},
        {"StartAfter": "raw/a <&>+%2F.x"},
        {"Prefix": "raw/", "StartAfter": "raw/ü/b"},
        {"MaxKeys": 5000},
        {"MaxKeys": 0},
        {"Prefix": "nowhere"},
    ],
    ids=str,
)
@pytest.mark.parametrize("page_size", [2, 1000])
def test_quick_listing_says_what_moto_says(
    server: S3Server, asked: dict[str, Any], page_size: int
) -> None:
    for key in ("other", "raw/a <&>+%2F.x", "raw/b", "raw/&", "raw/ü/b", "raw/ü/c d"):
        server.put(key, key.encode())
    s3 = client(server)

    def pages(**more: Any) -> list[Any]:
        found: list[Any] = []
        following: dict[str, Any] = {}
        while not found or following:
            arguments = {"Bucket": server.bucket, "MaxKeys": page_size, **PAYING}
            page = s3.list_objects_v2(**arguments | asked | more | following)
            token = page.get("NextContinuationToken")
            following = {"ContinuationToken": token} if token else {}
            contents = page.get("Contents", [])
            for each in contents:
                each.pop("Owner", None)
            names = ("Prefix", "KeyCount", "IsTruncated", "EncodingType")
            found.append((contents, *(page.get(name) for name in names)))
        return found

    # Only moto tells owners.
    assert pages() == pages(FetchOwner=True)


def test_requests_are_counted_by_method_and_key(server: S3Server) -> None:
    server.put("a", b"1")
    s3 = client(server)
    for _ in range(2):
        s3.get_object(Bucket=server.bucket, Key="a", **PAYING)
    s3.head_object(Bucket=server.bucket, Key="a", **PAYING)
    s3.list_objects_v2(Bucket=server.bucket, **PAYING)
    assert server.requests == {("GET", "a"): 2, ("HEAD", "a"): 1, ("LIST", ""): 1}


def test_servers_share_nothing_though_their_buckets_have_one_name() -> None:
    with S3Server() as one, S3Server() as other:
        one.put("a", b"one")
        other.put("a", b"other")
        for server, body in ((one, b"one"), (other, b"other")):
            got = client(server).get_object(Bucket=server.bucket, Key="a", **PAYING)
            assert got["Body"].read() == body
        other.close()
        got = client(one).get_object(Bucket=one.bucket, Key="a", **PAYING)
        assert got["Body"].read() == b"one"


def test_closed_server_answers_nobody_on_connections_that_were_open() -> None:
    with S3Server() as server:
        s3 = client(server)
        s3.list_objects_v2(Bucket=server.bucket, **PAYING)
    with pytest.raises(EndpointConnectionError):
        s3.list_objects_v2(Bucket=server.bucket, **PAYING)


def test_injected_error_answers_the_next_matching_requests_only(
    server: S3Server,
) -> None:
    server.put("a", b"1")
    server.put("b", b"2")
    server.inject(answer(503, "SlowDown"), method="GET", key="a", times=2)
    s3 = client(server)
    slow_down = (503, "SlowDown")
    s3.get_object(Bucket=server.bucket, Key="b", **PAYING)
    s3.head_object(Bucket=server.bucket, Key="a", **PAYING)
    for _ in range(2):
        failed = error_code(s3.get_object, Bucket=server.bucket, Key="a", **PAYING)
        assert failed == slow_down
    s3.get_object(Bucket=server.bucket, Key="a", **PAYING)


def test_client_that_tries_again_gets_past_an_injected_error(server: S3Server) -> None:
    server.put("a", b"1")
    server.inject(answer(500, "InternalError"), times=1)
    s3 = client(server, attempts=3)
    assert s3.get_object(Bucket=server.bucket, Key="a", **PAYING)["Body"].read() == b"1"
    assert server.requests == {("GET", "a"): 2}


def test_injected_delay_makes_the_answer_late(server: S3Server) -> None:
    server.put("a", b"1")
    server.inject(delay(0.3), key="a")
    began = time.monotonic()
    got = client(server).get_object(Bucket=server.bucket, Key="a", **PAYING)
    assert got["Body"].read() == b"1"
    assert time.monotonic() - began >= 0.3


def test_delay_takes_no_thread(server: S3Server) -> None:
    server.put("a", b"1")
    server.inject(delay(0.5))
    with ThreadPoolExecutor(64) as pool:
        bodies = [pool.submit(get, server, "a") for _ in range(64)]
        wait_until(lambda: server.requests["GET", "a"] == 64)
        assert not [t for t in threading.enumerate() if "_respond" in t.name]
    assert {body.result() for body in bodies} == {(200, b"1")}


def test_request_that_a_fault_holds_up_holds_up_no_other(server: S3Server) -> None:
    server.put("a", b"1")
    server.put("b", b"2")
    end = threading.Event()

    def held(_: Request, honest: Callable[[], Response]) -> Response:
        assert end.wait(20)
        return honest()

    server.inject(held, key="a")
    with ThreadPoolExecutor(100) as pool:
        waiting = [pool.submit(get, server, "a") for _ in range(100)]
        assert get(server, "b") == (200, b"2")
        end.set()
        assert {each.result() for each in waiting} == {(200, b"1")}


def test_connection_is_kept_through_answers_of_all_kinds(server: S3Server) -> None:
    path = f"/{server.bucket}/a"
    large = b"x" * 1_000_000
    with connected(server) as kept:
        assert ask(kept, "PUT", path, large) == (200, b"")
        client_port = kept.sock.getsockname()
        # Who does not sign is told no more than that.
        assert ask(kept, "HEAD", path) == (403, b"")
        assert ask(kept, "GET", f"{path}/missing")[0] == 404
        server.inject(answer(503, "SlowDown"), times=1)
        assert ask(kept, "GET", path)[0] == 503
        assert ask(kept, "GET", path) == (200, large)
        assert kept.sock.getsockname() == client_port


def test_body_that_is_sent_in_chunks_is_stored(server: S3Server) -> None:
    with connected(server) as sending:
        ask(sending, "PUT", f"/{server.bucket}/a", iter([b"in ", b"chunks"]))
    assert get(server, "a") == (200, b"in chunks")


def test_truncated_answer_ends_its_connection_after_so_many_bytes(
    server: S3Server,
) -> None:
    server.put("a", b"whole body")
    server.inject(truncate(5), times=1)
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(server, "a")
    assert (caught.value.partial, caught.value.expected) == (b"whole", 5)
    assert get(server, "a") == (200, b"whole body")


def test_requests_sent_ahead_are_answered_in_their_order(server: S3Server) -> None:
    server.put("a", b"1")
    server.put("b", b"2")
    server.inject(delay(0.2), key="a")
    head = "GET /{}/{} HTTP/1.1\r\nx-amz-request-payer: requester\r\n{}\r\n"
    first = head.format(server.bucket, "a", "")
    last = head.format(server.bucket, "b", "Connection: close\r\n")
    with connected(server) as ahead:
        ahead.connect()
        ahead.sock.sendall((first + last).encode())
        with ahead.sock.makefile("rb") as answers:
            bodies = [part[-1:] for part in answers.read().split(b"HTTP/1.1 200 OK")]
    assert bodies == [b"", b"1", b"2"]


def test_close_drops_requests_that_wait(server: S3Server) -> None:
    server.put("a", b"1")
    server.inject(delay(60))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(get, server, "a")
        wait_until(lambda: server.requests)
        began = time.monotonic()
        server.close()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            waiting.result()
    assert time.monotonic() - began < 50


def test_fault_may_change_what_an_honest_answer_says(server: S3Server) -> None:
    server.put("a", b"whole body")

    def cut_and_renamed(_: Request, honest: Callable[[], Response]) -> Response:
        response = honest()
        length = response.headers["Content-Length"]
        response.set_data(response.get_data()[:5])
        response.headers["ETag"] = '"x"'
        response.headers["Content-Length"] = length
        return response

    server.inject(cut_and_renamed)
    got = client(server).get_object(Bucket=server.bucket, Key="a", **PAYING)
    assert got["ETag"] == '"x"'
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        got["Body"].read()


def test_fault_may_drop_the_connection(server: S3Server) -> None:
    server.put("a", b"1")
    server.inject(drop, times=1)
    s3 = client(server)
    with pytest.raises(ConnectionClosedError):
        s3.get_object(Bucket=server.bucket, Key="a", **PAYING)
    assert s3.get_object(Bucket=server.bucket, Key="a", **PAYING)["Body"].read() == b"1"


def test_healed_server_has_no_faults(server: S3Server) -> None:
    server.inject(answer(503, "SlowDown"))
    server.heal()
    client(server).list_objects_v2(Bucket=server.bucket, **PAYING)


def test_environment_leads_a_client_to_the_server(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.put("a", b"1")
    s3 = boto3.session.Session().client("s3", region_name="ap-northeast-1")
    [listed] = s3.list_objects_v2(Bucket=server.bucket, **PAYING)["Contents"]
    assert listed["Key"] == "a"
