"""The shapes of the answers, for OpenAPI alone: Postgres writes the text itself."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

EXAMPLE_ITEM: JsonDict = {
    "twap_id": "1271370",
    "asset": "HYPE",
    "side": "B",
    "status": "finished",
    "status_error": None,
    "duration_minutes": 30,
    "latest_ts": "2025-11-03T12:30:00.25Z",
    "executed": {"size": "100.5", "notional": "4025.1255"},
    "requested": {"size": "100.5"},
    "average_price": "40.051",
    "started_at": "2025-11-03T12:00:00Z",
    "ended_at": "2025-11-03T12:30:00.25Z",
}

EXAMPLE_CERTIFICATE: JsonDict = {
    "as_of": "2025-11-30T23:59:59Z",
    "listed_at": "2025-12-01T06:03:02.114Z",
    "first_event": "2025-08-17T00:00:03.5Z",
    "last_event": "2025-12-01T05:59:58.25Z",
    "complete": False,
    "reasons": [
        {
            "code": "failed_objects",
            "count": 1,
            "from": "2025-11-14T08:00:00Z",
            "to": "2025-11-14T08:00:00Z",
        }
    ],
    "open_twaps": 0,
}

EXAMPLE_PAGE: JsonDict = {
    "wallet": "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921",
    "start": "2025-11-01T00:00:00Z",
    "end": "2025-11-30T23:59:59Z",
    "twaps": [EXAMPLE_ITEM],
    "next_cursor": None,
    "coverage": EXAMPLE_CERTIFICATE,
}

EXAMPLE_EVENTS: JsonDict = {
    "twap_id": "1271370",
    "rows": [
        {
            "twap_id": "1271370",
            "wallet": "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921",
            "ts": "2025-11-03T12:30:00.25Z",
            "asset": "HYPE",
            "side": "B",
            "size_requested": "100.5",
            "size_executed": "100.5",
            "notional_executed": "4025.1255",
            "average_price": "40.051",
            "status": "finished",
            "status_error": None,
            "duration_minutes": 30,
            "started_at": "2025-11-03T12:00:00Z",
            "ended_at": "2025-11-03T12:30:00.25Z",
            "raw": {"twap_id": "1271370", "status": "finished", "state_sz": "100.5"},
        }
    ],
}

EXAMPLE_HEALTH: JsonDict = {
    "status": "healthy",
    "database": "connected",
    "last_ingested_object": "raw/twap_statuses/date=2025-11-03/12.parquet",
    "last_ingested_at": "2025-11-03T13:05:11.4Z",
}

EXAMPLE_WALLET: JsonDict = {
    "wallet": "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921",
    "first_event": "2025-11-03T12:00:00Z",
    "last_event": "2026-01-01T02:00:00Z",
    "twaps": 3,
    "events": 6,
    "open_twaps": 0,
    "years": [2025, 2026],
    "coverage": EXAMPLE_CERTIFICATE,
}

EXAMPLE_TAX_YEAR: JsonDict = {
    "wallet": "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921",
    "year": 2025,
    "start": "2025-01-01T00:00:00Z",
    "end": "2025-12-31T23:59:59.999999Z",
    "totals": [
        {
            "asset": "HYPE",
            "side": "B",
            "twaps": 1,
            "executed": {"size": "100.5", "notional": "4025.1255"},
        }
    ],
    "open_twaps": [],
    "coverage": EXAMPLE_CERTIFICATE,
}

EXAMPLE_ERROR: JsonDict = {
    "error": {
        "code": "not_found",
        "message": "No TWAP has this id.",
        "field": "twap_id",
    },
    "detail": "No TWAP has this id.",
}

EXAMPLE_PARAMETER_ERROR: JsonDict = {
    "error": {
        "code": "invalid_year",
        "message": "`year` is a year from 2023 to 2100, like year=2025",
        "field": "year",
    },
    "detail": [
        {
            "loc": ["query", "year"],
            "msg": "`year` is a year from 2023 to 2100, like year=2025",
            "type": "invalid_year",
        }
    ],
}

EXAMPLES: Final[dict[str, JsonDict]] = {
    "TwapPage": EXAMPLE_PAGE,
    "TwapEvents": EXAMPLE_EVENTS,
    "WalletSummary": EXAMPLE_WALLET,
    "TaxYear": EXAMPLE_TAX_YEAR,
    "Certificate": EXAMPLE_CERTIFICATE,
    "Health": EXAMPLE_HEALTH,
    "Alive": {"status": "alive"},
    "Error": EXAMPLE_ERROR,
    "ParameterError": EXAMPLE_PARAMETER_ERROR,
}
"""An example of each answer, by the name of its model."""

Amount = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
"""An exact decimal number, as text."""

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 in UTC."""

