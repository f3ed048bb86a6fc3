"""A live run on feeds over WebSocket, with a clock of arrivals that the test can let run away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from monitor.journal import Journal
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.results import Ingested
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
from tests.restart.feed import END_US
from tests.test_live import Collected, Gauges

HOUR_US = 3_600_000_000


class Told(Collected):
    """Keeps everything, and counts what was refused and what was late."""

    def __init__(self) -> None:
        super().__init__()
        self.rejected = self.late = 0

    def ingested(self, what: Ingested) -> None:
        super().ingested(what)
        self.rejected += len(what.rejects)
        self.late += what.late


@dataclass
class Run:
    """A run that runs, and what it said."""

    told: Told
    supervisor: Supervisor
    counts: dict[str, Counter[str]]
    states: list[str] = field(default_factory=list)
    runs_away: threading.Event = field(default_factory=threading.Event)

    def wait_until(self, is_so: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.005)
        assert is_so()


@contextmanager
def running(feed: Feed, pipeline: Pipeline, journal: Journal | None = None) -> Iterator[Run]:
    """A run of one feed; arrivals are as many seconds apart as they are, until the clock runs away."""
    counts: dict[str, Counter[str]] = {}
    passed_us = 0

    def wall_us() -> int:
        nonlocal passed_us
        if run.runs_away.is_set():
            passed_us += 500_000
        return END_US + HOUR_US + passed_us

    def on_counts(name: str, more: Mapping[str, int]) -> None:
        counts.setdefault(name, Counter()).update(more)

    supervisor = Supervisor(
        [feed],
        pipeline.positions,
        unseen=pipeline.next_positions,
        settings=SupervisorSettings(first_wait_seconds=0.01, longest_wait_seconds=0.05, idle_seconds=0.005),
        on_state=lambda _name, _kind, state: run.states.append(str(state)),
        on_counts=on_counts,
        wall_us=wall_us,
        random=Random(1),
    )
    run = Run(Told(), supervisor, counts)
    live = LiveRun(supervisor, None, pipeline, [run.told], Gauges(), journal=journal, wall_us=wall_us)
    stop = threading.Event()
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    try:
        yield run
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not supervisor.stop(time.monotonic() + 5)
