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
from monitor.signals.cds.closes import closes
from monitor.signals.model import ROW_COLUMNS, Window
from monitor.signals.sessions import due_after, new_york_date, sessions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.calendar import MarketCalendar
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Evaluation

SEGMENT: Final = "cds"
FIVE_YEARS: Final = 5_000
"""The tenor that is traded most, in thousandths of a year: thresholds are for it."""
MARK_DUE: Final = time(18)
"""New York time, on the next business day, at which an end-of-day mark wants a successor."""
BLIND_HELP: Final = (
    "blind after 60 minutes of session without a quote, an end-of-day mark at 18:00 of the next business day, "
    "and either when it does not change for three days while its peers do"
)

STUCK_DAYS: Final = 4
"""At so many ends of days in a row the same mid: three days without a change."""
MOVED_PERCENT: Final = 2
"""A peer has moved if its mid is so far from where it was when the other stopped."""
LEAST_MOVERS: Final = 3
"""So many peers have, and at least half of them."""

_OVERDUE: Final = "cds overdue"
_SAID: Final[dict[str, pl.DataType]] = {
    "index": pl.Boolean(),
    "index_series": pl.Int64(),
    "recovery_e6": pl.Int64(),
    "themes": pl.List(pl.String()),
}
"""What an entity says of itself: of a silence, what was said last."""


@dataclass(frozen=True)
class LastQuoted(Window):
    """The last CDS quote of an entity and tenor: it stands until the next one.

    It is blind when the next one is overdue, and when it comes again as it was for days while its peers move.
    """

    columns: ClassVar[dict[str, pl.DataType]] = {
        "entity": pl.String(),
        "tenor_e3": pl.Int64(),
        "mid2_e6": pl.Int64(),
        "said": pl.Int64(),  # the tick that first saw the quote that stands, or stood
    } | _SAID

    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """Ends of seconds with quotes, and ticks at which the next one is overdue."""
        # Many windows are composed on this one, and most live ticks have no quote.
        return tiers.once(("cds ticks", after, upto), lambda: _ticks(tiers, after, upto))["tick"]

    def rows(self, at: Evaluation) -> pl.DataFrame:
        """A row a quote, at the end of its second, and one that is blind when its successor is overdue."""
        if self.ticks(at.tiers, *_span(at)).is_empty():
            return pl.DataFrame(schema=ROW_COLUMNS | self.columns)
        return changes(at).filter(c("tick").is_in(at.ticks.implode()))


LAST_QUOTED: Final = LastQuoted()


def changes(at: Evaluation) -> pl.DataFrame:
    """What stands before the first of these ticks and all that changes up to the last, as the rows of `LastQuoted`.

    It is by tick, entity and tenor. What stands at any of the ticks is the newest row of a name up to there.
    """
    after, upto = _span(at)
    return at.tiers.once(("cds changes", after, upto), lambda: _changes(at.tiers, after, upto))


def _span(at: Evaluation) -> tuple[int, int]:
    """Before the first tick, and the last."""
    return (int(at.ticks[0]) - 1, int(at.ticks[-1])) if at.ticks.len() else (0, 0)


def standing(at: Evaluation, asked: pl.DataFrame) -> pl.DataFrame:
    """What stands of each name at a tick: the row of `LastQuoted` that is the newest, its tick as `since`.

    Args:
        at: its ticks.
        asked: `tick`, `entity` and `tenor_e3`, by tick.
    """
    rows = changes(at).with_columns(since="tick").drop("value_date")
    return asked.join_asof(rows, on="tick", by=list(cds.NAMES), check_sortedness=False)


def relevant(bars: pl.DataFrame, after: int, upto: int, series: Sequence[str]) -> pl.DataFrame:
    """The bars that ticks in (after, upto] see: those of their seconds, and of each series what stood before.

    Args:
        bars: of seconds, in their order.
        after: before the first tick.
        upto: the last tick.
        series: columns that name a series; of one with several partitions all that say the last are given.
    """
    own = bars.filter(c("second") < upto)
    if own.is_empty() or int(own["second"][0]) >= after:
        return own
    is_before = c("second") < after
    before = own.filter(is_before)
    last = before.unique(["partition", *cds.NAMES], keep="last", maintain_order=True)
    if "partition" not in series:
        last = last.filter(c("second") == c("second").max().over(list(series)))
    return pl.concat([last, own.filter(~is_before)])


def _ticks(tiers: Tiers, after: int, upto: int) -> pl.DataFrame:
    bars = _bars(tiers, after, upto)
    every = pl.concat([bars.select(tick=c("second") + 1), _overdue(bars, tiers).select("tick")])
    return every.filter(c("tick").is_between(after, upto, closed="right")).unique().sort("tick")


