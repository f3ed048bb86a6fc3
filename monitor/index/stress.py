"""The stress index of a run: steps in, rows of the index out, with what the next call needs to know.

The same steps give the same bits however they are cut into calls. A row is there at each tick at which a column
changes: where a step, a loss or the end of a session falls.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.calendar import LAST_DATE
from monitor.index.composite import NOTHING, PRODUCTS, Products, after_session, as_columns, with_composite
from monitor.index.members import AS_WRITTEN, KEPT, Members
from monitor.index.regime import LATCHES, NO_LATCHES, with_regime
from monitor.index.segments import COUNTED, HELD, Marks, Segments
from monitor.results import INDEX_COLUMNS, MICROSECONDS_PER_SECOND, SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.calendar import MarketCalendar
    from monitor.signals.model import Signal

_SETS, _SO_FAR, _ROW = "sets", "so_far", "row"
"""The states."""
_SO_FAR_COLUMNS: Final[dict[str, pl.DataType]] = (
    {"until": pl.Int64(), "has_begun": pl.Boolean()}
    | dict.fromkeys(PRODUCTS, pl.Float64())
    | dict.fromkeys(LATCHES, pl.Boolean())
)
# The first row is what stood before. With the first score there is a row, whatever is in it.
_BEGINS: Final = c("has_begun") & ~c("has_begun").shift(1)
_SHOWN: Final = pl.struct(name for name in INDEX_COLUMNS if name != "tick")
_CHANGES: Final = _SHOWN.rle_id().diff() != 0
_IS_NEW: Final = c("has_begun") & (_CHANGES | _BEGINS) & (pl.int_range(pl.len()) > 0)
_LONGEST_CLOSURE: Final = timedelta(days=30)
"""Within so many days there always is a session's end."""


