"""How much protection on single names is traded, against what was usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.engine.tiers import EVER
from monitor.signals.cds.closes import business_days
from monitor.signals.cds.compared import HALF_AN_HOUR, ONE_DAY
from monitor.signals.cds.quotes import SEGMENT
from monitor.signals.known import days_around
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window, quotient
from monitor.signals.sessions import new_york_date
from monitor.signals.thresholds import Edge, Notify, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.cds.parameters import CdsParameters
    from monitor.signals.model import Evaluation

BLOCK_DAYS: Final = 20
BLOCKS: Final = 6
"""So many blocks before the newest: against one alone a surge that lasts would fade to 1 within a month."""


@dataclass(frozen=True)
class Traded(Window):
    """The notional of single names over the newest 20 whole business days, and over each block of 20 before.

    Days are counted on which any name was heard: a day without is a gap in the feed, and no quiet day. A row a day, at
    the midnight after it, and a blind one when the next business day has gone by unheard.
    """

    columns: ClassVar[dict[str, pl.DataType]] = {
        "block_kusd": pl.Int64(),  # of the newest block; null until all blocks are known
        "median2_kusd": pl.Int64(),  # twice the median of the blocks before
    }

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Midnights after days."""
        ticks = self._days(tiers)["tick"]
        return ticks.filter(ticks.is_between(after, upto, closed="right"))

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The rows of `_days` at these ticks."""
        return self._days(at.tiers).filter(c("tick").is_in(at.ticks.implode()))

    def _days(self, tiers: Tiers) -> pl.DataFrame:
        return tiers.once("cds volumes", lambda: self._made(tiers), of=("cds_days",))

    def _made(self, tiers: Tiers) -> pl.DataFrame:
        days = tiers.cds_days.filter(~c("index").fill_null(value=False), c("quotes") > 0)
        around = days_around(tiers.calendar, days["value_date"], reach=12)
        around = around.with_columns(midnight_after=c("midnight").shift(-1))
        after = around.filter("bond_business_day").select(
            "bond_index", next_index=c("bond_index") + 1, tick="midnight_after"
        )
        ends = after.join(after.select(next_index="bond_index", due="tick"), on="next_index", how="left")
        heard = (
            days.join(business_days(tiers, days["value_date"]).select("value_date", "bond_index"), on="value_date")
            .group_by("bond_index")
            .agg(c("notional_kusd").sum())
            .join(ends, on="bond_index")
            .sort("bond_index")
        )
        total = c("notional_kusd").cum_sum()
        block = pl.when(pl.int_range(pl.len()) >= BLOCK_DAYS - 1).then(total - total.shift(BLOCK_DAYS, fill_value=0))
        before = pl.concat_list(block.shift(BLOCK_DAYS * n) for n in range(1, BLOCKS + 1)).list.sort()
        middle = before.list.get(BLOCKS // 2 - 1) + before.list.get(BLOCKS // 2)
        is_known = pl.int_range(pl.len()) >= BLOCK_DAYS * (BLOCKS + 1) - 1
        said = heard.select(
            "tick",
            "due",
            then=c("tick").shift(-1, fill_value=EVER),
            block_kusd=pl.when(is_known).then(block),
            median2_kusd=pl.when(is_known).then(middle),
            blind=pl.lit(value=False),
        )
        silent = said.filter(c("due") < c("then")).select(
            tick="due",
            block_kusd=pl.lit(None, pl.Int64),
            median2_kusd=pl.lit(None, pl.Int64),
            blind=pl.lit(value=True),
        )
        rows = pl.concat([said.drop("due", "then"), silent], how="diagonal").sort("tick")
        return rows.with_columns(value_date=new_york_date(c("tick"))).select(*ROW_COLUMNS, *self.columns)


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The surge of single-name volume.

    Example: 11.4 billion USD in the last 20 days, where six blocks of 20 before had a median of 6.0: 1.9, or 90 % more.
    """
    return (
        Signal(
            name="cds_volume_surge_ratio",
            segment=SEGMENT,
            title="CDS volume surge",
            help="How much more protection on single names is traded than in the half-year before.",
            formula=f"notional of the last {BLOCK_DAYS} whole days / median of the {BLOCKS} blocks of {BLOCK_DAYS} "
            "days before; days on which any name was heard, all names and tenors, without indices",
            source="DTCC, single-name volumes by week (Oracle and others: +90 % since early September 2025)",
            labels=(),
            over=(View(Traded(), {}),),
            value=pl.when(c("median2_kusd") > 0).then(quotient(2 * c("block_kusd"), c("median2_kusd"))),
            window_help="whole New York business days up to yesterday: a part of today would be too little; absent "
            f"until {BLOCK_DAYS * (BLOCKS + 1)} are known; blind when a whole business day passes unheard",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all single names together",
                    "By judgement: 90 % more, as DTCC saw it from early September 2025, is a rush for hedges that "
                    "spreads need not show yet; three times as much is one that they will.",
                    calm=1, warning=Edge(1.9, 1.5), critical=Edge(3, 2.2),
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, notify=Notify.DESK,
                ),
            ),
        ),
    )  # fmt: skip
