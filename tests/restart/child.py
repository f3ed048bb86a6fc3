"""A monitor without its HTTP face, in a process of its own, that writes down all that it tells as it tells it.

It prepares, waits for a line on standard input, which is the plan of its life as JSON, and runs until its story is over
or it is killed. It can kill itself within a commit: at the n-th call by which the bar log changes the disk.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TextIO
from unittest.mock import patch

import msgspec

from monitor import journal as journal_module
from monitor import live as live_module
from monitor.calendar import MarketCalendar
from monitor.journal import Journal
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.results import Ingested, Output
from monitor.signals import CATALOGUE
from monitor.sinks.base import Sink
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
from tests.restart.feed import story


class Plan(msgspec.Struct):
    """A life.

    Attributes:
        feed: which feed is played.
        seed: of the feed.
        speed: seconds of the story a second.
        state: folder of the durable state.
        told: file to which all that is told is appended.
        past_sessions: of the scenario.
        minutes: of the scenario.
        die_at: it kills itself at this call that changes the disk, from 1; 0: it does not.
        die_half_way: at a write: after half of its bytes.
        advance_seconds: wall time between two advances.
        commit_seconds: wall time between two commits.
    """

    feed: str
    seed: int
    speed: float
    state: str
    told: str
    past_sessions: int = 25
    minutes: int = 30
    die_at: int = 0
    die_half_way: bool = False
    advance_seconds: float = 0.02
    commit_seconds: float = 0.06


class Recorder(Sink):
    """Appends a line an output; what was written before a kill stays."""

    def __init__(self, file: TextIO, *, standing_first: bool) -> None:
        self._file = file
        self._kind = "standing" if standing_first else "told"
        self.until = -1

    def ingested(self, what: Ingested) -> None:
        """Not of interest."""

    def wrote(self, output: Output) -> None:
        steps = [[str(v) if hasattr(v, "isoformat") else v for v in row] for row in output.steps.iter_rows()]
        transitions = [json.loads(msgspec.json.encode(each)) for each in output.transitions]
        line = {"kind": self._kind, "until": output.until, "steps": steps, "transitions": transitions}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._kind = "told"
        self.until = output.until

    def close(self) -> None:
        """Flushed already."""


class NoGauges:
    def turned(self) -> None:
        """Not of interest."""

    def advanced(self, seconds: float) -> None:
        """Not of interest."""

    def shown(self, seconds: float) -> None:
        """Not of interest."""

    def partition(self, name: str, **how: int | None) -> None:
        """Not of interest."""


def kill_within_a_commit(at: int, *, half_way: bool) -> None:
    """Have the n-th call that changes the disk be the last thing that this process does, before it or half done."""
    calls = 0

    def deadly(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            if threading.current_thread() is not threading.main_thread():
                return call(*args, **kwargs)
            calls += 1
            if calls == at:
                if half_way and name == "write":
                    call(args[0], args[1][: len(args[1]) // 2])
                elif half_way:
                    call(*args, **kwargs)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return called

    for name in ("write", "fsync", "replace", "unlink", "rename"):
        patch.object(os, name, deadly(getattr(os, name), name)).start()


def live_until_the_end(plan: Plan) -> None:
    """Run on the state that is there until the story is over."""
    played = story(plan.feed, plan.seed, plan.speed, plan.past_sessions, plan.minutes)
    calendar = MarketCalendar()
    pipeline = Pipeline(CATALOGUE, calendar, begin=played.first_tick)
    journal = Journal(Path(plan.state), pipeline, calendar, identity=played.identity, wall=time.monotonic)
    goes_on = journal.open()
    clock = played.clock(journal.clock_us)
    supervisor = Supervisor(
        [Feed(played.name, played.kind, lambda: played.make(clock))],
        pipeline.positions,
        settings=SupervisorSettings(),
        on_state=lambda *_: None,
        wall_us=lambda: time.time_ns() // 1_000,
        random=Random(plan.seed),
    )
    last = played.end_us // 1_000_000
    stop = threading.Event()
    with Path(plan.told).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": "start", "goes_on": goes_on, "until": pipeline.ran}) + "\n")
        file.flush()
        recorder = Recorder(file, standing_first=pipeline.standing() is not None)

        def wait_for_the_end() -> None:
            while max(recorder.until, pipeline.ran or 0) < last:
                time.sleep(0.01)
            stop.set()

        watcher = threading.Thread(target=wait_for_the_end, daemon=True)
        watcher.start()
        if plan.die_at:
            kill_within_a_commit(plan.die_at, half_way=plan.die_half_way)
        LiveRun(supervisor, clock, pipeline, [recorder], NoGauges(), journal=journal).run(stop)
        supervisor.stop(time.monotonic() + 2)
        file.write(json.dumps({"kind": "end", "until": pipeline.ran}) + "\n")
    journal.close()


def main() -> None:
    line = sys.stdin.readline()
    if not line:
        return  # this life is not wanted
    plan = msgspec.json.decode(line, type=Plan)
    with (
        patch.object(live_module, "ADVANCE_EVERY_SECONDS", plan.advance_seconds),
        patch.object(live_module, "_WAIT_SECONDS", min(0.05, plan.advance_seconds)),
        patch.object(journal_module, "COMMIT_EVERY_SECONDS", plan.commit_seconds),
    ):
        live_until_the_end(plan)


if __name__ == "__main__":
    main()
