"""Real history for truth: repo and Treasury together, by value date, and against the OFR Financial Stress Index."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars import col as c

from monitor.calendar import MarketCalendar
from monitor.results import Level
from tests.truth.alarms import Record, records, unjudged
from tests.truth.carried import ofr_fsi, steps
from tests.truth.composite import carried_alone, headline_score, rank_correlation, segment_score, with_stand_in
from tests.truth.page import truth_page

PAGE = Path(__file__).parents[1] / "docs" / "truth.md"


def days(frame: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    found = frame.filter(c("day").is_between(first, last))
    assert found.height > 2
    return found


def level_of(segment: str, day: date) -> Level:
    rows = steps().filter(c("signal").str.starts_with(segment), c("value_date") == day, c("level").is_not_null())
    level = rows["level"].max()
    assert isinstance(level, int)
    return Level(level)


def test_scores_are_put_together_as_defined() -> None:
    assert headline_score([0.9, 0.3, 0.6, 0.0, 0.4]) == pytest.approx(0.75)
    assert headline_score([0.2]) == 0.2
    assert segment_score([1.0, 0.0, 0.0, 0.0]) == 0.625


class TestSeptember2019:
    """Repo alone: elevated, and no crisis."""

    def test_repo_is_critical_and_treasuries_are_calm(self) -> None:
        for day in (date(2019, 9, 16), date(2019, 9, 17), date(2019, 9, 18)):
            assert level_of("repo", day) is Level.CRITICAL
            assert level_of("treasury", day) is Level.CALM

    def test_the_regime(self) -> None:
        for index in (carried_alone(), with_stand_in()):
            rows = days(index, date(2019, 9, 16), date(2019, 9, 18))
            assert rows["treasury"].to_list() == [0.0] * 3
            assert rows["regime"].to_list() == ["elevated"] * 3
            assert not rows["capped"].any()
        assert days(carried_alone(), date(2019, 9, 16), date(2019, 9, 18))["coverage"].to_list() == [0.55] * 3


class TestMarch2020:
    def test_repo_and_treasury_alone_are_stressed_from_the_12th_and_capped(self) -> None:
        march = days(carried_alone(), date(2020, 3, 2), date(2020, 3, 30))
        assert set(march["coverage"]) == {0.55}
        stressed = march.filter(c("regime") == "stressed")
        assert stressed["day"].min() == date(2020, 3, 12)
        assert stressed["day"].to_list() == march.filter(c("day") >= date(2020, 3, 12))["day"].to_list()
        assert stressed["stress_index"][0] == pytest.approx(0.256, abs=0.0005)
        assert march.filter("capped")["day"].to_list() == [date(2020, 3, 16), date(2020, 3, 17)]
        assert "crisis" not in set(carried_alone()["regime"])

    def test_a_copied_day_holds_its_score(self) -> None:
        copied = days(carried_alone(), date(2020, 3, 25), date(2020, 3, 27))["treasury"]
        assert copied[1] == copied[0] != copied[2]

    def test_with_the_stand_in_it_is_a_crisis_from_the_16th(self) -> None:
        index = with_stand_in()
        crisis = index.filter(c("regime") == "crisis")
        assert crisis["day"].min() == date(2020, 3, 16)
        assert {(day.year, day.month) for day in crisis["day"]} == {(2020, 3), (2020, 4)}
        assert set(crisis["coverage"]) == {1.0}

    def test_it_peaks_within_five_business_days_of_the_ofr_index(self) -> None:
        highest = ofr_fsi().sort("fsi").row(-1, named=True)
        assert (highest["day"], round(highest["fsi"], 2)) == (date(2020, 3, 19), 10.27)
        peak = with_stand_in().sort("stress_index")["day"][-1]
        calendar = MarketCalendar()
        near = {calendar.add_sofr_business_days(highest["day"], n) for n in range(-5, 6)}
        assert peak == date(2020, 3, 17)
        assert peak in near


def test_rank_correlation_with_the_ofr_index() -> None:
    """The second is circular: the stand-in is a part of what it is compared with."""
    alone, number = rank_correlation(carried_alone())
    assert (round(alone, 2), number) == (0.26, 1_541)
    assert round(rank_correlation(with_stand_in())[0], 2) == 0.63


class TestFalseAlarms:
    @staticmethod
    def record(signal: str, level: Level, row: str = "benchmark") -> Record:
        return next(r for r in records() if (r.signal, r.row, r.level) == (signal, row, level))

    def test_they_agree_with_what_the_thresholds_say_of_themselves(self) -> None:
        for signal, alarm_days, false_days in (
            ("repo_spread_bp", 15, 4), ("repo_tail_bp", 17, 6), ("repo_corridor_bp", 14, 6), ("repo_jump_bp", 20, 9),
        ):  # fmt: skip
            warning = self.record(signal, Level.WARNING)
            assert (warning.days, warning.days - warning.true_days) == (alarm_days, false_days)

    def test_critical_alarms_are_false_twice_in_seven_years_at_most(self) -> None:
        false = {r.signal: r.false_alarms for r in records() if r.level is Level.CRITICAL and r.false_alarms}
        assert false == {"repo_tail_bp": 2, "repo_dispersion_bp": 1}
        assert self.record("repo_tail_bp", Level.CRITICAL).false_a_year == pytest.approx(0.3, abs=0.01)

    def test_no_treasury_alarm_is_false(self) -> None:
        treasury = [r for r in records() if r.signal.startswith("treasury")]
        assert len(treasury) == 8
        assert all(r.days == r.true_days > 0 and r.false_alarms == 0 for r in treasury)

    def test_what_cannot_be_judged_is_listed(self) -> None:
        listed = {(signal.name, row.id) for signal, row in unjudged()}
        assert {("treasury_spread_zscore", "all"), ("credit_off_low_bp", "ig"), ("repo_spread_bp", "trades")} <= listed
        assert ("repo_spread_bp", "benchmark") not in listed


def test_the_page_is_current() -> None:
    """If not: `make generate`."""
    assert PAGE.read_text(encoding="utf-8") == truth_page()


def test_the_ofr_figures_are_as_published_and_stand_in_the_sources() -> None:
    categories = ("credit", "equity_valuation", "safe_assets", "funding", "volatility")
    figures = ofr_fsi()
    assert (figures.height, figures["day"].min(), figures["day"].max()) == (1_635, date(2018, 1, 2), date(2024, 6, 3))
    assert figures.select((c("fsi") - pl.sum_horizontal(categories)).abs().max()).item() < 0.003
    text = (Path(__file__).parent / "data" / "SOURCES.md").read_text(encoding="utf-8")
    for word in ("ofr_fsi_daily.csv", "Office of Financial Research", "2018-01-02", "2024-06-03", *categories):
        assert word in text
