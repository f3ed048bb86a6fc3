"""How long to wait before the next attempt: ever longer up to a cap, and never all at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


class Backoff:
    """Exponential back-off with full jitter: a wait is drawn evenly from nothing to a limit, which then doubles.

    Full jitter, so that many monitors that lost one broker do not come back to it together.

    Args:
        first_seconds: the limit of the first wait.
        longest_seconds: the greatest limit.
        random: draws the waits.
    """

    def __init__(self, first_seconds: float, longest_seconds: float, random: Random) -> None:
        self._first, self._longest, self._random = first_seconds, longest_seconds, random
        self._limit = first_seconds

    def next_seconds(self) -> float:
        """The next wait, in seconds."""
        limit = self._limit
        self._limit = min(self._longest, 2 * limit)
        return self._random.uniform(0.0, limit)

    def reset(self) -> None:
        """The attempt succeeded: the next wait is a first one again."""
        self._limit = self._first
