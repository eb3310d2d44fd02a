"""deploy/observability: the rules, their tests, the dashboard and the page that explains them fit together."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "observability"
PROMETHEUS = FOLDER / "prometheus"
PAGE = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
DASHBOARD = json.loads((FOLDER / "grafana" / "dashboards" / "espalier.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed: it is in Debian's package prometheus"
)


def _yaml(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def _rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in _yaml(f"prometheus/{name}")["groups"] for rule in group["rules"]]


def _expressions() -> list[str]:
    rules = [rule["expr"] for name in ("signals.yml", "alerts.yml") for rule in _rules(name)]
    return rules + [target["expr"] for panel in PANELS for target in panel["targets"]]


@needs_promtool
@pytest.mark.parametrize("command", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_finds_the_configuration_sound_and_the_alerts_as_their_tests_say(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_both_ways_and_explained() -> None:
    tests = [test for one in _yaml("prometheus/alerts_test.yml")["tests"] for test in one["alert_rule_test"]]
    rows = dict(re.findall(r"^\| (Espalier\w+) \| (\w+) \|", PAGE, re.MULTILINE))

    alerts = {rule["alert"]: rule["labels"]["severity"] for rule in _rules("alerts.yml")}

    assert {test["alertname"] for test in tests if test["exp_alerts"]} == alerts.keys()
    assert rows == alerts


def test_each_signal_that_is_looked_at_is_recorded() -> None:
    recorded = {rule["record"] for rule in _rules("signals.yml")}
    looked_at = {name for expression in _expressions() for name in re.findall(r"espalier:[\w:]+", expression)}

    assert looked_at == recorded


def test_each_metric_that_is_looked_at_is_explained() -> None:
    table = set(re.findall(r"`(espalier_\w+)`", PAGE))
    looked_at = {name for expression in _expressions() for name in re.findall(r"\bespalier_\w+", expression)}

    unexplained = {name for name in looked_at if re.sub(r"_(bucket|sum|count)$", "", name) not in table}

    assert unexplained == set()


def test_the_table_of_metrics_is_what_the_code_counts() -> None:
    files = [file for folder in ("build_tools", "model_repository") for file in (ROOT / folder).rglob("*.py")]
    counted = {name for file in files for name in _counted(ast.parse(file.read_text(encoding="utf-8")))}
    rows = re.findall(r"^\| (`espalier_.*?) \|", PAGE, re.MULTILINE)

    table = {name.removesuffix("_total") for row in rows for name in re.findall(r"`(espalier_\w+)`", row)}

    assert table == {name.removesuffix("_total") for name in counted}


def _counted(module: ast.Module) -> Iterator[str]:
    """The names of the metrics that a file makes: arguments of what makes one, or keys of a table of several."""
    for node in ast.walk(module):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.Call) and re.search("counter|gauge|histogram|family", ast.unparse(node.func), re.I):
            found = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "name")]
        elif isinstance(node, ast.Dict):
            found = [*node.keys]
        for one in found:
            if isinstance(one, ast.Constant) and str(one.value).startswith("espalier_"):
                yield str(one.value)


def test_each_panel_says_what_it_shows_and_asks_the_provisioned_data_source() -> None:
    (source,) = _yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    expected = {"type": source["type"], "uid": source["uid"]}

    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [
            expected for _ in range(len(panel["targets"]) + 1)
        ]
    for variable in DASHBOARD["templating"]["list"]:
        assert variable["datasource"] == expected


def test_panels_have_ids_of_their_own_and_do_not_lie_on_each_other() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)

    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    overlapping = [
        (a, b)
        for a, b in combinations(places, 2)
        if a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    ]
    assert overlapping == []


def test_variables_in_queries_are_those_of_the_dashboard() -> None:
    known = {variable["name"] for variable in DASHBOARD["templating"]["list"]} | {"__rate_interval"}
    used = {name for panel in PANELS for target in panel["targets"] for name in re.findall(r"\$(\w+)", target["expr"])}

    assert used == known
