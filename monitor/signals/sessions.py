"""Sessions around ticks: in which one a tick lies, and when patience with a silence ends."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import FIRST_DATE, LAST_DATE, new_york_dates
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar

_LONGEST_CLOSURE: Final = timedelta(days=10)
"""No two sessions are farther apart."""


def new_york_date(second: pl.Expr) -> pl.Expr:
    """The New York date of an epoch second, within what the calendar knows."""
    return new_york_dates(second * MICROSECONDS_PER_SECOND).clip(FIRST_DATE, LAST_DATE)


def sessions(calendar: MarketCalendar, ticks: pl.Series) -> pl.DataFrame:
    """The day of each tick, and its session.

    Args:
        calendar: the market calendar.
        ticks: epoch seconds, in any order, repeated or not.

    Returns:
        A row a distinct tick: `tick`, `value_date`, `midnight`, `session_start`, `session_end` (epoch seconds; null
        on a day without one), `next_start`: the start of the first session of a later day.
    """
    rows = pl.DataFrame({"tick": ticks.unique()}).with_columns(value_date=new_york_date(c("tick")))
    first, last = rows["value_date"].min(), rows["value_date"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        first = last = FIRST_DATE
    days = calendar.days(first, min(LAST_DATE, last + _LONGEST_CLOSURE)).select(
        "midnight",
        "session_start",
        "session_end",
        next_start=c("session_start").backward_fill().shift(-1),
        value_date="date",
    )
    return rows.join(days, on="value_date", how="left")


def is_open() -> pl.Expr:
    """Whether `tick` lies in its session; the end of a session does not."""
    return ((c("tick") >= c("session_start")) & (c("tick") < c("session_end"))).fill_null(value=False)


def session_starts(calendar: MarketCalendar, quoted: pl.DataFrame, after: int) -> pl.Series:
    """When an issue is given up: the start of the session so many after the one in which it was quoted last.

    An issue that matures before is given up at the start of the first session after its maturity.

    Args:
        calendar: the market calendar.
        quoted: `value_date` (when it was quoted last) and `maturity` (Date, or null).
        after: how many sessions later.

    Returns:
        Epoch seconds, a row each.
    """
    first, last = quoted["value_date"].min(), quoted["value_date"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        first = last = FIRST_DATE
    reach = timedelta(days=2 * after) + _LONGEST_CLOSURE
    days = calendar.days(first, min(LAST_DATE, last + reach)).select("date", "bond_index", "session_start")
    starts = days.drop_nulls("session_start").sort("bond_index")
    asked = quoted.select("value_date", "maturity").join(
        days.select("bond_index", value_date="date"), on="value_date", how="left", maintain_order="left"
    )
    silent = asked.select(bond_index=c("bond_index") + after).join(
        starts, on="bond_index", how="left", maintain_order="left"
    )
    matured = (
        # What is quoted after its maturity all the same is given up as if it had matured on that day.
        asked.select(date=pl.when(c("maturity").is_not_null()).then(pl.max_horizontal("maturity", "value_date")))
        .with_columns(c("date") + timedelta(days=1))
        .with_row_index("place")
        .sort("date")
        .join_asof(starts, on="date", strategy="forward", check_sortedness=False)
        .sort("place")
    )
    return pl.select(pl.min_horizontal(silent["session_start"], matured["session_start"])).to_series()


def due_after(since: pl.Expr, patience: pl.Expr) -> pl.Expr:
    """The tick at which patience with a silence ends, on a clock that stands still outside sessions.

    Args:
        since: epoch second from which on there is silence; `sessions` of its day stand in the same row.
        patience: seconds, fewer than the shortest session has; what is not used up at its end is left for the next.
    """
    today = pl.max_horizontal(since, c("session_start")) + patience
    used = (c("session_end") - pl.max_horizontal(since, c("session_start"))).clip(0).fill_null(0)
    return (
        pl.when((today < c("session_end")).fill_null(value=False))
        .then(today)
        .otherwise(c("next_start") + patience - used)
    )
