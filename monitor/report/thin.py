"""Fewer points for the same picture: of each stretch of time the least and the greatest value stay."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

MAX_POINTS: Final = 400


def thinned(line: pl.DataFrame, most: int = MAX_POINTS) -> pl.DataFrame:
    """A line of at most so many points that still shows every peak and every gap's place.

    Args:
        line: `ts` (Datetime, sorted) and `value` (Float64; null is a gap).
        most: at least 4.
    """
    if line.height <= most:
        return line
    bins = most // 4
    marked = line.with_row_index("at").with_columns(bin=c("at") * bins // line.height)
    kept = marked.group_by("bin").agg(
        first=c("at").first(),
        last=c("at").last(),
        least=c("at").get(c("value").arg_min()),
        most=c("at").get(c("value").arg_max()),
        gap=c("at").filter(c("value").is_null()).first(),
    )
    keep = pl.concat([kept[name] for name in ("first", "last", "least", "most")]).drop_nulls().unique()
    gaps = kept["gap"].drop_nulls()
    # A gap within a stretch takes the place of the stretch's first point if there would be too many.
    spare = most - keep.len()
    keep = pl.concat([keep, gaps.filter(~gaps.is_in(keep.implode())).head(max(0, spare))])
    return marked.filter(c("at").is_in(keep.implode())).drop("at", "bin")
