"""Requests that nobody wrote: made from the OpenAPI document, by the hundred.

What is good by the document is answered as the document says; what is not is refused.
Never does either break anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import schemathesis
from conftest import running
from hypothesis import HealthCheck, Phase, settings
from marts import Event, Marts, moment
from schemathesis import GenerationMode
from schemathesis.config import (
    ChecksConfig,
    ExamplesPhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.config._checks import NegativeDataRejectionConfig

import api
from api.parameters import WALLET
from api.query_string import CONTROL

CASES = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
MANY_CASES = settings(CASES, max_examples=1000, derandomize=False)

KNOWN_WALLET = str(WALLET.example)
KNOWN = {"wallet": KNOWN_WALLET, "twap_id": "1271370", "year": 2025}
"""Values by which there is something to answer."""


def described(mode: GenerationMode) -> schemathesis.BaseSchema:
    """The requests that the document allows, or forbids."""
    is_refused = NegativeDataRejectionConfig(
        enabled=mode is GenerationMode.NEGATIVE,
        expected_statuses=["404", "405", "414", "422"],
    )
    app = api.create_app("postgresql://nobody@127.0.0.1:1/nothing")
    project = ProjectConfig(
        generation=GenerationConfig(modes=[mode]),
        # All examples at once exclude each other.
        phases=PhasesConfig(examples=ExamplesPhaseConfig(enabled=False)),
        checks=ChecksConfig(negative_data_rejection=is_refused),
    )
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    return schemathesis.openapi.from_dict(app.openapi(), config=config)


GOOD = described(GenerationMode.POSITIVE)
# What has no parameters cannot be asked for wrongly.
BAD = described(GenerationMode.NEGATIVE).exclude(tag="health")


def sensible(query: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a query what goes together, which no schema can tell."""
    query = {name: real_day(known(name, value)) for name, value in query.items()}
    # No cursor but one of the server's own is good.
    query.pop("cursor", None)
    windows = [("updated_since",), ("start", "end"), ("start", "before"), ("year",)]
    chosen = next((each for each in windows if set(each) <= query.keys()), ())
    alone = {"start", "end", "before", "year", "updated_since"} - set(chosen)
    if "updated_since" in chosen:
        alone |= {"asset", "side", "status", "latest_per_twap", "offset"}
    if query.get("format", "csv") != "csv":
        alone |= {"spreadsheet"}
    query = {name: value for name, value in query.items() if name not in alone}
    if "wallet" in query and not chosen:
        query["year"] = KNOWN["year"]
    return in_order(query)


def in_order(query: dict[str, Any]) -> dict[str, Any]:
    """Let the window begin before it ends, whatever the zones of both are."""
    for end in {"end", "before"} & query.keys():
        query["start"], query[end] = sorted([query["start"], query[end]])
        if query["start"][:8] == query[end][:8]:
            query["start"] = query["start"][:8] + "01"
    return query


def known(name: str, value: Any) -> Any:
    return KNOWN[name] if name in KNOWN and len(str(value)) % 2 else value


def real_day(value: Any) -> Any:
    """The 31st is a day of some months only."""
    if isinstance(value, str):
        return re.sub(r"^(\d{4}-\d\d)-(29|3[01])", r"\1-28", value)
    return value


@pytest.fixture(scope="module")
def client(new_marts: Callable[[], Marts]) -> Iterator[httpx.Client]:
    """An API that has what the examples of its document ask for."""
    marts = new_marts()
    placed, ended = moment("2025-11-03T12:00:00Z"), moment("2025-11-03T12:30:00.25Z")
    life = [
        Event("1271370", KNOWN_WALLET, placed, "activated", placed, asset="HYPE"),
        Event("1271370", KNOWN_WALLET, ended, "finished", placed, asset="HYPE"),
    ]
    odd = [
        Event(f"odd {n}", KNOWN_WALLET, ended, status, None, status_error="é\n\"'\\")
        for n, status in enumerate(["error", "waitingForTrigger", "news"])
    ]
    marts.build([*life, *odd])
    with running(marts.url) as client:
        yield client


def check_good(case: schemathesis.Case, client: httpx.Client) -> None:
    case.path_parameters = {k: known(k, v) for k, v in case.path_parameters.items()}
    case.query = sensible(case.query)
    check(case, client)


def check_bad(case: schemathesis.Case, client: httpx.Client) -> None:
    status = check(case, client).status_code
    # Schemathesis itself takes the percent code of a bad character for good text.
    path = [unquote(str(text)) for text in case.path_parameters.values()]
    if any(CONTROL.search(text) or not text.strip() for text in path):
        assert status >= 400, case.as_curl_command()


def check(case: schemathesis.Case, client: httpx.Client) -> schemathesis.Response:
    return case.call_and_validate(base_url=str(client.base_url))


@GOOD.parametrize()
@CASES
def test_a_good_request_is_answered_as_described(
    case: schemathesis.Case, client: httpx.Client
) -> None:
    check_good(case, client)


@BAD.parametrize()
@CASES
def test_a_bad_request_is_refused(
    case: schemathesis.Case, client: httpx.Client
) -> None:
    check_bad(case, client)


@pytest.mark.soak
@GOOD.parametrize()
@MANY_CASES
def test_good_requests_by_the_thousand(
    case: schemathesis.Case, client: httpx.Client
) -> None:
    check_good(case, client)


@pytest.mark.soak
@BAD.parametrize()
@MANY_CASES
def test_bad_requests_by_the_thousand(
    case: schemathesis.Case, client: httpx.Client
) -> None:
    check_bad(case, client)
