"""What the Federal Reserve and the Treasury leave in the banking system, and how that moves. Shown, no thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.signals.credit.series import SEGMENT, held, in_own_unit, spells, standing, ticks_between, values_between
from monitor.signals.known import days_around
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.credit.parameters import CreditParameters
    from monitor.signals.model import Evaluation

LIQUIDITY: Final = ("ON_RRP_VOLUME", "SRF_VOLUME", "RESERVES", "TGA")
CHANGE_DAYS: Final = 20
"""Business days over which a change is told."""
STALE_DAYS: Final = 10
"""Business days after which a value is believed no more: the slowest of them are of a Wednesday, and out on Thursday,
so the newest is up to six days old, and one release may be missed."""

LIQUIDITY_COLUMNS: Final[dict[str, pl.DataType]] = {
    "series": pl.String(), "value_e6": pl.Int64(), "then_e6": pl.Int64(),
}  # fmt: skip
"""What the rows of `Liquidity` carry after `ROW_COLUMNS`, in 1e-6 busd: the value, and that of 20 days before."""


@dataclass(frozen=True)
class Liquidity(Window):
    """The value of each series' newest day, and the one that stood 20 business days before that day.

    The earlier one is null where there is none of the ten business days up to then.
    """

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Prints, also of earlier days, and ends of patience."""
        return ticks_between(
            tiers, self, after, upto, lambda: [self._prints(tiers)["tick"], self._spells(tiers)["overdue"]]
        )

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a series that is printed or falls overdue at these ticks."""
        tiers, ticks = at.tiers, at.ticks.implode()
        printed = self._prints(tiers).filter(c("tick").is_in(ticks)).select("tick", "series")
        overdue = self._spells(tiers).filter(c("overdue").is_in(ticks)).select("series", tick="overdue")
        asked = pl.concat([printed, overdue.select("tick", "series")]).unique().sort("tick", "series")
        newest = asked.join_asof(standing(tiers).sort("tick"), on="tick", by="series", check_sortedness=False)
        spells_by = self._spells(tiers).sort("tick").select("tick", "series", "due")
        newest = newest.join_asof(spells_by, on="tick", by="series", check_sortedness=False)
        before = self._before(tiers, newest)
        return (
            newest.join(before, on=["tick", "series"], how="left", maintain_order="left")
            .rename({"effective_date": "value_date"})
            .with_columns(blind=(c("due") <= c("tick")).fill_null(value=False))
            .select(*ROW_COLUMNS, *LIQUIDITY_COLUMNS)
        )

    @staticmethod
    def _before(tiers: Tiers, newest: pl.DataFrame) -> pl.DataFrame:
        """`tick`, `series` and `then_e6` of the rows that have an earlier value."""
        days = _days_before(tiers.calendar, newest["effective_date"])
        asked = newest.select("tick", "series", of="effective_date").join(days, on="of", maintain_order="left")
        found = values_between(tiers, asked)
        return found.group_by("tick", "series", maintain_order=True).agg(then_e6=c("value_e6").last())

    @staticmethod
    def _prints(tiers: Tiers) -> pl.DataFrame:
        return held(tiers).filter(c("series").is_in(list(LIQUIDITY)))

    @staticmethod
    def _spells(tiers: Tiers) -> pl.DataFrame:
        return spells(tiers, LIQUIDITY, STALE_DAYS)


def _days_before(calendar: MarketCalendar, dates: pl.Series) -> pl.DataFrame:
    """For each day (`of`): the first and the last day of which a value stood 20 business days before it."""
    days = days_around(calendar, dates, reach=2 * (CHANGE_DAYS + STALE_DAYS) + 10)
    business = days.filter("bond_business_day")
    last = c("bond_index") + c("bond_business_day").cast(pl.Int64) - 1 - CHANGE_DAYS
    return (
        days.filter(c("date").is_in(dates.implode()))
        .select(of="date", last_index=last, first_index=last - STALE_DAYS + 1)
        .join(business.select(last_index="bond_index", last="date"), on="last_index")
        .join(business.select(first_index="bond_index", first="date"), on="first_index")
        .select("of", "first", "last")
    )


def signals(parameters: CreditParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The policy signals.

    Example: RESERVES of 2,890 busd, and 2,950 on the Wednesday four weeks before: the change is -60.
    """
    by_series = (View(Liquidity(), {"series": c("series")}),)
    source = "Federal Reserve, H.4.1 (reserves, Treasury General Account); New York Fed, ON RRP and SRF operations"
    window = (
        f"the newest day, daily or weekly; blind at 18:00 New York of the {STALE_DAYS}th business day after it, "
        "as a weekly release may be missed once"
    )
    return (
        Signal(
            name="policy_liquidity_busd",
            segment=SEGMENT,
            title="Policy liquidity",
            help="Cash at the Fed: what money funds park, what dealers draw, what banks hold, what the Treasury keeps.",
            formula="ON_RRP_VOLUME, SRF_VOLUME, RESERVES, TGA as published",
            source=source,
            labels=("series",),
            over=by_series,
            value=in_own_unit(c("value_e6")),
            window_help=window,
        ),
        Signal(
            name="policy_liquidity_change_busd",
            segment=SEGMENT,
            title="Change of policy liquidity",
            help="How much cash came or went within a month: reserves that drain leave repo to the market.",
            formula=f"value - the value that stood {CHANGE_DAYS} business days before its day",
            source=source,
            labels=("series",),
            over=by_series,
            value=in_own_unit(c("value_e6") - c("then_e6")),
            window_help=f"{window}; absent where no value of the {STALE_DAYS} business days up to then is known",
        ),
    )
