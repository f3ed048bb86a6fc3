"""Quoted depth: how much can be traded at the best prices, and how much of it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.calendar import EVENT
from monitor.signals.baselines import LEAST_SESSIONS, AgainstBaseline
from monitor.signals.model import Signal, View
from monitor.signals.quoted import ATTRIBUTES
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow
from monitor.signals.treasury.measures import ADRIAN, DEPTH_MUSD, QUOTED, QUOTES, QUOTES_HELP, SEGMENT
from monitor.signals.treasury.zscore import BASELINE_HELP

if TYPE_CHECKING:
    from monitor.signals.treasury.parameters import TreasuryParameters


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """Quoted depth, and its drop below what the half-hour is used to.

    Example: 30 million USD quoted where the half-hour's median is 150 is a drop of 1 - 30/150 = 80 %.
    """
    is_known = (c("depth_sessions") >= LEAST_SESSIONS) & (c("depth_median_musd") > 0)
    return (
        Signal(
            name="treasury_depth_musd",
            segment=SEGMENT,
            title="Treasury quoted depth",
            help="How much face is quoted at the best prices.",
            formula="time-weighted mean of (bid size + ask size) / 2",
            source=ADRIAN,
            labels=("instrument",),
            over=(QUOTES,),
            value=DEPTH_MUSD,
            window_help=QUOTES_HELP,
        ),
        Signal(
            name="treasury_depth_drop_ratio",
            segment=SEGMENT,
            title="Treasury depth drop",
            help="How much of the depth that this half-hour is used to is gone.",
            formula="1 - 5-minute mean depth / median",
            source=ADRIAN,
            labels=("instrument",),
            over=(View(AgainstBaseline(QUOTED), {"instrument": c("instrument")}, attributes=ATTRIBUTES),),
            value=pl.when(is_known).then(1 - DEPTH_MUSD / c("depth_median_musd")),
            window_help=f"{QUOTES_HELP}; {BASELINE_HELP}",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all issues",
                    "Depth in the 10-year halves on a bad day, and fell by an order of magnitude in March 2020.",
                    headline="depth_drop", calm=0.15,
                    warning=Edge(0.5, 0.4), critical=Edge(0.8, 0.7), overrides={EVENT: (0.7, 0.95)},
                    hold_in=Hold(seconds=10 * SECONDS_PER_MINUTE), hold_out=Hold(seconds=30 * SECONDS_PER_MINUTE),
                ),
            ),
            freezes=c("level") > 0,
        ),
    )  # fmt: skip
