"""The bid-ask spread of an issue: what it costs to buy it and sell it again at once.

The numbers in the thresholds' reasons are those of the FedInvest quotes of March 2020, in 32nds of a point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor import streams
from monitor.signals.model import Signal
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow
from monitor.signals.treasury.measures import ADRIAN, PRINTS, PRINTS_HELP, QUOTES, QUOTES_HELP, SEGMENT, SPREAD_32NDS

if TYPE_CHECKING:
    from monitor.signals.treasury.parameters import TreasuryParameters

_HOLD_IN, _HOLD_OUT = Hold(seconds=10 * SECONDS_PER_MINUTE), Hold(seconds=30 * SECONDS_PER_MINUTE)


def _tenors(*years: int) -> pl.Expr:
    return c("tenor_e3").is_in([tenor * streams.UNITS_PER_YEAR for tenor in years])


def _spread_row(
    row_id: str,
    applies: pl.Expr,
    applies_to: str,
    reason: str,
    calm: float,
    warning: Edge,
    critical: Edge,
    headline: str | None = None,
) -> ThresholdRow:
    return ThresholdRow(
        row_id, applies, applies_to, reason, calm=calm, warning=warning, critical=critical,
        hold_in=_HOLD_IN, hold_out=_HOLD_OUT, headline=headline,
    )  # fmt: skip


def _spread_rows() -> tuple[ThresholdRow, ...]:
    on, off = c("on_the_run").fill_null(value=False), ~c("on_the_run").fill_null(value=False)
    return (
        _spread_row(
            "on_the_run_2y", on & _tenors(2), "the on-the-run 2-year",
            "Quoted an eighth of a 32nd wide on calm days; two and a half of that is a market that steps back.",
            0.15, Edge(0.3, 0.25), Edge(0.5, 0.4),
            "on_the_run_spread",
        ),
        _spread_row(
            "on_the_run_5y", on & _tenors(3, 5), "the on-the-run 3-year and 5-year",
            "Quoted a quarter of a 32nd wide on calm days.",
            0.25, Edge(0.35, 0.3), Edge(0.5, 0.4),
            "on_the_run_spread",
        ),
        _spread_row(
            "on_the_run_10y", on & _tenors(7, 10), "the on-the-run 7-year and 10-year",
            "Quoted half a 32nd wide; it never passed 1.5 by the end-of-day quotes of March 2020, so 1.25 as a mean "
            "of five minutes is rare.",
            0.5, Edge(0.9, 0.7), Edge(1.25, 1.0),
            "on_the_run_spread",
        ),
        _spread_row(
            "on_the_run_30y", on & _tenors(20, 30), "the on-the-run 20-year and 30-year",
            "Quoted one 32nd wide; the long end widens first, as its risk is dearest to warehouse.",
            1.0, Edge(2.5, 1.9), Edge(4.0, 2.5),
            "on_the_run_spread",
        ),
        _spread_row(
            "off_the_run_30y", off & _tenors(20, 30), "off-the-run issues of 20 and 30 years",
            "March 2020 broke the off-the-runs first: 912810SH2 stood at 8 32nds and more from 2020-03-09 to 04-08.",
            1.5, Edge(5.0, 4.0), Edge(8.0, 6.0),
        ),
    )  # fmt: skip


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The spread, from quotes and, of issues that nobody quotes all day, from end-of-day prints.

    Example: the 10-year bid 99-16 and asked at 99-16+ is half a 32nd wide.
    """
    return (
        Signal(
            name="treasury_spread_32nds",
            segment=SEGMENT,
            title="Treasury bid-ask spread",
            help="What it costs to buy an issue and sell it again at once.",
            formula="time-weighted mean of 32 * (ask - bid), uncrossed quotes of two sides",
            source=ADRIAN,
            labels=("instrument",),
            over=(QUOTES, PRINTS),
            value=SPREAD_32NDS,
            window_help=f"{QUOTES_HELP}; {PRINTS_HELP}",
            thresholds=_spread_rows(),
            freezes=c("level") > 0,
        ),
    )
