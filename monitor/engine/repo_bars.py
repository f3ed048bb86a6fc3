"""Repo trades to bars: the exact volume by rate of every second, so that percentiles merge over any window."""

from __future__ import annotations

from collections import deque
from typing import Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.engine.watermark import NEVER_US, Watermark
from monitor.streams import MICROSECONDS_PER_SECOND

REPO_BAR: Final[dict[str, pl.DataType]] = {
    "second": pl.Int64(),  # the second that the bar is of, epoch
    "instrument": pl.String(),
    "segment": pl.String(),  # where it was traded; null if the feed does not say
    "rate_e6": pl.Int64(),
    "volume_kusd": pl.Int64(),  # of the trades that say one
    "trades": pl.Int64(),
}
"""A row a (second, instrument, segment, rate): integers only, so sums do not depend on their order."""

IDS_REMEMBERED: Final = 1_000_000
"""A producer's own doubles are found within this many of its latest ids, a partition."""


def is_overnight_trade() -> pl.Expr:
    """True for the trades that count: not a published benchmark, and of one day's term."""
    return (c("kind") == streams.REPO_TRADE) & (c("term_days") == 1)


class RepoSealer:
    """Turns one partition's trades into bars, each second once, when the partition's watermark has passed it."""

    def __init__(self, lateness_us: int) -> None:
        self.watermark = Watermark(lateness_us)
        self._open = pl.DataFrame(schema=REPO_BAR)
        self._ids: set[str] = set()
        self._ids_in_order: deque[str] = deque()

    def push(self, events: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """The bars that these trades seal, and how many trades were too late to count.

        Args:
            events: decoded overnight trades of this partition, in the order of the log.
        """
        events = events.filter(self._first_of_its_id(events["id"]))
        on_time = self.watermark.admit(events["ts_us"])
        fresh = events.filter(on_time).select(
            "instrument",
            "segment",
            "rate_e6",
            c("volume_kusd").fill_null(0),
            second=c("ts_us") // MICROSECONDS_PER_SECOND,
            trades=pl.lit(1, pl.Int64),
        )
        self._open = pl.concat([self._open, fresh.select(*REPO_BAR)])
        return self._seal(self.watermark.sealed_before), events.height - fresh.height

    def finish(self) -> pl.DataFrame:
        """The bars of the seconds still open, at the end of the input."""
        return self._seal(None)

    def _seal(self, before: int | None) -> pl.DataFrame:
        done = pl.lit(value=True) if before is None else c("second") < before
        sealed = self._open.filter(done)
        self._open = self._open.filter(~done)
        return merge_bars(sealed)

    def _first_of_its_id(self, ids: pl.Series) -> pl.Series:
        """Whether a trade has no id, or the first of its id among the latest of this partition."""
        if ids.null_count() == ids.len():
            return pl.repeat(value=True, n=ids.len(), dtype=pl.Boolean, eager=True)
        return pl.Series([i is None or self._is_new(i) for i in ids.to_list()], dtype=pl.Boolean)

    def _is_new(self, trade_id: str) -> bool:
        # Trade by trade, so that what is remembered does not depend on how the log is cut into batches.
        if trade_id in self._ids:
            return False
        if len(self._ids) == IDS_REMEMBERED:
            self._ids.remove(self._ids_in_order.popleft())
        self._ids.add(trade_id)
        self._ids_in_order.append(trade_id)
        return True

    @property
    def started(self) -> bool:
        """Whether a trade has ever come."""
        return self.watermark.value_us != NEVER_US


def merge_bars(bars: pl.DataFrame, *, by: str = "second") -> pl.DataFrame:
    """One row a (second or coarser period, instrument, segment, rate): the exact sum of disjoint seconds."""
    keys = [by, "instrument", "segment", "rate_e6"]
    return bars.group_by(keys).agg(c("volume_kusd", "trades").sum()).sort(keys)
