"""Prices to yields: what a clean mid means as a semiannual bond-equivalent yield, and how far it moves with the price.

QuantLib does the arithmetic, by the street convention: Actual/Actual (ISMA) periods counted back from the maturity, a
coupon of the end of a month at ends of months, settlement on the next day with a session of the bond market; half-years
are compounded, and interest is simple once only the last payment is left (Stigum and Robinson, Money Market and Bond
Calculations, chapter 12; on a coupon date it is the formula of 31 CFR 356, appendix B, II.A).

Everything is a function of its own row: the root is searched from one guess whatever was solved before, so a live row
and its replay have the same bits. Distinct rows are solved once and remembered.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl
from polars import col as c
from QuantLib import (
    ActualActual,
    BondFunctions,
    BondPrice,
    Compounded,
    Date,
    DateGeneration,
    Days,
    Duration,
    FixedRateBond,
    InterestRate,
    Months,
    NullCalendar,
    Period,
    Schedule,
    Semiannual,
    Simple,
    Unadjusted,
    UnitedStates,
)

from monitor import streams

if TYPE_CHECKING:
    from collections.abc import Callable

ISSUE: Final = ("coupon_e6", "maturity", "value_date")
"""What says which payments are still to come: a coupon in 1e-6 percent, and two dates."""
MID2_UNITS: Final = 2 * streams.UNITS_PER_PRICE_POINT
"""Of bid + ask, a point of the mid."""

_MID2_PER_EIGHTH: Final = MID2_UNITS // 8
_COUPON_UNITS: Final = 100 * streams.UNITS_PER_PERCENT
"""Of a coupon, all of the face."""
_GUESS: Final = 0.05
_ACCURACY: Final = 1e-10
"""A millionth of a bp."""
_EVALUATIONS: Final = 100
_SERIAL_TO_ORDINAL: Final = 693_594  # QuantLib counts days from 1899-12-30, Python from 0000-12-31
_FIRST_DATE, _LAST_DATE = date(1902, 1, 1), date(2199, 1, 1)
"""QuantLib's dates, with room for a settlement and a coupon."""
_MARKET: Final = UnitedStates(UnitedStates.GovernmentBond)
_ANY_DAY: Final = NullCalendar()
_PERIODS: Final = ActualActual(ActualActual.ISMA)


class Issue(NamedTuple):
    """What is left of an issue at a settlement.

    Attributes:
        bond: QuantLib's, from the coupon period of the settlement on.
        settlement: QuantLib's date of it.
        compounding: QuantLib's rule for the yield: simple if only the last payment is left.
    """

    bond: FixedRateBond
    settlement: Date
    compounding: int


def mid_yields(rows: pl.DataFrame) -> pl.Series:
    """The yield of each row's mid.

    Args:
        rows: `coupon_e6` (Int64, 1e-6 percent; 0 for a bill), `maturity` and `value_date` (Date), `mid2_e9` (Int64,
            bid + ask in 1e-9 of a point).

    Returns:
        `yield_percent`: Float64, a value a row in the rows' order; null where anything is missing, where nothing is to
        come later than the day after settlement, and where QuantLib finds no yield.
    """
    return _by_row(rows, c("mid2_e9"), _yield_percent, "yield_percent")


