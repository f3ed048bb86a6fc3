"""The market calendar: which days trade, when their sessions begin and end, and which days are special.

QuantLib knows the holidays of the bond market and of SOFR, but no hours, early closes or flags; those are
here, a row a rule, with the dates of a user laid over both calendars. Windows, holds and time-outs run on
the session clock, which stands still outside sessions, so that a weekend makes nothing stale.

Everything is a function of the date and the user's dates. A year's work is done when it is first asked for,
and kept; indices and the clock count from 1990, so they do not depend on what was asked before.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from itertools import accumulate
from math import ceil
from zoneinfo import ZoneInfo

import polars as pl
from QuantLib import Date, UnitedStates

from monitor.streams import EARLIEST_TS_US, MICROSECONDS_PER_SECOND

NEW_YORK = "America/New_York"
_ZONE = ZoneInfo(NEW_YORK)

SESSION_OPEN, SESSION_CLOSE, EARLY_CLOSE = time(7), time(17), time(14)
NOON_CLOSE = time(12)
"""New York times of the Treasury market's session."""

FIRST_DATE, LAST_DATE = date(1990, 1, 1), date(2100, 12, 31)
"""The calendar answers for these New York dates and those between."""
FIRST_TICK = EARLIEST_TS_US // MICROSECONDS_PER_SECOND
"""The session clock begins at this epoch second, with event times; that is five hours before `FIRST_DATE`."""
_END_TICK = int(datetime(LAST_DATE.year + 1, 1, 1, tzinfo=_ZONE).timestamp())

_SERIAL_TO_ORDINAL = 693_594  # QuantLib counts days from 1899-12-30, Python from 0000-12-31
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_DAY = timedelta(days=1)


class Flag(StrEnum):
    """Why funding may be dear on a SOFR business day: balance sheets are shown, or Treasury coupons settle.

    Y, Q and M are the first and the last business day of a year, a quarter, a month; C is the 15th, or the
    next business day if the 15th is none.
    """

    YEAR = "Y"
    QUARTER = "Q"
    MONTH = "M"
    COUPON = "C"


FLAG_ORDER: tuple[Flag, ...] = tuple(Flag)
"""From the most specific: Y, Q, M, C."""

EVENT = "E"
"""Stands where a flag would for the time around an announcement, when dealers step back for minutes and come again.

It is of a moment, not of a day, and more specific than any flag.
"""

_PERIODS: dict[Flag, Callable[[date], int]] = {
    Flag.YEAR: lambda d: d.year,
    Flag.QUARTER: lambda d: (d.month - 1) // 3,
    Flag.MONTH: lambda d: d.month,
}
"""The period at whose edges a flag stands: there, the business day before or after is in another one."""


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar, by the anonymous algorithm (Meeus, Jones, Butcher)."""
    century, of_century = divmod(year, 100)
    moon = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * (year % 19) + century - century // 4 - moon + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (year % 19 + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _on_or_before(day: date, weekday: int) -> date:
    return day - (day.weekday() - weekday) % 7 * _DAY


def _weekday_on_or_before(day: date) -> date:
    return day - max(0, day.weekday() - _FRIDAY) * _DAY


def _before_independence_day(year: int) -> date:
    """The last weekday before the day on which Independence Day is observed.

    A Saturday's holiday is observed on Friday the 3rd, a Sunday's on Monday the 5th, and before a Monday's
    the Friday closes early. So says SIFMA, whose hours the market keeps: for 2020, July 4 being a Saturday,
    it recommended 14:00 on Thursday the 2nd and a holiday on Friday. July 3 itself is a holiday or a weekend
    whenever July 4 is a Saturday, a Sunday or a Monday.
    """
    fourth = date(year, 7, 4)
    observed = fourth + {_SATURDAY: -1, _SUNDAY: 1}.get(fourth.weekday(), 0) * _DAY
    return observed - (3 if observed.weekday() == _MONDAY else 1) * _DAY


EARLY_CLOSES: tuple[tuple[str, time, Callable[[int], date]], ...] = (
    ("Thursday before Good Friday", EARLY_CLOSE, lambda y: _easter(y) - 3 * _DAY),
    ("Good Friday, where the market opens", NOON_CLOSE, lambda y: _easter(y) - 2 * _DAY),
    ("Friday before Memorial Day", EARLY_CLOSE, lambda y: _on_or_before(date(y, 5, 31), _MONDAY) - 3 * _DAY),
    ("the day before Independence Day", EARLY_CLOSE, _before_independence_day),
    ("the day after Thanksgiving", EARLY_CLOSE, lambda y: _on_or_before(date(y, 11, 28), _THURSDAY) + _DAY),
    ("Christmas Eve", EARLY_CLOSE, lambda y: _weekday_on_or_before(date(y, 12, 24))),
    ("New Year's Eve", EARLY_CLOSE, lambda y: _weekday_on_or_before(date(y, 12, 31))),
)
"""A row a rule: its name, the close in New York, the day in a year; a day that does not trade stays closed.

