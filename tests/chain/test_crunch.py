"""The whole chain, all of it real: a scenario, the monitor, Prometheus, Alertmanager, and whoever is paged.

Treasuries break, repo follows, the monitor is killed at the worst moment and comes back, the central bank steps in.
Waits are shorter than they are in the generated files, so that the story of a day takes two minutes; nothing else is
different.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from monitor.generate.facts import Facts
from monitor.links import Links
from tests.chain.parts import HOST, Alertmanager, Message, Monitor, Prometheus, Receivers, of_monitor, until
from tests.prometheus.tools import lay_out

SPEED: Final = 300
KEPT_SECONDS: Final = 12
"""So long an alert fires on after its level fell."""
GROUP_SECONDS: Final = 25
"""So long a group of alerts is quiet after a message."""
QUICKER: Final = {
    "interval: 5s": "interval: 1s",
    "keep_firing_for: 1m": f"keep_firing_for: {KEPT_SECONDS}s",
    "for: 30s": "for: 2s",
    "for: 1m": "for: 2s",
}
SOONER: Final = {
    "group_wait: 30s": "group_wait: 2s",
    "group_wait: 15s": "group_wait: 2s",
    "group_interval: 10m": "group_interval: 2s",
    "group_interval: 5m": f"group_interval: {GROUP_SECONDS}s",
    "group_interval: 1m": "group_interval: 2s",
    "repeat_interval: 50s": "repeat_interval: 1s",
}
STORY_SECONDS: Final = 400
"""Three times what the story takes on a machine that has nothing else to do."""
TEN_YEAR: Final = {"alertname": "TreasurySpread32nds", "instrument": "UST-10Y"}
DAY: Final = "2026-05-11"


@dataclass(frozen=True)
class Chain:
    """All parts, running."""

    monitor: Monitor
    prometheus: Prometheus
    receivers: Receivers

    def pages(self) -> list[Message]:
        """What the pager got about the market."""
        return [each for each in self.receivers.to("/pager") if not is_about_monitor(each)]

    def critical(self, **labels: str) -> dict[frozenset[tuple[str, str]], dict[str, Any]]:
        """By label set the critical alerts on the market that fire."""
        return {
            frozenset(each["labels"].items()): each
            for each in self.prometheus.firing()
            if each["labels"]["severity"] == "critical"
            and each["labels"]["segment"] != "monitor"
            and each["labels"].items() >= labels.items()
        }

    def critical_levels(self) -> set[tuple[tuple[str, str], ...]]:
        """The label sets that the monitor itself says are critical."""
        return {
            tuple(sorted(sample.labels.items()))
            for family in parse_prometheus(self.monitor.get("/metrics"))
            if family.name == "market_signal_level"
            for sample in family.samples
            if sample.value == 2
        }


def is_about_monitor(message: Message) -> bool:
    return all(each["labels"]["segment"] == "monitor" for each in message.body["alerts"])


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """All parts, a moment after their start."""
    monitor = Monitor(tmp_path / "monitor", "--scenario", "treasury-crunch", "--speed", str(SPEED))
    made = lay_out(tmp_path / "made", Facts(links=Links(base_url=monitor.url)), QUICKER)
    with ExitStack() as parts:
        receivers = parts.enter_context(Receivers())
        config = made / "deploy/alertmanager/alertmanager.yml"
        text = config.read_text()
        for old, new in (SOONER | {f"{HOST}:9095": receivers.address}).items():
            assert old in text, f"{config.name} says nothing of {old}"
            text = text.replace(old, new)
        config.write_text(text)
        manager = parts.enter_context(Alertmanager(tmp_path / "alertmanager", config))
        prometheus = Prometheus(
            tmp_path / "prometheus", of_monitor(monitor), made / "deploy/prometheus/rules", manager.address
        )
        parts.enter_context(prometheus)
        parts.enter_context(monitor)
        yield Chain(monitor, prometheus, receivers)


@pytest.mark.timeout(900)
def test_the_crunch_pages_once_whatever_happens_to_the_monitor_and_ends(chain: Chain) -> None:
    until(lambda: bool(chain.pages()), "the pager is told of the market", STORY_SECONDS)
    first = chain.pages()[0]
    assert first.body["status"] == "firing"
    for each in first.body["alerts"]:
        assert_is_a_page(each, chain)

    until(lambda: len(chain.critical(segment="treasury")) > 50, "Treasuries are critical", STORY_SECONDS)
    until(lambda: bool(chain.critical(**TEN_YEAR)), "the 10-year is critical", STORY_SECONDS)
    until(lambda: len(chain.critical(segment="repo")) > 2, "repo is critical", STORY_SECONDS)
    assert chain.critical_levels() >= {without_rules_labels(each) for each in chain.critical() if is_of_signal(each)}

    chain.monitor.kill()
    standing = set(chain.critical())
    until(lambda: bool(told(chain, "firing", alertname="MonitorDown")), "the pager hears that the monitor is down")
    time.sleep(KEPT_SECONDS + 3)
    assert set(chain.critical()) >= standing, "an outage of the monitor ends no market alert"
    assert not any(each.alerts("resolved") for each in chain.pages())

    chain.monitor.start(STORY_SECONDS)
    until(lambda: bool(told(chain, "resolved", alertname="MonitorDown")), "the pager hears that it is back")
    until(lambda: not chain.critical(**TEN_YEAR), "the 10-year is mended", STORY_SECONDS)
    until(
        lambda: bool(told(chain, "resolved", **TEN_YEAR)),
        "the pager hears of it",
        2 * GROUP_SECONDS,
    )
    assert_one_page(chain)
    assert_the_desk_heard(chain)
    # The monitor is the one evaluator: what fires at the end is what it says, and nothing else.
    until(
        lambda: (
            {without_rules_labels(each) for each in chain.critical() if is_of_signal(each)} == chain.critical_levels()
        ),
        "what fires is what the monitor says",
    )


def told(chain: Chain, status: str, **labels: str) -> list[dict[str, Any]]:
    return [each for message in chain.receivers.to("/pager") for each in message.alerts(status, **labels)]


def is_of_signal(labels: frozenset[tuple[str, str]]) -> bool:
    return "signal" in dict(labels)


def without_rules_labels(labels: frozenset[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """A label set as the monitor exports it."""
    added = {"alertname", "severity", "segment", "notify"}
    return tuple(sorted((name, value) for name, value in labels if name not in added))


def assert_is_a_page(alert: dict[str, Any], chain: Chain) -> None:
    labels, said = alert["labels"], alert["annotations"]
    assert (labels["severity"], labels["notify"]) == ("critical", "on-call")
    assert said["summary"].startswith("SYNTHETIC: ")
    if "signal" in labels:
        assert f", critical since {DAY} " in said["summary"]
        assert "(threshold " in said["summary"]
    assert said["dashboard_url"].startswith("http://127.0.0.1:3000/d/msm-")
    assert said["runbook_url"] == f"{chain.monitor.url}/runbooks/{labels['alertname']}"
    with urlopen(said["runbook_url"], timeout=20) as answer:  # noqa: S310 - of this machine
        page = answer.read().decode()
    assert "What to do" in page


def assert_one_page(chain: Chain) -> None:
    """One group, told at intervals, of which each alert began once."""
    pages = chain.pages()
    assert len({each.group for each in pages}) == 1
    waits = [later.at - earlier.at for earlier, later in pairwise(pages)]
    assert all(wait >= GROUP_SECONDS - 2 for wait in waits), waits
    begins: dict[tuple[tuple[str, str], ...], set[str]] = defaultdict(set)
    for message in pages:
        for each in message.body["alerts"]:
            begins[tuple(each["labels"].items())].add(each["startsAt"])
    assert len(begins) > 50
    assert {labels: times for labels, times in begins.items() if len(times) > 1} == {}


def assert_the_desk_heard(chain: Chain) -> None:
    desk, watchdog = chain.receivers.to("/desk"), chain.receivers.to("/dead-mans-switch")
    assert {each.group.partition('segment="')[2].rstrip('"}') for each in desk} >= {"treasury", "repo"}
    alerts = [each for message in desk for each in message.body["alerts"]]
    assert {each["labels"]["notify"] for each in alerts} <= {"desk", "on-call"}
    assert not [
        each for each in alerts if (each["labels"]["severity"], each["labels"]["notify"]) == ("critical", "on-call")
    ]
    assert len(watchdog) > 10
    assert {each["labels"]["alertname"] for message in watchdog for each in message.body["alerts"]} == {"Watchdog"}
    paths = {each.path for each in chain.receivers.messages}
    assert {"/pager", "/desk", "/dead-mans-switch"} <= paths <= {"/pager", "/desk", "/dead-mans-switch", "/operators"}
