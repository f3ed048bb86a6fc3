"""Units of the reference series: published in one, kept in their own."""

from __future__ import annotations

import polars as pl

from monitor import streams
from monitor.streams import Reason


def series_unit(series: str) -> str | None:
    """The unit that a reference series is kept in; None: the unit that it comes with."""
    for prefix, unit in streams.SERIES_PREFIX_UNITS.items():
        if series.startswith(prefix):
            return unit
    return streams.SERIES_UNITS.get(series)


def convert_units(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, tuple[Reason, str]]]:
    """Reference values in their series' own unit, as integers; and the rows whose unit cannot be converted."""
    pairs = frame.select("series", "unit").unique()
    kept = [series_unit(series) or unit for series, unit in pairs.iter_rows()]
    factors = [
        1.0 if unit == own else streams.UNIT_FACTORS.get((unit, own))
        for unit, own in zip(pairs["unit"], kept, strict=True)
    ]
    pairs = pairs.with_columns(own=pl.Series(kept, dtype=pl.String), factor=pl.Series(factors, dtype=pl.Float64))
    joined = frame.join(pairs, on=["series", "unit"], how="left", maintain_order="left")
    refused = {
        row["row"]: (Reason.WRONG_UNIT, f"{row['series']} is kept in {row['own']}, and cannot be in {row['unit']}")
        for row in joined.filter(pl.col("factor").is_null()).iter_rows(named=True)
    }  # fmt: skip
    value = (pl.col("value_e6") * pl.col("factor") * streams.UNITS_PER_ONE).round().cast(pl.Int64)
    good = joined.filter(pl.col("factor").is_not_null())
    return good.with_columns(value_e6=value, unit="own").drop("own", "factor"), refused
