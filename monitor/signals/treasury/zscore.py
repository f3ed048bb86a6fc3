"""The spread against its own history: how far it is out of what this half-hour of the day is used to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.bars.treasury import tick_32nds
from monitor.signals.baselines import LEAST_SESSIONS, AgainstBaseline
from monitor.signals.model import Signal, View
from monitor.signals.quoted import ATTRIBUTES
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow
from monitor.signals.treasury.measures import ADRIAN, QUOTED, QUOTES_HELP, SEGMENT, SPREAD_32NDS

if TYPE_CHECKING:
    from monitor.signals.treasury.parameters import TreasuryParameters

MAD_TO_SIGMA: Final = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation."""
BASELINE_HELP: Final = (
    f"against the same half-hour of the last 20 admitted sessions, absent with fewer than {LEAST_SESSIONS}; "
    "a session in which z, spread or depth was not calm is admitted after 60 more"
)


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The robust z-score of the spread.

    Example: a mean of 1.5 32nds where the half-hour's median is 0.5 and its deviation nothing, at a tick of half a
    32nd, is (1.5 - 0.5) / 0.5 = 2.
    """
    scale = pl.max_horizontal(MAD_TO_SIGMA * c("spread_mad_32nds"), tick_32nds(c("tenor_e3")))
    is_known = c("sessions") >= LEAST_SESSIONS
    return (
        Signal(
            name="treasury_spread_zscore",
            segment=SEGMENT,
            title="Treasury spread against its history",
            help="How far the spread is out of what this half-hour is used to.",
            formula="(5-minute mean - median) / max(1.4826 * MAD, one tick)",
            source=f"{ADRIAN}; Iglewicz and Hoaglin, How to Detect and Handle Outliers (median and MAD)",
            labels=("instrument",),
            over=(
                View(AgainstBaseline(QUOTED), {"instrument": c("instrument")}, attributes=ATTRIBUTES),
            ),
            value=pl.when(is_known).then((SPREAD_32NDS - c("spread_median_32nds")) / scale),
            window_help=f"{QUOTES_HELP}; {BASELINE_HELP}",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all issues",
                    "Four is what a quiet month does not show; the floor of one tick keeps a quote that never moved "
                    "from counting as infinitely far out. It is the only threshold of off-the-runs below 20 years.",
                    calm=1.0, warning=Edge(4.0, 2.5), critical=Edge(8.0, 5.0),
                    hold_in=Hold(seconds=10 * SECONDS_PER_MINUTE), hold_out=Hold(seconds=30 * SECONDS_PER_MINUTE),
                ),
            ),
            # With its hold of ten minutes: one misprint would keep a session out, and every day has some.
            freezes=c("level") > 0,
        ),
    )  # fmt: skip
