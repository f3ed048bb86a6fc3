"""The shape of the curve: its slopes, and where in a band the ten-year yield is; how the long end takes supply.

In a session they are read from the issues on the run as soon as those are quoted, and otherwise from the constant
maturity series that the Federal Reserve publishes a day later (H.15; on FRED DGS2, DGS10 and DGS30).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.calendar import FIRST_DATE, NEW_YORK
from monitor.engine.tiers import EVER
from monitor.signals.known import days_around, version_at
from monitor.signals.model import ROW_COLUMNS, Signal, View, Window, divided
from monitor.signals.sessions import new_york_date, sessions
from monitor.signals.thresholds import SECONDS_PER_MINUTE
from monitor.signals.treasury.curve_noise import at_minutes, may_tick
from monitor.signals.yields import mid_yields

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation
    from monitor.signals.treasury.parameters import TreasuryParameters

SEGMENT: Final = "treasury"
PAIRS: Final = ((30, 10), (10, 2))
"""The tenors, in years, whose yields are compared: the first less the second."""
PUBLISHED_AFTER, PATIENCE = 1, 2
"""Business days after which a yield is published, and that the next one may take."""
DUE: Final = time(18)
"""New York time at which patience ends: the release of the day is out by then."""

_SERIES: Final = {2: "DGS2", 10: "DGS10", 30: "DGS30"}
_UNITS_PER_BP: Final = streams.UNITS_PER_PERCENT // 100
LEGS_COLUMNS: Final[dict[str, pl.DataType]] = {"long_e6": pl.Int64(), "short_e6": pl.Int64()}
"""What the rows of `Legs` carry after `ROW_COLUMNS`: yields, 1e-6 percent."""


@dataclass(frozen=True)
class Legs(Window):
    """The yields of two tenors side by side, or twice that of one: on the run at the end of a minute, or published.

    In a session, from the first minute at whose end each tenor has had an issue on the run with a mid, a tenor's yield
    is that of the issue on the run of the latest maturity; when that has no mid, or there is no such issue any more,
    the row is blind. Before, and off session, it is the published series of the newest day that has both, whose day is
    then the value date; a row is blind when no newer day was published in its time.

    Attributes:
        long: a tenor in years, for example 30.
        short: a tenor in years, for example 10.
    """

    is_momentary: ClassVar[bool] = True
    long: int
    short: int

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Ends of minutes from the first with both tenors to the session's end, prints, and ends of patience."""
        is_asked = c("tick").is_between(after, upto, closed="right")
        is_printed = not tiers.reference.filter(is_asked & c("series").is_in(list(_SERIES.values()))).is_empty()
        # Ends of patience are ends of minutes too.
        if not is_printed and not may_tick(tiers.calendar, after, upto, SECONDS_PER_MINUTE):
            return pl.Series("tick", dtype=pl.Int64)
        published = self._published(tiers).filter(is_asked)
        begun = self._begun(tiers)
        minutes = begun.select(tick=pl.int_ranges("since", "session_end", SECONDS_PER_MINUTE)).explode(
            "tick", empty_as_null=False
        )
        every = pl.concat(
            [minutes["tick"], begun["session_end"].alias("tick"), self._outside(tiers, published)["tick"]]
        )
        return every.filter(every.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a minute or print; where a session ends without a print one that is absent."""
        ticks = at.ticks.implode()
        published = self._outside(at.tiers, self._published(at.tiers).filter(c("tick").is_in(ticks)))
        return (
            pl.concat([self._quoted(at), self._with_legs(at.tiers, published)])
            # A print at the very end of a session stands for longer than its absence.
            .sort("tick", "is_end", maintain_order=True)
            .unique("tick", keep="first", maintain_order=True)
            .select(*ROW_COLUMNS, *LEGS_COLUMNS)
        )

    # On the run.

    def _begun(self, tiers: Tiers) -> pl.DataFrame:
        """(session_start, session_end, since): the tick from which on both tenors are quoted in a session."""
        keys = ["session_start", "session_end"]
        wanted = {self.long, self.short}
        return (
            _on_the_run(tiers)
            .filter(c("is_on") & c("mid2_e9").is_not_null() & c("tenor").is_in(list(wanted)))
            .group_by(*keys, "tenor")
            .agg(since=c("tick").min())
            .group_by(keys)
            .agg(c("since").max(), tenors=pl.len())
            .filter(c("tenors") == len(wanted), c("since") < c("session_end"))
            .drop("tenors")
            .sort("since")
        )

    def _quoted(self, at: Evaluation) -> pl.DataFrame:
        """`ROW_COLUMNS`, `LEGS_COLUMNS` and `is_end` at the ticks of sessions in which both tenors are quoted."""
        asked = at_minutes(at.tiers.calendar, at.ticks, SECONDS_PER_MINUTE)
        if asked.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | LEGS_COLUMNS | {"is_end": pl.Boolean()})
        asked = asked.join(self._begun(at.tiers), on=["session_start", "session_end"]).filter(c("tick") >= c("since"))
        is_end = c("tick") == c("session_end")
        rows = asked.select("tick", "value_date", "session_start", is_end=is_end).sort("tick")
        for name, tenor in (("long_e6", self.long), ("short_e6", self.short)):
            leg = _leg(at.tiers, rows.filter(~c("is_end")), tenor).rename({"yield_e6": name})
            rows = rows.join(leg, on="tick", how="left", maintain_order="left")
        nothing = pl.any_horizontal(c(*LEGS_COLUMNS).is_null())
        return rows.with_columns(blind=nothing & ~c("is_end")).select(*ROW_COLUMNS, *LEGS_COLUMNS, "is_end")

    # Published.

    def _published(self, tiers: Tiers) -> pl.DataFrame:
        """(tick, value_date, blind): the newest day known at each print and at each end of patience."""

        def make() -> pl.DataFrame:
            names = {_SERIES[self.long], _SERIES[self.short]}
            prints = tiers.reference.filter(
                c("series").is_in(list(names)),
                # A yield of a day to come is a mistake, and would be the newest until that day.
                c("effective_date").is_between(FIRST_DATE, new_york_date(c("tick"))),
            )
            known = (
                prints.group_by("series", "effective_date")
                .agg(c("tick").min())
                .group_by("effective_date")
                .agg(c("tick").max(), series=pl.len())
                .filter(c("series") == len(names))
                .sort("tick", "effective_date")
                .select("tick", newest=c("effective_date").cum_max())
            )
            # The day that is the newest, from its tick to that of a newer one.
            spells = known.filter(c("newest").is_first_distinct()).unique("tick", keep="last", maintain_order=True)
            spells = spells.with_columns(
                _due(tiers.calendar, spells["newest"]), then=c("tick").shift(-1, fill_value=EVER)
            )
            overdue = spells.filter(c("due").is_between("tick", "then", closed="left")).select(tick="due")
            ticks = pl.concat([prints.select("tick"), overdue]).unique().sort("tick")
            return (
                ticks.join_asof(spells.select("tick", "newest", "due"), on="tick")
                .drop_nulls("newest")
                .select("tick", value_date="newest", blind=(c("tick") >= c("due")).fill_null(value=False))
            )

        return tiers.once(("published_legs", self.long, self.short), make, of=("reference",))

    def _outside(self, tiers: Tiers, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of ticks at which the session, if there is one, has no quotes of both tenors yet."""
        if rows.is_empty():
            return rows
        begun = self._begun(tiers).select("since", "session_end")
        found = rows.sort("tick").join_asof(begun, left_on="tick", right_on="since")
        return found.filter((c("tick") >= c("session_end")).fill_null(value=True)).select(rows.columns)

    def _with_legs(self, tiers: Tiers, rows: pl.DataFrame) -> pl.DataFrame:
        """Adds the yields of the value dates as they were known at the ticks, and `is_end`: false."""
        asked = rows.rename({"value_date": "effective_date"})
        for name, tenor in (("long_e6", self.long), ("short_e6", self.short)):
            versions = tiers.reference.filter(c("series") == _SERIES[tenor]).select(
                "tick", "effective_date", c("value_e6").alias(name)
            )
            asked = version_at(asked, versions, ["effective_date"])
        return asked.rename({"effective_date": "value_date"}).select(
            *ROW_COLUMNS, *LEGS_COLUMNS, is_end=pl.lit(value=False)
        )


def _on_the_run(tiers: Tiers) -> pl.DataFrame:
    """What issues that were ever said to be on the run were at the ends of a session's minutes, in the order of ticks.

    Columns: `tick` (the minute's end), `instrument`, `session_start`, `session_end`, `value_date`, `tenor` (whole
    years), `is_on`, `maturity`, `coupon_e6`, `mid2_e9` (null too where coupon or maturity is not known).
    """

    def make() -> pl.DataFrame:
        minutes = tiers.treasury_minutes
        tenors = [years * streams.UNITS_PER_YEAR for years in _SERIES]
        ever = minutes.filter(c("on_the_run") & c("tenor_e3").is_in(tenors)).select("instrument").unique()
        minutes = minutes.join(ever, on="instrument", how="semi")
        days = sessions(tiers.calendar, minutes["minute"]).rename({"tick": "minute"})
        is_open = (c("minute") >= c("session_start")) & (c("minute") < c("session_end"))
        is_known = c("coupon_e6").is_not_null() & c("maturity").is_not_null()
        return (
            minutes.join(days, on="minute", how="left", maintain_order="left")
            .filter(is_open)
            .select(
                "instrument",
                "session_start",
                "session_end",
                "value_date",
                "maturity",
                "coupon_e6",
                pl.when(is_known).then("mid2_e9").alias("mid2_e9"),
                tick=c("minute") + SECONDS_PER_MINUTE,
                tenor=c("tenor_e3") // streams.UNITS_PER_YEAR,
                is_on=(c("on_the_run") & c("tenor_e3").is_in(tenors)).fill_null(value=False),
            )
            .sort("tick", "instrument")
        )

    return tiers.once("on_the_run", make, of=("treasury_minutes",))


def _leg(tiers: Tiers, asked: pl.DataFrame, tenor: int) -> pl.DataFrame:
    """The yield of a tenor's issue on the run at each tick.

    Args:
        tiers: what is known.
        asked: `tick` and `session_start`, in the order of ticks.
        tenor: years.

    Returns:
        `tick` and `yield_e6` (1e-6 percent); a tick without a yield has no row, or a null one.
    """
    minutes = _on_the_run(tiers)
    by = ["session_start", "instrument"]
    issues = minutes.filter(c("is_on") & (c("tenor") == tenor)).select(by).unique()
    grid = asked.select("tick", "session_start").join(issues, on="session_start").sort("tick", *by)
    newest = minutes.rename({"tick": "seen"})
    has_had = newest.filter(c("mid2_e9").is_not_null()).select("seen", *by)
    last = (
        grid.join_asof(newest, left_on="tick", right_on="seen", by=by, check_sortedness=False)
        .join_asof(
            has_had.with_columns(had="seen").select("seen", "had", *by),
            left_on="tick", right_on="seen", by=by, check_sortedness=False, suffix="_had",
        )
        .filter(c("is_on") & (c("tenor") == tenor) & c("had").is_not_null())
        .sort("tick", "maturity", "instrument", nulls_last=False)
        .unique("tick", keep="last", maintain_order=True)
        .filter(c("seen") == c("tick"))
    )  # fmt: skip
    percent = mid_yields(last)
    yields = (percent * streams.UNITS_PER_PERCENT).round().cast(pl.Int64)
    return last.select("tick", yields.alias("yield_e6"))


def _due(calendar: MarketCalendar, dates: pl.Series) -> pl.Series:
    """`due`: the tick, for each of the days, at which its successor should have been published long since."""
    days = days_around(calendar, dates)
    ends = days.filter("bond_business_day").select(
        index=c("bond_index") - PUBLISHED_AFTER - PATIENCE,
        due=c("date").dt.combine(DUE).dt.replace_time_zone(NEW_YORK).dt.epoch("s"),
    )
    of_day = days.select("date", index="bond_index").join(ends, on="index", how="left", maintain_order="left")
    return dates.to_frame("date").join(of_day, on="date", how="left", maintain_order="left")["due"]


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:
    """The slopes of the curve, and the place of the 10-year yield."""
    low, high = (round(end * streams.UNITS_PER_PERCENT) for end in parameters.yield_band_percent)
    window = (
        "the issues on the run at the end of each minute, in session; else the published series of the newest day, "
        "blind at 18:00 of the third business day after that"
    )
    source = "Board of Governors of the Federal Reserve System, Selected Interest Rates (H.15); street convention"
    return (
        Signal(
            name="treasury_slope_bp",
            segment=SEGMENT,
            title="Treasury curve slope",
            help="How much more the longer issue yields: supply that weighs on the long end steepens it.",
            formula="100 * (mid yield of the longer - mid yield of the shorter), on the run, else DGS2, DGS10, DGS30",
            source=source,
            labels=("pair",),
            over=tuple(View(Legs(*pair), {"pair": pl.lit("{}y-{}y".format(*pair))}) for pair in PAIRS),
            value=divided(c("long_e6") - c("short_e6"), _UNITS_PER_BP),
            window_help=window,
        ),
        Signal(
            name="treasury_yield_band_ratio",
            segment=SEGMENT,
            title="10-year yield in its band",
            help="Where the 10-year yield is in the band of the settings: 0 at its lower end, 1 at its upper.",
            formula="(10-year yield - low) / (high - low)",
            source=source,
            labels=("tenor",),
            over=(View(Legs(10, 10), {"tenor": pl.lit("10y")}),),
            value=divided(c("long_e6") - low, high - low),
            window_help=window,
        ),
    )