A Good Friday on which the employment report is published is a bond-market day that ends at noon. SIFMA recommends
more than rules can say, for example 14:00 on 2025-01-09, a day of mourning: that is for a user's own early closes."""


def _outside(what: str, value: object) -> ValueError:
    return ValueError(f"The calendar knows {FIRST_DATE} to {LAST_DATE}; {what} {value} is outside.")


def _check(day: date) -> None:
    if not FIRST_DATE.year <= day.year <= LAST_DATE.year:
        raise _outside("the date", day)


@dataclass(frozen=True)
class UserDates:
    """A user's own dates, laid over the bond-market and the SOFR calendar alike.

    Attributes:
        holidays: closed, although QuantLib says open.
        business_days: open, although QuantLib says closed; a weekend too.
        early_closes: the end of that day's session, New York, in place of a rule's; 17:00 undoes a rule.
        flags: letters of `Flag`, added to those that the day has.
        events: windows around announcements, from one moment to another, in which `EVENT` stands; with their zones.

    Raises:
        ValueError: a date is both a holiday and a business day, or outside 1990 to 2100; a flag is unknown;
            an early close has a zone or a fraction of a second, or is not after 07:00 and at most 17:00; an event has
            no zone, or ends before it begins.
    """

    holidays: frozenset[date] = frozenset()
    business_days: frozenset[date] = frozenset()
    early_closes: Mapping[date, time] = field(default_factory=dict)
    flags: Mapping[date, str] = field(default_factory=dict)
    events: tuple[tuple[datetime, datetime], ...] = ()

    def __post_init__(self) -> None:
        for day in (*self.holidays, *self.business_days, *self.early_closes, *self.flags):
            _check(day)
        if both := sorted(self.holidays & self.business_days):
            msg = f"{both[0]} is given both as a holiday and as a business day."
            raise ValueError(msg)
        for day, close in self.early_closes.items():
            if close.tzinfo or close.microsecond or not SESSION_OPEN < close <= SESSION_CLOSE:
                msg = f"The early close of {day}, {close}, must be after 07:00 and at most 17:00 in New York."
                raise ValueError(msg)
        for day, flags in self.flags.items():
            if unknown := sorted(set(flags) - set(FLAG_ORDER)):
                msg = f"The flag {unknown[0]!r} of {day} is none of {', '.join(FLAG_ORDER)}."
                raise ValueError(msg)
        for start, end in self.events:
            if start.tzinfo is None or end.tzinfo is None or not start < end:
                msg = f"The event from {start} to {end} must have zones, and end after it begins."
                raise ValueError(msg)


NO_USER_DATES = UserDates()


@cache
def _closed(market: int, year: int) -> frozenset[date]:
    """The weekends and holidays of a year by one of QuantLib's calendars of the United States."""
    listed = UnitedStates(market).holidayList(Date(1, 1, year), Date(31, 12, year), True)
    return frozenset(date.fromordinal(day.serialNumber() + _SERIAL_TO_ORDINAL) for day in listed)


