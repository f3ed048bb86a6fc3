"""Which themes and sectors have a label set of their own: bounded, whatever producers may send.

They are those that the settings list, else the largest by the size that was priced in the last twelve months, as known
at the tick; of equal sizes the first by name. The theme `ai` always has its own. All others are `other` together: a
deal of two of them counts there once. A theme that is called `rest` or `other` has none, as those words mean something
else here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.tiers import EVER
from monitor.signals.newissue.deals import YEAR, priced, within

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.newissue.parameters import NewIssueParameters

AI, REST, OTHER = "ai", "rest", "other"
THEME, SECTOR = "theme", "sector"
_BEFORE_ALL: Final = -EVER

LIFE: Final[dict[str, pl.DataType]] = {
    "called": pl.String(),
    "name": pl.String(),
    "named_since": pl.Int64(),
    "named_until": pl.Int64(),
}
"""What a name is called, from one tick until before another: by itself, or `other`."""


@dataclass(frozen=True)
class Bounds:
    """Which names are shown.

    Attributes:
        themes: as in the settings.
        sectors: as in the settings.
        most: as in the settings.
    """

    themes: tuple[str, ...]
    sectors: tuple[str, ...]
    most: int


def bounds_of(parameters: NewIssueParameters) -> Bounds:
    """The bounds that a user sets."""
    return Bounds(tuple(sorted(set(parameters.themes))), tuple(sorted(set(parameters.sectors))), parameters.most_names)


def theme_spells(deals: pl.DataFrame, tiers: Tiers, year: int, bounds: Bounds) -> pl.DataFrame:
    """The spells of deals again, one a theme, with `name`, what the theme is called; and those of the rest.

    Args:
        deals: spells, with `deal`, `period` and `themes`.
        tiers: what is known.
        year: as in `deals.states`.
        bounds: which themes are shown.
    """

    def make() -> pl.DataFrame:
        spells = within(_by_theme(priced(tiers, year)), YEAR)
        return _called(spells, bounds.themes, bounds.most, first=AI, reserved=(REST, OTHER))

    lives = tiers.once(("newissue themes", bounds, year), make, of=("deals",))
    rest = deals.filter(~c("themes").list.contains(AI).fill_null(value=False)).with_columns(name=pl.lit(REST))
    own = _renamed(_by_theme(deals), lives)
    return pl.concat([own, rest.select(own.columns)])


def sector_spells(deals: pl.DataFrame, tiers: Tiers, year: int, bounds: Bounds) -> pl.DataFrame:
    """The spells of deals again, with `name`, what their sector is called; as `theme_spells`."""

    def make() -> pl.DataFrame:
        spells = within(_by_sector(priced(tiers, year)), YEAR)
        return _called(spells, bounds.sectors, bounds.most, first=OTHER, reserved=(OTHER,))

    lives = tiers.once(("newissue sectors", bounds, year), make, of=("deals",))
    return _renamed(_by_sector(deals), lives)


def _by_theme(deals: pl.DataFrame) -> pl.DataFrame:
    every = deals.with_columns(called=c("themes").list.unique(maintain_order=True))
    return every.explode("called", empty_as_null=False, keep_nulls=False).filter(c("called").is_not_null())


def _by_sector(deals: pl.DataFrame) -> pl.DataFrame:
    return deals.filter(c("sector").is_not_null()).with_columns(called=c("sector"))


def _called(
    spells: pl.DataFrame, listed: tuple[str, ...], most: int, first: str, reserved: tuple[str, ...]
) -> pl.DataFrame:
    """What each name is called over time, as `LIFE`.

    Args:
        spells: `called`, `since`, `until` and `size_kusd`.
        listed: the names that are shown; none: the largest.
        most: how many, if none are listed.
        first: a name that comes before all in size.
        reserved: names that are never shown as such.
    """
    names = spells.select("called").unique().sort("called")
    is_reserved = c("called").is_in(list(reserved))
    ever = {"named_since": pl.lit(_BEFORE_ALL), "named_until": pl.lit(EVER)}
    if listed or names.filter(~is_reserved).height <= most:
        is_shown = c("called").is_in([first, *listed]) if listed else pl.lit(value=True)
        called = pl.when(is_shown & ~is_reserved).then("called").otherwise(pl.lit(OTHER))
        return names.select("called", name=called, **ever)
    ranked = names.filter(~is_reserved)
    lives = _ranked(spells.join(ranked, on="called", how="semi"), ranked, most, first)
    return pl.concat([lives, names.filter(is_reserved).select("called", name=pl.lit(OTHER), **ever)])


def _ranked(spells: pl.DataFrame, names: pl.DataFrame, most: int, first: str) -> pl.DataFrame:
    """The same of names, more than may be shown, by size at each tick at which a size changes."""
    changes = pl.concat(
        [
            spells.select("called", tick="since", kusd=c("size_kusd").cast(pl.Int128)),
            spells.select("called", tick="until", kusd=c("size_kusd").cast(pl.Int128) * -1),
        ]
    )
    changes = changes.group_by("tick", "called").agg(c("kusd").sum())
    grid = changes.select("tick").unique().sort("tick").join(names, how="cross")
    shown = (
        grid.join(changes, on=["tick", "called"], how="left", maintain_order="left")
        .with_columns(kusd=c("kusd").fill_null(0).cum_sum().over("called"), is_first=c("called") == first)
        # The first has its place only while there is something of it.
        .with_columns(is_first=c("is_first") & (c("kusd") > 0))
        .sort("tick", "is_first", "kusd", "called", descending=[False, True, True, False])
        .with_columns(is_shown=pl.int_range(pl.len()).over("tick") < most)
        .sort("called", "tick")
    )
    turns = shown.filter(c("is_shown").ne_missing(c("is_shown").shift(1).over("called")))
    return turns.select(
        "called",
        name=pl.when("is_shown").then("called").otherwise(pl.lit(OTHER)),
        named_since="tick",
        named_until=c("tick").shift(-1).over("called").fill_null(EVER),
    )


def _renamed(spells: pl.DataFrame, lives: pl.DataFrame) -> pl.DataFrame:
    """The spells cut where their name is called otherwise, with `name`; of one deal no two at once are `other`."""
    cut = spells.join(lives, on="called").with_columns(
        since=pl.max_horizontal("since", "named_since"), until=pl.min_horizontal("until", "named_until")
    )
    cut = cut.filter(c("since") < c("until")).drop("called", *(name for name in LIFE if name.startswith("named")))
    own, other = cut.filter(c("name") != OTHER), cut.filter(c("name") == OTHER)
    # Where two spells of a deal meet in `other`, the later one counts from where those before it end.
    key = ["period", "deal"]
    other = other.sort(*key, "since", "until")
    ended = c("until").cum_max().shift(1).over(key)
    other = other.with_columns(since=pl.max_horizontal("since", ended)).filter(c("since") < c("until"))
    return pl.concat([own, other])
