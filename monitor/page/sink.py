"""What the page keeps of the results: how the index and each label set went, since when, and what was told."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from monitor.page.history import History, Point
from monitor.results import REGIMES, SEGMENTS, Level
from monitor.sinks.base import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from monitor.results import Ingested, Output, Transition
    from monitor.sinks.snapshot import MetricOfSignal

INDEX_POINTS: Final = 480
CHANGE_POINTS: Final = 1_500
"""Of the index, to say how it has changed in a day: at the longest stride more than one."""
MARKS: Final = 80
"""Of transitions on the index's time."""
SERIES_POINTS: Final = 240
"""Of one label set."""
MAX_SERIES: Final = 2_000
"""The history of so many label sets is kept, and so many are in the table."""
LONGEST_STRIDE: Final = 64
"""Wall seconds: of the index about the last eight hours are kept then."""
TOLD: Final = 200
"""So many transitions are kept."""

SeriesKey = tuple[str, tuple[str, ...]]
IndexRow = list[float | int | None]
"""Index, low, high, coverage, the regime's place in REGIMES, whether it is capped, scores and contributions."""
_INDEX_COLUMNS: Final = (
    "stress_index", "low", "high", "coverage", *SEGMENTS, *(f"contribution_{segment}" for segment in SEGMENTS),
)  # fmt: skip
_DIGITS: Final = 3
_SPREAD: Final = 64
_NOBODY: Final = "none"
_WEIGHTS: Final = {Level.WARNING.word: 1.0, Level.CRITICAL.word: 2.0}


