"""The window of CDS quotes beside the closes of the days before: the base, closes some days back, the last high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.engine.bars import cds
from monitor.signals.cds.closes import (
    ASKED,
    BASE_CLOSES,
    FROZEN_DAYS,
    LEAST_CLOSES,
    UNITS4_PER_BP,
    bases_of,
    business_days,
    firsts_of,
    last_as_high,
    looked_back_on,
)
from monitor.signals.cds.quotes import FIVE_YEARS, LAST_QUOTED, LastQuoted
from monitor.signals.model import ROW_COLUMNS, Window, divided, quotient
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Hold

if TYPE_CHECKING:
    from datetime import date

    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

HALF_AN_HOUR: Final = Hold(seconds=30 * SECONDS_PER_MINUTE)
ONE_DAY: Final = Hold(seconds=10 * 60 * SECONDS_PER_MINUTE)
"""A whole session of ten hours."""

WINDOWS: Final = (1, 5, 20)
"""Changes are over so many business days."""
IS_FIVE_YEARS: Final = c("tenor_e3") == FIVE_YEARS
BASE_HELP: Final = (
    f"median of the last {BASE_CLOSES} admitted closes of that entity and tenor, at least {LEAST_CLOSES}; a close is "
    "the last mid of a business day, and not admitted if it was past the default warning of its own day, until "
    f"{FROZEN_DAYS} business days have gone; it goes on across the roll of an index"
)

WIDENING4: Final = 2 * c("mid2_e6") - c("median4_e6")
"""A quarter of 1e-6 bp is its unit; null without a base."""
WIDENING_BP: Final = divided(WIDENING4, UNITS4_PER_BP)
WIDENING_RATIO: Final = pl.when(c("median4_e6") > 0).then(quotient(WIDENING4, c("median4_e6")))


@dataclass(frozen=True)
class Compared(Window):
    """The rows of `LastQuoted` with what the closes before their day say; null where they say nothing, or it is blind.

    What is compared is the quote, with the days before its own: until the next quote its row stands.
    """

    columns: ClassVar[dict[str, pl.DataType]] = (
        LastQuoted.columns
        | {"median4_e6": pl.Int64()}
        | {f"close{days}_e6": pl.Int64() for days in WINDOWS}
        | {"as_high": pl.Date(), "first_date": pl.Date()}
    )

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the quotes."""
        return LAST_QUOTED.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The rows of the quotes."""
        rows, tiers, names = at.rows(LAST_QUOTED), at.tiers, list(cds.NAMES)
        if rows.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        days = business_days(tiers, rows["value_date"]).select("value_date", "bond_index")
        rows = rows.join(days, on="value_date", how="left", maintain_order="left")
        first: date = rows["value_date"].min()  # type: ignore[assignment]  # of a Date column
        before = looked_back_on(tiers, first)
        bases = bases_of(before, rows.select(*ASKED).unique(maintain_order=True))
        rows = rows.join(bases, on=[*ASKED], how="left", maintain_order="left")
        for back in WINDOWS:
            rows = with_close(rows, before, back)
        highs = rows.filter(IS_FIVE_YEARS, c("mid2_e6").is_not_null())
        highs = highs.select("value_date", "mid2_e6", *ASKED).unique()
        key = ["value_date", "mid2_e6", *names]
        highs = last_as_high(tiers, highs).select(*key, "as_high")
        rows = rows.join(highs, on=key, how="left", maintain_order="left")
        rows = rows.join(firsts_of(tiers), on=names, how="left", maintain_order="left")
        is_known = c("first_index") < c("bond_index")
        rows = rows.with_columns(first_date=pl.when(is_known).then("first_date"))
        return rows.select(*ROW_COLUMNS, *self.columns)


COMPARED: Final = Compared()


def with_close(rows: pl.DataFrame, before: pl.DataFrame, back: int) -> pl.DataFrame:
    """The rows with `closeN_e6`: twice the close so many business days before; null without one, or across a roll.

    Args:
        rows: `entity`, `tenor_e3`, `bond_index`, `index_series`.
        before: closes.
        back: N.
    """
    name = f"close{back}_e6"
    then = before.select(
        "entity", "tenor_e3", c("bond_index") + back, c("mid2_e6").alias(name), series_then="index_series"
    )
    rows = rows.join(then, on=[*ASKED], how="left", maintain_order="left")
    is_same = c("index_series").eq_missing(c("series_then"))
    return rows.with_columns(pl.when(is_same).then(name).alias(name)).drop("series_then")
