"""The shapes of the answers, for OpenAPI alone: Postgres writes the text itself."""

from typing import Any

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

EXAMPLE_PAGE: JsonDict = {
    "wallet": "0x4d2f7c1b8e9a0356d4c2b1a09f8e7d6c5b4a3921",
    "start": "2025-11-01T00:00:00Z",
    "end": "2025-11-30T23:59:59Z",
    "twaps": [EXAMPLE_ITEM],
    "next_cursor": None,
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

Amount = Field(description="Decimal string, exactly as published.")
Moment = Field(description="RFC 3339 in UTC; a fraction only where it is not zero.")


class Executed(BaseModel):
    """What had been executed when the event was reported."""

    size: str | None = Amount
    notional: str | None = Field(description="USD, a decimal string.")


class Requested(BaseModel):
    """What was ordered."""

    size: str | None = Amount


class State(BaseModel):
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
    latest_ts: str = Moment
    executed: Executed
    requested: Requested
    average_price: str | None = Field(
        description="Notional by size, 12 significant digits; null where nothing was "
        "executed."
    )
    started_at: str | None = Field(description="When the order was placed.")
    ended_at: str | None = Field(description="Null while the TWAP is open.")


class Twap(State):
    """A TWAP in its state as of the window's end."""

    events: list[State] = Field(
        default_factory=list,
        description="Only with `latest_per_twap=false`: its states within the window, "
        "newest first.",
    )


class TwapPage(BaseModel):
    """A page of a wallet's TWAPs, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_PAGE})

    wallet: str = Field(description="In lower case.")
    start: str = Moment
    end: str = Field(
        description="The last microsecond of the window, whichever form it came in."
    )
    twaps: list[Twap]
    next_cursor: str | None = Field(description="Null on the last page.")


class Event(BaseModel):
    """An event of a TWAP."""

    twap_id: str
    wallet: str
    ts: str = Moment
    asset: str
    side: str
    size_requested: str | None = Amount
    size_executed: str | None = Amount
    notional_executed: str | None = Field(description="USD, a decimal string.")
    average_price: str | None
    status: str
    status_error: str | None
    duration_minutes: int | None
    started_at: str | None
    ended_at: str | None
    raw: dict[str, Any] = Field(description="The source's columns as published.")


class TwapEvents(BaseModel):
    """Every event of a TWAP, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_EVENTS})

    twap_id: str
    rows: list[Event]


class Health(BaseModel):
    """Whether questions can be answered, and what came in last."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_HEALTH})

    status: str = Field(description="`healthy`; in a 503 `degraded`.")
    database: str = Field(description="`connected` or `unavailable`.")
    last_ingested_object: str | None
    last_ingested_at: str | None


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
