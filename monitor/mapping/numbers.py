"""Numbers, exactly: no binary fraction stands between what a vendor sent and what the contract keeps."""

from __future__ import annotations

import re
from decimal import Clamped, Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded, Underflow
from functools import lru_cache
from typing import Final

from monitor.mapping.words import NotMappedError, shown

MOST_DIGITS: Final = 40
"""No market sends a longer number, and no one of more than this magnitude."""
_DECIMAL: Final = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
EXACT: Final = Context(
    prec=4 * MOST_DIGITS, traps=[Inexact, InvalidOperation, Overflow, Underflow, Clamped, Rounded]
)  # fmt: skip
"""Raises rather than rounds."""
_THIRTY_SECONDS: Final = re.compile(r"(\d{1,3})[-'](\d\d)([0-7+]?)", re.ASCII)
_EIGHTHS_A_POINT: Final = 256
_HALF: Final = 4
_E8_AN_EIGHTH: Final = 100_000_000 // _EIGHTHS_A_POINT
_CACHED: Final = 1 << 14
_ZERO: Final = Decimal(0)


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal number."""
    return _DECIMAL.fullmatch(text) is not None


def decimal_of(value: object) -> Decimal:
    """A JSON number or a decimal text as a number, to the digit.

    Raises:
        NotMappedError: it is none, or none of this world.
    """
    if type(value) is str:
        if len(value) > 2 * MOST_DIGITS or not _DECIMAL.fullmatch(value):
            raise NotMappedError(f"{shown(value)} is no decimal number")
        value = Decimal(value)
    elif type(value) is int:
        if abs(value) >= 10**MOST_DIGITS:
            raise NotMappedError(f"a number of more than {MOST_DIGITS} digits is none of a market")
        return Decimal(value)
    elif type(value) is not Decimal:
        raise NotMappedError(f"{shown(value)} is no number")
    number: Decimal = value
    if not number:
        return _ZERO  # whatever its exponent, which may be too large to be reckoned with
    if not (-MOST_DIGITS <= number.adjusted() <= MOST_DIGITS and len(number.as_tuple().digits) <= MOST_DIGITS):
        raise NotMappedError(f"{shown(number)} has more digits, or is larger or smaller, than a number of a market")
    return number


def scaled(value: object, by: Decimal) -> Decimal:
    """The value times a factor, with all digits.

    >>> scaled("2500000001", Decimal("1e-9")), scaled(3, Decimal("0.5"))
    (Decimal('2.500000001'), Decimal('1.5'))
    """
    return EXACT.multiply(decimal_of(value), by)


def from_32nds(value: object) -> Decimal:
    """A price in 32nds of a point: `99-16`, `99-16+` with half a 32nd more, `99-165` with five eighths of one more.

    >>> from_32nds("99-16+"), from_32nds("99'165"), from_32nds("100-00")
    (Decimal('99.51562500'), Decimal('99.51953125'), Decimal('100.00000000'))

    Raises:
        NotMappedError: it is none.
    """
    if type(value) is not str:
        if type(value) in (int, Decimal):
            raise NotMappedError(f"{shown(value)} is decimal already, and no price in 32nds: leave the format out")
        raise NotMappedError(f"{shown(value)} is no price in 32nds, such as 99-16+")
    return _from_32nds(value)


@lru_cache(_CACHED)
def _from_32nds(text: str) -> Decimal:
    # Prices come again and again; what is refused is not kept.
    found = _THIRTY_SECONDS.fullmatch(text)
    if not found:
        if _DECIMAL.fullmatch(text):
            raise NotMappedError(f"{shown(text)} is decimal already, and no price in 32nds: leave the format out")
        raise NotMappedError(
            f"{shown(text)} is no price in 32nds: 99-16, 99-16+ or 99-165 is wanted, the last digit 0 to 7, eighths"
        )
    points, of_32, rest = found.groups()
    if int(of_32) >= 32:
        raise NotMappedError(f"{shown(text)} is no price in 32nds: they go from 00 to 31")
    eighths = _HALF if rest == "+" else int(rest or 0)
    units = (int(points) * _EIGHTHS_A_POINT + int(of_32) * 8 + eighths) * _E8_AN_EIGHTH
    return Decimal(units).scaleb(-8, EXACT)
