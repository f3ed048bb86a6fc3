"""Credit spreads: what companies pay over Treasuries, and how far that is from the best of a year.

A published index has one value a day, on the day after its own; the newest day's stands. Its level says little of
stress, which is a move: a spread is compared with the lowest of its own last year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.engine.tiers import REFERENCE_KEY
from monitor.signals.credit.series import SEGMENT, held, in_own_unit, spells, standing, ticks_between, values_between
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window
from monitor.signals.thresholds import Edge, Hold, ThresholdRow

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.credit.parameters import CreditParameters
    from monitor.signals.model import Evaluation

INVESTMENT_GRADE, HIGH_YIELD = "IG_OAS", "HY_OAS"
SPREADS: Final = (INVESTMENT_GRADE, HIGH_YIELD)
PUBLISHED_AFTER, PATIENCE = 1, 2
"""Business days after which a spread is published, and that the next one may take."""
LOW_DAYS: Final = 365
"""The low is of so many calendar days, the value date among them."""
LOW_PRINTS: Final = 60
"""With values of fewer days there is no low to speak of."""

_LOW_COLUMNS: Final[dict[str, pl.DataType]] = {
    "low_e6": pl.Int64(),  # the lowest value of the span, 1e-6 bp
    "prints": pl.Int64(),  # days with a value in it
    "span_days": pl.Int64(),  # from the first of them to the value date
}
SPREAD_COLUMNS: Final = {"series": pl.String(), "value_e6": pl.Int64()} | _LOW_COLUMNS
"""What the rows of `Spreads` carry after `ROW_COLUMNS`; null where a row is blind."""


@dataclass(frozen=True)
class Spreads(Window):
    """Published spreads with the lows of their last year, as both were known at the tick.

    A row a day that is published or revised. With a late or revised earlier day the newest is told again, as its low
    may be another one; days between keep what was said of them. The day after the newest is blind when it is overdue.
    """

    by_print: ClassVar[bool] = True

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Prints, and ends of patience."""
        return ticks_between(tiers, self, after, upto, lambda: [_prints(tiers)["tick"], _spells(tiers)["overdue"]])

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The days that are printed at these ticks, or overdue, and the newest where another is printed."""
        ticks = at.ticks.implode()
        key = ["tick", *REFERENCE_KEY]
        printed = _prints(at.tiers).filter(c("tick").is_in(ticks)).select(key)
        newest = standing(at.tiers).sort("tick").select("tick", "series", "effective_date")
        touched = printed.select("tick", "series").unique().sort("tick").join_asof(
            newest, on="tick", by="series", check_sortedness=False
        )  # fmt: skip
        asked = pl.concat([printed, touched.select(key)]).unique().sort(key)
        values = self._with_lows(at.tiers, asked)
        overdue = _spells(at.tiers).filter(c("overdue").is_in(ticks))
        blind = overdue.select("series", tick="overdue", value_date="awaited", blind=pl.lit(value=True))
        return (
            pl.concat([values, blind], how="diagonal")
            .sort("tick", "value_date", "series")
            .select(*ROW_COLUMNS, *SPREAD_COLUMNS)
        )

    @staticmethod
    def _with_lows(tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
        """These days (`tick`, `series`, `effective_date`) with their values and lows."""
        day = c("effective_date")
        spans = asked.with_columns(of="effective_date", first=day - timedelta(days=LOW_DAYS - 1), last=day)
        back = values_between(tiers, spans.drop("effective_date"))
        return back.group_by("tick", "series", value_date="of", maintain_order=True).agg(
            c("value_e6").last(),  # the day's own
            blind=pl.lit(value=False),
            low_e6=c("value_e6").min(),
            prints=pl.len().cast(pl.Int64),
            span_days=(c("of").last() - day.first()).dt.total_days(),
        )


def _prints(tiers: Tiers) -> pl.DataFrame:
    return held(tiers).filter(c("series").is_in(list(SPREADS)))


def _spells(tiers: Tiers) -> pl.DataFrame:
    return spells(tiers, SPREADS, PUBLISHED_AFTER + PATIENCE)


def _row(
    row_id: str, series: str, applies_to: str, reason: str, calm: float, warning: Edge, critical: Edge
) -> ThresholdRow:
    return ThresholdRow(
        row_id, c("series") == series, applies_to, reason, calm=calm, warning=warning, critical=critical,
        hold_in=Hold(prints=1), hold_out=Hold(prints=2), headline=f"{row_id}_off_low",
    )  # fmt: skip


def signals(parameters: CreditParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The credit signals.

    Example: IG_OAS of 80 bp, and 74 bp at the lowest within a year: `credit_off_low_bp` is 6.
    """
    spreads = (View(Spreads(), {"series": c("series")}),)
    source = "ICE BofA US corporate and US high yield index option-adjusted spreads (FRED BAMLC0A0CM, BAMLH0A0HYM2)"
    patience = "a value a day; blind at 18:00 New York of the third business day after the newest day"
    low = f"{LOW_DAYS} calendar days, the value date among them, as far as they were seen"
    return (
        Signal(
            name="credit_off_low_bp",
            segment=SEGMENT,
            title="Credit spread off its low",
            help="How much dearer credit is than at the best of the last year: a move, whatever the level.",
            formula=f"spread - its lowest within {LOW_DAYS} days",
            source=source,
            labels=("series",),
            over=spreads,
            value=pl.when(c("prints") >= LOW_PRINTS).then(in_own_unit(c("value_e6") - c("low_e6"))),
            window_help=f"{low} (credit_low_span_days); absent with fewer than {LOW_PRINTS} values; {patience}",
            thresholds=(
                _row(
                    "ig", INVESTMENT_GRADE, "investment grade, IG_OAS",
                    "In calm months it stays within a few bp of its low, and forecasts of heavy supply are 20 to 30 "
                    "bp; 60 bp is a market that does not take it. By judgement, no history is carried.",
                    8, Edge(20, 15), Edge(60, 40),
                ),
                _row(
                    "hy", HIGH_YIELD, "high yield, HY_OAS",
                    "It moves four to five times as far as investment grade. By judgement, no history is carried.",
                    40, Edge(100, 75), Edge(250, 175),
                ),
            ),
        ),
        Signal(
            name="credit_spread_bp",
            segment=SEGMENT,
            title="Credit spread",
            help="What companies pay over Treasuries of the same life, early redemption counted.",
            formula="option-adjusted spread of the index, as published",
            source=source,
            labels=("series",),
            over=spreads,
            value=in_own_unit(c("value_e6")),
            window_help=patience,
        ),
        Signal(
            name="credit_low_span_days",
            segment=SEGMENT,
            title="Span of the credit low",
            help="Of how many days the low is that a spread is compared with: of a short history it is a mild one.",
            formula=f"value date - the first day with a value within {LOW_DAYS} days",
            source=source,
            labels=("series",),
            over=spreads,
            value=c("span_days").cast(pl.Float64),
            window_help=f"{low}; {patience}",
        ),
    )  # fmt: skip
