"""Tenors as people write them."""

from __future__ import annotations

import polars as pl

from monitor import streams
from monitor.signals.model import divided


def tenor_label(tenor_e3: pl.Expr) -> pl.Expr:
    """A tenor in thousandths of a year as people write it.

    >>> tenors = pl.DataFrame({"tenor_e3": [5_000, 500, 2_300]})
    >>> tenors.select(tenor_label(pl.col("tenor_e3")))["tenor_e3"].to_list()
    ['5y', '0.5y', '2.3y']
    """
    years = divided(tenor_e3, streams.UNITS_PER_YEAR)
    is_whole = tenor_e3 % streams.UNITS_PER_YEAR == 0
    text = pl.when(is_whole).then((tenor_e3 // streams.UNITS_PER_YEAR).cast(pl.String)).otherwise(years.cast(pl.String))
    return text + "y"
