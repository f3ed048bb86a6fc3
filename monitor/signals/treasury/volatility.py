"""Volatility: how much yields move from minute to minute. A spread is wide or not for the volatility it is quoted in.

`MinuteSums` is also what price impact is read from: sums over the minutes at whose both ends a mid stood.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.signals.model import IS_OVER, ROW_COLUMNS, Signal, View, Window, divided
from monitor.signals.sessions import is_open, sessions
from monitor.signals.thresholds import SECONDS_PER_MINUTE
from monitor.signals.treasury.measures import QUOTED, SEGMENT
from monitor.signals.yields import modified_durations

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.treasury.parameters import TreasuryParameters

LEAST_CHANGES: Final = 15
"""With fewer one-minute changes in the window there is no volatility."""

_BP: Final = 10_000
_PAR_YIELD: Final = 0.04
"""An issue that does not say its coupon and maturity is taken for one at par that yields so much."""


@dataclass(frozen=True)
class MinuteSums(Window):
    """Sums over the one-minute changes of the mid in a window that ends at the tick, whole minutes of one session.

    A change lies between two ends of minutes in a row at which a mid stood, both of them after the session's start.
    Issues, blindness and the end of a session are those of the quotes; between the ends of minutes there is a row only
    where an issue goes blind or is over.

    Attributes:
        span_minutes: the window's length.
        quoted: who speaks at a tick.
    """

    is_momentary: ClassVar[bool] = True
    span_minutes: int
    quoted: Window = QUOTED
    columns: ClassVar[tuple[str, ...]]
    """What is summed."""

    @abstractmethod
    def terms(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Adds `columns` to changes: integers, each made of its own row alone."""

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Those of the quotes, and in session the ends of minutes with quotes and their leaving the window."""
        ends = tiers.treasury_minutes["minute"].unique() + SECONDS_PER_MINUTE
        ticks = pl.concat([ends, ends + self.span_minutes * SECONDS_PER_MINUTE]).alias("tick")
        own = sessions(tiers.calendar, ticks.filter(ticks.is_between(after, upto, closed="right"))).filter(is_open())
        return pl.concat([self.quoted.ticks(tiers, after, upto), own["tick"]]).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a speaking issue and end of a minute, with `columns` (Int128); null where nothing can be summed."""
        base = at.rows(self.quoted).select(*ROW_COLUMNS, "instrument", IS_OVER)
        days = sessions(at.tiers.calendar, base["tick"]).select("tick", "session_start", "session_end")
        is_end = c("tick") % SECONDS_PER_MINUTE == 0
        told = base.join(days, on="tick", how="left", maintain_order="left")
        told = told.filter(is_end | c("blind") | c(IS_OVER) | ~is_open())
        asked = told.filter(is_end & is_open())
        if asked.is_empty():
            return _shaped(told.with_columns(pl.lit(None).alias(name) for name in self.columns), self.columns)
        span = self.span_minutes * SECONDS_PER_MINUTE
        begin, end = int(asked["tick"][0]) - span, int(asked["tick"][-1])
        changes = self.terms(minute_changes(at.tiers, begin, end)).sort("instrument", "tick")
        sums = changes.select("instrument", "tick", c(self.columns).cast(pl.Int128).cum_sum().over("instrument"))
        since = pl.max_horizontal(c("tick") - span, "session_start")
        ends = _as_of(asked.select("instrument", "tick"), sums)
        begins = _as_of(asked.select("instrument", tick=since), sums)
        asked = asked.select("tick", "instrument", *(ends[name] - begins[name] for name in self.columns))
        told = told.join(asked, on=["tick", "instrument"], how="left", maintain_order="left")
        return _shaped(told, self.columns)


