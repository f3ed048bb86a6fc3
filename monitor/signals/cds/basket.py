"""What protection on the names of a theme costs together, and how much more dearer it has become than that of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import polars as pl
from polars import col as c

from monitor.signals.cds.baskets import INDEX_SERIES, LONG, MOST_THEMES, Baskets
from monitor.signals.cds.closes import UNITS2_PER_BP
from monitor.signals.cds.compared import HALF_AN_HOUR, ONE_DAY, WINDOWS
from monitor.signals.cds.quotes import SEGMENT
from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Signal, View, Window, quotient
from monitor.signals.thresholds import Edge, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.cds.parameters import CdsParameters
    from monitor.signals.model import Evaluation


@dataclass(frozen=True)
class BasketChanged(Window):
    """The baskets with their change over so many business days.

    Attributes:
        baskets: the window of all of them.
        back: how many.
    """

    baskets: Baskets
    back: int

    columns: ClassVar[dict[str, pl.DataType]] = {
        "theme": pl.String(), "change2": pl.Int64(), "common": pl.Int64(),
        IS_PARTIAL: pl.Boolean(), IS_OVER: pl.Boolean(),
    }  # fmt: skip

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the baskets."""
        return self.baskets.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The baskets of which a member says something."""
        rows = at.rows(self.baskets)
        if rows.is_empty():  # as at most live ticks
            return rows
        rows = rows.filter("has_news")
        rows = rows.rename({f"change2_{self.back}": "change2", f"common{self.back}": "common"})
        rows = rows.with_columns((c(IS_PARTIAL) | (c(f"lacking{self.back}") > 0)).alias(IS_PARTIAL))
        return rows.select(*ROW_COLUMNS, *self.columns)


@dataclass(frozen=True)
class AgainstIndex(Window):
    """The baskets with their change, and that of the index; blind when either is.

    Attributes:
        baskets: the window of all of them.
    """

    baskets: Baskets

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the baskets."""
        return self.baskets.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """All baskets where any name or the index says something."""
        rows = at.rows(self.baskets)
        if rows.is_empty():
            return rows
        return rows.with_columns(
            (c(IS_PARTIAL) | (c(f"lacking{LONG}") > 0)).alias(IS_PARTIAL),
            blind=(c("blind") | c("index_blind")) & ~c(IS_OVER),
        )


def _in_bp(sum2: pl.Expr, count: pl.Expr) -> pl.Expr:
    """The mean of so many mids, or changes, of which twice the sum is given in 1e-6 bp; null of none."""
    return pl.when(count > 0).then(quotient(sum2, count * UNITS2_PER_BP))


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:
    """Level, change and excess of the baskets.

    Example: two names at 118 and 62 bp are a basket of 90. Twenty business days ago they were at 100 and 60: it has
    changed by 10 bp; CDX IG went from 52 to 54 meanwhile: the excess is 8 bp, a warning. A third name that has joined
    since at 300 bp makes the basket 160, and changes neither.
    """
    baskets = Baskets(parameters.index_entities)
    theme = {"theme": c("theme")}
    members = (
        "entities of the theme, no indices, 5y, by their last quotes, equally weighted; one that is blind is left out "
        f"and lowers no level, one that was not quoted for {LONG} business days is no member; blind when more than "
        f"half are; at most {MOST_THEMES} themes, those that were known first"
    )
    then = "a change is over those who belonged and were quoted both now and then"
    source = "the monitor's own, as dealers' baskets of hyperscalers' CDS; CDX IG: S&P Dow Jones Indices"
    changed = tuple(View(BasketChanged(baskets, back), theme | {"window": pl.lit(f"{back}bd")}) for back in WINDOWS)
    common = c(f"common{LONG}")
    excess2 = c(f"change2_{LONG}") - common * c("index_change2")
    return (
        Signal(
            name="cds_basket_bp",
            segment=SEGMENT,
            title="CDS basket",
            help="What protection on the names of a theme costs together.",
            formula="mean of the members' 5y mids",
            source=source,
            labels=("theme",),
            over=(View(baskets, theme, where=c("has_news")),),
            value=_in_bp(c("mid2_e6"), c("members")),
            window_help=members,
        ),
        Signal(
            name="cds_basket_change_bp",
            segment=SEGMENT,
            title="CDS basket's change",
            help="How much dearer protection on the names of a theme has become over some business days.",
            formula="mean over the members at both ends of mid - the close of that many business days ago",
            source=source,
            labels=("theme", "window"),
            over=changed,
            value=_in_bp(c("change2"), c("common")),
            window_help=f"{members}; {then}",
        ),
        Signal(
            name="cds_basket_excess_bp",
            segment=SEGMENT,
            title="CDS basket's excess",
            help="How much more than the market protection on the names of a theme has widened: it is about the theme.",
            formula=f"change of the basket over {LONG} business days - that of CDX IG",
            source=source,
            labels=("theme",),
            over=(View(AgainstIndex(baskets), theme),),
            value=_in_bp(excess2, common),
            window_help=f"{members}; {then}; the index by its last quote, of one series, else the published series "
            f"{INDEX_SERIES}; blind when the index is, absent without either",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all themes",
                    "By judgement: names of a sector drift apart from the index by a few bp in a month; 8 bp of a "
                    "whole basket is a view on the theme, and 20 bp a flight from it.",
                    calm=2, warning=Edge(8, 5), critical=Edge(20, 12),
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, headline="basket_excess",
                ),
            ),
        ),
    )  # fmt: skip
