"""Fewer points for the same picture: of each stretch of time the least and the greatest value stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

if TYPE_CHECKING:
    from datetime import datetime

_TOLERANCES: Final = (0.0, 0.002, 0.005, 0.01)
"""Parts of a line's height: a step may be off by so much and look the same."""


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


def thinned_steps(line: pl.DataFrame, most: int) -> pl.DataFrame:
    """The same for values that stand until the next row: if it can be, every step is at its own time.

    Of a line with few steps those stay that can be seen; one that never rests is thinned by stretches.
    """
    if line.height <= most:
        return line
    finer = thinned(line, 4 * most)
    values = finer["value"].to_list()
    known = finer["value"].drop_nulls()
    if known.is_empty():
        return thinned(line, most)
    least, greatest = float(known.min()), float(known.max())  # type: ignore[arg-type]
    for tolerance in _TOLERANCES:
        kept = _steps(values, tolerance * (greatest - least), (least, greatest), most)
        if kept is not None:
            return finer[kept]
    return thinned(line, most)


def held(line: pl.DataFrame, most: int, end: datetime) -> pl.DataFrame:
    """Values that stand until the next row, thinned, each drawn as long as it stands: up to a gap, or the end.

    Args:
        line: `ts` and `value`, as above.
        most: at least 16.
        end: until when the last value stands.
    """
    has_gaps = line["value"].null_count() > 0
    line = thinned_steps(line, (most - 1) * 2 // 3 if has_gaps else most - 1)
    if line.is_empty():
        return line
    before = c("value").shift(1)
    ends = line.filter(c("value").is_null() & before.is_not_null()).select("ts", value=pl.lit(None, pl.Float64))
    stands = line.select("ts", value=before).join(ends.select("ts"), on="ts", how="semi")
    last = line.tail(1).filter(c("ts") < end).with_columns(ts=pl.lit(end, line.schema["ts"]))
    order = [(stands.filter(c("value").is_not_null()), 0), (line, 1), (last, 2)]
    return (
        pl.concat(part.select("ts", "value", order=pl.lit(place)) for part, place in order)
        .sort("ts", "order", maintain_order=True)
        .drop("order")
    )


def _steps(
    values: list[float | None], tolerance: float, always: tuple[float, float], most: int
) -> list[int] | None:
    """The places of the values that differ from the one kept before; None if there are too many."""
    kept: list[int] = []
    now: float | None = None
    for at, value in enumerate(values):
        if at == 0 or at == len(values) - 1:
            is_kept = True
        elif value is None or now is None:
            is_kept = value is not now
        else:
            is_kept = abs(value - now) > tolerance or (value in always and value != now)
        if is_kept:
            kept.append(at)
            now = value
            if len(kept) > most:
                return None
    return kept


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
