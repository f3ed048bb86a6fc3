"""Messages on their way to brokers that may be slow or gone: whoever puts them in never waits.

The messages of a topic arrive in the order in which they were put, through reconnects too. Where brokers gave no answer
for long, or refused one of several, some are sent anew and may arrive twice: then all that followed them follow again,
so the last message of a key is always the newest.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import structlog
from kafka.errors import InvalidRecordError, InvalidTopicError, MessageSizeTooLargeError, RecordListTooLargeError

from monitor.kafka.connection import KafkaConnectionError
from monitor.kafka.publisher import PublishError, PublishTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_MESSAGES: Final = 100_000
MOST_BYTES: Final = 64 << 20
"""So much is kept while it cannot be sent; of more, the oldest is dropped."""

FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 10.0
_FLUSH_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 0.5
_MESSAGES_AT_ONCE: Final = 1_000
_BYTES_AT_ONCE: Final = 4 << 20
_ABOUT_THE_MESSAGE: Final = (
    InvalidRecordError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
"""What brokers say of a message that they will never take; everything else may pass."""

_log = structlog.get_logger(__name__)


class Sends(Protocol):
    """What an outbox needs of a publisher."""

    def send(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Hand a message over; PublishError if that cannot be."""

    def flush(self, timeout_seconds: float) -> None:
        """Wait until all are acknowledged; PublishTimeoutError if they are still under way, else PublishError."""

    def close(self, timeout_seconds: float) -> None:
        """Let go of the brokers."""


class _Message(NamedTuple):
    number: int
    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def size(self) -> int:
        return len(self.value) + len(self.key or b"") + sum(len(name) + len(value) for name, value in self.headers)