AS_PUBLISHED: Final = "Decimal string, exactly as published."
USD: Final = "USD, a decimal string, exactly as published."
MICROSECONDS: Final = "RFC 3339 in UTC; a fraction only where it is not zero."


class Executed(BaseModel):
    """What had been executed when the event was reported."""

    size: Amount | None = Field(description=AS_PUBLISHED)
    notional: Amount | None = Field(description=USD)


class Requested(BaseModel):
    """What was ordered."""

    size: Amount | None = Field(description=AS_PUBLISHED)


class _State(BaseModel):
    """A TWAP as one of its events reported it."""

    twap_id: str
    asset: str = Field(description="`BTC`, `kBONK`, `@107`, `PURR/USDC`, `xyz:NVDA`, …")
    side: str = Field(description="`B` (buy) or `A` (sell).")
    status: str = Field(
        description="`activated`, `waitingForTrigger` (open); `finished`, "
        "`terminated`, `error`, `stopped` (ended); others may come. `error` does not "
        "mean that nothing was executed."
    )
    status_error: str | None = Field(description="The reason of an `error`.")
    duration_minutes: int | None
    latest_ts: Moment = Field(description=MICROSECONDS)
    executed: Executed
    requested: Requested
    average_price: Amount | None = Field(
        description="Notional by size, 12 significant digits; null where nothing was "
        "executed."
    )
    started_at: Moment | None = Field(description="When the order was placed.")
    ended_at: Moment | None = Field(description="Null while the TWAP is open.")


class Provenance(BaseModel):
    """Where an event comes from."""

    s3_object_key: str
    s3_etag: str = Field(description="Which version of the object.")
    row_number: int = Field(description="Row in the object, from 0.")
    copies: int = Field(description="How many landed rows tell of this event.")
    inserted_at: Moment = Field(description="When its load was complete.")


class TwapState(_State):
    """A state, with what `include` asked for."""

    raw: dict[str, Any] | None = Field(
        default=None,
        description="Only with `include=raw`: the source's columns as published.",
    )
    provenance: Provenance | None = Field(
        default=None, description="Only with `include=provenance`."
    )


class Twap(TwapState):
    """A TWAP in its state as of the window's end."""

    events: list[TwapState] | None = Field(
        default=None,
        description="Only with `include=events` or `latest_per_twap=false`: its states "
        "within the window, newest first.",
    )
    updated_at: Moment | None = Field(
        default=None,
        description="Only with `updated_since`: the newest load that touched it.",
    )


class Reason(BaseModel):
    """Why an answer may not be whole."""

    model_config = ConfigDict(populate_by_name=True)

    code: Literal[
        "before_first_event",
        "after_last_event",
        "failed_objects",
        "objects_not_fetched",
        "rejected_rows",
        "empty_hours",
        "never_listed",
        "build_in_progress",
    ]
    count: int = Field(
        description="Objects, rows, or UTC hours; 1 where there is nothing to count."
    )
    since: Moment | None = Field(alias="from", description="Where the gap may begin.")
    until: Moment | None = Field(alias="to", description="Where the gap may end.")


class Certificate(BaseModel):
    """Whether the answer is whole.

    Every object that the bucket had at `listed_at` is in it, but for the reasons. It
    cannot say that no object will come late.
    """

    as_of: Moment | None = Field(
        description="The moment whose states are shown: the window's end, or the "
        "newest event when that is earlier."
    )
    listed_at: Moment | None = Field(description="When the bucket was last listed.")
    first_event: Moment | None = Field(description="The oldest event of all wallets.")
    last_event: Moment | None = Field(description="The newest event of all wallets.")
    complete: bool = Field(description="True when there is no reason.")
    reasons: list[Reason]
    open_twaps: int = Field(description="Of the answer, those that may still change.")


class Withdrawn(BaseModel):
    """A TWAP that was here and that no object tells of any more."""

    twap_id: str
    updated_at: Moment = Field(description="When it went.")


