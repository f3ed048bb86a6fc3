"""The windows of end-of-day Treasury quotes: one print a day and issue, as FedInvest publishes them.

A print is an event with a `close`. Its spread stands until the next one, at most to the end of the next session; what
is not there by then is blind. So is a print that repeats an earlier day's: FedInvest now and then shows a whole day
again, and on 2020-03-26 the copy of 03-20 would pass for news.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.calendar import NEW_YORK, SESSION_CLOSE
from monitor.engine.bars import treasury
from monitor.engine.bars.quotes import area, length
from monitor.engine.tiers import EVER, TREASURY_PRINT_KEY
from monitor.signals.known import days_around, version_at
from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Window, divided
from monitor.signals.quoted import ATTRIBUTES, EXPECTED_SESSIONS
from monitor.signals.sessions import new_york_date, session_starts
from monitor.streams import UNITS_PER_PRICE_POINT

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

COMPARED_SESSIONS: Final = 5
"""A print is a copy if it equals that of one of so many sessions before it."""
PATIENCE_SESSIONS: Final = 5
"""An issue is retired when so many sessions have gone by without a print of it."""
_UNITS2_PER_32ND: Final = 2 * UNITS_PER_PRICE_POINT // 32

_KEY: Final = list(TREASURY_PRINT_KEY)
_FIGURES: Final = ("bid_e9", "ask_e9", "close_e9")
_REACH_DAYS: Final = 30
"""Calendar days within which the sessions around a value date are looked for."""

END_OF_DAY_COLUMNS: Final[dict[str, pl.DataType]] = (
    {"instrument": pl.String(), IS_OVER: pl.Boolean()}
    | dict.fromkeys((treasury.SPREAD, area(treasury.SPREAD), length(treasury.SPREAD)), pl.Int64())
    | ATTRIBUTES
)
"""What the rows of `EndOfDay` carry after `ROW_COLUMNS`.

