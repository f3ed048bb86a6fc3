"""Credit default swaps: what protection on a name, or an index of names, costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polars import col as c

from monitor.signals.cds.closes import UNITS2_PER_BP
from monitor.signals.cds.quotes import BLIND_HELP, LAST_QUOTED, SEGMENT
from monitor.signals.model import Signal, View, divided
from monitor.signals.tenors import tenor_label

if TYPE_CHECKING:
    from monitor.signals.cds.parameters import CdsParameters


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The par spread of each entity and tenor.

    Example: 150 bid and 152 asked is a spread of 151 bp.
    """
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
            over=(View(LAST_QUOTED, labels),),
            value=divided(c("mid2_e6"), UNITS2_PER_BP),
            window_help=f"the last quote; {BLIND_HELP}",
        ),
    )
