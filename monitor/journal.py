"""Keeps the pipeline's state in the bar log, so that a new process goes on where this one was killed.

A commit holds everything that belongs together: sealed bars, prints with the ticks at which they took effect, levels,
and the positions from which the sources must be read again. What was told to the sinks after the last commit is told
once more after a restart, at the same event times; what is in the log is there once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
import structlog

from monitor.checkpoint import Checkpoint
from monitor.engine.barlog import BarLog, BarLogError
from monitor.engine.retention import pruned
from monitor.sinks.base import Sink
from monitor.told import ToldMark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitor.calendar import MarketCalendar
    from monitor.pipeline import Pipeline
    from monitor.results import Ingested, Output

COMMIT_EVERY_SECONDS: Final = 1.0
"""Wall time between two commits: so much at most is done again after a kill."""

TRANSITIONS: Final = "transitions"
COUNTS: Final = "counts"
EVENTS, LATE, DOUBLED, REJECTED = "events", "late", "doubled", "rejected"
"""What is counted of a stream, and goes on being counted after a restart."""
_FEED: Final = "feed"
_FEED_COLUMNS: Final[dict[str, pl.DataType]] = {"identity": pl.String(), "clock_us": pl.Int64()}
_COUNT_COLUMNS: Final[dict[str, pl.DataType]] = {
    "stream": pl.String(),
    "what": pl.String(),
    "reason": pl.String(),  # of what was rejected; else empty
    "count": pl.Int64(),
}
_TRANSITION_COLUMNS: Final[dict[str, pl.DataType]] = {"tick": pl.Int64(), "transition": pl.String()}

_log = structlog.get_logger(__name__)


class StateError(Exception):
    """The state cannot be used; the message says why, and what to do."""


class Journal(Sink):
    """The durable state of a run.

    Args:
        folder: where it is kept.
        pipeline: a new one; `open` gives it the state that it finds.
        calendar: says how far back two sessions are.
        identity: which made-up or recorded feed this is, for example a scenario with its seed; empty for live
            sources and files. State of one is never mixed with another.
        wall: a monotonic clock in seconds.
        on_write: told whether the last commit could be written.

    Attributes:
        clock_us: what time the story's clock had at the last commit; None if there was none.
        counts: by (stream, what, reason) how many events there were, in this process and before it.
        told: the tick up to which an earlier process told its sinks, epoch seconds, which may be after the last
            commit; None if there was none, or it is not known.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: Pipeline,
        calendar: MarketCalendar,
        *,
        identity: str,
        wall: Callable[[], float],
        on_write: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._folder, self._pipeline, self._calendar = folder, pipeline, calendar
        self._identity, self._wall, self._on_write = identity, wall, on_write
        self._log = BarLog(folder, prune=self._prune)
        self._pending: dict[str, list[pl.DataFrame]] = {}
        self._written: dict[str, pl.DataFrame] = {}
        self._committed_at = wall()
        self._is_failing = False
        self.clock_us: int | None = None
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.told: int | None = None
        self._told = ToldMark(folder)

    def open(self) -> bool:
        """Give the pipeline what an earlier process left; whether there was anything.

        Raises:
            StateError: the state is damaged, in use, of another format or of another feed.
        """
        try:
            recovered = self._log.open()
        except BarLogError as error:
            raise StateError(str(error)) from error
        if recovered is None:
            return False
        identity, self.clock_us = recovered.states[_FEED].row(0)
        if identity != self._identity:
            self._log.close()
            raise StateError(
                f"{self._folder} holds the state of {identity or 'live sources or files'}, and this is "
                f"{self._identity or 'a run on live sources or files'}: name another --state, or remove the folder"
            )
        self._pipeline.restore(Checkpoint(recovered.appends, recovered.states))
        self.counts.update({(stream, what, why): count for stream, what, why, count in recovered.states[COUNTS].rows()})
        self.told = self._told.read()
        _log.info("going on from the state that was left", folder=str(self._folder), commits=recovered.commits)
        return True

    def ingested(self, what: Ingested) -> None:
        """Count; positions and open events are the pipeline's own."""
        for name, count in ((EVENTS, what.events), (LATE, what.late), (DOUBLED, what.doubles)):
            if count:
                self.counts[what.stream, name, ""] += count
        for reject in what.rejects:
            self.counts[reject.stream, REJECTED, reject.reason] += reject.events

    def tells(self, tick: int) -> None:
        """Note that the sinks are about to be told everything up to a tick."""
        self._told.write(tick)

    def wrote(self, output: Output) -> None:
        """Keep the transitions."""
        if output.transitions:
            rows = [(each.tick, msgspec.json.encode(each).decode()) for each in output.transitions]
            self._keep(TRANSITIONS, pl.DataFrame(rows, schema=_TRANSITION_COLUMNS, orient="row"))

    def commit_if_due(self, clock_us: int | None) -> bool:
        """Commit if the last time is long enough ago; whether it was, and everything is on the disk."""
        return self._wall() - self._committed_at >= COMMIT_EVERY_SECONDS and self.commit(clock_us)

    def commit(self, clock_us: int | None) -> bool:
        """Write what is new; if that fails it is kept and tried again, for a monitor that stops is blind.

        Args:
            clock_us: what time it is by the clock that the feed owns, epoch microseconds; None if it owns none.

        Returns:
            Whether everything is on the disk.
        """
        self._committed_at = self._wall()
        found = self._pipeline.checkpoint()
        for name, frame in found.appends.items():
            self._keep(name, frame)
        feed = pl.DataFrame([(self._identity, clock_us)], schema=_FEED_COLUMNS, orient="row")
        counts = pl.DataFrame(
            [(*key, n) for key, n in sorted(self.counts.items())], schema=_COUNT_COLUMNS, orient="row"
        )
        whole = found.states | {_FEED: feed, COUNTS: counts}
        states = {name: frame for name, frame in whole.items() if not self._is_written(name, frame)}
        if not states and not self._pending:
            return True
        try:
            self._log.commit({name: pl.concat(frames) for name, frames in self._pending.items()}, states)
        except BarLogError as error:
            if not self._is_failing:
                _log.error("the state cannot be written; the monitor goes on, and tries again", error=str(error))
            self._is_failing = True
            self._on_write(False)
            return False
        if self._is_failing:
            _log.info("the state is written again")
        self._is_failing = False
        self._on_write(True)
        self._pending.clear()
        self._written |= states
        self.clock_us = clock_us
        return True

    def discard(self) -> None:
        """Forget everything: the next run begins anew."""
        try:
            self._log.discard()
            self._told.remove()
        except (BarLogError, OSError) as error:
            _log.error("the state could not be removed", error=str(error))

    def close(self) -> None:
        """Let another process have the state; what was not committed is not in it."""
        self._told.close()
        self._log.close()

    def _keep(self, name: str, frame: pl.DataFrame) -> None:
        self._pending.setdefault(name, []).append(frame)

    def _is_written(self, name: str, frame: pl.DataFrame) -> bool:
        known = self._written.get(name)
        return known is not None and (known is frame or known.equals(frame))

    def _prune(self, tier: str, rows: pl.DataFrame) -> pl.DataFrame:
        ran = self._pipeline.ran
        return rows if ran is None else pruned(tier, rows, self._calendar, ran)