def _shaped(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    return rows.select(*ROW_COLUMNS, "instrument", IS_OVER, c(columns).cast(pl.Int128))


def _as_of(asked: pl.DataFrame, sums: pl.DataFrame) -> pl.DataFrame:
    """The running sums of each `instrument` asked for up to its `tick`; before the first of them 0."""
    keyed = asked.with_row_index("place").sort("tick")
    found = keyed.join_asof(sums.sort("tick"), on="tick", by="instrument", check_sortedness=False)
    return found.sort("place").select(pl.exclude("place", "instrument", "tick").fill_null(0))


def minute_changes(tiers: Tiers, begin: int, end: int) -> pl.DataFrame:
    """The one-minute changes of mids within sessions, at ticks in (begin, end].

    Returns:
        `tick` (the end of the minute), `instrument`, `value_date`, `mid2_e9` (bid + ask), `before_mid2_e9` (a minute
        before), `signed_kusd` and `traded_kusd` (in that minute), `tenor_e3`, `coupon_e6`, `maturity`.
    """
    minutes = tiers.treasury_minutes.filter(
        c("minute").is_between(begin - SECONDS_PER_MINUTE, end - SECONDS_PER_MINUTE), c("mid2_e9").is_not_null()
    )
    days = sessions(tiers.calendar, minutes["minute"]).filter(is_open()).select("value_date", minute="tick")
    minutes = minutes.join(days, on="minute").sort("instrument", "minute")
    follows = (c("instrument") == c("instrument").shift(1)) & (c("minute") == c("minute").shift(1) + SECONDS_PER_MINUTE)
    return minutes.select(
        "instrument",
        "value_date",
        "mid2_e9",
        "signed_kusd",
        "traded_kusd",
        "tenor_e3",
        "coupon_e6",
        "maturity",
        tick=c("minute") + SECONDS_PER_MINUTE,
        before_mid2_e9=pl.when(follows).then(c("mid2_e9").shift(1)),
    ).filter(c("before_mid2_e9").is_not_null(), c("tick") > begin)


def par_duration_years(tenor_e3: int) -> float:
    """The modified duration of an issue of so many thousandths of a year, at par, half-yearly coupons, 4 %.

    >>> [round(par_duration_years(years * 1_000), 2) for years in (2, 5, 10, 30)]
    [1.9, 4.49, 8.18, 17.38]
    """
    return (1 - math.pow(1 + _PAR_YIELD / 2, -2 * tenor_e3 / streams.UNITS_PER_YEAR)) / _PAR_YIELD


def with_yield_changes(changes: pl.DataFrame) -> pl.DataFrame:
    """Adds `change_e6`: the change of the mid yield in 1e-6 bp, null without a duration; a row's own business each.

    With coupon and maturity it is -(price change) / (modified duration * price), both as of the minute before; else
    -(log return) / the duration of the tenor.
    """
    before = changes.with_columns(mid2_e9="before_mid2_e9")
    tenors = [tenor for tenor in changes["tenor_e3"].unique().drop_nulls().to_list() if tenor > 0]
    durations = pl.Series([par_duration_years(tenor) for tenor in tenors], dtype=pl.Float64)
    of_tenor = c("tenor_e3").replace_strict(pl.Series(tenors, dtype=pl.Int64), durations, default=None)
    unit = streams.UNITS_PER_BP * _BP
    # As floats: two points in these units are past what 64 bits hold.
    fall = (c("before_mid2_e9") - c("mid2_e9")).cast(pl.Float64)
    by_yield = fall * unit / (c("duration_years") * c("before_mid2_e9"))
    by_price = (c("before_mid2_e9") / c("mid2_e9")).log() * unit / of_tenor
    return changes.with_columns(modified_durations(before)).with_columns(
        change_e6=pl.coalesce(by_yield, by_price).round().cast(pl.Int64)
    )


@dataclass(frozen=True)
class YieldChanges(MinuteSums):
    """How many changes of the mid yield there were, and the sum of their squares, (1e-6 bp) squared."""

    columns: ClassVar[tuple[str, ...]] = ("changes", "squares")

    def terms(self, changes: pl.DataFrame) -> pl.DataFrame:
        """Adds one, and the square, to each change that has a yield."""
        change = c("change_e6").cast(pl.Int128)
        known = with_yield_changes(changes).drop_nulls("change_e6")
        return known.with_columns(changes=pl.lit(1), squares=change * change)


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The realised volatility of an issue's yield.

    Example: thirty minutes in each of which the yield moves by 0.5 bp: sqrt(30 * 0.25) = 2.74 bp.
    """
    root = c("squares").cast(pl.Float64).sqrt()
    return (
        Signal(
            name="treasury_volatility_bp",
            segment=SEGMENT,
            title="Treasury yield volatility",
            help="How much an issue's yield moved from minute to minute.",
            formula="square root of the sum of squared 1-minute mid yield changes",
            source="Liberty Street Economics, 2023-10-17: How Has Treasury Market Liquidity Evolved in 2023?",
            labels=("instrument",),
            over=(View(YieldChanges(30), {"instrument": c("instrument")}),),
            value=pl.when(c("changes") >= LEAST_CHANGES).then(divided(root, streams.UNITS_PER_BP)),
            window_help=f"30 minutes, in session, told every minute; absent with fewer than {LEAST_CHANGES} changes",
        ),
    )
