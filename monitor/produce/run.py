"""Publishes what a feed hands over, at a pace, until all is out or somebody stops it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from monitor.produce.shift import Shift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event as Stop

    from monitor.produce.events import Event
    from monitor.produce.feeds import Feed
    from monitor.produce.target import Target

_SLICES_A_SECOND: Final = 10


@dataclass
class Produced:
    """What was published.

    Attributes:
        events: by stream.
        seconds: how long it took.
        was_stopped: somebody stopped it before the end.
    """

    events: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    was_stopped: bool = False

    @property
    def total(self) -> int:
        """Events of all streams."""
        return self.events.total()

    @property
    def a_second(self) -> int:
        """Events a second."""
        return round(self.total / self.seconds) if self.seconds else self.total


def produce(
    feed: Feed,
    target: Target,
    stop: Stop,
    *,
    rate: float | None = None,
    now_us: Callable[[], int] | None = None,
    on_progress: Callable[[int, int | None, int], None] = lambda *_: None,
) -> Produced:
    """Publish all that a feed has; it opens and closes the feed, and flushes the target.

    Args:
        feed: hands over events.
        target: takes them.
        stop: once it is set, what was taken is flushed, and no more is taken.
        rate: the most events a second; None: as fast as they come.
        now_us: what the feed's beginning becomes, epoch microseconds, when somebody takes it; None: times stay.
        on_progress: told how much of the feed is done, of how much, and how many events are out.

    Raises:
        SourceError: the feed broke.
        TargetError: the target did.
    """
    done = Produced()
    target.begin()
    began = time.monotonic()
    pace = _Pace(rate, stop)
    shift: Shift | None = None
    try:
        feed.open()
        while not stop.is_set():
            chunk = feed.take()
            if chunk is None:
                break
            if now_us is not None and shift is None and feed.start_us is not None:
                shift = Shift(feed.start_us, now_us())
            for events in pace.slices([shift.event(each) for each in chunk] if shift else chunk):
                target.send(events)
                done.events.update(each.stream for each in events)
                on_progress(*feed.progress(), done.total)
            if feed.pause_seconds:
                if chunk:
                    target.flush()
                stop.wait(feed.pause_seconds)
    finally:
        feed.close()
    done.was_stopped = stop.is_set()
    target.flush()
    done.seconds = time.monotonic() - began
    return done


class _Pace:
    """Holds back what would be more than so many events a second."""

    def __init__(self, rate: float | None, stop: Stop) -> None:
        self._rate, self._stop = rate, stop
        self._next_at = time.monotonic()

    def slices(self, events: Sequence[Event]) -> Iterator[Sequence[Event]]:
        """The events in slices, each when it may go; none after a stop."""
        if self._rate is None:
            if events:
                yield events
            return
        size = max(1, int(self._rate / _SLICES_A_SECOND))
        for start in range(0, len(events), size):
            some = events[start : start + size]
            self._next_at = max(self._next_at, time.monotonic() - 1 / _SLICES_A_SECOND)
            if self._stop.wait(max(0.0, self._next_at - time.monotonic())):
                return
            self._next_at += len(some) / self._rate
            yield some
