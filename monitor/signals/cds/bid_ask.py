"""How wide protection is quoted, against its price: the liquidity of the hedge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.engine.bars import cds
from monitor.engine.bars.quotes import area, length
from monitor.signals.cds.compared import HALF_AN_HOUR, ONE_DAY
from monitor.signals.cds.quotes import BLIND_HELP, LAST_QUOTED, SEGMENT, relevant, standing
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window, quotient
from monitor.signals.sessions import new_york_date
from monitor.signals.tenors import tenor_label
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.cds.parameters import CdsParameters
    from monitor.signals.model import Evaluation

SPAN_SECONDS: Final = 5 * SECONDS_PER_MINUTE
_SUMS: Final = (area(cds.SPREAD), area(cds.QUOTED), length(cds.SPREAD))


@dataclass(frozen=True)
class WideQuoted(Window):
    """Bid-ask and mid of the last minutes, weighted by how long they stood, whatever the partition.

    A row where a quote comes, where it has been the window's whole length ago, and where the name goes blind.
    """

    is_momentary: ClassVar[bool] = True
    columns: ClassVar[dict[str, pl.DataType]] = {
        "entity": pl.String(), "tenor_e3": pl.Int64(),
        area(cds.SPREAD): pl.Int128(), area(cds.QUOTED): pl.Int128(), length(cds.SPREAD): pl.Int64(),
    }  # fmt: skip

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the quotes, and those at which what stood before a quote has left the window."""
        leaves = tiers.cds_seconds["second"] + 1 + SPAN_SECONDS
        leaves = leaves.filter(leaves.is_between(after, upto, closed="right")).alias("tick")
        return pl.concat([LAST_QUOTED.ticks(tiers, after, upto), leaves]).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The rows; their sums are over the window, or 0 where no quote of two sides stood."""
        names = list(cds.NAMES)
        leaves = at.tiers.cds_seconds.select(*names, tick=c("second") + 1 + SPAN_SECONDS)
        asked = pl.concat([at.rows(LAST_QUOTED).select(*names, "tick"), leaves])
        asked = asked.filter(c("tick").is_in(at.ticks.implode())).unique().sort("tick", *names)
        if asked.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        rows = standing(at, asked)
        after = int(asked["tick"][0]) - 1 - SPAN_SECONDS
        sums = cds.standing(relevant(at.tiers.cds_seconds, after, int(asked["tick"][-1]), cds.SERIES))
        grid = asked.join(sums.codes.select("code", *names), on=names).sort("code", "tick")
        ends, begins = sums.at(grid.select("code", "tick")), sums.at(grid.select("code", tick=c("tick") - SPAN_SECONDS))
        stood = grid.with_columns(ends[name] - begins[name] for name in _SUMS)
        stood = stood.group_by("tick", *names).agg(c(_SUMS).sum())
        return (
            rows.join(stood, on=["tick", *names], how="left", maintain_order="left")
            .with_columns(c(_SUMS).fill_null(0), value_date=new_york_date(c("tick")))
            .select(*ROW_COLUMNS, *self.columns)
        )


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """Bid-ask of each entity and tenor as a part of the mid.

    Example: 150 bid and 162 asked for four minutes, 152 and 160 for one: 11.2 of 156 bp is 0.0718.
    """
    value = pl.when(c(area(cds.QUOTED)) > 0).then(quotient(2 * c(area(cds.SPREAD)), c(area(cds.QUOTED))))
    return (
        Signal(
            name="cds_bid_ask_ratio",
            segment=SEGMENT,
            title="CDS bid-ask",
            help="What it costs to trade protection, as a part of its price.",
            formula="time-weighted mean of ask - bid / time-weighted mean of the mid",
            source="Bongaerts, de Jong, Driessen (2011), Derivative pricing with liquidity risk: evidence from CDS",
            labels=("entity", "tenor"),
            over=(View(WideQuoted(), {"entity": c("entity"), "tenor": tenor_label(c("tenor_e3"))}),),
            value=value,
            window_help=f"{SPAN_SECONDS // SECONDS_PER_MINUTE} minutes, quotes of two sides that are not crossed; a "
            f"quote stands for an hour at most; marks have none: absent; {BLIND_HELP}",
            thresholds=(
                ThresholdRow(
                    "5y", c("tenor") == "5y", "5y; other tenors trade too little to be judged by their width",
                    "By judgement, no history is carried: in calm a name is quoted a few percent of its spread wide; "
                    "at 15 % a hedge is dear to leave again, and at 30 % quotes are no invitation to trade.",
                    calm=0.08, warning=Edge(0.15, 0.12), critical=Edge(0.30, 0.22),
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, headline="bid_ask",
                ),
            ),
        ),
    )  # fmt: skip
