"""Quotes that come and say nothing new: a feed that repeats itself, or an earlier day, and no calm.

An issue is *stale* when neither its mid nor its spread has changed for half an hour of a session while at least three
other issues, and a quarter of all that are quoted, have moved by ten ticks (one to three basis points of yield). It
stays so until its quote changes, be it that it loses a side: that its peers stand still again says nothing about it.

An issue is stale, too, in minutes that repeat those of an earlier session (`engine.copies`), until it is quoted
otherwise than it was then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.bars.treasury import tick_e9
from monitor.engine.minutes import MINUTE_SECONDS
from monitor.signals.sessions import sessions

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers

UNCHANGED_MINUTES: Final = 30
"""Long enough that even a quote which is looked after by hand has followed a moving market."""
MOVED_TICKS: Final = 10
"""Ten ticks are one to three basis points of yield, by tenor: no quoted issue keeps still over that."""
UNMOVED_SECONDS: Final = 300
LEAST_MOVERS: Final = 3
MOVERS_PERCENT: Final = 25

SPELL: Final[dict[str, pl.DataType]] = {"instrument": pl.String(), "since": pl.Int64(), "until": pl.Int64()}
"""An issue is stale at the ticks from `since` on and before `until`: the end of the minute in which it changed."""


def stale_spells(tiers: Tiers) -> pl.DataFrame:
    """The spells of both sorts, as `SPELL`, by issue and time; within one session each.

    The end of a spell that lasts is the end of its session.
    """
    # A pass over the session so far: not at each tick, but when a minute has come to its end.
    of = ("treasury_minutes", "treasury_copies")
    return tiers.once("stale", lambda: _put_together([_unchanged(tiers), _copied(tiers)]), of=of)


def unmoved_spells(tiers: Tiers) -> pl.DataFrame:
    """Where an issue's mid and spread have not changed for `UNMOVED_SECONDS`, as `SPELL`; not known to be stale yet."""
    return tiers.once("unmoved", lambda: _unmoved(tiers), of=("treasury_minutes",))


def _unmoved(tiers: Tiers) -> pl.DataFrame:
    own = ["instrument", "session_start"]
    tick = c("tick")
    # The first end of a minute that shows it: in between, where nothing stood, nobody could know.
    shown = tick.filter(tick - tick.first() >= UNMOVED_SECONDS).min()
    return (
        _minute_ends(tiers)
        .drop_nulls("mid2_e9")
        .group_by(*own, "run", maintain_order=True)
        .agg(start=tick.first(), since=shown, session_end=c("session_end").first())
        .with_columns(until=c("start").shift(-1).over(own).fill_null(c("session_end")))
        .drop_nulls("since")
        .select(*SPELL)
    )


def is_within(rows: pl.DataFrame, spells: pl.DataFrame) -> pl.Series:
    """Whether each row's `tick` lies in a spell of its `instrument`."""
    if spells.is_empty() or rows.is_empty():
        return pl.repeat(value=False, n=rows.height, dtype=pl.Boolean, eager=True)
    found = rows.select("tick", "instrument").join_asof(
        spells.sort("since"), left_on="tick", right_on="since", by="instrument", check_sortedness=False
    )
    return (found["tick"] < found["until"]).fill_null(value=False)


def _put_together(spells: list[pl.DataFrame]) -> pl.DataFrame:
    """Spells of all sorts by issue and time; one that begins within another ends no sooner than that."""
    every = pl.concat(spells).sort("instrument", "since", "until")
    return every.with_columns(c("until").cum_max().over("instrument"))


def _copied(tiers: Tiers) -> pl.DataFrame:
    """The spells in which an issue repeats an earlier session: until it is quoted in a minute otherwise."""
    copies = tiers.treasury_copies
    if copies.is_empty():
        return pl.DataFrame(schema=SPELL)
    ends = copies.select("instrument", "is_copied", tick=c("minute") + MINUTE_SECONDS)
    days = sessions(tiers.calendar, ends["tick"]).select("tick", "session_start", "session_end")
    own = ["instrument", "session_start"]
    return (
        ends.join(days, on="tick", how="left")
        .filter(c("tick") > c("session_start"), c("tick") <= c("session_end"))
        .sort("instrument", "tick")
        .with_columns(run=c("is_copied").rle_id().over(own))
        .group_by(*own, "run", maintain_order=True)
        .agg(c("is_copied").first(), since=c("tick").first(), session_end=c("session_end").first())
        .with_columns(until=c("since").shift(-1).over(own).fill_null(c("session_end")))
        .filter("is_copied")
        .select(*SPELL)
    )


def _minute_ends(tiers: Tiers) -> pl.DataFrame:
    """What stood at the ends of the minutes of sessions, by issue and time.

    `run` numbers the stretches of a session in which neither the mid nor the spread has changed.
    """
    minutes = tiers.treasury_minutes
    ends = minutes.select("instrument", "mid2_e9", "spread_e9", "tenor_e3", tick=c("minute") + MINUTE_SECONDS)
    days = sessions(tiers.calendar, ends["tick"]).select("tick", "session_start", "session_end")
    ends = (
        ends.join(days, on="tick", how="left", maintain_order="left")
        .filter(c("tick") > c("session_start"), c("tick") <= c("session_end"))
        .sort("instrument", "tick")
    )
    own = ["instrument", "session_start"]
    changed = pl.any_horizontal(c(name).ne_missing(c(name).shift(1).over(own)) for name in ("mid2_e9", "spread_e9"))
    return ends.with_columns(run=changed.cum_sum().over(own))


def _unchanged(tiers: Tiers) -> pl.DataFrame:
    ends, own = _minute_ends(tiers), ["instrument", "session_start"]
    if ends.is_empty():
        return pl.DataFrame(schema=SPELL)
    ends = ends.with_columns(run_start=c("tick").first().over(*own, "run"))
    period = f"{UNCHANGED_MINUTES * MINUTE_SECONDS + 1}i"
    ranges = (
        ends.drop_nulls("mid2_e9")
        .rolling("tick", period=period, group_by=own)
        .agg(range=c("mid2_e9").max() - c("mid2_e9").min(), tenor_e3=c("tenor_e3").last())
        .with_columns(has_moved=c("range") >= 2 * MOVED_TICKS * tick_e9(c("tenor_e3")))
    )
    movers = ranges.group_by("tick").agg(movers=c("has_moved").sum(), quoted=pl.len())
    unchanged = c("mid2_e9").is_not_null() & (c("tick") - c("run_start") >= UNCHANGED_MINUTES * MINUTE_SECONDS)
    is_move = (c("movers") >= LEAST_MOVERS) & (100 * c("movers") >= MOVERS_PERCENT * c("quoted"))
    run = [*own, "run"]
    return (
        ends.join(movers, on="tick", how="left", maintain_order="left")
        .group_by(run, maintain_order=True)
        .agg(
            since=c("tick").filter(unchanged & is_move).min(),
            start=c("run_start").first(),
            session_end=c("session_end").first(),
        )
        .with_columns(until=c("start").shift(-1).over(own).fill_null(c("session_end")))
        .drop_nulls("since")
        .select(*SPELL)
    )
