"""The generated rules: complete, of series that exist, understood by Prometheus, and told in the right words."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.generate import rules
from monitor.generate.facts import Facts
from monitor.generate.rules.market import levels_of
from monitor.generate.rules.own import own_alerts
from monitor.generate.rules.recording import LAG, RECORDING
from monitor.generate.rules.server import server
from monitor.links import MONITOR, Links
from monitor.signals import CATALOGUE
from monitor.signals.model import Signal
from monitor.signals.thresholds import Notify
from monitor.sinks.metrics import FAMILIES
from tests.prometheus.tools import alerts, all_rules, lay_out, need, run

OWN = {
    "Watchdog", "MonitorDown", "MonitorAbsent", "MonitorNotReady", "MonitorStuck", "SegmentBlind", "RejectsHigh",
    "ConsumerLagGrowing", "ClockSkew", "SeriesDropped", "StateNotWritable", "OutboxDropping", "MonitorRestarting",
    "FeedMissing",
}  # fmt: skip
TESTS = [name for name in rules.files(Facts()) if "/tests/" in name]
RULED = [signal for signal in CATALOGUE if signal.thresholds]


def exported() -> set[str]:
    """Every series that may be named: the monitor's, recorded ones, and what a scrape and the client library add."""
    own = {family.scraped for family in FAMILIES}
    own |= {
        family.name + end for family in FAMILIES if family.kind == "histogram" for end in ("_bucket", "_sum", "_count")
    }
    return own | {signal.metric for signal in CATALOGUE} | set(RECORDING) | {"up", "process_start_time_seconds"}


def series_in(expr: str) -> set[str]:
    """The names of series in PromQL."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]', " ", expr)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    names = re.findall(r"[a-zA-Z_:][\w:]*(?!\w|\s*\()", bare)
    return set(names) - {"and", "or", "unless", "bool", "by", "without", "on"}


def queries_in(template: str) -> list[str]:
    """The PromQL of a template's queries."""
    return [
        backquoted or quoted
        for backquoted, quoted in re.findall(r'query \(?(?:printf )?(?:`([^`]*)`|"([^"]*)")', template)
    ]


def identity(rule: dict[str, Any]) -> tuple[str, ...]:
    """What tells one rule from another: its name and its labels."""
    return (rule["alert"], *sorted(f"{name}={value}" for name, value in rule["labels"].items()))


class TestComplete:
    @pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.name)
    def test_a_signal_has_an_alert_for_each_of_its_levels(self, signal: Signal) -> None:
        own = [rule for rule in alerts() if rule["alert"] == signal.alert]
        wanted = ["warning"] * any(row.warning is not None for row in signal.thresholds)
        wanted += ["critical"] * any(row.critical is not None for row in signal.thresholds)
        assert [rule["labels"]["severity"] for rule in own] == wanted
        assert all(f'signal="{signal.name}"' in rule["expr"] for rule in own)
        assert all(rule["labels"]["segment"] == signal.segment for rule in own)

    def test_there_are_no_others(self) -> None:
        named = {rule["alert"] for rule in alerts()}
        assert named == {signal.alert for signal in RULED} | {"StressRegime"} | OWN
        assert {alert.name for alert in own_alerts(Facts())} == OWN

    def test_no_two_rules_make_the_same_alert(self) -> None:
        named = [identity(rule) for rule in alerts()]
        assert len(named) == len(set(named))

    @pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
    def test_an_alert_says_all_that_people_need(self, rule: dict[str, Any]) -> None:
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}
        assert rule["labels"]["notify"] in set(Notify)
        assert rule["labels"]["segment"]
        told = rule["annotations"]
        assert told["summary"].rstrip().endswith(".")
        assert told["description"]
        assert told["runbook_url"] == Links().runbook(rule["alert"])
        assert told["dashboard_url"].startswith(Links().grafana_url + "/d/msm-")
        assert list(rule) == ["alert", "expr", "for", "keep_firing_for", "labels", "annotations"]

    def test_of_rows_that_differ_the_loudest_is_told(self) -> None:
        tail = next(signal for signal in RULED if signal.name == "repo_tail_bp")
        first, second = tail.thresholds
        for of_first, of_second, told in (
            (Notify.NONE, Notify.DESK, Notify.DESK),
            (Notify.ON_CALL, Notify.DESK, Notify.ON_CALL),
            (Notify.NONE, Notify.NONE, Notify.NONE),
        ):
            rows = (replace(first, notify=of_first), replace(second, notify=of_second))
            changed = replace(tail, thresholds=rows)
            assert changed.notify is told
            assert {rule["labels"]["notify"] for rule in alerts(Facts((changed,))) if rule["alert"] == tail.alert} == {
                told
            }

    def test_the_monitor_alone_compares_with_thresholds(self) -> None:
        for rule in alerts():
            if rule["alert"] not in OWN:
                recorded = series_in(rule["expr"])
                assert recorded <= {"signal:market_signal_level:latched", "regime:market_stress_regime:latched"}, rule
                assert rule["for"] == "0s", "a level has waited already"


