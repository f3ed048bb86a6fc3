"""The concession: what issuers pay above their own curve to place new bonds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polars import col as c

from monitor.signals.model import Signal
from monitor.signals.newissue.deals import WEEK
from monitor.signals.newissue.names import AI, REST, THEME
from monitor.signals.newissue.periods import CONCESSION, SEGMENT
from monitor.signals.newissue.terms import LABELS, TWO_DAYS, WINDOW_HELP, mean_bp, terms_view
from monitor.signals.thresholds import Edge, ThresholdRow

if TYPE_CHECKING:
    from monitor.signals.newissue.parameters import NewIssueParameters


def _row(theme: str, applies_to: str, reason: str) -> ThresholdRow:
    return ThresholdRow(
        theme, (c(THEME) == theme) & (c("window") == WEEK), applies_to, reason,
        headline=f"concession_{theme}", calm=3, warning=Edge(10, 7), critical=Edge(20, 12), hold_out=TWO_DAYS,
    )  # fmt: skip


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """The concession, by theme and sector.

    Example: 20 busd at 12 bp above fair value, 5 busd at 2 bp and 5 busd at fair value: (240 + 10 + 0) / 30 = 8.33 bp.
    """
    return (
        Signal(
            name="newissue_concession_bp",
            segment=SEGMENT,
            title="New-issue concession",
            help="How much more than their own curve issuers pay to place new bonds.",
            formula="size-weighted mean of spread - fair value spread, both as frozen at pricing",
            source=(
                "Cai, Helwege and Warga, Underpricing in the Corporate Bond Market, Review of Financial Studies 20 "
                "(2007); 10 to 15 bp for the large deals of Alphabet and Meta"
            ),
            labels=LABELS,
            over=(terms_view(parameters),),
            value=mean_bp(CONCESSION),
            window_help=WINDOW_HELP,
            thresholds=(
                _row(
                    AI, "theme `ai` over 5 business days",
                    "By judgement: on calm days issuers pay 0 to 5 bp; Alphabet and Meta paid 10 to 15 bp for their "
                    "large deals, and 20 bp says that buyers are full. No history of deals is carried.",
                ),
                _row(
                    REST, "all deals without theme `ai` over 5 business days",
                    "By judgement, as for `ai`: if crowding out is real the others pay for it, so they are held to the "
                    "same numbers.",
                ),
            ),
        ),
    )  # fmt: skip
