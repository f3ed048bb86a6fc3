"""The window of published benchmark rates: one value a value date, the newest stands.

A benchmark is a print: it takes effect at its tick, may be revised, and is due at noon New York time of the day
after its value date (SOFR is published about 08:00). What is overdue, or carries too little volume to be whole, is
blind: no number, rather than a calm one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.calendar import NEW_YORK
from monitor.engine.tiers import BENCHMARK_KEY, EVER
from monitor.signals.known import IORB, TARGET_UPPER, compared_with, days_around, in_force, trailing_days, version_at
from monitor.signals.model import ROW_COLUMNS, Window

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

TRAILING_PRINTS: Final = 20
"""A benchmark is compared with this many earlier value dates."""
TRAILING_REACH: Final = 30
"""Those are looked for within this many business days, so that a missed print does not void 20 comparisons."""

DUE: Final = time(12)
"""New York time at which the benchmark of the business day before is overdue."""
WHOLE_VOLUME_PERCENT: Final = 70
"""A benchmark whose volume is below this share of its trailing median is of a truncated feed."""

REPEATED_REACH: Final = 5
"""A benchmark is compared with so many prints before it, to find a copy of one of them."""
REPEATED_MOVE_E6: Final = 30_000
"""3 bp: where none of those prints lies so far away equal days are no wonder: eight in 6.8 years, all of them calm."""

PERCENTILES: Final = ("p1_e6", "p25_e6", "p75_e6", "p99_e6")
PUBLISHED_COLUMNS: Final = (
    "instrument", "median_e6", *PERCENTILES, "volume_kusd", "iorb_e6", "target_upper_e6", "trailing_spread_e6",
)  # fmt: skip
"""What the window's rows carry after `ROW_COLUMNS`; rates and spreads in 1e-6 percent.

