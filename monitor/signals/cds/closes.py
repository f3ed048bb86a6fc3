"""The closes of CDS names: the last mid of each business day, and what today's is compared with.

A *close* is the last mid of an entity and tenor on a New York business day; one side alone and crossed sides make none,
and a quote that merely stood overnight is not said again.

The *base* of a day is the median of the newest 20 admitted closes of the 80 business days before it. A day is not
admitted if its close was past the warning of its own base; after 60 business days it is let in after all, as the new
normal. Unfrozen, the base would swallow the crisis: after ten days of it the widening would be halved. Whether a day
is admitted follows from the closes before it alone, so a live run, which learns of one day after the other, finds what
a replay of all of them finds.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.engine.bars import cds
from monitor.signals.known import days_around

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from monitor.engine.tiers import Tiers

BASE_CLOSES: Final = 20
"""A base is made of so many admitted closes at most."""
FROZEN_DAYS: Final = 60
"""For so many business days what was not admitted is kept out."""
LEAST_CLOSES: Final = 10
"""With fewer there is no base."""
REACH_DAYS: Final = FROZEN_DAYS + BASE_CLOSES
"""A base, and a change, looks back so many business days at most."""

UNITS2_PER_BP: Final = 2 * streams.UNITS_PER_BP
"""Of bid + ask: the mid is half of it."""
UNITS4_PER_BP: Final = 2 * UNITS2_PER_BP
"""Of the sum of two such: a median may be half of it."""

INDEX_WARNING_BP, INDEX_EXIT_BP = 12, 8
"""An index so far above its base leaves calm."""
NAME_WARNING_BP, NAME_WARNING_PERCENT = 15, 25
NAME_EXIT_BP, NAME_EXIT_PERCENT = 10, 15
"""A name must be past both."""

CLOSE: Final[dict[str, pl.DataType]] = {
    "value_date": pl.Date(),
    "bond_index": pl.Int64(),  # which business day it is: they are counted without gaps
    "entity": pl.String(),
    "tenor_e3": pl.Int64(),
    "mid2_e6": pl.Int64(),
    "index": pl.Boolean(),
    "index_series": pl.Int64(),
    "themes": pl.List(pl.String()),
}
ASKED: Final[dict[str, pl.DataType]] = {
    "entity": pl.String(),
    "tenor_e3": pl.Int64(),
    "bond_index": pl.Int64(),
}
"""A business day of an entity and tenor, or the first after a day that is none."""


def closes(tiers: Tiers) -> pl.DataFrame:
    """The closes, as `CLOSE`, with `is_refused`, by entity, tenor and day."""
    return tiers.once("closes", lambda: _closes(tiers), of=("cds_days",))


def newest_closes(tiers: Tiers) -> pl.DataFrame:
    """The same, as far back as any look does from a day after the newest."""

    def make() -> pl.DataFrame:
        every = closes(tiers)
        return every.filter(c("bond_index") > c("bond_index").max() - REACH_DAYS)

    return tiers.once("newest closes", make, of=("cds_days",))


def looked_back_on(tiers: Tiers, first: date) -> pl.DataFrame:
    """The closes for days from `first` on: a live tick, which is after them all, wants only the newest."""
    newest = newest_closes(tiers)
    last = newest["value_date"].max()
    return newest if last is None or first > last else closes(tiers)  # type: ignore[operator]  # of a Date column


def business_days(tiers: Tiers, dates: pl.Series) -> pl.DataFrame:
    """`value_date` and its `bond_index`; a day that is no business day has that of the next one."""
    days = days_around(tiers.calendar, dates, reach=0)
    return days.select("bond_index", "bond_business_day", "midnight", value_date="date")


def _closes(tiers: Tiers) -> pl.DataFrame:
    names = list(cds.NAMES)
    rows = tiers.cds_days.filter(c("mid2_e6").is_not_null(), c("quotes") > 0)
    days = business_days(tiers, rows["value_date"]).filter("bond_business_day")
    rows = (
        rows.sort("value_date", *names, "last_us", "partition")
        .unique(["value_date", *names], keep="last", maintain_order=True)
        .join(days, on="value_date", maintain_order="left")
        .with_columns(c("index").fill_null(value=False))
        .select(*CLOSE)
        .sort(*names, "bond_index")
    )
    refused = [is_refused for series in _series_of(rows) for is_refused in _walked(series)]
    return rows.with_columns(pl.Series("is_refused", refused, pl.Boolean))


class _Series:
    """The closes of one entity and tenor, by day."""

    def __init__(self, key: tuple[str, int], rows: pl.DataFrame) -> None:
        self.key = key
        self.days: list[int] = rows["bond_index"].to_list()
        self.mids2: list[int] = rows["mid2_e6"].to_list()
        self.is_index: list[bool] = rows["index"].to_list()
        self.refused: list[bool] = []
        self._newest_refused = -1
        if "is_refused" in rows.columns:
            for is_refused in rows["is_refused"].to_list():
                self.refuse(is_refused=is_refused)

    def refuse(self, *, is_refused: bool) -> None:
        """Say of the next close whether its day is not admitted."""
        if is_refused:
            self._newest_refused = len(self.refused)
        self.refused.append(is_refused)

    def base(self, day: int) -> tuple[int | None, int]:
        """Twice the median of the admitted closes before a day, in units of `mid2_e6`, and how many they are."""
        end = bisect_right(self.days, day - 1)
        begin = end - BASE_CLOSES
        if begin > self._newest_refused and day - self.days[begin] <= REACH_DAYS:
            found = self.mids2[begin:end]  # nothing is kept out: as nearly always
        else:
            found = self._admitted(day, end)
        if len(found) < LEAST_CLOSES:
            return None, len(found)
        found.sort()
        return found[(len(found) - 1) // 2] + found[len(found) // 2], len(found)

    def _admitted(self, day: int, end: int) -> list[int]:
        """The newest of the first so many closes that are admitted on a day."""
        found: list[int] = []
        for at in range(end - 1, -1, -1):
            age = day - self.days[at]
            if age > REACH_DAYS or len(found) == BASE_CLOSES:
                break
            if age > FROZEN_DAYS or not self.refused[at]:
                found.append(self.mids2[at])
        return found


def _series_of(rows: pl.DataFrame) -> Iterator[_Series]:
    """The series of closes that are sorted by entity, tenor and day."""
    firsts = rows.select(pl.struct(cds.NAMES).is_first_distinct().arg_true()).to_series().to_list()
    for begin, end in pairwise([*firsts, rows.height]):
        entity, tenor_e3 = rows.row(begin)[2:4]
        yield _Series((entity, tenor_e3), rows[begin:end])


def _walked(series: _Series) -> list[bool]:
    """Which days are not admitted, each by the days before it: from one past the warning to one past its exit."""
    is_refused = False
    for day, mid2, is_index in zip(series.days, series.mids2, series.is_index, strict=True):
        median4, _ = series.base(day)
        if median4 is None:
            is_refused = False
        elif is_refused:
            is_refused = not has_calmed(2 * mid2 - median4, median4, is_index=is_index)
        else:
            is_refused = is_disturbed(2 * mid2 - median4, median4, is_index=is_index)
        series.refuse(is_refused=is_refused)
    return series.refused


def is_disturbed(widening4: int, median4: int, *, is_index: bool) -> bool:
    """Whether a close is so far above its base (both in units of `mid2_e6` / 2) that its day is kept out."""
    if is_index:
        return widening4 >= INDEX_WARNING_BP * UNITS4_PER_BP
    return widening4 >= NAME_WARNING_BP * UNITS4_PER_BP and 100 * widening4 >= NAME_WARNING_PERCENT * median4


def has_calmed(widening4: int, median4: int, *, is_index: bool) -> bool:
    """Whether a close, in the same units, is strictly past the exit of the warning that kept days out."""
    if is_index:
        return widening4 < INDEX_EXIT_BP * UNITS4_PER_BP
    return widening4 < NAME_EXIT_BP * UNITS4_PER_BP or 100 * widening4 < NAME_EXIT_PERCENT * median4


def bases_of(before: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """The bases of days.

    Args:
        before: closes, as `closes` gives them.
        asked: as `ASKED`, distinct.

    Returns:
        The rows of `asked` with `median4_e6` (four times the median mid, 1e-6 bp; null: too few closes).
    """
    own = before.join(
        asked.select("entity", "tenor_e3").unique(), on=list(cds.NAMES), how="semi", maintain_order="left"
    )
    series = {each.key: each for each in _series_of(own)}
    medians = [
        series[entity, tenor_e3].base(day)[0] if (entity, tenor_e3) in series else None
        for entity, tenor_e3, day in asked.select(*ASKED).iter_rows()
    ]
    return asked.with_columns(pl.Series("median4_e6", medians, pl.Int64))


# The last time that it was as high.


def firsts_of(tiers: Tiers) -> pl.DataFrame:
    """The first close that is known of each entity and tenor: `first_date`, and its `first_index`."""

    def make() -> pl.DataFrame:
        firsts = closes(tiers).unique(cds.NAMES, keep="first", maintain_order=True)
        return firsts.select(*cds.NAMES, first_date="value_date", first_index="bond_index")

    return tiers.once("first closes", make, of=("cds_days",))


def _records(tiers: Tiers) -> pl.DataFrame:
    """The closes that no later one reaches: from a day after them all, no other was the last of its height."""

    def make() -> pl.DataFrame:
        reached = c("mid2_e6").cum_max(reverse=True).shift(-1).over(cds.NAMES)
        return closes(tiers).filter(reached.is_null() | (c("mid2_e6") > reached))

    return tiers.once("records", make, of=("cds_days",))


def last_as_high(tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
    """The newest close before a day that is at or above a mid.

    Args:
        tiers: what is known.
        asked: `value_date`, `mid2_e6`, and the columns of `ASKED`; distinct.

    Returns:
        The rows of `asked`, in some order, with `as_high` (Date; null: none that is known).
    """
    records = _records(tiers)
    first, last = asked["value_date"].min(), records["value_date"].max()
    is_after_all = last is None or (first is not None and first > last)  # type: ignore[operator]  # of Date columns
    known = records if is_after_all else closes(tiers)
    names = list(cds.NAMES)
    known = known.join(asked.select(names).unique(), on=names, how="semi", maintain_order="left")
    closed: dict[tuple[str, int], list[tuple[int, int, date]]] = {}
    for entity, tenor_e3, *close in known.select(*names, "bond_index", "mid2_e6", "value_date").iter_rows():
        closed.setdefault((entity, tenor_e3), []).append((close[0], close[1], close[2]))
    rows = asked.sort(*names, "bond_index")
    found: list[date | None] = []
    for key, queries in rows.group_by(names, maintain_order=True):
        closed_of = closed.get((str(key[0]), key[1]), [])
        found += _as_high(closed_of, queries.select("bond_index", "mid2_e6").rows())
    return rows.with_columns(pl.Series("as_high", found, pl.Date))


def _as_high(known: Sequence[tuple[int, int, date]], queries: Sequence[tuple[int, int]]) -> Iterator[date | None]:
    """For each query (day, height), by day: the date of the newest (day, height, date) before it that reaches it."""
    # Of the closes so far those that no later one reaches: falling heights, negated to be searched.
    heights: list[int] = []
    dates: list[date] = []
    at = 0
    for day, height in queries:
        while at < len(known) and known[at][0] < day:
            while heights and -heights[-1] <= known[at][1]:
                heights.pop()
                dates.pop()
            heights.append(-known[at][1])
            dates.append(known[at][2])
            at += 1
        place = bisect_right(heights, -height)
        yield dates[place - 1] if place else None
