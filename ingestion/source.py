"""The bucket: how to reach it, what it lists, and the bytes of an object."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import boto3
import botocore.session
import obstore
import obstore.exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.utils import parse_timestamp
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from ingestion.objects import ObjectFailed, S3Object
from ingestion.s3_errors import (
    ConnectionFailed,
    listing_error,
    object_failure,
    raise_user_error_if_hopeless,
)
from warehouse.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ATTEMPTS = 3
_CONNECT_SECONDS = 10
_READ_SECONDS = 60


@dataclass(frozen=True)
class S3Source:
    """Where the objects lie. `request_payer` is `requester`, or empty: no header."""

    bucket: str
    prefix: str
    region: str
    request_payer: Literal["requester", ""] = "requester"
    endpoint_url: str | None = None

    def __str__(self) -> str:
        endpoint = f" at {self.endpoint_url}" if self.endpoint_url else ""
        return f"s3://{self.bucket}/{self.prefix}{endpoint}"


class Bucket:
    """The objects of one source, through a client that many threads may use."""

    def __init__(self, source: S3Source, *, threads: int) -> None:
        self._source = source
        self.list_requests = 0
        """How many were sent so far."""
        try:
            self._session = _session()
            self._client = _client(self._session, source, threads)
        except (BotoCoreError, ValueError) as error:
            raise_user_error_if_hopeless(error, str(source))
            raise UserError(
                f"No connection to {source}: {error}. "
                "Check AWS_REGION, AWS_ENDPOINT_URL and what lies in ~/.aws."
            ) from None

    def list(self, *, only: str | None = None) -> Iterator[S3Object]:
        """Yield all objects under the prefix, or the one of the key `only`.

        Raises UserError when the bucket cannot be listed.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._source.bucket,
            Prefix=self._source.prefix if only is None else only,
            **self._payer(),
        )
        try:
            for page in pages:
                self.list_requests += 1
                for item in page.get("Contents", []):
                    if only is None or item["Key"] == only:
                        yield S3Object(
                            key=item["Key"],
                            etag=item["ETag"].strip('"'),
                            size=item["Size"],
                            last_modified=item["LastModified"].astimezone(UTC),
                        )
        except (BotoCoreError, ClientError) as error:
            raise_user_error_if_hopeless(error, str(self._source))
            raise listing_error(error, str(self._source)) from None

    def read(self, wanted: S3Object) -> bytes:
        """Return the body of exactly the version that was listed.

        Raises ObjectFailed when this object cannot be had, ConnectionFailed when
        perhaps none can, UserError when certainly none can.
        """
        try:
            found = obstore.get(
                self._store, wanted.key, options={"if_match": f'"{wanted.etag}"'}
            )
            body = bytes(found.bytes())
            if len(body) == wanted.size:
                return body
        except (obstore.exceptions.BaseError, OSError, ValueError):
            # It can say less of what was wrong: boto3 asks again, and says it.
            pass
        return self._read_by_boto3(wanted)

    @cached_property
    def _store(self) -> S3Store:
        """The same bucket through a client that reads outside of Python's lock."""
        return S3Store(
            self._source.bucket,
            endpoint=self._source.endpoint_url,
            region=self._source.region,
            request_payer=self._source.request_payer == "requester",
            virtual_hosted_style_request=self._source.endpoint_url is None,
            credential_provider=Boto3CredentialProvider(self._session),
            client_options={
                "allow_http": True,
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
                "read_timeout": timedelta(seconds=_READ_SECONDS),
                "timeout": timedelta(hours=1),
            },
            retry_config={"max_retries": 0},
        )

    def _read_by_boto3(self, wanted: S3Object) -> bytes:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self._client.get_object(
                    Bucket=self._source.bucket,
                    Key=wanted.key,
                    IfMatch=f'"{wanted.etag}"',
                    **self._payer(),
                )
            except (BotoCoreError, ClientError) as error:
                raise_user_error_if_hopeless(error, str(self._source))
                raise object_failure(error) from error
            try:
                body = response["Body"].read()
            # The client tries again only until the body begins.
            except (BotoCoreError, HTTPClientError, OSError) as error:
                if attempt == _ATTEMPTS:
                    raise ConnectionFailed(
                        f"the connection broke while it was read ({_ATTEMPTS} attempts)"
                    ) from error
                continue
            if len(body) != wanted.size:
                raise ObjectFailed(
                    f"{len(body):,} bytes came instead of the {wanted.size:,} listed"
                )
            return body
        raise AssertionError("unreachable")

    def _payer(self) -> dict[str, Any]:
        payer = self._source.request_payer
        return {"RequestPayer": payer} if payer else {}


def _session() -> boto3.session.Session:
    """Return a session that reads the times of a listing ten times as fast."""
    session = botocore.session.get_session()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_time)
    return boto3.session.Session(botocore_session=session)


def _time(value: Any) -> datetime:
    if isinstance(value, str) and value.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return parse_timestamp(value)


def _client(
    session: boto3.session.Session, source: S3Source, threads: int
) -> "S3Client":
    return session.client(
        "s3",
        region_name=source.region,
        endpoint_url=source.endpoint_url,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=threads,
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            # Other endpoints rarely answer to bucket.host.
            s3={"addressing_style": "path" if source.endpoint_url else "auto"},
        ),
    )
