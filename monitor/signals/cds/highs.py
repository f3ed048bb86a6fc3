"""For how long protection has not been as dear as now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.cds.closes import UNITS4_PER_BP
from monitor.signals.cds.compared import BASE_HELP, COMPARED, HALF_AN_HOUR, IS_FIVE_YEARS, ONE_DAY, WIDENING4
from monitor.signals.cds.quotes import BLIND_HELP, SEGMENT
from monitor.signals.model import Signal, View
from monitor.signals.thresholds import Edge, Notify, ThresholdRow

if TYPE_CHECKING:
    from monitor.signals.cds.parameters import CdsParameters

LEAST_WIDENING_BP: Final = 10
"""With less a high is only the end of a long rise."""


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """Days since the spread was as high as now, and days since the history begins, which is the most it can be.

    Example: 151 bp on 2025-11-14, last at or above that on 2009-07-10: 5,971 days. If 2009-07-10 is the first close
    that is known, and lower, it is 5,971 days too: `cds_history_days` is the same, and says that it may be more.
    """
    views = (View(COMPARED, {"entity": c("entity")}, where=IS_FIVE_YEARS),)
    day = c("value_date").cast(pl.Date)
    since = (day - pl.coalesce("as_high", "first_date")).dt.total_days()
    is_wide = (WIDENING4 >= LEAST_WIDENING_BP * UNITS4_PER_BP).fill_null(value=False)
    source = "ISDA, CDS Standard Model (par spread)"
    return (
        Signal(
            name="cds_days_since_higher",
            segment=SEGMENT,
            title="Days since CDS was as high",
            help="For how long protection on an entity has not cost as much; where it never has within the history, "
            "the days since that begins (equal to cds_history_days: it may be longer).",
            formula="date of the quote - date of the last close at or above its mid, in calendar days; "
            f"thresholds hold where the widening is at least {LEAST_WIDENING_BP} bp",
            source=source,
            labels=("entity",),
            over=views,
            value=pl.when(c("mid2_e6").is_not_null()).then(since),
            window_help=f"5y; all closes of the days before the quote's; {BLIND_HELP}",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), f"where it has widened by {LEAST_WIDENING_BP} bp from the {BASE_HELP}",
                    "By judgement: a high of a year is common in a bad month; one of ten years says that the market "
                    "sees something new in the name. It is context for its widening, and not an alarm of its own.",
                    calm=250, warning=Edge(750, 750), critical=Edge(2_500, 2_500),
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, notify=Notify.NONE,
                ),
            ),
            graded=pl.when(is_wide).then(since).otherwise(0),
        ),
        Signal(
            name="cds_history_days",
            segment=SEGMENT,
            title="Days of CDS history",
            help="For how long an entity's closes are known: no high can be older.",
            formula="date of the quote - date of the first close that is known, in calendar days",
            source=source,
            labels=("entity",),
            over=views,
            value=(day - c("first_date")).dt.total_days(),
            window_help=f"5y; all closes of the days before the quote's; {BLIND_HELP}",
        ),
    )  # fmt: skip
