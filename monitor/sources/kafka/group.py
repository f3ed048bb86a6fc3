"""Membership of a consumer group: what the group gives and takes, to be asked for by the thread that polls."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kafka import ConsumerRebalanceListener
from kafka.structs import MemberState

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from kafka import KafkaConsumer, TopicPartition

    from monitor.sources.kafka.topics import Topics

Claim = Callable[[str, int], int | None]
"""Given a partition's name and the group's generation in which it became ours: the first position that is wanted; None:
it was never read. It may take a while, and raises SourceError where it cannot be told."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the group gave or took.

    Attributes:
        is_ours: whether the partitions are ours from now on, or no longer.
        partitions: which.
        generation: of the group.
    """

    is_ours: bool
    partitions: tuple[TopicPartition, ...]
    generation: int


class Membership(ConsumerRebalanceListener):
    """Joins the group of a consumer, and remembers what it gives and takes until it is asked.

    The client calls from a thread of its own, in which nothing may be waited for. A partition that was given is
    paused, so that nothing of it is fetched before it is known from where.

    Args:
        consumer: not subscribed to anything yet.
        topics: what is wanted.
    """

    def __init__(self, consumer: KafkaConsumer, topics: Topics) -> None:
        self._consumer = consumer
        self._changes: deque[Change] = deque()
        self._outside_since: float | None = None
        # A leader that does not know the partitions yet shares out nothing, and joins again at once: from that it
        # does not always come back (kafka-python 3.0.12).
        consumer.topics()
        if topics.pattern is None:
            consumer.subscribe(topics=list(topics.names), listener=self)
        else:
            consumer.subscribe(pattern=topics.whole_pattern, listener=self)

    def changes(self) -> list[Change]:
        """What the group gave and took since this was last asked, in order."""
        return [self._changes.popleft() for _ in range(len(self._changes))]

    def hear_of_joins(self) -> None:
        """To be called before each poll.

        A join that comes to its end between two polls the client takes for one that has still to be begun: it throws
        the answer away and joins again, and with it the whole group, which may go on for minutes (kafka-python 3.0.12).
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - there is no other way
        join = coordinator._join_task  # noqa: SLF001
        if join is not None and not isinstance(join, _Unheard):
            coordinator._join_task = _Unheard(join)  # noqa: SLF001

    @property
    def is_joining(self) -> bool:
        """Whether the client has still to join, or to join again."""
        return bool(self._consumer._coordinator.need_rejoin())  # noqa: SLF001 - there is no other way

    def outside_seconds(self, now: float) -> float:
        """For how long we have not been in the group, by a monotonic clock in seconds; 0 while we are."""
        if self._consumer.group_metadata().state is MemberState.STABLE:
            self._outside_since = None
            return 0.0
        if self._outside_since is None:
            self._outside_since = now
        return now - self._outside_since

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """The group gave these."""
        generation = self._consumer.group_metadata().generation_id
        for tp in assigned:
            self._consumer.pause(tp)
            # Some position, or the client asks the group for one, and fails where there is none.
            self._consumer.seek(tp, 0)
        self._changes.append(Change(True, tuple(sorted(assigned)), generation))

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The group took these, or we leave it."""
        self._changes.append(Change(False, tuple(sorted(revoked)), -1))


class _Unheard:
    """A join that is not done before the client has heard of its end: it waits for it, and gets it at once."""

    is_done: Final = False

    def __init__(self, join: Any) -> None:  # noqa: ANN401 - the client has no types
        self.add_callback: Final = join.add_callback
        self.add_errback: Final = join.add_errback
        self._join = join

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._join.__await__()  # type: ignore[no-any-return]