class TestSeries:
    def test_names_are_found(self) -> None:
        assert series_in('sum by (a, b) (rate(x_total{c="d"}[5m] offset 5m)) > 2 and on (e) (y:z:w unless up)') == {
            "x_total", "y:z:w", "up",
        }  # fmt: skip
        assert queries_in('{{ with query (printf `a{%s}` $x) }}{{ end }}{{ if query "max(b) == 1" }}') == [
            "a{%s}", "max(b) == 1",
        ]  # fmt: skip

    @pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.get("alert") or rule["record"])
    def test_every_series_that_is_named_exists(self, rule: dict[str, Any]) -> None:
        named = series_in(rule["expr"])
        for text in rule.get("annotations", {}).values():
            for query in queries_in(text):
                named |= series_in(query)
            assert text.count("query") == len(queries_in(text)) + text.count("urlquery")
        assert named - exported() == set()

    def test_recordings_read_none_that_comes_after_them(self) -> None:
        known: set[str] = set()
        for name, each in RECORDING.items():
            known.add(name)
            read = {found for found in series_in(each.expr) if ":" in found}
            assert read <= known, f"{name} reads what is evaluated after it"
            assert re.fullmatch(r"[a-z]+:[a-z_]+:[a-z0-9_]+", name)

    def test_the_job_stands_once(self) -> None:
        assert [each["job_name"] for each in server(MONITOR)["scrape_configs"]] == [rules.JOB, "alertmanager"]
        for rule in all_rules():
            for job in re.findall(r'job="([^"]*)"', str(rule)):
                assert job == rules.JOB


class TestTested:
    """Every alert's tests show it firing, and not, before and after."""

    def test_every_alert_fires_and_resolves_in_a_story(self) -> None:
        fires: dict[str, set[str]] = defaultdict(set)
        seen_quiet: dict[str, set[str]] = defaultdict(set)
        for name in TESTS:
            for story in yaml.safe_load(rules.files(Facts())[name])["tests"]:
                looks: dict[str, list[set[str]]] = defaultdict(list)
                for look in story["alert_rule_test"]:
                    looks[look["alertname"]].append({each["exp_labels"]["severity"] for each in look["exp_alerts"]})
                for alert, found in looks.items():
                    for severity in set().union(*found):
                        fires[alert].add(severity)
                        at = [number for number, severities in enumerate(found) if severity in severities]
                        if at[0] > 0:
                            seen_quiet[alert].add(f"{severity} before")
                        if at[-1] < len(found) - 1:
                            seen_quiet[alert].add(f"{severity} after")
        for rule in alerts():
            alert, severity = rule["alert"], rule["labels"]["severity"]
            assert severity in fires[alert], f"no test shows {alert} {severity} firing"
            if alert != "Watchdog":
                assert {f"{severity} before", f"{severity} after"} <= seen_quiet[alert], f"{alert} {severity}"


