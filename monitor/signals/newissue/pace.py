"""This year's supply against the record year's, on the same business day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.model import Signal, View, quotient
from monitor.signals.newissue.deals import YEAR_TO_DATE
from monitor.signals.newissue.names import Bounds
from monitor.signals.newissue.periods import LABEL_SET, SEGMENT, TOTAL, Priced, edges, enough
from monitor.signals.newissue.terms import LEAST_HELP
from monitor.signals.sessions import new_york_date
from monitor.signals.thresholds import Edge, Notify, ThresholdRow
from monitor.streams import KUSD_PER_BUSD

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.newissue.parameters import NewIssueParameters

_NO_NAMES: Final = Bounds((), (), 1)


def at_business_day(curve: tuple[tuple[float, float], ...], gone: int, days: int) -> float:
    """What the curve has after so many of a year's business days, busd.

    >>> at_business_day(((0.0, 0.0), (0.5, 1_214.0), (1.0, 1_800.0)), 63, 252)
    607.0
    """
    share = gone / days
    for (left, low), (right, high) in pairwise(curve):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    return curve[-1][1]


@dataclass(frozen=True)
class Pace(Priced):
    """The year's supply so far, and what the record year had by the same business day.

    Column beside those of `Priced`: `record_kusd`, Float64; 0 before the first business day.

    Attributes:
        curve: the record year's.
    """

    curve: tuple[tuple[float, float], ...] = ()

    def touched(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """The ticks of the year's deals, and from the first one on all midnights at which a business day begins."""

        def make() -> pl.DataFrame:
            spells = self.spells(tiers, year)
            first = spells.group_by(new_york_date(c("since")).dt.year().alias("year")).agg(c("since").min())
            days = [_business_midnights(tiers.calendar, number, since) for number, since in first.iter_rows()]
            every = pl.concat([pl.Series("tick", dtype=pl.Int64), *days])
            midnights = every.to_frame().select(
                "tick", period=pl.lit(YEAR_TO_DATE), kind=pl.lit(TOTAL), name=pl.lit("")
            )  # fmt: skip
            return pl.concat([edges(spells, LABEL_SET), midnights]).unique().sort("tick")

        return tiers.once(("newissue edges", self, year), make, of=("deals",))

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick."""
        rows = super().rows(at)
        if rows.is_empty():
            return rows
        days = [(day, self._record_kusd(at.tiers.calendar, day)) for day in rows["value_date"].unique()]
        record = pl.DataFrame(days, {"value_date": pl.Date(), "record_kusd": pl.Float64()}, orient="row")
        return rows.join(record, on="value_date", how="left", maintain_order="left")

    def _record_kusd(self, calendar: MarketCalendar, day: date) -> float:
        year = calendar.days(date(day.year, 1, 1), date(day.year, 12, 31))
        is_open = year["bond_business_day"]
        gone = is_open.head(day.timetuple().tm_yday).sum()
        return at_business_day(self.curve, int(gone), int(is_open.sum())) * KUSD_PER_BUSD


def _business_midnights(calendar: MarketCalendar, year: int, since: int) -> pl.Series:
    days = calendar.days(date(year, 1, 1), date(year, 12, 31)).filter(c("bond_business_day"), c("midnight") > since)
    return days["midnight"].alias("tick")


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:
    """The pace.

    Example: 620 busd when a quarter of the year's business days have gone, and half of 1,214 then: 620 / 607 = 1.02.
    """
    is_known = enough("issues", "kusd") & (c("record_kusd") > 0)
    over = Pace((YEAR_TO_DATE,), (TOTAL,), _NO_NAMES, has_terms=False, curve=parameters.record_curve)
    return (
        Signal(
            name="newissue_pace_ratio",
            segment=SEGMENT,
            title="New-issue pace",
            help="How this year's supply compares with the record year's.",
            formula="supply of the year so far / the record year's after as large a share of its business days",
            source=(
                "SIFMA, US corporate bond issuance: 2020 is the record, 1,214 busd by mid-year and 1,800 in all; in "
                "between by straight lines, and settings replace them"
            ),
            labels=(),
            over=(View(over, {}),),
            value=pl.when(is_known).then(quotient(c("kusd"), c("record_kusd"))),
            window_help=f"the calendar year so far, today with it; {LEAST_HELP}",
            thresholds=(
                ThresholdRow(
                    "all", pl.lit(value=True), "all deals",
                    "By judgement: 2020 had a central bank that bought; as much without one has to be taken by "
                    "somebody. Shown only: supply is no stress.",
                    warning=Edge(1.0, 0.97), notify=Notify.NONE,
                ),
            ),
        ),
    )  # fmt: skip
