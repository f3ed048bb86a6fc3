"""A live run and a replay of the same days say the same, to the bit."""

from __future__ import annotations

import threading
import time
from datetime import date, timedelta
from datetime import time as clock_time
from itertools import count

import polars as pl
import pytest

from monitor.calendar import MarketCalendar
from monitor.history import HISTORIES
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.replay import replay
from monitor.results import Ingested, Output, Transition
from monitor.signals import CATALOGUE
from monitor.sinks.base import Sink
from monitor.sources.clock import StoryClock
from monitor.sources.inputs import parse_inputs
from monitor.sources.played import PlayedSource

HISTORY = HISTORIES["repo-2018-2025"]
FIRST, LAST = date(2019, 9, 10), date(2019, 9, 24)


class Collected(Sink):
    """Keeps everything."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.events = 0

    def ingested(self, what: Ingested) -> None:
        self.events += what.events

    def wrote(self, output: Output) -> None:
        self.outputs.append(output)

    def close(self) -> None:
        """Nothing is held."""

    @property
    def steps(self) -> pl.DataFrame:
        return pl.concat([output.steps for output in self.outputs])

    @property
    def transitions(self) -> list[Transition]:
        return [transition for output in self.outputs for transition in output.transitions]


class States:
    """Remembers whether the source was up."""

    def __init__(self) -> None:
        self.up: list[bool] = []

    def source_state(self, source: str, kind: str, *, up: bool) -> None:
        assert (source, kind) == ("story", "history")
        self.up.append(up)

    def timed(self, tick_seconds: float, event_to_metric_seconds: float | None) -> None:
        assert tick_seconds >= 0
        assert event_to_metric_seconds is None or event_to_metric_seconds >= tick_seconds


class Silent:
    """No progress is shown."""

    def read(self, source: str, done: int, total: int | None) -> None:
        """Not shown."""

    def evaluated(self, until: int) -> None:
        """Not shown."""


def midnight_us(day: date) -> int:
    return MarketCalendar.at_new_york(day, clock_time()) * 1_000_000


def a_replay() -> Collected:
    collected = Collected()
    begin_us, end_us = midnight_us(FIRST), midnight_us(LAST + timedelta(days=1)) - 1
    source = PlayedSource("story", parse_inputs([str(HISTORY.folder)]), StoryClock(end_us, end_us, 1, time.monotonic))
    replay([source], Pipeline(CATALOGUE, MarketCalendar()), [collected], Silent(), begin_us // 1_000_000)
    return collected


@pytest.mark.parametrize("wall_step_seconds", [0.37, 5.0, 1_000.0])
def test_live_equals_replay(wall_step_seconds: float) -> None:
    """However far the story's clock moves between two looks at it: half a minute, a morning, all at once."""
    steps = count()
    clock = StoryClock(
        midnight_us(FIRST), midnight_us(LAST + timedelta(days=1)) - 1, 3_600, lambda: next(steps) * wall_step_seconds
    )
    source = PlayedSource("story", parse_inputs([str(HISTORY.folder)]), clock)
    collected, states, stop = Collected(), States(), threading.Event()
    live = LiveRun(source, clock, Pipeline(CATALOGUE, MarketCalendar()), [collected], states)
    assert live.not_ready_because() == "the source is not open yet"
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    last = clock.end_us // 1_000_000
    deadline = time.monotonic() + 60
    while not (collected.outputs and collected.outputs[-1].until >= last) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert live.not_ready_because() is None
    assert states.up == [True]
    stop.set()
    thread.join(timeout=10)
    assert states.up == [True, False]
    assert not thread.is_alive()

    replayed = a_replay()
    # A replay ends with the newest event; the story's clock runs on to its end.
    until = replayed.outputs[-1].until
    assert collected.events == replayed.events
    assert collected.steps.filter(pl.col("tick") <= until).equals(replayed.steps)
    assert [each for each in collected.transitions if each.tick <= until] == replayed.transitions
    assert len(replayed.transitions) > 10
