"""Baselines: what the same half-hour of the last twenty sessions was like, so that now can be compared with it.

A baseline is made when a session begins, of the sessions before it, and stands all day. It is by tenor and on or off
the run where issues say both, so that an issue that was auctioned yesterday does not begin from nothing; else by issue.

A crisis is not let in. A session is not *admitted* for an issue if, at any time in it, one of its signals that has a
`freezes` says so: the level of its z (4, held for ten minutes), its spread or its depth was not calm. Unfrozen, the
baseline would swallow the crisis: z would fall towards its peak. After sixty sessions what was kept out is let in after
all: that is the new normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.engine.bars import treasury
from monitor.engine.bars.quotes import area, length
from monitor.engine.tiers import BASELINE
from monitor.signals.known import days_around
from monitor.signals.model import Window
from monitor.signals.sessions import sessions
from monitor.signals.thresholds import SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from datetime import date

    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.quoted import Quoted

HALF_HOUR: Final = 30 * SECONDS_PER_MINUTE
SESSIONS: Final = 20
"""A baseline is made of so many admitted sessions."""
FROZEN_SESSIONS: Final = 60
"""For so many sessions what was not admitted is kept out."""
LEAST_SESSIONS: Final = 10
"""With fewer there is no baseline."""

MEAN: Final[dict[str, pl.DataType]] = {
    "value_date": pl.Date(),
    "bond_index": pl.Int64(),  # which session it is: they are counted without gaps
    "half_hour": pl.Int64(),
    "instrument": pl.String(),
    "group": pl.String(),
    "spread_32nds": pl.Float64(),
    "depth_musd": pl.Float64(),
}
"""A row a five-minute mean of an issue in a session."""

DISTURBED: Final[dict[str, pl.DataType]] = {"value_date": pl.Date(), "instrument": pl.String()}
"""The sessions that are not admitted, by issue."""


def group_of() -> pl.Expr:
    """The group of issues that share a baseline: `tenor_e3` and `on_the_run` where both are said, else the issue."""
    run = pl.when("on_the_run").then(pl.lit("on")).otherwise(pl.lit("off"))
    both = pl.concat_str(c("tenor_e3").cast(pl.String), run, separator=" ")
    return pl.when(c("tenor_e3").is_not_null() & c("on_the_run").is_not_null()).then(both).otherwise("instrument")


def means_of(periods: pl.DataFrame, calendar: MarketCalendar, spread: pl.Expr, depth: pl.Expr) -> pl.DataFrame:
    """The five-minute means of sealed periods, as `MEAN`; what lies outside sessions is left out.

    Args:
        periods: bars of five minutes, as `TREASURY_PERIOD`; those of one period all together.
        calendar: the market calendar.
        spread: Float64 expression over a bar's sums: the mean spread in 32nds.
        depth: likewise the mean depth in USD millions.
    """
    if periods.is_empty():
        return pl.DataFrame(schema=MEAN)
    sums = [name for each in treasury.MEASURES for name in (area(each), length(each))]
    days = sessions(calendar, periods["period"].alias("tick"))
    numbered = days_around(calendar, days["value_date"], reach=0).select("bond_index", value_date="date")
    days = days.join(numbered, on="value_date")
    return (
        periods.sort("period", "instrument", "last_us", "partition")
        .group_by("period", "instrument", maintain_order=True)
        .agg(c(sums).sum(), c("tenor_e3", "on_the_run").drop_nulls().last())
        .join(days, left_on="period", right_on="tick")
        .filter(c("period") >= c("session_start"), c("period") < c("session_end"))
        .with_columns(
            half_hour=(c("period") - c("session_start")) // HALF_HOUR,
            group=group_of(),
            spread_32nds=spread,
            depth_musd=depth,
        )
        .filter(c("spread_32nds").is_not_null() | c("depth_musd").is_not_null())
        .select(*MEAN)
    )


def baselines_of(means: pl.DataFrame, disturbed: pl.DataFrame, session: date, calendar: MarketCalendar) -> pl.DataFrame:
    """The baselines of a session, as `BASELINE`; a group without admitted sessions has no row.

    Args:
        means: of sessions before it, as `MEAN`; what is of the session itself or later is left out.
        disturbed: the sessions that were not admitted, as `DISTURBED`.
        session: its date.
        calendar: the market calendar.
    """
    index = calendar.days(session, session)["bond_index"][0]
    age = pl.lit(index, pl.Int64) - c("bond_index")
    before = means.filter(age > 0, age <= FROZEN_SESSIONS + SESSIONS)
    refused = disturbed.with_columns(is_refused=pl.lit(value=True))
    admitted = (
        before.join(refused, on=["value_date", "instrument"], how="left")
        .filter((age > FROZEN_SESSIONS) | c("is_refused").is_null())
        .drop("is_refused")
    )
    # The last so many sessions of each group, whichever they are.
    newest = (
        admitted.select("group", "bond_index")
        .unique()
        .filter(c("bond_index").rank("ordinal", descending=True).over("group") <= SESSIONS)
    )
    chosen = admitted.join(newest, on=["group", "bond_index"], how="semi")
    deviation = (c("spread_32nds") - c("spread_32nds").median()).abs().median()
    return (
        chosen.group_by("half_hour", "group")
        .agg(
            sessions=c("bond_index").filter(c("spread_32nds").is_not_null()).n_unique().cast(pl.Int64),
            spread_median_32nds=c("spread_32nds").median(),
            spread_mad_32nds=deviation,
            depth_sessions=c("bond_index").filter(c("depth_musd").is_not_null()).n_unique().cast(pl.Int64),
            depth_median_musd=c("depth_musd").median(),
        )
        .with_columns(value_date=pl.lit(session))
        .sort("half_hour", "group")
        .select(*BASELINE)
    )


@dataclass(frozen=True)
class AgainstBaseline(Window):
    """Quoted issues with the baseline of their group and half-hour.

    Its columns are those of `Quoted` and of `BASELINE` without its keys; null where there is no baseline.

    Attributes:
        quoted: the window that is compared.
    """

    is_momentary: ClassVar[bool] = True
    is_dense: ClassVar[bool] = True
    quoted: Quoted

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the quotes, and those at which another half-hour's baseline begins to count."""
        own = self.quoted.ticks(tiers, after, upto)
        if own.len() == upto - after:
            return own
        seen = (tiers.treasury_seconds["second"] + 1).alias("tick")
        days = sessions(tiers.calendar, seen).drop_nulls("session_start")
        # Before the first quote of a session no edge matters: what stands from the session before ends sooner.
        firsts = days.group_by("session_start", "session_end").agg(first=c("tick").min())
        edges = (
            firsts.with_columns(tick=pl.int_ranges("session_start", "session_end", HALF_HOUR))
            .explode("tick")
            .select("first", tick=c("tick") + 1)
            .filter(c("tick") >= c("first"))["tick"]
        )
        ticks = pl.concat([own, edges.cast(pl.Int64)])
        return ticks.filter(ticks.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The rows of the quotes."""
        rows = at.rows(self.quoted)
        starts = sessions(at.tiers.calendar, at.ticks).select("tick", "session_start")
        # A window that ends on the edge of a half-hour is of the half-hour before.
        half_hour = (c("tick") - 1 - c("session_start")) // HALF_HOUR
        return (
            rows.join(starts, on="tick", how="left", maintain_order="left")
            .with_columns(half_hour=half_hour, group=group_of())
            .join(at.tiers.baselines, on=["value_date", "half_hour", "group"], how="left", maintain_order="left")
            .drop("half_hour", "group", "session_start")
        )