`spread_e9` is ask - bid in 1e-9 of a point: 0 where they are equal, as FedInvest rounds to 1/64; null without two
sides, crossed or blind. The area and the length are those of a quote that stood for one microsecond, so that the mean
over time of quotes and the spread of a print are one formula.
"""

_LOOKED: Final[dict[str, pl.DataType]] = {"is_there": pl.Boolean(), "is_known": pl.Boolean()}

EXCESS_COLUMNS: Final[dict[str, pl.DataType]] = {
    "tenor_e3": pl.Int64(),
    "off_32nds": pl.Float64(),  # the median of the off-the-runs' spreads: an integer divided once
    "on_32nds": pl.Float64(),
    IS_PARTIAL: pl.Boolean(),
    IS_OVER: pl.Boolean(),
}
"""What the rows of `EndOfDayExcess` carry after `ROW_COLUMNS`."""


@dataclass(frozen=True)
class EndOfDay(Window):
    """Prints of issues that go by them: what is also quoted intraday goes by its quotes.

    A print is *repeated* if bid, ask and `close` equal those of one of the five sessions before it, as they were known
    when it came. Of the carried figures that is so on seven days, and then for every issue printed; bid and ask alone
    would condemn ten sound days. A value date stays repeated, whatever becomes known of it or of earlier ones.
    """

    by_print: ClassVar[bool] = True

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Prints, ends of sessions at which one is overdue, starts of sessions at which an issue is retired."""
        spells = _spells(tiers)
        every = pl.concat(
            [tiers.treasury_prints["tick"], *(spells[name].alias("tick") for name in ("overdue", "over"))]
        )
        return every.filter(every.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The value dates that are printed, overdue or the first after an issue's retirement, at these ticks."""
        ticks, spells = at.ticks.implode(), _spells(at.tiers)
        asked = [
            at.tiers.treasury_prints.filter(c("tick").is_in(ticks)).select("tick", *_KEY),
            spells.filter(c("overdue").is_in(ticks)).select(
                tick="overdue", instrument="instrument", value_date="awaited"
            ),
            spells.filter(c("over").is_in(ticks)).select(tick="over", instrument="instrument", value_date="retires"),
        ]
        rows = _by_prints(at.tiers, self.look(at.tiers, pl.concat(asked)))
        return rows.select(*ROW_COLUMNS, *END_OF_DAY_COLUMNS).sort("tick", "value_date", "instrument")

    def look(self, tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
        """These value dates as they are known at these ticks.

        Args:
            tiers: what is known.
            asked: `tick`, `instrument` and `value_date`.

        Returns:
            `asked` in its own order with `blind`, `END_OF_DAY_COLUMNS`, `is_there` (whether this value date is printed)
            and `is_known` (whether any is of this issue).
        """
        if asked.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | END_OF_DAY_COLUMNS | _LOOKED)
        said = _said(tiers)
        rows = version_at(asked, _versions(tiers, asked), _KEY)
        spells = _spells(tiers).select("tick", "instrument", "awaited", "due", "retires", "ends")
        rows = version_at(rows, spells, ["instrument"])
        latest = said.select("tick", "instrument", **{f"last_{name}": c(name) for name in ATTRIBUTES})
        latest = latest.unique(["instrument", "tick"], keep="last", maintain_order=True)
        rows = version_at(rows, latest, ["instrument"])
        is_there = c("close_e9").is_not_null()
        is_late = (c("due") <= c("tick")) & (c("tick") < c("ends")) & (c("value_date") >= c("awaited"))
        is_over = (c("ends") <= c("tick")) & (c("value_date") >= c("retires"))
        rows = rows.with_columns(
            is_there=is_there,
            is_known=c("ends").is_not_null(),
            blind=pl.when(is_there).then("is_repeated").otherwise(is_late).fill_null(value=False),
            is_over=(~is_there & is_over).fill_null(value=False),
            **{name: pl.when(is_there).then(name).otherwise(f"last_{name}") for name in ATTRIBUTES},
        )
        is_sound = ~c("blind") & (c("ask_e9") >= c("bid_e9"))
        return rows.with_columns(pl.when(is_sound).then(c("ask_e9") - c("bid_e9")).alias(treasury.SPREAD)).with_columns(
            c(treasury.SPREAD).alias(area(treasury.SPREAD)),
            c(treasury.SPREAD).is_not_null().cast(pl.Int64).alias(length(treasury.SPREAD)),
        )


@dataclass(frozen=True)
class EndOfDayExcess(Window):
    """By tenor: the spreads of its off-the-run issues and of that on the run, at end of day, side by side.

    A row a tenor and value date at which an issue of either side changes. As for quotes it is blind if the on-the-run
    is, or more than half of the off-the-runs, and partial if any of them is. Of several issues that say they are on the
    run it is one that is printed, and of these the one with the greatest name. A tenor of which any issue is quoted
    goes by its quotes.

    Attributes:
        end_of_day: the window of the issues.
    """

    by_print: ClassVar[bool] = True
    end_of_day: EndOfDay = field(default_factory=EndOfDay)

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the issues' window; one at which no issue with a tenor changes gives no row."""
        return self.end_of_day.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The tenors and value dates that change at these ticks, and tenors whose last issue is retired."""
        moved = at.rows(self.end_of_day)
        rows = pl.concat([self._touched(at.tiers, moved), self._over(at.tiers, moved)])
        quoted = _quoted_tenors(at.tiers, moved["tick"])
        return rows.join(quoted, on=["tick", "tenor_e3"], how="anti").sort("tick", "value_date", "tenor_e3")

    def _touched(self, tiers: Tiers, moved: pl.DataFrame) -> pl.DataFrame:
        group = ["tick", "value_date", "tenor_e3"]
        changed = moved.filter(~c(IS_OVER)).select("tick", *_KEY, "tenor_e3")
        # A revision may take an issue out of a tenor: what it was of changes too.
        before = self.end_of_day.look(tiers, changed.select(c("tick") - 1, *_KEY)).filter("is_there")
        before = before.select(c("tick") + 1, *_KEY, "tenor_e3")
        touched = pl.concat([changed, before]).select(group).drop_nulls().unique()
        asked = _with_issues(tiers, touched.select("tick", "value_date").unique())
        issues = _by_prints(tiers, self.end_of_day.look(tiers, asked).filter(c("is_there") | c("blind")))
        on, off = c("on_the_run").fill_null(value=False), ~c("on_the_run").fill_null(value=True)
        order = [c(name).filter(on) for name in ("is_there", "instrument")]
        sides = issues.group_by(group).agg(
            on2_e9=2 * c(treasury.SPREAD).filter(on).sort_by(order).last(),
            on_blind=c("blind").filter(on).sort_by(order).last(),
            off2_e9=(2 * c(treasury.SPREAD).filter(off).median()).cast(pl.Int64),
            off_blind=2 * c("blind").filter(off).sum() > off.sum(),
            is_partial=(off & c(treasury.SPREAD).is_null()).any(),
        )
        flags = [c(name).fill_null(value=False) for name in ("on_blind", "off_blind", IS_PARTIAL)]
        rows = (
            touched.join(sides, on=group, how="left")
            .with_columns(flags)
            .with_columns(blind=c("on_blind") | c("off_blind"), is_over=pl.lit(value=False))
        )
        return rows.with_columns(
            off_32nds=divided(c("off2_e9"), _UNITS2_PER_32ND), on_32nds=divided(c("on2_e9"), _UNITS2_PER_32ND)
        ).select(*ROW_COLUMNS, *EXCESS_COLUMNS)

    def _over(self, tiers: Tiers, moved: pl.DataFrame) -> pl.DataFrame:
        """A row a tenor at the tick at which no issue of it is left: the last of them is retired."""
        retired = moved.filter(IS_OVER).select("tick", "value_date", "tenor_e3").drop_nulls().unique()
        asked = _with_issues(tiers, retired.select("tick", "value_date").unique())
        left = self.end_of_day.look(tiers, asked).filter("is_known", ~c(IS_OVER))
        over = retired.join(left, on=["tick", "value_date", "tenor_e3"], how="anti")
        nothing = {name: pl.lit(None, pl.Float64) for name in ("off_32nds", "on_32nds")}
        flags = {"blind": pl.lit(value=False), IS_PARTIAL: pl.lit(value=False), IS_OVER: pl.lit(value=True)}
        return over.with_columns(**nothing, **flags).select(*ROW_COLUMNS, *EXCESS_COLUMNS)


def _with_issues(tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
    """Every issue ever printed, for each of these ticks and value dates."""
    issues = tiers.treasury_prints.select("instrument").unique()
    return asked.join(issues, how="cross").select("tick", *_KEY)


def _by_prints(tiers: Tiers, rows: pl.DataFrame) -> pl.DataFrame:
    """Those of these rows (which have `tick` and `instrument`) whose issue does not go by its quotes then."""
    return rows.filter(~_is_quoted(tiers, rows))


def _is_quoted(tiers: Tiers, rows: pl.DataFrame) -> pl.Series:
    """Of each `tick` and `instrument`: whether it was quoted, and has not been retired for want of quotes.

    At the tick of its retirement it is quoted still: then its quotes say that they are over. The newest bar of an issue
    is never forgotten, so a live run sees here what a replay sees.
    """
    bars = tiers.treasury_seconds.select("instrument", "maturity", tick=c("second") + 1, quoted="second")
    found = version_at(rows.select("tick", "instrument"), bars, ["instrument"])
    found = found.with_columns(value_date=new_york_date(c("quoted")))
    retires = session_starts(tiers.calendar, found, EXPECTED_SESSIONS + 1)
    is_quoted = found["quoted"].is_not_null() & (found["tick"] <= retires).fill_null(value=True)
    return is_quoted.alias("is_quoted")


def _quoted_tenors(tiers: Tiers, ticks: pl.Series) -> pl.DataFrame:
    """`tick` and `tenor_e3`: the tenors of which any issue goes by its quotes."""
    bars = tiers.treasury_seconds.filter(c("tenor_e3").is_not_null())
    issues = bars.select("instrument").unique()
    asked = pl.DataFrame({"tick": ticks.unique()}, schema={"tick": pl.Int64()}).join(issues, how="cross")
    found = version_at(asked, bars.select("instrument", "tenor_e3", tick=c("second") + 1), ["instrument"])
    return found.filter(_is_quoted(tiers, found)).select("tick", "tenor_e3").drop_nulls().unique()


def _said(tiers: Tiers) -> pl.DataFrame:
    """The prints in the order of ticks; what one leaves out of its attributes is as it was last said of its issue."""
    return tiers.once(
        "end of day, said",
        lambda: tiers.treasury_prints.with_columns(c(list(ATTRIBUTES)).forward_fill().over("instrument")),
        of=("treasury_prints",),
    )


def _versions(tiers: Tiers, asked: pl.DataFrame) -> pl.DataFrame:
    """The versions of these keys with `is_repeated`: whether this one or one before it came as a copy."""
    versions = _said(tiers).join(asked.select(_KEY).unique(), on=_KEY, how="semi", maintain_order="left")
    back = _sessions_before(tiers.calendar, versions["value_date"], COMPARED_SESSIONS)
    compared = versions.select("tick", *_KEY, *_FIGURES).join(back, on="value_date").rename({"value_date": "of"})
    earlier = tiers.treasury_prints.select("tick", *_KEY, **{f"{name}_then": c(name) for name in _FIGURES})
    found = version_at(compared.rename({"earlier": "value_date"}), earlier, _KEY)
    equal = pl.all_horizontal(c(name).eq_missing(c(f"{name}_then")) for name in _FIGURES)
    copies = found.filter(equal).select("tick", "instrument", value_date="of", is_copy=pl.lit(value=True)).unique()
    return versions.join(copies, on=["tick", *_KEY], how="left", maintain_order="left").with_columns(
        is_repeated=c("is_copy").fill_null(value=False).cum_max().over(_KEY)
    )


def _spells(tiers: Tiers) -> pl.DataFrame:
    """For each print of an issue's newest value date: when the next one is due, and when it is waited for no more.

    Columns: instrument, tick (of the print); awaited (the next session's date) and due (its end); retires (the date of
    the first session that does not wait) and ends (its start); overdue and over: the ticks at which the next print is
    missed and the issue retired, null where the next print came first.
    """
    return tiers.once("end of day, spells", lambda: _make_spells(tiers), of=("treasury_prints",))


def _make_spells(tiers: Tiers) -> pl.DataFrame:
    newest = c("value_date").cum_max().over("instrument")
    # At one tick several value dates may come; only the newest of them waits for the next.
    prints = (
        tiers.treasury_prints.sort("tick", "value_date")
        .with_columns(before=newest.shift(1).over("instrument"))
        .filter(c("before").is_null() | (c("value_date") > c("before")))
        .unique(["instrument", "tick"], keep="last", maintain_order=True)
    )
    spells = (
        prints.select("instrument", "tick", "value_date")
        .join(_sessions_after(tiers.calendar, prints["value_date"]), on="value_date", maintain_order="left")
        .with_columns(then=c("tick").shift(-1, fill_value=EVER).over("instrument"))
    )
    overdue, over = pl.max_horizontal("tick", "due"), pl.max_horizontal("tick", "ends")
    return spells.with_columns(
        overdue=pl.when(overdue < pl.min_horizontal("then", "ends")).then(overdue),
        over=pl.when(over < c("then")).then(over),
    )


def _sessions_after(calendar: MarketCalendar, value_dates: pl.Series) -> pl.DataFrame:
    """For each value date: `awaited`, `due`, `retires` and `ends`, as `_spells` has them."""
    days = days_around(calendar, value_dates, _REACH_DAYS)
    following = c("bond_index") + c("bond_business_day").cast(pl.Int64)
    sessions = days.filter("bond_business_day")
    # An early close does not bring the day's prints forward.
    usual_end = c("date").dt.combine(SESSION_CLOSE).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
    awaited = sessions.select(following="bond_index", awaited="date", due=pl.max_horizontal("session_end", usual_end))
    retires = sessions.select(c("bond_index").alias("last"), retires="date", ends="session_start")
    return (
        days.select(value_date="date", following=following, last=following + PATIENCE_SESSIONS)
        .join(awaited, on="following")
        .join(retires, on="last")
        .select("value_date", "awaited", "due", "retires", "ends")
    )


def _sessions_before(calendar: MarketCalendar, value_dates: pl.Series, count: int) -> pl.DataFrame:
    """`value_date` and `earlier`: each of these dates with the dates of so many sessions before it."""
    days = days_around(calendar, value_dates, _REACH_DAYS)
    sessions = days.filter("bond_business_day").select("bond_index", earlier="date")
    asked = days.filter(c("date").is_in(value_dates.implode())).select("bond_index", value_date="date")
    back = pl.DataFrame({"back": range(1, count + 1)}, schema={"back": pl.Int64()})
    return (
        asked.join(back, how="cross")
        .with_columns(bond_index=c("bond_index") - c("back"))
        .join(sessions, on="bond_index")
        .select("value_date", "earlier")
    )
