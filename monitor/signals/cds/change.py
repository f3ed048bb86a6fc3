"""How a CDS spread has changed over a day, a week, a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.signals.cds.closes import UNITS2_PER_BP
from monitor.signals.cds.compared import COMPARED, WINDOWS
from monitor.signals.cds.quotes import BLIND_HELP, SEGMENT
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window, divided
from monitor.signals.tenors import tenor_label

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.cds.parameters import CdsParameters
    from monitor.signals.model import Evaluation


@dataclass(frozen=True)
class Changed(Window):
    """The quotes with the close of so many business days ago.

    Attributes:
        back: how many.
    """

    back: int

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the quotes."""
        return COMPARED.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The rows of the quotes; `then_e6`, null where there is nothing to compare with."""
        rows = at.rows(COMPARED)
        if rows.is_empty():  # as at most live ticks
            return rows
        return rows.select(*ROW_COLUMNS, "entity", "tenor_e3", "mid2_e6", then_e6=f"close{self.back}_e6")


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The change of each entity and tenor over 1, 5 and 20 business days.

    Example: 151 bp on a Tuesday, and 146.5 at the close of Monday: the change over `1bd` is 4.5 bp.
    """
    labels = {"entity": c("entity"), "tenor": tenor_label(c("tenor_e3"))}
    return (
        Signal(
            name="cds_change_bp",
            segment=SEGMENT,
            title="CDS change",
            help="How much dearer protection on an entity has become over some business days.",
            formula="mid - the close of that many business days ago",
            source="ISDA, CDS Standard Model (par spread)",
            labels=("entity", "tenor", "window"),
            over=tuple(View(Changed(back), labels | {"window": pl.lit(f"{back}bd")}) for back in WINDOWS),
            value=divided(c("mid2_e6") - c("then_e6"), UNITS2_PER_BP),
            window_help="the last quote, and the last mid of the day so many business days before its own; absent "
            f"where that day has none, and across the roll of an index into another series; {BLIND_HELP}",
        ),
    )
