"""The checks of a contract's values, made from its rows: each an expression, a reason and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from monitor import streams
from monitor.calendar import new_york_dates
from monitor.engine.refusal import cut, shown
from monitor.streams import Field, Kind, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

_DATE: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_CONTROL: Final = r"[\x00-\x1f\x7f-\x9f]"


@dataclass(frozen=True, slots=True)
class Check:
    """A row fails if the expression is true; the sentence is made from the row's values."""

    fails: pl.Expr
    reason: Reason
    detail: Callable[[dict[str, Any]], str]


def checks_of(stream: Stream) -> list[Check]:
    """The checks of a contract's values, in the order in which their reasons are told."""
    checks = []
    for field in stream.fields:
        if field.required:
            checks.append(_missing(pl.col(field.name).is_null(), f"{field.name} is missing"))
        if field.kind is Kind.NUMBER:
            checks += [_range_check(field)] if field.scale > 1 else [_range_check(field), _whole_check(field)]
        elif field.kind is Kind.CHOICE:
            checks.append(_choice_check(field))
        elif field.kind is Kind.DATE:
            checks.append(_date_check(field))
        elif field.kind is Kind.TEXT:
            checks.append(_text_check(field, _is_bad_text(pl.col(field.name))))
        elif field.kind is Kind.TEXTS:
            bad = pl.col(field.name).list.eval(_is_bad_text(pl.element()).fill_null(value=True)).list.any()
            checks.append(_text_check(field, bad))
    for group in stream.one_of:
        # A zero on a side that may be left out says that there is none.
        absent = [
            pl.col(n).is_null() | (pl.col(n) == 0 if stream.field(n).zero_is_missing else pl.lit(value=False))
            for n in group
        ]
        checks.append(_missing(pl.all_horizontal(absent), f"one of {', '.join(group)} is needed"))
    if stream is streams.REPO:
        checks.append(_future_benchmark())
    return checks


def _missing(fails: pl.Expr, sentence: str) -> Check:
    return Check(fails, Reason.MISSING_FIELD, lambda _: sentence)


def _future_benchmark() -> Check:
    """A rate is published for a day that has come; one for a later day would stand as the newest until then."""
    known_on = new_york_dates(pl.col("ts"))
    later = pl.col("value_date").str.to_date("%Y-%m-%d", strict=False) > known_on

    def detail(row: dict[str, Any]) -> str:
        return f"value_date {row['value_date']} is after the New York date of ts"

    return Check((pl.col("kind") == streams.REPO_BENCHMARK) & later, Reason.BAD_DATE, detail)


def _range_check(field: Field) -> Check:
    value = pl.col(field.name)
    # What rounds to an excluded bound is at it: the bound divides by zero further on.
    above = value > field.high if field.high_included else (value * field.scale).round() >= field.high * field.scale
    fails = (value < field.low) | above
    if field.zero_is_missing:
        fails &= value != 0
    bounds = f"{field.low:,.15g} to " + ("" if field.high_included else "below ") + f"{field.high:,.15g} ({field.unit})"

    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {shown(row[field.name])} is outside {bounds}"

    return Check(fails, Reason.OUT_OF_RANGE, detail)


def _whole_check(field: Field) -> Check:
    """Of what is counted in ones a fraction is a mistake: rounded it would be another term, another series."""
    value = pl.col(field.name)

    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {shown(row[field.name])} is no whole number"

    return Check(value != value.floor(), Reason.OUT_OF_RANGE, detail)


def _choice_check(field: Field) -> Check:
    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {shown(row[field.name])} is none of {', '.join(field.choices)}"

    return Check(~pl.col(field.name).is_in(list(field.choices)), Reason.UNKNOWN_CHOICE, detail)


def _date_check(field: Field) -> Check:
    text = pl.col(field.name)
    day = text.str.to_date("%Y-%m-%d", strict=False)
    # The pattern too: to_date reads "2025- 1- 3".
    inside = day.is_between(pl.date(1990, 1, 1), pl.date(2099, 12, 31)) & text.str.contains(_DATE)

    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {shown(row[field.name])} is no date YYYY-MM-DD from 1990 to 2099"

    return Check(text.is_not_null() & ~inside.fill_null(value=False), Reason.BAD_DATE, detail)


def _is_bad_text(text: pl.Expr) -> pl.Expr:
    return (
        ~text.str.len_chars().is_between(1, streams.MAX_TEXT_CHARS)
        | text.str.contains(_CONTROL)
        | (text.str.strip_chars() != text)
    )


def _text_check(field: Field, fails: pl.Expr) -> Check:
    wanted = f"1 to {streams.MAX_TEXT_CHARS} characters, no control character, and no space around it"
    each = "each of " if field.kind is Kind.TEXTS else ""

    def detail(row: dict[str, Any]) -> str:
        return f"{each}{field.name} must have {wanted}, not {cut(repr(row[field.name]))}"

    return Check(fails, Reason.BAD_TEXT, detail)