def _days_of(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + n * _DAY for n in range((date(year + 1, 1, 1) - first).days)]


@dataclass(frozen=True, slots=True)
class _Year:
    """A year's business days, and how many came before them since 1990.

    `clock` is the session clock at the start of each bond business day's session, and at the end of the year.
    """

    sofr: list[date]
    bond: list[date]
    sofr_before: int
    bond_before: int
    clock: list[int]


def _has(days: list[date], day: date) -> bool:
    at = bisect_left(days, day)
    return days[at : at + 1] == [day]


def _seconds_open(close: time) -> int:
    """The length of a session; clocks change at two in the morning, never in a session."""
    return (close.hour - SESSION_OPEN.hour) * 3_600 + close.minute * 60 + close.second


def new_york_dates(ts_us: pl.Expr) -> pl.Expr:
    """The New York dates, as Date, of epoch microseconds; null stays null."""
    return ts_us.cast(pl.Int64).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(NEW_YORK).dt.date()


DAYS_SCHEMA: dict[str, pl.DataType] = {
    "date": pl.Date(),
    "sofr_business_day": pl.Boolean(), "sofr_index": pl.Int64(),
    "bond_business_day": pl.Boolean(), "bond_index": pl.Int64(),
    "flags": pl.String(),
    "session_start": pl.Int64(), "session_end": pl.Int64(), "session_seconds_before": pl.Int64(),
    "publication_date": pl.Date(),
    "midnight": pl.Int64(),
}  # fmt: skip
"""The columns of `MarketCalendar.days`, which describes them."""


