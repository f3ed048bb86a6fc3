"""The regime: the index as one of four words, with hysteresis, so that it does not flicker at an edge.

Each regime is a latch as levels are: set at or past its enter, let go strictly below its exit, else it stays. A crisis
has to be granted besides: enough of the market must be seen, and enough of it be bad. Until then it is capped at
stressed, and says so; once granted it stays until the index is below its exit, so that no loss of coverage lowers it.
"""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor.index.constants import BANDS, CRISIS_COVERAGE, CRISIS_SCORE, CRISIS_SEGMENTS
from monitor.results import REGIMES, SEGMENTS

LATCHES: Final = (*BANDS, "granted")
"""A Boolean column each."""
NO_LATCHES: Final = dict.fromkeys(LATCHES, False)

_CALM, _ELEVATED, _STRESSED, _CRISIS = REGIMES


def with_regime(frame: pl.LazyFrame, latches: dict[str, bool]) -> pl.LazyFrame:
    """Adds `regime`, `capped` and `LATCHES` to rows in the order of time.

    Args:
        frame: `strength` (what the regime goes by: an index; null: nothing is known, and it stays), `covered`
            (percent), the score of every segment, and `is_critical` (a signal is: the regime is at least elevated).
        latches: as they stood before the first row.

    >>> rows = pl.DataFrame({"strength": [0.09, 0.10, 0.08, 0.0699, 0.5, None, 0.2], "covered": 100,
    ...     "is_critical": [False] * 6 + [True]} | dict.fromkeys(SEGMENTS, 0.6))
    >>> with_regime(rows.lazy(), NO_LATCHES).collect()["regime"].to_list()
    ['calm', 'elevated', 'elevated', 'calm', 'crisis', 'crisis', 'stressed']
    """
    before = [pl.lit(latches[name]).alias(f"{name}_before") for name in LATCHES]
    frame = frame.with_columns(before).with_columns(_HELD).with_columns(_GRANTED).with_columns(_REGIME, _CAPPED)
    return frame.drop([f"{name}_before" for name in LATCHES])


def _latch(name: str, enters: pl.Expr, leaves: pl.Expr) -> pl.Expr:
    """True where entered last, False where left last, before either as it was."""
    moved = pl.when(enters).then(pl.lit(value=True)).when(leaves).then(pl.lit(value=False)).forward_fill()
    return moved.fill_null(c(f"{name}_before")).alias(name)


_HELD: Final = [_latch(name, c("strength") >= band.enter, c("strength") < band.exit) for name, band in BANDS.items()]
_BAD: Final = pl.sum_horizontal((c(s) >= CRISIS_SCORE).fill_null(value=False).cast(pl.Int64) for s in SEGMENTS)
_IS_EVERYWHERE: Final = (c("covered") >= CRISIS_COVERAGE) & (_BAD >= CRISIS_SEGMENTS)
_GRANTED: Final = _latch("granted", c(_CRISIS) & _IS_EVERYWHERE, ~c(_CRISIS))
_REGIME: Final = (
    pl.when("granted").then(pl.lit(_CRISIS))
    .when(_STRESSED).then(pl.lit(_STRESSED))
    .when(c(_ELEVATED) | c("is_critical")).then(pl.lit(_ELEVATED))
    .otherwise(pl.lit(_CALM))
    .alias("regime")
)  # fmt: skip
_CAPPED: Final = (c(_CRISIS) & ~c("granted")).alias("capped")
