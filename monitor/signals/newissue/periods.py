"""Sums over the deals of a period, by label set, at the ticks at which they change.

A *spell* is a row a deal and a label set that it counts for, from one tick until before another. At its two ends the
label set is *touched*. A look takes all spells that stand at a tick: nothing is carried on from an earlier look, so one
tick says what all ticks at once say. Sums are of integers, of 128 bits where spreads are weighted by size.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.model import ROW_COLUMNS, Window
from monitor.signals.newissue.deals import priced, within, year_of
from monitor.signals.newissue.names import AI, REST, SECTOR, THEME, sector_spells, theme_spells
from monitor.signals.sessions import new_york_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.newissue.names import Bounds

SEGMENT: Final = "newissue"
LEAST_ISSUES: Final = 3
LEAST_KUSD: Final = 3_000_000
"""With fewer issues, or less than 3 busd, a period says nothing."""

TOTAL, PURPOSE = "total", "purpose"
"""Kinds of label sets beside `THEME` and `SECTOR`."""
LABEL_SET: Final = ("period", "kind", "name")

CONCESSION, TIGHTENING, BREAK = "concession", "tightening", "break"
_DIFFERENCES: Final = {
    CONCESSION: ("spread_e6", "fair_value_spread_e6"),
    TIGHTENING: ("ipt_spread_e6", "spread_e6"),
    BREAK: ("break_spread_e6", "spread_e6"),
}
"""Of fixed-rate deals: the first less the second, weighted by size."""

_TICKS_AT_ONCE: Final = 256
"""Bounds the memory of a look."""

NO_TICKS: Final = pl.Series("tick", dtype=pl.Int64)
NO_ROWS: Final = pl.DataFrame(schema=ROW_COLUMNS)


def enough(issues: str, kusd: str) -> pl.Expr:
    """Whether there are enough issues and enough size."""
    return (c(issues) >= LEAST_ISSUES) & (c(kusd) >= LEAST_KUSD)


def label(kind: str) -> pl.Expr:
    """The label of that name, of label sets of that kind; null for the others."""
    return pl.when(c("kind") == kind).then("name")


def during(frame: pl.DataFrame, after: int, upto: int) -> pl.DataFrame:
    """The rows with a `tick` in (after, upto], of a frame in the order of ticks."""
    ticks = frame["tick"]
    # At nearly every tick of a live run nothing is found: a bisection asks for a dozen numbers, and makes no frame.
    first = bisect_right(ticks, after)
    return frame.slice(first, bisect_right(ticks, upto, lo=first) - first)


def at_ticks(frame: pl.DataFrame, ticks: pl.Series) -> pl.DataFrame:
    """The rows with one of these ticks (sorted), of a frame in the order of ticks."""
    if ticks.is_empty():
        return frame.clear()
    near = during(frame, ticks[0] - 1, ticks[-1])
    return near if near.is_empty() else near.filter(c("tick").is_in(ticks.implode()))


def edges(spells: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """`tick` and the columns of `by`, once each, in the order of ticks: what the spells touch at their ends."""
    ends = [spells.select(c(end).alias("tick"), *by) for end in ("since", "until")]
    return pl.concat(ends).unique().sort("tick", *by)


def standing(asked: pl.DataFrame, spells: pl.DataFrame, by: Sequence[str] = ()) -> Iterator[pl.DataFrame]:
    """The spells that stand at each tick, in pieces of whole ticks; at least one piece, which may be empty.

    Args:
        asked: `tick` and the columns of `by`.
        spells: with `since` and `until`, and the columns of `by`.
        by: which of the spells are asked for.
    """
    ticks = asked["tick"].unique().sort()
    for first in range(0, max(1, ticks.len()), _TICKS_AT_ONCE):
        some = ticks.slice(first, _TICKS_AT_ONCE)
        if some.is_empty():
            own, near = asked, spells.clear()
        else:
            own = asked.filter(c("tick").is_between(some[0], some[-1]))
            near = spells.filter(c("since") <= some[-1], c("until") > some[0])
        found = own.join(near, on=by, how="inner") if by else own.join(near, how="cross")
        yield found.filter(c("since") <= c("tick"), c("tick") < c("until"))


def with_row_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what every window's rows begin with; none of them is blind.

    Deals come when somebody borrows: no time-out tells silence from a quiet market. That their source is down is said
    of the segment.
    """
    return rows.with_columns(value_date=new_york_date(c("tick")), blind=pl.lit(value=False)).select(
        *ROW_COLUMNS, pl.exclude(*ROW_COLUMNS)
    )


