"""Price impact: how far trades move the price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.signals.model import Signal, View
from monitor.signals.treasury.measures import ADRIAN, SEGMENT
from monitor.signals.treasury.volatility import MinuteSums

if TYPE_CHECKING:
    from monitor.signals.treasury.parameters import TreasuryParameters

LEAST_TRADED_MINUTES: Final = 5
"""With fewer minutes that have trades there is no slope."""

_PER_KUSD: Final = 100 * streams.KUSD_PER_MUSD
"""The slope is told per 100 million."""
_MID2_PER_32ND: Final = 2 * streams.UNITS_PER_PRICE_POINT // 32
_DIVISOR: Final = _MID2_PER_32ND // _PER_KUSD
"""Of bid + ask in 1e-9 of a point per thousand USD, 32nds of the mid per 100 million: a whole number."""


@dataclass(frozen=True)
class FlowSums(MinuteSums):
    """What a line through (net signed volume, mid change) of each minute is found from.

    `minutes` and those with trades (`traded`); sums of x, thousand USD bought less sold, of y, the change of bid + ask
    in 1e-9 of a point, of x * x and of x * y.
    """

    columns: ClassVar[tuple[str, ...]] = ("minutes", "traded", "x", "y", "xx", "xy")

    def terms(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Adds the products of each change."""
        x, y = c("signed_kusd").cast(pl.Int128), (c("mid2_e9") - c("before_mid2_e9")).cast(pl.Int128)
        traded = (c("traded_kusd") > 0).cast(pl.Int64)
        return changes.with_columns(minutes=pl.lit(1), traded=traded, x=x, y=y, xx=x * x, xy=x * y)


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The price impact of an issue's trades.

    Example: a minute in which 50 million more are bought than sold lifts the mid by half a 32nd, one with as much more
    sold lowers it by as much: one 32nd per 100 million.
    """
    covariance = c("minutes") * c("xy") - c("x") * c("y")
    variance = c("minutes") * c("xx") - c("x") * c("x")
    is_known = (c("traded") >= LEAST_TRADED_MINUTES) & (variance > 0)
    slope = covariance.cast(pl.Float64) / (variance * _DIVISOR).cast(pl.Float64)
    return (
        Signal(
            name="treasury_price_impact_32nds",
            segment=SEGMENT,
            title="Treasury price impact",
            help="How far net buying of 100 million USD moved the mid within its minute.",
            formula="least-squares slope of 1-minute mid changes on 1-minute net signed volume, per 100 million USD",
            source=ADRIAN,
            labels=("instrument",),
            over=(View(FlowSums(60), {"instrument": c("instrument")}),),
            value=pl.when(is_known).then(slope),
            window_help="60 minutes, in session, told every minute; absent with fewer than "
            f"{LEAST_TRADED_MINUTES} minutes with trades, or where all have the same volume",
        ),
    )
