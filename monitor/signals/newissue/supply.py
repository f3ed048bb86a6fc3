"""How much is placed, for what, and whose share it is. Fixed and floating: all of it has to be paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.signals.model import Signal, View, divided, quotient
from monitor.signals.newissue.deals import MONTH, QUARTER, WEEK, YEAR_TO_DATE, year_of
from monitor.signals.newissue.names import AI, REST, THEME, bounds_of
from monitor.signals.newissue.periods import (
    LABEL_SET,
    NO_ROWS,
    PURPOSE,
    SEGMENT,
    TOTAL,
    Priced,
    at_ticks,
    enough,
    label,
    standing,
    with_row_columns,
)
from monitor.signals.newissue.terms import LEAST_HELP, NAMES_HELP
from monitor.signals.thresholds import Edge, Notify, ThresholdRow
from monitor.streams import KUSD_PER_BUSD

if TYPE_CHECKING:
    from monitor.signals.model import Evaluation
    from monitor.signals.newissue.parameters import NewIssueParameters


@dataclass(frozen=True)
class Shares(Priced):
    """All label sets of a period at once, as each is a share of the same total.

    Columns beside those of `Priced`: `total_issues` and `total_kusd`.
    """

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """At a tick at which a period is touched, a row a label set that has deals or had them until then, and `ai`."""
        if at.tiers.deals.is_empty() or at.ticks.is_empty():
            return NO_ROWS
        year, key = year_of(at.ticks[0]), ["tick", *LABEL_SET]
        touched = at_ticks(self.touched(at.tiers, year), at.ticks)
        if touched.is_empty():
            return NO_ROWS
        moments = touched.select("tick", "period").unique()
        pieces = standing(moments, self.spells(at.tiers, year), ["period"])
        found = pl.concat([self.look(piece) for piece in pieces])
        ai = moments.select("tick", "period", kind=pl.lit(THEME), name=pl.lit(AI))
        rows = pl.concat([touched.select(key), found.select(key), ai]).unique().sort(key)
        total = found.filter(c("kind") == TOTAL).select(
            "tick", "period", total_issues="issues", total_kusd="kusd"
        )  # fmt: skip
        rows = rows.join(found, on=key, how="left", maintain_order="left")
        rows = rows.join(total, on=["tick", "period"], how="left", maintain_order="left")
        return with_row_columns(rows.with_columns(pl.exclude(key).fill_null(0)))


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """Supply, and the shares of themes in it.

    Example: 40 busd in 20 business days, of which 12 of theme `ai`: 40 in all, 12 of `ai`, 28 of the rest, and a
    share of 0.3.
    """
    bounds = bounds_of(parameters)
    supply = Priced((WEEK, MONTH, QUARTER, YEAR_TO_DATE), (TOTAL, PURPOSE, AI), bounds, has_terms=False)
    has_share = (c("kusd") > 0) | (c("name") == AI)
    is_share = (c("kind") == THEME) & (c("name") != REST)
    shares = Shares((MONTH, QUARTER, YEAR_TO_DATE), (TOTAL, THEME), bounds, has_terms=False)
    return (
        Signal(
            name="newissue_supply_busd",
            segment=SEGMENT,
            title="New-issue supply",
            help="How much was placed.",
            formula="sum of sizes of priced deals",
            source="SIFMA, US corporate bond issuance: gross, fixed and floating",
            labels=(PURPOSE, THEME, "window"),
            over=(View(supply, {PURPOSE: label(PURPOSE), THEME: label(THEME), "window": c("period")}),),
            value=pl.when(enough("issues", "kusd")).then(divided(c("kusd"), KUSD_PER_BUSD)),
            window_help=(
                f"5, 20 and 60 business days with today and the calendar year so far; {LEAST_HELP}; in all, by "
                f"purpose, and of themes `{AI}` and `{REST}`"
            ),
        ),
        Signal(
            name="newissue_share_ratio",
            segment=SEGMENT,
            title="Share of new-issue supply",
            help="How much of what is placed is of a theme.",
            formula="size of the theme's priced deals / size of all; of gross supply",
            source="AI was 30 % of net issuance; what is known deal by deal is gross supply",
            labels=(THEME, "window"),
            over=(View(shares, {THEME: label(THEME), "window": c("period")}, is_share),),
            value=pl.when(enough("total_issues", "total_kusd") & has_share).then(quotient(c("kusd"), c("total_kusd"))),
            window_help=(
                f"20 and 60 business days with today and the calendar year so far; {LEAST_HELP} in all; "
                f"a theme without deals has no share, but `{AI}`, whose share is then 0; {NAMES_HELP}"
            ),
            thresholds=(
                ThresholdRow(
                    AI, c(THEME) == AI, "theme `ai`",
                    "By judgement: at 30 % of supply one story decides what credit costs. Shown only: it is no stress.",
                    warning=Edge(0.30, 0.25), notify=Notify.NONE,
                ),
            ),
        ),
    )  # fmt: skip
