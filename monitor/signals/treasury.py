"""Treasury liquidity: what it costs to trade an issue at once, and how much of it can be traded.

Prices are integers of 1e-9 of a point and times of a microsecond, so a mean over time is a quotient of two integers.
The numbers in the thresholds' reasons are those of the FedInvest quotes of March 2020, in 32nds of a point.
"""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.engine.bars import treasury as bars
from monitor.engine.bars.quotes import area, length
from monitor.signals.model import Signal, View
from monitor.signals.quoted import ATTRIBUTES, FIVE_MINUTES, Quoted
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow

SEGMENT: Final = "treasury"

_UNITS_PER_32ND: Final = streams.UNITS_PER_PRICE_POINT // 32
_KUSD2_PER_MUSD: Final = 2 * streams.KUSD_PER_MUSD
"""Of bid size + ask size: the depth is half of it."""

_ADRIAN: Final = (
    "Adrian, Fleming and Vogt, An Index of Treasury Market Liquidity: 1991-2017, New York Fed Staff Report 827"
)
_HOLD_IN, _HOLD_OUT = Hold(seconds=10 * SECONDS_PER_MINUTE), Hold(seconds=30 * SECONDS_PER_MINUTE)


def time_weighted(measure: str, units: int) -> pl.Expr:
    """The mean of a measure over the time for which it had a value; null if it never had one.

    Args:
        measure: a column of the bars.
        units: how many of its integers make one of the unit wanted.
    """
    stood_us = c(length(measure))
    return pl.when(stood_us > 0).then(c(area(measure)).cast(pl.Float64) / (stood_us * units))


def _tenors(*years: int) -> pl.Expr:
    return c("tenor_e3").is_in([tenor * streams.UNITS_PER_YEAR for tenor in years])


def _spread_row(
    row_id: str, applies: pl.Expr, applies_to: str, reason: str, calm: float, warning: Edge, critical: Edge
) -> ThresholdRow:
    return ThresholdRow(
        row_id, applies, applies_to, reason, calm=calm, warning=warning, critical=critical,
        hold_in=_HOLD_IN, hold_out=_HOLD_OUT,
    )  # fmt: skip


def _spread_rows() -> tuple[ThresholdRow, ...]:
    on, off = c("on_the_run").fill_null(value=False), ~c("on_the_run").fill_null(value=False)
    return (
        _spread_row(
            "on_the_run_2y", on & _tenors(2), "the on-the-run 2-year",
            "Quoted an eighth of a 32nd wide on calm days; two and a half of that is a market that steps back.",
            0.15, Edge(0.3, 0.25), Edge(0.5, 0.4),
        ),
        _spread_row(
            "on_the_run_5y", on & _tenors(3, 5), "the on-the-run 3-year and 5-year",
            "Quoted a quarter of a 32nd wide on calm days.",
            0.25, Edge(0.35, 0.3), Edge(0.5, 0.4),
        ),
        _spread_row(
            "on_the_run_10y", on & _tenors(7, 10), "the on-the-run 7-year and 10-year",
            "Quoted half a 32nd wide; it never passed 1.5 by the end-of-day quotes of March 2020, so 1.25 as a mean "
            "of five minutes is rare.",
            0.5, Edge(0.9, 0.7), Edge(1.25, 1.0),
        ),
        _spread_row(
            "on_the_run_30y", on & _tenors(20, 30), "the on-the-run 20-year and 30-year",
            "Quoted one 32nd wide; the long end widens first, as its risk is dearest to warehouse.",
            1.0, Edge(2.5, 1.9), Edge(4.0, 2.5),
        ),
        _spread_row(
            "off_the_run_30y", off & _tenors(20, 30), "off-the-run issues of 20 and 30 years",
            "March 2020 broke the off-the-runs first: 912810SH2 stood at 8 32nds and more from 2020-03-09 to 04-08.",
            1.5, Edge(5.0, 4.0), Edge(8.0, 6.0),
        ),
    )  # fmt: skip


def signals() -> tuple[Signal, ...]:
    """The Treasury signals, in the order in which people read them.

    Example: the 10-year bid 99-16 and asked at 99-16+ is half a 32nd wide.

    >>> {s.name: s.unit for s in signals()}["treasury_spread_32nds"]
    '32nds'
    """
    view = View(Quoted(FIVE_MINUTES), {"instrument": c("instrument")}, attributes=ATTRIBUTES)
    window = "5 minutes, in session; a quote stands 5 minutes on the run and 15 off it, and is blind after that"
    return (
        Signal(
            name="treasury_spread_32nds",
            segment=SEGMENT,
            headline=True,
            title="Treasury bid-ask spread",
            help="What it costs to buy an issue and sell it again at once.",
            formula="time-weighted mean of 32 * (ask - bid), uncrossed quotes of two sides",
            source=_ADRIAN,
            labels=("instrument",),
            over=(view,),
            value=time_weighted(bars.SPREAD, _UNITS_PER_32ND),
            window_help=window,
            thresholds=_spread_rows(),
        ),
        Signal(
            name="treasury_depth_musd",
            segment=SEGMENT,
            title="Treasury quoted depth",
            help="How much face is quoted at the best prices.",
            formula="time-weighted mean of (bid size + ask size) / 2",
            source=_ADRIAN,
            labels=("instrument",),
            over=(view,),
            value=time_weighted(bars.DEPTH, _KUSD2_PER_MUSD),
            window_help=window,
        ),
    )
