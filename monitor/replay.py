"""A replay: all input through the pipeline, as fast as the machine can."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.pipeline import Pipeline
    from monitor.results import Ingested
    from monitor.sinks.base import Sink
    from monitor.sources.base import Source

RECORDS_AT_ONCE = 50_000
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
        for reject in what.rejects:
            self.rejects.setdefault(reject.stream, Counter())[reject.reason] += 1
        self.first_us = min((t for t in (self.first_us, what.first_event_us) if t is not None), default=None)
        self.last_us = max((t for t in (self.last_us, what.last_event_us) if t is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """As `summary.json` has it."""
        total = sum(self.events.values())
        return {
            "events": dict(self.events),
            "rejects": {stream: dict(reasons) for stream, reasons in self.rejects.items()},
            "late": dict(self.late),
            "first_event": _rfc3339(self.first_us),
            "last_event": _rfc3339(self.last_us),
            "signal_rows": self.steps,
            "transitions": self.transitions,
            "wall_seconds": round(self.wall_seconds, 3),
            "events_per_second": round(total / self.wall_seconds) if self.wall_seconds else 0,
        }


def replay(
    sources: Sequence[Source], pipeline: Pipeline, sinks: Sequence[Sink], progress: Progress, begin: int | None = None
) -> Summary:
    """Read every source to its end, then run every tick.

    Args:
        sources: not yet opened; they are closed before the ticks run.
        pipeline: a new one.
        sinks: closed by the caller.
        progress: is told how far it has come.
        begin: the first tick that is run, epoch seconds; what is earlier is past. None: all of them.

    Raises:
        SourceError: an input cannot be read.
        SinkError: an output cannot be written.
    """
    summary, started = Summary(), time.perf_counter()
    for source in sources:
        _read(source, pipeline, sinks, summary, progress)
    pipeline.finish()
    if begin is not None:
        pipeline.skip_to(begin)
    for output in pipeline.advance():
        summary.steps += output.steps.height
        summary.transitions += len(output.transitions)
        for sink in sinks:
            sink.wrote(output)
        progress.evaluated(output.until)
    summary.wall_seconds = time.perf_counter() - started
    return summary


def _read(source: Source, pipeline: Pipeline, sinks: Sequence[Sink], summary: Summary, progress: Progress) -> None:
    source.open()
    try:
        while not source.exhausted:
            batch = source.poll(RECORDS_AT_ONCE)
            if batch is None:
                time.sleep(0.005)  # a pipe that has nothing at this moment
                continue
            for what in pipeline.ingest(batch):
                summary.count(what)
                for sink in sinks:
                    sink.ingested(what)
            progress.read(source.name, *source.progress())
    finally:
        source.close(_CLOSE_SECONDS)


def _rfc3339(ts_us: int | None) -> str | None:
    if ts_us is None:
        return None
    return datetime.fromtimestamp(ts_us / MICROSECONDS_PER_SECOND, UTC).isoformat().replace("+00:00", "Z")