class TwapPage(BaseModel):
    """A page of a wallet's TWAPs, newest first.

    With `updated_since` it has no `start` and `end`, and stands in the order of
    `updated_at`.
    """

    wallet: str = Field(description="In lower case.")
    start: Moment | None = Field(default=None, description="Of a window.")
    end: Moment | None = Field(
        default=None,
        description="The last microsecond of the window, whichever form it came in.",
    )
    updated_since: Moment | None = Field(
        default=None, description="As it was asked for."
    )
    twaps: list[Twap]
    withdrawn: list[Withdrawn] | None = Field(
        default=None, description="Only with `updated_since`."
    )
    next_updated_since: Moment | None = Field(
        default=None,
        description="Only with `updated_since`: what to send when the walk is done.",
    )
    next_cursor: str | None = Field(description="Null on the last page.")
    coverage: Certificate


class Event(BaseModel):
    """An event of a TWAP."""

    twap_id: str
    wallet: str
    ts: Moment = Field(description=MICROSECONDS)
    asset: str
    side: str
    size_requested: Amount | None = Field(description=AS_PUBLISHED)
    size_executed: Amount | None = Field(description=AS_PUBLISHED)
    notional_executed: Amount | None = Field(description=USD)
    average_price: Amount | None
    status: str
    status_error: str | None
    duration_minutes: int | None
    started_at: Moment | None
    ended_at: Moment | None
    raw: dict[str, Any] = Field(description="The source's columns as published.")
    provenance: Provenance | None = Field(
        default=None, description="Only with `include=provenance`."
    )


class TwapEvents(BaseModel):
    """Every event of a TWAP, newest first."""

    twap_id: str
    rows: list[Event]


class WalletSummary(BaseModel):
    """What is known of a wallet."""

    wallet: str = Field(description="In lower case.")
    first_event: Moment | None = Field(description="Null when it has no TWAPs.")
    last_event: Moment | None
    twaps: int
    events: int
    open_twaps: int = Field(description="TWAPs that have not ended.")
    years: list[int] = Field(description="UTC years in which it has events.")
    coverage: Certificate


class TaxTotal(BaseModel):
    """What was executed of one asset and side within the year."""

    asset: str
    side: str
    twaps: int = Field(description="TWAPs with an event in the year.")
    executed: Executed


class OpenTwap(_State):
    """A TWAP that was open at the year's end."""

    executed_in_year: Executed


class TaxYear(BaseModel):
    """What a wallet's TWAPs executed in a year.

    An amount counts in the year of the event that reported it: the totals are the state
    at the year's end less that at its start, so years always add up.
    """

    wallet: str
    year: int
    start: Moment = Field(description=MICROSECONDS)
    end: Moment = Field(description="The last microsecond of the year.")
    totals: list[TaxTotal] = Field(description="By asset and side, open TWAPs too.")
    open_twaps: list[OpenTwap] = Field(
        description="TWAPs that had not ended at the year's end."
    )
    coverage: Certificate


class Health(BaseModel):
    """Whether questions can be answered, and what came in last."""

    status: str = Field(description="`healthy`; in a 503 `degraded`.")
    database: str = Field(description="`connected` or `unavailable`.")
    last_ingested_object: str | None
    last_ingested_at: Moment | None


class Alive(BaseModel):
    """The process answers."""

    status: str


class ErrorBody(BaseModel):
    """What was wrong, for programs."""

    code: str = Field(description="Stable; made to be compared.")
    message: str = Field(description="One sentence for people.")
    field: str | None = Field(description="The parameter at fault, if one is.")


class Problem(BaseModel):
    """What was wrong with a parameter, as FastAPI's users know it."""

    loc: list[str]
    msg: str
    type: str


class Error(BaseModel):
    """An answer that is no success."""

    error: ErrorBody
    detail: str


class ParameterError(BaseModel):
    """An answer to a parameter that is not understood."""

    error: ErrorBody
    detail: list[Problem]


ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "What `If-None-Match` names is still what would be sent."},
    401: {"model": Error, "description": "A key is asked for, see `API_KEYS`."},
    422: {"model": ParameterError, "description": "A parameter is not understood."},
    503: {"model": Error, "description": "Not now; `Retry-After` says when."},
}
"""What every endpoint under /api/v1 may answer beside its own; what any path may answer
is added by api/openapi.py."""
