"""The 40 Treasury securities of the scenarios, and what they cost at a yield.

The instruments do not exist: on-the-runs are named by their tenor, off-the-runs have CUSIPs of an issuer that is
none (`912SYN`), with a sound check digit. Prices follow the market's formula for coupon bonds in closed form.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from math import exp
from typing import Final

from monitor.sources.scenario.story import STORY_DAY

UNITS_PER_POINT: Final = 256
"""Prices are kept in eighths of a 32nd, of which every tick is a multiple."""

TICKS: Final = {2: 1, 3: 2, 5: 2, 7: 4, 10: 4, 20: 4, 30: 4}
"""By original tenor: the tick in eighths of a 32nd."""
_ON_THE_RUN_SPREADS: Final = {2: 1, 3: 1, 5: 1, 7: 1, 10: 1, 20: 2, 30: 2}
"""Calm bid-ask in ticks: 0.125 (2y), 0.25 (3y, 5y), 0.5 (7y, 10y) and 1 (20y, 30y) 32nds."""
_OFF_THE_RUN_SPREADS: Final = {2: 2, 3: 2, 5: 2, 7: 2, 10: 2, 20: 3, 30: 3}
_SIZES_MUSD: Final = {2: 300, 3: 120, 5: 90, 7: 70, 10: 70, 20: 12, 30: 15}
_OFF_THE_RUN_SIZE: Final = 0.3
"""Of the on-the-run's size."""