class StressIndex:
    """Segments, composite and regime of a catalogue's signals, tick after tick.

    Args:
        signals: the catalogue.
        calendar: the market calendar.
    """

    def __init__(self, signals: Sequence[Signal], calendar: MarketCalendar) -> None:
        self._calendar = calendar
        self._members = Members(signals, calendar)
        self._segments, self._marks = Segments(self._members.headlines), Marks()
        self._until: int | None = None
        self._next_end: int | None = None  # the first session's end after `_until`
        self._next_loss: int | None = None
        self._products: Products = NOTHING  # of the sessions that have ended
        self._latches = dict(NO_LATCHES)
        self._has_begun = False  # a headline has had a score
        self._row = pl.DataFrame(schema=INDEX_COLUMNS)  # the newest, if any

    def advance(self, steps: pl.DataFrame, until: int) -> pl.DataFrame:
        """Take in the steps of all ticks after the last call's `until` and up to this one.

        Args:
            steps: as the evaluator gives them, in the order of ticks.
            until: the newest tick run, epoch seconds.

        Returns:
            A frame of `INDEX_COLUMNS`: the rows that changed.
        """
        points = self._members.points(steps)
        if self._until is None:
            if points.is_empty():
                return self._row.clear()
            self._until = int(points["tick"][0]) - 1
        after, self._until = self._until, max(until, self._until)
        ends = self._session_ends(after, self._until)
        is_loss_due = self._next_loss is not None and self._next_loss <= self._until
        if points.is_empty() and not ends and not is_loss_due:
            return self._row.clear()
        said = self._members.advance(points, after, self._until)
        self._next_loss = self._members.next_loss()
        ticks = pl.concat([pl.Series("tick", [after, *ends], pl.Int64), said["tick"]]).unique().sort()
        rows = self._rows(said, ticks, ends)
        new = rows.filter("is_new").select(*INDEX_COLUMNS)
        if new.height:
            self._row = new.tail(1)
        return new

    def blinded(self, steps: pl.DataFrame) -> pl.DataFrame:
        """Mark the segments that the wall clock found blind; the index stays, and nothing counts as run."""
        points = self._members.points(steps)
        segments = self._members.blinded(points)
        self._next_loss = self._members.next_loss()
        self._marks.restore(self._members.standing())
        marked = self._row.with_columns(pl.lit(value=True).alias(f"blind_{segment}") for segment in sorted(segments))
        if marked.equals(self._row):
            return self._row.clear()
        self._row = marked.with_columns(tick=pl.lit(points["tick"].max(), pl.Int64))
        return self._row

    def standing(self) -> pl.DataFrame:
        """The newest row, for sinks that have seen nothing yet; none before the first score."""
        return self._row

    def state(self) -> dict[str, pl.DataFrame]:
        """All that the next call needs to know, by name."""
        known = {"until": self._until, "has_begun": self._has_begun}
        so_far = {**known, **as_columns(self._products), **self._latches}
        return {
            _SETS: self._members.kept,
            _SO_FAR: pl.DataFrame([so_far], schema=_SO_FAR_COLUMNS),
            _ROW: self._row,
        }

    def restore(self, state: Mapping[str, pl.DataFrame]) -> None:
        """Go on from what `state` gave."""
        self._members.kept = state[_SETS].select(*KEPT)
        so_far = state[_SO_FAR].row(0, named=True)
        self._until, self._has_begun = so_far["until"], so_far["has_begun"]
        self._products = tuple(so_far[name] for name in PRODUCTS)
        self._latches = {name: so_far[name] for name in LATCHES}
        self._row = state[_ROW]
        self._marks.restore(self._members.standing())
        self._next_end, self._next_loss = None, self._members.next_loss()

    def _rows(self, said: pl.DataFrame, ticks: pl.Series, ends: Sequence[int]) -> pl.DataFrame:
        """A row a tick, the first of them as it stood before; the sessions that end are taken into what was so far."""
        tracks = self._segments.scores(said, ticks)
        turns = ticks.search_sorted(pl.Series(ends, dtype=pl.Int64))  # where in ticks each of them stands
        products = self._through_sessions(tracks[HELD].select(c(*SEGMENTS).gather(turns).fill_null(0.0)).rows())
        # The second of a session's end belongs to the next day already, after what it said itself was taken in.
        sessions = pl.Series(ends, dtype=pl.Int64).search_sorted(ticks, side="right")
        so_far = products.select(c(*PRODUCTS).gather(sessions))
        strength = [c("stress_index")]
        rows = tracks[COUNTED].hstack(so_far).hstack(self._marks.at(said, ticks))
        if tracks[HELD] is not tracks[COUNTED]:
            held = with_composite(tracks[HELD].hstack(so_far).lazy()).select(held="stress_index")
            rows, strength = rows.hstack(held.collect(optimizations=AS_WRITTEN)), [*strength, c("held")]
        has_score = tracks[HELD].select(pl.any_horizontal(c(*SEGMENTS).is_not_null()).cum_max()).to_series()
        rows = rows.with_columns(ticks.alias("tick"), has_score.alias("has_begun") | self._has_begun)
        told = with_composite(rows.lazy()).with_columns(strength=pl.max_horizontal(strength))
        told = with_regime(told, self._latches).with_columns(is_new=_IS_NEW)
        rows = told.collect(optimizations=AS_WRITTEN)
        self._latches = {name: rows[name][-1] for name in LATCHES}
        self._has_begun = rows["has_begun"][-1]
        return rows

    def _through_sessions(self, at_ends: Sequence[tuple[float, ...]]) -> pl.DataFrame:
        """S before the first of these sessions' ends, and after each."""
        every = [self._products]
        for scores in at_ends:
            every.append(after_session(every[-1], scores))
        self._products = every[-1]
        return pl.DataFrame(every, schema=dict.fromkeys(PRODUCTS, pl.Float64()), orient="row")

    def _session_ends(self, after: int, upto: int) -> list[int]:
        """The ends of sessions in (after, upto]."""
        if self._next_end is not None and upto < self._next_end:
            return []
        first = self._calendar.new_york_date(after * MICROSECONDS_PER_SECOND)
        last = min(self._calendar.new_york_date(upto * MICROSECONDS_PER_SECOND) + _LONGEST_CLOSURE, LAST_DATE)
        ends = self._calendar.days(first, last)["session_end"].drop_nulls()
        self._next_end = ends.filter(ends > upto).min()  # type: ignore[assignment] # of an Int64 column
        return ends.filter((ends > after) & (ends <= upto)).to_list()
