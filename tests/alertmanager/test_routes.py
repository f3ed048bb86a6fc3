"""Who is told: by amtool's routing, for every alert that the rules can make, and for a table by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.generate.alertmanager import DEAD_MANS_SWITCH, DESK, NOBODY, OPERATORS, PAGER, settings
from monitor.generate.facts import Facts
from monitor.generate.rules.own import own_alerts
from monitor.signals import CATALOGUE
from tests.prometheus.tools import alerts, lay_out, need, run

BY_HAND = [
    ({"alertname": "Watchdog", "severity": "none", "segment": "monitor", "notify": "none"}, DEAD_MANS_SWITCH),
    ({"alertname": "RepoTailBp", "severity": "critical", "segment": "repo", "notify": "on-call"}, PAGER),
    ({"alertname": "RepoTailBp", "severity": "warning", "segment": "repo", "notify": "on-call"}, DESK),
    ({"alertname": "RepoJumpBp", "severity": "critical", "segment": "repo", "notify": "desk"}, DESK),
    ({"alertname": "RepoJumpBp", "severity": "warning", "segment": "repo", "notify": "desk"}, DESK),
    ({"alertname": "RepoDispersionBp", "severity": "critical", "segment": "repo", "notify": "none"}, NOBODY),
    ({"alertname": "StressRegime", "severity": "critical", "segment": "market", "notify": "on-call"}, PAGER),
    ({"alertname": "MonitorDown", "severity": "critical", "segment": "monitor", "notify": "on-call"}, PAGER),
    ({"alertname": "ClockSkew", "severity": "warning", "segment": "monitor", "notify": "on-call"}, OPERATORS),
    ({"alertname": "SegmentBlind", "severity": "critical", "segment": "repo", "notify": "on-call"}, PAGER),
    ({"alertname": "SegmentBlind", "severity": "warning", "segment": "cds", "notify": "on-call"}, DESK),
    ({"alertname": "SomebodyElses"}, DESK),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated settings, with the template beside them."""
    return lay_out(tmp_path_factory.mktemp("made")) / "deploy/alertmanager/alertmanager.yml"


def receiver_of(config: Path, labels: dict[str, str]) -> str:
    """Whom amtool says these labels are told to."""
    told = run(
        need("amtool"), "config", "routes", "test", f"--config.file={config}",
        *(f"{name}={value}" for name, value in labels.items()),
    )  # fmt: skip
    assert told.returncode == 0, told.stdout
    return told.stdout.splitlines()[-1].strip()


def wanted(labels: dict[str, str]) -> str:
    """Who has to be told."""
    if labels["notify"] == "none":
        return NOBODY
    if (labels["severity"], labels["notify"]) == ("critical", "on-call"):
        return PAGER
    return OPERATORS if labels["segment"] == "monitor" else DESK


@pytest.mark.parametrize(("labels", "receiver"), BY_HAND, ids=lambda part: part if isinstance(part, str) else "")
def test_by_hand(config: Path, labels: dict[str, str], receiver: str) -> None:
    assert receiver_of(config, labels) == receiver


def test_every_alert_of_the_rules(config: Path) -> None:
    sorts = {tuple(sorted(rule["labels"].items())) for rule in alerts() if rule["alert"] != "Watchdog"}
    assert len(sorts) > 10
    for sort in sorted(sorts):
        labels = dict(sort)
        assert receiver_of(config, {"alertname": "X"} | labels) == wanted(labels), labels


def test_alertmanager_takes_it(config: Path) -> None:
    checked = run(need("amtool"), "check-config", config)
    assert checked.returncode == 0, checked.stdout
    assert "1 templates" in checked.stdout
    assert "2 inhibit rules" in checked.stdout


class TestGroups:
    """Alertmanager makes one message of what has equal values of a route's labels."""

    def test_the_market_is_one_page_and_the_monitor_another(self) -> None:
        root = settings(Facts())["route"]
        pages = [route for route in root["routes"] if route["receiver"] == PAGER]
        groups = set()
        for rule in alerts():
            labels = {"alertname": rule["alert"], **rule["labels"]}
            if wanted(labels) == PAGER:
                number, route = next((n, r) for n, r in enumerate(pages) if matches(r, labels))
                groups.add((number, *(labels[name] for name in route["group_by"])))
        assert groups == {(0, "monitor"), (1, "critical")}
        assert root["group_by"] == ["segment"]

    def test_who_must_hear_every_minute_does(self) -> None:
        [route] = [each for each in settings(Facts())["route"]["routes"] if each["receiver"] == DEAD_MANS_SWITCH]
        assert (route["group_interval"], route["repeat_interval"]) == ("1m", "50s")


def matches(route: dict[str, Any], labels: dict[str, str]) -> bool:
    pairs = [re.fullmatch(r'(\w+)="(.*)"', each) for each in route["matchers"]]
    return all(labels.get(pair[1]) == pair[2] for pair in pairs if pair)


class TestInhibition:
    def test_every_label_that_tells_alerts_apart_must_be_equal(self) -> None:
        [own_warning, _] = settings(Facts())["inhibit_rules"]
        fixed = {"severity", "segment", "notify"}
        in_rules = {name for rule in alerts() for name in rule["labels"]} - fixed
        of_signals = {label for signal in CATALOGUE if signal.thresholds for label in signal.labels}
        of_own = {label for alert in own_alerts(Facts()) for label in alert.labels} - fixed
        assert {"alertname", "signal"} | in_rules | of_signals | of_own <= set(own_warning["equal"])
        assert "severity" not in own_warning["equal"]

    def test_labels_that_own_alerts_leave_are_known(self) -> None:
        """By `by (...)` of their expressions: what is not written down would let one hide another's warning."""
        for alert in own_alerts(Facts()):
            for rule in alert.rules:
                left = re.match(r"\(?\s*(?:sum|max|min) by \(([^)]*)\)", rule.expr)
                if left:
                    assert set(left[1].split(", ")) <= set(alert.labels), alert.name

    def test_an_outage_hides_no_market_alert(self) -> None:
        _, outage = settings(Facts())["inhibit_rules"]
        hidden = set(re.fullmatch(r'alertname=~"(.*)"', outage["target_matchers"][0])[1].split("|"))  # type: ignore[index]
        assert hidden == {alert.name for alert in own_alerts(Facts())} - {"Watchdog", "MonitorDown", "MonitorAbsent"}
        assert not hidden & {signal.alert for signal in CATALOGUE}


def test_the_file_is_what_is_said(config: Path) -> None:
    assert yaml.safe_load(config.read_text()) == {
        key: value for key, value in _bare(settings(Facts())).items() if value is not None
    }


def _bare(data: Any) -> Any:
    """Without comments."""
    if isinstance(data, dict):
        return {key: _bare(value) for key, value in data.items() if not key.startswith("# ")}
    if isinstance(data, list):
        return [_bare(each) for each in data]
    return str(data) if isinstance(data, str) else data
