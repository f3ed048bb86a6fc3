"""What stood at the end of every minute: the Treasury mids that volatility, curves and stale quotes are read from.

Minutes are made of the bars of seconds and kept in memory for as long as a session is; a restart makes them again.
"""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor.engine.bars import treasury
from monitor.engine.bars.quotes import Standing

MINUTE_SECONDS: Final = 60
KEPT_SECONDS: Final = 11 * 3_600
"""A whole session, and more than an hour."""

_LONGEST_CLIMB: Final = 86_400
"""Bars of so many seconds are summed at a time: bounds the memory."""

_STOOD: Final = ("mid2_e9", "spread_e9")
_ATTRIBUTES: Final = ("tenor_e3", "on_the_run", "coupon_e6", "maturity")
TREASURY_MINUTE: Final[dict[str, pl.DataType]] = {
    "minute": pl.Int64(),  # its first second
    "instrument": pl.String(),
    "mid2_e9": pl.Int64(),
    "spread_e9": pl.Int64(),
    "signed_kusd": pl.Int64(),  # bought less sold in the minute
    "traded_kusd": pl.Int64(),
    "tenor_e3": pl.Int64(),
    "on_the_run": pl.Boolean(),
    "coupon_e6": pl.Int64(),
    "maturity": pl.Date(),
}
"""A row a (minute, instrument) at whose end a quote still stands, or in which something was said.

`mid2_e9` (bid + ask) and `spread_e9` are those of the instrument's newest quote in any partition at the minute's end:
null if it has no two sides, is crossed, or is older than its hold.
"""


class Minutes:
    """The minutes of the recent past.

    Bars may come in any order as long as none is of a minute that was summed.
    """

    def __init__(self) -> None:
        self._bars = pl.DataFrame(schema=treasury.TREASURY_SECOND)
        self._waiting: list[pl.DataFrame] = []
        self._rows = pl.DataFrame(schema=TREASURY_MINUTE)
        self._until: int | None = None
        self._frontier = 0

    def add(self, bars: pl.DataFrame) -> None:
        """Take in sealed bars of seconds."""
        if bars.height:
            self._waiting.append(bars)

    def upto(self, second: int, begin: int | None) -> pl.DataFrame:
        """All whole minutes before an epoch second.

        Args:
            second: no bar before it is still to come.
            begin: the first tick that will be looked at: minutes that only earlier ones need may be forgotten;
                None: all are kept.
        """
        if self._waiting:
            self._bars = pl.concat([self._bars, *self._waiting])
            self._waiting.clear()
        last = second - second % MINUTE_SECONDS
        newest = self._bars["second"].max()
        if isinstance(newest, int):
            last = min(last, newest + treasury.OFF_THE_RUN_HOLD_SECONDS + 2 * MINUTE_SECONDS)
            last -= last % MINUTE_SECONDS
            first = self._bars["second"].min()
            if self._until is None and isinstance(first, int) and first < last:
                self._until = first - first % MINUTE_SECONDS
            if begin is not None and self._until is not None:
                needed = begin - KEPT_SECONDS
                self._until = min(max(self._until, needed - needed % MINUTE_SECONDS), max(last, self._until))
        else:
            self._until = None  # nothing stands any more: the next bar begins anew
        while self._until is not None and self._until < last:
            end = min(last, self._until + _LONGEST_CLIMB)
            self._sum(self._until, end)
            first = self._bars["second"].min()
            if isinstance(first, int) and first > end:
                end = min(last, first - first % MINUTE_SECONDS)  # nothing stands any more before that
            self._until = end
        if begin is not None:
            self._forget_before(begin - KEPT_SECONDS)
        return self._rows

    def _sum(self, begin: int, end: int) -> None:
        reach = treasury.OFF_THE_RUN_HOLD_SECONDS + MINUTE_SECONDS
        bars = self._bars.filter(c("second").is_between(begin - reach, end, closed="left"))
        self._rows = pl.concat([self._rows, _minutes_of(bars, begin, end)])
        # Of what was summed only the newest quote of an issue may stand in a later minute.
        is_summed = c("second") < end
        stands = self._bars.filter(is_summed & (c("second") >= end - reach)).sort("second", "last_us", "partition")
        stands = stands.unique("instrument", keep="last", maintain_order=True)
        self._bars = pl.concat([stands, self._bars.filter(~is_summed)])

    def _forget_before(self, second: int) -> None:
        if second >= self._frontier + KEPT_SECONDS // 8:
            self._frontier = second
            self._rows = self._rows.filter(c("minute") >= second)


def _minutes_of(bars: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    """The minutes from `begin` to `end`, out of bars from the longest hold before it on."""
    if bars.is_empty():
        return pl.DataFrame(schema=TREASURY_MINUTE)
    keys = ["instrument", "second"]
    newest = bars
    if bars["partition"].n_unique() > 1:  # of one partition there is one bar an issue and second
        newest = bars.sort(*keys, "last_us", "partition").unique(keys, keep="last", maintain_order=True)
    standing = Standing(newest, ("instrument",), (), treasury.HOLD_US)
    minute_of_bar = c("second") - c("second") % MINUTE_SECONDS
    reach = -(-standing.longest_hold_us // (MINUTE_SECONDS * 1_000_000))
    after = pl.DataFrame({"after": pl.int_range(0, MINUTE_SECONDS * (reach + 1), MINUTE_SECONDS, eager=True)})
    touched = (
        standing.touched(minute_of_bar)
        .join(after, how="cross")
        .select("code", minute=c("period") + c("after"))
        .filter(c("minute").is_between(begin, end, closed="left"))
        .unique()
        .sort("code", "minute")
    )
    at_end = standing.at(
        touched.select("code", tick=c("minute") + MINUTE_SECONDS), (*_STOOD, *_ATTRIBUTES, "last_us", "hold_us")
    )
    stands = (touched["minute"] + MINUTE_SECONDS) * 1_000_000 - at_end["last_us"] <= at_end["hold_us"]
    said = (
        bars.filter(c("second").is_between(begin, end, closed="left"))
        .group_by("instrument", minute=minute_of_bar)
        .agg(c("signed_kusd", "traded_kusd").sum(), is_said=pl.lit(value=True))
    )
    rows = touched.with_columns(
        *(pl.when(stands).then(at_end[name]).alias(name) for name in _STOOD),
        *(at_end[name] for name in _ATTRIBUTES),
        stands=stands,
    ).join(standing.codes, on="code", maintain_order="left")
    return (
        rows.join(said, on=["minute", "instrument"], how="left", maintain_order="left")
        .filter("stands" | c("is_said").is_not_null())
        .with_columns(c("signed_kusd", "traded_kusd").fill_null(0))
        .sort("minute", "instrument")
        .select(*TREASURY_MINUTE)
    )
