"""The noise about fitted curves: of issues priced in plain Python off a known curve, with and without mispricing."""

from __future__ import annotations

import math
import time
from datetime import date, timedelta
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from QuantLib import Date, Settings

from monitor.signals import svensson
from monitor.signals.svensson import curve_noise_bp

# Issues priced off a known curve.

CALM: Final = (0.025, -0.003, -0.03, 0.005, 0.8, 0.15)
"""September 2019, about: Svensson's parameters as in `zero_rate`."""
CURVES: Final = {
    "2019": CALM,
    "2020": (0.03, -0.0295, -0.03, -0.01, 0.5, 0.1),
    "2006": (0.049, 0.003, -0.006, 0.004, 0.5, 0.12),
    "2010": (0.055, -0.054, -0.04, -0.02, 0.45, 0.15),
    "1981": (0.13, 0.01, 0.03, 0.01, 0.7, 0.2),
    "2023": (0.04, 0.013, 0.012, -0.012, 1.2, 0.25),
}
DAY, SETTLED = date(2019, 9, 16), date(2019, 9, 17)
Quote = tuple[int, date, int]


def zero_rate(curve: tuple[float, ...], years: float) -> float:
    """Svensson (1994), continuously compounded."""
    level, slope, hump, second, decay, other = curve
    first = (1 - math.exp(-decay * years)) / (decay * years)
    last = (1 - math.exp(-other * years)) / (other * years)
    return (
        level + slope * first + hump * (first - math.exp(-decay * years)) + second * (last - math.exp(-other * years))
    )


def payments(coupon: float, maturity: date) -> tuple[float, list[tuple[float, date]]]:
    """Accrued interest at settlement, and what is paid after it; days of a maturity are at most the 28th."""
    found, day = [], maturity
    while day > SETTLED:
        found.append((coupon / 2 + (100 if day == maturity else 0), day))
        day = date(day.year - (day.month <= 6), (day.month + 5) % 12 + 1, day.day)
    following = found[-1][1]
    return coupon / 2 * (SETTLED - day).days / (following - day).days, found


def priced(curve: tuple[float, ...], coupon: float, maturity: date, off_bp: float = 0) -> Quote:
    """An issue at its price, with a yield that is so far above that of the curve."""
    accrued, paid = payments(coupon, maturity)
    worth = sum(
        amount * math.exp(-zero_rate(curve, years) * years)
        for amount, day in paid
        for years in [(day - SETTLED).days / 365]
    )
    if off_bp:
        worth = at_yield(paid, solved(paid, worth) + off_bp / 10_000)
    return round(coupon * 1_000_000), maturity, round((worth - accrued) * 2_000_000_000)


def at_yield(paid: list[tuple[float, date]], rate: float) -> float:
    """What payments are worth at a semiannual yield."""
    following = paid[-1][1]
    before = date(following.year - (following.month <= 6), (following.month + 5) % 12 + 1, following.day)
    part = (following - SETTLED).days / (following - before).days
    return math.fsum(amount / math.pow(1 + rate / 2, n + part) for n, (amount, _) in enumerate(reversed(paid)))


def solved(paid: list[tuple[float, date]], worth: float) -> float:
    """By bisection."""
    low, high = -0.5, 2.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if at_yield(paid, middle) > worth else (low, middle)
    return low


def universe(count: int, seed: int = 1, years: tuple[float, float] = (1.05, 9.95)) -> list[tuple[float, date]]:
    """Coupons and maturities, in the order of maturities."""
    random = Random(seed)
    found = []
    for _ in range(count):
        day = DAY + timedelta(days=round(random.uniform(*years) * 365.25))
        found.append((round(random.uniform(0.5, 6) * 8) / 8, day.replace(day=min(day.day, 28))))
    return sorted(found, key=lambda issue: (issue[1], issue[0]))


def quotes(curve: tuple[float, ...], count: int, off_bp: float = 0, seed: int = 1) -> list[Quote]:
    """Issues of one to ten years; every other yield is too high, the others too low by as much."""
    return [
        priced(curve, coupon, maturity, off_bp * (-1) ** n)
        for n, (coupon, maturity) in enumerate(universe(count, seed))
    ]


# The noise.


def fresh(some: list[Quote], day: date = DAY) -> float | None:
    """Without what is remembered."""
    svensson._noise_bp.cache_clear()
    return curve_noise_bp(some, day)


