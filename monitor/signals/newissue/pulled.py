"""Deals that were pulled: a window that is shut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import FIRST_DATE, LAST_DATE, new_york_dates
from monitor.signals.model import Signal, View
from monitor.signals.newissue.deals import MONTH, YEAR, ends_of_periods, priced, states, within
from monitor.signals.newissue.periods import SEGMENT, Touched
from monitor.signals.newissue.terms import TWO_DAYS
from monitor.signals.thresholds import Edge, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.newissue.parameters import NewIssueParameters

_PULLED, _PLACED, _HEARD = "pulled", "placed", "heard"
_SPELL: Final = ("since", "until", "period", "issue_id", "sort")


@dataclass(frozen=True)
class Pulled(Touched):
    """Issues that were pulled lately, and whether any deal was heard of.

    Columns: `heard` (events), `pulled` (issues of which a tranche is pulled, and none is placed).
    """

    def by(self) -> tuple[str, ...]:
        """One label set."""
        return ("period",)

    def make_spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """A row a pulled tranche, a placed one of an issue with a pulled one, and an event."""
        pulled = states(tiers, year).filter("is_pulled")
        ends = ends_of_periods(tiers.calendar, pulled["pulled_date"])
        pulled = within(pulled.join(ends, left_on="pulled_date", right_on="date", how="left"), MONTH)
        # A placed tranche matters while another one is pulled, and is not looked at before that is known.
        placed = (
            within(priced(tiers, year), YEAR)
            .join(pulled.select("issue_id", "since", "until"), on="issue_id", suffix="_pulled")
            .with_columns(
                since=pl.max_horizontal("since", "since_pulled"), until=pl.min_horizontal("until", "until_pulled")
            )
            .filter(c("since") < c("until"))
        )
        heard = tiers.deals.select(
            since="tick",
            date=new_york_dates(c("ts_us")).clip(FIRST_DATE, LAST_DATE),
            issue_id="deal_id",
        ).unique()
        ends = ends_of_periods(tiers.calendar, heard["date"])
        heard = heard.join(ends, on="date", how="left").with_columns(until=MONTH)
        # One event a day and tick is enough to say that somebody was heard of.
        heard = within(heard, MONTH).unique(["since", "until"]).with_columns(issue_id=pl.lit(""))
        parts = ((pulled, _PULLED), (placed, _PLACED), (heard, _HEARD))
        return pl.concat(
            [rows.with_columns(sort=pl.lit(sort), period=pl.lit(MONTH)).select(_SPELL) for rows, sort in parts]
        )

    def look(self, found: pl.DataFrame) -> pl.DataFrame:
        """The counts."""
        key, of = ["tick", "period"], c("sort")
        issues = found.group_by(*key, "issue_id").agg(
            heard=(of == _HEARD).sum().cast(pl.Int64),
            is_pulled=(of == _PULLED).any() & ~(of == _PLACED).any(),
        )
        return issues.group_by(key).agg(c("heard").sum(), pulled=c("is_pulled").sum().cast(pl.Int64))


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The issues that were pulled.

    Example: an issue of three tranches is pulled on Monday, another one on Wednesday, and a third drops its floating
    tranche while the others are placed: two issues.
    """
    return (
        Signal(
            name="newissue_pulled_count",
            segment=SEGMENT,
            title="New issues pulled",
            help="How many issuers have given up a deal.",
            formula="issues of which a tranche is pulled and none is placed; each once",
            source="Postponed deals as desks publish them: the first sign of a shut window",
            labels=(),
            over=(View(Pulled(), {}),),
            value=pl.when(c("heard") > 0).then(c("pulled")),
            window_help="20 business days with today, by the New York date of the pull; absent if no deal was heard of",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all issues",
                    "By judgement: one issuer in a month may have reasons of its own, two have a reason in common, "
                    "four say that the window is shut. No history of deals is carried.",
                    headline="pulled", calm=0, warning=Edge(2, 1), critical=Edge(4, 2), hold_out=TWO_DAYS,
                ),
            ),
        ),
    )  # fmt: skip
