"""The curve's slopes against their definition in plain Python, and worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.engine.minutes import TREASURY_MINUTE
from monitor.engine.tiers import REFERENCE, TierStore
from monitor.signals.model import Evaluation, evaluate
from monitor.signals.treasury.parameters import TreasuryParameters
from monitor.signals.treasury.slope import Legs, signals
from monitor.signals.yields import mid_yields
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, reference_event, tiers_of
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from tests.signals.events import Event, Log

ROWS: Final = {
    "treasury_slope_bp": {("30y-10y",): None, ("10y-2y",): None},
    "treasury_yield_band_ratio": {("10y",): None},
}
"""Which threshold row a label set has: read by `test_contract`."""

SLOPE, BAND = signals(TreasuryParameters())
DAY: Final = date(2019, 9, 16)
"""A Monday."""
Minute = tuple[int, str, int | None, int | None, bool | None, date | None]
"""Minute, instrument, mid2, tenor, on the run, maturity."""
Print = tuple[int, str, date, int]
"""Tick, series, day, value."""
COUPON: Final = 2_000_000


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def tiers_from(minutes: list[Minute], prints: list[Print]) -> Tiers:
    names = ("minute", "instrument", "mid2_e9", "tenor_e3", "on_the_run", "maturity")
    shape = {name: TREASURY_MINUTE[name] for name in names}
    frame = pl.DataFrame(sorted(minutes, key=lambda row: row[:2]), shape, orient="row")
    frame = frame.with_columns(pl.lit(None, TREASURY_MINUTE[n]).alias(n) for n in TREASURY_MINUTE if n not in names)
    said = ("tick", "series", "effective_date", "value_e6")
    known = pl.DataFrame(sorted(prints), {name: REFERENCE[name] for name in said}, orient="row")
    known = known.with_columns(pl.lit(None, REFERENCE[n]).alias(n) for n in REFERENCE if n not in said)
    return replace(
        TierStore(CALENDAR).tiers(),
        treasury_minutes=frame.with_columns(coupon_e6=pl.lit(COUPON, pl.Int64)).select(*TREASURY_MINUTE),
        reference=known.select(*REFERENCE),
    )


def told(window: Legs, tiers: Tiers, ticks: pl.Series | None = None) -> pl.DataFrame:
    every = window.ticks(tiers, BEFORE_ALL, AFTER_ALL) if ticks is None else ticks
    return Evaluation(tiers, every).rows(window)


# Against the definition.

SERIES: Final = {2: "DGS2", 10: "DGS10", 30: "DGS30"}


def due_of(day: date) -> int:
    """18:00 of the third day with a session after a day."""
    for _ in range(3):
        day += timedelta(days=1)
        while CALENDAR.session(day) is None:
            day += timedelta(days=1)
    return at("18:00", day)


class Plain:
    """What is told of two tenors."""

    def __init__(self, tenors: tuple[int, int], minutes: list[Minute], prints: list[Print]) -> None:
        self.tenors, self.minutes = tenors, minutes
        self.prints = [each for each in sorted(prints) if each[1] in {SERIES[tenor] for tenor in tenors}]

    def session_so_far(self, tick: int) -> list[Minute]:
        session = CALENDAR.session(CALENDAR.new_york_date(tick * S))
        rows = [] if session is None else [m for m in self.minutes if session[0] <= m[0] < session[1]]
        return [minute for minute in rows if minute[0] + 60 <= tick]

    def is_begun(self, tick: int) -> bool:
        """Whether each tenor had an issue on the run with a mid in the session so far."""
        had = {m[3] for m in self.session_so_far(tick) if m[4] and m[2] is not None and m[5] is not None}
        return all(tenor * 1_000 in had for tenor in self.tenors)

    def leg(self, tenor: int, tick: int) -> int | None:
        rows = sorted(self.session_so_far(tick), key=lambda row: row[:2])
        newest = {minute[1]: minute for minute in rows}
        had = {minute[1] for minute in rows if minute[2] is not None and minute[5] is not None}
        found = [m for m in newest.values() if m[4] and m[3] == tenor * 1_000 and m[1] in had]
        if not found:
            return None
        issue = max(found, key=lambda minute: (minute[5] or date.min, minute[1]))
        if issue[0] != tick - 60 or issue[2] is None or issue[5] is None:
            return None
        asked = {"coupon_e6": COUPON, "maturity": issue[5], "value_date": CALENDAR.new_york_date(tick * S)}
        percent = mid_yields(pl.DataFrame([asked | {"mid2_e9": issue[2]}])).item()
        return None if percent is None else round(percent * 1_000_000)

    def published(self, tick: int) -> tuple[date, bool, int | None, int | None] | None:
        known = [each for each in self.prints if each[0] <= tick]
        latest = {(series, day): value for _, series, day, value in known}
        first, second = (SERIES[tenor] for tenor in self.tenors)
        both = [day for series, day in latest if series == first and (second, day) in latest]
        if not both:
            return None
        day = max(both)
        dues = {due_of(each) for each in both}
        if not any(each[0] == tick for each in known) and not (tick in dues and due_of(day) == tick):
            return None
        late = tick >= due_of(day)
        return day, late, latest[first, day], latest[second, day]

    def row(self, tick: int) -> tuple[date, bool, int | None, int | None] | None:
        """Value date, blind, the two yields; None: nothing is told."""
        day = CALENDAR.new_york_date(tick * S)
        session = CALENDAR.session(day)
        if session is not None and session[0] < tick < session[1] and self.is_begun(tick):
            if tick % 60:
                return None
            legs = [self.leg(tenor, tick) for tenor in self.tenors]
            return day, None in legs, legs[0], legs[1]
        said = self.published(tick)
        if said is None and session is not None and tick == session[1] and self.is_begun(tick - 60):
            return day, False, None, None
        return said


TERMS: Final = {
    "UST-2Y": (2_000, date(2021, 8, 31)),
    "UST-10Y": (10_000, date(2029, 8, 15)),
    "WAS-10Y": (10_000, date(2029, 5, 15)),
    "UST-30Y": (30_000, date(2049, 8, 15)),
    "OFF-7Y": (7_000, date(2026, 8, 15)),
}
DAYS: Final = (date(2019, 9, 13), DAY, date(2019, 9, 17))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Minute], list[Print]]:
    minutes: dict[tuple[int, str], Minute] = {}
    for _ in range(draw(st.integers(0, 3))):
        start = at(draw(st.sampled_from(["06:57", "09:00", "09:02", "16:55"])), draw(st.sampled_from(DAYS[1:])))
        for n in range(draw(st.integers(1, 7))):
            for issue in draw(st.sets(st.sampled_from(sorted(TERMS)), max_size=5)):
                tenor, maturity = TERMS[issue]
                tick = start + 60 * n
                minutes[tick, issue] = (
                    tick, issue,
                    draw(st.sampled_from([None, 199_000_000_000, 200_000_000_000, 201_500_000_000])),
                    draw(st.sampled_from([tenor, tenor, tenor, tenor, None])),
                    draw(st.sampled_from([True, True, True, True, False, None])),
                    draw(st.sampled_from([maturity, maturity, maturity, None])),
                )  # fmt: skip
    moments = ["06:00", "09:01", "09:03", "09:04:30", "16:15", "17:00", "18:00", "23:00"]
    prints: dict[tuple[int, str, date], Print] = {}
    for _ in range(draw(st.integers(0, 8))):
        day = draw(st.sampled_from([date(2019, 9, 10), date(2019, 9, 11), date(2019, 9, 12), *DAYS]))
        tick = at(draw(st.sampled_from(moments)), day + timedelta(days=draw(st.integers(0, 6))))
        series = draw(st.sampled_from([*SERIES.values(), "DGS10", "IORB"]))
        prints[tick, series, day] = (tick, series, day, draw(st.integers(1_500_000, 2_500_000)))
    return list(minutes.values()), list(prints.values())


@given(histories(), st.sampled_from([(30, 10), (10, 2), (10, 10)]), st.data())
@settings(deadline=None, max_examples=80)
def test_what_is_told_is_as_defined_at_any_ticks(history, tenors, data) -> None:
    minutes, prints = history
    window, plain, tiers = Legs(*tenors), Plain(tenors, minutes, prints), tiers_from(minutes, prints)
    whole = told(window, tiers)
    ticks = window.ticks(tiers, BEFORE_ALL, AFTER_ALL)
    near = {
        tick + 60 * n
        for day in DAYS
        for tick in (at("09:00", day), at("06:58", day), at("16:55", day))
        for n in range(9)
    }
    near |= {each[0] for each in prints} | {due_of(each[2]) for each in prints}
    near |= set(ticks.to_list()[::40])
    expected = {tick: row for tick in near if (row := plain.row(tick)) is not None}
    found = {row[0]: row[1:] for row in whole.iter_rows() if row[0] in near}
    assert found == expected
    assert whole["tick"].to_list() == ticks.to_list()
    others = pl.Series("tick", sorted(near | set(ticks) | {tick + 1 for tick in near}), dtype=pl.Int64)
    assert_frame_equal(told(window, tiers, others), whole)
    if ticks.len():
        cut = ticks[data.draw(st.integers(0, ticks.len() - 1))]
        parts = [window.ticks(tiers, a, b) for a, b in ((BEFORE_ALL, cut), (cut, AFTER_ALL))]
        assert pl.concat(parts).to_list() == ticks.to_list()
        assert_frame_equal(pl.concat([told(window, tiers, part) for part in parts]), whole)
        for tick in {cut, *data.draw(st.lists(st.sampled_from(sorted(expected) or [cut]), max_size=4))}:
            then = tiers.known_by(tick)
            assert window.ticks(then, tick - 1, tick).to_list() == [tick]
            assert_frame_equal(told(window, then, pl.Series("tick", [tick])), whole.filter(c("tick") == tick))


# Worked by hand.


def quote(moment: str, instrument: str, mid: float, **more: Any) -> Event:
    tenor, maturity = TERMS[instrument]
    fields: dict[str, Any] = {
        "bid": mid - 0.015625, "ask": mid + 0.015625, "tenor_years": tenor / 1_000, "on_the_run": True,
        "coupon": 2.0, "maturity": maturity.isoformat(),
    }  # fmt: skip
    day = more.pop("day", DAY)
    return quote_event("quotes-0", instrument, new_york_us(day, time.fromisoformat(moment)), **(fields | more))


def rate(series: str, day: date, value: float, moment: str = "16:15", known: date | None = None) -> Event:
    return reference_event(
        series, day, new_york_us(known or day + timedelta(days=1), time.fromisoformat(moment)), value
    )


def values_of(log: Log, name: str = "30y-10y") -> dict[int, tuple[float | None, bool]]:
    tiers = tiers_of(sorted(log, key=lambda event: event.arrived_us))
    signal = BAND if name == "10y" else SLOPE
    ticks = [view.window.ticks(tiers, BEFORE_ALL, AFTER_ALL) for view in signal.over]
    found = evaluate(signal, tiers, pl.concat(ticks).unique().sort())
    return {row["tick"]: (row["value"], row["blind"]) for row in found.iter_rows(named=True) if name in row.values()}


def test_par_issues_are_their_coupons_apart() -> None:
    """On 2019-08-14 what settles on the 15th, at par, yields its coupon: 2.25 less 1.625 % are 62.5 bp."""
    day = date(2019, 8, 14)
    log = [
        quote("09:00:10", "UST-10Y", 100, coupon=1.625, day=day),
        quote("09:00:30", "UST-30Y", 100, coupon=2.25, day=day),
        quote("09:00:30", "UST-2Y", 100, coupon=1.5, day=day, maturity="2021-08-15"),
    ]
    assert values_of(log)[at("09:01", day)] == (62.5, False)
    assert values_of(log, "10y-2y")[at("09:01", day)] == (12.5, False)
    assert values_of(log, "10y")[at("09:01", day)][0] == pytest.approx((1.625 - 4.0) / 0.5)
    assert min(values_of(log)) == at("09:01", day)


def test_published_yields_stand_until_both_tenors_are_quoted() -> None:
    friday = date(2019, 9, 13)
    log = [
        rate("DGS10", friday, 1.90, "06:00", DAY),
        rate("DGS30", friday, 2.37, "06:00", DAY),
        quote("09:00:10", "UST-10Y", 100),
        rate("DGS30", friday, 2.39, "09:30", DAY),
        quote("10:00:10", "UST-10Y", 100),
        quote("10:00:10", "UST-30Y", 95),
        rate("DGS30", friday, 2.50, "10:03", DAY),
    ]
    values = values_of(log)
    assert [tick for tick in values if tick <= at("10:03")] == [
        at(moment) for moment in ("06:00", "09:30", "10:01", "10:02", "10:03")
    ]
    assert values[at("06:00")] == (47.0, False)
    assert values[at("09:30")] == (49.0, False)
    assert values[at("10:02")] == values[at("10:03")] != (60.0, False)


def test_a_leg_that_is_quoted_no_more_makes_it_blind_until_the_end() -> None:
    log = [quote("09:00:10", "UST-10Y", 100), quote("09:00:10", "UST-30Y", 100), quote("09:10:10", "UST-10Y", 100)]
    values = values_of(log)
    assert not values[at("09:05")][1]
    assert [values[at(f"09:{n:02}")] for n in range(6, 21)] == [(None, True)] * 15
    assert values[at("16:59")] == (None, True)
    assert values[at("17:00")] == (None, False)
    assert max(values) == at("17:00")


def test_what_is_published_as_a_session_ends_stands_in_the_evening() -> None:
    friday = date(2019, 9, 13)
    quoted = [quote("16:56:10", "UST-10Y", 100), quote("16:56:10", "UST-30Y", 100)]
    log = [*quoted, rate("DGS10", friday, 1.90, "17:00", DAY), rate("DGS30", friday, 2.37, "17:00", DAY)]
    assert values_of(log)[at("17:00")] == (47.0, False)
    assert values_of(quoted)[at("17:00")] == (None, False)


def test_of_two_issues_on_the_run_the_one_that_matures_last_speaks() -> None:
    log = [
        quote("09:00:10", "WAS-10Y", 104),
        quote("09:00:10", "UST-30Y", 100),
        quote("09:02:10", "UST-10Y", 100),
        quote("09:02:20", "WAS-10Y", 104),
        quote("09:02:20", "UST-30Y", 100),
        quote("09:06:10", "WAS-10Y", 104),
        quote("09:06:20", "UST-30Y", 100),
        quote("09:08:20", "UST-10Y", 100, on_the_run=False),
    ]
    values = values_of(log)
    old, new = values[at("09:01")][0], values[at("09:03")][0]
    assert old is not None
    assert new is not None
    assert old > new + 30
    assert values[at("09:08")] == (None, True)  # the old one is no stand-in for the new one
    assert values[at("09:09")] == (old, False)  # it says that it is off the run


def test_an_issue_that_never_had_a_mid_in_the_session_is_not_waited_for() -> None:
    log = [
        quote("09:00:10", "WAS-10Y", 104),
        quote("09:00:10", "UST-30Y", 100),
        quote("09:00:20", "UST-10Y", 100, ask=0),
    ]
    values = values_of(log)
    assert values[at("09:01")][0] is not None
    assert min(values) == at("09:01")


def test_a_day_counts_when_both_series_have_it() -> None:
    thursday, friday = date(2019, 9, 12), date(2019, 9, 13)
    log = [
        rate("DGS10", thursday, 1.79, "06:00", friday),
        rate("DGS2", thursday, 1.72, "06:00", friday),
        rate("DGS10", friday, 1.90, "18:00", friday),
        rate("DGS2", friday, 1.79, "19:00", friday),
    ]
    values = values_of(log, "10y-2y")
    assert values == {
        at("06:00", friday): (7.0, False),
        at("18:00", friday): (7.0, False),
        at("19:00", friday): (11.0, False),
        at("18:00", date(2019, 9, 18)): (None, True),
    }


@pytest.mark.parametrize(
    ("day", "known", "blind_at"),
    [
        (date(2019, 9, 9), date(2019, 9, 10), date(2019, 9, 12)),
        (date(2019, 9, 12), date(2019, 9, 13), date(2019, 9, 17)),  # over a weekend
        (date(2019, 11, 27), date(2019, 11, 29), date(2019, 12, 3)),  # and a holiday
    ],
)
def test_published_yields_are_blind_two_business_days_after_the_next_is_missed(day, known, blind_at) -> None:
    log = [rate("DGS10", day, 4.125, known=known)]
    assert values_of(log, "10y") == {at("16:15", known): (0.25, False), at("18:00", blind_at): (None, True)}


def test_what_is_published_late_is_blind_at_once() -> None:
    log = [rate("DGS10", DAY, 4.25, known=date(2019, 10, 1)), rate("DGS10", date(2019, 10, 1), 4.5)]
    values = values_of(log, "10y")
    assert values[at("16:15", date(2019, 10, 1))] == (None, True)
    assert values[at("16:15", date(2019, 10, 2))] == (1.0, False)


def test_a_yield_of_a_day_to_come_is_no_yield() -> None:
    log = [rate("DGS10", DAY, 4.25), rate("DGS10", date(2029, 9, 17), 9.0, known=date(2019, 9, 17))]
    assert values_of(log, "10y")[at("16:15", date(2019, 9, 17))] == (0.5, False)


def test_the_band_is_that_of_the_settings() -> None:
    _, signal = signals(TreasuryParameters(yield_band_percent=(3.8, 4.2)))
    tiers = tiers_of([rate("DGS10", DAY, 4.0)])
    found = evaluate(signal, tiers, signal.over[0].window.ticks(tiers, BEFORE_ALL, AFTER_ALL))
    assert found.select("tenor", "value")[0].row(0) == ("10y", 0.5)


def test_nothing_known_gives_nothing() -> None:
    tiers = TierStore(CALENDAR).tiers()
    for signal in (SLOPE, BAND):
        for view in signal.over:
            assert view.window.ticks(tiers, BEFORE_ALL, AFTER_ALL).to_list() == []
        assert evaluate(signal, tiers, pl.Series("tick", [at("09:01")])).is_empty()
        assert not signal.thresholds