@pytest.mark.parametrize("name", CURVES)
def test_issues_on_a_curve_have_hardly_any_noise(name) -> None:
    noise = fresh(quotes(CURVES[name], 40))
    assert noise is not None
    assert noise < 0.2


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("off_bp", [2, 8])
def test_a_planted_mispricing_is_found(name, off_bp) -> None:
    """Six of sixty degrees of freedom are the curve's: it can take up about a twentieth of the distances."""
    noise = fresh(quotes(CURVES[name], 60, off_bp))
    assert noise is not None
    assert 0.88 * off_bp < noise < 1.05 * off_bp


def test_one_issue_that_is_off_is_a_share_of_the_mean() -> None:
    """20 bp on one of 50 are 20 / sqrt(50) = 2.8, of which the curve takes up a little."""
    some = quotes(CALM, 50)
    coupon, maturity = universe(50)[25]
    some[25] = priced(CALM, coupon, maturity, 20)
    noise = fresh(some)
    assert noise == pytest.approx(20 / math.sqrt(50), rel=0.12)


def test_the_order_of_issues_does_not_matter_and_a_fit_can_be_repeated() -> None:
    some = quotes(CALM, 40, 3)
    first = fresh(some)
    assert first is not None
    fresh(quotes(CURVES["1981"], 40, 20))  # no trace of another fit
    assert fresh(some[::-1]) == first
    assert fresh(some[20:] + some[:20]) == first


def test_a_curve_wants_thirty_issues_of_one_to_ten_years() -> None:
    some = quotes(CALM, 30)
    short = [priced(CALM, 0, DAY + timedelta(days=days)) for days in (40, 90, 120, 180)]
    assert fresh(some) is not None
    assert fresh(some[1:] + short) is None
    assert fresh([*some[1:], priced(CALM, 2.0, date(2029, 10, 15))]) is None
    assert fresh([*some[1:], (0, date(2020, 10, 15), 600_000_000_000_000)]) is None  # no yield
    assert fresh([]) is None


def test_what_is_not_measured_counts_for_the_fit_alone() -> None:
    """Bills that are 30 bp off do not enter the mean; issues beyond ten years or in their last weeks do nothing."""
    some = quotes(CALM, 40)
    base = fresh(some)
    bills = [priced(CALM, 0, DAY + timedelta(days=days), 30 * (-1) ** days) for days in (61, 90, 121, 150)]
    with_bills = fresh(some + bills)
    assert base is not None
    assert with_bills is not None
    assert base < with_bills < 3
    outside = [priced(CALM, 2.0, date(2039, 2, 15), 500), priced(CALM, 0, DAY + timedelta(days=20), 500)]
    assert fresh(some + outside) == base


def test_the_edges_of_one_and_ten_years_count() -> None:
    some = quotes(CALM, 28)
    edges = [priced(CALM, 2.0, date(2020, 9, 16)), priced(CALM, 2.0, date(2029, 9, 16))]
    assert fresh(some + edges) is not None
    for edge in (date(2020, 9, 15), date(2029, 9, 17)):
        assert fresh([*some, edges[0], priced(CALM, 2.0, edge)]) is None


def test_a_fit_that_goes_on_for_ever_is_none(monkeypatch) -> None:
    monkeypatch.setattr(svensson, "_ROUNDS", 1)
    assert fresh(quotes(CALM, 40, 3)) is None


def test_the_settings_of_the_process_are_left_as_they_were() -> None:
    before = Settings.instance().evaluationDate
    Settings.instance().evaluationDate = Date(3, 1, 2012)
    try:
        fresh(quotes(CALM, 40))
        assert Settings.instance().evaluationDate == Date(3, 1, 2012)
    finally:
        Settings.instance().evaluationDate = before


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 125_000, 2_000_000, 25_000_000]),
            st.dates(date(2019, 9, 1), date(2030, 1, 1)),
            st.one_of(st.integers(2 * 10**9, 600 * 10**9), st.integers(199 * 10**9, 201 * 10**9), st.just(0)),
        ),
        min_size=30,
        max_size=45,
    )
)
@settings(deadline=None, max_examples=12)
def test_odd_quotes_neither_raise_nor_print_nor_last(some) -> None:
    begin = time.process_time()
    noise = fresh(some)
    assert time.process_time() - begin < 3  # about one on a machine of its own
    assert noise is None or 0 <= noise < 1e6


def test_forty_issues_are_fitted_in_about_a_second_on_a_busy_machine() -> None:
    begin = time.process_time()
    fresh(quotes(CALM, 40, 3))
    assert time.process_time() - begin < 2
