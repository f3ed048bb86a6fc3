"""A live run: from the sources through the pipeline to the sinks, until stopped."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from monitor.engine.watermark import LATENESS_US, NEVER_US
from monitor.partitions import PartitionGauges, PartitionWatch
from monitor.pipeline import IDLE_RELEASE_US
from monitor.streams import MICROSECONDS_PER_SECOND
from monitor.told import ToldBefore

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from monitor.journal import Journal
    from monitor.pipeline import Pipeline
    from monitor.results import Output
    from monitor.sinks.base import Sink
    from monitor.sources.clock import StoryClock
    from monitor.sources.supervisor import Arrival, Supervisor

ADVANCE_EVERY_SECONDS: Final = 0.25
"""Wall time from one advance to the next: ticks are whole seconds, and a fast story's are run several at a time."""
_WAIT_SECONDS: Final = 0.05
_RECORDS_A_TURN: Final = 100_000
"""So many records are taken in before time is looked at again."""
_ARRIVALS_REMEMBERED: Final = 10_000
_ASLEEP_US: Final = 5 * MICROSECONDS_PER_SECOND
_MOMENT_SECONDS: Final = 3.0
"""A partition that is behind for so long is not on its way, but catching up."""

_log = structlog.get_logger(__name__)


class Gauges(PartitionGauges, Protocol):
    """What is told of the run itself."""

    def turned(self) -> None:
        """The main loop goes round."""

    def advanced(self, seconds: float) -> None:
        """Wall seconds of an advance that changed something."""

    def shown(self, seconds: float) -> None:
        """Wall seconds from a batch's arrival until the sinks had the tick that sees all of it."""


