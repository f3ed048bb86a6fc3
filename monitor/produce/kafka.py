"""Events as Kafka messages: the topic by the stream, the key by the event, the value its bytes as they stand.

In a partition events stand in the order of arrival: one that came more than 2 s of event time after what followed it
would be late. Between partitions there is no order, and yet a print must not come after later quotes: the monitor takes
it into account at the first tick that has not run. So before a quote is sent the prints before it are acknowledged.
Topics of nothing but prints go ahead of the other topics of their chunk, so that this is not waited for too often.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from monitor.kafka.publisher import PublishError, PublishTimeoutError
from monitor.produce.events import PRINT_STREAMS, key_and_print, one_line
from monitor.produce.target import Target, TargetError
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event as Stop

    from monitor.kafka.publisher import Publisher
    from monitor.produce.events import Event

MOST_EVENTS_A_MESSAGE: Final = 10_000
_MOST_PACKED_BYTES: Final = 512 << 10
"""Brokers take messages of 1 MiB unless they are told otherwise."""
_LOOK_SECONDS: Final = 1.0
"""How long brokers may be silent before it is said."""
GIVEN_UP_SECONDS: Final = 30 * 86_400.0
"""Nothing is given up while somebody may still bring the broker back."""


class KafkaTarget(Target):
    """Publishes to Kafka, and waits for brokers that are gone.

    Args:
        publisher: closed with the target; made with `GIVEN_UP_SECONDS`, and with a short `wait_seconds`.
        events_a_message: so many events of one partition that follow each other may go as lines of one message.
        say: tells a person that it waits, and that it goes on.
        stop: once it is set, brokers that do not answer are waited for no longer than `stop_within_seconds`.
        stop_within_seconds: see `stop`.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        events_a_message: int = 1,
        say: Callable[[str], None],
        stop: Stop,
        stop_within_seconds: float = 5.0,
    ) -> None:
        if not 1 <= events_a_message <= MOST_EVENTS_A_MESSAGE:
            raise ValueError(f"a message holds 1 to {MOST_EVENTS_A_MESSAGE:,} events, not {events_a_message:,}")
        self._publisher, self._most = publisher, events_a_message
        self._say, self._stop, self._stop_within_seconds = say, stop, stop_within_seconds
        self._packs: dict[tuple[str, int], _Pack] = defaultdict(_Pack)
        self._known: set[str] = set()
        self._prints_on_the_way = False

    def send(self, events: Sequence[Event]) -> None:
        """Hand a chunk over to be sent; TargetError if the brokers refuse it."""
        for event in events:
            if event.stream in PRINT_STREAMS:
                key, _ = key_and_print(event)
                self._put(event, key)
                self._prints_on_the_way = True
        for event in events:
            if event.stream in PRINT_STREAMS:
                continue
            key, is_print = key_and_print(event)
            if is_print:
                self._prints_on_the_way = True
            elif self._prints_on_the_way:
                self.flush()
            self._put(event, key)
        self._send_packs()

    def flush(self) -> None:
        """Wait until the brokers have acknowledged all."""
        self._send_packs()
        self._patiently(lambda: self._publisher.flush(_LOOK_SECONDS))
        self._prints_on_the_way = False

    def close(self) -> None:
        """Let go of the brokers."""
        self._publisher.close(0.5)

    def _put(self, event: Event, key: bytes | None) -> None:
        topic = STREAMS[event.stream].topic
        if topic not in self._known:
            self._patiently(lambda: self._publisher.prepare(topic))
            self._known.add(topic)
        if self._most == 1 or key is None:
            self._message(topic, event.payload, key, None)
            return
        place = topic, self._publisher.partition_of(topic, key)
        pack = self._packs[place]
        line = one_line(event.payload)
        if pack.lines and (len(pack.lines) == self._most or pack.size + len(line) > _MOST_PACKED_BYTES):
            self._send_pack(*place)
        self._packs[place].add(line, key)

    def _send_packs(self) -> None:
        for topic, partition in list(self._packs):
            self._send_pack(topic, partition)

    def _send_pack(self, topic: str, partition: int) -> None:
        pack = self._packs.pop((topic, partition))
        key = pack.keys.pop() if len(pack.keys) == 1 else None
        self._message(topic, b"\n".join(pack.lines), key, partition)

    def _message(self, topic: str, value: bytes, key: bytes | None, partition: int | None) -> None:
        try:
            self._publisher.send(topic, value, key=key, partition=partition)
        except PublishTimeoutError:  # it was not taken
            self._patiently(lambda: self._publisher.send(topic, value, key=key, partition=partition))
        except PublishError as error:
            raise TargetError(str(error)) from error

    def _patiently(self, act: Callable[[], object]) -> None:
        """Do it, however long brokers are gone, unless somebody wants to stop."""
        is_told, give_up_at = False, None
        while True:
            try:
                act()
            except PublishTimeoutError as error:
                if self._stop.is_set():
                    give_up_at = give_up_at or time.monotonic() + self._stop_within_seconds
                    if time.monotonic() >= give_up_at:
                        unsent = f"; {self._publisher.unacknowledged:,} messages may be lost"
                        raise TargetError(f"{error}{unsent}") from error
                if not is_told:
                    self._say(f"{error}; it waits for them, and loses nothing")
                is_told = True
            except PublishError as error:
                raise TargetError(str(error)) from error
            else:
                if is_told:
                    self._say("the brokers answer again; it goes on")
                return


class _Pack:
    """Events of one partition that will be one message."""

    __slots__ = ("keys", "lines", "size")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.keys: set[bytes] = set()
        self.size = 0

    def add(self, line: bytes, key: bytes) -> None:
        """One more line."""
        self.lines.append(line)
        self.keys.add(key)
        self.size += len(line) + 1
