"""What matures, and has to be placed again: against what was placed in a year."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import FIRST_DATE, LAST_DATE, NEW_YORK, new_york_dates
from monitor.signals.known import in_force
from monitor.signals.model import Signal, View, Window, divided, quotient
from monitor.signals.newissue.deals import YEAR, ends_of_periods, year_of
from monitor.signals.newissue.names import Bounds
from monitor.signals.newissue.periods import (
    LABEL_SET,
    NO_ROWS,
    NO_TICKS,
    SEGMENT,
    TOTAL,
    Priced,
    at_ticks,
    during,
    enough,
    standing,
    with_row_columns,
)
from monitor.signals.newissue.terms import LEAST_HELP
from monitor.signals.sessions import new_york_date

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.newissue.parameters import NewIssueParameters

SERIES: Final = "IG_MATURING_12M"
_UNITS_PER_BUSD: Final = 1_000_000
"""Reference values come in 1e-6 of their unit, here thousands of USD."""
_SUPPLY: Final = Priced((YEAR,), (TOTAL,), Bounds((), (), 1), has_terms=False)


@dataclass(frozen=True)
class Maturing(Window):
    """What matures within 12 months as it is published.

    Column: `maturing_kusd`. It is never blind: it is published now and then, and no time-out is known.
    """

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """When a value is published, and when it takes effect if that is later."""
        return during(self._begins(tiers), after, upto)["tick"]

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick."""
        asked = at_ticks(self._begins(at.tiers), at.ticks)
        return NO_ROWS if asked.is_empty() else self.look(at.tiers, asked)

    @staticmethod
    def look(tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
        """The rows with the value in force on the day of each tick, as it is known then."""
        asked = asked.with_columns(value_date=new_york_date(c("tick")))
        return with_row_columns(in_force(asked, tiers.reference, SERIES, "maturing_kusd"))

    @staticmethod
    def _begins(tiers: Tiers) -> pl.DataFrame:
        def make() -> pl.DataFrame:
            effective = c("effective_date").clip(FIRST_DATE, LAST_DATE).dt.combine(time())
            begin = effective.dt.replace_time_zone(NEW_YORK).dt.epoch("s")
            published = tiers.reference.filter(c("series") == SERIES)
            return published.select(tick=pl.max_horizontal("tick", begin)).unique().sort("tick")

        return tiers.once("newissue maturing", make, of=("reference",))


@dataclass(frozen=True)
class AgainstSupply(Window):
    """What matures, and what was placed in the last 12 months, once 12 months of deals are known.

    Columns: `maturing_kusd`, `issues`, `kusd`, `is_whole`.
    """

    maturing: Maturing

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """When either changes, and when the first 12 months are whole."""
        if tiers.deals.is_empty():
            return NO_TICKS
        whole = during(_whole(tiers), after, upto)["tick"]
        parts = [self.maturing.ticks(tiers, after, upto), _SUPPLY.ticks(tiers, after, upto), whole]
        return pl.concat(parts).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick."""
        if at.ticks.is_empty():
            return NO_ROWS
        own = self.ticks(at.tiers, at.ticks[0] - 1, at.ticks[-1]).to_frame()
        asked = at_ticks(own, at.ticks)
        if asked.is_empty():
            return NO_ROWS
        spells = _SUPPLY.spells(at.tiers, year_of(at.ticks[0]))
        found = pl.concat([_SUPPLY.look(piece) for piece in standing(asked, spells)]).drop(LABEL_SET)
        rows = asked.join(found, on="tick", how="left", maintain_order="left").with_columns(
            c("issues", "kusd").fill_null(0), is_whole=c("tick") >= _whole(at.tiers)["tick"].item()
        )
        return self.maturing.look(at.tiers, rows)


def _whole(tiers: Tiers) -> pl.DataFrame:
    """`tick`: from when on 12 months of deals are known: a year after the first one by its own time, or later."""

    def make() -> pl.DataFrame:
        date = new_york_dates(c("ts_us")).clip(FIRST_DATE, LAST_DATE)
        heard = tiers.deals.group_by(date=date).agg(c("tick").min())
        ends = ends_of_periods(tiers.calendar, heard["date"]).select("date", end=YEAR)
        return heard.join(ends, on="date").select(tick=pl.max_horizontal("tick", "end").min())

    return tiers.once("newissue whole", make, of=("deals",))


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """What matures, in USD and as a part of a year's supply.

    Example: 1,020 busd mature within 12 months, 1,700 busd were placed in the last 12: 0.6.
    """
    source = "More than 1 trillion USD of investment-grade bonds mature a year: each has to be placed again, or repaid"
    maturing = Maturing()
    return (
        Signal(
            name="newissue_maturing_busd",
            segment=SEGMENT,
            title="Maturing bonds",
            help="How much of investment-grade bonds matures within 12 months.",
            formula=f"the series {SERIES} as published",
            source=source,
            labels=(),
            over=(View(maturing, {}),),
            value=divided(c("maturing_kusd"), _UNITS_PER_BUSD),
            window_help="the newest value in effect; never blind, as it is published now and then",
        ),
        Signal(
            name="newissue_maturing_ratio",
            segment=SEGMENT,
            title="Maturing bonds against supply",
            help="How much of a year's supply is needed for what matures.",
            formula=f"{SERIES} / supply of the last 12 months",
            source=source,
            labels=(),
            over=(View(AgainstSupply(maturing), {}),),
            value=pl.when(c("is_whole") & enough("issues", "kusd")).then(quotient(c("maturing_kusd"), c("kusd"))),
            window_help=f"12 calendar months with today; absent until as many are known; {LEAST_HELP}",
        ),
    )