class LiveRun:
    """Takes what the sources bring, and runs the ticks that it makes possible.

    Args:
        supervisor: of the sources, not yet started.
        clock: the clock that a source owns, or None: then time is what the newest events say. It is begun when what
            came before its start has been taken in.
        pipeline: a new one, or one with an earlier process's state.
        sinks: closed by the caller.
        gauges: told of turns, and of the time that advances take.
        journal: keeps the state; None: it is lost with the process.
        wall_us: the clock of arrivals where no source owns one, epoch microseconds.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        clock: StoryClock | None,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        gauges: Gauges,
        *,
        journal: Journal | None = None,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self._supervisor, self._clock, self._pipeline = supervisor, clock, pipeline
        self._sinks = [*sinks, journal] if journal else list(sinks)
        self._gauges, self._journal, self._wall_us = gauges, journal, wall_us
        self._not_ready: str | None = "the sources are not open yet"
        self._waiting: deque[tuple[int, float]] = deque(maxlen=_ARRIVALS_REMEMBERED)
        self._newest_arrival_us = NEVER_US
        self._is_over = False
        self._has_resumed = False
        self._behind_since: dict[str, float] = {}
        self._watch = PartitionWatch(gauges)
        self._told_before = ToldBefore(journal.told if journal else None)

    def not_ready_because(self) -> str | None:
        """Why the run is not ready; None once its sources are connected and caught up, and it is where it was."""
        return self._not_ready or self._supervisor.not_ready_because()

    def has_resumed(self) -> bool:
        """Whether the run was ever ready: what it says since then takes the place of what was known before it."""
        return self._has_resumed

    def run(self, stop: threading.Event) -> None:
        """Run until stopped; at a story's end the last state stays on show. The state is then committed.

        Raises:
            BaseException: a mistake in the program, in whatever thread it was made.
        """
        standing = self._pipeline.standing()
        if standing is not None:
            for sink in self._sinks:
                sink.wrote(standing)
        self._supervisor.start()
        try:
            self._not_ready = "the past is being read"
            self._play(stop)
        finally:
            self._not_ready = "the monitor is stopping"
        if self._journal is not None and self._has_begun and self._journal.commit(self._goes_on_at_us()):
            self._supervisor.keep(self._pipeline.marks)

    @property
    def _has_begun(self) -> bool:
        return self._clock is None or self._clock.has_begun

    def _play(self, stop: threading.Event) -> None:
        advanced_at = time.monotonic()
        looked_us: int | None = None
        while not stop.is_set():
            self._gauges.turned()
            # Time is read first: every event up to it is in before the tick that it makes possible.
            now_us = self._now_us()
            if self._clock is None and now_us is not None:
                # By the wall, for other clocks stand still while a machine sleeps.
                if looked_us is not None and abs(now_us - looked_us) >= _ASLEEP_US:
                    self._pipeline.woke(now_us)  # the process was stopped for a while, or its machine slept
                looked_us = now_us
            # A feed may bring more than can be taken in, for hours: ticks run nevertheless, as far as what is in lets
            # them. Of a story, what was handed over before this moment lets them.
            enough = _RECORDS_A_TURN if self._clock is None else max(1, self._supervisor.held)
            is_all_taken = self._take_all(stop, enough)
            if now_us is None or stop.is_set():
                continue
            if self._clock is not None and not self._clock.has_begun:
                self._clock.begin()
            self._not_ready = self._late(now_us, is_all_taken) or self._catching_up() or self._going_over()
            self._has_resumed = self._has_resumed or self.not_ready_because() is None
            if time.monotonic() - advanced_at >= ADVANCE_EVERY_SECONDS:
                self._advance(now_us, stop)
                advanced_at = time.monotonic()
                self._commit_if_due()

    def _commit_if_due(self) -> None:
        """Keep the state, and then tell the sources: a position is noted nowhere before its effect is."""
        if self._journal is not None and self._journal.commit_if_due(self._goes_on_at_us()):
            self._supervisor.keep(self._pipeline.marks)

    def _goes_on_at_us(self) -> int | None:
        """What time the story's clock shall have after a restart; None if no source owns one.

        What was taken in may have come after the moment up to which ticks run. If the clock went back behind it,
        nothing would come for a while, partitions would be idle, and events be too late.
        """
        through_us = self._supervisor.through_us()
        if self._clock is None or through_us is None:
            return None
        return max(through_us, self._newest_arrival_us)

    def _now_us(self) -> int | None:
        """The moment up to which everything that has arrived is in the queue, or was taken."""
        return self._wall_us() if self._clock is None else self._supervisor.through_us()

    def _take_all(self, stop: threading.Event, enough: int) -> bool:
        """Take in what waits, and wait a moment if nothing does; whether nothing is left.

        Args:
            stop: ends it.
            enough: so many records, and those of the batch at hand.
        """
        taken = 0
        while taken < enough and not stop.is_set():
            arrival = self._supervisor.take(0 if taken else _WAIT_SECONDS)
            if arrival is None:
                return True
            self._take_in(arrival)
            taken += len(arrival.batch)
        return False

    def _take_in(self, arrival: Arrival) -> None:
        batch = arrival.batch
        now_us = self._wall_us() if self._clock is None else max(batch.arrived_us or [self._clock.now_us()])
        self._newest_arrival_us = max(self._newest_arrival_us, now_us)
        self._watch.arrived(batch.partition, now_us)
        for what in self._pipeline.ingest(batch, now_us):
            if what.last_event_us is not None:
                self._waiting.append((what.last_event_us // MICROSECONDS_PER_SECOND + 1, arrival.arrived_at))
            for sink in self._sinks:
                sink.ingested(what)

    def _advance(self, now_us: int, stop: threading.Event) -> None:
        upto: int | None = None
        if self._clock is not None:
            # What has still to arrive may be as much behind the clock as is allowed, and no more.
            upto = (now_us - LATENESS_US) // MICROSECONDS_PER_SECOND
            if self._supervisor.ended and not self._is_over:
                self._is_over = True
                self._pipeline.finish()
                _log.info("the story is over; its last state stays on show until you stop the monitor")
            if self._is_over:
                upto = self._clock.end_us // MICROSECONDS_PER_SECOND
        started = time.monotonic()
        changed = False
        behind = self._look_behind()
        for output in self._pipeline.advance(upto, now_us, behind):
            changed = changed or output.steps.height > 0
            self._write(output)
            if stop.is_set():
                break
        if self._clock is None and self._newest_arrival_us != NEVER_US:
            # Event time stands still when nothing comes: then only the wall can say that nothing comes.
            silent_us = now_us - self._newest_arrival_us
            if silent_us >= IDLE_RELEASE_US:
                for output in self._pipeline.silent(silent_us):
                    changed = True
                    self._write(output)
        if changed:
            self._gauges.advanced(time.monotonic() - started)

    def _look_behind(self) -> set[str]:
        """The partitions that ticks wait for because something older may still come; of a story none."""
        if self._clock is not None:
            return set()
        states = self._supervisor.partitions()
        behind = self._supervisor.behind()
        for name, each in states.items():
            if name not in behind:  # so nothing of it waits to be taken that was handed over before
                self._pipeline.know(name, each.position)
        now = time.monotonic()
        self._behind_since = {name: self._behind_since.get(name, now) for name in behind}
        self._watch.look(states, self._wall_us())
        return behind

    def _late(self, now_us: int, is_all_taken: bool) -> str | None:
        """Why ticks are later than they should be; None if they are not, or for a moment."""
        if self._clock is None:
            return None if is_all_taken else "the sources bring more than could be taken in so far"
        seconds = self._clock.passed_seconds(now_us)
        if seconds < _MOMENT_SECONDS or self._supervisor.ended:
            return None
        return f"the story is told {seconds:.0f} s late: so fast this machine cannot play it"

    def _catching_up(self) -> str | None:
        """Which partitions have been behind for longer than a moment; None if none has."""
        now = time.monotonic()
        idle = self._supervisor.without_partitions()
        if idle:
            return f"nothing is there that is read by {', '.join(idle)}: are its topics named right?"
        slow = sorted(name for name, since in self._behind_since.items() if now - since >= _MOMENT_SECONDS)
        return f"catching up: {', '.join(slow)}" if slow else None

    def _going_over(self) -> str | None:
        """How far this run is behind what an earlier process told; None if it is not."""
        is_all_in = self._clock is None and not self._behind_since and self._supervisor.not_ready_because() is None
        return self._told_before.ahead_of(self._pipeline.ran, is_all_in=is_all_in, now=time.monotonic())

    def _write(self, output: Output) -> None:
        if self._journal is not None:
            self._journal.tells(max(output.until, self._told_before.until or output.until))
        self._gauges.turned()  # there may be hours of ticks in a turn
        for sink in self._sinks:
            sink.wrote(output)
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= output.until:
            self._gauges.shown(now - self._waiting.popleft()[1])
