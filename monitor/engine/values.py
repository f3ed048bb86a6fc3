"""Numbers and times of the wire, where they do not come as plain JSON numbers: decimal strings, RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from monitor import streams
from monitor.engine.refusal import RefusedError, shown
from monitor.streams import Field, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL: Final = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ](?!24)\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_TS_MISTAKES: Final = (("seconds", 1_000_000), ("milliseconds", 1_000))


def column(
    values: list[Any],
    dtype: pl.DataType,
    convert: Callable[[Any, Field], Any],
    field: Field,
    bad: dict[int, tuple[Reason, str]],
) -> pl.Series:
    """The values as a column; a value that is no number of that type is converted one by one.

    What cannot be converted is null in the column and named in `bad`, the first reason of a row only.
    """
    try:
        series = pl.Series(values, dtype=dtype)
    except (TypeError, OverflowError):
        pass  # strings among them, or an integer beyond all: one by one
    else:
        if dtype == pl.Float64() or _all_sound(series):
            return series
    converted = []
    for i, value in enumerate(values):
        try:
            converted.append(None if value is None else convert(value, field))
        except RefusedError as why:
            converted.append(None)
            bad.setdefault(i, (why.reason, why.detail))
    return pl.Series(converted, dtype=dtype)


def _all_sound(ts_us: pl.Series) -> bool:
    """Whether all event times there are lie between 1990 and 2100."""
    first, last = ts_us.min(), ts_us.max()
    if not isinstance(first, int) or not isinstance(last, int):
        return True
    return first >= streams.EARLIEST_TS_US and last < streams.LATEST_TS_US


def number(value: float | str, field: Field) -> float:
    """A number, also of a decimal string."""
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise RefusedError(Reason.NOT_A_NUMBER, f"{field.name} {shown(value)} is no decimal number")
        return float(value)
    return value


def timestamp_us(value: int | str, field: Field) -> int:
    """Epoch microseconds of an integer (also as a string of digits) or of RFC 3339 with an offset."""
    if isinstance(value, str):
        if not value.isascii() or not value.removeprefix("-").isdigit():
            return _rfc3339_us(value, field)
        value = int(value[:40])
    if streams.EARLIEST_TS_US <= value < streams.LATEST_TS_US:
        return value
    for unit, factor in _TS_MISTAKES:
        if streams.EARLIEST_TS_US <= value * factor < streams.LATEST_TS_US:
            raise RefusedError(Reason.TIMESTAMP_UNIT, _unit_mistake(field, value, unit, f"multiply by {factor:,}"))
    if streams.EARLIEST_TS_US <= value // 1_000 < streams.LATEST_TS_US:
        raise RefusedError(Reason.TIMESTAMP_UNIT, _unit_mistake(field, value, "nanoseconds", "divide by 1,000"))
    raise RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {shown(value)} is outside 1990 to 2100 in microseconds")


def _unit_mistake(field: Field, value: int, unit: str, advice: str) -> str:
    return f"{field.name} {value} reads as {unit}; microseconds are wanted: {advice}"


def _rfc3339_us(text: str, field: Field) -> int:
    if not _RFC3339.fullmatch(text):
        advice = "RFC 3339 with an offset is wanted, for example 2025-01-31T13:00:00Z, or epoch microseconds"
        raise RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {shown(text)}: {advice}")
    try:
        ts_us = (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError as error:
        raise RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {shown(text)}: {error}") from error
    if not streams.EARLIEST_TS_US <= ts_us < streams.LATEST_TS_US:
        raise RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {shown(text)} is outside 1990 to 2100")
    return ts_us
