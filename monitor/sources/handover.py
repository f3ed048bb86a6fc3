"""A queue from several threads to one, bounded by records."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Handover(Generic[Item]):
    """Hands items over in the order in which they came, and holds up who would bring more than may be held.

    A thread waits for room before it fetches an item, and then puts it without waiting. So nothing is kept in
    hand, and a thread that hangs while it fetches takes no room from the others; but several may find the same
    room, and what is held may exceed the capacity by what each of them fetches at a time.

    Args:
        capacity: while so many records are held there is no room.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[tuple[Item, int]] = deque()
        self._held = 0
        self._failure: BaseException | None = None
        self._closed = False
        self._changed = threading.Condition()

    @property
    def held(self) -> int:
        """Records that were put and not taken."""
        return self._held

    def wait_for_room(self) -> None:
        """Wait until there is room, or the handover is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._held < self._capacity)

    def put(self, item: Item, records: int) -> None:
        """Hand over an item of so many records; it never waits, and also does so after `close`."""
        with self._changed:
            self._items.append((item, records))
            self._held += records
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """Have every `take` from now on raise the error; the first that is given stays."""
        with self._changed:
            if self._failure is None:
                self._failure = error
            self._changed.notify_all()

    def take(self, timeout_seconds: float) -> Item | None:
        """The oldest item, or None if none came within that time; at once if the handover is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._failure is not None or self._closed, timeout_seconds)
            if self._failure is not None:
                raise self._failure
            if not self._items:
                return None
            item, records = self._items.popleft()
            self._held -= records
            self._changed.notify_all()
            return item

    def waiting(self) -> list[Item]:
        """What was put and not taken."""
        with self._changed:
            return [item for item, _ in self._items]

    def close(self) -> None:
        """Nobody waits for room, or for an item, any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
