"""What the bar log keeps of each tier: seconds for two sessions, periods for a hundred, days and prints for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import FIRST_DATE
from monitor.engine.bars import KINDS
from monitor.engine.ladder import DAYS, PERIODS, SECONDS
from monitor.engine.sealer import IDS_REMEMBERED
from monitor.engine.tiers import MARKS, PRINTS
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar

SESSIONS_OF_SECONDS: Final = 2
SESSIONS_OF_PERIODS: Final = 100
SESSIONS_OF_MARKS: Final = 8
"""Copies of the five sessions before are looked for; days may have marks and no session."""
ROWS_OF_OTHERS: Final = 100_000
"""Of what is no tier (transitions, releases) so many rows are kept."""
BASELINES, DISTURBANCES = "baselines", "disturbed"
"""What is written once a session, among the appends: kept as long as the periods it is made of."""
IDS: Final = "ids"
"""The producers' ids, among the appends of the bar log."""


def kept_from(calendar: MarketCalendar, tick: int, sessions: int) -> int:
    """The epoch second at which the oldest of the last so many sessions began, the one at `tick` among them."""
    today = calendar.new_york_date(tick * MICROSECONDS_PER_SECOND)
    first = max(FIRST_DATE, today - timedelta(days=2 * sessions + 10))
    starts = calendar.days(first, max(first, today))["session_start"].drop_nulls()
    starts = starts.filter(starts <= tick).tail(sessions)
    return int(starts[0]) if starts.len() else tick


def pruned(tier: str, rows: pl.DataFrame, calendar: MarketCalendar, tick: int) -> pl.DataFrame:
    """The rows of a tier that are still of use at a tick.

    Of seconds also the last of each series is: it says what stands, and since when nothing came.
    """
    for stream, kind in KINDS.items():
        if tier == f"{stream}_{SECONDS}":
            is_young = c("second") >= kept_from(calendar, tick, SESSIONS_OF_SECONDS)
            return rows.filter(is_young | (c("second") == c("second").max().over(kind.keys)))
        if tier == f"{stream}_{PERIODS}":
            return rows.filter(c("period") >= kept_from(calendar, tick, SESSIONS_OF_PERIODS))
    if tier == MARKS:
        return rows.filter(c("minute") >= kept_from(calendar, tick, SESSIONS_OF_MARKS))
    if tier in (BASELINES, DISTURBANCES):
        first = calendar.new_york_date(kept_from(calendar, tick, SESSIONS_OF_PERIODS) * MICROSECONDS_PER_SECOND)
        return rows.filter(c("value_date") >= first)
    if tier == IDS:
        newest_first = pl.int_range(pl.len()).reverse().over("partition", "stream")
        return rows.filter(newest_first < IDS_REMEMBERED)
    is_for_ever = tier in PRINTS or any(tier == f"{stream}_{DAYS}" for stream in KINDS)
    return rows if is_for_ever else rows.tail(ROWS_OF_OTHERS)
