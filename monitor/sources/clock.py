"""Clocks that sources own: what time a story has, while it is played faster or slower than it happened."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable


class StoryClock:
    """Stands at the story's start until `begin`, then runs at `speed` times the wall, and stops at its end.

    Args:
        start_us: where it begins, epoch microseconds of event time.
        end_us: where it stops.
        speed: seconds of event time a second of wall time.
        wall: a monotonic clock in seconds.
    """

    def __init__(self, start_us: int, end_us: int, speed: float, wall: Callable[[], float]) -> None:
        if not 0 < speed < inf:
            raise ValueError(f"a story cannot be played at speed {speed:g}; a finite number above 0 is needed")
        self.start_us, self.end_us = start_us, end_us
        self._speed, self._wall = speed, wall
        self._began: float | None = None

    def begin(self) -> None:
        """Start running."""
        self._began = self._wall()

    def now_us(self) -> int:
        """The story's time, epoch microseconds."""
        if self._began is None:
            return self.start_us
        passed = (self._wall() - self._began) * self._speed * MICROSECONDS_PER_SECOND
        return min(self.end_us, self.start_us + int(passed))

    def passed_seconds(self, since_us: int) -> float:
        """How long the story took to come from a moment of it to now, seconds of wall time."""
        return (self.now_us() - since_us) / MICROSECONDS_PER_SECOND / self._speed

    @property
    def has_begun(self) -> bool:
        """Whether it runs, or has run."""
        return self._began is not None

    @property
    def has_ended(self) -> bool:
        """Whether the story is over."""
        return self.now_us() >= self.end_us
