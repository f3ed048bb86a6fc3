"""Prices in 32nds, scaled numbers and moments: exact, or refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.mapping.moments import from_epoch, from_fix, from_fix_date
from monitor.mapping.numbers import MOST_DIGITS, decimal_of, from_32nds, scaled
from monitor.mapping.words import NotMappedError

properties = settings(deadline=None)
POINTS = st.integers(0, 299)
OF_32 = st.integers(0, 31)


@properties
@given(POINTS, OF_32, st.sampled_from(["", "+", *"01234567"]), st.sampled_from("-'"))
def test_a_price_in_32nds_is_its_fraction_exactly(points: int, of_32: int, rest: str, mark: str) -> None:
    eighths = {"": 0, "+": 4}.get(rest, int(rest) if rest.isdigit() else 0)
    price = from_32nds(f"{points}{mark}{of_32:02d}{rest}")
    assert Fraction(price) == points + Fraction(of_32, 32) + Fraction(eighths, 256)
    assert Fraction(Decimal(str(price))) == Fraction(price), "its text says the same"


def test_the_half_is_four_eighths() -> None:
    assert str(from_32nds("99-16+")) == "99.51562500"
    assert from_32nds("99-16+") == from_32nds("99-164") == Decimal("99.515625")
    assert from_32nds("100-00") == 100


@pytest.mark.parametrize(
    "text",
    ["99-32", "99-99", "99-168", "99-169", "99-1", "99-1+", "99-16++", "99-1655", "99", "99.5", "-99-16", "99--16",
     "99 16", " 99-16", "99-16 ", "", "-", "1000-00", "99-16+\n",
     "\N{ARABIC-INDIC DIGIT NINE}9-16", "99-3\N{ARABIC-INDIC DIGIT ONE}", "nan", "99/16", 99, 99.5, True,
     None, [], {}, Decimal("99.5")],
)  # fmt: skip
def test_what_is_no_price_in_32nds_is_refused(text: Any) -> None:
    with pytest.raises(NotMappedError, match="32nds"):
        from_32nds(text)


@properties
@given(st.text("0123456789-+' .", max_size=8))
def test_no_other_text_becomes_a_price(text: str) -> None:
    try:
        price = from_32nds(text)
    except NotMappedError:
        return
    whole, of_32 = text.replace("'", "-").split("-")
    assert int(whole) <= price < int(whole) + 1
    assert len(of_32) in (2, 3)
    assert int(of_32[:2]) == (price % 1) * 32 // 1


def test_a_decimal_price_is_told_so() -> None:
    for value in ("99.515625", Decimal("99.5"), 99):
        with pytest.raises(NotMappedError, match=r"decimal already.*leave the format out"):
            from_32nds(value)


@properties
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=9),
       st.sampled_from(["1e-9", "0.01", "10000", "-1", "0.333333333", "1e6"]))  # fmt: skip
def test_scaling_keeps_every_digit(value: Decimal, by: str) -> None:
    for sent in (value, str(value)):
        assert Fraction(scaled(sent, Decimal(by))) == Fraction(value) * Fraction(by)


@pytest.mark.parametrize("text", ["0e-9999999", "0e9999999", "0.0e999999999", "-0e-999999", "0E+999999999999999999"])
def test_a_zero_is_one_whatever_its_exponent(text: str) -> None:
    zero = scaled(Decimal(text), Decimal("1e-9"))
    assert zero == 0
    assert len(str(zero)) < 20
    assert str(decimal_of(Decimal(text))) == "0"
    with pytest.raises(NotMappedError, match="outside 1990 to 2100"):
        from_epoch(Decimal(text), "epoch_nanoseconds")


def test_a_volume_in_dollars_keeps_its_last_dollar() -> None:
    assert str(scaled(123_456_789_012, Decimal("1e-9"))) == "123.456789012"


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1 ", "1,000", "1_000", "0x10", "nan", "Infinity", "-", ".", "1e", "+1", "--1",
     "\N{ARABIC-INDIC DIGIT ONE}", "1e99999", True,
     None, [], {}, 10**MOST_DIGITS, Decimal("1e41"), Decimal("1e-41"), "1" * (MOST_DIGITS + 1), Decimal("1e400")],
)  # fmt: skip
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(NotMappedError):
        decimal_of(value)


@pytest.mark.parametrize("zero", ["0", "0.00", "0e-9999999", "0e9999999", "-0E-4000"])
def test_a_zero_is_a_zero_however_it_is_written(zero: str) -> None:
    assert decimal_of(Decimal(zero)) == scaled(Decimal(zero), Decimal("1e-9")) == 0


@properties
@given(st.integers(631_152_000 * 10**9, 4_102_444_800 * 10**9 - 1))
def test_nanoseconds_become_the_microsecond_that_they_are_in(ns: int) -> None:
    assert from_epoch(ns, "epoch_nanoseconds") == from_epoch(str(ns), "epoch_nanoseconds") == ns // 1_000
    assert from_epoch(Decimal(ns).scaleb(-9), "epoch_seconds") == ns // 1_000
    assert from_epoch(Decimal(ns).scaleb(-6), "epoch_milliseconds") == ns // 1_000


def test_what_is_finer_than_a_microsecond_is_cut_off_however_long_it_is() -> None:
    assert from_epoch(f"1699999999.999999{'9' * 24}", "epoch_seconds") == 1_699_999_999_999_999


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1_700_000_000, "epoch_milliseconds", "reads as epoch_seconds"),
        (1_700_000_000_000, "epoch_seconds", "reads as epoch_milliseconds"),
        (1_700_000_000_000_000_000, "epoch_milliseconds", "reads as epoch_nanoseconds"),
        (1_700_000_000_000_000, "epoch_milliseconds", "epoch microseconds: leave the format out"),
        (0, "epoch_seconds", "outside 1990 to 2100"),
        (-1, "epoch_seconds", "outside 1990 to 2100"),
        ("today", "epoch_seconds", "no decimal number"),
    ],
)
def test_a_moment_of_another_unit_is_told_so(value: Any, unit: str, words: str) -> None:
    with pytest.raises(NotMappedError, match=words):
        from_epoch(value, unit)


def test_timestamps_of_fix() -> None:
    midnight = 1_704_067_200_000_000
    assert from_fix("20240101-00:00:00") == midnight
    assert from_fix("20240101-00:00:00.5") == midnight + 500_000
    assert from_fix("20240101-23:59:59.999999999999") == midnight + 86_400_000_000 - 1
    assert from_fix("20240229-00:00:00") == midnight + 59 * 86_400_000_000


@pytest.mark.parametrize(
    "text",
    ["20240101", "20240101-24:00:00", "20240101-00:60:00", "20240101-00:00:60", "20240101 00:00:00",
     "20230229-00:00:00", "2024-01-01-00:00:00", "20240101-00:00:00.", "20240101-00:00:00Z", "20241301-00:00:00",
     "", None, 20240101, True],
)  # fmt: skip
def test_no_other_text_is_a_timestamp_of_fix(text: Any) -> None:
    with pytest.raises(NotMappedError):
        from_fix(text)


def test_days_of_fix() -> None:
    assert from_fix_date("20340815") == from_fix_date(20340815) == "2034-08-15"
    for wrong in ("2034-08-15", "20340832", "2034081", True, None, 8, Decimal("20340815.5")):
        with pytest.raises(NotMappedError):
            from_fix_date(wrong)
