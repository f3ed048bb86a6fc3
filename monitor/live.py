"""A live run: from its source through the pipeline to the sinks, until stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from monitor.pipeline import Pipeline
    from monitor.sinks.base import Sink
    from monitor.sources.clock import StoryClock
    from monitor.sources.played import PlayedSource

RECORDS_AT_ONCE: Final = 10_000
ADVANCE_EVERY_SECONDS: Final = 0.2
"""Wall time between two advances while no event comes; an event is not kept waiting for it."""
_IDLE_SECONDS: Final = 0.02

_log = structlog.get_logger(__name__)


HISTORY_KIND: Final = "history"
"""The kind of source that is exported: real events, not of today."""


class Gauges(Protocol):
    """What is told of the run itself."""

    def source_state(self, source: str, kind: str, *, up: bool) -> None:
        """Whether a source is connected."""

    def timed(self, tick_seconds: float, event_to_metric_seconds: float | None) -> None:
        """Wall seconds of an advance that changed something, and from its events' arrival until the sinks had it."""


class LiveRun:
    """Plays a source that owns the clock.

    Args:
        source: not yet opened.
        clock: the source's clock; begun when its past has been taken in.
        pipeline: a new one.
        sinks: closed by the caller.
        gauges: told of the source's state and of the time that advances take.
    """

    def __init__(
        self,
        source: PlayedSource,
        clock: StoryClock,
        pipeline: Pipeline,
        sinks: Sequence[Sink],
        gauges: Gauges,
    ) -> None:
        self._source, self._clock, self._pipeline, self._sinks = source, clock, pipeline, sinks
        self._gauges = gauges
        self._not_ready: str | None = "the source is not open yet"

    def not_ready_because(self) -> str | None:
        """Why the run is not ready; None once its sources are connected and caught up."""
        return self._not_ready

    def run(self, stop: threading.Event) -> None:
        """Run until stopped; at the story's end the last state stays on show.

        Raises:
            SourceError: the source cannot be read.
        """
        self._source.open()
        self._gauges.source_state(self._source.name, HISTORY_KIND, up=True)
        try:
            self._not_ready = "the past is being read"
            while self._take() is not None and not stop.is_set():
                pass
            self._pipeline.skip_to(-(-self._clock.start_us // MICROSECONDS_PER_SECOND))
            self._clock.begin()
            self._not_ready = None
            self._play(stop)
        finally:
            self._not_ready = "the monitor is stopping"
            self._gauges.source_state(self._source.name, HISTORY_KIND, up=False)

    def _play(self, stop: threading.Event) -> None:
        advanced_at, has_ended = time.monotonic(), False
        while not stop.is_set():
            # The clock is read first: every event up to this moment is in before the tick that it makes possible.
            now_us = self._clock.now_us()
            arrived = None
            while (batch_at := self._take()) is not None:
                arrived = arrived or batch_at
            is_over = self._clock.has_ended and self._source.exhausted
            if is_over and not has_ended:
                self._pipeline.finish()
                has_ended = True
                _log.info("the story is over; its last state stays on show until you stop the monitor")
            if arrived is not None or time.monotonic() - advanced_at >= ADVANCE_EVERY_SECONDS:
                self._advance(now_us // MICROSECONDS_PER_SECOND, arrived)
                advanced_at = time.monotonic()
            else:
                stop.wait(_IDLE_SECONDS)

    def _take(self) -> float | None:
        """Take in a batch; the monotonic second at which it came, or None if there was none."""
        batch = self._source.poll(RECORDS_AT_ONCE)
        if batch is None:
            return None
        came = time.monotonic()
        for what in self._pipeline.ingest(batch):
            for sink in self._sinks:
                sink.ingested(what)
        return came

    def _advance(self, upto: int, arrived: float | None) -> None:
        started = time.monotonic()
        changed = False
        for output in self._pipeline.advance(upto):
            changed = changed or output.steps.height > 0
            for sink in self._sinks:
                sink.wrote(output)
        ended = time.monotonic()
        if changed:
            self._gauges.timed(ended - started, None if arrived is None else ended - arrived)
