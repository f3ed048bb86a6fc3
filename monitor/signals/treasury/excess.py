"""Off-the-run issues against the on-the-run of their tenor: what it costs more to trade what is not the newest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.signals.end_of_day import EndOfDayExcess
from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Signal, View, Window
from monitor.signals.tenors import tenor_label
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, ThresholdRow
from monitor.signals.treasury.measures import ISSUES, PRINTS_HELP, QUOTES_HELP, SEGMENT, SPREAD_32NDS

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.quoted import Issues
    from monitor.signals.treasury.parameters import TreasuryParameters

_EXCESS: Final[dict[str, pl.DataType]] = {
    "tenor_e3": pl.Int64(),
    "off_32nds": pl.Float64(),  # the median of the off-the-runs' spreads
    "on_32nds": pl.Float64(),
    IS_PARTIAL: pl.Boolean(),
    IS_OVER: pl.Boolean(),
}


@dataclass(frozen=True)
class Excess(Window):
    """The spreads of a tenor's off-the-runs and of its on-the-run, side by side.

    It is blind while the on-the-run is silent, or more than half of the off-the-runs, and partial while any of them has
    no spread, be it silent or without a second side: if the widest of them were not quoted any more the median would
    fall, and that would be no recovery.

    Attributes:
        issues: the window of all issues.
    """

    is_momentary: ClassVar[bool] = True
    is_dense: ClassVar[bool] = True
    issues: Issues

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the issues."""
        return self.issues.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick and tenor of which any issue says something.

        It is absent while there is nothing to compare: no issue on the run, or none off it.
        """
        known = at.rows(self.issues).filter(c("tenor_e3").is_not_null(), c("on_the_run").is_not_null())
        spread = pl.when(~c("blind")).then(SPREAD_32NDS)
        # On the day of a roll two say they are on the run: the newer one is.
        known = known.with_columns(spread=spread, is_silent=c("blind")).sort(
            "tick", "tenor_e3", "maturity", "instrument", nulls_last=False
        )
        is_on, is_off = c("on_the_run") & ~c(IS_OVER), ~c("on_the_run") & ~c(IS_OVER)
        return (
            known.group_by("tick", "tenor_e3", maintain_order=True)
            .agg(
                c("value_date").first(),
                c("speaks").any(),
                c(IS_OVER).all(),
                off_32nds=c("spread").filter(is_off).median(),
                on_32nds=c("spread").filter(is_on).last(),
                on_count=is_on.sum(),
                on_silent=c("is_silent").filter(is_on).last(),
                off_count=is_off.sum(),
                off_silent=(is_off & c("is_silent")).sum(),
                off_missing=(is_off & c("spread").is_null()).sum(),
            )
            .filter("speaks")
            .with_columns(
                blind=(c("on_silent").fill_null(value=False) | (2 * c("off_silent") > c("off_count")))
                & (c("on_count") > 0)
                & (c("off_count") > 0),
                is_partial=c("off_missing") > 0,
            )
            .select(*ROW_COLUMNS, *_EXCESS)
        )


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The excess of the off-the-runs.

    Example: 30-years off the run 5, 7 and 9 32nds wide beside an on-the-run of 1 are an excess of 6.
    """
    tenor, is_30y = {"tenor": tenor_label(c("tenor_e3"))}, c("tenor") == "30y"
    return (
        Signal(
            name="treasury_off_the_run_excess_32nds",
            segment=SEGMENT,
            title="Treasury off-the-run excess spread",
            help="How much more it costs to trade issues that are not the newest of their tenor.",
            formula="median spread of a tenor's off-the-runs - spread of its on-the-run",
            source=(
                "Duffie, Still the World's Safe Haven?, Hutchins Center Working Paper 62: in March 2020 off-the-runs "
                "broke first; a difference, as a ratio has zero denominators"
            ),
            labels=("tenor",),
            over=(View(Excess(ISSUES), tenor), View(EndOfDayExcess(), tenor)),
            value=c("off_32nds") - c("on_32nds"),
            window_help=f"{QUOTES_HELP}; {PRINTS_HELP}",
            thresholds=(
                ThresholdRow(
                    "30y", is_30y, "the 30-year",
                    "By end-of-day quotes at most 1.5 before 2020-03-09, and 6 to 24 from then to 04-09.",
                    headline="off_the_run_excess", calm=0.5, warning=Edge(3.5, 3.0), critical=Edge(6.0, 4.0),
                    hold_in=Hold(seconds=10 * SECONDS_PER_MINUTE), hold_out=Hold(seconds=30 * SECONDS_PER_MINUTE),
                ),
            ),
        ),
    )  # fmt: skip
