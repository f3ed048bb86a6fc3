"""What was known at a tick, about a day: lookups in two times at once.

A reference rate holds from its effective date; a benchmark is for its value date; and each is known only from
the tick at which it took effect. A replay that looks at all ticks at once must see at each no more than the
live run saw then.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import DAYS_SCHEMA, FIRST_DATE, LAST_DATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers

IORB, TARGET_UPPER = "IORB", "TARGET_UPPER"
"""The reference series that repo rates are compared with."""

_ROW: Final = "row_of_the_asker"


def compared_with(tiers: Tiers) -> pl.DataFrame:
    """The versions of the reference series that repo rates are compared with, in the order of ticks."""
    return tiers.reference.filter(c("series").is_in([IORB, TARGET_UPPER]))


def in_force(asked: pl.DataFrame, reference: pl.DataFrame, series: str, alias: str) -> pl.DataFrame:
    """The value of a reference series in force on each row's day, as known at each row's tick.

    Args:
        asked: has `tick` (Int64 epoch seconds) and `value_date` (Date).
        reference: versions as in `Tiers.reference`.
        series: for example `IORB`.
        alias: the new column: Int64 in 1e-6 of the series' unit; null where nothing was known.

    Returns:
        `asked` in its own order, with the column.

    On 2020-03-16 the rate cut of the 15th was known: the spread of that day is to the new rate.
    """
    versions = (
        reference.filter(c("series") == series)
        .sort("effective_date", "tick")
        .select("effective_date", since="tick", found="value_e6")
    )
    rows = asked.with_row_index(_ROW)
    newest = rows.select(_ROW, "tick", "value_date").sort("value_date")
    newest = newest.join_asof(versions, left_on="value_date", right_on="effective_date")
    hit = c("since") <= c("tick")
    # Nearly always the newest version for the day was known by then; if not, every older one is looked at.
    missed = newest.filter(~hit).select(_ROW, "tick", "value_date")
    older = (
        missed.join_where(versions, c("effective_date") <= c("value_date"), c("since") <= c("tick"))
        .sort("effective_date", "since")
        .group_by(_ROW)
        .agg(c("found").last())
    )
    found = pl.concat([newest.filter(hit).select(_ROW, "found"), older])
    return rows.join(found.rename({"found": alias}), on=_ROW, how="left", maintain_order="left").drop(_ROW)


def version_at(asked: pl.DataFrame, versions: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Each row with the version of its key that was the latest at its tick; null columns where none was known.

    Args:
        asked: has `tick` and the key's columns.
        versions: has `tick`, the key's columns, and what to add, in the order of ticks.
        key: the columns that name a thing that has versions.
    """
    rows = asked.with_row_index(_ROW).sort("tick")
    found = rows.join_asof(versions.sort("tick"), on="tick", by=list(key), check_sortedness=False)
    return found.sort(_ROW).drop(_ROW)


def days_around(calendar: MarketCalendar, dates: pl.Series, reach: int = 10) -> pl.DataFrame:
    """The calendar's days (as `MarketCalendar.days`) from `reach` days before the dates to `reach` after them."""
    first, last = dates.min(), dates.max()
    if not isinstance(first, date) or not isinstance(last, date):
        return pl.DataFrame(schema=DAYS_SCHEMA)
    around = timedelta(days=reach)
    return calendar.days(max(FIRST_DATE, first - around), min(LAST_DATE, last + around))


def trailing_days(calendar: MarketCalendar, dates: pl.Series, count: int) -> pl.DataFrame:
    """The SOFR business days before each date.

    Args:
        calendar: the market calendar.
        dates: in any order, repeated or not.
        count: how many business days back.

    Returns:
        `of` (one of the dates), `value_date` (a business day before it), `days_before` (1 to count).
    """
    days = days_around(calendar, dates, reach=2 * count + 10)
    business = days.filter("sofr_business_day").select("sofr_index", value_date="date")
    asked = days.filter(c("date").is_in(dates.implode())).select("sofr_index", of="date")
    back = pl.DataFrame({"days_before": range(1, count + 1)}, schema={"days_before": pl.Int64()})
    return (
        asked.join(back, how="cross")
        .with_columns(sofr_index=c("sofr_index") - c("days_before"))
        .join(business, on="sofr_index")
        .select("of", "value_date", "days_before")
    )
