"""Blind is not calm: whatever happens to the inputs of a stressed day, no level falls because of it.

CI looks at the same days each time; `BLIND_DAYS=200 pytest tests/blind` at many others.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from monitor.pipeline import Pipeline
from monitor.results import BLIND, Level, Output, Transition
from monitor.signals import CATALOGUE
from monitor.sinks.prometheus import PrometheusSink
from monitor.sinks.snapshot import MetricOfSignal
from tests.blind.stressed_day import (
    BEGIN,
    ISSUES,
    LEVELS_STAND,
    OVER,
    SOURCES,
    TRADED,
    Damage,
    Fault,
    in_order,
    past,
    today,
    yesterday,
)
from tests.signals.events import CALENDAR, S, batches

if TYPE_CHECKING:
    from tests.signals.events import Log

RANK: Final = {level.word: level for level in Level}


class Day:
    """The day as the monitor saw it."""

    def __init__(self, damage: Damage) -> None:
        self.damage = damage
        self.logs = {source: damage.of(source) for source in SOURCES}
        log = before() + [event for each in self.logs.values() for event in each]
        pipeline = Pipeline(CATALOGUE, CALENDAR, begin=BEGIN // S)
        metrics = [
            MetricOfSignal(s.name, s.alert, s.help, s.segment, s.labels, s.headline, bool(s.thresholds))
            for s in CATALOGUE
        ]
        sink = PrometheusSink(metrics, "test")
        for piece in batches(in_order(log)):
            for _, batch in piece:
                pipeline.ingest(batch)
        pipeline.finish()
        self.outputs: list[Output] = []
        for output in pipeline.advance(OVER // S):
            sink.wrote(output)
            self.outputs.append(output)
        self.gauges = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in parse_prometheus(sink.page()[0].decode())
            for sample in family.samples
        }

    @property
    def transitions(self) -> list[Transition]:
        return [each for output in self.outputs for each in output.transitions]

    def states(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], str]:
        """By signal and label set, the state that was told last."""
        return {(each.signal, tuple(sorted(each.labels.items()))): each.after for each in self.transitions}

    def falls(self) -> list[Transition]:
        """Where a level, once all have risen, is below that of the sound day; what a fault itself raised may fall."""
        standing = sound().states() if self.damage.faults else {}
        found, highest = [], dict[tuple[str, tuple[tuple[str, str], ...]], Level]()
        for each in self.transitions:
            if each.after == BLIND:
                continue
            key = (each.signal, tuple(sorted(each.labels.items())))
            level, before = RANK[each.after], highest.get(key, Level.CALM)
            least = RANK[standing.get(key, Level.CALM.word)] if self.damage.faults else before
            if level < min(before, least):
                found.append(each)
            highest[key] = max(level, before)
        return found

    def gauge(self, name: str, **labels: str) -> float | None:
        return self.gauges.get((name, frozenset(labels.items())))


@cache
def before() -> Log:
    return past() + [event for source in SOURCES for event in yesterday(source)]


@cache
def sound() -> Day:
    return Day(Damage({}, OVER))


def of_issue(transition: Transition) -> str | None:
    return transition.labels.get("instrument")


def test_the_day_is_a_stressed_one() -> None:
    """Every headline's level is above calm long before anything is damaged, and none ever falls."""
    day = sound()
    assert not day.falls()
    risen = {each.signal for each in day.transitions if each.tick * S <= LEVELS_STAND}
    headlines = {s.name for s in CATALOGUE if s.headline and s.segment in ("treasury", "repo")}
    assert headlines <= risen
    assert day.gauge("market_segment_level", segment="treasury") == Level.CRITICAL
    assert day.gauge("market_segment_blind", segment="treasury") == 0
    assert day.gauge("market_segment_blind", segment="repo") == 0


