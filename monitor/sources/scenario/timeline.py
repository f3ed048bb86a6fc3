"""A scenario's time, cut into blocks that can each be made by itself.

Block 0 holds what was published before the first session; then comes a block a past session, one from the opening of
the story's day to the story, and the story in blocks of five minutes. An event's position is its block's number
times `POSITIONS_PER_BLOCK`, plus its place in the block.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING, Final

from monitor.calendar import MarketCalendar
from monitor.sources.scenario.story import STORY_BLOCK_US
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.sources.scenario.story import Scenario

POSITIONS_PER_BLOCK: Final = 1_000_000
BENCHMARK_DAYS: Final = 60
"""Benchmarks are published for so many SOFR business days before the story's."""
PUBLISHED_AT: Final = time(8)
"""New York time at which benchmarks come out, on the next SOFR business day."""

MAX_DELAY_US: Final = 1_500_000
"""An event arrives at most so long after it happened; the monitor waits 2 s for late ones."""
_SLOW_SHARE: Final = 0.04
_USUAL_DELAY_US: Final = 60_000
_ROUND_SHARE: Final = 0.02
"""Of events whose time is cut to the second, as some feeds do it: they tie with one another."""


class Pace(Enum):
    """How dense events are."""

    PUBLISHED = auto()
    """Only what was published before the first session."""
    SESSION = auto()
    MORNING = auto()
    """Of the story's day, before the story."""
    STORY = auto()


@dataclass(frozen=True, slots=True)
class Print:
    """A publication of benchmarks: when (epoch microseconds), for which day, and the flags of that day."""

    ts_us: int
    value_date: date
    flags: str


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a scenario's time.

    Attributes:
        number: from 0, rising in time.
        pace: how dense its events are.
        since_us: the end of the block before; nothing in the block arrives earlier.
        start_us: quotes and trades happen from here on, epoch microseconds.
        end_us: everything has arrived before this.
        day: the New York date.
        opened_us: when the day's session opened.
        prints: the benchmarks published in it.
    """

    number: int
    pace: Pace
    since_us: int
    start_us: int
    end_us: int
    day: date
    opened_us: int
    prints: tuple[Print, ...] = ()

    def slots(self, every_us: int) -> int:
        """How many whole intervals of that length it has."""
        return (self.end_us - self.start_us) // every_us


def blocks_of(scenario: Scenario) -> tuple[Block, ...]:
    """All blocks of a scenario, in order; without the clock or the seed."""
    prints = _prints(scenario.day)
    sessions = list(_sessions(scenario.day, scenario.past_sessions))
    opened_us, _, day = sessions.pop()
    made: list[Block] = []

    def add(pace: Pace, start_us: int, end_us: int, day: date, opened_us: int) -> None:
        since_us = made[-1].end_us if made else 0
        mine = tuple(each for each in prints if since_us <= each.ts_us < end_us)
        made.append(Block(len(made), pace, since_us, start_us, end_us, day, opened_us, mine))

    first_us, _, first_day = sessions[0] if sessions else (opened_us, 0, day)
    add(Pace.PUBLISHED, first_us, first_us, first_day, first_us)
    for start_us, end_us, each in sessions:
        add(Pace.SESSION, start_us, end_us, each, start_us)
    add(Pace.MORNING, opened_us, scenario.story_start_us, day, opened_us)
    for start_us in range(scenario.story_start_us, scenario.story_end_us, STORY_BLOCK_US):
        add(Pace.STORY, start_us, start_us + STORY_BLOCK_US, day, opened_us)
    return tuple(made)


@cache
def _sessions(story_day: date, count: int) -> tuple[tuple[int, int, date], ...]:
    """(start, end, date) of the story's session and of so many before it, in microseconds."""
    calendar = MarketCalendar()
    found: list[tuple[int, int, date]] = []
    day = story_day
    while len(found) <= count:
        if session := calendar.session(day):
            start, end = session
            found.append((start * MICROSECONDS_PER_SECOND, end * MICROSECONDS_PER_SECOND, day))
        day -= timedelta(days=1)
    return tuple(found[::-1])


@cache
def _prints(story_day: date) -> tuple[Print, ...]:
    calendar = MarketCalendar()
    days = [calendar.add_sofr_business_days(story_day, -n) for n in range(BENCHMARK_DAYS, 0, -1)]
    return tuple(
        Print(
            calendar.at_new_york(calendar.next_sofr_business_day(day), PUBLISHED_AT) * MICROSECONDS_PER_SECOND,
            day,
            calendar.flags(day),
        )
        for day in days
    )


@dataclass(frozen=True, slots=True)
class Events:
    """One stream's events of one block, in the order of arrival.

    Attributes:
        arrived_us: by the scenario's clock, epoch microseconds, never falling.
        payloads: JSON objects, one an arrival.
    """

    arrived_us: list[int]
    payloads: list[bytes]


def in_order(rows: Iterable[tuple[int, str]]) -> Events:
    """Events out of (arrival, JSON); at equal arrivals the order given holds."""
    ordered = sorted(rows, key=lambda row: row[0])
    return Events([arrived_us for arrived_us, _ in ordered], [text.encode() for _, text in ordered])


def happens_us(from_us: int, width_us: int, rnd: Callable[[], float]) -> int:
    """A time in [from, from + width), by the millisecond; some are cut to the second, but not to before `from`."""
    ts_us = from_us + int(rnd() * width_us) // 1_000 * 1_000
    if rnd() < _ROUND_SHARE:
        return max(from_us, ts_us - ts_us % MICROSECONDS_PER_SECOND)
    return ts_us


def arrives_us(ts_us: int, before_us: int, rnd: Callable[[], float]) -> int:
    """When an event of that time arrives: soon, or at most `MAX_DELAY_US` later; always before `before_us`."""
    luck = rnd()
    delay_us = int(rnd() * MAX_DELAY_US) if luck < _SLOW_SHARE else int(luck * _USUAL_DELAY_US)
    return min(ts_us + delay_us, before_us - 1)


class Chronicle:
    """Events that come seldom, over years: made at once, and told by the blocks in which they arrive.

    Args:
        rows: (arrival, JSON), in any order.
    """

    __slots__ = ("_arrived_us", "_rows")

    def __init__(self, rows: Iterable[tuple[int, str]]) -> None:
        self._rows = sorted(rows, key=lambda row: row[0])
        self._arrived_us = [arrived_us for arrived_us, _ in self._rows]

    def _range(self, block: Block) -> tuple[int, int]:
        return bisect_left(self._arrived_us, block.since_us), bisect_left(self._arrived_us, block.end_us)

    def count(self, block: Block) -> int:
        """How many arrive in the block."""
        first, end = self._range(block)
        return end - first

    def rows(self, block: Block) -> list[tuple[int, str]]:
        """Those that arrive in the block."""
        first, end = self._range(block)
        return self._rows[first:end]
