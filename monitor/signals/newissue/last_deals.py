"""The last deals, each by itself: what stands in a table, and not in a mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import FIRST_DATE, LAST_DATE, new_york_dates
from monitor.engine.tiers import EVER
from monitor.signals.model import IS_OVER, Signal, View, Window, divided
from monitor.signals.newissue.deals import QUARTER, priced, within, year_of
from monitor.signals.newissue.names import AI, REST, THEME
from monitor.signals.newissue.periods import (
    NO_ROWS,
    NO_TICKS,
    SEGMENT,
    at_ticks,
    during,
    edges,
    is_ai_or_rest,
    standing,
    with_row_columns,
)
from monitor.signals.sessions import new_york_date
from monitor.signals.tenors import tenor_label
from monitor.streams import KUSD_PER_BUSD, UNITS_PER_BP

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.newissue.parameters import NewIssueParameters

MOST_TRANCHES: Final = 20
"""So many are shown: a table that is read at a glance, and a bound on the series."""

LABELS: Final = ("issuer", "tenor", THEME, "deal_id")
"""What a person knows a tranche by, and what no two of them share."""
_TOLD: Final = (*LABELS, "priced_date", "size_kusd", "concession_e6", "newer")


@dataclass(frozen=True)
class LastDeals(Window):
    """The tranches that were priced last, at the ticks at which one comes, leaves, or is said to be otherwise.

    Those are in it that have a size and were priced within 60 business days; the newest of them by the time of their
    pricing (the first of that day, should one be priced twice), of the same time the first by its id.

    Columns: `LABELS`, `priced_date`, `size_kusd`, `concession_e6` (1e-6 bp; null of floating ones, or if not known),
    `newer` (how many of the table are newer).

    Attributes:
        most: so many are shown.
    """

    most: int = MOST_TRANCHES

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """When a deal is heard of, or was placed 60 business days ago."""
        if tiers.deals.is_empty():
            return NO_TICKS
        return during(self._moments(tiers, year_of(after + 1)), after, upto)["tick"]

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tranche that comes or leaves, or of which a column changes."""
        if at.tiers.deals.is_empty() or at.ticks.is_empty():
            return NO_ROWS
        asked = at_ticks(self._moments(at.tiers, year_of(at.ticks[0])), at.ticks)
        if asked.is_empty():
            return NO_ROWS
        looks = pl.concat([asked["tick"], asked["before"].drop_nulls()]).unique().sort()
        table = self.look(at.tiers, looks.to_frame(), year_of(at.ticks[0]))
        now = asked.join(table, on="tick")
        was = asked.join(table, left_on="before", right_on="tick")
        key = ["tick", *LABELS]
        gone = was.join(now, on=key, how="anti", nulls_equal=True).select(key)
        told = now.join(was, on=["tick", *_TOLD], how="anti", nulls_equal=True).select("tick", *_TOLD)
        rows = pl.concat([told.with_columns(**{IS_OVER: False}), gone.with_columns(**{IS_OVER: True})], how="diagonal")
        return with_row_columns(rows.sort("tick", "deal_id", *LABELS))

    def look(self, tiers: Tiers, looks: pl.DataFrame, year: int) -> pl.DataFrame:
        """The table at each tick: `tick` and what the rows carry.

        Args:
            tiers: what is known.
            looks: `tick`.
            year: as in `deals.states`.
        """
        # Of the days that the newest can be of; which of a day's are, their times tell.
        is_near = c("priced_date").rank("min", descending=True).over("tick") <= self.most
        near = pl.concat([piece.filter(is_near) for piece in standing(looks, self.spells(tiers, year))])
        timed = near.sort("tick").join_asof(
            _pricings(tiers), on="tick", by=["deal_id", "priced_date"], check_sortedness=False
        )
        order = ["tick", "priced_date", "priced_us", "deal_id"]
        ordered = timed.sort(order, descending=[False, True, True, False])
        newer = pl.int_range(pl.len(), dtype=pl.Int64).over("tick")
        return ordered.with_columns(newer=newer).filter(c("newer") < self.most).select("tick", *_TOLD)

    def spells(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """What may be in the table, and when, made once of the same deals."""

        def make() -> pl.DataFrame:
            deals = within(priced(tiers, year), QUARTER)
            concession = pl.when("is_fixed").then(c("spread_e6") - c("fair_value_spread_e6"))
            return deals.select(
                "since",
                "until",
                "issuer",
                "deal_id",
                "priced_date",
                "size_kusd",
                tenor=tenor_label(c("tenor_e3")),
                concession_e6=concession,
                **{THEME: is_ai_or_rest()},
            )

        return tiers.once(("newissue last deals", year), make, of=("deals",))

    def _moments(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """`tick`, and `before`: the one before it."""

        def make() -> pl.DataFrame:
            # Also where nothing else is said: a pricing that is heard of late may be before the one that was known.
            heard = tiers.deals.select("tick")
            ticks = pl.concat([edges(self.spells(tiers, year), ()), heard]).unique().sort("tick")
            return ticks.with_columns(before=c("tick").shift(1))

        return tiers.once(("newissue last deals moments", year), make, of=("deals",))


@dataclass(frozen=True)
class Ages(Window):
    """The same, and all of them when a day begins in New York.

    Attributes:
        last: the last deals.
    """

    last: LastDeals

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the last deals, and midnights."""
        if tiers.deals.is_empty():
            return NO_TICKS
        own = during(self._midnights(tiers, year_of(after + 1)), after, upto)["tick"]
        of_deals = self.last.ticks(tiers, after, upto)
        return of_deals if own.is_empty() else pl.concat([own, of_deals]).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The same; at midnight a row each."""
        if at.tiers.deals.is_empty() or at.ticks.is_empty():
            return NO_ROWS
        changed, year = at.rows(self.last), year_of(at.ticks[0])
        midnights = at_ticks(self._midnights(at.tiers, year), at.ticks)
        if midnights.is_empty():
            return changed
        table = with_row_columns(self.last.look(at.tiers, midnights, year)).with_columns(**{IS_OVER: False})
        rows = pl.concat([table, changed], how="diagonal")
        return rows.unique(["tick", *LABELS]).sort("tick", "deal_id", *LABELS)

    def _midnights(self, tiers: Tiers, year: int) -> pl.DataFrame:
        """`tick`: when a day begins on which something may be in the table already."""

        def make() -> pl.DataFrame:
            spells = self.last.spells(tiers, year).filter(c("until") < EVER)
            ends = spells.select(first=new_york_date(c("since").min()), last=new_york_date(c("until").max()))
            first, last = ends.row(0)
            if first is None:
                return NO_TICKS.to_frame()
            ticks = tiers.calendar.days(first, last)["midnight"].alias("tick")
            begun, ended = (spells[end].sort().search_sorted(ticks, "right") for end in ("since", "until"))
            return ticks.filter(begun > ended).to_frame()

        return tiers.once(("newissue midnights", self, year), make, of=("deals",))


def signals(parameters: NewIssueParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The last deals: concession, size, age.

    Example: on Tuesday ALPHA places 4 busd at 10 years with 112 bp, 12 above its own curve, and BETA 1.5 busd at 5 of
    which no curve is known, an hour later. On Wednesday the table has 1.5 busd of BETA, 1 day old, none newer, and
    12 bp, 4 busd of ALPHA, 1 day old, 1 newer.
    """
    last = LastDeals()
    labels = {name: c(name) for name in LABELS}
    over, source = (View(last, labels),), "Deals as desks publish them"
    windows = (
        f"the newest {last.most} priced tranches of the last 60 business days that have a size, by the time of "
        f"pricing; one that is pulled, or pushed out by newer ones, is absent; `{THEME}` is `{AI}` or `{REST}`"
    )
    return (
        Signal(
            name="newissue_deal_concession_bp",
            segment=SEGMENT,
            title="Concession of the last deals",
            help="How much more than the issuer's own curve each of the last deals paid.",
            formula="spread - fair value spread, both as frozen at pricing",
            source=source,
            labels=LABELS,
            over=over,
            value=divided(c("concession_e6"), UNITS_PER_BP),
            window_help=f"{windows}; absent of floating ones, and where no fair value is known",
        ),
        Signal(
            name="newissue_deal_size_busd",
            segment=SEGMENT,
            title="Size of the last deals",
            help="How much each of the last deals placed.",
            formula="size, as frozen at pricing",
            source=source,
            labels=LABELS,
            over=over,
            value=divided(c("size_kusd"), KUSD_PER_BUSD),
            window_help=windows,
        ),
        Signal(
            name="newissue_deal_age_days",
            segment=SEGMENT,
            title="Age of the last deals",
            help="How long ago each of the last deals was priced: 0 is today.",
            formula="calendar days from the New York date of pricing to today",
            source=source,
            labels=LABELS,
            over=(View(Ages(last), labels),),
            value=(c("value_date") - c("priced_date")).dt.total_days(),
            window_help=windows,
        ),
        Signal(
            name="newissue_deal_newer_count",
            segment=SEGMENT,
            title="Order of the last deals",
            help="How many of the last deals are newer than this one: 0 is the newest.",
            formula="place by time of pricing, of the same time by its id, from 0",
            source=source,
            labels=LABELS,
            over=over,
            value=c("newer"),
            window_help=windows,
        ),
    )


def _pricings(tiers: Tiers) -> pl.DataFrame:
    """Of each tranche and day (`priced_date`), from each tick on: the first time that it was priced on that day."""

    def make() -> pl.DataFrame:
        date = new_york_dates(c("ts_us")).clip(FIRST_DATE, LAST_DATE)
        events = tiers.deals.filter(c("status") == "priced").select("tick", "deal_id", "ts_us", priced_date=date)
        first = c("ts_us").cum_min().over("deal_id", "priced_date")
        return events.sort("tick").select("tick", "deal_id", "priced_date", priced_us=first)

    return tiers.once("newissue pricings", make, of=("deals",))