`trailing_spread_e6` is the median spread to IORB of the trailing prints (Float64: a median of integers, exact);
null with fewer than `TRAILING_PRINTS`.
"""


@dataclass(frozen=True)
class Published(Window):
    """Benchmarks, with the reference rates in force on their value dates.

    Attributes:
        timed_out: the benchmarks that are blind when overdue; the others are then absent.
    """

    by_print: ClassVar[bool] = True
    timed_out: frozenset[str]

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Prints, reference prints, and noons at which a benchmark falls overdue."""
        overdue = self._overdue(tiers)["tick"]
        ticks = pl.concat([tiers.benchmarks["tick"], compared_with(tiers)["tick"], overdue])
        return ticks.filter(ticks.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The value dates that a print or a reference rate touches at these ticks, and those overdue."""
        key = ["tick", *BENCHMARK_KEY]
        overdue = self._overdue(at.tiers).filter(c("tick").is_in(at.ticks.implode()))
        return self.look(at.tiers, pl.concat([self._touched(at.tiers, at.ticks), overdue]).unique().sort(key))

    def look(self, tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
        """These value dates as they are known at these ticks.

        Args:
            tiers: what is known.
            asked: `tick`, `instrument` and `value_date`.
        """
        if asked.is_empty():
            numbers = dict.fromkeys(PUBLISHED_COLUMNS, pl.Int64())
            return pl.DataFrame(
                schema=ROW_COLUMNS | numbers | {"instrument": pl.String(), "trailing_spread_e6": pl.Float64()}
            )
        rows = version_at(asked, tiers.benchmarks, BENCHMARK_KEY)
        rows = _with_references(rows, tiers.reference).rename({"rate_e6": "median_e6"})
        rows = _with_trailing(rows, tiers)
        spells = self._known_spells(tiers).select("instrument", "tick", "awaited", "due")
        rows = version_at(rows, spells, ["instrument"])
        overdue = (c("due") <= c("tick")) & (c("value_date") >= c("awaited"))
        late = c("instrument").is_in(list(self.timed_out)) & overdue
        truncated = 100 * c("volume_kusd") < WHOLE_VOLUME_PERCENT * c("trailing_volume_kusd")
        rows = rows.with_columns(blind=(late | truncated | c("is_repeated")).fill_null(value=False))
        return rows.select(*ROW_COLUMNS, *PUBLISHED_COLUMNS).sort("tick", "value_date", "instrument")

    @staticmethod
    def _touched(tiers: Tiers, ticks: pl.Series) -> pl.DataFrame:
        """(tick, instrument, value_date) of every value that a print or a reference rate changes."""
        key = ["tick", *BENCHMARK_KEY]
        at = ticks.implode()
        printed = tiers.benchmarks.filter(c("tick").is_in(at)).select(key)
        references = compared_with(tiers).filter(c("tick").is_in(at)).select("effective_date", later="tick")
        # A reference rate that comes after the benchmarks that it is compared with.
        compared = tiers.benchmarks.select(key).join_where(
            references, c("value_date") >= c("effective_date"), c("tick") < c("later")
        )
        return pl.concat([printed, compared.select(c("later").alias("tick"), *BENCHMARK_KEY)]).unique()

    def _overdue(self, tiers: Tiers) -> pl.DataFrame:
        """(tick, instrument, value_date) of what is not there when due, or was so when the one before it came."""
        spells = self._known_spells(tiers).with_columns(since=pl.max_horizontal("tick", "due"))
        overdue = spells.filter(c("since") < c("then"))
        return overdue.select(tick="since", instrument="instrument", value_date="awaited")

    def _known_spells(self, tiers: Tiers) -> pl.DataFrame:
        """The same as `_spells`, made once of the same prints."""
        return tiers.once("spells", lambda: self._spells(tiers), of=("benchmarks",))

    def _spells(self, tiers: Tiers) -> pl.DataFrame:
        """For each print of a newest value date: when the next one is due, and when that came.

        Columns: instrument, tick (of the print), awaited (the next value date), due and then (epoch seconds).
        """
        newest = c("value_date").cum_max().over("instrument")
        known_before = newest.shift(1).over("instrument")
        # At one tick several value dates may come; only the newest of them waits for the next.
        prints = (
            tiers.benchmarks.sort("tick", "value_date")
            .with_columns(newest=newest, before=known_before)
            .filter(c("before").is_null() | (c("newest") > c("before")))
            .unique(["instrument", "tick"], keep="last", maintain_order=True)
        )
        days = _due(tiers.calendar, prints["value_date"])
        return prints.join(days, on="value_date", how="left", maintain_order="left").select(
            "instrument",
            "tick",
            "awaited",
            "due",
            then=c("tick").shift(-1, fill_value=EVER).over("instrument"),
        )


@dataclass(frozen=True)
class PublishedPair(Window):
    """Two benchmarks of the same value date side by side, at the ticks at which either changes.

    Columns: `left`, `right` (instruments), `left_median_e6`, `right_median_e6`.

    Attributes:
        published: the window of both.
        left: an instrument, for example `SOFR`.
        right: an instrument, for example `TGCR`.
    """

    by_print: ClassVar[bool] = True
    published: Published
    left: str
    right: str

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the window; one at which neither side changes gives no row."""
        return self.published.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a value date that either side changes; null where the other is not known; blind if either is."""
        moved = at.rows(self.published).filter(c("instrument").is_in([self.left, self.right]))
        asked = moved.select("tick", "value_date").unique().sort("tick", "value_date")
        left, right = (
            self.published.look(at.tiers, asked.with_columns(instrument=pl.lit(side))).select(
                "tick", "value_date", "blind", side="instrument", median_e6="median_e6"
            )
            for side in (self.left, self.right)
        )
        return left.join(right, on=["tick", "value_date"], suffix="_right", maintain_order="left").select(
            "tick",
            "value_date",
            blind=c("blind") | c("blind_right"),
            left="side",
            right="side_right",
            left_median_e6="median_e6",
            right_median_e6="median_e6_right",
        )


def _due(calendar: MarketCalendar, value_dates: pl.Series) -> pl.DataFrame:
    """For each value date: the next one (`awaited`), and the epoch second at which that one is overdue (`due`)."""
    days = days_around(calendar, value_dates)
    following = days.select(awaited="date", day="publication_date")
    due = c("day").dt.combine(DUE).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
    return (
        days.select(value_date="date", awaited="publication_date")
        .join(following, on="awaited")
        .select("value_date", "awaited", due=due)
    )


def _with_references(rows: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    rows = in_force(rows, reference, IORB, "iorb_e6")
    return in_force(rows, reference, TARGET_UPPER, "target_upper_e6")


def _with_trailing(rows: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
    """The medians of the trailing prints, as known at each row's tick: spread to IORB, and volume."""
    back = trailing_days(tiers.calendar, rows["value_date"], TRAILING_REACH)
    asked = rows.select("tick", "instrument", of="value_date").join(back, on="of", how="left")
    earlier = version_at(asked, tiers.benchmarks, BENCHMARK_KEY).filter(c("rate_e6").is_not_null())
    repeated = _repeated(rows, earlier)
    earlier = in_force(earlier, tiers.reference, IORB, "iorb_e6").sort("days_before", descending=True)
    medians = earlier.group_by("tick", "instrument", value_date="of").agg(
        trailing_spread_e6=_trailing_median(c("rate_e6") - c("iorb_e6")),
        trailing_volume_kusd=_trailing_median(c("volume_kusd")),
    )
    of = ["tick", *BENCHMARK_KEY]
    rows = rows.join(medians, on=of, how="left", maintain_order="left")
    return rows.join(repeated, on=of, how="left", maintain_order="left")


def _repeated(rows: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """`tick`, `instrument`, `value_date` and `is_repeated`: whether a print is a copy of an older one.

    It is, if it equals one of the last five prints in its rate, its percentiles and its volume, and they have moved
    meanwhile. That it equals the very last one tells nothing new, and lowers no level.

    Args:
        rows: prints with all their figures, and `tick`.
        earlier: by `tick`, `instrument` and `of` (their value dates), the prints before them with `days_before`.
    """
    figures = ("rate_e6", *PERCENTILES, "volume_kusd")
    own = rows.select("tick", "instrument", of="value_date", **{f"own_{name}": _figure(name) for name in figures})
    both = own.join(
        earlier.select("tick", "instrument", "of", "days_before", *figures), on=["tick", "instrument", "of"]
    )
    place = c("days_before").rank("ordinal").over("tick", "instrument", "of")
    both = both.with_columns(place=place).filter(c("place") <= REPEATED_REACH)
    is_same = pl.all_horizontal(c(name) == c(f"own_{name}") for name in figures if name != "p1_e6")
    is_same = is_same & c("p1_e6").eq_missing(c("own_p1_e6")) & (c("place") > 1)
    has_moved = pl.any_horizontal(
        (c(name) - c(f"own_{name}")).abs() >= REPEATED_MOVE_E6 for name in ("rate_e6", "p99_e6")
    )
    return both.group_by("tick", "instrument", value_date="of").agg(
        is_repeated=is_same.fill_null(value=False).any() & has_moved.fill_null(value=False).any()
    )


def _figure(name: str) -> pl.Expr:
    return c("median_e6" if name == "rate_e6" else name)


def _trailing_median(column: pl.Expr) -> pl.Expr:
    """The median of the last `TRAILING_PRINTS` values of a group in order; null if it has fewer."""
    latest = column.drop_nulls().tail(TRAILING_PRINTS)
    return pl.when(latest.len() == TRAILING_PRINTS).then(latest.median())
