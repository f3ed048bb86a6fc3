"""What boards ask, asked of made-up series: what is not known is not calm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
import yaml

from monitor.generate.boards import head
from monitor.generate.boards.queries import (
    KNOWN,
    NOT_KNOWN,
    Query,
    alerts_at,
    info,
    known_row,
    said,
    segments_levels,
)
from monitor.generate.rules import recording
from monitor.results import SEGMENTS, Level
from tests.grafana.reading import filled
from tests.prometheus.tools import need, run

Answer = Mapping[str, float]
"""Value by label set, as promtool writes it."""
NOTHING: Final[Answer] = {}


class Asks:
    """Asks promtool.

    Args:
        folder: for its file.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "test.yml"

    def at(self, minute: int, expr: str, series: Mapping[str, str], answer: Answer) -> None:
        """Fail unless a query answers this at that minute, of series that have a value a minute."""
        test = {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{
                "expr": expr,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in answer.items()],
            }],
        }  # fmt: skip
        self._file.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
        said = run(need("promtool"), "test", "rules", self._file)
        assert said.returncode == 0, f"at minute {minute}: {said.stdout}"


@pytest.fixture
def asks(tmp_path: Path) -> Asks:
    """See `Asks`."""
    return Asks(tmp_path)


class TestLevels:
    def test_what_was_never_seen_is_not_calm(self, asks: Asks) -> None:
        series = {
            'market_segment_blind{segment="treasury"}': "0x9", 'market_segment_level{segment="treasury"}': "2x9",
            'market_segment_blind{segment="repo"}': "1x9", 'market_segment_level{segment="repo"}': "1x9",
            'market_segment_blind{segment="cds"}': "1x9",
            'market_segment_blind{segment="credit"}': "0x9",
        }  # fmt: skip
        levels = {"treasury": 2, "repo": 4, "newissue": 6, "cds": 3, "credit": 6}
        asks.at(5, segments_levels(), series, {f'{{segment="{each}"}}': at for each, at in levels.items()})

    def test_while_the_monitor_is_away_nothing_is_seen(self, asks: Asks) -> None:
        series = {
            f'market_segment_{what}{{segment="{each}"}}': "0x3 stale"
            for each in SEGMENTS
            for what in ("level", "blind")
        }
        asks.at(5, segments_levels(), series, {f'{{segment="{each}"}}': 6 for each in SEGMENTS})


class TestKnown:
    """No row is calm only while the monitor is ready and says levels, and rules are evaluated."""

    ALL: Final = {
        "monitor_ready": "1x9", 'market_signal_level{signal="a", instrument="b"}': "0x9",
        'market_signal_level{signal="a", instrument="c"}': "0x9",
        'ALERTS{alertname="Watchdog", alertstate="firing"}': "1x9",
    }  # fmt: skip
    ROW: Final = known_row("bad", "nothing fires", Level.CALM)

    def test_all_is_well(self, asks: Asks) -> None:
        asks.at(5, self.ROW, self.ALL, {'{title="nothing fires"}': 0})

    @pytest.mark.parametrize("without", ALL)
    def test_without_any_of_it_it_is_not_known(self, asks: Asks, without: str) -> None:
        series = {name: values for name, values in self.ALL.items() if name != without}
        if without.startswith("market_signal_level"):
            series = {name: values for name, values in series.items() if "market_signal_level" not in name}
        asks.at(5, f"count by (title) ({self.ROW})", series, {f'{{title="{NOT_KNOWN}"}}': 1})

    def test_one_that_catches_up_does_not_know(self, asks: Asks) -> None:
        asks.at(5, KNOWN, self.ALL | {"monitor_ready": "0x9"}, NOTHING)

    def test_what_there_is_stands_alone(self, asks: Asks) -> None:
        asks.at(5, self.ROW, self.ALL | {'bad{title="x"}': "2x9"}, {'bad{title="x"}': 2})