def _changes(tiers: Tiers, after: int, upto: int) -> pl.DataFrame:
    bars = _bars(tiers, after, upto)
    overdue = _overdue(bars, tiers).filter(c("tick") <= upto)
    columns = ["tick", "blind", *LastQuoted.columns]
    bars = bars.with_columns(c("index").fill_null(value=False), said=c("second") + 1)
    said = bars.with_columns(tick="said", blind=pl.lit(value=False)).select(columns)
    overdue = overdue.with_columns(c("index").fill_null(value=False), said=c("second") + 1)
    silent = overdue.with_columns(mid2_e6=pl.lit(None, pl.Int64), blind=pl.lit(value=True)).select(columns)
    rows = pl.concat([said, silent]).with_columns(value_date=new_york_date(c("tick")))
    rows = _with_stuck(rows, tiers)
    return rows.select(*ROW_COLUMNS, *LastQuoted.columns).sort("tick", *cds.NAMES)


def _with_stuck(rows: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
    """Blind where the mid is what it was at the end of the last days, all of them, and the peers have moved meanwhile.

    Ford's stood at 1023.918 from 2020-03-20 to 03-27 while all others moved.
    """
    if rows.is_empty():
        return rows
    names = list(cds.NAMES)
    last = _last_ends(rows.select(*names, of="value_date").unique(), tiers)
    stuck = last.filter(c("days") >= STUCK_DAYS).rename({"mid2_e6": "stuck_e6"})
    if stuck.is_empty():
        return rows
    ends = _ends_of_days(tiers)
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


def _last_ends(asked: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
    """Of each name and date (`of`) the last end of a day before it."""
    names = list(cds.NAMES)
    ends = _ends_of_days(tiers)
    first, last = asked["of"].min(), ends["value_date"].max()
    if last is not None and first is not None and first > last:  # type: ignore[operator]  # of Date columns
        # A live tick is after them all.
        newest = tiers.once(
            "last ends of CDS days", lambda: ends.unique(names, keep="last", maintain_order=True), of=("cds_days",)
        )
        return asked.join(newest, on=names)
    return asked.sort("of").join_asof(
        ends, left_on="of", right_on="value_date", by=names, allow_exact_matches=False, check_sortedness=False
    )


def _ends_of_days(tiers: Tiers) -> pl.DataFrame:
    """The last mid of each name and day, since which day it has been that, and on how many days."""

    def make() -> pl.DataFrame:
        names = list(cds.NAMES)
        ends = closes(tiers).select("value_date", *names, "mid2_e6")
        has_changed = (c("mid2_e6") != c("mid2_e6").shift(1).over(names)).fill_null(value=False)
        ends = ends.with_columns(run=has_changed.cum_sum().over(names))
        return ends.with_columns(
            since=c("value_date").first().over(*names, "run"), days=pl.int_range(pl.len()).over(*names, "run") + 1
        ).sort("value_date", *names)

    return tiers.once("ends of CDS days", make, of=("cds_days",))


def _newest_of_second(bars: pl.DataFrame) -> pl.DataFrame:
    """One bar an entity, tenor and second: what was said last, in whatever partition."""
    keys = ["second", *cds.NAMES]
    return bars.sort(*keys, "last_us", "partition").unique(keys, keep="last", maintain_order=True)


def _bars(tiers: Tiers, after: int, upto: int) -> pl.DataFrame:
    """The bars that ticks in (after, upto] see, one an entity, tenor and second."""
    return tiers.once(
        ("cds bars", after, upto), lambda: _newest_of_second(relevant(tiers.cds_seconds, after, upto, cds.NAMES))
    )


def _overdue(bars: pl.DataFrame, tiers: Tiers) -> pl.DataFrame:
    """The same as `_made_overdue`, which is not done again while no quote comes."""
    known = tiers.kept.get(_OVERDUE)
    if known is not None and known[0][0].equals(bars):
        return known[1]
    made = _made_overdue(bars, tiers.calendar)
    tiers.kept[_OVERDUE] = (bars,), made
    return made


def _made_overdue(bars: pl.DataFrame, calendar: MarketCalendar) -> pl.DataFrame:
    """The bars, at the `tick` at which a quote is an hour old in session, or a mark has had no successor in its day."""
    names = list(cds.NAMES)
    seen = bars.with_columns(since=c("second") + 1).sort(*names, "since")
    seen = seen.with_columns(then=c("since").shift(-1).over(names).fill_null(EVER))
    days = sessions(calendar, seen["since"]).rename({"tick": "since"})
    return (
        seen.join(days, on="since", how="left", maintain_order="left")
        .with_columns(mark_due=_on_date(new_york_date(c("next_start"))))
        .with_columns(
            tick=pl.when("is_mark").then("mark_due").otherwise(due_after(c("since"), pl.lit(cds.HOLD_SECONDS)))
        )
        .filter(c("tick") < c("then"))
        .select("tick", *bars.columns)
    )


def _on_date(day: pl.Expr) -> pl.Expr:
    return day.dt.combine(MARK_DUE).dt.replace_time_zone(NEW_YORK).dt.epoch("s")
