"""Published series: which value stands at a tick, and until when it is believed.

A value is known from the tick at which it was published on, and counts from its effective date on, so one that is
announced for tomorrow, or dated wrongly, takes the place of no earlier one before that day. A later version of an
effective date is a revision of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.calendar import FIRST_DATE, LAST_DATE, NEW_YORK
from monitor.engine.tiers import EVER, REFERENCE_KEY
from monitor.signals.known import days_around, version_at
from monitor.signals.model import ROW_COLUMNS, Window, divided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

SEGMENT: Final = "credit"
DUE: Final = time(18)
"""New York time at which patience with a series ends: the releases of the day are out by then."""

STANDING_COLUMNS: Final[dict[str, pl.DataType]] = {"series": pl.String(), "value_e6": pl.Int64()}
"""What the rows of `Standing` carry after `ROW_COLUMNS`: the value in 1e-6 of the series' unit."""
_ROW: Final = "row_of_the_span"
_HAS_TENOR: Final = pl.any_horizontal(
    *(c("series").str.starts_with(prefix) & (c("series") != prefix) for prefix in streams.SERIES_PREFIX_UNITS)
)


def in_own_unit(value: pl.Expr) -> pl.Expr:
    """A value, or a difference of values, in the unit of its series.

    >>> pl.select(in_own_unit(pl.lit(74_000_000))).item()
    74.0
    """
    return divided(value, streams.UNITS_PER_ONE)


def held(tiers: Tiers) -> pl.DataFrame:
    """Every version of a value, from the tick at which it is known and in effect.

    Columns: `tick`, `series`, `effective_date`, `value_e6`; in the order of ticks, and in that of days within one.
    """

    def make() -> pl.DataFrame:
        key = ["tick", *REFERENCE_KEY]
        midnight = c("effective_date").dt.combine(time()).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
        # A value of before the calendar's first day holds no more, one of after its last does not hold yet.
        known = tiers.reference.filter(c("effective_date").is_between(FIRST_DATE, LAST_DATE))
        versions = known.with_columns(tick=pl.max_horizontal("tick", midnight))
        return versions.select(*key, "value_e6").unique(key, keep="last", maintain_order=True).sort(*key)

    return tiers.once("held", make, of=("reference",))


def standing(tiers: Tiers) -> pl.DataFrame:
    """The versions of `held` that stand from their tick on, until the next of their series: those of its newest day."""

    def make() -> pl.DataFrame:
        of_newest = c("effective_date") == c("effective_date").cum_max().over("series")
        return held(tiers).filter(of_newest).unique(["series", "tick"], keep="last", maintain_order=True)

    return tiers.once("standing", make, of=("reference",))


def spells(tiers: Tiers, series: Sequence[str], business_days: int) -> pl.DataFrame:
    """For each newest day of a series: what is awaited after it, and from when on that is overdue.

    Args:
        tiers: what is known.
        series: their names.
        business_days: after so many of the bond market, at 18:00 New York time, patience ends.

    Returns:
        `tick` (from which on the day is the newest), `series`, `newest`, `awaited` (the business day after it), `due`
        and `overdue` (the tick at which it is overdue; null where a newer day came before).
    """

    def make() -> pl.DataFrame:
        days = standing(tiers).filter(c("series").is_in(list(series)))
        first = days.unique(REFERENCE_KEY, keep="first", maintain_order=True)
        then = c("tick").shift(-1, fill_value=EVER).over("series")
        overdue = pl.max_horizontal("tick", "due")
        return (
            first.select("tick", "series", newest="effective_date", then=then)
            .join(_after(tiers.calendar, first["effective_date"], business_days), on="newest", maintain_order="left")
            .with_columns(overdue=pl.when(c("due").is_not_null() & (overdue < c("then"))).then(overdue))
            .drop("then")
        )

    return tiers.once(("spells of series", *series, business_days), make, of=("reference",))


