"""Fewer points for the same picture: of each stretch of time the least and the greatest value stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_TOLERANCES: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03)
"""Parts of a line's height: a step may be off by so much and look the same."""
_OF_SEVERAL: Final = (0.05, 0.08)
_FINE: Final = 4_000
"""Points of which no picture shows more: about a stretch a pixel."""


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


def thinned_steps(rows: pl.DataFrame, most: int, columns: Sequence[str] = ("value",)) -> tuple[pl.DataFrame, bool]:
    """The same for values that stand until the next row, and whether every step is at its own time.

    Of columns with few steps those rows stay in which one is seen to change, and every column's peaks. Columns that
    never rest are thinned by stretches, and what is between two of their points is not known to have stood still.

    Args:
        rows: `ts` (Datetime, sorted, each once) and the columns (Float64; null is a gap).
        most: at least 8 a column.
        columns: those that are looked at.
    """
    if rows.height <= most:
        return rows, True
    finer = _by_column(rows, _FINE * len(columns), columns)
    values = finer.select(columns).rows()
    heights = [_height(rows[column]) for column in columns]
    # Several are stacked, and do not rest together: there a coarser step is better than a slope that never was.
    for tolerance in _TOLERANCES if len(columns) == 1 else (*_TOLERANCES, *_OF_SEVERAL):
        kept = _steps(values, [(low, high, tolerance * (high - low)) for low, high in heights], most)
        if kept is not None:
            return finer[kept], True
    return _by_column(rows, most, columns), False


def _by_column(rows: pl.DataFrame, most: int, columns: Sequence[str]) -> pl.DataFrame:
    """All rows that one column at least needs."""
    if tuple(columns) == ("value",):
        return thinned(rows, most)
    lines = (rows.select("ts", value=c(column)) for column in columns)
    kept = pl.concat(thinned(line, most // len(columns))["ts"] for line in lines)
    return rows.filter(c("ts").is_in(kept.implode()))


def _height(values: pl.Series) -> tuple[float, float]:
    known = values.drop_nulls()
    return (0.0, 0.0) if known.is_empty() else (min(known), max(known))


def held(line: pl.DataFrame, most: int, end: datetime) -> tuple[pl.DataFrame, str]:
    """Values that stand until the next row, thinned, each as long as it stands: up to a gap, or the end.

    With it comes the shape in which to draw it: `hv`, in steps, or `linear`, from point to point.

    Args:
        line: `ts` and `value`, as above.
        most: at least 16.
        end: until when the last value stands.
    """
    has_gaps = line["value"].null_count() > 0
    line, are_steps = thinned_steps(line, (most - 1) * 2 // 3 if has_gaps else most - 1)
    shape = "hv" if are_steps else "linear"
    if line.is_empty():
        return line, shape
    known = c("value").is_not_null()
    stands = line.with_columns(c("value").shift(1)).filter(known & line["value"].is_null())
    last = line.tail(1).filter(known & (c("ts") < end)).with_columns(ts=pl.lit(end, line.schema["ts"]))
    parts = ((stands, 0), (line, 1), (last, 2))
    whole = pl.concat(part.with_columns(place=pl.lit(place)) for part, place in parts)
    return whole.sort("ts", "place", maintain_order=True).drop("place"), shape


def _steps(
    rows: list[tuple[float | None, ...]], heights: list[tuple[float, float, float]], most: int
) -> list[int] | None:
    """The places of the rows in which a value differs from the one kept before; None if there are too many.

    Args:
        rows: the values of the columns.
        heights: of each column the least and the greatest value, which stay, and the difference that is not seen.
        most: so many at most.
    """
    kept: list[int] = []
    now: tuple[float | None, ...] = ()
    for at, row in enumerate(rows):
        if at in (0, len(rows) - 1) or any(map(_is_step, now, row, heights)):
            kept.append(at)
            now = row
            if len(kept) > most:
                return None
    return kept


def _is_step(now: float | None, value: float | None, height: tuple[float, float, float]) -> bool:
    if value is None or now is None:
        return value is not now
    low, high, unseen = height
    return abs(value - now) > unseen or (value in (low, high) and value != now)


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