def modified_durations(rows: pl.DataFrame) -> pl.Series:
    """The modified duration of each row's issue, at its mid rounded to a whole eighth of a point.

    One number serves all mids nearby: a price change / (duration * price) is the yield change, and an eighth more or
    less moves the duration of a 30-year bond by a thousandth of itself.

    Args:
        rows: as for `mid_yields`.

    Returns:
        `duration_years`: Float64, a value a row in the rows' order; null as for `mid_yields`.
    """
    eighths = (c("mid2_e9") + _MID2_PER_EIGHTH // 2) // _MID2_PER_EIGHTH
    return _by_row(rows, eighths, _duration_at_eighths, "duration_years")


def _by_row(
    rows: pl.DataFrame, price: pl.Expr, function: Callable[[int, date, date, int], float | None], name: str
) -> pl.Series:
    """A function of (coupon, maturity, value date, price) for each row, called once for equal rows."""
    asked = rows.select(*ISSUE, price=price)
    distinct = asked.drop_nulls().unique()
    found = pl.Series(name, [function(*row) for row in distinct.iter_rows()], pl.Float64)
    keys = [*ISSUE, "price"]
    return asked.join(distinct.with_columns(found), on=keys, how="left", maintain_order="left")[name]


def issue_of(coupon_e6: int, maturity: date, value_date: date) -> Issue | None:
    """An issue as it stands at the settlement of a trade.

    Args:
        coupon_e6: 1e-6 percent a year; 0 for a bill.
        maturity: when the face is paid.
        value_date: the day of the trade.

    Returns:
        A new one at each call; None if it is paid back by the day after settlement, or a date is beyond QuantLib's.
    """
    if not _FIRST_DATE <= value_date < _LAST_DATE or not maturity < _LAST_DATE:
        return None
    settlement = _settlement(value_date)
    # Compared as Python's: QuantLib has no dates before 1901.
    if maturity <= date.fromordinal(settlement.serialNumber() + _SERIAL_TO_ORDINAL) + timedelta(days=1):
        return None
    end = _quantlib_date(maturity)
    periods = _half_years_left(end, settlement)
    begin = _half_years_before(end, periods)
    schedule = Schedule(
        begin, end, Period(Semiannual), _ANY_DAY, Unadjusted, Unadjusted, DateGeneration.Backward, True,
    )  # fmt: skip
    # QuantLib has 360 payments of a bond that is due in 2199, and takes them.
    bond = FixedRateBond(0, 100.0, schedule, [coupon_e6 / _COUPON_UNITS], _PERIODS)
    return Issue(bond, settlement, Simple if periods == 1 else Compounded)


def yield_at(issue: Issue, price: float) -> float | None:
    """The yield of a clean price in points, 0.05 for 5 %; None if QuantLib finds none."""
    if not price > 0:
        return None
    try:
        found = BondFunctions.bondYield(
            issue.bond, BondPrice(price, BondPrice.Clean), _PERIODS, issue.compounding, Semiannual,
            issue.settlement, _ACCURACY, _EVALUATIONS, _GUESS,
        )  # fmt: skip
    except RuntimeError:  # all that QuantLib raises
        return None
    return float(found) if math.isfinite(found) else None


def duration_at(issue: Issue, rate: float) -> float | None:
    """The modified duration in years at a yield (0.05 for 5 %); None if it is no positive number."""
    try:
        found = BondFunctions.duration(
            issue.bond, InterestRate(rate, _PERIODS, issue.compounding, Semiannual), Duration.Modified,
            issue.settlement,
        )  # fmt: skip
    except RuntimeError:
        return None
    return float(found) if math.isfinite(found) and found > 0 else None


@lru_cache(maxsize=1 << 16)
def _yield_percent(coupon_e6: int, maturity: date, value_date: date, mid2_e9: int) -> float | None:
    issue = _known_issue(coupon_e6, maturity, value_date)
    found = None if issue is None else yield_at(issue, mid2_e9 / MID2_UNITS)
    return None if found is None else 100 * found


@lru_cache(maxsize=1 << 14)
def _duration_at_eighths(coupon_e6: int, maturity: date, value_date: date, eighths: int) -> float | None:
    issue = _known_issue(coupon_e6, maturity, value_date)
    found = None if issue is None else yield_at(issue, eighths / 8)
    return None if issue is None or found is None else duration_at(issue, found)


_known_issue: Final = lru_cache(maxsize=1 << 10)(issue_of)


@lru_cache(maxsize=1 << 10)
def _settlement(value_date: date) -> Date:
    return _MARKET.advance(_quantlib_date(value_date), 1, Days)


def _quantlib_date(day: date) -> Date:
    return Date(day.toordinal() - _SERIAL_TO_ORDINAL)


def _half_years_before(end: Date, count: int) -> Date:
    return _ANY_DAY.advance(end, -6 * count, Months, Unadjusted, True)


def _half_years_left(end: Date, settlement: Date) -> int:
    """How many payments are after a settlement."""
    count = max(1, int(end - settlement) // 185)  # no half-year is longer, so not too many
    while _half_years_before(end, count) > settlement:
        count += 1
    return count
