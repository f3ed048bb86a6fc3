"""The pages: everything that is known of an alert stands there, for the docs and for the page that is served."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from monitor.generate import boards
from monitor.generate.facts import Facts
from monitor.generate.listing import signal_as_data
from monitor.generate.runbooks import files, library
from monitor.links import Links
from monitor.runbooks import DOCS, SERVED, Library
from monitor.runbooks.handwritten import text_of, written
from monitor.runbooks.history import FILE, figures
from monitor.runbooks.references import references
from monitor.signals import CATALOGUE
from monitor.signals.thresholds import Edge, Notify
from tests.runbooks.figures import as_text
from tests.truth.alarms import records
from tests.truth.carried import value_of

LIBRARY = library(Facts())
ALERTED = [signal for signal in CATALOGUE if signal.thresholds]
MADE_UP = {
    "name": "repo_new_bp", "metric": "market_repo_new_bp", "title": "Something new", "segment": "repo", "unit": "bp",
    "help": "How new {it} is.", "formula": "100 * {x}", "source": "A paper", "labels": [], "window": "a day",
    "headline": False, "alert": "RepoNewBp", "runbook": "/runbooks/RepoNewBp",
    "thresholds": [{
        "row": "all", "applies_to": "all | everything", "calm": None, "warning": {"enter": 5.0, "exit": 4.0},
        "critical": None, "overrides": {"Q": {"warning": 7.0, "critical": None}}, "hold_in": "at once",
        "hold_out": "30 min", "low_is_bad": True, "notify": "desk", "reason": "By {judgement}.",
    }],
}  # fmt: skip
OWN = {
    "alert": "NewOwn", "segment": "monitor", "notify": "none", "tells": "It is {new}. And more.",
    "rules": [{"severity": "warning", "wait": "5m", "expr": 'up{job="x"} == 0'}],
}  # fmt: skip


def titles(panels):
    """Those of all panels, also of folded ones."""
    for panel in panels:
        yield panel.get("title", "")
        yield from titles(panel.get("panels", ()))


BOARDS = [json.loads(text) for name, text in boards.files(Facts()).items() if name.endswith(".json")]
PANELS = {board["uid"]: set(titles(board["panels"])) for board in BOARDS if "panels" in board}


def section(markdown: str, heading: str) -> str:
    _, found, after = markdown.partition(f"\n## {heading}\n")
    assert found, heading
    return after.partition("\n## ")[0]


class TestFigures:
    def test_they_are_current(self) -> None:
        """If not: `make generate`."""
        assert FILE.read_text(encoding="utf-8") == as_text()

    def test_they_are_of_every_signal_of_which_there_is_history_and_of_no_other(self) -> None:
        assert set(figures()["signals"]) == {record.signal for record in records()}

    def test_they_agree_with_the_page_of_truth(self) -> None:
        """The days outside the crises are counted there in another way."""
        for record in records():
            [row] = [each for each in figures()["signals"][record.signal]["outside"] if each["row"] == record.row]
            at = [day for day in row["alarms"] if day["level"] in (("warning", "critical")[int(record.level) - 1 :])]
            assert (len(at), row["judged"]) == (record.days - record.true_days, record.calm)

    def test_some_by_hand(self) -> None:
        tail = figures()["signals"]["repo_tail_bp"]["sets"][0]
        day = next(each for each in tail["days"]["September 2019"] if each["day"] == "2019-09-16")
        assert day == {
            "day": "2019-09-16", "value": 217.0, "level": "critical", "blind": False, "enters": [40, 80], "flag": "",
        }  # fmt: skip
        assert tail["spells"]["March 2020"]["critical"] == {"first": "2020-03-16", "last": "2020-03-16", "days": 1}
        spread = {each["of"]: each for each in figures()["signals"]["treasury_spread_32nds"]["sets"]}
        old = spread["30-year off the run (912810SH2)"]["spells"]["March 2020"]
        assert old["worst"] == {"day": "2020-03-24", "value": 26.5}
        assert (old["critical"]["first"], old["critical"]["last"]) == ("2020-03-09", "2020-04-09")
        assert old["warning"]["last"] == "2020-04-21"

    def test_every_value_is_the_replay_s(self) -> None:
        for each in figures()["signals"]["repo_spread_bp"]["sets"][0]["days"]["March 2020"]:
            assert each["value"] == value_of("repo_spread_bp", date.fromisoformat(each["day"]), instrument="SOFR")


class TestPage:
    @pytest.mark.parametrize("signal", ALERTED, ids=lambda signal: signal.name)
    def test_all_that_the_catalogue_knows_of_the_signal(self, signal) -> None:
        page = LIBRARY.page(signal.alert, DOCS)
        assert page.title == f"{signal.alert}: {signal.title}"
        thresholds, definition = section(page.markdown, "Thresholds"), section(page.markdown, "What is computed")
        for row in signal.thresholds:
            assert row.reason in thresholds
            [line] = [line for line in thresholds.splitlines() if line.startswith(f"| {row.applies_to} |")]
            for edge in filter(None, (row.warning, row.critical)):
                assert f"| {edge.enter:g}/{edge.exit:g} |" in line
            for flag, (warning, critical) in row.overrides.items():
                assert f"{flag} {warning:g}/{critical:g}" in line
            assert f"| {row.hold_in} / {row.hold_out} |" in line
        for said in (signal.help, signal.formula, signal.source, signal.metric, signal.window_help):
            assert said in definition

    @pytest.mark.parametrize("alert", LIBRARY.alerts)
    def test_its_sections_stand_in_one_order(self, alert: str) -> None:
        headings = re.findall(r"^## (.+)$", LIBRARY.page(alert, DOCS).markdown, re.MULTILINE)
        wanted = ["Look at first", "False alarms", "What to do", "When to escalate"]
        assert [heading for heading in headings if heading in wanted] == wanted
        assert headings[0].startswith("What it means")
        has_history = alert in {signal.alert for signal in ALERTED} or alert == "StressRegime"
        assert ("How it was" in headings) == has_history

    @pytest.mark.parametrize("alert", LIBRARY.alerts)
    def test_what_somebody_wrote_of_it(self, alert: str) -> None:
        signal = next((each for each in ALERTED if each.alert == alert), None)
        text = text_of(signal.name if signal else alert)
        assert text is not None
        page = LIBRARY.page(alert, SERVED).markdown
        assert page.startswith(f"# {LIBRARY.title(alert)}\n\n*{text.says}*\n")
        for heading, body in text.sections.items():
            told = section(page, heading)
            assert all(piece in told for piece in re.split(r"\{[^{}]+\}", body))

    def test_levels_and_days_of_the_crises(self) -> None:
        told = section(LIBRARY.page("RepoTailBp", DOCS).markdown, "How it was")
        assert "| 2019-09-16 | **217 critical** | 40/80 |" in told
        assert "| 2020-03-17 | 46 warning | 40/80 |" in told
        assert "Critical on 2020-03-16 only; at warning or above on 3 value dates" in told
        assert "| 2020-03-06 to 2020-03-13 | 12 to 22 | 40/80 |" in told, "calm days are one line"
        assert "**2019-07-01 Q (143) critical**" in told, "which days it was wrong on"
        # 4 and 2 of 1,644, by 250.
        assert "6 were not calm (0.6 value dates a year at warning, 0.3 at critical)" in told
        spread = section(LIBRARY.page("TreasurySpread32nds", DOCS).markdown, "How it was")
        assert "| 2020-03-26 | blind, warning | blind | blind, critical |" in spread
        assert "| 2020-03-24 | 0.5 | **4 critical** | **26.5 critical** |" in spread
        excess = section(LIBRARY.page("TreasuryOffTheRunExcess32nds", DOCS).markdown, "How it was")
        assert "**September 2019.** None is carried." in excess
        index = section(LIBRARY.page("StressRegime", DOCS).markdown, "How it was")
        assert "| 2020-03-16 | 0.52 | 0.16 to 0.79 | 0.98 | 0.73 | stressed, capped |" in index

    def test_without_history_it_says_so_and_what_there_is_instead(self) -> None:
        for signal in ALERTED:
            if signal.name not in figures()["signals"]:
                told = section(LIBRARY.page(signal.alert, DOCS).markdown, "How it was")
                assert "No history of it is carried" in told
                assert f"Published: {signal.source}." in told
                assert all(f"> {row.reason}" in told for row in signal.thresholds)

    def test_the_thresholds_are_those_of_the_catalogue_that_is_given(self) -> None:
        tail = next(signal for signal in CATALOGUE if signal.name == "repo_tail_bp")
        rows = tuple(replace(row, warning=Edge(33, 22), notify=Notify.DESK) for row in tail.thresholds)
        of = Library(
            [signal_as_data(replace(tail, thresholds=rows))], [_own(name) for name in _named_by(tail)], Links()
        )
        page = of.page("RepoTailBp", SERVED).markdown
        assert "| 15 | 33/22 | 80/60 |" in page
        assert "the desk |" in page
        assert "These are in force in this run of the monitor." in page
        assert "40/25" not in page

    def test_low_values_that_are_bad(self) -> None:
        assert "at or below the first and ends above the second" in LIBRARY.page("CdsSlopeBp", DOCS).markdown
        assert "at or above the first and ends below the second" in LIBRARY.page("RepoTailBp", DOCS).markdown

    def test_rules_of_the_monitors_own_alerts(self) -> None:
        told = section(LIBRARY.page("MonitorDown", DOCS).markdown, "When it fires")
        assert "**Critical**, after 30s:\n\n```promql\n" in told
        assert LIBRARY.page("MonitorDown", SERVED).title == "MonitorDown"

    def test_there_is_none_of_a_signal_without_thresholds(self) -> None:
        assert "TreasuryDepthMusd" not in LIBRARY.alerts
        with pytest.raises(KeyError):
            LIBRARY.page("TreasuryDepthMusd", DOCS)


def _named_by(signal) -> set[str]:
    return set(LIBRARY.alerts) - {signal.alert}


def _own(name: str):
    return OWN | {"alert": name}


class TestWithoutText:
    LIBRARY = Library(
        [MADE_UP, signal_as_data(next(s for s in CATALOGUE if s.name == "repo_volume_busd"))], [OWN], Links()
    )

    def test_a_signal_has_a_sound_page_all_the_same(self) -> None:
        page = self.LIBRARY.page("RepoNewBp", DOCS).markdown
        assert page.startswith("# RepoNewBp: Something new\n\n*How new &#123;it&#125; is.*\n")
        for heading in ("What it means in the market", "Look at first", "False alarms", "What to do"):
            assert section(page, heading).strip()
        assert "http://127.0.0.1:3000/d/msm-repo" in page
        assert "| all \\| everything |  | 5/4 | none | Q 7/none | at once / 30 min | the desk |" in page
        assert "> By {judgement}." in page, "braces of others are no references"
        assert "`100 * {x}`" in page

    def test_so_has_an_alert_of_the_monitors_own(self) -> None:
        page = self.LIBRARY.page("NewOwn", DOCS).markdown
        assert "*It is &#123;new&#125;.*" in page
        assert 'up{job="x"} == 0' in page
        assert "Told: nobody" in page

    def test_both_are_listed(self) -> None:
        assert self.LIBRARY.alerts == ("RepoNewBp", "NewOwn")


class TestFiles:
    FILES = files(Facts())

    def test_one_an_alert_and_a_list_of_them(self) -> None:
        names = {Path(name).name for name in self.FILES}
        assert names == {"README.md", *(f"{alert}.md" for alert in LIBRARY.alerts)}
        assert {signal.alert for signal in ALERTED} < set(LIBRARY.alerts)
        assert {"StressRegime", "Watchdog", "MonitorDown", "SegmentBlind"} < set(LIBRARY.alerts)

    def test_the_list_says_of_each_what_it_says(self) -> None:
        told = self.FILES["docs/runbooks/README.md"]
        for alert in LIBRARY.alerts:
            assert f"- [{alert}]({alert}.md): {LIBRARY.says(alert)}\n" in told
        assert told.index("## All markets") < told.index("## Repo funding") < told.index("## The monitor itself")
        assert told.index("## The monitor itself") < told.index("[SegmentBlind]")

    def test_links_between_them_lead_somewhere(self) -> None:
        for text in self.FILES.values():
            for to in re.findall(r"\]\(([^)]+)\)", text):
                is_outside = to.startswith(("http://", "../"))
                assert is_outside or f"docs/runbooks/{to}" in self.FILES, to

    def test_they_are_of_the_addresses_of_the_settings(self) -> None:
        made = files(Facts(links=Links(grafana_url="https://boards.example")))
        assert "https://boards.example/d/msm-repo" in made["docs/runbooks/RepoTailBp.md"]
        assert not any("127.0.0.1:3000" in text for text in made.values())


@pytest.mark.parametrize("name", sorted(written()))
def test_every_panel_that_a_text_names_is_on_that_board(name: str) -> None:
    """The boards are generated too: a panel with another title is not found at night."""
    text = text_of(name)
    assert text is not None
    for board, panel in (each for body in text.sections.values() for each in references(body)):
        if panel is not None:
            assert panel in PANELS[board], f"{board} has: {', '.join(sorted(PANELS[board]))}"