@dataclass(frozen=True)
class Touched(Window):
    """A window whose rows are those of the label sets that spells touch.

    A subclass says which spells, by what label sets they are told apart, and what is summed.
    """

    def by(self) -> tuple[str, ...]:
        """The columns that are a label set."""
        return LABEL_SET

    def make_spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """The spells: `since`, `until`, the label set, and what `look` sums."""
        raise NotImplementedError

    def look(self, found: pl.DataFrame) -> pl.DataFrame:
        """A row a tick and label set of the spells found there; what has none is filled with 0."""
        raise NotImplementedError

    def spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """The spells, made once of the same deals."""
        return tiers.once(("newissue spells", self, year), lambda: self.make_spells(tiers, year), of=("deals",))

    def touched(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """`tick` and label set, in the order of ticks."""
        return tiers.once(
            ("newissue edges", self, year), lambda: edges(self.spells(tiers, year), self.by()), of=("deals",)
        )

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """When a deal begins to count, counts otherwise, or leaves a period."""
        if tiers.deals.is_empty():
            return NO_TICKS
        own = self.touched(tiers, year_of(after + 1)).select("tick")
        found = during(own, after, upto)
        return NO_TICKS if found.is_empty() else found["tick"].unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick and label set that is touched there; sums of nothing are 0."""
        if at.tiers.deals.is_empty() or at.ticks.is_empty():
            return NO_ROWS
        year = year_of(at.ticks[0])
        asked = at_ticks(self.touched(at.tiers, year), at.ticks)
        if asked.is_empty():
            return NO_ROWS
        spells = self.spells(at.tiers, year)
        key = list(self.by())
        found = pl.concat([self.look(piece) for piece in standing(asked, spells, key)])
        rows = asked.join(found, on=["tick", *key], how="left", maintain_order="left")
        return with_row_columns(rows.with_columns(pl.exclude("tick", *key).fill_null(0)))


@dataclass(frozen=True)
class Priced(Touched):
    """Priced deals by period and label set: how many issues, of what size, on what terms.

    Columns after the label set: `issues`, `kusd`; with terms of each of `_DIFFERENCES` x also `x_issues`, `x_kusd` (of
    the fixed-rate deals that say both spreads) and `x_sum` (difference in 1e-6 bp times thousands of USD), and
    `spread_issues`, `spread_kusd`, `below` (fixed-rate deals with a spread, and those with one below zero),
    `book_issues`, `book_kusd`, `book_size_kusd`.

    Attributes:
        periods: which.
        kinds: of label sets: `TOTAL`, `THEME`, `SECTOR`, `PURPOSE`.
        bounds: which themes and sectors have a label set of their own.
        has_terms: whether spreads and books are asked for.
    """

    periods: tuple[str, ...]
    kinds: tuple[str, ...]
    bounds: Bounds
    has_terms: bool = True

    def make_spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """A row a deal, period and label set."""
        deals = priced(tiers, year).with_row_index("deal")
        return spells_of(deals, self.periods, self.kinds, tiers, year, self.bounds, has_terms=self.has_terms)

    def look(self, found: pl.DataFrame) -> pl.DataFrame:
        """The sums."""
        key = ["tick", *LABEL_SET]
        sums = {"issues": c("issue_id").n_unique().cast(pl.Int64), "kusd": c("size_kusd").sum()}
        if not self.has_terms:
            return found.group_by(key).agg(**sums)
        for name in _DIFFERENCES:
            has_it = c(f"{name}_kusd") > 0
            sums[f"{name}_issues"] = c("issue_id").filter(has_it).n_unique().cast(pl.Int64)
            sums[f"{name}_kusd"], sums[f"{name}_sum"] = c(f"{name}_kusd").sum(), c(f"{name}_sum").sum()
        has_spread = c("is_fixed") & c("spread_e6").is_not_null()
        sums["spread_issues"] = c("issue_id").filter(has_spread).n_unique().cast(pl.Int64)
        sums["spread_kusd"] = c("size_kusd").filter(has_spread).sum()
        sums["below"] = (has_spread & (c("spread_e6") < 0)).sum().cast(pl.Int64)
        return found.group_by(key).agg(**sums).join(_books(found), on=key, how="left", maintain_order="left")


def _books(found: pl.DataFrame) -> pl.DataFrame:
    """Books and sizes of the issues that say a book and do not float altogether; a book counts once an issue."""
    key = ["tick", *LABEL_SET]
    issues = found.group_by(*key, "issue_id").agg(c("book_kusd").max(), c("size_kusd").sum(), c("is_fixed").any())
    return (
        issues.filter("is_fixed", c("book_kusd").is_not_null())
        .group_by(key)
        .agg(
            book_issues=pl.len().cast(pl.Int64),
            book_kusd=c("book_kusd").sum(),
            book_size_kusd=c("size_kusd").sum(),
        )
    )


def spells_of(
    deals: pl.DataFrame,
    periods: Sequence[str],
    kinds: Sequence[str],
    tiers: Tiers,
    year: int,
    bounds: Bounds,
    *,
    has_terms: bool,
) -> pl.DataFrame:
    """A row a deal, period and label set that it counts for.

    Args:
        deals: as `priced` gives them, with a row index `deal`.
        periods: which.
        kinds: which.
        tiers: what is known.
        year: as in `states`.
        bounds: of themes and sectors.
        has_terms: whether the weighted differences are wanted.
    """
    deals = pl.concat([within(deals, period) for period in periods])
    makers: dict[str, Callable[[], pl.DataFrame]] = {
        TOTAL: lambda: deals.with_columns(name=pl.lit("")),
        PURPOSE: lambda: deals.filter(c("purpose").is_not_null()).with_columns(name=c("purpose")),
        THEME: lambda: theme_spells(deals, tiers, year, bounds),
        SECTOR: lambda: sector_spells(deals, tiers, year, bounds),
        AI: lambda: deals.with_columns(name=is_ai_or_rest()),
    }
    kept = ["since", "until", "period", "deal", "issue_id", "size_kusd"]
    terms = {}
    if has_terms:
        kept += ["is_fixed", "spread_e6", "book_kusd"]
        for name, (left, right) in _DIFFERENCES.items():
            difference = pl.when("is_fixed").then(c(left) - c(right))
            terms[f"{name}_kusd"] = pl.when(difference.is_not_null()).then("size_kusd").otherwise(0)
            terms[f"{name}_sum"] = (difference.cast(pl.Int128) * c("size_kusd")).fill_null(0)
    parts = [
        makers[kind]().select(*kept, "name", kind=pl.lit(THEME if kind == AI else kind), **terms) for kind in kinds
    ]
    return pl.concat(parts).sort("since", "until")


def is_ai_or_rest() -> pl.Expr:
    """`ai` where a deal has that theme, else `rest`; what says no themes is of the rest."""
    return pl.when(is_ai()).then(pl.lit(AI)).otherwise(pl.lit(REST))


def is_ai() -> pl.Expr:
    """Whether a deal has the theme `ai`."""
    return c("themes").list.contains(AI).fill_null(value=False)
