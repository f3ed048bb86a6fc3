"""From the scores of label sets to those of headlines and segments, at every tick at which any of them changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.index.constants import HEADLINE_SHARE
from monitor.index.members import AS_WRITTEN, UNITS
from monitor.results import SEGMENTS, Level
from monitor.signals.model import quotient

if TYPE_CHECKING:
    from collections.abc import Sequence

HELD, COUNTED = "held", "counted"
"""The two tracks: with what is lost at its last score, and without it."""

_NONE: Final = -1
"""Stands for the units of a label set that has none, so that they are not filled by what was before."""


def headline_units(units: pl.Expr) -> pl.Expr:
    """The mean of the worst fourth, at least one, of label sets' scores, all in `UNITS`: an aggregation.

    >>> units = pl.DataFrame({"units": [9, 3, 6, 0, 4]}) * (UNITS // 10)
    >>> units.select(headline_units(c("units"))).item() / UNITS  # the two worst of five
    0.75
    """
    worst = ((pl.len() + (HEADLINE_SHARE - 1)) // HEADLINE_SHARE).cast(pl.Int64)
    return quotient(units.sort(descending=True).head(worst).sum(), worst).round().cast(pl.Int64)


def segment_score(headlines: pl.Expr) -> pl.Expr:
    """Half the worst headline and half their mean, of headlines in `UNITS`: an aggregation.

    A mean alone hides: of four headlines of which one is at 1 it says 0.25, and this 0.625.

    >>> pl.DataFrame({"units": [UNITS, 0, 0, 0]}).select(segment_score(c("units"))).item()
    0.625
    """
    there = pl.len().cast(pl.Int64)
    return quotient(headlines.max() * there + headlines.sum(), 2 * there * UNITS)


class Segments:
    """The segments of a catalogue.

    Args:
        headlines: (segment, name), in order.
    """

    def __init__(self, headlines: Sequence[tuple[str, str]]) -> None:
        places = [(number, segment) for number, (segment, _) in enumerate(headlines)]
        self._places = pl.DataFrame(places, {"place": pl.Int64(), "segment": pl.String()}, orient="row")

    def scores(self, said: pl.DataFrame, ticks: pl.Series) -> dict[str, pl.DataFrame]:
        """The scores of the segments at these ticks on both tracks; one frame for both where they are the same.

        Args:
            said: what the label sets said, as `Members.advance` gives it.
            ticks: sorted and distinct; every tick of `said` is among them, and the first is that of what stood before.
        """
        # A label set that changes its headline has a place in each: it leaves one and enters the other.
        places = said.filter(c("headline").is_not_null()).select("set", place="headline").unique()
        placed = said.lazy().join(places.lazy(), on="set").select("set", "place", "tick", *_PLACED)
        begins = c("tick") == ticks[0]
        grid = (
            ticks.alias("tick").to_frame().lazy()
            .join(places.lazy(), how="cross")
            .join(placed, on=["set", "place", "tick"], how="left")
            .sort("set", "place", "tick")
            # Every place begins with something, so that nothing is filled from one into the next.
            .with_columns(pl.when(begins).then(c(HELD, COUNTED).fill_null(_NONE)).otherwise(c(HELD, COUNTED)))
            .select("tick", "place", c(HELD, COUNTED).forward_fill())
            .collect(optimizations=AS_WRITTEN)
        )  # fmt: skip
        is_same = (grid[HELD] == grid[COUNTED]).all()
        tracks = [HELD] if is_same else [HELD, COUNTED]
        found = {track: self._track(grid, track, ticks) for track in tracks}
        if is_same:
            return dict.fromkeys((HELD, COUNTED), found[HELD])
        # While a segment has anything left, what is lost of it stays as bad as it was: were it left out, the rest,
        # which may be the calm part, would speak for all of it at full coverage.
        is_there = {segment: found[COUNTED][segment].is_not_null() for segment in SEGMENTS}
        counted = found[HELD].with_columns(
            pl.when(is_there[segment]).then(c(segment)).alias(segment) for segment in SEGMENTS
        )
        return {HELD: found[HELD], COUNTED: counted}

    def _track(self, grid: pl.DataFrame, track: str, ticks: pl.Series) -> pl.DataFrame:
        known = grid.lazy().filter(c(track) != _NONE).group_by("tick", "place").agg(units=headline_units(c(track)))
        placed = known.join(self._places.lazy(), on="place")
        scores = placed.group_by("tick", "segment").agg(score=segment_score(c("units")))
        wide = scores.group_by("tick").agg(*_BY_SEGMENT)
        every = ticks.alias("tick").to_frame().lazy().join(wide, on="tick", how="left", maintain_order="left")
        return every.select(*SEGMENTS).collect(optimizations=AS_WRITTEN)


_BY_SEGMENT: Final = [c("score").filter(c("segment") == segment).first().alias(segment) for segment in SEGMENTS]
_IS_THERE: Final = c("headline") == c("place")
_PLACED: Final = [pl.when(_IS_THERE).then(track).fill_null(_NONE).alias(track) for track in (HELD, COUNTED)]

# What is counted of the label sets of a segment, so that a tick costs no more than what changes at it.
_COUNTED: Final = {
    "levelled": c("level").is_not_null(),
    "warning": (c("level") >= Level.WARNING).fill_null(value=False),
    "critical": (c("level") >= Level.CRITICAL).fill_null(value=False),
    "scored": c("headline").is_not_null(),
    "blind": c("blind") & c("headline").is_not_null(),
}
_IS_SAME_SET: Final = (c("set") == c("set").shift(1)).fill_null(value=False)
_CHANGES: Final = [
    (c(name) - pl.when(_IS_SAME_SET).then(c(name).shift(1)).otherwise(0)).alias(name) for name in _COUNTED
]
_SUMS: Final = {
    f"{name}_{segment}": pl.when(c("segment") == segment).then(name).otherwise(0).sum()
    for segment in SEGMENTS
    for name in _COUNTED
}
_LEVELS: Final = [
    pl.when(c(f"critical_{segment}") > 0)
    .then(int(Level.CRITICAL))
    .when(c(f"warning_{segment}") > 0)
    .then(int(Level.WARNING))
    .when(c(f"levelled_{segment}") > 0)
    .then(int(Level.CALM))
    .cast(pl.Int8)
    .alias(f"level_{segment}")
    for segment in SEGMENTS
]
_BLIND: Final = [
    pl.when(c(f"scored_{segment}") > 0).then(c(f"blind_{segment}") > 0).alias(f"blind_{segment}")
    for segment in SEGMENTS
]
_IS_CRITICAL: Final = pl.any_horizontal(c(f"critical_{segment}") > 0 for segment in SEGMENTS).alias("is_critical")


_MARKS: Final = [*_LEVELS, *_BLIND, _IS_CRITICAL]
_MOVES: Final = ~_IS_SAME_SET | pl.any_horizontal(
    c(name).ne_missing(c(name).shift(1)) for name in ("level", "blind", "headline")
)


class Marks:
    """Levels and blindness of the segments."""

    def __init__(self) -> None:
        self._count(dict.fromkeys(_SUMS, 0))

    def restore(self, said: pl.DataFrame) -> None:
        """Count anew.

        Args:
            said: every label set as it stands: `segment`, `headline`, `level` and `blind`.
        """
        counts = said.select("segment", **_COUNTED).with_columns(c(*_COUNTED).cast(pl.Int64)).select(**_SUMS)
        self._count(counts.row(0, named=True))

    def _count(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._marks = pl.DataFrame([counts], schema=dict.fromkeys(_SUMS, pl.Int64())).select(*_MARKS)

    def at(self, said: pl.DataFrame, ticks: pl.Series) -> pl.DataFrame:
        """A row a tick: `level_<segment>` and `blind_<segment>` of each, and `is_critical`, whether any level is.

        Args:
            said: what the label sets said, as `Members.advance` gives it.
            ticks: sorted and distinct; every tick of `said` is among them, and the first is that of what stood before.
        """
        if not said.select((_MOVES & (c("tick") > ticks[0])).any()).item():  # as at most live ticks
            return self._marks[[0] * ticks.len()]
        counts = list(_COUNTED)
        changes = said.lazy().select("set", "tick", "segment", **_COUNTED).with_columns(c(counts).cast(pl.Int64))
        changes = changes.select("tick", "segment", *_CHANGES)
        changed = changes.filter(c("tick") > ticks[0], pl.any_horizontal(c(counts) != 0))
        so_far = ticks.alias("tick").to_frame().lazy()
        so_far = so_far.join(changed.group_by("tick").agg(**_SUMS), on="tick", how="left", maintain_order="left")
        summed = so_far.select(c(name).fill_null(0).cum_sum() + count for name, count in self._counts.items()).collect()
        self._counts = summed.row(-1, named=True)
        marks = summed.select(*_MARKS)
        self._marks = marks.tail(1)
        return marks
