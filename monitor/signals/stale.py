"""Quotes that come and do not change while the market moves: a feed that repeats itself, and no calm.

An issue is *stale* when neither its mid nor its spread has changed for half an hour of a session while at least three
other issues, and a quarter of all that are quoted, have moved by ten ticks (about two basis points of yield). It stays
so until its quote changes: that its peers stand still again says nothing about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.minutes import MINUTE_SECONDS
from monitor.signals.sessions import sessions
from monitor.signals.tenors import tick_e9

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers

UNCHANGED_MINUTES: Final = 30
"""Long enough that even a quote which is looked after by hand has followed a moving market."""
MOVED_TICKS: Final = 10
"""Ten ticks are one to two basis points of yield at every tenor: no quoted issue keeps still over that."""
LEAST_MOVERS: Final = 3
MOVERS_PERCENT: Final = 25

SPELL: Final[dict[str, pl.DataType]] = {"instrument": pl.String(), "since": pl.Int64(), "until": pl.Int64()}
"""An issue is stale at the ticks from `since` on and before `until`: the end of the minute in which it changed."""


def stale_spells(tiers: Tiers) -> pl.DataFrame:
    """The spells, as `SPELL`, by issue and time; within one session each, as minutes are kept for as long.

    The end of a spell that lasts is the end of its session.
    """
    return tiers.once("stale", lambda: _spells(tiers))


def _spells(tiers: Tiers) -> pl.DataFrame:
    minutes = tiers.treasury_minutes.filter(c("mid2_e9").is_not_null())
    if minutes.is_empty():
        return pl.DataFrame(schema=SPELL)
    ends = minutes.select("instrument", "mid2_e9", "spread_e9", "tenor_e3", tick=c("minute") + MINUTE_SECONDS)
    days = sessions(tiers.calendar, ends["tick"]).select("tick", "session_start", "session_end")
    ends = (
        ends.join(days, on="tick", how="left", maintain_order="left")
        .filter(c("tick") > c("session_start"), c("tick") <= c("session_end"))
        .sort("instrument", "tick")
    )
    own = ["instrument", "session_start"]
    changed = pl.any_horizontal(c(name) != c(name).shift(1).over(own) for name in ("mid2_e9", "spread_e9"))
    ends = ends.with_columns(run=changed.fill_null(value=False).cum_sum().over(own))
    ends = ends.with_columns(run_start=c("tick").first().over(*own, "run"))
    period = f"{UNCHANGED_MINUTES * MINUTE_SECONDS + 1}i"
    ranges = (
        ends.rolling("tick", period=period, group_by=own)
        .agg(range=c("mid2_e9").max() - c("mid2_e9").min(), tenor_e3=c("tenor_e3").last())
        .with_columns(has_moved=c("range") >= 2 * MOVED_TICKS * tick_e9(c("tenor_e3")))
    )
    movers = ranges.group_by("tick").agg(movers=c("has_moved").sum(), quoted=pl.len())
    unchanged = c("tick") - c("run_start") >= UNCHANGED_MINUTES * MINUTE_SECONDS
    is_move = (c("movers") >= LEAST_MOVERS) & (100 * c("movers") >= MOVERS_PERCENT * c("quoted"))
    run = [*own, "run"]
    return (
        ends.join(movers, on="tick", how="left", maintain_order="left")
        .with_columns(then=c("run_start").max().over(own))
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
