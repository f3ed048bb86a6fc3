"""Moments and days as vendors write them: counts since 1970, and the words of FIX. All are of UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final

from monitor.mapping.numbers import EXACT, decimal_of
from monitor.mapping.words import NotMappedError, shown
from monitor.streams import EARLIEST_TS_US, LATEST_TS_US, MICROSECONDS_PER_SECOND

US_A: Final[dict[str, Decimal]] = {
    "epoch_seconds": Decimal(1_000_000),
    "epoch_milliseconds": Decimal(1_000),
    "epoch_nanoseconds": Decimal("0.001"),
}
"""By format, how many microseconds one is."""
_FIX: Final = re.compile(r"(\d{8})-([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,12}))?", re.ASCII)
_FIX_DATE: Final = re.compile(r"\d{8}", re.ASCII)
_CACHED: Final = 1 << 10


def from_epoch(value: object, unit: str) -> int:
    """Epoch microseconds of a count of another unit; what is finer is cut off.

    >>> from_epoch(1_700_000_000_123, "epoch_milliseconds"), from_epoch("1700000000.5", "epoch_seconds")
    (1700000000123000, 1700000000500000)

    Raises:
        NotMappedError: it is no number, or far from our time; the message says if it would be of another unit.
    """
    number = decimal_of(value)
    us = _us(number, unit)
    if EARLIEST_TS_US <= us < LATEST_TS_US:
        return us
    others = [other for other in US_A if EARLIEST_TS_US <= _us(number, other) < LATEST_TS_US]
    if EARLIEST_TS_US <= number < LATEST_TS_US:
        advice = ", and reads as epoch microseconds: leave the format out"
    else:
        advice = f", and reads as {others[0]}" if others else ""
    raise NotMappedError(f"{shown(value)} in {unit} is outside 1990 to 2100{advice}")


def from_fix(value: object) -> int:
    """Epoch microseconds of a UTCTimestamp of FIX; what is finer is cut off.

    >>> from_fix("20231114-22:13:20.123456789")
    1700000000123456

    Raises:
        NotMappedError: it is none.
    """
    found = _FIX.fullmatch(value) if type(value) is str else None
    if not found:
        raise NotMappedError(f"{shown(value)} is no timestamp of FIX: 20250131-13:00:00.123 is wanted")
    day, hours, minutes, seconds, fraction = found.groups()
    within = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    us = int(fraction[:6].ljust(6, "0")) if fraction else 0
    return _midnight_us(day) + within * MICROSECONDS_PER_SECOND + us


def from_fix_date(value: object) -> str:
    """The day YYYY-MM-DD of one that is written YYYYMMDD, as text or as a number.

    >>> from_fix_date("20340815")
    '2034-08-15'

    Raises:
        NotMappedError: it is none.
    """
    text = str(value) if type(value) is int else value
    if type(text) is not str or not _FIX_DATE.fullmatch(text):
        raise NotMappedError(f"{shown(value)} is no date of FIX: 20250131 is wanted")
    return _day(text).isoformat()


def _us(number: Decimal, unit: str) -> int:
    return int(EXACT.multiply(number, US_A[unit]).to_integral_value(ROUND_FLOOR))


@lru_cache(_CACHED)
def _midnight_us(text: str) -> int:
    day = _day(text)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * MICROSECONDS_PER_SECOND


def _day(text: str) -> date:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as error:
        raise NotMappedError(f"{text} is no day: {error}") from error
