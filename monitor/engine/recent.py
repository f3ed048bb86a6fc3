"""The rows of the recent past: what windows may still look at, and of what is older the last of each series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_CHUNKS: Final = 32
"""Each pass over a frame costs a little for every piece that it lies in memory in."""


class Recent:
    """Bars in the order in which they were sealed, forgotten when they are old.

    Args:
        shape: columns and their types; `second` among them.
        series: columns that name a series.
        kept_seconds: how far back of the first tick rows are kept.
    """

    def __init__(self, shape: dict[str, pl.DataType], series: Sequence[str], kept_seconds: int) -> None:
        self._series = list(series)
        self._kept_seconds = kept_seconds
        self._old = pl.DataFrame(schema=shape)
        self._rows = pl.DataFrame(schema=shape)
        self._new: list[pl.DataFrame] = []
        self._frontier: int | None = None

    def add(self, bars: pl.DataFrame) -> None:
        """Take in sealed bars."""
        if bars.height:
            self._new.append(bars)

    def since(self, begin: int | None) -> pl.DataFrame:
        """The rows that ticks from `begin` on may look at, by second; all that is known if it is None.

        What is older than `begin` less `kept_seconds` may be forgotten, except the last second of each series.
        """
        if self._new:
            self._take_in(pl.concat(self._new).sort("second", *self._series))
            self._new.clear()
        if begin is not None:
            self._forget_before(begin - self._kept_seconds)
        return pl.concat([self._old, self._rows]) if self._old.height else self._rows

    def _take_in(self, new: pl.DataFrame) -> None:
        """Adds bars that are sorted: to the end, if they are newer than all others, as nearly always."""
        newest, first = self._rows["second"].max(), new["second"].min()
        is_next = isinstance(newest, int) and isinstance(first, int) and newest < first
        self._rows = pl.concat([self._rows, new])
        if not is_next:
            self._rows = self._rows.sort("second", *self._series)
        elif self._rows.n_chunks() > _MOST_CHUNKS:
            self._rows = self._rows.rechunk()

    def _forget_before(self, second: int) -> None:
        # Not at every tick: a pass over all rows is dear, and nothing depends on when it is done.
        if self._frontier is not None and second < self._frontier + self._kept_seconds // 8:
            return
        self._frontier = second
        is_old = c("second") < second
        passing = self._rows.filter(is_old)
        if passing.height:
            old = pl.concat([self._old, passing])
            newest = c("second") == c("second").max().over(self._series)
            self._old = old.filter(newest).sort("second", *self._series)
            self._rows = self._rows.filter(~is_old)
