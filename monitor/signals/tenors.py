"""Tenors as people write them, and the ticks in which Treasury securities of each are quoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from monitor import streams

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS_PER_32ND: Final = streams.UNITS_PER_PRICE_POINT // 32

TICK_32NDS: Final[Mapping[int, float]] = {2: 1 / 8, 3: 1 / 4, 5: 1 / 4, 7: 1 / 2, 10: 1 / 2, 20: 1 / 2, 30: 1 / 2}
"""By tenor in years, 32nds of a point: CME BrokerTec and the dealers' screens quote no finer."""
OTHER_TICK_32NDS: Final = 1 / 2
"""Of a tenor that is not said, or is none of these."""


def _by_tenor(tenor_e3: pl.Expr, units: float) -> pl.Expr:
    ticks = {tenor * streams.UNITS_PER_YEAR: tick * units for tenor, tick in TICK_32NDS.items()}
    return tenor_e3.replace_strict(ticks, default=OTHER_TICK_32NDS * units, return_dtype=pl.Float64)


def tick_32nds(tenor_e3: pl.Expr) -> pl.Expr:
    """The tick in 32nds of a point: Float64, exact.

    >>> pl.DataFrame({"t": [2_000, 10_000, None]}).select(tick_32nds(pl.col("t")))["t"].to_list()
    [0.125, 0.5, 0.5]
    """
    return _by_tenor(tenor_e3, 1)


def tick_e9(tenor_e3: pl.Expr) -> pl.Expr:
    """The tick in 1e-9 of a point: Int64."""
    return _by_tenor(tenor_e3, _UNITS_PER_32ND).cast(pl.Int64)


def tenor_label(tenor_e3: pl.Expr) -> pl.Expr:
    """A tenor in thousandths of a year as people write it.

    >>> pl.DataFrame({"tenor_e3": [5_000, 500]}).select(tenor_label(pl.col("tenor_e3")))["tenor_e3"].to_list()
    ['5y', '0.5y']
    """
    years = tenor_e3 / streams.UNITS_PER_YEAR
    is_whole = tenor_e3 % streams.UNITS_PER_YEAR == 0
    text = pl.when(is_whole).then((tenor_e3 // streams.UNITS_PER_YEAR).cast(pl.String)).otherwise(years.cast(pl.String))
    return text + "y"
