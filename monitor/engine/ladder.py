"""The tiers of one stream: bars by second, by 5 minutes and by New York day, each the exact sum of those below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import new_york_dates
from monitor.engine.bars.kind import PERIOD_SECONDS
from monitor.engine.recent import Recent
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from monitor.engine.bars.kind import BarKind

SECONDS, PERIODS, DAYS = "seconds", "periods", "days"
"""The tiers, as they are named in the bar log: `treasury_seconds` and so on."""

_LONGEST_CLIMB: Final = 32 * 86_400
_MOST_BARS: Final = 100_000
"""Of more bars those of so many seconds are summed at a time: bounds the memory of the first climb over a long past."""


class Ladder:
    """One stream's tiers.

    Args:
        kind: the stream's bars.
        hands_on_periods: whether `take_periods` is called.

    Attributes:
        days: bars of whole New York days, by day.
        until: all periods before this epoch second were summed; None before the first bar.
    """

    def __init__(self, kind: BarKind, *, hands_on_periods: bool = False) -> None:
        self._kind = kind
        self._handed_on: list[pl.DataFrame] | None = [] if hands_on_periods else None
        self._recent = Recent(kind.seconds, kind.keys, kind.kept_seconds)
        self._unsummed = pl.DataFrame(schema=kind.seconds)
        self._waiting: list[pl.DataFrame] = []
        self._open_days = pl.DataFrame(schema=kind.periods)
        self.days = pl.DataFrame(schema=kind.days)
        self.until: int | None = None
        self._new: dict[str, list[pl.DataFrame]] = {SECONDS: [], PERIODS: [], DAYS: []}

    def add(self, bars: pl.DataFrame) -> None:
        """Take in bars of seconds that are sealed."""
        if bars.height:
            self._recent.add(bars)
            self._waiting.append(bars)
            self._new[SECONDS].append(bars)

    def climb(self, upto: int) -> None:
        """Sum up all whole periods before an epoch second: no bar before it is still to come."""
        if self._waiting:
            self._unsummed = pl.concat([self._unsummed, *self._waiting])
            self._waiting.clear()
        if self.until is None:
            first = self._unsummed["second"].min()
            if not isinstance(first, int) or upto <= first:
                return  # another partition may still bring bars from `upto` on
            self.until = first - first % PERIOD_SECONDS
        while self.until + PERIOD_SECONDS <= upto:
            newest = self._unsummed["second"].max()
            if not isinstance(newest, int) or newest + self._kind.reach_seconds < self.until:
                # Nothing stands any more: the next bar begins anew.
                self._close_days(upto - upto % PERIOD_SECONDS)
                self.until = upto - upto % PERIOD_SECONDS
                return
            end = upto - upto % PERIOD_SECONDS
            if self._unsummed.height > _MOST_BARS:
                end = min(end, self.until + _LONGEST_CLIMB)
            self._sum(self.until, end)
            self.until = end

    def seconds(self, begin: int | None) -> pl.DataFrame:
        """Bars of seconds, for ticks from `begin` on; all that is known if it is None."""
        return self._recent.since(begin)

    def take_periods(self) -> pl.DataFrame:
        """The bars of periods that were summed since this was last asked."""
        periods: pl.DataFrame = pl.concat([pl.DataFrame(schema=self._kind.periods), *(self._handed_on or ())])
        if self._handed_on is not None:
            self._handed_on.clear()
        return periods

    def take_new(self) -> dict[str, pl.DataFrame]:
        """By tier, the rows that came since this was last asked."""
        new = {name: pl.concat(frames) for name, frames in self._new.items() if frames}
        for frames in self._new.values():
            frames.clear()
        return new

    def restore(self, seconds: pl.DataFrame, periods: pl.DataFrame, days: pl.DataFrame, until: int | None) -> None:
        """Go on from what an earlier process left: the rows of each tier, and `until`."""
        self._recent.add(seconds)
        self._hand_on(periods)
        self.days, self.until = days, until
        if until is None:
            self._unsummed = seconds
            return
        self._unsummed = seconds.filter(c("second") >= until - self._kind.reach_seconds)
        today = new_york_dates(pl.lit(until, pl.Int64) * MICROSECONDS_PER_SECOND)
        self._open_days = periods.filter(_date_of_period() >= today)

    def _sum(self, begin: int, end: int) -> None:
        bars = self._unsummed.filter(c("second") < end)
        periods = self._kind.to_periods(bars, begin, end)
        self._unsummed = self._unsummed.filter(c("second") >= end - self._kind.reach_seconds)
        if periods.height:
            self._open_days = pl.concat([self._open_days, periods])
            self._new[PERIODS].append(periods)
            self._hand_on(periods)
        self._close_days(end)

    def _hand_on(self, periods: pl.DataFrame) -> None:
        if self._handed_on is not None:
            self._handed_on.append(periods)

    def _close_days(self, end: int) -> None:
        if self._open_days.is_empty():
            return
        dated = self._open_days.with_columns(value_date=_date_of_period())
        is_over = c("value_date") < new_york_dates(pl.lit(end, pl.Int64) * MICROSECONDS_PER_SECOND)
        over = dated.filter(is_over)
        if over.height:
            days = self._kind.to_days(over)
            self.days = pl.concat([self.days, days])
            self._new[DAYS].append(days)
            self._open_days = dated.filter(~is_over).drop("value_date")


def _date_of_period() -> pl.Expr:
    return new_york_dates(c("period") * MICROSECONDS_PER_SECOND)
