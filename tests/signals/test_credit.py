"""Credit spreads, auctions, policy liquidity and all other series against their definition in plain Python."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.alerts.evaluator import Evaluator
from monitor.engine.tiers import REFERENCE, TierStore
from monitor.results import Level
from monitor.signals.credit import auction, liquidity, reference, spread
from monitor.signals.credit.liquidity import LIQUIDITY, Liquidity
from monitor.signals.credit.parameters import CreditParameters
from monitor.signals.credit.series import Standing
from monitor.signals.credit.spread import SPREADS, Spreads
from monitor.signals.model import Evaluation, Window, evaluate
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, tiers_of
from tests.signals.reference_logs import series_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal
    from tests.signals.events import Log

ROWS: Final = {
    "credit_off_low_bp": {("IG_OAS",): "ig", ("HY_OAS",): "hy"},
    "credit_spread_bp": {("IG_OAS",): None, ("HY_OAS",): None},
    "credit_low_span_days": {("IG_OAS",): None},
    "auction_tail_bp": {("10Y",): None},
    "auction_cover_ratio": {("10Y",): None},
    "auction_dealer_share_ratio": {("10Y",): None},
    "policy_liquidity_busd": {("TGA",): None},
    "policy_liquidity_change_busd": {("TGA",): None},
    "reference": {("MOVE",): None},
}
"""Which threshold row a label set has: read by `test_contract`."""
SIGNALS: Final = {
    signal.name: signal
    for module in (spread, auction, liquidity, reference)
    for signal in module.signals(CreditParameters())
}
OFF_LOW: Final = SIGNALS["credit_off_low_bp"]
Print = tuple[int, str, date, int]
"""Tick, series, effective date, value in millionths; in the order in which they became known."""


def at(moment: str, day: date) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def business_days(day: date, count: int) -> date:
    """So many business days of the bond market after a day, or before it."""
    step = timedelta(days=1 if count > 0 else -1)
    while count:
        day += step
        count -= (1 if count > 0 else -1) if CALENDAR.is_bond_business_day(day) else 0
    return day


# The definition.


class Plain:
    """What is known of series."""

    def __init__(self, prints: list[Print]) -> None:
        self.prints = prints

    def counts_from(self, each: Print) -> int:
        return max(each[0], at("00:00", each[2]))

    def known(self, series: str, tick: int) -> dict[date, int]:
        return {each[2]: each[3] for each in self.prints if each[1] == series and self.counts_from(each) <= tick}

    def printed(self, series: str, tick: int) -> set[date]:
        return {each[2] for each in self.prints if each[1] == series and self.counts_from(each) == tick}

    def overdue(self, series: str, tick: int, patience: int) -> date | None:
        """The newest day, if this is the tick at which its successor is overdue."""
        known = self.known(series, tick)
        if not known:
            return None
        newest = max(known)
        due = at("18:00", business_days(newest, patience))
        since = min(self.counts_from(each) for each in self.prints if each[1:3] == (series, newest))
        return newest if tick == max(due, since) else None

    def dues(self, patience: int) -> set[int]:
        return {at("18:00", business_days(each[2], patience)) for each in self.prints}

    def spreads(self, tick: int) -> Iterator[tuple[object, ...]]:
        """Value date, blind, series, value, low, prints, span of days."""
        for series in SPREADS:
            known, printed = self.known(series, tick), self.printed(series, tick)
            for day in sorted(printed | {max(known)} if printed else ()):
                back = {each for each in known if timedelta() <= day - each < timedelta(days=365)}
                low = min(known[each] for each in back)
                yield day, False, series, known[day], low, len(back), (day - min(back)).days
            newest = self.overdue(series, tick, 3)
            if newest is not None:
                yield business_days(newest, 1), True, series, None, None, None, None

    def liquidity(self, tick: int) -> Iterator[tuple[object, ...]]:
        """Value date, blind, series, value, value then."""
        for series in LIQUIDITY:
            known = self.known(series, tick)
            if not self.printed(series, tick) and self.overdue(series, tick, 10) is None:
                continue
            newest = max(known)
            upto = newest if CALENDAR.is_bond_business_day(newest) else business_days(newest, -1)
            last = business_days(upto, -20)
            then = [day for day in known if business_days(last, -9) <= day <= last]
            blind = tick >= at("18:00", business_days(newest, 10))
            yield newest, blind, series, known[newest], known[max(then)] if then else None

    def standing(self, window: Standing, tick: int) -> Iterator[tuple[object, ...]]:
        """Value date, blind, series, value."""
        families = ("AUCTION_TAIL_", "AUCTION_COVER_", "AUCTION_DEALER_SHARE_")
        if window.prefix is None:
            mine = {
                each[1] for each in self.prints
                if each[1] not in window.own and not any(each[1].startswith(p) and each[1] != p for p in families)
            }  # fmt: skip
        else:
            mine = {each[1] for each in self.prints if each[1].startswith(window.prefix) and each[1] != window.prefix}
        since = {series: min(self.counts_from(each) for each in self.prints if each[1] == series) for series in mine}
        for series in sorted(sorted(mine, key=lambda series: (since[series], series))[: window.most]):
            if self.known(series, tick) and max(self.known(series, tick)) in self.printed(series, tick):
                newest = max(self.known(series, tick))
                yield newest, False, series, self.known(series, tick)[newest]


def tiers_from(prints: list[Print]) -> Tiers:
    said = ("tick", "series", "effective_date", "value_e6")
    known = pl.DataFrame(prints, {name: REFERENCE[name] for name in said}, orient="row")
    known = known.with_columns(pl.lit(None, REFERENCE[n]).alias(n) for n in REFERENCE if n not in said)
    return replace(TierStore(CALENDAR).tiers(), reference=known.select(*REFERENCE))


NEW_YEAR: Final = date(2020, 1, 2)
_OTHERS: Final = ("RESERVES", "TGA", "AUCTION_TAIL_10Y", "AUCTION_TAIL_2Y", "AUCTION_TAIL_", "MOVE", "IORB", "X", "ZZ")


@st.composite
def histories(draw: st.DrawFn) -> list[Print]:
    """Days around New Year, some of them a year before: in time, late, revised, ahead of their day, left out."""
    prints: dict[tuple[int, str, date], Print] = {}

    def put(tick: int, series: str, day: date, value: int) -> None:
        prints[tick, series, day] = (tick, series, day, value)

    steps = draw(st.lists(st.integers(70, 99), min_size=1, max_size=6))
    first = business_days(NEW_YEAR, -draw(st.sampled_from([1, 12, 57, 58, 66])))
    missing = draw(st.sets(st.integers(0, 60), max_size=5))
    in_one_go = draw(st.booleans())
    n, day = 0, first
    while day < NEW_YEAR + timedelta(days=8):
        tick = at("08:30", NEW_YEAR if in_one_go and day < NEW_YEAR else business_days(day, 1))
        if n not in missing:
            put(tick, "IG_OAS", day, steps[n % len(steps)] * 1_000_000)
        if n % 5 == 0:
            put(tick, "RESERVES", day, steps[n % len(steps)] * 10_000_000)
        n, day = n + 1, business_days(day, 1)
    year_before = st.integers(363, 367).map(lambda back: NEW_YEAR - timedelta(days=back))
    near = st.integers(-50, 12).map(lambda ahead: NEW_YEAR + timedelta(days=ahead))
    for _ in range(draw(st.integers(0, 10))):
        tick = at(draw(st.sampled_from(["00:00", "08:30", "18:00"])), draw(near))
        series = draw(st.sampled_from([*SPREADS, *SPREADS, *_OTHERS]))
        put(tick, series, draw(near | near | year_before), draw(st.integers(60, 99)) * 1_000_000)
    return [prints[key] for key in sorted(prints)]


def told(window: Window, tiers: Tiers, ticks: pl.Series) -> pl.DataFrame:
    return Evaluation(tiers, ticks).rows(window)


AUCTIONS: Final = Standing("AUCTION_TAIL_")
FEW: Final = Standing(None, own=(*SPREADS, *LIQUIDITY), most=2)


@given(histories(), st.data())
@settings(deadline=None, max_examples=60, phases=(Phase.explicit, Phase.generate))
def test_what_is_told_is_as_defined_at_any_ticks(prints: list[Print], data: st.DataObject) -> None:
    plain, tiers = Plain(prints), tiers_from(prints)
    moments = {plain.counts_from(each) for each in prints} | {each[0] for each in prints}
    moments |= plain.dues(3) | plain.dues(10)
    asked = pl.Series("tick", sorted(moments | {tick + 1 for tick in moments}))
    for window, rows in (
        (Spreads(), plain.spreads),
        (Liquidity(), plain.liquidity),
        (AUCTIONS, lambda tick: plain.standing(AUCTIONS, tick)),
        (FEW, lambda tick: plain.standing(FEW, tick)),
    ):
        expected = {(tick, *row) for tick in asked for row in rows(tick)}
        whole = told(window, tiers, asked)
        assert len(whole) == len(expected)
        assert set(whole.iter_rows()) == expected
        ticks = window.ticks(tiers, BEFORE_ALL, AFTER_ALL)
        assert ticks.to_list() == sorted({tick for tick, *_ in expected})
        if ticks.len():
            cut = ticks[data.draw(st.integers(0, ticks.len() - 1))]
            halves = [window.ticks(tiers, a, b) for a, b in ((BEFORE_ALL, cut), (cut, AFTER_ALL))]
            assert pl.concat(halves).to_list() == ticks.to_list()
            assert_frame_equal(pl.concat([told(window, tiers, half) for half in halves]), whole)
            for tick in {cut, data.draw(st.sampled_from(ticks.to_list()))}:
                then = tiers.known_by(tick)
                assert window.ticks(then, tick - 1, tick).to_list() == [tick]
                alone = told(window, then, pl.Series("tick", [tick]))
                assert_frame_equal(alone, whole.filter(pl.col("tick") == tick))


# Worked by hand.

FIRST: Final = date(2019, 8, 5)
"""A Monday."""


def daily(values: list[float], first: date = FIRST, series: str = "IG_OAS") -> Log:
    """Values of a series in percent, of consecutive business days, each published at 08:30 of the next one."""
    log, day = [], first
    for value in values:
        after = business_days(day, 1)
        log.append(series_event(series, day, new_york_us(after, time(8, 30)), value, unit="percent"))
        day = after
    return log


def values_of(signal: Signal, log: Log) -> pl.DataFrame:
    tiers = tiers_of(sorted(log, key=lambda event: event.arrived_us))
    return evaluate(signal, tiers, signal.over[0].window.ticks(tiers, BEFORE_ALL, AFTER_ALL))


def value_on(signal: Signal, log: Log, n: int) -> float | None:
    """What stands of the n-th business day from the first."""
    values = values_of(signal, log)
    value = values.filter(pl.col("value_date") == business_days(FIRST, n))["value"][-1]
    assert value is None or isinstance(value, float)
    return value


def test_percent_are_kept_as_basis_points() -> None:
    assert value_on(SIGNALS["credit_spread_bp"], daily([0.8, 0.74]), 1) == 74.0


def test_a_low_wants_sixty_values() -> None:
    """74 at the lowest, 80 now: 6 off the low; of 59 values there is none."""
    assert value_on(OFF_LOW, daily([0.78, 0.74, *[0.77] * 56, 0.8]), 58) is None
    log = daily([0.78, 0.74, *[0.77] * 57, 0.8])
    assert value_on(OFF_LOW, log, 59) == pytest.approx(6)
    assert value_on(SIGNALS["credit_low_span_days"], log, 59) == (business_days(FIRST, 59) - FIRST).days


def test_a_low_is_forgotten_after_a_year() -> None:
    """Of 2019-08-05 on 2020-08-03 it is 364 days ago, and counts; on 08-04 it does not."""
    count = next(n for n in range(300) if business_days(FIRST, n) == date(2020, 8, 3))
    log = daily([0.5, *[0.8] * count, 0.8])
    assert value_on(OFF_LOW, log, count) == pytest.approx(30)
    assert value_on(OFF_LOW, log, count + 1) == 0


def test_a_revised_misprint_is_out_of_the_low_at_once() -> None:
    """A low of 0.8 bp for 80, and the day after it 79 off it: with the revision the newest day is told again."""
    log = daily([*[0.8] * 60, 0.008, 0.8])
    assert value_on(OFF_LOW, log, 61) == pytest.approx(79.2)
    revised = business_days(FIRST, 60)
    log.append(series_event("IG_OAS", revised, log[-1].fields["ts"] + 3_600 * S, 0.8))
    assert value_on(OFF_LOW, log, 61) == 0
    assert values_of(OFF_LOW, log)["tick"].max() == at("18:00", business_days(revised, 4))


def test_a_spread_is_blind_on_the_third_evening_after_its_day() -> None:
    """Of Friday, 2019-08-30: Labour Day does not count, so that is Thursday, 09-05."""
    log = daily([0.8] * 20)
    assert business_days(FIRST, 19) == date(2019, 8, 30)
    rows = values_of(SIGNALS["credit_spread_bp"], log).filter("blind")
    assert rows.select("tick", "value_date", "value").rows() == [
        (at("18:00", date(2019, 9, 5)), date(2019, 9, 3), None)
    ]  # fmt: skip


def test_what_comes_as_patience_ends_is_in_time_and_a_revision_of_the_old_is_none() -> None:
    friday, due_us = date(2019, 8, 30), new_york_us(date(2019, 9, 5), time(18))
    in_time = [*daily([0.8], friday), series_event("IG_OAS", date(2019, 9, 4), due_us, 0.81)]
    blind = values_of(SIGNALS["credit_spread_bp"], in_time).filter("blind")
    assert blind["tick"].to_list() == [at("18:00", date(2019, 9, 9))]
    revised = [*daily([0.8], friday), series_event("IG_OAS", friday, due_us + 3_600 * S, 0.81)]
    rows = values_of(SIGNALS["credit_spread_bp"], revised).select("tick", "value_date", "value", "blind").rows()
    assert rows[1:] == [
        (at("18:00", date(2019, 9, 5)), date(2019, 9, 3), None, True),
        (at("19:00", date(2019, 9, 5)), friday, 81.0, False),
    ]


@pytest.mark.parametrize("series", ["IG_OAS", "HY_OAS"])
def test_levels_come_with_one_print_and_go_with_two(series: str) -> None:
    row = next(row for row in OFF_LOW.thresholds if row.id == series[:2].lower())
    assert row.warning
    assert row.critical
    low, warning, critical = 1.0, 1 + row.warning.enter / 100, 1 + row.critical.enter / 100
    out = [1 + row.critical.exit / 100, 1 + row.critical.exit / 100 - 0.01]
    log = daily([*[low] * 60, warning - 0.01, warning, critical, *out, out[1], low, critical, low, low], series=series)
    values = values_of(OFF_LOW, log).filter(~pl.col("blind"))
    found = Evaluator([OFF_LOW], CALENDAR).advance({OFF_LOW.name: values}, int(values["tick"][-1])).steps
    levels = found.drop_nulls("value").sort("value_date")["level"].to_list()[1:]
    calm, warned, bad = Level.CALM, Level.WARNING, Level.CRITICAL
    assert levels == [calm, warned, bad, bad, bad, warned, warned, bad, bad, calm]
    assert OFF_LOW.headline


def test_an_auction_stands_until_the_next() -> None:
    log = [
        series_event("AUCTION_TAIL_10Y", FIRST, new_york_us(FIRST, time(13, 1)), 2.1),
        series_event("AUCTION_TAIL_30Y", FIRST, new_york_us(FIRST, time(13, 1)), -0.3),
        series_event("AUCTION_TAIL_10Y", FIRST, new_york_us(FIRST, time(13, 5)), 2.2),
        series_event("AUCTION_TAIL_10Y", FIRST - timedelta(days=30), new_york_us(FIRST, time(14)), 1.0),
    ]
    assert values_of(SIGNALS["auction_tail_bp"], log).select("tenor", "tick", "value").rows() == [
        ("10Y", at("13:01", FIRST), 2.1), ("30Y", at("13:01", FIRST), -0.3), ("10Y", at("13:05", FIRST), 2.2),
    ]  # fmt: skip


def test_reserves_of_a_wednesday_are_compared_with_those_of_four_weeks_before() -> None:
    days = [date(2019, 7, 3) + timedelta(weeks=n) for n in range(10)]
    log = [
        series_event("RESERVES", day, new_york_us(day + timedelta(days=1), time(16, 30)), 3_000.0 - 10 * n * n)
        for n, day in enumerate(days)
    ]
    changes = values_of(SIGNALS["policy_liquidity_change_busd"], log)
    # On 07-02, 20 business days before 07-31 as the 4th was a holiday, nothing stood; 08-06 had the value of 07-31.
    assert changes.filter(~pl.col("blind"))["value"].to_list() == [None] * 5 + [-240.0, -320.0, -400.0, -480.0, -650.0]
    stale = values_of(SIGNALS["policy_liquidity_busd"], log).filter("blind")
    assert stale["tick"].to_list() == [at("18:00", date(2019, 9, 18))]


@pytest.mark.parametrize(("days_before", "change"), [(0, 50.0), (9, 50.0), (10, None)])
def test_a_value_stands_for_ten_business_days_for_a_change_too(days_before: int, change: float | None) -> None:
    day = date(2019, 9, 16)
    old = business_days(day, -20 - days_before)
    log = [series_event("TGA", each, new_york_us(each, time(16)), value) for each, value in ((old, 750), (day, 800))]
    found = values_of(SIGNALS["policy_liquidity_change_busd"], log).filter(pl.col("value_date") == day)
    assert found["value"][0] == change


def test_of_what_is_announced_twice_the_later_holds() -> None:
    tomorrow = FIRST + timedelta(days=1)
    log = [
        series_event("TARGET_UPPER", tomorrow, new_york_us(FIRST, time(hour)), value, unit="percent")
        for hour, value in ((14, 2.25), (15, 2.0))
    ]
    found = values_of(SIGNALS["reference"], log).select("tick", "value_date", "value").rows()
    assert found == [(at("00:00", tomorrow), tomorrow, 2.0)]


def test_all_other_series_are_exported_from_their_day_on_and_never_blind() -> None:
    """The target range is announced on the day before it holds."""
    log = [
        series_event("MOVE", FIRST, new_york_us(FIRST, time(17)), 79.25),
        series_event("TARGET_UPPER", FIRST + timedelta(days=1), new_york_us(FIRST, time(14)), 2.25, unit="percent"),
        series_event("IG_OAS", FIRST, new_york_us(FIRST, time(17)), 0.8),
        series_event("TGA", FIRST, new_york_us(FIRST, time(17)), 800.0),
        series_event("IG_MATURING_12M", FIRST, new_york_us(FIRST, time(17)), 1_050.0, unit="usd_bn"),
        series_event("AUCTION_COVER_10Y", FIRST, new_york_us(FIRST, time(17)), 2.5),
        series_event("MY_OWN", FIRST, new_york_us(FIRST, time(17)), -3.5),
    ]
    assert values_of(SIGNALS["reference"], log).select("series", "tick", "value", "blind").rows() == [
        ("MOVE", at("17:00", FIRST), 79.25, False),
        ("MY_OWN", at("17:00", FIRST), -3.5, False),
        ("TARGET_UPPER", at("00:00", FIRST + timedelta(days=1)), 2.25, False),
    ]  # fmt: skip


def test_at_most_two_hundred_series_are_exported_the_first_of_them() -> None:
    def made(n: int, second: int) -> Log:
        return [series_event(f"S{n:03}", FIRST, new_york_us(FIRST, time(9)) + second * S, n, unit="index")]

    log = [event for n in range(150, 0, -1) for event in made(n, 0)]
    log += [event for n in range(400, 200, -1) for event in made(n, 1)]
    found = values_of(SIGNALS["reference"], log)["series"].to_list()
    assert sorted(found) == [f"S{n:03}" for n in (*range(1, 151), *range(201, 251))]
