"""Where events come from, in the order of arrival: a story, its past at once, or files merged by event time."""

from __future__ import annotations

import heapq
import time
from abc import ABC, abstractmethod
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from monitor.produce.events import BOM, UNREADABLE, Event
from monitor.sources.clock import StoryClock
from monitor.streams import EARLIEST_TS_US, MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.sources.base import Source
    from monitor.sources.file import FileSource
    from monitor.stories import Story

FULL: Final = 2_000
"""A chunk with so many events is handed over, although more may be due."""
PAUSE_SECONDS: Final = 0.1
"""A story that is played is looked at again after so long: its chunks are what happened since."""

_PAST_STEP_US: Final = 86_400 * MICROSECONDS_PER_SECOND
_STORY_STEP_US: Final = 300 * MICROSECONDS_PER_SECOND
"""So much of a story's time is asked for at a time. The densest day of a past has 4,000 events, the densest five
minutes of a story 2,000, so a chunk has some thousands at most."""
_POLLED: Final = 4_096
_IDLE_SECONDS: Final = 0.02
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Feed(ABC):
    """Hands over events. Used by one thread, in the order open, take ..., close.

    Attributes:
        start_us: where it begins, what `--now` makes now; None: not known before the first event was taken.
        pause_seconds: how long to wait before the next `take`.
    """

    start_us: int | None = None
    pause_seconds: float = 0.0

    @abstractmethod
    def open(self) -> None:
        """SourceError if it cannot be read."""

    @abstractmethod
    def take(self) -> list[Event] | None:
        """The next events, in the order of arrival; empty: none at this moment; None: it is over."""

    @abstractmethod
    def progress(self) -> tuple[int, int | None]:
        """How much is done of how much, in any unit; None: that cannot be known."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""


class StoryFeed(Feed):
    """A scenario or a history: its past as fast as it goes, then the story at its speed.

    Args:
        story: what to play.
        at_once: the story too as fast as it goes.
        wall: a monotonic clock in seconds.
    """

    def __init__(self, story: Story, *, at_once: bool, wall: Callable[[], float] = time.monotonic) -> None:
        self.start_us = story.start_us
        self._start_us, self._at_once, self._wall = story.start_us, at_once, wall
        self._end_us, self._speed = story.end_us, story.speed
        self._clock = _HandClock(story.end_us)
        self._source: Source = story.make(self._clock)
        self._began: float | None = None

    def open(self) -> None:
        """Begin with the past."""
        self._source.open()

    def take(self) -> list[Event] | None:
        """What arrived since the last call, as far as it makes a chunk."""
        if self._source.exhausted:
            return None
        due: list[tuple[int, Event]] = []
        while len(due) < FULL and self._step():
            self._poll(due)
        if not due and self._clock.now_us() >= self._end_us:
            return None
        due.sort(key=lambda each: each[0])  # stable: what a source gives in order stays so
        return [event for _, event in due]

    def progress(self) -> tuple[int, int | None]:
        """Events."""
        return self._source.progress()

    def close(self) -> None:
        """Forget what is at hand."""
        self._source.close(1.0)

    def _step(self) -> bool:
        """Move the story's time on; False: there it stands for now."""
        now_us = self._clock.now_us()
        if now_us < self._start_us:
            self._clock.set(min(now_us + _PAST_STEP_US, self._start_us))
            return True
        if not self._at_once:
            self.pause_seconds = PAUSE_SECONDS
        if self._began is None:
            self._began = self._wall()
        passed_us = int((self._wall() - self._began) * self._speed * MICROSECONDS_PER_SECOND)
        until_us = self._end_us if self._at_once else min(self._end_us, self._start_us + passed_us)
        if now_us >= until_us:
            return False
        self._clock.set(min(now_us + _STORY_STEP_US, until_us))
        return True

    def _poll(self, due: list[tuple[int, Event]]) -> None:
        """All that has arrived by now; of a source that does not say when, the order is right as it is."""
        now_us = self._clock.now_us()
        while batch := self._source.poll(_POLLED):
            if batch.stream is None:
                raise ValueError(f"{batch.source} does not say which stream it is")
            arrived: Sequence[int] = batch.arrived_us or [now_us] * len(batch)
            due += [(at, Event(batch.stream, raw)) for at, raw in zip(arrived, batch.payloads, strict=True)]


