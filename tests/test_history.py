"""Real history for truth: what the published SOFR figures deserve comes out, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, time

import polars as pl
import pytest
from polars import col as c

from monitor.calendar import MarketCalendar
from monitor.history import HISTORIES
from monitor.pipeline import Pipeline
from monitor.results import Level, Output
from monitor.signals import CATALOGUE
from monitor.sources.inputs import parse_inputs

HISTORY = HISTORIES["repo-2018-2025"]
STRESS = (
    (date(2018, 12, 31), date(2019, 1, 3)),
    (date(2019, 9, 16), date(2019, 10, 17)),
    (date(2020, 3, 9), date(2020, 4, 30)),
)
"""Spells in which an alarm is deserved."""


@pytest.fixture(scope="module")
def output() -> Output:
    pipeline = Pipeline(CATALOGUE, MarketCalendar())
    for source in parse_inputs([str(HISTORY.folder)]):
        source.open()
        while not source.exhausted:
            batch = source.poll(5_000)
            if batch is not None:
                assert not any(what.rejects for what in pipeline.ingest(batch))
        source.close(1)
    pipeline.finish()
    (everything,) = pipeline.advance()
    return everything


def sofr(output: Output, *signals: str) -> pl.DataFrame:
    return output.steps.filter(c("instrument") == "SOFR", c("signal").is_in(signals), ~c("blind"))


def on(output: Output, signal: str, day: date) -> tuple[float | None, Level]:
    value, level = sofr(output, signal).filter(c("value_date") == day).select("value", "level").row(0)
    return value, Level(level)


def days(frame: pl.DataFrame, at_least: Level) -> set[date]:
    return set(frame.filter(c("level") >= int(at_least))["value_date"])


def outside_stress(some: Iterable[date]) -> set[date]:
    return {day for day in some if not any(first <= day <= last for first, last in STRESS)}


class TestTheSpikeOfSeptember2019:
    def test_the_spread(self, output: Output) -> None:
        assert on(output, "repo_spread_bp", date(2019, 9, 16)) == (33.0, Level.WARNING)  # a C day
        assert on(output, "repo_spread_bp", date(2019, 9, 17)) == (315.0, Level.CRITICAL)
        assert on(output, "repo_spread_bp", date(2019, 9, 18)) == (45.0, Level.CRITICAL)

    def test_the_tail_leads_the_median(self, output: Output) -> None:
        assert on(output, "repo_tail_bp", date(2019, 9, 16)) == (217.0, Level.CRITICAL)

    def test_it_is_told_when_it_was_published(self, output: Output) -> None:
        told = [t for t in output.transitions if t.signal == "repo_spread_bp" and t.value_date == date(2019, 9, 17)]
        assert [(t.before, t.after, t.value, t.threshold) for t in told] == [("warning", "critical", 315.0, 30.0)]
        assert told[0].tick == MarketCalendar.at_new_york(date(2019, 9, 18), time(8))

    def test_the_summer_before_is_silent(self, output: Output) -> None:
        spells = output.steps.filter(
            c("value_date").is_between(date(2019, 5, 3), date(2019, 6, 20)), c("level").is_not_null()
        )
        assert spells["level"].max() == Level.CALM
        assert spells.height > 100


class TestMarch2020:
    def test_a_cut_is_not_easing(self, output: Output) -> None:
        """SOFR fell from 1.10 to 0.26, and the spread to the new IORB rose."""
        assert on(output, "repo_spread_bp", date(2020, 3, 13))[0] == 0.0
        assert on(output, "repo_spread_bp", date(2020, 3, 16))[0] == 16.0
        assert on(output, "repo_spread_bp", date(2020, 3, 17)) == (44.0, Level.CRITICAL)


class TestTheTail:
    def test_it_is_critical_on_eight_days_and_no_other(self, output: Output) -> None:
        assert sorted(map(str, days(sofr(output, "repo_tail_bp"), Level.CRITICAL))) == [
            "2018-12-31", "2019-03-29", "2019-07-01", "2019-09-16",
            "2019-09-17", "2019-09-18", "2019-09-30", "2020-03-16",
        ]  # fmt: skip

    @pytest.mark.parametrize("day", [date(2019, 5, 31), date(2021, 8, 5)])
    def test_blank_percentiles_are_absent(self, output: Output, day: date) -> None:
        assert on(output, "repo_tail_bp", day) == (None, Level.CALM)
        assert on(output, "repo_spread_bp", day)[0] is not None
        assert not [t for t in output.transitions if t.value_date == day]


class TestFalseAlarms:
    """Spread, tail and corridor alarm on 25 days in 6.8 years, with the jump on 31."""

    LEVELS = ("repo_spread_bp", "repo_tail_bp", "repo_corridor_bp")

    def test_alarm_days(self, output: Output) -> None:
        assert len(days(sofr(output, *self.LEVELS), Level.WARNING)) == 25
        assert len(days(sofr(output, *self.LEVELS, "repo_jump_bp"), Level.WARNING)) == 31

    @pytest.mark.parametrize(("signal", "count"), list(zip(LEVELS, (0, 2, 0), strict=True)))
    def test_critical_days_outside_stress(self, output: Output, signal: str, count: int) -> None:
        assert len(outside_stress(days(sofr(output, signal), Level.CRITICAL))) == count

    @pytest.mark.parametrize("signal", ["repo_spread_bp", "repo_tail_bp", "repo_corridor_bp", "repo_jump_bp"])
    def test_the_reasons_of_the_thresholds_quote_what_the_history_gives(self, output: Output, signal: str) -> None:
        reason = next(s for s in CATALOGUE if s.name == signal).thresholds[0].reason
        quoted = re.search(r"(\d+) alarm days in 6\.8 years, (\d+)(?: of them)? outside stress", reason)
        assert quoted, reason
        alarms = days(sofr(output, signal), Level.WARNING)
        assert (int(quoted[1]), int(quoted[2])) == (len(alarms), len(outside_stress(alarms)))

    def test_the_jump_sees_what_levels_miss(self, output: Output) -> None:
        for day, jump in ((date(2024, 10, 1), 21.0), (date(2024, 12, 26), 18.0)):
            assert on(output, "repo_jump_bp", day)[0] == jump
            assert on(output, "repo_spread_bp", day)[1] is Level.CALM


def test_nothing_is_blind_in_a_history_without_holes(output: Output) -> None:
    assert not output.steps["blind"].any()


def test_sofr_of_every_business_day_is_carried(output: Output) -> None:
    calendar = MarketCalendar().days(HISTORY.first, HISTORY.last).filter("sofr_business_day")
    assert sofr(output, "repo_spread_bp")["value_date"].sort().equals(calendar["date"].rename("value_date"))