class PageSink(Sink):
    """Takes results in from the pipeline's thread, and answers the page's.

    Args:
        signals: the catalogue, as the metrics know it.
        speed: seconds of event time a second: a fast story is kept in longer strides.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        signals: Sequence[MetricOfSignal],
        speed: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._labels = {signal.name: signal.labels for signal in signals}
        self._longest_stride = int(LONGEST_STRIDE * max(1.0, speed))
        self._lock = threading.Lock()
        self._index: History[IndexRow] = History(INDEX_POINTS, self._longest_stride, _with_worst_scores)
        self._last_index: History[float] = History(CHANGE_POINTS, self._longest_stride)
        self._index_now: IndexRow | None = None
        self._marks: History[tuple[str, str]] = History(MARKS, self._longest_stride * INDEX_POINTS // MARKS)
        self._series: dict[SeriesKey, History[float]] = {}
        self._value_dates: dict[SeriesKey, date] = {}
        self._heard_at: float | None = None
        self._told: deque[tuple[int, Transition]] = deque(maxlen=TOLD)
        self._regimes: deque[tuple[int, str | None]] = deque(maxlen=TOLD)
        self._count = 0
        self._until: int | None = None
        self._newest_us: int | None = None

    def ingested(self, what: Ingested) -> None:
        """Note how new the newest event is, and that something came."""
        self._heard_at = self._monotonic()
        if what.last_event_us is not None:
            self._newest_us = max(what.last_event_us, self._newest_us or what.last_event_us)

    def wrote(self, output: Output) -> None:
        """Take in ticks."""
        with self._lock:
            self._until = output.until
            for row in output.index.iter_rows(named=True):
                self._take_index(row)
            names = [name for name in output.steps.columns if name not in _NOT_LABELS]
            for step in output.steps.select(*_OF_STEPS, *names).iter_rows():
                self._take_step(step, names)
            for each in output.transitions:
                self._count += 1
                self._told.append((self._count, each))
                if (weight := _WEIGHTS.get(each.after)) is not None and each.notify != _NOBODY:
                    self._marks.add(each.tick, (each.after, each.sentence), weight)

    def close(self) -> None:
        """Nothing is held open."""

    @property
    def until(self) -> int | None:
        """The newest tick, epoch seconds; None before the first."""
        return self._until

    @property
    def newest_us(self) -> int | None:
        """The time of the newest event, epoch microseconds; None before the first."""
        return self._newest_us

    @property
    def heard_at(self) -> float | None:
        """When something came last, monotonic seconds; None before."""
        return self._heard_at

    def index(self) -> list[Point]:
        """The index since this process began, of each stretch of time the worst, and at the end what stands now."""
        with self._lock:
            points = list(self._index)
            if points and self._until is not None and self._until > points[-1].tick:
                points.append(Point(self._until, self._index_now, 0.0))
            return points

    def marks(self) -> list[Point]:
        """Transitions into a level, of each stretch of time the worst: the level's word, and the sentence."""
        with self._lock:
            return list(self._marks)

    def series(self, signal: str, labels: tuple[str, ...]) -> list[Point]:
        """How a label set went since this process began; empty if it is not known, or one too many."""
        with self._lock:
            return list(self._series.get((signal, labels), ()))

    def told(self) -> list[tuple[int, Transition]]:
        """The last transitions, numbered, the newest last."""
        with self._lock:
            return list(self._told)

    def index_at(self, tick: int) -> float | None:
        """The index as it stood at a tick; None if there was none, or it is not known any more."""
        with self._lock:
            before = [point for point in self._last_index if point.tick <= tick]
            return before[-1].value if before else None

    def regime_since(self) -> tuple[int, bool] | None:
        """Since when the regime has stood, epoch seconds, and whether it may have stood before; None without one."""
        with self._lock:
            if not self._regimes or self._regimes[-1][1] is None:
                return None
            return self._regimes[-1][0], len(self._regimes) == 1

    def _take_index(self, row: dict[str, Any]) -> None:
        regime = row["regime"]
        known = regime if row["stress_index"] is not None else None
        if (self._regimes or known) and (not self._regimes or self._regimes[-1][1] != known):
            self._regimes.append((row["tick"], known))  # while nothing is known it does not stand
        if row["stress_index"] is None:
            self._index_now = None
            self._index.add(row["tick"], None)
            self._last_index.add(row["tick"], None)
            return
        numbers = [None if row[name] is None else round(row[name], _DIGITS) for name in _INDEX_COLUMNS]
        place = None if regime is None else REGIMES.index(regime)
        self._index_now = [*numbers[:4], place, int(row["capped"]), *numbers[4:]]
        self._index.add(row["tick"], self._index_now, row["stress_index"])
        self._last_index.add(row["tick"], row["stress_index"], float(row["tick"]))  # of a stretch the last stays

    def _take_step(self, row: tuple[Any, ...], names: list[str]) -> None:
        tick, signal, value, blind, score, level, value_date, is_over, *labels = row
        of = dict(zip(names, labels, strict=True))
        key = signal, tuple(of[name] or "" for name in self._labels[signal])
        newest = self._value_dates.get(key)
        if newest is not None and value_date is not None and value_date < newest:
            return  # a revision of a day that is past: what stands now is newer
        if is_over and value is None and level is None:
            self._series.pop(key, None)  # there may be thousands of them in a year, as of deals
            self._value_dates.pop(key, None)
            return
        known = self._series.get(key)
        if known is None:
            if len(self._series) >= MAX_SERIES:
                return
            # They are not all thinned out at one tick.
            most = SERIES_POINTS + len(self._series) % _SPREAD
            known = self._series[key] = History(most, self._longest_stride)
        if value_date is not None:
            self._value_dates[key] = value_date
        known.add(tick, None if blind else value, score or 0.0)


def _with_worst_scores(row: IndexRow, other: IndexRow) -> IndexRow:
    """A row of the index with the worse of two rows' segments: each segment's peak stays."""
    scores = slice(_FIRST_SCORE, _FIRST_SCORE + len(SEGMENTS))
    worse = [
        mine if theirs is None or (mine is not None and mine >= theirs) else theirs
        for mine, theirs in zip(row[scores], other[scores], strict=True)
    ]
    return [*row[: scores.start], *worse, *row[scores.stop :]]


_FIRST_SCORE: Final = 6
_OF_STEPS: Final = ("tick", "signal", "value", "blind", "score", "level", "value_date", "is_over")
_NOT_LABELS: Final = frozenset({*_OF_STEPS, "row", "is_partial"})