def _after(calendar: MarketCalendar, dates: pl.Series, business_days: int) -> pl.DataFrame:
    """For each day (`newest`): the business day after it (`awaited`), and the tick when patience ends (`due`)."""
    days = days_around(calendar, dates, reach=2 * business_days + 10)
    following = c("bond_index") + c("bond_business_day").cast(pl.Int64)
    business = days.filter("bond_business_day")
    due = c("date").dt.combine(DUE).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
    return (
        days.filter(c("date").is_in(dates.implode()))
        .select(newest="date", following=following, last=following + business_days - 1)
        .join(business.select(following="bond_index", awaited="date"), on="following", how="left")
        .join(business.select(last="bond_index", due=due), on="last", how="left")
        .select("newest", "awaited", "due")
    )


def ticks_between(
    tiers: Tiers, window: Window, after: int, upto: int, changes: Callable[[], Iterable[pl.Series]]
) -> pl.Series:
    """The ticks in (after, upto] at which a window changes; all of them are found once a version of a value comes.

    Args:
        tiers: what is known.
        window: whose ticks they are.
        after: a tick.
        upto: a tick.
        changes: all ticks at which it ever does.
    """

    def make() -> pl.DataFrame:
        return pl.concat([each.alias("tick") for each in changes()]).drop_nulls().unique().sort().to_frame()

    ticks = tiers.once((window, "ticks"), make, of=("reference",))["tick"]
    first, last = (ticks.search_sorted(tick, side="right") for tick in (after, upto))
    return ticks.slice(first, last - first)


def values_between(tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
    """The values of a span of days, as they were known at a tick.

    Args:
        tiers: what is known.
        asked: `tick`, `series`, `first` and `last` (Date, both included), and whatever else names a row.

    Returns:
        The rows of `asked`, each as often as its series has days in its span by its tick, with `effective_date` and
        `value_e6`, in the order of the rows and of the days.
    """
    versions = held(tiers)
    days = asked.with_row_index(_ROW).drop_nulls(["first", "last"])
    spread = days.with_columns(effective_date=pl.date_ranges("first", "last")).explode(
        "effective_date", empty_as_null=False
    )
    ever = spread.join(versions.select(REFERENCE_KEY).unique(), on=REFERENCE_KEY, how="semi")
    found = version_at(ever, versions, REFERENCE_KEY).drop_nulls("value_e6")
    return found.sort(_ROW, "effective_date").drop(_ROW)


@dataclass(frozen=True)
class Standing(Window):
    """The value of each series' newest day; it stands until there is a newer one, or a revision of it.

    Attributes:
        prefix: of the series' names, with a tenor behind it; None: all series that have no signal of their own.
        own: series that have one.
        most: so many series at most, those that were known first; of one tick, by name.
    """

    prefix: str | None
    own: tuple[str, ...] = ()
    most: int = 5_000

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks at which a value of a newest day becomes known, or comes into effect."""
        return ticks_between(tiers, self, after, upto, lambda: [self._values(tiers)["tick"]])

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a series that has a new value at these ticks."""
        values = self._values(at.tiers).filter(c("tick").is_in(at.ticks.implode()))
        values = values.rename({"effective_date": "value_date"}).with_columns(blind=pl.lit(value=False))
        return values.select(*ROW_COLUMNS, *STANDING_COLUMNS)

    def _values(self, tiers: Tiers) -> pl.DataFrame:
        def make() -> pl.DataFrame:
            values = standing(tiers)
            if self.prefix is None:
                mine = values.filter(~_HAS_TENOR, ~c("series").is_in(list(self.own)))
            else:
                mine = values.filter(c("series").str.starts_with(self.prefix), c("series") != self.prefix)
            # In the order of ticks, and of names within one: as many as may be are the same whatever comes later.
            seen = mine.sort("tick", "series").unique("series", keep="first", maintain_order=True)
            return mine.join(seen.head(self.most).select("series"), on="series", how="semi", maintain_order="left")

        return tiers.once(self, make, of=("reference",))