class _HandClock(StoryClock):
    """A story's time, set by hand."""

    def __init__(self, end_us: int) -> None:
        super().__init__(EARLIEST_TS_US, end_us, 1.0, time.monotonic)
        self._now_us = EARLIEST_TS_US

    def set(self, now_us: int) -> None:
        """It is so late now."""
        self._now_us = now_us

    def now_us(self) -> int:
        """What was set last."""
        return self._now_us


class FilesFeed(Feed):
    """Files, merged by event time as they are read; of each file some thousands of lines are held in memory.

    A line that is earlier than one before it in its file, or whose `ts` cannot be read, goes with that one: the order
    within a file stays as it is.

    Args:
        sources: not opened yet; each says its stream.
        most: events a chunk at most.
    """

    def __init__(self, sources: Sequence[FileSource], most: int = FULL) -> None:
        self._files = [_File(source, number) for number, source in enumerate(sources)]
        self._most = most
        self._heads: list[tuple[int, int]] = []
        self._to_fill = list(self._files)
        self._opened: list[FileSource] = []

    def open(self) -> None:
        """Open all files."""
        for file in self._files:
            file.source.open()
            self._opened.append(file.source)

    def take(self) -> list[Event] | None:
        """The earliest events of all files."""
        taken: list[Event] = []
        while len(taken) < self._most and self._fill():
            if not self._heads:
                break
            due_us, number = self._heads[0]
            file = self._files[number]
            _, event = file.waiting.popleft()
            taken.append(event)
            if self.start_us is None and due_us:
                self.start_us = due_us
            if file.waiting:
                heapq.heapreplace(self._heads, (file.waiting[0][0], number))
            else:
                heapq.heappop(self._heads)
                self._to_fill.append(file)
        is_over = not taken and not self._heads and not self._to_fill
        self.pause_seconds = 0.0 if len(taken) == self._most else _IDLE_SECONDS
        return None if is_over else taken

    def progress(self) -> tuple[int, int | None]:
        """Bytes, or rows of Parquet; the total is known if it is of all files."""
        done, totals = 0, []
        for source in self._opened:
            of_file, total = source.progress()
            done += of_file
            totals.append(total)
        known = [total for total in totals if total is not None]
        return done, sum(known) if len(known) == len(totals) else None

    def close(self) -> None:
        """Close all files."""
        for source in self._opened:
            source.close(1.0)

    def _fill(self) -> bool:
        """Whether every file that goes on has a line at hand; only then the earliest is known."""
        waiting = []
        for file in self._to_fill:
            file.read()
            if file.waiting:
                heapq.heappush(self._heads, (file.waiting[0][0], file.number))
            elif not file.source.exhausted:
                waiting.append(file)
        self._to_fill = waiting
        return not waiting


class _File:
    """A file and the lines of it that are at hand, each with when it is due."""

    def __init__(self, source: FileSource, number: int) -> None:
        self.source, self.number = source, number
        self.waiting: deque[tuple[int, Event]] = deque()
        self._due_us = 0

    def read(self) -> None:
        """More lines, if there are any at this moment."""
        batch = self.source.poll(_POLLED)
        if batch is None:
            return
        if batch.stream is None:
            raise ValueError(f"{batch.source} does not say which stream it is")
        for payload in batch.payloads:
            at_us = event_time_us(payload)
            if at_us is not None:
                self._due_us = max(self._due_us, at_us)
            self.waiting.append((self._due_us, Event(batch.stream, payload)))


class _Time(msgspec.Struct, gc=False):
    """Of an event only its time."""

    ts: int | str


_TIME: Final = msgspec.json.Decoder(_Time).decode


def event_time_us(payload: bytes) -> int | None:
    """The event time of an object, epoch microseconds; None if it has none that can be read."""
    try:
        ts = _TIME(payload.removeprefix(BOM)).ts
        return ts if isinstance(ts, int) else text_time_us(ts)
    except (*UNREADABLE, ValueError):
        return None


def text_time_us(text: str) -> int:
    """Epoch microseconds of digits, or of RFC 3339 with an offset; ValueError if it is neither."""
    if text.isascii() and text.isdigit():
        return int(text[:40])
    moment = datetime.fromisoformat(text.upper())
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return (moment - _EPOCH) // timedelta(microseconds=1)
