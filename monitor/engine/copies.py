"""Whole-day copies: a feed that plays an earlier session again, under today's time.

Of every minute in which an issue was quoted a *mark* is kept, a number made of all that was said in it: the moments in
the minute, the last mid and spread, and the sums. A minute is *copied* if it has the mark that the same issue had at
the same time of day in one of the five days before. One such minute is no wonder where quotes stand still, so a copy
is only found where several issues that move repeat the same day, in more than one minute.
"""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor.calendar import NEW_YORK
from monitor.engine.bars import treasury
from monitor.engine.bars.quotes import area, length
from monitor.engine.minutes import MINUTE_SECONDS
from monitor.streams import MICROSECONDS_PER_SECOND

DAYS_BEFORE: Final = 5
LEAST_ISSUES: Final = 3
WINDOW_MINUTES: Final = 5
"""So many issues must repeat one and the same day within so many minutes, and in two of them at least."""
KEPT_DAYS: Final = DAYS_BEFORE + 1

MARK: Final[dict[str, pl.DataType]] = {
    "minute": pl.Int64(),
    "instrument": pl.String(),
    "value_date": pl.Date(),
    "minute_of_day": pl.Int64(),  # in New York
    "mark": pl.UInt64(),
    "mid2_e9": pl.Int64(),
    "is_telling": pl.Boolean(),  # stamps finer than a second, or sizes: that two days agree in them is no chance
}
COPIED: Final[dict[str, pl.DataType]] = {
    "minute": pl.Int64(),
    "instrument": pl.String(),
    "is_copied": pl.Boolean(),
}
"""A row a (minute, instrument) in which an issue was quoted, from the first copy on: whether it repeats itself."""

_KEPT_SECONDS: Final = 86_400
"""Copies are looked for within a session."""
_MIX: Final = 1_000_003
_SAID: Final = (
    "first_us", "last_us", "mid2_e9", treasury.SPREAD, "quotes", *(
        name for each in treasury.MEASURES for name in (area(each), length(each))
    ),
)  # fmt: skip


class Copies:
    """Finds copies as minutes come to their end."""

    def __init__(self) -> None:
        self._bars = pl.DataFrame(schema=treasury.TREASURY_SECOND)
        self._waiting: list[pl.DataFrame] = []
        self._marks = pl.DataFrame(schema=MARK)
        self._copied = pl.DataFrame(schema=COPIED)
        self._until: int | None = None
        self._new: list[pl.DataFrame] = []

    def add(self, bars: pl.DataFrame) -> None:
        """Take in sealed bars of seconds."""
        if bars.height:
            self._waiting.append(bars)

    def upto(self, second: int, begin: int | None) -> pl.DataFrame:
        """What is copied of the whole minutes before an epoch second, as `COPIED`.

        Args:
            second: no bar before it is still to come.
            begin: the first tick that will be looked at; None: any.
        """
        if self._waiting:
            self._bars = pl.concat([self._bars, *self._waiting])
            self._waiting.clear()
        end = second - second % MINUTE_SECONDS
        if self._bars.height and (self._until is None or end > self._until):
            done = c("second") < end
            marks = _marks_of(self._bars.filter(done))
            self._bars = self._bars.filter(~done)
            self._until = end
            if marks.height:
                self._take_in(marks)
        if begin is not None:
            first = self._copied["minute"].min()
            # Only when there is something to forget: who looks at the same frame again may keep what was made of it.
            if isinstance(first, int) and first < begin - _KEPT_SECONDS:
                self._copied = self._copied.filter(c("minute") >= begin - _KEPT_SECONDS)
        return self._copied

    def take_new(self) -> pl.DataFrame:
        """The marks that came since this was last asked, as `MARK`."""
        new = pl.concat([pl.DataFrame(schema=MARK), *self._new])
        self._new.clear()
        return new

    def restore(self, marks: pl.DataFrame, seconds: pl.DataFrame) -> None:
        """Go on from what an earlier process left.

        Args:
            marks: the rows that `take_new` gave.
            seconds: bars of seconds; those whose minutes have no marks yet are taken in again.
        """
        newest = marks["minute"].max()
        if isinstance(newest, int):
            self._until = newest + MINUTE_SECONDS
            seconds = seconds.filter(c("second") >= self._until)
            self._marks = pl.DataFrame(schema=MARK)
            self._take_in(marks)
            self._new.clear()
        self.add(seconds)

    def _take_in(self, marks: pl.DataFrame) -> None:
        self._new.append(marks)
        every = pl.concat([self._marks, marks])
        first: int = marks.select(c("minute").min()).item()
        copied = _copies_of(every, first - WINDOW_MINUTES * MINUTE_SECONDS).filter(c("minute") >= first)
        if self._copied.height or copied["is_copied"].any():
            self._copied = pl.concat([self._copied, copied])
        kept = every["value_date"].unique().sort().tail(KEPT_DAYS)
        self._marks = every.filter(c("value_date").is_in(kept.implode()))


