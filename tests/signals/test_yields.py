"""Yields against published prices, closed forms, and plain sums of discounted payments."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal, assert_series_equal

from monitor.signals.yields import mid_yields, modified_durations

SHAPE = {"coupon_e6": pl.Int64(), "maturity": pl.Date(), "value_date": pl.Date(), "mid2_e9": pl.Int64()}


def issues(*rows: tuple[float | None, date | None, date | None, float | None]) -> pl.DataFrame:
    """Coupon in percent, maturity, value date and mid in points."""
    units = [
        (
            None if coupon is None else round(coupon * 1_000_000),
            maturity,
            day,
            None if mid is None else round(mid * 2_000_000_000),
        )
        for coupon, maturity, day, mid in rows
    ]
    return pl.DataFrame(units, SHAPE, orient="row")


def the_yield(coupon: float, maturity: date, value_date: date, mid: float) -> float:
    found = mid_yields(issues((coupon, maturity, value_date, mid))).item()
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize(
    ("coupon", "maturity", "value_date", "price", "percent"),
    [
        # 31 CFR 356, appendix B, II.A: a 30-year bond of 1990-05-15, settled on the day of its issue.
        (8.75, date(2020, 5, 15), date(1990, 5, 14), 99.057893, 8.84),
        # At par on a coupon date a bond yields its coupon; the 15th follows a Friday, a weekend, a holiday.
        (2.25, date(2049, 8, 15), date(2019, 8, 14), 100.0, 2.25),
        (1.5, date(2026, 7, 15), date(2019, 7, 12), 100.0, 1.5),
        (2.5, date(2025, 1, 16), date(2018, 1, 12), 100.0, 2.5),
        (2.0, date(2028, 2, 29), date(2019, 2, 27), 100.0, 2.0),
    ],
)
def test_published_and_par_prices(coupon, maturity, value_date, price, percent) -> None:
    assert the_yield(coupon, maturity, value_date, price) == pytest.approx(percent, abs=1e-6 if price != 100 else 1e-8)


def test_a_zero_of_whole_half_years_has_its_closed_form() -> None:
    """Ten years from settlement: 100 / (1 + y / 2) ^ 20."""
    assert the_yield(0, date(2029, 8, 15), date(2019, 8, 14), 80.0) == pytest.approx(
        200 * ((100 / 80) ** (1 / 20) - 1), abs=1e-8
    )


def test_a_bill_and_a_last_coupon_have_simple_interest() -> None:
    """From 2019-09-17 to 2020-02-15 are 151 of the 184 days of a half-year."""
    days = 151 / 184
    assert the_yield(0, date(2020, 2, 15), date(2019, 9, 16), 99.0) == pytest.approx(
        200 * (100 / 99 - 1) / days, abs=1e-7
    )
    paid = 99.0 + 2.0 * (1 - days)
    assert the_yield(4, date(2020, 2, 15), date(2019, 9, 16), 99.0) == pytest.approx(
        200 * (102 / paid - 1) / days, abs=1e-7
    )


@pytest.mark.parametrize(
    ("value_date", "maturity", "periods", "left"),
    [
        # Settlement is a day later: what is left of the half-year, and how many payments.
        (date(2019, 9, 16), date(2024, 8, 15), 10, (date(2020, 2, 15), date(2019, 8, 15))),
        (date(2019, 9, 16), date(2024, 2, 29), 9, (date(2020, 2, 29), date(2019, 8, 31))),  # ends of months stay so
        (date(2019, 9, 16), date(2024, 8, 31), 10, (date(2020, 2, 29), date(2019, 8, 31))),
        (date(2019, 8, 29), date(2024, 2, 29), 10, (date(2019, 8, 31), date(2019, 2, 28))),
    ],
)
def test_between_coupons_it_discounts_to_the_price_paid(value_date, maturity, periods, left) -> None:
    following, before = left
    settled = value_date + timedelta(days=1)
    part = (following - settled).days / (following - before).days
    half = the_yield(3.0, maturity, value_date, 104.0) / 200
    paid = 104.0 + 1.5 * (1 - part)
    worth = sum(1.5 / (1 + half) ** (n + part) for n in range(periods)) + 100 / (1 + half) ** (periods - 1 + part)
    assert worth == pytest.approx(paid, abs=1e-7)


def test_what_has_no_yield_is_null() -> None:
    day = date(2019, 9, 16)
    rows = issues(
        (None, date(2029, 8, 15), day, 100.0),
        (2.0, None, day, 100.0),
        (2.0, date(2029, 8, 15), None, 100.0),
        (2.0, date(2029, 8, 15), day, None),
        (2.0, date(2019, 8, 15), day, 100.0),
        (2.0, date(1, 1, 1), day, 100.0),
        (2.0, date(9999, 12, 31), day, 100.0),
        (0.0, date(2019, 9, 18), day, 99.99),  # a day after settlement
        (0.0, date(2020, 1, 15), day, 300.0),  # no interest makes 300 into 100 so soon
        (2.0, date(2029, 8, 15), day, 0.0),
        (2.0, date(2029, 8, 15), day, 100.0),
    )
    assert mid_yields(rows).is_null().to_list() == [True] * 10 + [False]
    assert modified_durations(rows).is_null().to_list() == [True] * 10 + [False]
    empty = mid_yields(rows.clear())
    assert empty.is_empty()
    assert empty.dtype == pl.Float64


@pytest.mark.parametrize("price", [1, 37.5, 100, 300])
@pytest.mark.parametrize("coupon", [0, 0.125, 25])
def test_no_price_and_coupon_of_the_contract_raises(price, coupon) -> None:
    day = date(2019, 9, 16)
    rows = issues(*((coupon, day + timedelta(days=d), day, price) for d in (-1, 0, 1, 2, 3, 90, 400, 11_000, 60_000)))
    for found in (mid_yields(rows), modified_durations(rows)):
        assert found.drop_nulls().is_finite().all()
        assert found.null_count() < rows.height


def test_duration_is_the_slope_of_the_price() -> None:
    """At par of a 10-year of 2 %: 9.0228 years in closed form, (1 - v^20) / 2 %."""
    rows = issues((2.0, date(2029, 8, 15), date(2019, 8, 14), 100.0), (0, date(2029, 8, 15), date(2019, 8, 14), 100.0))
    assert modified_durations(rows).to_list() == pytest.approx([(1 - 1.01**-20) / 0.02, 10.0], abs=1e-6)


def test_all_mids_of_an_eighth_have_one_duration() -> None:
    args = (2.0, date(2049, 8, 15), date(2019, 9, 16))
    found = modified_durations(issues(*((*args, mid) for mid in (99.9375, 100.0, 100.0624, 100.0625, 99.9374))))
    assert found[0] == found[1] == found[2]
    assert found[3] != found[1] != found[4]
    assert found[3] == modified_durations(issues((*args, 100.125)))[0]


DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))
ROW = st.tuples(
    st.one_of(st.none(), st.sampled_from([0.0, 0.125, 2.25, 25.0])),
    st.one_of(st.none(), st.dates(date(2019, 8, 1), date(2051, 1, 1)), st.just(date(9999, 1, 1))),
    st.one_of(st.none(), st.sampled_from([date(2019, 9, 13), date(2019, 9, 16)]), DAYS),
    st.one_of(st.none(), st.sampled_from([1.0, 99.984375, 100.0, 300.0]), st.floats(1, 300)),
)


@given(st.lists(ROW, max_size=12), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_a_row_is_the_same_alone_and_among_others(rows, random) -> None:
    frame = issues(*rows).with_row_index("n")
    whole = frame.with_columns(mid_yields(frame), modified_durations(frame))
    for n in range(len(rows)):
        one = frame.filter(c("n") == n)
        assert_series_equal(mid_yields(one)[0:1], whole["yield_percent"][n : n + 1], check_exact=True)
        assert_series_equal(modified_durations(one)[0:1], whole["duration_years"][n : n + 1], check_exact=True)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=random.randint(0, 99))
    again = shuffled.with_columns(mid_yields(shuffled), modified_durations(shuffled)).sort("n")
    assert_frame_equal(again, whole, check_exact=True)


@given(st.sampled_from([0.0, 2.25, 8.0]), st.integers(1, 30), st.floats(60, 140), st.floats(0.01, 5))
@settings(deadline=None, max_examples=40)
def test_a_higher_price_is_a_lower_yield_by_the_duration(coupon, years, price, step) -> None:
    args = (coupon, date(2019 + years, 12, 15), date(2019, 9, 16))
    low, high = mid_yields(issues((*args, price), (*args, price + step)))
    assert high < low
    small = mid_yields(issues((*args, price), (*args, price + 0.001)))
    duration = modified_durations(issues((*args, price)))[0]
    accrued = (
        coupon / 2 * (1 - (date(2019, 12, 15) - date(2019, 9, 17)).days / (date(2019, 12, 15) - date(2019, 6, 15)).days)
    )
    assert (small[0] - small[1]) == pytest.approx(100 * 0.001 / (duration * (price + accrued)), rel=0.02)