class TestPromtool:
    """Prometheus' own judgement."""

    def test_it_understands_every_rule_and_the_settings(self, tmp_path: Path) -> None:
        promtool = need("promtool")
        folder = lay_out(tmp_path) / "deploy/prometheus"
        checked = run(
            promtool, "check", "rules", "--lint=all", "--lint-fatal", *sorted((folder / "rules").glob("*.yml"))
        )
        assert checked.returncode == 0, checked.stdout
        assert f"SUCCESS: {len(RECORDING)} rules" in checked.stdout
        checked = run(promtool, "check", "config", folder / "prometheus.yml")
        assert checked.returncode == 0, checked.stdout
        assert "3 rule files" in checked.stdout

    @pytest.mark.parametrize("name", TESTS, ids=lambda name: Path(name).stem)
    def test_the_unit_tests_pass(self, tmp_path: Path, name: str) -> None:
        ran = run(need("promtool"), "test", "rules", lay_out(tmp_path) / name)
        assert ran.returncode == 0, ran.stdout[-4_000:]

    @pytest.mark.parametrize(
        ("changes", "name"),
        [
            # A latch that does not latch, or never lets go.
            ({"(max(monitor_resumed) == 1)": "(max(monitor_resumed) >= 0 or vector(1))"}, "credit"),
            ({"(max(monitor_resumed) == 1)": "(max(monitor_resumed) == 2)"}, "credit"),
            # A wrong level, a flickering alert, another word.
            ({'{signal="credit_off_low_bp"} == 2': '{signal="credit_off_low_bp"} == 1'}, "credit"),
            ({"keep_firing_for: 1m": "keep_firing_for: 0s"}, "credit"),
            ({"no sound data now": "no data now"}, "credit"),
            ({':latched{regime="crisis"} * 2': ':latched{regime="crisis"}'}, "regime"),
            # The monitor's own.
            ({"max(up{job=\"stress-monitor\"}) == 0": "absent(up{job=\"stress-monitor\"})"}, "monitor"),
            ({f"last_over_time({LAG.name}[1m])": LAG.name}, "monitor"),
            ({"max(max_over_time(monitor_ready[1m])) == 0": "max(monitor_ready) == 0"}, "monitor"),
        ],
    )  # fmt: skip
    def test_the_unit_tests_fail_on_a_wrong_rule(self, tmp_path: Path, changes: dict[str, str], name: str) -> None:
        folder = lay_out(tmp_path, changes=changes) / "deploy/prometheus/tests"
        assert run(need("promtool"), "test", "rules", folder / f"{name}_test.yml").returncode != 0

    def test_rules_of_other_settings_pass_their_own_tests(self, tmp_path: Path) -> None:
        """As `stress-monitor generate --config` writes them: other thresholds, levels, links, and a signal fewer."""
        off_low = next(signal for signal in RULED if signal.name == "credit_off_low_bp")
        slope = next(signal for signal in RULED if signal.name == "cds_slope_bp")
        rows = tuple(replace(row, critical=None, headline=None, notify=Notify.DESK) for row in off_low.thresholds)
        facts = Facts(
            (replace(off_low, thresholds=rows), slope),
            Links("https://monitor.example.org/m", "https://grafana.example"),
        )
        assert [level.word for level in levels_of(facts.signals[0])] == ["warning"]
        folder = lay_out(tmp_path, facts) / "deploy/prometheus"
        for name in ("credit", "cds", "regime"):
            ran = run(need("promtool"), "test", "rules", folder / f"tests/{name}_test.yml")
            assert ran.returncode == 0, ran.stdout[-4_000:]
        text = (folder / "rules/market.yml").read_text()
        assert "https://monitor.example.org/m/runbooks/CreditOffLowBp" in text
        assert "127.0.0.1" not in text
