"""The alerts and the dashboard are about metrics that there are, and the alerts fire when they must."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from docs import dashboard
from tests.support.prometheus import MISSING, RULES, watching
from tests.support.service import served
from tests.support.waiting import wait_until

from clickscore.monitoring.health import STATUSES, Health
from clickscore.monitoring.metrics import make_registry
from clickscore.monitoring.report import Report

NAMES = re.compile(r"\b(?:clickscore_[a-z_]+|up)\b")


def promtool(*arguments: str) -> str:
    command = shutil.which("promtool")
    assert command, MISSING
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules(group: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for found in groups if found["name"] == group for rule in found["rules"]]


def expressions(panels: list[dashboard.Panel]) -> Iterator[str]:
    for panel in panels:
        yield from panel.draws.values()


def asked_for(group: str, panels: list[dashboard.Panel]) -> set[str]:
    texts = [*(rule["expr"] for rule in rules(group)), *expressions(panels)]
    return {name for text in texts for name in NAMES.findall(text)}


def test_rules_and_scrape_configuration_are_valid() -> None:
    assert "12 rules found" in promtool("check", "rules", str(RULES))
    promtool("check", "config", "conf/prometheus/prometheus.yml")


def test_each_alert_fires_for_its_trouble_and_for_no_job_that_is_well() -> None:
    promtool("test", "rules", "tests/data/alerts_test.yml")
    tried = Path("tests/data/alerts_test.yml").read_text()
    for group in ("clickscore-stream", "clickscore-service"):
        for rule in rules(group):
            assert tried.count(f"alertname: {rule['alert']}") == 2, rule["alert"]


def test_each_alert_has_its_section_in_the_runbook() -> None:
    titles = re.findall(r"^#+ (\w+)$", Path("docs/operations.md").read_text(), re.MULTILINE)
    for group in ("clickscore-stream", "clickscore-service"):
        for rule in rules(group):
            assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
            assert rule["alert"] in titles


def test_dashboard_file_is_what_its_program_makes() -> None:
    assert dashboard.FILE.read_text() == dashboard.text(), "run python -m docs.dashboard"
    panels = json.loads(dashboard.text())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places) == len(dashboard.STREAM) + len(dashboard.SERVICE) + 2


def test_stream_has_every_metric_that_its_alerts_and_panels_ask_for() -> None:
    health = Health(300)
    scores = 0.4, [0.1, 0.2, 0.3, 0.5, 0.9]
    health.report(Report(0, 2, 1, 1, 1, 0.5, None, "small_model", "1", by_reason={"wrong_type": 1}, scores=scores))
    health.moved({"score": 0.3})
    has = {sample.name for family in make_registry(health).collect() for sample in family.samples}
    assert asked_for("clickscore-stream", dashboard.STREAM) - {"up"} <= has


def test_prometheus_sees_every_metric_of_the_service_and_that_it_is_gone(
    make_shop: Callable[[Path], Any], tmp_path: Path
) -> None:
    with (
        served(make_shop(tmp_path / "shop")) as service,
        watching(tmp_path / "prometheus", "clickscore-service", service.port) as prometheus,
    ):
        assert service.ask({"no": "click"}).status_code == 200
        asked = asked_for("clickscore-service", dashboard.SERVICE)
        wait_until(lambda: asked <= prometheus.names(), "every metric")
        assert prometheus.alerts() == set()
        service.stop()
        wait_until(lambda: prometheus.alerts() == {"ClickscoreServiceDown"}, "the alert")


def test_status_that_an_alert_waits_for_is_one_that_a_job_can_have() -> None:
    found = [name for rule in rules("clickscore-stream") for name in re.findall(r'status="(\w+)"', rule["expr"])]
    assert found == ["stuck"]
    assert set(found) <= set(STATUSES)