def _marks_of(bars: pl.DataFrame) -> pl.DataFrame:
    """The marks of whole minutes, as `MARK`, by minute and issue; of what is no market there is none."""
    if bars.is_empty():
        return pl.DataFrame(schema=MARK)
    minute = c("second") - c("second") % MINUTE_SECONDS
    said = (
        bars.sort("instrument", "second", "last_us", "partition")
        .group_by("instrument", minute=minute, maintain_order=True)
        .agg(
            c("first_us").min(),
            c("last_us").max(),
            c("mid2_e9", treasury.SPREAD, treasury.DEPTH).last(),
            c("quotes").sum(),
            *(c(area(each), length(each)).sum() for each in treasury.MEASURES),
        )
        .filter(c("mid2_e9").is_not_null())
    )
    local = pl.from_epoch("minute").dt.replace_time_zone("UTC").dt.convert_time_zone(NEW_YORK)
    begin_us = c("minute") * MICROSECONDS_PER_SECOND
    marks = said.with_columns(
        value_date=local.dt.date(),
        minute_of_day=local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute(),
        is_telling=(c("last_us") % MICROSECONDS_PER_SECOND != 0) | c(treasury.DEPTH).is_not_null(),
        first_us=c("first_us") - begin_us,
        last_us=c("last_us") - begin_us,
    )
    mark = pl.lit(0, pl.UInt64)
    for name in _SAID:
        mark = mark * _MIX + c(name).cast(pl.Int64).reinterpret(signed=False)  # wraps around, as it should
    return marks.with_columns(mark=mark).select(*MARK).sort("minute", "instrument")


def _copies_of(marks: pl.DataFrame, begin: int) -> pl.DataFrame:
    """Which of the marked minutes from `begin` on are copies, as `COPIED`."""
    days = marks.select(c("value_date").unique().sort()).with_row_index("day").with_columns(c("day").cast(pl.Int64))
    is_new = c("minute") >= begin
    dates, minutes = (marks.filter(is_new)[name].unique().implode() for name in ("value_date", "minute_of_day"))
    moved = (c("mid2_e9") != c("mid2_e9").shift(1)).over("instrument", "value_date").fill_null(value=True)
    new = (
        marks.filter(c("value_date").is_in(dates))
        .sort("instrument", "minute")
        .with_columns(has_moved=moved)
        .filter(is_new)
        .join(days, on="value_date")
    )
    # Only what stood at the same minutes of the day can be the same.
    earlier = marks.filter(c("minute_of_day").is_in(minutes)).join(days.rename({"day": "of"}), on="value_date")
    same = ["instrument", "minute_of_day", "mark"]
    matches = new.join(earlier.select(*same, "of"), on=same).filter(
        c("of").is_between(c("day") - DAYS_BEFORE, c("day") - 1)
    )
    back = pl.DataFrame({"after": pl.int_range(0, WINDOW_MINUTES * MINUTE_SECONDS, MINUTE_SECONDS, eager=True)})
    found = (
        matches.filter("has_moved", "is_telling")
        .join(back, how="cross")
        .group_by("of", minute=c("minute") + c("after"))
        .agg(issues=c("instrument").n_unique(), minutes=c("minute").n_unique())
        .filter(c("issues") >= LEAST_ISSUES, c("minutes") > 1)
    )
    copied = matches.join(found, on=["of", "minute"]).select("minute", "instrument").unique()
    return (
        new.select("minute", "instrument")
        .join(copied.with_columns(is_copied=pl.lit(value=True)), on=["minute", "instrument"], how="left")
        .with_columns(c("is_copied").fill_null(value=False))
        .sort("minute", "instrument")
    )