@st.composite
def damages(draw: st.DrawFn) -> Damage:
    """Any faults of any sources.

    A copy is of three issues or more, as it is known by that; and of trades all are lost or none: what is left of them
    cannot be told from a thin market.
    """
    kinds = st.sampled_from([Fault.REMOVED, Fault.FROZEN, Fault.TRUNCATED, Fault.ONE_SIDED])
    of_trades = st.sampled_from([Fault.REMOVED, Fault.FROZEN, Fault.ONE_SIDED])
    hit = draw(st.sets(st.sampled_from(SOURCES), min_size=1))
    faults = {source: draw(of_trades if source in TRADED else kinds) for source in sorted(hit)}
    copied = [source for source in faults if source in ISSUES]
    if len(copied) >= 3 and draw(st.booleans()):
        faults |= dict.fromkeys(copied, Fault.COPIED)
    begin_us = LEVELS_STAND + draw(st.integers(0, 1_200)) * S
    end_us = begin_us + draw(st.sampled_from([60, 600, 1_800, 100_000])) * S
    return Damage(faults, begin_us, end_us)


@given(damages())
@settings(
    deadline=None, max_examples=int(os.environ.get("BLIND_DAYS", "10")), derandomize="BLIND_DAYS" not in os.environ
)
def test_no_level_falls_because_of_it(damage: Damage) -> None:
    assert not Day(damage).falls()


@pytest.mark.parametrize("fault", [Fault.REMOVED, Fault.COPIED])
def test_a_feed_that_is_gone_or_plays_another_day_is_blind_and_said_to_be(fault: Fault) -> None:
    day = Day(Damage(dict.fromkeys(ISSUES, fault), LEVELS_STAND))
    assert not day.falls()
    for (signal, labels), state in day.states().items():
        if signal.startswith("treasury"):
            assert state == BLIND, (signal, labels)
    assert day.gauge("market_segment_blind", segment="treasury") == 1
    assert day.gauge("market_segment_blind", segment="repo") == 0
    assert day.gauge("market_signal_level", signal="treasury_two_sided_ratio") == sound().gauge(
        "market_signal_level", signal="treasury_two_sided_ratio"
    )


@pytest.mark.parametrize("issue", ["UST-10Y", "OFF-30A"])
def test_an_issue_that_is_silent_is_blind_after_its_hold_and_recovers_with_its_next_quote(issue: str) -> None:
    begin, end = LEVELS_STAND + 300 * S, LEVELS_STAND + 1_800 * S
    day = Day(Damage({issue: Fault.REMOVED}, begin, end))
    hold = 300 if ISSUES[issue][1] else 900
    spread = [each for each in day.transitions if each.signal == "treasury_spread_32nds" and of_issue(each) == issue]
    [gone, back] = [each for each in spread if BLIND in (each.before, each.after)]
    assert gone.after == BLIND
    last = max(event.fields["ts"] for event in today(issue) if event.fields["ts"] < begin)
    assert gone.tick == last // S + 1 + hold
    first = min(event.fields["ts"] for event in today(issue) if event.fields["ts"] >= end)
    assert (back.tick, back.after) == (first // S + 1, gone.before)


def test_a_quote_that_stands_still_while_the_others_move_is_blind_until_it_changes() -> None:
    end = LEVELS_STAND + 2_700 * S
    day = Day(Damage({"UST-10Y": Fault.FROZEN}, LEVELS_STAND, end))
    told = [each for each in day.transitions if each.signal == "treasury_spread_32nds" and of_issue(each) == "UST-10Y"]
    [gone, back] = [each for each in told if BLIND in (each.before, each.after)]
    assert LEVELS_STAND // S + 1_740 <= gone.tick <= LEVELS_STAND // S + 1_920
    assert end // S < back.tick <= end // S + 120


def test_trades_that_stop_leave_repo_blind() -> None:
    day = Day(Damage({"GC-ON": Fault.REMOVED, "GCF": Fault.REMOVED}, LEVELS_STAND))
    assert not day.falls()
    states: dict[str, Any] = {signal: state for (signal, _), state in day.states().items()}
    assert states["repo_spread_bp"] == BLIND
    assert day.gauge("market_segment_blind", segment="repo") == 1
    assert day.gauge("market_segment_blind", segment="treasury") == 0
