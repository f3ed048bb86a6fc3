"""What the signals of quotes share: the view of every quoted issue, and its spread and depth in market units."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.engine.bars import treasury as bars
from monitor.engine.bars.quotes import area, length
from monitor.signals.end_of_day import EndOfDay
from monitor.signals.model import View
from monitor.signals.quoted import ATTRIBUTES, FIVE_MINUTES, Issues, Quoted

SEGMENT: Final = "treasury"
ADRIAN: Final = (
    "Adrian, Fleming and Vogt, An Index of Treasury Market Liquidity: 1991-2017, New York Fed Staff Report 827"
)

ISSUES: Final = Issues(FIVE_MINUTES)
QUOTED: Final = Quoted(ISSUES)
QUOTES: Final = View(QUOTED, {"instrument": c("instrument")}, attributes=ATTRIBUTES)
PRINTS: Final = View(EndOfDay(), {"instrument": c("instrument")}, attributes=ATTRIBUTES)
PRINTS_HELP: Final = (
    "an end-of-day print stands until the next, at most to the end of the next session, and is blind if it repeats one "
    "of the five sessions before"
)
QUOTES_HELP: Final = "5 minutes, in session; a quote stands 5 minutes on the run and 15 off it, and is blind after that"


def time_weighted(measure: str, units: int) -> pl.Expr:
    """The mean of a measure over the time for which it had a value; null if it never had one.

    Args:
        measure: a column of the bars.
        units: how many of its integers make one of the unit wanted.
    """
    stood_us = c(length(measure))
    return pl.when(stood_us > 0).then(c(area(measure)).cast(pl.Float64) / (stood_us * units))


SPREAD_32NDS: Final = time_weighted(bars.SPREAD, streams.UNITS_PER_PRICE_POINT // 32)
DEPTH_MUSD: Final = time_weighted(bars.DEPTH, 2 * streams.KUSD_PER_MUSD)
"""(bid size + ask size) / 2."""
