"""A replay: all input through the pipeline, as fast as the machine can."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from monitor.engine.watermark import NEVER_US
from monitor.pipeline import BEHIND_RELEASE_US, IDLE_RELEASE_US
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.pipeline import Pipeline
    from monitor.results import Ingested
    from monitor.sinks.base import Sink
    from monitor.sources.base import Source

RECORDS_AT_ONCE = 50_000
RECORDED_RELEASE_US = BEHIND_RELEASE_US + IDLE_RELEASE_US
"""Ticks wait no longer for a partition that was recorded to bring nothing for so long. Live it may have been less:
whether the feed was connected, and so whether it was waited for, a recording does not say."""
_CLOSE_SECONDS = 5.0


class Progress(Protocol):
    """What is told how far the replay has come."""

    def read(self, source: str, done: int, total: int | None) -> None:
        """So much of a source was read, in the source's own unit."""

    def evaluated(self, until: int) -> None:
        """All ticks up to this epoch second were run."""


@dataclass
class Summary:
    """What a replay did, by stream."""

    events: Counter[str] = field(default_factory=Counter)
    rejects: dict[str, Counter[str]] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)
    doubles: Counter[str] = field(default_factory=Counter)
    suspects: dict[str, int] = field(default_factory=dict)
    transitions: int = 0
    steps: int = 0
    first_us: int | None = None
    last_us: int | None = None
    wall_seconds: float = 0.0

    def count(self, what: Ingested) -> None:
        """Add what a batch brought."""
        if what.events:
            self.events[what.stream] += what.events
        if what.late:
            self.late[what.stream] += what.late
        if what.doubles:
            self.doubles[what.stream] += what.doubles
        for reject in what.rejects:
            self.rejects.setdefault(reject.stream, Counter())[reject.reason] += reject.events
        self.first_us = min((t for t in (self.first_us, what.first_event_us) if t is not None), default=None)
        self.last_us = max((t for t in (self.last_us, what.last_event_us) if t is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """As `summary.json` has it."""
        total = sum(self.events.values())
        return {
            "events": dict(self.events),
            "rejects": {stream: dict(reasons) for stream, reasons in self.rejects.items()},
            "late": dict(self.late),
            "doubles": dict(self.doubles),
            "suspected_doubles": {stream: count for stream, count in self.suspects.items() if count},
            "first_event": _rfc3339(self.first_us),
            "last_event": _rfc3339(self.last_us),
            "signal_rows": self.steps,
            "transitions": self.transitions,
            "wall_seconds": round(self.wall_seconds, 3),
            "events_per_second": round(total / self.wall_seconds) if self.wall_seconds else 0,
        }


def replay(
    sources: Sequence[Source],
    pipeline: Pipeline,
    sinks: Sequence[Sink],
    progress: Progress,
    *,
    after_each: Callable[[], object] | None = None,
    is_recording: bool = False,
) -> Summary:
    """Read every source to its end, running the ticks as they become possible, so that memory is bounded.

    The source that is farthest behind in event time is read next. One that has brought no quote and no trade holds
    nothing back, so it is read before all others: prints may stand in their file in any order.

    Args:
        sources: not yet opened.
        pipeline: a new one.
        sinks: closed by the caller.
        progress: is told how far it has come.
        after_each: called after every block of ticks.
        is_recording: the sources are of one recording: they are read side by side, in the order of arrival, which
            `Source.through_us` tells.

    Raises:
        SourceError: an input cannot be read.
        SinkError: an output cannot be written.
    """
    summary, started = Summary(), time.perf_counter()
    readings = [_Reading(source, pipeline, sinks, summary, progress) for source in sources]

    def run_ticks() -> None:
        for output in pipeline.advance():
            summary.steps += output.steps.height
            summary.transitions += len(output.transitions)
            for sink in sinks:
                sink.wrote(output)
            progress.evaluated(output.until)
        if after_each is not None:
            after_each()

    try:
        for reading in readings:
            reading.source.open()
        waiting = 0
        while unread := [reading for reading in readings if not reading.source.exhausted]:
            records, may_run = _read_recorded(unread) if is_recording else _read_files(unread)
            waiting += records
            if waiting >= RECORDS_AT_ONCE and may_run:
                run_ticks()
                waiting = 0
    finally:
        for reading in readings:
            reading.source.close(_CLOSE_SECONDS)
    pipeline.finish()
    run_ticks()
    summary.suspects = pipeline.suspects()
    summary.wall_seconds = time.perf_counter() - started
    return summary


def _read_files(unread: Sequence[_Reading]) -> tuple[int, bool]:
    """Read some of the one that is farthest behind in event time; how many records, and whether ticks may run then."""
    records = min(unread, key=_Reading.reached_us).read()
    return records, all(each.reached_us() > NEVER_US for each in unread)


def _read_recorded(unread: Sequence[_Reading]) -> tuple[int, bool]:
    """The same, of what came first: within what was written at once the order is not that of arrival."""
    reading = min(unread, key=_Reading.through_us)
    before_us = reading.through_us()
    records = reading.read()
    through_us = min(map(_Reading.through_us, unread))
    for each in unread:
        each.release_idle(through_us)
    return records, reading.through_us() > before_us


class _Reading:
    """One source, and how far it has come."""

    def __init__(
        self, source: Source, pipeline: Pipeline, sinks: Sequence[Sink], summary: Summary, progress: Progress
    ) -> None:
        self.source = source
        self._pipeline, self._sinks, self._summary, self._progress = pipeline, sinks, summary, progress
        self._partitions: set[str] = set()
        self._heard_us: dict[str, int] = {}

    def reached_us(self) -> int:
        """The event time up to which its quotes and trades were read."""
        return self._pipeline.reached_us(self._partitions)

    def through_us(self) -> int:
        """The moment of a recording up to which it was read."""
        through_us = self.source.through_us
        return NEVER_US if through_us is None else through_us

    def release_idle(self, now_us: int) -> None:
        """Have ticks wait no longer for partitions that have brought nothing for long, by a recording's clock."""
        if now_us == NEVER_US:
            return
        heard = {name: now_us if at == NEVER_US else at for name, at in self._heard_us.items()}
        idle = [name for name, heard_us in heard.items() if now_us - heard_us >= RECORDED_RELEASE_US]
        self._pipeline.end(idle)
        # Once, until it speaks again.
        self._heard_us = {name: heard_us for name, heard_us in heard.items() if name not in idle}

    def read(self) -> int:
        """Read some more; how many records."""
        batch = self.source.poll(RECORDS_AT_ONCE)
        if batch is None:
            time.sleep(0.005)  # a pipe that has nothing at this moment
            return 0
        self._partitions.add(batch.partition)
        self._heard_us[batch.partition] = max(self.through_us(), (batch.arrived_us or [NEVER_US])[-1])
        for what in self._pipeline.ingest(batch):
            self._summary.count(what)
            for sink in self._sinks:
                sink.ingested(what)
        self._progress.read(self.source.name, *self.source.progress())
        if self.source.exhausted:
            self._pipeline.end(self._partitions)
        return len(batch)


def _rfc3339(ts_us: int | None) -> str | None:
    if ts_us is None:
        return None
    return datetime.fromtimestamp(ts_us / MICROSECONDS_PER_SECOND, UTC).isoformat().replace("+00:00", "Z")
