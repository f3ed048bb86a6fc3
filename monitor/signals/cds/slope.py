"""The slope of an entity's CDS curve: near protection that is dearer than far is the fear of a sudden default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.signals.cds.closes import UNITS2_PER_BP
from monitor.signals.cds.compared import HALF_AN_HOUR, ONE_DAY
from monitor.signals.cds.quotes import BLIND_HELP, FIVE_YEARS, LAST_QUOTED, SEGMENT, standing
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window, divided
from monitor.signals.thresholds import Edge, Notify, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.cds.parameters import CdsParameters
    from monitor.signals.model import Evaluation

ONE_YEAR: Final = 1_000


@dataclass(frozen=True)
class Legs(Window):
    """The mids of 5 years and of 1 year that stand, where either changes; blind when either is."""

    columns: ClassVar[dict[str, pl.DataType]] = {
        "entity": pl.String(), "long2_e6": pl.Int64(), "short2_e6": pl.Int64(),
    }  # fmt: skip

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the quotes."""
        return LAST_QUOTED.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick at which a leg says something and both have spoken."""
        changed = at.rows(LAST_QUOTED).filter(c("tenor_e3").is_in([FIVE_YEARS, ONE_YEAR]))
        if changed.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        rows = changed.select("tick", "value_date", "entity").unique().sort("tick", "entity")
        for name, tenor_e3 in (("long", FIVE_YEARS), ("short", ONE_YEAR)):
            leg = standing(at, rows.select("tick", "entity", tenor_e3=pl.lit(tenor_e3, pl.Int64)))
            rows = rows.with_columns(
                leg["mid2_e6"].alias(f"{name}2_e6"), leg["blind"].alias(f"{name}_blind"), leg["since"].alias(name)
            )
        both = rows.filter(c("long").is_not_null() & c("short").is_not_null())
        return both.with_columns(blind=c("long_blind") | c("short_blind")).select(*ROW_COLUMNS, *self.columns)


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The slope of each entity.

    Example: 118 bp for 5 years and 58 bp for one: 60 bp. At 900 and 1,100 bp it is -200 bp: inverted.
    """
    return (
        Signal(
            name="cds_slope_bp",
            segment=SEGMENT,
            title="CDS slope",
            help="How much dearer far protection is than near; low or negative is the fear of a sudden default.",
            formula="5y mid - 1y mid",
            source="Augustin (2018), The term structure of CDS spreads and sovereign credit risk; ISDA",
            labels=("entity",),
            over=(View(Legs(), {"entity": c("entity")}),),
            value=divided(c("long2_e6") - c("short2_e6"), UNITS2_PER_BP),
            window_help=f"the last quotes of both; either {BLIND_HELP}",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all entities with both tenors",
                    "By judgement: a curve in calm rises by tens of bp; a flat one says that the danger is near, and "
                    "an inverted one is seen of names whose survival of the year is in doubt.",
                    calm=25, warning=Edge(5, 10), critical=Edge(-5, 0), low_is_bad=True,
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, notify=Notify.ON_CALL,
                ),
            ),
        ),
    )  # fmt: skip
