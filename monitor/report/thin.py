"""Fewer points for the same picture: of each stretch of time the least and the greatest value stay."""

from __future__ import annotations

import polars as pl
from polars import col as c


def thinned(line: pl.DataFrame, most: int) -> pl.DataFrame:
    """A line of at most so many points that still shows every peak, and is broken wherever a gap is passed.

    Args:
        line: `ts` (Datetime, sorted) and `value` (Float64; null is a gap).
        most: at least 8.
    """
    if line.height <= most:
        return line
    # Four values a stretch, and at the worst a gap before each.
    finer, coarser = _of_stretches(line, most // 4), _of_stretches(line, most // 8)
    return finer if finer.height <= most else coarser


def _of_stretches(line: pl.DataFrame, count: int) -> pl.DataFrame:
    """Of so many stretches the first, last, least and greatest value, and of what is between them one gap at most."""
    marked = line.with_row_index("at").with_columns(
        stretch=c("at").cast(pl.Int64) * count // line.height, gaps=c("value").is_null().cum_sum()
    )
    values = marked.filter(c("value").is_not_null())
    kept = values.group_by("stretch").agg(
        first=c("at").first(),
        last=c("at").last(),
        least=c("at").get(c("value").arg_min()),
        greatest=c("at").get(c("value").arg_max()),
    )
    keep = pl.concat([kept[name] for name in ("first", "last", "least", "greatest")]).unique()
    # A gap's number is one more than that of the value before it.
    so_far = values.filter(c("at").is_in(keep.implode()))["gaps"]
    passed = so_far.filter(so_far != so_far.shift(-1)) + 1
    is_kept = c("at").is_in(keep.implode()) | (c("value").is_null() & c("gaps").is_in(passed.implode()))
    return marked.filter(is_kept).drop("at", "stretch", "gaps")
