"""How new bonds are taken: orders for them, how far the price was talked up, and how they trade at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from polars import col as c

from monitor.signals.model import Signal, quotient
from monitor.signals.newissue.periods import BREAK, SEGMENT, TIGHTENING, enough
from monitor.signals.newissue.terms import LABELS, TWO_DAYS, WINDOW_HELP, is_total, mean_bp, terms_view
from monitor.signals.thresholds import Edge, ThresholdRow

if TYPE_CHECKING:
    from monitor.signals.newissue.parameters import NewIssueParameters


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """Book cover, tightening and break.

    Examples: an issue of three tranches of 1, 2 and 2 busd, each of which says a book of 20 busd, one of 3 busd with a
    book of 9 and one of 2 with a book of 5: (20 + 9 + 5) / (5 + 3 + 2) = 3.4. Of 4 busd talked at 120 and placed at
    95 bp, and 1 busd talked and placed at 80: (4 * 25 + 0) / 5 = 20 bp of tightening. Were the 4 at 99 bp in their
    first trades and the 1 at 79: (4 * 4 - 1) / 5 = 3 bp of break; with a third issue, as two say nothing.
    """
    over = (terms_view(parameters),)
    return (
        Signal(
            name="newissue_book_cover_ratio",
            segment=SEGMENT,
            title="New-issue book cover",
            help="How many times over investors have ordered what was placed.",
            formula="sum of books / sum of sizes, of issues with a book; the largest book that a tranche says, once",
            source=(
                "Books of new issues as desks publish them; Cornelli and Goldreich, Bookbuilding: How Informative Is "
                "the Order Book?, Journal of Finance 58 (2003)"
            ),
            labels=LABELS,
            over=over,
            value=pl.when(enough("book_issues", "book_size_kusd")).then(quotient(c("book_kusd"), c("book_size_kusd"))),
            window_help=(
                f"{WINDOW_HELP}; issues that float altogether are left out, a floating tranche of another one is not, "
                "as the book is that of the whole issue"
            ),
            thresholds=(
                ThresholdRow(
                    "total", is_total(), "all deals over 5 business days",
                    "By judgement: three to four times is usual in a calm market; below two there is no competition "
                    "for a deal, as orders are inflated. No history of deals is carried.",
                    headline="book_cover", calm=3.5, warning=Edge(2.5, 2.8), critical=Edge(1.8, 2.2),
                    low_is_bad=True, hold_out=TWO_DAYS,
                ),
            ),
        ),
        Signal(
            name="newissue_tightening_bp",
            segment=SEGMENT,
            title="New-issue tightening",
            help="How far syndicates could talk the spread down from their first talk.",
            formula="size-weighted mean of initial price talk - spread, both as frozen at pricing",
            source="Syndicates' talk as desks publish it; little tightening is weak demand",
            labels=LABELS,
            over=over,
            value=mean_bp(TIGHTENING),
            window_help=WINDOW_HELP,
        ),
        Signal(
            name="newissue_break_bp",
            segment=SEGMENT,
            title="New-issue break",
            help="How much wider than placed new bonds trade at first.",
            formula="size-weighted mean of first trading spread - spread at pricing",
            source=(
                "Cai, Helwege and Warga, Underpricing in the Corporate Bond Market, Review of Financial Studies 20 "
                "(2007): a new bond should trade up"
            ),
            labels=LABELS,
            over=over,
            value=mean_bp(BREAK),
            window_help=WINDOW_HELP,
            thresholds=(
                ThresholdRow(
                    "total", is_total(), "all deals over 5 business days",
                    "By judgement: new bonds break at or inside their spread; 3 bp wider over a week of deals is "
                    "indigestion, 8 bp a loss for everyone who bought. No history of deals is carried.",
                    headline="break", calm=0, warning=Edge(3, 1), critical=Edge(8, 4), hold_out=TWO_DAYS,
                ),
            ),
        ),
    )  # fmt: skip