class TestCounts:
    STANDS: Final = {
        f'{recording.LEVEL.name}{{signal="a", instrument="b"}}': "2x9",
        f'{recording.LEVEL.name}{{signal="a", instrument="c"}}': "1x9",
        'ALERTS{alertname="MonitorDown", alertstate="firing", segment="monitor", severity="critical"}': "1x9",
        'ALERTS{alertname="SegmentBlind", alertstate="firing", segment="repo", severity="warning"}': "1x9",
        'ALERTS{alertname="Watchdog", alertstate="firing", segment="monitor", severity="none"}': "1x9",
        'ALERTS{alertname="A", alertstate="firing", segment="repo", severity="critical"}': "1x9",
    }

    def test_they_stand_while_the_monitor_is_away_and_are_of_itself_too(self, asks: Asks) -> None:
        asks.at(5, alerts_at(Level.CRITICAL), self.STANDS, {"{}": 2})
        asks.at(5, alerts_at(Level.WARNING), self.STANDS, {"{}": 1})

    def test_none_is_0_only_where_that_is_known(self, asks: Asks) -> None:
        asks.at(5, alerts_at(Level.WARNING), TestKnown.ALL, {"{}": 0})
        asks.at(5, alerts_at(Level.WARNING), {}, NOTHING)


class TestNames:
    NAME: Final = 'market_signal_info{{signal="a", title="{}", segment="s", unit="u", alert="A"}}'
    LABELS: Final = '{{alert="A", segment="s", signal="a", title="{}", unit="u"}}'

    def test_they_are_known_after_hours_without_the_monitor(self, asks: Asks) -> None:
        asks.at(700, info(), {self.NAME.format("old"): "1x3 stale"}, {self.LABELS.format("old"): 1})

    @pytest.mark.parametrize(("old", "new"), [("x", "y"), ("y", "x")])
    def test_one_that_changed_is_the_new_one(self, asks: Asks, old: str, new: str) -> None:
        series = {self.NAME.format(old): "1x3 stale", self.NAME.format(new): "_x3 1x20"}
        asks.at(10, info(), series, {self.LABELS.format(new): 1})


class TestNone:
    """What says that there is nothing says so of all that is shown."""

    def ask(self, query: Query) -> str:
        return filled(f"count by (says) ({query.asked})", lambda _: ".*")

    def test_a_gap_is_a_gap(self, asks: Asks) -> None:
        query = said("x", "none", "X")
        asks.at(5, self.ask(query), {"x": "1x3 stale"}, NOTHING)
        asks.at(3, self.ask(query), {"x": "1x3 stale"}, {"{}": 1})

    def test_where_there_is_nothing_at_all_it_is_said(self, asks: Asks) -> None:
        asks.at(5, self.ask(said("x", "none", "X")), {}, {'{says="none"}': 1})


class TestMarks:
    """A step of 15 minutes, as on a board of a day."""

    STEP: Final = 15
    LEVEL: Final = 'market_alert_level{alert="A"}'
    NAME: Final = 'market_signal_info{signal="a", title="T", segment="repo", unit="u", alert="A"}'

    def marked(self, asks: Asks, values: str, at: Level, minutes: set[int]) -> None:
        (mark,) = [m.build() for m in head.marks(["repo"]) if m.build().name == f"To {at.word}"]
        expr = re.sub(r"\$__interval", f"{self.STEP}m", str(mark.expr))
        for minute in range(self.STEP, 91, self.STEP):
            answer = {'{alert="A", segment="repo", title="T"}': 1.0} if minute in minutes else {}
            asks.at(minute, expr, {self.LEVEL: values, self.NAME: "1x99"}, answer)

    def test_two_minutes_between_two_steps_are_marked_once(self, asks: Asks) -> None:
        self.marked(asks, "0x36 2x1 0x60", Level.CRITICAL, {45})

    def test_what_stays_is_marked_once(self, asks: Asks) -> None:
        self.marked(asks, "0x36 2x60", Level.CRITICAL, {45})

    def test_on_the_way_to_critical_a_warning_is_marked_too(self, asks: Asks) -> None:
        self.marked(asks, "0x36 1x1 2x60", Level.WARNING, {45})

    def test_a_restart_turns_nothing(self, asks: Asks) -> None:
        self.marked(asks, "2x43 _x4 2x50", Level.CRITICAL, set())

    def test_an_end_is_marked(self, asks: Asks) -> None:
        self.marked(asks, "2x36 0x60", Level.CALM, {45})
