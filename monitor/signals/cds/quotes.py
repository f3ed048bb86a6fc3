"""The window of CDS quotes: the last mid of a name and tenor, and when it is no longer to be believed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.calendar import NEW_YORK
from monitor.engine.bars import cds
from monitor.engine.tiers import EVER
from monitor.signals.model import ROW_COLUMNS, Window
from monitor.signals.sessions import due_after, new_york_date, sessions

if TYPE_CHECKING:
    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

MARK_DUE: Final = time(18)
"""New York time, on the next business day, at which an end-of-day mark wants a successor."""

STUCK_DAYS: Final = 4
"""At so many ends of days in a row the same mid: three days without a change."""
MOVED_PERCENT: Final = 2
"""A peer has moved if its mid is so far from where it was when the other stopped."""
LEAST_MOVERS: Final = 3
"""So many peers have, and at least half of them."""


@dataclass(frozen=True)
class LastQuoted(Window):
    """The last CDS quote of an entity and tenor: it stands until the next one.

    It is blind when the next one is overdue, and when it comes again as it was for days while its peers move.
    """

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
        rows = _with_stuck(rows.with_columns(value_date=new_york_date(c("tick"))), at.tiers)
        return rows.select(*ROW_COLUMNS, *self.columns).sort("tick", *names)


def _with_stuck(rows: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
    """Blind where the mid is what it was at the end of the last days, all of them, and the peers have moved meanwhile.

    Ford's stood at 1023.918 from 2020-03-20 to 03-27 while all others moved.
    """
    if rows.is_empty():
        return rows
    names = list(cds.NAMES)
    ends = tiers.once("ends of CDS days", lambda: _ends_of_days(tiers.cds_days), of=("cds_days",))
    asked = rows.select(*names, of="value_date").unique().sort("of")
    last = asked.join_asof(
        ends.sort("value_date"),
        left_on="of",
        right_on="value_date",
        by=names,
        allow_exact_matches=False,
        check_sortedness=False,
    )
    stuck = last.filter(c("days") >= STUCK_DAYS).rename({"mid2_e6": "stuck_e6"})
    peers = ends.select("value_date", *(c(name).alias(f"peer_{name}") for name in names), peer_e6="mid2_e6")
    moves = (
        stuck.select(*names, "of", "since", "value_date", "stuck_e6")
        .join(peers, on="value_date")
        .join(
            peers.rename({"value_date": "since", "peer_e6": "then_e6"}),
            on=["since", *(f"peer_{name}" for name in names)],
        )
        .filter(pl.any_horizontal(c(name) != c(f"peer_{name}") for name in names))
    )
    has_moved = 100 * (c("peer_e6") - c("then_e6")).abs() >= MOVED_PERCENT * c("then_e6")
    found = (
        moves.group_by(*names, "of", "stuck_e6")
        .agg(movers=has_moved.sum(), peers=pl.len())
        .filter(c("movers") >= LEAST_MOVERS, 2 * c("movers") >= c("peers"))
        .select(*names, "stuck_e6", value_date="of")
    )
    rows = rows.join(found, on=[*names, "value_date"], how="left", maintain_order="left")
    return rows.with_columns(blind=c("blind") | (c("mid2_e6") == c("stuck_e6")).fill_null(value=False))


def _ends_of_days(days: pl.DataFrame) -> pl.DataFrame:
    """The last mid of each name and day, since which day it has been that, and on how many days."""
    names = list(cds.NAMES)
    ends = (
        days.sort("value_date", *names, "last_us", "partition")
        .unique(["value_date", *names], keep="last", maintain_order=True)
        .select("value_date", *names, "mid2_e6")
        .drop_nulls("mid2_e6")
    )
    has_changed = (c("mid2_e6") != c("mid2_e6").shift(1).over(names)).fill_null(value=False)
    ends = ends.with_columns(run=has_changed.cum_sum().over(names))
    return ends.with_columns(
        since=c("value_date").first().over(*names, "run"), days=pl.int_range(pl.len()).over(*names, "run") + 1
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
