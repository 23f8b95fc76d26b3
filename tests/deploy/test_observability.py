"""Alerts and dashboards: their expressions speak of metrics that exist, each alert has its page, and promtool runs their tests."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from core import telemetry

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
NAME = re.compile(r"\blens_[a-z_]+")


def exposed() -> set[str]:
    """Every series name our metrics can show."""
    ours = [metric for metric in vars(telemetry).values() if isinstance(metric, MetricWrapperBase)]
    names = {name for metric in ours for name in REGISTRY._get_names(metric)}  # type: ignore[no-untyped-call]
    return {name for name in names if not name.endswith("_created")}


def rules() -> list[dict[str, Any]]:
    return list(yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"])


def expressions(board: Path) -> list[str]:
    return [target["expr"] for panel in json.loads(board.read_text())["panels"] for target in panel["targets"]]


def test_alerts_speak_of_metrics_that_exist() -> None:
    for rule in rules():
        assert set(NAME.findall(rule["expr"])) <= exposed(), rule["alert"]


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_speak_of_metrics_that_exist(board: Path) -> None:
    for expression in expressions(board):
        assert set(NAME.findall(expression)) <= exposed(), expression


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {name for board in DASHBOARDS for expression in expressions(board) for name in NAME.findall(expression)}
    families = {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in exposed()}
    assert families - {re.sub(r"_(bucket|count|sum|total)$", "", name) for name in shown} == set()


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = {rule["annotations"]["runbook_url"] for rule in rules()}
    assert pages == {f"docs/runbooks/{rule['alert']}.md" for rule in rules()}
    assert pages == {str(path.relative_to(ROOT)) for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"docs/runbooks/index.md"}


def test_every_alert_is_tested() -> None:
    tested = {
        case["alertname"]
        for test in yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert tested == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"], ["check", "config", "prometheus.yml"]]
)
def test_promtool_agrees(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    done = subprocess.run([promtool, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