class _Wait:
    """When the next attempt may be, after ever longer waits with full jitter."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.over()

    def over(self) -> None:
        """The attempt succeeded."""
        self._limit, self.until = FIRST_WAIT_SECONDS, 0.0

    def begin(self) -> None:
        """The attempt failed."""
        self.until = time.monotonic() + self._random.uniform(0.0, self._limit)
        self._limit = min(LONGEST_WAIT_SECONDS, 2 * self._limit)


class _Lane:
    """What waits for one topic: one that cannot be written does not hold up the others."""

    def __init__(self, random: Random) -> None:
        self.messages: deque[_Message] = deque()
        self.wait = _Wait(random)
        self.is_failing = False


class Outbox:
    """Sends messages from a thread of its own.

    Args:
        name: says in the log whose messages they are.
        connect: makes a publisher; KafkaConnectionError if no broker can be reached.
        most_messages: so many are kept at most.
        most_bytes: so large may they be together.
        on_waiting: told how many wait whenever that changes; from any thread, as are the next two.
        on_sent: told of messages that were acknowledged.
        on_dropped: told of messages that never will be.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Sends],
        *,
        most_messages: int = MOST_MESSAGES,
        most_bytes: int = MOST_BYTES,
        on_waiting: Callable[[int], None] = lambda _: None,
        on_sent: Callable[[int], None] = lambda _: None,
        on_dropped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._told = _log.bind(outbox=name)
        self._connect, self._most_messages, self._most_bytes = connect, most_messages, most_bytes
        self._on_waiting, self._on_sent, self._on_dropped = on_waiting, on_sent, on_dropped
        self._random = Random()  # noqa: S311 - the jitter of waits
        self._changed = threading.Condition()
        # Under the lock: everything from here to the thread.
        self._lanes: dict[str, _Lane] = {}
        self._number = self._count = self._bytes = self._dropped = self._dropped_in_a_row = 0
        self._closes_at: float | None = None
        # The thread's own.
        self._publisher: Sends | None = None
        self._wait = _Wait(self._random)
        self._is_gone = False
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many messages are not acknowledged yet."""
        with self._changed:
            return self._count

    @property
    def dropped(self) -> int:
        """How many messages will never arrive."""
        with self._changed:
            return self._dropped

    def put(
        self, topic: str, value: bytes, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Take a message; it never waits, and drops the oldest ones where too many wait."""
        with self._changed:
            self._number += 1
            message = _Message(self._number, topic, key, value, tuple(headers))
            if topic not in self._lanes:
                self._lanes[topic] = _Lane(self._random)
            self._lanes[topic].messages.append(message)
            self._count, self._bytes = self._count + 1, self._bytes + message.size
            dropped = 0
            while self._count > self._most_messages or self._bytes > self._most_bytes:
                # What is under way at this moment is in no lane, and can no longer be called back.
                behind = [lane.messages for lane in self._lanes.values() if lane.messages]
                if not behind:
                    break
                self._left(min(behind, key=lambda messages: messages[0].number).popleft())
                dropped += 1
            if dropped and not self._dropped_in_a_row:
                self._told.error(
                    "messages are dropped, the oldest first: more wait than are kept",
                    most_messages=self._most_messages, most_mib=self._most_bytes >> 20,
                )  # fmt: skip
            self._dropped, self._dropped_in_a_row = self._dropped + dropped, self._dropped_in_a_row + dropped
            self._changed.notify_all()
            waiting = self._count
        if dropped:
            self._on_dropped(dropped)
        self._on_waiting(waiting)

    def close(self, timeout_seconds: float) -> int:
        """Send what waits, within that time; how many were not acknowledged by then. A second call does nothing."""
        with self._changed:
            if self._closes_at is not None:
                return 0
            self._closes_at = time.monotonic() + timeout_seconds
            for each in (self._wait, *(lane.wait for lane in self._lanes.values())):
                each.over()
            self._changed.notify_all()
        # Connecting may take longer than there is time: the thread is then left to itself.
        self._thread.join(timeout_seconds)
        with self._changed:
            lost, self._count, self._bytes = self._count, 0, 0
            self._lanes.clear()
            self._dropped += lost
        if lost:
            self._told.error("messages were lost: they could not be sent before the end", count=lost)
            self._on_dropped(lost)
            self._on_waiting(0)
        return lost

    def _left(self, message: _Message) -> None:
        self._count, self._bytes = self._count - 1, self._bytes - message.size

    def _run(self) -> None:
        while batch := self._next():
            left = self._deliver(batch)
            if left:
                self._let_go()
                self._put_back(left)
        self._let_go()

    def _next(self) -> list[_Message]:
        """The next messages of one topic, the one whose oldest has waited longest; none when all is over."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._closes_at is not None and (not self._count or now >= self._closes_at):
                    return []
                lanes = [lane for lane in self._lanes.values() if lane.messages]
                due = [max(self._wait.until, lane.wait.until) for lane in lanes]
                ready = [lane for lane, at in zip(lanes, due, strict=True) if at <= now]
                if ready:
                    return self._taken(min(ready, key=lambda lane: lane.messages[0].number).messages)
                ends = [*due, *([self._closes_at] if self._closes_at is not None else [])]
                self._changed.wait(max(0.0, min(ends) - now) if ends else None)

    def _taken(self, messages: deque[_Message]) -> list[_Message]:
        # Not more than half of what is kept: it can no longer be dropped, and what is newer is worth more.
        most, most_bytes = min(_MESSAGES_AT_ONCE, self._most_messages // 2), min(_BYTES_AT_ONCE, self._most_bytes // 2)
        taken = [messages.popleft()]
        size = taken[0].size
        while messages and len(taken) < most and size + messages[0].size <= most_bytes:
            taken.append(messages.popleft())
            size += taken[-1].size
        return taken

    def _put_back(self, left: list[_Message]) -> None:
        with self._changed:
            if lane := self._lanes.get(left[0].topic):  # else it was closed meanwhile
                lane.messages.extendleft(reversed(left))
                if not self._is_gone:
                    lane.wait.begin()

    def _deliver(self, batch: list[_Message]) -> list[_Message]:
        """Send these messages of one topic; those that are to be sent again."""
        try:
            publisher = self._connected()
            for each in batch:
                publisher.send(each.topic, each.value, key=each.key, headers=each.headers)
            self._flush(publisher, batch)
        except PublishError as error:
            if isinstance(error.__cause__, _ABOUT_THE_MESSAGE):
                return self._without_refused(batch, error)
            self._failed(batch, error)
            return batch
        except KafkaConnectionError as error:
            if not self._is_gone:
                self._told.warning("messages wait: the brokers cannot be reached", error=str(error), count=len(batch))
            self._is_gone = True
            self._wait.begin()
            return batch
        except Exception as error:  # noqa: BLE001 - whatever goes wrong must neither stop the run nor go unsaid
            self._failed(batch, error, exc_info=True)
            return batch
        self._arrived(batch)
        return []

    def _flush(self, publisher: Sends, batch: list[_Message]) -> None:
        """Wait until the batch is acknowledged, through whatever outage: sent anew, it might arrive twice."""
        while True:
            try:
                publisher.flush(self._seconds_left())
            except PublishTimeoutError as error:
                if not self._seconds_left():
                    raise
                self._failed(batch, error)
            else:
                return

    def _without_refused(self, batch: list[_Message], error: PublishError) -> list[_Message]:
        """One of them is refused for good: it is found by halves and dropped, and the others get through."""
        self._let_go()  # what it still has must not come after what is now sent again
        if len(batch) > 1:
            first, second = batch[: len(batch) // 2], batch[len(batch) // 2 :]
            left = self._deliver(first)
            return left + second if left else self._deliver(second)
        self._told.error(
            "a message was dropped: the brokers refuse it",
            topic=batch[0].topic, bytes=batch[0].size, error=str(error),
        )  # fmt: skip
        with self._changed:
            if batch[0].topic not in self._lanes:
                return []  # closed meanwhile, and counted as lost
            self._left(batch[0])
            self._dropped += 1
            waiting = self._count
        self._on_dropped(1)
        self._on_waiting(waiting)
        return []

    def _connected(self) -> Sends:
        if self._publisher is None:
            self._publisher = self._connect()
            self._wait.over()
            if self._is_gone:
                self._told.info("the brokers are reached again")
            self._is_gone = False
        return self._publisher

    def _failed(self, batch: list[_Message], error: Exception, *, exc_info: bool = False) -> None:
        with self._changed:
            lane = self._lanes.get(batch[0].topic)
        if lane and not lane.is_failing:
            lane.is_failing = True
            self._told.warning(
                "messages wait: they could not be sent",
                topic=batch[0].topic, error=str(error), count=len(batch), exc_info=exc_info,
            )  # fmt: skip

    def _arrived(self, batch: list[_Message]) -> None:
        with self._changed:
            lane = self._lanes.get(batch[0].topic)
            if lane is None:
                return  # closed meanwhile, and counted as lost
            was_failing, lane.is_failing = lane.is_failing, False
            lane.wait.over()
            for each in batch:
                self._left(each)
            waiting, dropped = self._count, 0
            if self._dropped_in_a_row and not waiting:
                dropped, self._dropped_in_a_row = self._dropped_in_a_row, 0
        if was_failing:
            self._told.info("messages are sent again", topic=batch[0].topic)
        if dropped:
            self._told.warning("all that waited is sent; messages were dropped before", count=dropped)
        self._on_sent(len(batch))
        self._on_waiting(waiting)

    def _let_go(self) -> None:
        """Close the publisher: what it has not sent by now, it shall not send later."""
        if self._publisher is None:
            return
        publisher, self._publisher = self._publisher, None
        publisher.close(min(_CLOSE_SECONDS, self._seconds_left()))

    def _seconds_left(self) -> float:
        closes_at = self._closes_at
        return _FLUSH_SECONDS if closes_at is None else min(_FLUSH_SECONDS, max(0.0, closes_at - time.monotonic()))
