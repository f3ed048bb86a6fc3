"""Deals placed inside Treasuries: lenders who take a company's promise for less than the government's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.signals.model import Signal, View
from monitor.signals.newissue.deals import MONTH, YEAR_TO_DATE
from monitor.signals.newissue.names import bounds_of
from monitor.signals.newissue.periods import SEGMENT, TOTAL, Priced, enough
from monitor.signals.newissue.terms import LEAST_HELP

if TYPE_CHECKING:
    from monitor.signals.newissue.parameters import NewIssueParameters


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """The deals with a negative spread.

    Example: of 40 tranches placed in 20 business days two yield 3 and 5 bp less than their Treasury: 2.
    """
    over = Priced((MONTH, YEAR_TO_DATE), (TOTAL,), bounds_of(parameters))
    return (
        Signal(
            name="newissue_below_treasury_count",
            segment=SEGMENT,
            title="Deals inside Treasuries",
            help="How many tranches were placed at less than the Treasury of their tenor yields.",
            formula="tranches with a spread at pricing below 0",
            source="The inversion of credit and sovereign: seen in Europe, a sign of strain of the sovereign's market",
            labels=("window",),
            over=(View(over, {"window": c("period")}),),
            value=pl.when(enough("spread_issues", "spread_kusd")).then(c("below")),
            window_help=f"20 business days and the calendar year so far; fixed-rate deals; {LEAST_HELP}",
        ),
    )
