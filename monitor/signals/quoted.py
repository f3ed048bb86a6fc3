"""The windows of quotes: Treasury spread and depth weighted by the time for which they stood, and the last CDS mid.

A time-weighted mean over any stretch is the difference of two running sums of integers, so a longer window costs no
more, and a live tick gives the same bits as a replay. An issue without a new quote for its hold is blind: what was
quoted then is no longer known to stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.calendar import NEW_YORK
from monitor.engine.bars import cds, treasury
from monitor.engine.bars.quotes import area, length
from monitor.engine.tiers import EVER
from monitor.signals.model import ROW_COLUMNS, Window
from monitor.signals.sessions import due_after, is_open, new_york_date, sessions
from monitor.signals.thresholds import SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

FIVE_MINUTES: Final = 5 * SECONDS_PER_MINUTE

_SUMS: Final = tuple(column for name in treasury.MEASURES for column in (area(name), length(name)))
ATTRIBUTES: Final[dict[str, pl.DataType]] = {"tenor_e3": pl.Int64(), "on_the_run": pl.Boolean()}
"""What an issue says of itself, and thresholds go by."""
QUOTED_COLUMNS: Final[dict[str, pl.DataType]] = (
    {"instrument": pl.String()}
    | {area(name): pl.Int128() for name in treasury.MEASURES}
    | {length(name): pl.Int64() for name in treasury.MEASURES}
    | ATTRIBUTES
)
"""What the rows of `Quoted` carry after `ROW_COLUMNS`: areas (value x microseconds) and lengths over the window."""

MARK_DUE: Final = time(18)
"""New York time, on the next business day, at which an end-of-day mark wants a successor."""


@dataclass(frozen=True)
class Quoted(Window):
    """Treasury quotes over a window that ends at the tick and does not reach into an earlier session.

    Attributes:
        span_seconds: the window's length.
    """

    span_seconds: int

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Ends of seconds with quotes, their leaving the window, ends of holds, edges of sessions."""
        bars = _with_lives(tiers.treasury_seconds, tiers.calendar)
        seen = bars["since"]
        # What stood to the end of its hold leaves the window later; that is no matter unless the issue is not blind.
        hold = bars.select(treasury.HOLD_SECONDS).to_series()
        leaves = (seen + hold + self.span_seconds).filter(bars["then"] - seen > hold)
        days = sessions(tiers.calendar, pl.concat([seen, seen + self.span_seconds, leaves]))
        ends = days.filter(is_open())["tick"]
        # What was quoted outside sessions has stood in the next one for a second at the earliest.
        early = (c("tick") <= c("session_start")).fill_null(value=False)
        opens = days.filter(early | ~is_open()).select(pl.when(early).then("session_start").otherwise("next_start") + 1)
        closes = days["session_end"].drop_nulls().unique()
        due = bars["due"].drop_nulls()
        every = pl.concat([ends, opens.to_series().drop_nulls().alias("tick"), closes.alias("tick"), due.alias("tick")])
        return every.filter(every.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a quoted issue and tick in session; at the session's end one that is absent, at its hold's blind."""
        bars, calendar = at.tiers.treasury_seconds, at.tiers.calendar
        days = sessions(calendar, at.ticks).sort("tick")
        days = days.filter(is_open() | (c("tick") == c("session_end")))
        if bars.is_empty() or days.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | QUOTED_COLUMNS)
        standing = treasury.standing(_with_lives(bars, calendar))
        grid = standing.codes.select("code").join(days, how="cross").sort("code", "tick")
        ends = standing.at(grid, (*ATTRIBUTES, "last_us", "upto", "due"))
        begin = pl.max_horizontal(c("tick") - self.span_seconds, "session_start")
        begins = standing.at(grid.select("code", tick=begin))
        rows = grid.select(
            "tick",
            "value_date",
            "code",
            *(ends[name] - begins[name] for name in _SUMS),
            *(ends[name] for name in (*ATTRIBUTES, "last_us")),
            # Before the first quote, and after what was said of its silence, there is nothing to say.
            speaks=(c("tick") <= ends["upto"]).fill_null(value=False),
            blind=(c("tick") >= ends["due"]).fill_null(value=False) | ends["upto"].is_null(),
            is_open=is_open(),
        ).join(standing.codes, on="code", maintain_order="left")
        nothing = [pl.when("is_open").then(name).otherwise(0).alias(name) for name in _SUMS]
        return _by_instrument(rows.with_columns(*nothing))


def _by_instrument(rows: pl.DataFrame) -> pl.DataFrame:
    """One row an instrument and tick: what is quoted in several partitions is weighted together.

    What stood in a partition that fell silent counts for as long as it is within the window. Attributes are those of
    the newest quote that has them.
    """
    key = ["tick", "instrument"]
    if rows.select("instrument", "partition").unique().height > rows["instrument"].n_unique():
        rows = (
            rows.sort(*key, "last_us", "partition")
            .group_by(key, maintain_order=True)
            .agg(
                c(_SUMS).sum(),
                c("speaks").any(),
                c("blind").all(),
                c("value_date").first(),
                c(list(ATTRIBUTES)).drop_nulls().last(),
            )
        )
    return rows.filter("speaks").select(*ROW_COLUMNS, *QUOTED_COLUMNS).sort(key)


def _with_lives(bars: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """Adds to each bar how long it is the newest of its issue, and when patience with the silence after it ends.

    Adds `upto` (the last tick before the next bar is seen, and not after `due`) and `due` (the tick at which the issue
    goes blind; null if the next bar comes first).
    """
    series = list(treasury.SERIES)
    bars = bars.sort(*series, "second").with_columns(since=c("second") + 1)
    days = sessions(calendar, bars["since"]).rename({"tick": "since"})
    due = bars.select("since").join(days, on="since", how="left", maintain_order="left")
    due = due.with_columns(hold=bars.select(treasury.HOLD_SECONDS).to_series()).select(
        due=due_after(c("since"), c("hold"))
    )
    then = c("since").shift(-1).over(series).fill_null(EVER)
    return bars.with_columns(due["due"], then=then).with_columns(
        upto=pl.min_horizontal(c("then") - 1, "due"), due=pl.when(c("due") < c("then")).then("due")
    )


@dataclass(frozen=True)
class LastQuoted(Window):
    """The last CDS quote of an entity and tenor: it stands until the next one, and is blind when that is overdue."""

    columns: ClassVar[dict[str, pl.DataType]] = {"entity": pl.String(), "tenor_e3": pl.Int64(), "mid2_e6": pl.Int64()}

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Ends of seconds with quotes, and ticks at which the next one is overdue."""
        bars = _newest_of_second(tiers.cds_seconds)
        every = pl.concat([bars["second"] + 1, _overdue(bars, tiers.calendar)["tick"]])
        return every.filter(every.is_between(after, upto, closed="right")).unique().sort().alias("tick")

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a quote, at the end of its second, and one that is blind when its successor is overdue."""
        bars = _newest_of_second(at.tiers.cds_seconds)
        ticks = at.ticks.implode()
        names = list(cds.NAMES)
        said = bars.select(*names, "mid2_e6", tick=c("second") + 1, blind=pl.lit(value=False))
        silent = _overdue(bars, at.tiers.calendar).with_columns(
            mid2_e6=pl.lit(None, pl.Int64), blind=pl.lit(value=True)
        )  # fmt: skip
        rows = pl.concat([said, silent.select(said.columns)]).filter(c("tick").is_in(ticks))
        return (
            rows.with_columns(value_date=new_york_date(c("tick")))
            .select(*ROW_COLUMNS, *self.columns)
            .sort("tick", *names)
        )


def _newest_of_second(bars: pl.DataFrame) -> pl.DataFrame:
    """One bar an entity, tenor and second: what was said last, in whatever partition."""
    keys = ["second", *cds.NAMES]
    return bars.sort(*keys, "last_us", "partition").unique(keys, keep="last", maintain_order=True)


def _overdue(bars: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """(tick, entity, tenor) at which a quote is an hour old in session, or a mark has had no successor in its day."""
    names = list(cds.NAMES)
    seen = bars.select(*names, "is_mark", since=c("second") + 1).sort(*names, "since")
    days = sessions(calendar, seen["since"]).rename({"tick": "since"})
    return (
        seen.with_columns(then=c("since").shift(-1).over(names).fill_null(EVER))
        .join(days, on="since", how="left", maintain_order="left")
        .with_columns(mark_due=_on_date(new_york_date(c("next_start"))))
        .with_columns(
            tick=pl.when("is_mark").then("mark_due").otherwise(due_after(c("since"), pl.lit(cds.HOLD_SECONDS)))
        )
        .filter(c("tick") < c("then"))
        .select("tick", *names)
    )


def _on_date(day: pl.Expr) -> pl.Expr:
    return day.dt.combine(MARK_DUE).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
