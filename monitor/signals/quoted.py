"""The windows of Treasury quotes: spread and depth weighted by the time for which they stood.

A time-weighted mean over any stretch is the difference of two running sums of integers, so a longer window costs no
more, and a live tick gives the same bits as a replay. An issue without a new quote for its hold is blind: what was
quoted then is no longer known to stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.engine.bars import treasury
from monitor.engine.bars.quotes import area, length
from monitor.engine.tiers import EVER
from monitor.signals.model import IS_OVER, IS_PARTIAL, ROW_COLUMNS, Window
from monitor.signals.sessions import due_after, is_open, session_starts, sessions
from monitor.signals.stale import is_within, stale_spells
from monitor.signals.thresholds import SECONDS_PER_MINUTE

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

FIVE_MINUTES: Final = 5 * SECONDS_PER_MINUTE

_SUMS: Final = tuple(column for name in treasury.MEASURES for column in (area(name), length(name)))
ATTRIBUTES: Final[dict[str, pl.DataType]] = {"tenor_e3": pl.Int64(), "on_the_run": pl.Boolean()}
"""What an issue says of itself, and thresholds go by."""
_TERMS: Final[dict[str, pl.DataType]] = {"coupon_e6": pl.Int64(), "maturity": pl.Date()}
QUOTED_COLUMNS: Final[dict[str, pl.DataType]] = (
    {"instrument": pl.String()}
    | {area(name): pl.Int128() for name in treasury.MEASURES}
    | {length(name): pl.Int64() for name in treasury.MEASURES}
    | ATTRIBUTES
    | _TERMS
    | {IS_OVER: pl.Boolean(), IS_PARTIAL: pl.Boolean()}
)
"""What the rows of `Quoted` carry after `ROW_COLUMNS`: areas (value x microseconds) and lengths over the window."""
ISSUE_COLUMNS: Final[dict[str, pl.DataType]] = QUOTED_COLUMNS | {
    "last_us": pl.Int64(),  # when it was quoted last, in whatever way
    "speaks": pl.Boolean(),  # it has a value, or goes blind, absent or over at this tick
    "is_fresh": pl.Boolean(),  # its last quote is not older than `FRESH_SECONDS` of session
    "is_two_sided": pl.Boolean(),  # and has two sides, uncrossed
    "is_stale": pl.Boolean(),  # its quotes repeat themselves, see `signals.stale`
}
"""What the rows of `Issues` carry after `ROW_COLUMNS`."""
FRESH_SECONDS: Final = pl.when("on_the_run").then(30).otherwise(treasury.OFF_THE_RUN_HOLD_SECONDS).cast(pl.Int64)
"""A quote is fresh for so long, of the session clock."""

EXPECTED_SESSIONS: Final = 5
"""An issue that was quoted in none of the last five sessions is retired, and missed no longer."""


@dataclass(frozen=True)
class Issues(Window):
    """Every issue that was quoted lately, heard of or silent, over a window that ends at the tick.

    The window does not reach into an earlier session.

    Attributes:
        span_seconds: the window's length.
    """

    is_momentary: ClassVar[bool] = True
    span_seconds: int

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Ends of seconds with quotes, their leaving the window, ends of holds and stale spells, edges of sessions."""
        if _is_quoted_second(tiers, after, upto):
            return pl.Series("tick", [upto], pl.Int64)
        bars = quoted_lives(tiers)
        seen = bars["since"]
        # What stood to the end of its hold leaves the window later; that is no matter unless the issue is not blind.
        hold = bars.select(treasury.HOLD_SECONDS).to_series()
        leaves = (seen + hold + self.span_seconds).filter(bars["then"] - seen > hold)
        days = sessions(tiers.calendar, pl.concat([seen, seen + self.span_seconds, leaves]))
        ends = days.filter(is_open())
        # What was quoted outside sessions has stood in the next one for a second at the earliest.
        early = (c("tick") <= c("session_start")).fill_null(value=False)
        opens = days.filter(early | ~is_open()).select(pl.when(early).then("session_start").otherwise("next_start") + 1)
        spells = stale_spells(tiers)
        every = [ends["tick"], ends["session_end"].unique(), opens.to_series(), bars["due"], bars["retires"]]
        every += [spells["since"], spells["until"]]
        ticks = pl.concat([each.drop_nulls().alias("tick") for each in every])
        return ticks.filter(ticks.is_between(after, upto, closed="right")).unique().sort()

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a tick in session and issue that is not retired, and one at which it is; columns `ISSUE_COLUMNS`."""
        calendar = at.tiers.calendar
        days = sessions(calendar, at.ticks).sort("tick")
        days = days.filter(is_open() | (c("tick") == c("session_end")))
        if at.tiers.treasury_seconds.is_empty() or days.is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | ISSUE_COLUMNS)
        # What was followed by another quote before the first window begins is in none of them.
        first = int(days["tick"][0]) - self.span_seconds
        if at.ticks.len() == 1:  # a live tick: all lives are not needed for it, nor were they for `ticks`
            lives = _lives_at(at.tiers, first, int(at.ticks[0]))
        else:
            lives = quoted_lives(at.tiers).filter(c("then") >= first)
        standing = treasury.standing(lives)
        grid = standing.codes.select("code").join(days, how="cross").sort("code", "tick")
        ends = standing.at(grid, (*ATTRIBUTES, *_TERMS, "last_us", "mid2_e9", "upto", "due", "fresh_until", "retires"))
        begin = pl.max_horizontal(c("tick") - self.span_seconds, "session_start")
        begins = standing.at(grid.select("code", tick=begin))
        rows = grid.select(
            "tick",
            "value_date",
            "code",
            *(ends[name] - begins[name] for name in _SUMS),
            *(ends[name] for name in (*ATTRIBUTES, *_TERMS, "last_us")),
            # Before the first quote, and after what was said of its silence, there is nothing to say.
            speaks=((c("tick") <= ends["upto"]) | (c("tick") == ends["retires"])).fill_null(value=False),
            blind=(c("tick") >= ends["due"]).fill_null(value=False) | ends["upto"].is_null(),
            is_over=(c("tick") >= ends["retires"]).fill_null(value=False),
            is_fresh=(c("tick") < ends["fresh_until"]).fill_null(value=False),
            is_two_sided=((c("tick") < ends["fresh_until"]) & ends["mid2_e9"].is_not_null()).fill_null(value=False),
            is_known=ends["upto"].is_not_null(),
            is_open=is_open(),
        ).join(standing.codes, on="code", maintain_order="left")
        has_sums = c("is_open") & ~c(IS_OVER)
        rows = _by_instrument(
            rows.with_columns(pl.when(has_sums).then(name).otherwise(0).alias(name) for name in _SUMS)
        )
        return _with_stale(rows, stale_spells(at.tiers))


@dataclass(frozen=True)
class Quoted(Window):
    """The issues that say something at a tick, over a window that ends there.

    Attributes:
        issues: the window of all of them.
    """

    is_momentary: ClassVar[bool] = True
    is_dense: ClassVar[bool] = True
    issues: Issues

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks of the issues."""
        return self.issues.ticks(tiers, after, upto)

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a quoted issue and tick in session, with `QUOTED_COLUMNS`.

        One is absent at the session's end, one blind at the end of a hold and while its quotes are stale, and one over
        when the issue is retired.
        """
        return at.rows(self.issues).filter("speaks").select(*ROW_COLUMNS, *QUOTED_COLUMNS)


def _is_quoted_second(tiers: Tiers, after: int, upto: int) -> bool:
    """Whether there is but one tick to look at, and it sees a second of a session with a quote: the usual live one."""
    if upto - after != 1 or tiers.treasury_seconds["second"].max() != upto - 1:
        return False
    return not sessions(tiers.calendar, pl.Series("tick", [upto], pl.Int64)).filter(is_open()).is_empty()


def _lives_at(tiers: Tiers, begin: int, tick: int) -> pl.DataFrame:
    """The bars that a window from `begin` to a tick looks at, the newest of each series with its life as seen then."""
    bars, series = tiers.treasury_seconds.filter(c("second") < tick), list(treasury.SERIES)
    is_old = c("second") < begin
    old = bars.filter(is_old).unique(series, keep="last", maintain_order=True)
    bars = pl.concat([old, bars.filter(~is_old)])
    is_newest = bars.select(pl.struct(series).is_last_distinct()).to_series()
    newest = _with_lives(bars.filter(is_newest), tiers.calendar)
    return pl.concat([bars.filter(~is_newest), newest], how="diagonal")


def _by_instrument(rows: pl.DataFrame) -> pl.DataFrame:
    """One row an instrument and tick: what is quoted in several partitions is weighted together.

    What stood in a partition that fell silent counts for as long as it is within the window. Attributes are those of
    the newest quote that has them.
    """
    key = ["tick", "instrument"]
    # A partition that was not heard of yet has no say, or what comes later would show.
    rows = rows.filter("is_known")
    if rows.select("instrument", "partition").unique().height > rows["instrument"].n_unique():
        rows = (
            rows.sort(*key, "last_us", "partition")
            .group_by(key, maintain_order=True)
            .agg(
                c(_SUMS).sum(),
                c("speaks", "is_fresh", "is_two_sided").any(),
                c("blind", IS_OVER).all(),
                # One of several venues has fallen silent: were it the wide one, the mean of the others would fall.
                ((c("blind") & ~c(IS_OVER)).any() & (~c("blind") & ~c(IS_OVER)).any()).alias(IS_PARTIAL),
                c("last_us").max(),
                c("value_date").first(),
                c([*ATTRIBUTES, *_TERMS]).drop_nulls().last(),
            )
        )
    else:
        rows = rows.with_columns(pl.lit(value=False).alias(IS_PARTIAL))
    rows = rows.filter(~c(IS_OVER) | c("speaks")).with_columns(blind=c("blind") & ~c(IS_OVER))
    return rows.with_columns(is_stale=pl.lit(value=False)).select(*ROW_COLUMNS, *ISSUE_COLUMNS).sort(key)


def _with_stale(rows: pl.DataFrame, spells: pl.DataFrame) -> pl.DataFrame:
    """Blind where a quote comes again and again and does not follow the market."""
    if spells.is_empty() or rows.is_empty():
        return rows
    is_stale = is_within(rows, spells) & ~rows[IS_OVER]
    return rows.with_columns(blind=c("blind") | is_stale, is_stale=is_stale)


def quoted_lives(tiers: Tiers) -> pl.DataFrame:
    """The bars of Treasury quotes with how long each is the newest of its issue, in the order of seconds.

    Adds `since` (the tick that first sees it), `then` (the tick that sees the next one), `due` (the tick at which
    patience with the silence after it ends and the issue goes blind; null if the next bar comes first), `upto` (the
    last tick before the next bar is seen, and not after `due` or `retires`), `retires` (the tick at which an issue that
    was not quoted any more is retired; null if the next bar comes first), and `fresh_until` (the tick at which it is no
    longer fresh, whatever comes).
    """
    return tiers.once("quoted lives", lambda: _with_lives(tiers.treasury_seconds, tiers.calendar))


def _with_lives(bars: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    # They are in the order of seconds, so those of a series are in order: to sort them by it would be most of the work.
    series = list(treasury.SERIES)
    bars = bars.with_columns(since=c("second") + 1)
    days = sessions(calendar, bars["since"]).rename({"tick": "since"})
    lives = bars.select("since", "maturity").join(days, on="since", how="left", maintain_order="left")
    holds = bars.select(hold=treasury.HOLD_SECONDS, fresh=FRESH_SECONDS)
    lives = lives.with_columns(holds).select(
        due=due_after(c("since"), c("hold")),
        fresh_until=due_after(c("since"), c("fresh")),
        retires=session_starts(calendar, lives, EXPECTED_SESSIONS + 1),
    )
    then = c("since").shift(-1).over(series).fill_null(EVER)
    return bars.with_columns(*lives, then=then).with_columns(
        upto=pl.min_horizontal(c("then") - 1, "due", "retires"),
        due=pl.when(c("due") < c("then")).then("due"),
        retires=pl.when(c("retires") < c("then")).then("retires"),
    )
