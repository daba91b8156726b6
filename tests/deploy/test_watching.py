"""Alerts and the dashboard: right in what they say, over figures that there are."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.app import EXPORTS_AT_ONCE, POOL_SIZE
from tests.marts.warehouse import Warehouse
from tests.programs import needs
from tests.warehouse.command import environment, serving
from warehouse import PROJECT_ROOT

PROMETHEUS = PROJECT_ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads(
    (PROJECT_ROOT / "deploy" / "grafana" / "dashboards" / "twaps.json").read_text()
)
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
CASES = sorted(Path(__file__).parent.glob("*.test.yml"))
OF_PROMETHEUS = {"up", "job", "instance"}
"""What Prometheus itself adds to what it scrapes."""


def check(*command: str | Path) -> str:
    """The output of a program that must be content."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@needs("promtool")
def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    said = check("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert f"{len(RULES)} rules found" in said


@needs("promtool")
def test_each_alert_fires_when_it_should_and_not_before() -> None:
    check("promtool", "test", "rules", *CASES)


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    seen: dict[str, set[bool]] = {}
    tests = [
        test for file in CASES for test in yaml.safe_load(file.read_text())["tests"]
    ]
    for case in (case for test in tests for case in test["alert_rule_test"]):
        seen.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert seen == {rule["alert"]: {True, False} for rule in RULES}


def test_the_documents_say_what_to_do_at_each_alert() -> None:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    told = re.findall(r"^\| `(Twap\w+)` \|", text, re.MULTILINE)
    assert told == [rule["alert"] for rule in RULES]


def test_the_alert_of_the_pool_is_about_all_connections_for_pages() -> None:
    (rule,) = [rule for rule in RULES if rule["alert"] == "TwapPoolExhausted"]
    limit = float(rule["expr"].rsplit(">", 1)[1])
    most = POOL_SIZE + EXPORTS_AT_ONCE
    assert (POOL_SIZE - 1) / most < limit < POOL_SIZE / most


class Told(NamedTuple):
    """What a server tells at /metrics: names of series, and of their labels."""

    series: set[str]
    labels: set[str]


@pytest.fixture(scope="module")
def told(sample_marts: Warehouse) -> Told:
    with serving(environment(DATABASE_URL=sample_marts.url)) as api:
        text = api.get("/metrics").text
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    return Told(
        {sample.name for sample in samples},
        {label for sample in samples for label in sample.labels},
    )


QUERIES = [
    *(rule["expr"] for rule in RULES),
    *(
        target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    ),
    *(annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]),
]
WORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "without"}


def names(query: str) -> tuple[set[str], set[str]]:
    """The series and the labels that a query names."""
    selectors = re.findall(r"\{(.*?)\}", query)
    labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", " ".join(selectors)))
    grouped = r"\b(?:by|on|without)\s*\(([\w, ]*)\)"
    for group in re.findall(grouped, query):
        labels |= set(re.findall(r"\w+", group))
    rest = re.sub(r"\{.*?\}|\[.*?\]", "", re.sub(grouped, "", query))
    return set(re.findall(r"\b[a-z_]\w*\b(?!\s*\()", rest)) - WORDS, labels


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_what_a_server_tells(told: Told, query: str) -> None:
    series, labels = names(query)
    assert series
    assert series <= told.series | OF_PROMETHEUS
    assert labels <= told.labels | OF_PROMETHEUS


def test_every_figure_of_the_etl_and_the_database_is_on_the_dashboard(
    told: Told,
) -> None:
    shown = set().union(*(names(query)[0] for query in QUERIES))
    ours = {name for name in told.series if name.startswith(("etl_", "database_"))}
    assert ours <= shown


@needs("promtool")
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    filled_in = [
        query.replace("$__rate_interval", "5m").replace("$job", "twaps")
        for query in QUERIES
    ]
    rules = [
        {"record": f"query:{number}", "expr": query}
        for number, query in enumerate(filled_in)
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    check("promtool", "check", "rules", file)


def test_the_panels_have_room_beside_each_other() -> None:
    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        return {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }

    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations(panels, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])


def test_each_panel_says_what_it_shows() -> None:
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["description"]
            assert panel["targets"]
