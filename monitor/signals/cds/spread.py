"""Credit default swaps: what protection on a name, or an index of names, costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polars import col as c

from monitor import streams
from monitor.signals.cds.quotes import LastQuoted
from monitor.signals.model import Signal, View, divided
from monitor.signals.tenors import tenor_label

if TYPE_CHECKING:
    from monitor.signals.cds.parameters import CdsParameters

SEGMENT: Final = "cds"
_UNITS2_PER_BP: Final = 2 * streams.UNITS_PER_BP
"""Of bid + ask: the mid is half of it."""


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The par spread of each entity and tenor."""
    labels = {"entity": c("entity"), "tenor": tenor_label(c("tenor_e3"))}
    return (
        Signal(
            name="cds_spread_bp",
            segment=SEGMENT,
            title="CDS spread",
            help="The par spread at which protection on an entity is quoted.",
            formula="last mid: (bid + ask) / 2 of an uncrossed quote of two sides, or the mid that is published",
            source="ISDA, CDS Standard Model (par spread)",
            labels=("entity", "tenor"),
            over=(View(LastQuoted(), labels),),
            value=divided(c("mid2_e6"), _UNITS2_PER_BP),
            window_help="the last quote; blind after 60 minutes of session without one, "
            "an end-of-day mark at 18:00 of the next business day, and either when it does not change for three days "
            "while its peers do",
        ),
    )
