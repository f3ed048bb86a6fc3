"""What can be played: an embedded scenario or a carried history, as a source that owns the clock."""

from __future__ import annotations

import time as wall_time
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from monitor.calendar import MarketCalendar
from monitor.history import HISTORIES
from monitor.sources.clock import StoryClock
from monitor.sources.inputs import parse_inputs
from monitor.sources.played import PlayedSource
from monitor.sources.scenario import SCENARIOS, ScenarioSource
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.sources.base import Source

SCENARIO_KIND, HISTORY_KIND = "scenario", "history"
"""The kinds of source that are exported: made up; real, and not of today."""


class StoryError(Exception):
    """There is no such story; the message says what there is."""


@dataclass(frozen=True)
class Story:
    """Something to play.

    Attributes:
        name: of the scenario or history.
        kind: `scenario` or `history`.
        title: what it is, and whether it is made up.
        identity: tells its state from that of others.
        start_us: where the story begins, epoch microseconds; what is earlier is its past.
        end_us: where it ends.
        speed: seconds of event time a second of wall time.
        make: a new source that goes by the clock it is given.
    """

    name: str
    kind: str
    title: str
    identity: str
    start_us: int
    end_us: int
    speed: float
    make: Callable[[StoryClock], Source]

    @property
    def is_synthetic(self) -> bool:
        """Whether its events are made up."""
        return self.kind == SCENARIO_KIND

    @property
    def first_tick(self) -> int:
        """The first tick that is run, epoch seconds."""
        return -(-self.start_us // MICROSECONDS_PER_SECOND)

    def clock(self, resume_us: int | None = None) -> StoryClock:
        """A clock that begins at the story's start, or where it was left."""
        start_us = self.start_us if resume_us is None else max(self.start_us, resume_us)
        return StoryClock(start_us, self.end_us, self.speed, wall_time.monotonic)

    def all_at_once(self) -> Source:
        """A source of all of it, for a replay."""
        return self.make(StoryClock(self.end_us, self.end_us, 1, wall_time.monotonic))


def scenario_story(name: str, seed: int | None = None, speed: float | None = None) -> Story:
    """An embedded scenario; StoryError if there is none of that name."""
    if name not in SCENARIOS:
        raise StoryError(f"no scenario is called {name!r}; there is {', '.join(SCENARIOS)}")
    scenario = SCENARIOS[name]
    used = scenario.seed if seed is None else seed
    return Story(
        name,
        SCENARIO_KIND,
        f"SYNTHETIC: {scenario.title}",
        f"the scenario {name} with seed {used}",
        scenario.story_start_us,
        scenario.story_end_us,
        speed or scenario.speed,
        lambda clock: ScenarioSource(scenario, clock, seed=used),
    )


def history_story(name: str, first: date | None = None, last: date | None = None, speed: float | None = None) -> Story:
    """Days of a carried history, its highlight unless told otherwise; StoryError if there is none of that name."""
    if name not in HISTORIES:
        raise StoryError(f"no history is called {name!r}; there is {', '.join(HISTORIES)}")
    history = HISTORIES[name]
    first, last = first or history.highlight[0], last or history.highlight[1]
    begin = MarketCalendar.at_new_york(first, time())
    end = MarketCalendar.at_new_york(last + timedelta(days=1), time())
    if begin >= end:
        raise StoryError(f"the story would end before it begins: {first} is after {last}")
    return Story(
        name,
        HISTORY_KIND,
        history.title,
        f"the history {name}",
        begin * MICROSECONDS_PER_SECOND,
        end * MICROSECONDS_PER_SECOND - 1,
        speed or history.speed,
        lambda clock: PlayedSource(name, parse_inputs([str(history.folder)]), clock),
    )
