"""Which thresholds are in force for a value: its label set's row, on its value date's calendar flags."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.alerts.levels import RULE_COLUMNS
from monitor.calendar import EVENT, FIRST_DATE, LAST_DATE
from monitor.results import Level, ThresholdInForce

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitor.calendar import MarketCalendar
    from monitor.signals.model import Signal
    from monitor.signals.thresholds import ThresholdRow


def with_rules(values: pl.DataFrame, signal: Signal, calendar: MarketCalendar) -> pl.DataFrame:
    """The values of a signal with `RULE_COLUMNS`; null rules where no threshold row applies."""
    values = values.join(_flags(values["value_date"], calendar), on="value_date", how="left", maintain_order="left")
    is_event = calendar.is_event(values["tick"]) & ~values["by_print"]  # a print is of a day, not of a moment
    event = pl.select(pl.when(is_event).then(pl.lit(EVENT)).otherwise(pl.lit(""))).to_series()
    values = values.with_columns(flags=event + c("flags").fill_null(""))
    used = values.select("row", "flags", "by_print").unique().drop_nulls("row")
    rows = {row.id: row for row in signal.thresholds}
    rules = [
        (row, flags, by_print, *_numbers(rows[row], flags, by_print=by_print))
        for row, flags, by_print in used.iter_rows()
    ]
    shape = {"row": pl.String(), "flags": pl.String(), "by_print": pl.Boolean()}
    numbers = {name: kind for name, kind in RULE_COLUMNS.items() if name != "row"}
    table = pl.DataFrame(rules, schema=shape | numbers, orient="row")
    return values.join(table, on=list(shape), how="left", maintain_order="left").drop("flags")


def in_force(signals: Iterable[Signal], flags: str) -> Iterator[ThresholdInForce]:
    """Every threshold as it holds on a value date with these calendar flags."""
    for signal in signals:
        for row in signal.thresholds:
            enters = row.enters(flags)
            levels = ((Level.WARNING, enters[0], row.warning), (Level.CRITICAL, enters[1], row.critical))
            for level, enter, edge in levels:
                if enter is not None and edge is not None:
                    yield ThresholdInForce(signal.name, row.id, level.word, "enter", enter)
                    yield ThresholdInForce(signal.name, row.id, level.word, "exit", edge.exit)


def _numbers(row: ThresholdRow, flags: str, *, by_print: bool) -> tuple[int | float | None, ...]:
    wait_in, wait_out = (hold.prints - 1 if by_print else hold.seconds for hold in (row.hold_in, row.hold_out))
    warning, critical = row.enters(flags)
    edges = (
        row.calm,
        warning,
        row.warning.exit if row.warning else None,
        critical,
        row.critical.exit if row.critical else None,
    )
    return (row.sign, *(None if edge is None else float(edge) * row.sign for edge in edges), wait_in, wait_out)


def _flags(dates: pl.Series, calendar: MarketCalendar) -> pl.DataFrame:
    first, last = dates.min(), dates.max()
    if not isinstance(first, date) or not isinstance(last, date):
        first = last = FIRST_DATE
    days = calendar.days(max(first, FIRST_DATE), min(last, LAST_DATE))
    return days.select("flags", value_date="date")