class MarketCalendar:
    """The SOFR and the bond-market calendar with a user's dates; building it costs nothing.

    Dates are New York's, ticks are epoch seconds. A date outside 1990 to 2100 raises ValueError; a result may
    be of 2101.
    """

    def __init__(self, user: UserDates = NO_USER_DATES) -> None:
        self._holidays, self._opened = user.holidays, user.business_days
        self._early_closes, self._user_flags = dict(user.early_closes), dict(user.flags)
        moments = [(ceil(start.timestamp()), ceil(end.timestamp())) for start, end in user.events]
        self._events = pl.DataFrame(moments, {"start": pl.Int64(), "end": pl.Int64()}, orient="row").sort("start")
        self._years: dict[int, _Year] = {}
        self._tables: dict[int, pl.DataFrame] = {}

    @staticmethod
    def new_york_date(ts_us: int) -> date:
        """The New York date of epoch microseconds."""
        return datetime.fromtimestamp(ts_us // MICROSECONDS_PER_SECOND, _ZONE).date()

    @staticmethod
    def at_new_york(d: date, t: time) -> int:
        """The epoch second, rounded down, at which New York's clocks show that date and time.

        Of a time that autumn shows twice it is the first; a time that spring leaves out is an hour later.
        """
        return int(datetime.combine(d, t, _ZONE).timestamp())

    def is_sofr_business_day(self, d: date) -> bool:
        """Whether SOFR is made for this date."""
        return _has(self._year_of(d).sofr, d)

    def is_bond_business_day(self, d: date) -> bool:
        """Whether the bond market has a session on this date."""
        return _has(self._year_of(d).bond, d)

    def next_sofr_business_day(self, d: date) -> date:
        """The first SOFR business day strictly after the date."""
        return self.add_sofr_business_days(d, 1)

    def previous_sofr_business_day(self, d: date) -> date:
        """The last SOFR business day strictly before the date."""
        return self.add_sofr_business_days(d, -1)

    def add_sofr_business_days(self, d: date, n: int) -> date:
        """The n-th SOFR business day strictly after the date, or strictly before it if n is negative.

        With n = 0 it is the date itself, or the next business day if the date is none.
        """
        year, number = self._year_of(d), d.year
        index = year.sofr_before + bisect_left(year.sofr, d) + n
        if n > 0 and not _has(year.sofr, d):
            index -= 1  # counting from d, the next business day is the first
        while not 0 <= index - year.sofr_before < len(year.sofr):
            number += 1 if index >= year.sofr_before else -1
            year = self._year(number)
        return year.sofr[index - year.sofr_before]

    def flags(self, d: date) -> str:
        """The date's flags as letters, the most specific first: `YQM` on the last business day of December.

        A date that is no SOFR business day has only the flags that the user gave it.
        """
        sofr, found = self._year_of(d).sofr, set(self._user_flags.get(d, ""))
        if _has(sofr, d):
            at = bisect_left(sofr, d)
            before = sofr[at - 1] if at else date(d.year - 1, 12, 31)
            after = sofr[at + 1] if at + 1 < len(sofr) else date(d.year + 1, 1, 1)
            found |= {flag for flag, of in _PERIODS.items() if not of(before) == of(d) == of(after)}
            if before < d.replace(day=15) <= d:
                found.add(Flag.COUPON)
        return "".join(flag for flag in FLAG_ORDER if flag in found)

    def flags_at(self, tick: int) -> str:
        """The flags of the tick's New York date, `EVENT` before them within an event."""
        day = max(FIRST_DATE, self.new_york_date(tick * MICROSECONDS_PER_SECOND))
        return (EVENT if self.is_event(pl.Series([tick])).item() else "") + self.flags(day)

    def is_event(self, ticks: pl.Series) -> pl.Series:
        """Whether each epoch second lies in an event of the user's; the end of one does not."""
        # An event may begin within another: the latest end so far is what counts.
        begun = self._events.with_columns(pl.col("end").cum_max())
        found = pl.DataFrame({"tick": ticks.cast(pl.Int64)}).with_row_index("place").sort("tick")
        found = found.join_asof(begun, left_on="tick", right_on="start").sort("place")
        return (found["tick"] < found["end"]).fill_null(value=False)

    def event_edges(self) -> pl.Series:
        """The epoch seconds at which an event begins or ends, sorted."""
        return pl.concat([self._events["start"].alias("tick"), self._events["end"].alias("tick")]).unique().sort()

    def session(self, d: date) -> tuple[int, int] | None:
        """The epoch seconds at which the date's session begins and ends; None without a session."""
        year = self._year_of(d)
        if not _has(year.bond, d):
            return None
        at, start = bisect_left(year.bond, d), self.at_new_york(d, SESSION_OPEN)
        return start, start + year.clock[at + 1] - year.clock[at]

    def session_seconds(self, tick: int) -> int:
        """The session clock: the seconds in sessions since 1990 and before this epoch second.

        Raises:
            ValueError: the tick is before 1990 (UTC) or after 2100 (New York).
        """
        day = self._date_of_tick(tick)
        year, (start, end) = self._year_of(day), self.session(day) or (tick, tick)
        return year.clock[bisect_left(year.bond, day)] + max(0, min(tick, end) - start)

    def tick_at_session_seconds(self, s: int) -> int:
        """The earliest epoch second at which the session clock reads at least s seconds.

        As the clock stands still outside sessions, that is the end of a session, not the start of the next.

        Raises:
            ValueError: s is negative, or more than the clock reads at the end of 2100.
        """
        if s == 0:
            return FIRST_TICK
        for number in range(FIRST_DATE.year, LAST_DATE.year + 1 if s > 0 else 0):
            year = self._year(number)
            if s <= year.clock[-1]:
                at = bisect_left(year.clock, s) - 1
                return self.at_new_york(year.bond[at], SESSION_OPEN) + s - year.clock[at]
        raise _outside("the session clock's second", s)

    def session_seconds_of(self, ticks: pl.Series) -> pl.Series:
        """The session clock at each of the epoch seconds, as `session_seconds`; null stays null."""
        ticks = ticks.cast(pl.Int64)
        first, last = ticks.min(), ticks.max()
        if not isinstance(first, int) or not isinstance(last, int):  # no value at all
            return ticks
        session = pl.col("session_start", "session_end").fill_null(pl.col("midnight"))
        days = self.days(self._date_of_tick(first), self._date_of_tick(last)).with_columns(session)
        at = (days["session_start"].search_sorted(ticks, side="right").cast(pl.Int64) - 1).clip(0)
        start, end, before = days.select(pl.col("session_start", "session_end", "session_seconds_before").gather(at))
        return ticks.clip(start, end) - start + before

    def days(self, first: date, last: date) -> pl.DataFrame:
        """A row a calendar day from first to last, both included, with the columns of `DAYS_SCHEMA`.

        - `sofr_index`, `bond_index`: how many business days come before the date since 1990. From one to the
          next business day they grow by one; any other day has the index of the next business day.
        - `flags`: as `flags` gives them.
        - `session_start`, `session_end`: epoch seconds, null without a session.
        - `session_seconds_before`: the session clock at the start of the session, as at midnight.
        - `publication_date`: the next SOFR business day strictly after: when SOFR of the date is published.
        - `midnight`: the epoch second at which the date begins in New York.

        Raises:
            ValueError: a date is outside 1990 to 2100, or last is before first.
        """
        _check(first)
        _check(last)
        if last < first:
            msg = f"The last day, {last}, is before the first, {first}."
            raise ValueError(msg)
        table = pl.concat([self._table(year) for year in range(first.year, last.year + 1)], rechunk=True)
        return table.slice((first - date(first.year, 1, 1)).days, (last - first).days + 1)

    def _date_of_tick(self, tick: int) -> date:
        if not FIRST_TICK <= tick < _END_TICK:
            raise _outside("epoch second", tick)
        return max(FIRST_DATE, self.new_york_date(tick * MICROSECONDS_PER_SECOND))

    def _table(self, number: int) -> pl.DataFrame:
        if number not in self._tables:
            year = self._year(number)
            rows = [self._row(day, year) for day in _days_of(number)]
            self._tables[number] = pl.DataFrame(rows, DAYS_SCHEMA, orient="row")
        return self._tables[number]

    def _row(self, d: date, year: _Year) -> tuple[object, ...]:
        sofr, bond = bisect_left(year.sofr, d), bisect_left(year.bond, d)
        return (
            d,
            _has(year.sofr, d), year.sofr_before + sofr,
            _has(year.bond, d), year.bond_before + bond,
            self.flags(d),
            *(self.session(d) or (None, None)), year.clock[bond],
            self.next_sofr_business_day(d),
            self.at_new_york(d, time()),
        )  # fmt: skip

    def _year_of(self, d: date) -> _Year:
        _check(d)
        return self._year(d.year)

    def _year(self, number: int) -> _Year:
        """The year's business days; those of all years before it are counted on the way."""
        if not FIRST_DATE.year <= number <= LAST_DATE.year + 1:
            raise _outside("the year", number)
        if number not in self._years:
            before = _Year([], [], 0, 0, [0])
            for each in range(FIRST_DATE.year, number + 1):
                before = self._years[each] = self._years.get(each) or self._year_after(before, each)
        return self._years[number]

    def _year_after(self, before: _Year, number: int) -> _Year:
        sofr = self._business_days(UnitedStates.SOFR, number)
        bond = self._business_days(UnitedStates.GovernmentBond, number)
        closes = {day(number): close for _, close, day in EARLY_CLOSES} | self._early_closes
        lengths = (_seconds_open(closes.get(day, SESSION_CLOSE)) for day in bond)
        clock = list(accumulate(lengths, initial=before.clock[-1]))
        counts = before.sofr_before + len(before.sofr), before.bond_before + len(before.bond)
        return _Year(sofr, bond, *counts, clock)

    def _business_days(self, market: int, number: int) -> list[date]:
        closed = (_closed(market, number) | self._holidays) - self._opened
        return [day for day in _days_of(number) if day not in closed]
