"""The view that signals of terms share: weighted means over a week and a month, in all, by theme and by sector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.model import View, divided, quotient
from monitor.signals.newissue.deals import MONTH, WEEK
from monitor.signals.newissue.names import AI, OTHER, REST, SECTOR, THEME, bounds_of
from monitor.signals.newissue.periods import LEAST_ISSUES, LEAST_KUSD, TOTAL, Priced, enough, label
from monitor.signals.thresholds import Hold
from monitor.streams import KUSD_PER_BUSD

if TYPE_CHECKING:
    from monitor.signals.newissue.parameters import NewIssueParameters

_SESSION_S: Final = 10 * 3_600
TWO_DAYS: Final = Hold(seconds=2 * _SESSION_S)
"""A day without deals, or with a single good one, is no recovery."""

LABELS: Final = (THEME, SECTOR, "window")
_UNITS_PER_BP: Final = 1_000_000

LEAST_HELP: Final = f"absent below {LEAST_ISSUES} issues or {LEAST_KUSD // KUSD_PER_BUSD} busd"
NAMES_HELP: Final = (
    f"all deals, by theme and by sector: `{AI}`, `{REST}` (deals without it), and those that the settings list, else "
    f"the largest by the supply of the last 12 months; all else is `{OTHER}`"
)
WINDOW_HELP: Final = (
    f"5 and 20 business days with today, by the New York date of pricing; fixed-rate deals; {LEAST_HELP}; {NAMES_HELP}"
)


def terms_view(parameters: NewIssueParameters) -> View:
    """Priced deals over a week and a month."""
    priced = Priced((WEEK, MONTH), (TOTAL, THEME, SECTOR), bounds_of(parameters))
    return View(priced, {THEME: label(THEME), SECTOR: label(SECTOR), "window": c("period")})


def mean_bp(name: str) -> pl.Expr:
    """The size-weighted mean of one of the differences, basis points; null with too few issues."""
    is_known = enough(f"{name}_issues", f"{name}_kusd")
    return pl.when(is_known).then(
        quotient(divided(c(f"{name}_sum").cast(pl.Float64), _UNITS_PER_BP), c(f"{name}_kusd"))
    )


def is_total() -> pl.Expr:
    """Whether a label set is of all deals over a week."""
    return c(THEME).is_null() & c(SECTOR).is_null() & (c("window") == WEEK)