_ON_THE_RUNS: Final = (
    (2, 3.75, date(2028, 4, 30)),
    (3, 3.75, date(2029, 4, 15)),
    (5, 3.875, date(2031, 4, 30)),
    (7, 4.0, date(2033, 4, 30)),
    (10, 4.125, date(2036, 2, 15)),
    (20, 4.625, date(2046, 2, 15)),
    (30, 4.75, date(2056, 2, 15)),
)
# 27 of them have between one and ten years left, as the noise around a fitted curve needs 30 such bonds.
_OFF_THE_RUNS: Final = (
    (2, 3.75, date(2027, 6, 30)), (2, 3.625, date(2027, 8, 31)), (2, 3.5, date(2027, 10, 31)),
    (2, 3.625, date(2028, 1, 31)),
    (3, 4.375, date(2027, 7, 15)), (3, 4.25, date(2028, 1, 15)), (3, 3.875, date(2028, 7, 15)),
    (3, 3.5, date(2029, 1, 15)),
    (5, 2.75, date(2027, 7, 31)), (5, 3.5, date(2028, 4, 30)), (5, 4.25, date(2029, 2, 28)),
    (5, 4.125, date(2029, 10, 31)), (5, 4.0, date(2030, 5, 31)), (5, 3.625, date(2030, 12, 31)),
    (7, 1.125, date(2028, 2, 29)), (7, 2.75, date(2029, 5, 31)), (7, 3.75, date(2030, 6, 30)),
    (7, 4.25, date(2031, 2, 28)), (7, 4.125, date(2031, 11, 30)), (7, 3.875, date(2032, 9, 30)),
    (10, 2.875, date(2028, 8, 15)), (10, 1.625, date(2029, 8, 15)), (10, 0.875, date(2030, 11, 15)),
    (10, 1.375, date(2031, 11, 15)), (10, 3.5, date(2033, 2, 15)), (10, 4.25, date(2034, 11, 15)),
    (10, 4.25, date(2035, 8, 15)),
    (20, 2.25, date(2041, 5, 15)), (20, 4.625, date(2045, 11, 15)),
    (30, 3.0, date(2047, 5, 15)), (30, 2.0, date(2050, 8, 15)), (30, 4.125, date(2053, 8, 15)),
    (30, 4.75, date(2055, 8, 15)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Security:
    """One Treasury note or bond.

    Attributes:
        instrument: `UST-10Y`, or a CUSIP that is none.
        tenor_years: original tenor.
        on_the_run: whether it is the newest of its tenor.
        coupon: percent a year, paid half-yearly.
        maturity: date of the last coupon.
        tick: in eighths of a 32nd.
        spread_ticks: calm bid-ask, in ticks.
        size_musd: calm size of each side.
    """

    instrument: str
    tenor_years: int
    on_the_run: bool
    coupon: float
    maturity: date
    tick: int
    spread_ticks: int
    size_musd: float

    def years_left(self, day: date) -> float:
        """Years from that day to maturity."""
        return (self.maturity - day).days / 365.25


def check_digit(first_eight: str) -> int:
    """The ninth character of a CUSIP.

    >>> check_digit("912828ZT")  # a note that does exist: 912828ZT0
    0
    """
    total = 0
    for place, letter in enumerate(first_eight):
        value = int(letter, 36) * (1 + place % 2)
        total += value // 10 + value % 10
    return -total % 10


def _securities() -> tuple[Security, ...]:
    made = []
    for tenor, coupon, maturity in _ON_THE_RUNS:
        size, spread = float(_SIZES_MUSD[tenor]), _ON_THE_RUN_SPREADS[tenor]
        made.append(Security(f"UST-{tenor}Y", tenor, True, coupon, maturity, TICKS[tenor], spread, size))
    for number, (tenor, coupon, maturity) in enumerate(_OFF_THE_RUNS, start=1):
        stem = f"912SYN{number:02d}"
        size, spread = _OFF_THE_RUN_SIZE * _SIZES_MUSD[tenor], _OFF_THE_RUN_SPREADS[tenor]
        cusip = f"{stem}{check_digit(stem)}"
        made.append(Security(cusip, tenor, False, coupon, maturity, TICKS[tenor], spread, size))
    return tuple(made)


SECURITIES: Final = _securities()
"""As of the usual day of stories: on-the-runs first, by tenor; then off-the-runs, by tenor and maturity."""

_MONTHS_A_COUPON: Final = 6
_DAYS_A_COUPON: Final = 182.6


@cache
def securities_of(story_day: date) -> tuple[Security, ...]:
    """The securities of a story of another day: each matures as many half-years earlier or later as that day is.

    >>> securities_of(date(2025, 11, 24))[4].maturity  # the 10-year, half a year before the usual day
    datetime.date(2035, 8, 15)
    """
    coupons = round((STORY_DAY - story_day).days / _DAYS_A_COUPON)
    if not coupons:
        return SECURITIES
    return tuple(replace(s, maturity=_months_before(s.maturity, _MONTHS_A_COUPON * coupons)) for s in SECURITIES)


SPECIALS: Final = tuple(
    next(mine).instrument
    for tenor, mine in groupby(
        (s for s in reversed(SECURITIES) if not s.on_the_run and s.tenor_years in (2, 5, 10, 30)),
        key=lambda s: s.tenor_years,
    )
)
"""Four collaterals that trade special in repo: the newest off-the-runs of 30, 10, 5 and 2 years."""


def curve_percent(years: float) -> float:
    """The yield of a bond with so many years left on a calm day: a curve of Nelson and Siegel.

    >>> [round(curve_percent(years), 2) for years in (2, 5, 10, 30)]
    [3.82, 3.95, 4.23, 4.7]
    """
    scaled = years / 3.2
    decay = exp(-scaled)
    slope = (1 - decay) / scaled
    return 4.98 - 1.12 * slope - 1.55 * (slope - decay)


def clean_price(coupon: float, maturity: date, settled: date, yield_percent: float) -> float:
    """Clean price per 100 face, by the market's convention: half-yearly coupons and compounding, actual/actual.

    Args:
        coupon: percent a year.
        maturity: date of the last coupon; one at the end of a month pays at ends of months.
        settled: date of settlement, before maturity.
        yield_percent: percent a year.

    >>> clean_price(4.0, date(2036, 2, 15), date(2026, 2, 15), 4.0)
    100.0
    """
    left = -(-((maturity.year - settled.year) * 12 + maturity.month - settled.month) // 6) + 1
    while _months_before(maturity, 6 * left) > settled:
        left += 1
    while _months_before(maturity, 6 * (left - 1)) <= settled:
        left -= 1
    before, after = _months_before(maturity, 6 * left), _months_before(maturity, 6 * (left - 1))
    share = (after - settled) / (after - before)
    growth = 1 + yield_percent / 200
    discount = 1 / growth
    annuity = (1 - discount**left) / (1 - discount) if yield_percent else left
    dirty: float = discount**share * (coupon / 2 * annuity + 100 * discount ** (left - 1))
    return round(dirty - coupon / 2 * (1 - share), 10)


def _months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = monthrange(year, month + 1)[1]
    at_the_end = day.day == monthrange(day.year, day.month)[1]
    return date(year, month + 1, last if at_the_end else min(day.day, last))


def price_by_yield(security: Security, day: date) -> tuple[float, float, float]:
    """(a, b, c): on that day the price at bp over the calm curve is a + bp * (b + bp * c), in eighths of a 32nd.

    Within 45 bp this is the price to a quarter of a 32nd. It settles on the day after.
    """
    settled = day + timedelta(days=1)
    calm = curve_percent(security.years_left(settled))
    step = 35.0
    down, at, up = (
        UNITS_PER_POINT * clean_price(security.coupon, security.maturity, settled, calm + bp / 100)
        for bp in (-step, 0.0, step)
    )
    return at, (up - down) / (2 * step), (up + down - 2 * at) / (2 * step * step)
