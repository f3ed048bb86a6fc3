"""How much dearer protection is than it was of late: free of the level, and a crisis does not become what is usual."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.cds.closes import (
    INDEX_EXIT_BP,
    INDEX_WARNING_BP,
    NAME_EXIT_BP,
    NAME_EXIT_PERCENT,
    NAME_WARNING_BP,
    NAME_WARNING_PERCENT,
)
from monitor.signals.cds.compared import (
    BASE_HELP,
    COMPARED,
    HALF_AN_HOUR,
    ONE_DAY,
    WIDENING_BP,
    WIDENING_RATIO,
)
from monitor.signals.cds.quotes import BLIND_HELP, SEGMENT
from monitor.signals.model import Signal, View
from monitor.signals.tenors import tenor_label
from monitor.signals.thresholds import Edge, ThresholdRow

if TYPE_CHECKING:
    from monitor.signals.cds.parameters import CdsParameters

_NAME_RATIOS: Final = (
    (0.0, 0.0),
    (0.05, 3.0),
    (NAME_EXIT_PERCENT / 100, float(NAME_EXIT_BP)),
    (NAME_WARNING_PERCENT / 100, float(NAME_WARNING_BP)),
    (0.40, 25.0),
    (0.60, 40.0),
)
"""What a widening by a part of the base weighs, in bp: each edge of the ratio is that of the bp."""


def _in_bp(ratio: pl.Expr) -> pl.Expr:
    """A widening by a part of the base on the scale of bp, piecewise linear; beyond the ends as next to them."""
    pieces = [(x0, y0, (y1 - y0) / (x1 - x0)) for (x0, y0), (x1, y1) in pairwise(_NAME_RATIOS)]
    x, y, slope = pieces[0]
    found = y + (ratio - x) * slope
    for x, y, slope in (*pieces[1:], (*_NAME_RATIOS[-1], pieces[-1][2])):
        found = pl.when(ratio >= x).then(y + (ratio - x) * slope).otherwise(found)
    return found


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The widening in bp, which has the thresholds, and as a part of the base.

    Example: 151 bp where the median of the last 20 days is 120 is a widening of 31 bp, or 0.258: past the warning of
    a name, which needs 15 bp and 0.25.
    """
    labels = {"entity": c("entity"), "tenor": tenor_label(c("tenor_e3"))}
    over = (View(COMPARED, labels, attributes={"index": pl.Boolean()}),)
    source = "the monitor's own; ISDA, CDS Standard Model (par spread)"
    window_help = f"the last quote against the {BASE_HELP}; {BLIND_HELP}"
    five_years = c("tenor") == "5y"
    return (
        Signal(
            name="cds_widening_bp",
            segment=SEGMENT,
            title="CDS widening",
            help="How much dearer protection on an entity is than in the last weeks.",
            formula="mid - base; thresholds of a name go by the lesser of bp and ratio, each on the scale of its edges",
            source=source,
            labels=("entity", "tenor"),
            over=over,
            value=WIDENING_BP,
            window_help=window_help,
            thresholds=(
                ThresholdRow(
                    "index", five_years & c("index"), "indices, 5y",
                    "By judgement, no history is carried: an index of a hundred names moves a bp or two a day in calm, "
                    "as their own affairs cancel; 12 bp within weeks are about credit as a whole.",
                    calm=3, warning=Edge(INDEX_WARNING_BP, INDEX_EXIT_BP), critical=Edge(25, 15),
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, headline="index_widening",
                ),
                ThresholdRow(
                    "name", five_years & ~c("index"), "names, 5y; both in bp and as a part of the base: "
                    "calm 5 %, warning 25 % (left below 15 %), critical 60 % (40 %)",
                    "By judgement: 15 bp are nothing for a name at 400 bp, and a quarter is nothing for one at 20 bp; "
                    "it is the name's own affair, and news, when both are passed.",
                    calm=3, warning=Edge(NAME_WARNING_BP, NAME_EXIT_BP), critical=Edge(40, 25),
                    hold_in=HALF_AN_HOUR, hold_out=ONE_DAY, headline="name_widening",
                ),
            ),
            graded=pl.when("index").then(WIDENING_BP).otherwise(pl.min_horizontal(WIDENING_BP, _in_bp(WIDENING_RATIO))),
        ),
        Signal(
            name="cds_widening_ratio",
            segment=SEGMENT,
            title="CDS widening as a part of the base",
            help="By which part protection on an entity is dearer than in the last weeks.",
            formula="mid / base - 1",
            source=source,
            labels=("entity", "tenor"),
            over=(View(COMPARED, labels),),
            value=WIDENING_RATIO,
            window_help=window_help,
        ),
    )  # fmt: skip
