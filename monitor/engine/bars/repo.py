"""Repo trades to bars: the exact volume by rate of every second, so that percentiles merge over any window."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.engine.bars.kind import PERIOD_SECONDS, BarKind, period_of
from monitor.streams import REPO as CONTRACT

_INT: Final = pl.Int64()
_RATES: Final[dict[str, pl.DataType]] = {
    "instrument": pl.String(),
    "segment": pl.String(),  # where it was traded; null if the feed does not say
    "rate_e6": _INT,
    "volume_kusd": _INT,  # of the trades that say one
    "trades": _INT,
}
REPO_BAR: Final[dict[str, pl.DataType]] = {"second": _INT} | _RATES
"""A row a (second, instrument, segment, rate): integers only, so sums do not depend on their order."""
REPO_PERIOD: Final[dict[str, pl.DataType]] = {"period": _INT} | _RATES
REPO_DAY: Final[dict[str, pl.DataType]] = {"value_date": pl.Date()} | _RATES


def merge_bars(bars: pl.DataFrame, *, by: str = "second") -> pl.DataFrame:
    """One row a (second or coarser period, instrument, segment, rate): the exact sum of disjoint seconds."""
    keys = [by, "instrument", "segment", "rate_e6"]
    return bars.group_by(keys).agg(c("volume_kusd", "trades").sum()).sort(keys)


def _to_seconds(events: pl.DataFrame) -> pl.DataFrame:
    trades = events.with_columns(c("volume_kusd").fill_null(0), trades=pl.lit(1, _INT))
    return merge_bars(trades).select(*REPO_BAR)


def _to_periods(bars: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    inside = bars.filter(c("second").is_between(begin, end, closed="left"))
    return merge_bars(inside.with_columns(period=period_of(c("second"))), by="period").select(*REPO_PERIOD)


def _to_days(periods: pl.DataFrame) -> pl.DataFrame:
    return merge_bars(periods, by="value_date").select(*REPO_DAY)


REPO: Final = BarKind(
    stream=CONTRACT.name,
    series=("instrument",),
    inputs=("segment", "rate_e6", "volume_kusd", "id"),
    attributes=(),
    counts=(c("kind") == streams.REPO_TRADE) & (c("term_days") == 1),
    has_volume=c("volume_kusd").fill_null(0) > 0,
    seconds=REPO_BAR,
    periods=REPO_PERIOD,
    days=REPO_DAY,
    to_seconds=_to_seconds,
    to_periods=_to_periods,
    to_days=_to_days,
    reach_seconds=PERIOD_SECONDS,
    kept_seconds=2 * 86_400,
)
