"""Rules for Prometheus: recordings, the market's alerts, the monitor's own; their unit tests; and a server for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.generate.rules.cases import Story, tests
from monitor.generate.rules.cases_market import regime_story, replica_story, segment_stories
from monitor.generate.rules.cases_own import own_stories
from monitor.generate.rules.layout import as_yaml
from monitor.generate.rules.market import market_rules
from monitor.generate.rules.own import JOB, own_alerts, own_rules
from monitor.generate.rules.recording import RECORDING
from monitor.generate.rules.server import INTERVAL, server
from monitor.links import METRICS_PORT
from monitor.results import SEGMENTS

if TYPE_CHECKING:
    from monitor.generate.facts import Facts

__all__ = ["JOB", "RECORDING", "files", "own_alerts"]

RULES_FOLDER: Final = "deploy/prometheus/rules"
TESTS_FOLDER: Final = "deploy/prometheus/tests"
GROUPS: Final = ("recording", "market", "monitor")
"""A file and a group each, in the order in which one reads what another wrote."""


def files(facts: Facts) -> dict[str, str]:
    """Path from the project's root, and text."""
    return {
        f"{RULES_FOLDER}/recording.yml": as_yaml(
            _group("recording", [each.rule for each in RECORDING.values()]),
            "What stands while the monitor is away, and what several alerts and boards read. A rule that reads itself",
            "finds its own last sample for five minutes, so the interval must stay well below that.",
            "",
            *(f"{each.name}: {each.help}" for each in RECORDING.values()),
        ),
        f"{RULES_FOLDER}/market.yml": as_yaml(
            _group("market", market_rules(facts)),
            "The alerts on the market. The monitor is the one evaluator: a rule looks at the level that it exports,",
            "never at a value, and waits for nothing, for a level has waited already. A missed scrape, an outage of",
            "the monitor and its restart resolve none of them.",
        ),
        f"{RULES_FOLDER}/monitor.yml": as_yaml(
            _group("monitor", own_rules(facts)),
            "The alerts on the monitor itself: whether what it says, or does not say, can be trusted.",
        ),
        "deploy/prometheus/prometheus.yml": as_yaml(
            server(facts.monitor),
            "A Prometheus for one monitor and one Alertmanager on this host.",
            "Start it in this folder: prometheus --config.file=prometheus.yml",
        ),
        "deploy/prometheus/prometheus.compose.yml": as_yaml(
            server(f"monitor:{METRICS_PORT}", "alertmanager:9093"),
            "The same in the network of deploy/compose.yaml, where each has a name of its own.",
        ),
        **{f"{TESTS_FOLDER}/{name}_test.yml": _tests(stories) for name, stories in _stories(facts).items()},
    }


def _stories(facts: Facts) -> dict[str, list[Story]]:
    """By file."""
    return {segment: segment_stories(segment, facts) for segment in SEGMENTS} | {
        "regime": [regime_story(facts), replica_story(facts)],
        "monitor": own_stories(facts),
    }


def _tests(stories: list[Story]) -> str:
    return as_yaml(
        tests(stories, list(GROUPS), [f"../rules/{name}.yml" for name in GROUPS]),
        "Each alert with every word of it: fires, does not fire, survives missing data, resolves.",
        "promtool test rules deploy/prometheus/tests/*_test.yml",
    )


def _group(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    # The interval stands here, so that the latches work and boards fill whatever the server's own is.
    return {"groups": [{"name": name, "interval": INTERVAL, "rules": rules}]}
