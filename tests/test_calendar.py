"""The market calendar against published facts, against QuantLib asked day by day, and against itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from QuantLib import Date, Days, UnitedStates

from monitor.calendar import (
    DAYS_SCHEMA,
    EARLY_CLOSES,
    FIRST_DATE,
    FIRST_TICK,
    FLAG_ORDER,
    LAST_DATE,
    NEW_YORK,
    Flag,
    MarketCalendar,
    UserDates,
    new_york_dates,
)
from monitor.streams import EARLIEST_TS_US, LATEST_TS_US

if TYPE_CHECKING:
    from collections.abc import Callable

CALENDAR = MarketCalendar()
SOFR, BOND = UnitedStates(UnitedStates.SOFR), UnitedStates(UnitedStates.GovernmentBond)
HOUR = 3_600

USER = UserDates(
    holidays=frozenset({date(2019, 9, 13), date(2020, 3, 31), date(2026, 4, 3)}),
    business_days=frozenset({date(2019, 9, 14), date(2020, 4, 10), date(2023, 1, 1)}),
    early_closes={date(2019, 9, 14): time(12), date(2019, 9, 17): time(15, 30, 5), date(2019, 12, 24): time(17)},
    flags={date(2019, 9, 17): "C", date(2019, 9, 30): "C", date(2019, 9, 15): "MY"},
)
USER_CALENDAR = MarketCalendar(USER)
CALENDARS = st.sampled_from([CALENDAR, USER_CALENDAR])

DATES = st.dates(FIRST_DATE, LAST_DATE)
RECENT = st.dates(date(2017, 1, 1), date(2027, 12, 31))
LAST_TICK = int(datetime(2101, 1, 1, tzinfo=ZoneInfo(NEW_YORK)).timestamp()) - 1
TICKS = st.integers(FIRST_TICK, LAST_TICK) | st.integers(1_546_300_800, 1_577_836_800)
properties = settings(deadline=None, max_examples=200)

# The weekdays from 2018-04-02 to 2025-01-31 for which the New York Fed published no SOFR.
UNPUBLISHED = {
    2018: "05-28 07-04 09-03 10-08 11-12 11-22 12-05 12-25",
    2019: "01-01 01-21 02-18 04-19 05-27 07-04 09-02 10-14 11-11 11-28 12-25",
    2020: "01-01 01-20 02-17 04-10 05-25 07-03 09-07 10-12 11-11 11-26 12-25",
    2021: "01-01 01-18 02-15 04-02 05-31 07-05 09-06 10-11 11-11 11-25 12-24",
    2022: "01-17 02-21 04-15 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26",
    2023: "01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 10-09 11-23 12-25",
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25",
    2025: "01-01 01-20",
}


def quantlib(d: date) -> Date:
    return Date(d.day, d.month, d.year)


def python(d: Date) -> date:
    return date(d.year(), d.month(), d.dayOfMonth())


def between(first: date, last: date) -> list[date]:
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class TestBusinessDays:
    def test_sofr_business_days_are_those_published(self) -> None:
        days = between(date(2018, 4, 2), date(2025, 1, 31))
        closed = {date.fromisoformat(f"{year}-{day}") for year, row in UNPUBLISHED.items() for day in row.split()}
        published = [d for d in days if d.weekday() < 5 and d not in closed]
        assert [d for d in days if CALENDAR.is_sofr_business_day(d)] == published
        assert len(published) == 1_708

    @pytest.mark.parametrize("day", [date(2021, 4, 2), date(2023, 4, 7)])
    def test_the_bond_market_opens_on_a_good_friday_with_an_employment_report(self, day: date) -> None:
        assert CALENDAR.is_bond_business_day(day)
        assert not CALENDAR.is_sofr_business_day(day)

    def test_those_good_fridays_are_the_only_difference_of_the_two_calendars_in_the_published_years(self) -> None:
        days = between(date(2018, 4, 2), date(2025, 1, 31))
        differ = [d for d in days if CALENDAR.is_bond_business_day(d) != CALENDAR.is_sofr_business_day(d)]
        assert differ == [date(2021, 4, 2), date(2023, 4, 7)]

    @pytest.mark.parametrize(("day", "is_open"), [(date(2018, 12, 5), False), (date(2025, 1, 9), True)])
    def test_days_of_mourning(self, day: date, is_open: bool) -> None:
        assert CALENDAR.is_bond_business_day(day) is is_open
        assert CALENDAR.is_sofr_business_day(day) is is_open

    @properties
    @given(DATES)
    def test_business_days_are_those_of_quantlib(self, d: date) -> None:
        assert CALENDAR.is_sofr_business_day(d) == SOFR.isBusinessDay(quantlib(d))
        assert CALENDAR.is_bond_business_day(d) == BOND.isBusinessDay(quantlib(d))

    @properties
    @given(st.dates(date(1995, 1, 1), date(2095, 12, 31)), st.integers(-600, 600))
    @example(date(2019, 9, 14), 0)
    @example(date(2019, 9, 14), 1)
    @example(date(2019, 9, 14), -1)
    @example(date(2019, 12, 31), 1)
    def test_adding_business_days_is_quantlibs_advance(self, d: date, n: int) -> None:
        assert CALENDAR.add_sofr_business_days(d, n) == python(SOFR.advance(quantlib(d), n, Days))

    @properties
    @given(CALENDARS, RECENT)
    def test_next_and_previous_are_the_nearest_business_days(self, calendar: MarketCalendar, d: date) -> None:
        after, before = calendar.next_sofr_business_day(d), calendar.previous_sofr_business_day(d)
        assert before < d < after
        assert [day for day in between(before, after) if calendar.is_sofr_business_day(day) and day != d] == [
            before,
            after,
        ]

    def test_the_last_day_has_a_next_business_day(self) -> None:
        assert CALENDAR.next_sofr_business_day(LAST_DATE) == date(2101, 1, 3)


class TestFlags:
    @pytest.mark.parametrize(
        ("day", "flags"),
        [
            ("2018-12-31", "YQM"), ("2019-01-01", ""), ("2019-01-02", "YQM"), ("2019-01-03", ""),
            ("2019-03-29", "QM"), ("2019-03-31", ""), ("2019-04-01", "QM"),
            ("2019-04-30", "M"), ("2019-05-01", "M"), ("2019-05-02", ""), ("2019-05-15", "C"), ("2019-05-16", ""),
            ("2019-07-01", "QM"), ("2019-09-15", ""), ("2019-09-16", "C"), ("2019-09-17", ""),
            ("2019-10-15", "C"), ("2020-03-16", "C"), ("2021-01-15", "C"), ("2022-04-14", ""), ("2022-04-18", "C"),
        ],
    )  # fmt: skip
    def test_known_days(self, day: str, flags: str) -> None:
        assert CALENDAR.flags(date.fromisoformat(day)) == flags

    def test_the_order_is_from_the_most_specific(self) -> None:
        assert "".join(FLAG_ORDER) == "YQMC"
        assert (Flag.YEAR, Flag.QUARTER, Flag.MONTH, Flag.COUPON) == ("Y", "Q", "M", "C")

    @properties
    @given(DATES)
    @example(date(1990, 1, 2))
    @example(date(2100, 12, 31))
    def test_flags_are_those_found_by_looking_at_every_day_of_the_period(self, d: date) -> None:
        def edge(first: date, last: date) -> bool:
            days = [day for day in between(first, last) if SOFR.isBusinessDay(quantlib(day))]
            return d in (days[0], days[-1])

        def last_of(month: int) -> date:
            return date(d.year + month // 12, month % 12 + 1, 1) - timedelta(1)

        third = (d.month - 1) // 3 * 3
        fifteenth = d.replace(day=15)
        coupon = next(day for day in between(fifteenth, fifteenth + timedelta(9)) if SOFR.isBusinessDay(quantlib(day)))
        flags = {
            "Y": edge(date(d.year, 1, 1), date(d.year, 12, 31)),
            "Q": edge(date(d.year, third + 1, 1), last_of(third + 3)),
            "M": edge(d.replace(day=1), last_of(d.month)),
            "C": d == coupon,
        }
        assert CALENDAR.flags(d) == "".join(flag for flag, holds in flags.items() if holds)


class TestSessions:
    @pytest.mark.parametrize(
        ("day", "start", "end"),
        [
            ("2019-03-08", 1_552_046_400, 1_552_082_400),  # 12:00 to 22:00 UTC
            ("2019-03-11", 1_552_302_000, 1_552_338_000),  # 11:00 to 21:00 UTC, summer time since the 10th
            ("2019-11-01", 1_572_606_000, 1_572_642_000),
            ("2019-11-04", 1_572_868_800, 1_572_904_800),
        ],
    )
    def test_a_session_follows_the_clocks_of_new_york(self, day: str, start: int, end: int) -> None:
        assert CALENDAR.session(date.fromisoformat(day)) == (start, end)

    @pytest.mark.parametrize(
        "day",
        [
            "2019-04-18", "2019-05-24", "2019-07-03", "2019-11-29", "2019-12-24", "2019-12-31",
            "2020-04-09", "2020-05-22", "2020-07-02", "2020-11-27", "2020-12-24", "2020-12-31",
            # July 4 on a Saturday, a Monday, a Sunday, a Monday, a Tuesday and a Saturday
            "2015-07-02", "2016-07-01", "2021-07-02", "2022-07-01", "2023-07-03", "2026-07-02",
            "2018-07-03", "2024-07-03", "2025-07-03", "2018-05-25", "2021-05-28", "2018-11-23", "2021-12-31",
            # the 24th or the 31st of December on a weekend: the Friday before
            "2017-12-22", "2022-12-23", "2022-12-30", "2023-12-22", "2023-12-29",
        ],
    )  # fmt: skip
    def test_early_closes_recommended_by_sifma(self, day: str) -> None:
        start, end = CALENDAR.session(date.fromisoformat(day)) or (0, 0)
        assert (end - start) / HOUR == 7
        assert datetime.fromtimestamp(end, ZoneInfo(NEW_YORK)).strftime("%Y-%m-%d %H:%M:%S") == f"{day} 14:00:00"

    @pytest.mark.parametrize(
        "day",
        [
            "2019-04-17", "2019-05-23", "2019-05-28", "2019-07-02", "2019-07-05", "2019-11-27", "2019-12-23",
            "2019-12-30", "2020-07-01", "2020-07-06", "2020-05-29", "2020-11-20", "2021-07-06",
        ],
    )  # fmt: skip
    def test_the_days_beside_them_are_full(self, day: str) -> None:
        start, end = CALENDAR.session(date.fromisoformat(day)) or (0, 0)
        assert (end - start) / HOUR == 10

    @pytest.mark.parametrize(
        "day", ["2021-12-24", "2022-12-24", "2022-12-31", "2020-07-03", "2019-07-04", "2019-09-14"]
    )
    def test_a_closed_day_has_no_session(self, day: str) -> None:
        assert CALENDAR.session(date.fromisoformat(day)) is None

    @pytest.mark.parametrize("day", ["2021-04-02", "2023-04-07", "2026-04-03"])
    def test_a_good_friday_with_an_employment_report_ends_at_noon(self, day: str) -> None:
        start, end = CALENDAR.session(date.fromisoformat(day)) or (0, 0)
        assert (end - start) / HOUR == 5

    def test_every_rule_stands_beside_its_holiday_in_every_year(self) -> None:
        rules = {name: day for name, _, day in EARLY_CLOSES}
        for year in range(1990, 2101):
            thursday, friday = rules["Thursday before Good Friday"](year), rules["Friday before Memorial Day"](year)
            assert thursday.weekday() == 3
            assert CALENDAR.is_sofr_business_day(thursday)
            assert not CALENDAR.is_sofr_business_day(thursday + timedelta(1))
            assert not CALENDAR.is_bond_business_day(friday + timedelta(3))
            assert CALENDAR.previous_sofr_business_day(friday + timedelta(3)) == friday
            black_friday = rules["the day after Thanksgiving"](year)
            assert black_friday.weekday() == 4
            assert not CALENDAR.is_sofr_business_day(black_friday - timedelta(1))
            eve = rules["the day before Independence Day"](year)
            assert CALENDAR.is_bond_business_day(eve)
            assert eve < date(year, 7, 4) < CALENDAR.next_sofr_business_day(eve)

    @properties
    @given(CALENDARS, DATES | RECENT)
    def test_a_session_ends_after_it_starts_on_its_own_day(self, calendar: MarketCalendar, d: date) -> None:
        session = calendar.session(d)
        assert (session is not None) == calendar.is_bond_business_day(d)
        if session:
            start, end = session
            assert start == calendar.at_new_york(d, time(7))
            assert start < end <= calendar.at_new_york(d, time(17))


class TestNewYork:
    def test_a_time_shown_twice_is_the_first_and_a_time_left_out_is_an_hour_later(self) -> None:
        assert CALENDAR.at_new_york(date(2019, 11, 3), time(1, 30)) == utc("2019-11-03T05:30")
        assert CALENDAR.at_new_york(date(2019, 3, 10), time(2, 30)) == utc("2019-03-10T07:30")

    @pytest.mark.parametrize(
        ("moment", "day"),
        [("2019-09-17T03:59:59.999999", date(2019, 9, 16)), ("2019-09-17T04:00", date(2019, 9, 17))],
    )
    def test_the_date_turns_at_new_yorks_midnight(self, moment: str, day: date) -> None:
        ts_us = (datetime.fromisoformat(moment) - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
        assert CALENDAR.new_york_date(ts_us) == day

    @properties
    @given(st.lists(st.none() | st.integers(EARLIEST_TS_US, LATEST_TS_US), max_size=50))
    @example([EARLIEST_TS_US, None, LATEST_TS_US])
    def test_dates_of_a_column_are_those_of_each_value(self, values: list[int | None]) -> None:
        dates = pl.DataFrame({"ts_us": values}, {"ts_us": pl.Int64}).select(new_york_dates(pl.col("ts_us")))
        assert dates.schema == {"ts_us": pl.Date()}
        assert dates["ts_us"].to_list() == [None if ts is None else CALENDAR.new_york_date(ts) for ts in values]


class TestSessionClock:
    @properties
    @given(CALENDARS, TICKS, st.integers(0, 10 * 86_400))
    def test_the_clock_never_runs_back_nor_faster_than_time(
        self, calendar: MarketCalendar, tick: int, later: int
    ) -> None:
        later = min(tick + later, LAST_TICK)
        assert 0 <= calendar.session_seconds(later) - calendar.session_seconds(tick) <= later - tick

    @properties
    @given(CALENDARS, RECENT, st.integers(-20_000, 120_000))
    def test_the_clock_runs_in_a_session_and_stands_still_outside(
        self, calendar: MarketCalendar, d: date, second: int
    ) -> None:
        session = calendar.session(d)
        tick = calendar.at_new_york(d, time()) + second
        day = calendar.session(calendar.new_york_date(tick * 1_000_000))
        runs = day is not None and day[0] <= tick < day[1]
        assert calendar.session_seconds(tick + 1) - calendar.session_seconds(tick) == runs
        if session:
            start, end = session
            assert calendar.session_seconds(end) - calendar.session_seconds(start) == end - start

    @properties
    @given(CALENDARS, RECENT, st.integers(0, 60))
    def test_between_midnights_the_clock_adds_up_the_sessions(
        self, calendar: MarketCalendar, first: date, n: int
    ) -> None:
        ends = [calendar.session(d) for d in between(first, first + timedelta(n))][:-1]
        midnights = [calendar.at_new_york(d, time()) for d in (first, first + timedelta(n))]
        elapsed = calendar.session_seconds(midnights[1]) - calendar.session_seconds(midnights[0])
        assert elapsed == sum(end - start for start, end in filter(None, ends))

    @properties
    @given(CALENDARS, st.integers(1, CALENDAR.session_seconds(LAST_TICK) - 100_000))
    def test_the_inverse_is_the_earliest_tick_that_reads_it(self, calendar: MarketCalendar, s: int) -> None:
        tick = calendar.tick_at_session_seconds(s)
        assert calendar.session_seconds(tick) == s
        assert calendar.session_seconds(tick - 1) == s - 1

    @properties
    @given(CALENDARS, RECENT)
    def test_the_inverse_at_a_sessions_edge_is_its_end_and_not_the_next_start(
        self, calendar: MarketCalendar, d: date
    ) -> None:
        session = calendar.session(d)
        if session:
            assert calendar.tick_at_session_seconds(calendar.session_seconds(session[1])) == session[1]
            assert calendar.tick_at_session_seconds(calendar.session_seconds(session[0]) + 1) == session[0] + 1

    def test_the_clock_begins_with_the_first_event_time(self) -> None:
        assert CALENDAR.session_seconds(FIRST_TICK) == 0
        assert CALENDAR.tick_at_session_seconds(0) == FIRST_TICK
        first = CALENDAR.at_new_york(date(1990, 1, 2), time(7))
        assert CALENDAR.session_seconds(first) == 0
        assert CALENDAR.session_seconds(first + 1) == 1
        assert CALENDAR.tick_at_session_seconds(1) == first + 1

    def test_the_clock_ends_with_the_calendar(self) -> None:
        end = CALENDAR.session_seconds(LAST_TICK)
        assert CALENDAR.tick_at_session_seconds(end) == (CALENDAR.session(LAST_DATE) or (0, 0))[1]
        with pytest.raises(ValueError, match=r"session clock's second \d+ is outside\."):
            CALENDAR.tick_at_session_seconds(end + 1)

    @properties
    @given(CALENDARS, st.lists(st.none() | TICKS, max_size=30))
    @example(CALENDAR, [FIRST_TICK, None, LAST_TICK])
    @example(CALENDAR, [])
    @example(CALENDAR, [None])
    @example(CALENDAR, [1_552_046_399, 1_552_046_400, 1_552_046_401, 1_552_082_399, 1_552_082_400, 1_552_082_401])
    def test_the_clock_of_a_column_is_that_of_each_tick(
        self, calendar: MarketCalendar, ticks: list[int | None]
    ) -> None:
        series = calendar.session_seconds_of(pl.Series("tick", ticks, pl.Int64))
        assert series.to_list() == [None if tick is None else calendar.session_seconds(tick) for tick in ticks]
        assert series.dtype == pl.Int64()
        assert series.name == "tick"

    @properties
    @given(CALENDARS, RECENT, st.lists(st.integers(0, 86_399), min_size=1, max_size=30))
    def test_the_clock_of_a_column_within_one_day(self, calendar: MarketCalendar, d: date, seconds: list[int]) -> None:
        ticks = [calendar.at_new_york(d, time()) + second for second in seconds]
        series = calendar.session_seconds_of(pl.Series(ticks, dtype=pl.Int64))
        assert series.to_list() == [calendar.session_seconds(tick) for tick in ticks]

    def test_it_does_not_depend_on_what_was_asked_before(self) -> None:
        late_first, early_first = MarketCalendar(USER), MarketCalendar(USER)
        days = [date(2020, 6, 1), date(1994, 6, 1), date(2031, 6, 2)]
        late = [late_first.days(d, d) for d in sorted(days, reverse=True)]
        early = [early_first.days(d, d) for d in sorted(days)]
        assert pl.concat(late[::-1]).equals(pl.concat(early))


class TestDays:
    @properties
    @given(CALENDARS, RECENT, st.integers(0, 800))
    def test_a_row_says_what_the_methods_say(self, calendar: MarketCalendar, first: date, n: int) -> None:
        last = first + timedelta(n)
        days = calendar.days(first, last)
        assert days.schema == DAYS_SCHEMA
        assert days["date"].to_list() == between(first, last)
        sessions = [calendar.session(d) or (None, None) for d in days["date"]]
        midnights = [calendar.at_new_york(d, time()) for d in days["date"]]
        for column, expected in {
            "sofr_business_day": [calendar.is_sofr_business_day(d) for d in days["date"]],
            "bond_business_day": [calendar.is_bond_business_day(d) for d in days["date"]],
            "flags": [calendar.flags(d) for d in days["date"]],
            "session_start": [start for start, _ in sessions],
            "session_end": [end for _, end in sessions],
            "session_seconds_before": [calendar.session_seconds(midnight) for midnight in midnights],
            "publication_date": [calendar.next_sofr_business_day(d) for d in days["date"]],
            "midnight": midnights,
        }.items():
            assert days[column].to_list() == expected, column

    @properties
    @given(DATES, st.integers(0, 5_000))
    def test_indices_count_the_business_days_between(self, first: date, n: int) -> None:
        last = min(first + timedelta(n), LAST_DATE)
        one, other = (CALENDAR.days(d, d).row(0, named=True) for d in (first, last))
        for index, calendar in (("sofr_index", SOFR), ("bond_index", BOND)):
            between_them = calendar.businessDaysBetween(quantlib(first), quantlib(last), True, False)
            assert other[index] - one[index] == between_them, index

    @properties
    @given(CALENDARS, RECENT, st.integers(0, 800))
    def test_consecutive_business_days_differ_by_one_and_other_days_have_the_next_ones_index(
        self, calendar: MarketCalendar, first: date, n: int
    ) -> None:
        days = calendar.days(first, first + timedelta(n))
        for name in ("sofr", "bond"):
            flag, index = days[f"{name}_business_day"].to_list(), days[f"{name}_index"].to_list()
            steps = [after - before for before, after in pairwise(index)]
            assert steps == [int(is_open) for is_open in flag[:-1]]

    def test_indices_count_from_1990(self) -> None:
        days = CALENDAR.days(date(1990, 1, 1), date(1990, 1, 3))
        assert days["sofr_index"].to_list() == [0, 0, 1]
        assert days["bond_index"].to_list() == [0, 0, 1]
        assert days["session_seconds_before"].to_list() == [0, 0, 10 * HOUR]

    def test_a_days_sofr_is_published_on_the_next_business_day(self) -> None:
        days = CALENDAR.days(date(2019, 10, 10), date(2019, 10, 12))
        assert days["publication_date"].to_list() == [date(2019, 10, 11), date(2019, 10, 15), date(2019, 10, 15)]

    def test_the_last_day_has_a_row(self) -> None:
        assert CALENDAR.days(LAST_DATE, LAST_DATE).row(0, named=True)["publication_date"] == date(2101, 1, 3)


class TestUserDates:
    def test_a_holiday_closes_both_markets(self) -> None:
        day = date(2019, 9, 13)
        assert not USER_CALENDAR.is_sofr_business_day(day)
        assert not USER_CALENDAR.is_bond_business_day(day)
        assert USER_CALENDAR.session(day) is None

    @pytest.mark.parametrize("day", [date(2019, 9, 14), date(2020, 4, 10), date(2023, 1, 1)])
    def test_a_business_day_opens_both_markets(self, day: date) -> None:
        assert USER_CALENDAR.is_sofr_business_day(day)
        assert USER_CALENDAR.is_bond_business_day(day)
        assert USER_CALENDAR.session(day) is not None

    def test_flags_move_with_the_business_days(self) -> None:
        assert CALENDAR.flags(date(2020, 3, 31)) == "QM"
        assert USER_CALENDAR.flags(date(2020, 3, 31)) == ""
        assert USER_CALENDAR.flags(date(2020, 3, 30)) == "QM"
        assert USER_CALENDAR.flags(date(2023, 1, 1)) == "YQM"
        assert USER_CALENDAR.flags(date(2023, 1, 3)) == ""

    def test_flags_are_added(self) -> None:
        assert USER_CALENDAR.flags(date(2019, 9, 17)) == "C"
        assert USER_CALENDAR.flags(date(2019, 9, 30)) == "QMC"
        assert USER_CALENDAR.flags(date(2019, 9, 16)) == "C"
        assert USER_CALENDAR.flags(date(2019, 9, 15)) == "YM"

    @pytest.mark.parametrize(
        ("day", "close"),
        [
            (date(2019, 9, 14), time(12)),
            (date(2019, 9, 17), time(15, 30, 5)),
            (date(2019, 12, 24), time(17)),
            (date(2019, 12, 31), time(14)),
        ],
    )
    def test_an_early_close_takes_the_place_of_a_rules(self, day: date, close: time) -> None:
        assert (USER_CALENDAR.session(day) or (0, 0))[1] == USER_CALENDAR.at_new_york(day, close)

    def test_a_calendar_keeps_its_dates_when_the_users_mapping_changes(self) -> None:
        closes, flags = {date(2019, 9, 17): time(12)}, {date(2019, 9, 17): "Y"}
        calendar = MarketCalendar(UserDates(early_closes=closes, flags=flags))
        closes.clear()
        flags.clear()
        assert calendar.flags(date(2019, 9, 17)) == "Y"
        assert (calendar.session(date(2019, 9, 17)) or (0, 0))[1] == calendar.at_new_york(date(2019, 9, 17), time(12))

    @pytest.mark.parametrize(
        ("dates", "sentence"),
        [
            ({"holidays": frozenset({date(2026, 1, 5)}), "business_days": frozenset({date(2026, 1, 5)})},
             r"^2026-01-05 is given both as a holiday and as a business day\.$"),
            ({"flags": {date(2026, 1, 5): "MX"}}, r"^The flag 'X' of 2026-01-05 is none of Y, Q, M, C\.$"),
            ({"early_closes": {date(2026, 1, 5): time(7)}}, r"^The early close of 2026-01-05, 07:00:00, must be after"),
            ({"early_closes": {date(2026, 1, 5): time(17, 0, 1)}}, "must be after 07:00 and at most 17:00"),
            ({"early_closes": {date(2026, 1, 5): time(12, tzinfo=UTC)}}, "in New York"),
            ({"early_closes": {date(2026, 1, 5): time(12, 0, 0, 1)}}, "in New York"),
            ({"holidays": frozenset({date(1989, 12, 31)})}, r"the date 1989-12-31 is outside\.$"),
            ({"flags": {date(2101, 1, 1): "M"}}, r"the date 2101-01-01 is outside\.$"),
        ],
    )  # fmt: skip
    def test_impossible_dates_are_refused_with_a_sentence(self, dates: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            UserDates(**dates)


class TestOutside:
    @pytest.mark.parametrize("day", [date(1989, 12, 31), date(2101, 1, 1)])
    @pytest.mark.parametrize(
        "ask",
        [
            CALENDAR.is_sofr_business_day,
            CALENDAR.is_bond_business_day,
            CALENDAR.next_sofr_business_day,
            CALENDAR.previous_sofr_business_day,
            CALENDAR.flags,
            CALENDAR.session,
            lambda day: CALENDAR.days(day, date(2000, 1, 1)),
            lambda day: CALENDAR.days(date(2000, 1, 1), day),
        ],
    )
    def test_a_date_outside_is_refused(self, ask: Callable[[date], object], day: date) -> None:
        with pytest.raises(
            ValueError, match=f"^The calendar knows 1990-01-01 to 2100-12-31; the date {day} is outside"
        ):
            ask(day)

    @pytest.mark.parametrize(
        ("day", "n"), [(date(1990, 1, 2), -1), (date(2100, 12, 31), 300), (date(2000, 1, 3), 99_999)]
    )
    def test_a_business_day_outside_is_refused(self, day: date, n: int) -> None:
        with pytest.raises(ValueError, match=r"the year (1989|2102) is outside\.$"):
            CALENDAR.add_sofr_business_days(day, n)

    @pytest.mark.parametrize("tick", [FIRST_TICK - 1, LAST_TICK + 1, -1])
    def test_a_tick_outside_is_refused(self, tick: int) -> None:
        with pytest.raises(ValueError, match=rf"epoch second {tick} is outside\.$"):
            CALENDAR.session_seconds(tick)
        with pytest.raises(ValueError, match=rf"epoch second {tick} is outside\.$"):
            CALENDAR.session_seconds_of(pl.Series([tick, 1_552_046_400]))

    def test_a_negative_reading_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"session clock's second -1 is outside\.$"):
            CALENDAR.tick_at_session_seconds(-1)

    def test_days_that_end_before_they_begin_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"^The last day, 2019-01-01, is before the first, 2019-01-02\.$"):
            CALENDAR.days(date(2019, 1, 2), date(2019, 1, 1))
