"""The topic of bars: who seals a partition claims it there, and goes on from what earlier owners left in it.

A claim is written, and then the topic is read up to it: whatever counts of earlier owners stands before it, and what
they write later counts no longer. So the old owner and the new one need not agree on anything, and nothing counts that
a process has only in its memory. Where to begin to read stands beside the committed offset; without it, or where that
part of the topic is gone, all of it is read.
"""

from __future__ import annotations

import re
import time
import uuid
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from monitor.engine.block import Block, BlockError, Claim, Fence, Standing, decode, encode
from monitor.engine.watermark import NEVER_US
from monitor.kafka.connection import KafkaConnectionError, reason_of
from monitor.kafka.names import partition_name, topic_and_number
from monitor.kafka.publisher import Publisher, PublishError, PublishTimeoutError
from monitor.sources.base import LINES_A_MESSAGE, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafka.structs import OffsetAndMetadata

    from monitor.kafka.connection import KafkaConnection
    from monitor.sources.kafka.topics import Topics

PARTITIONS: Final = 4
"""Of the topic of bars, where it is made here."""
MESSAGE_BYTES: Final = 8 << 20
CLAIM_SECONDS: Final = 20.0
"""How long a claim may take: to be written, and to be read up to."""
IDS_KEPT_SECONDS: Final = 600.0
"""A producer's own doubles are found over a change of owner if they are no farther apart than this."""
LOOK_SECONDS: Final = 10.0
"""From one look at how far the topic goes to the next."""
NEVER_GIVEN_UP_SECONDS: Final = 86_400.0
_ANSWER_MS: Final = 5_000
_DAY_MS: Final = 86_400_000
_NOTE: Final = re.compile(r"\bbars=(\d+)")
_WATERMARK: Final = re.compile(r"\bwatermark_us=(-?\d+)")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BarTopic:
    """Where bars go.

    Attributes:
        connection: how the brokers are reached.
        name: of the topic.
        group: the consumer group that shares out the partitions that are sealed.
        keep_days: for how long bars are kept, if the topic is made here.
        replication: how many copies, if the topic is made here; None: as the brokers are set.
    """

    connection: KafkaConnection
    name: str
    group: str
    keep_days: int = 30
    replication: int | None = None

    def make(self) -> int:
        """Make the topic unless it is there; how many partitions it has.

        Raises:
            KafkaConnectionError: the brokers do not answer, or do not let us make it.
        """
        try:
            admin = KafkaAdminClient(**self.connection.client_options(), bootstrap_timeout_ms=_ANSWER_MS)
            try:
                if self.name not in admin.list_topics():
                    settings = {
                        "retention.ms": str(self.keep_days * _DAY_MS),
                        "max.message.bytes": str(MESSAGE_BYTES),
                        # By the time of writing: bars of a replayed past are not old.
                        "message.timestamp.type": "LogAppendTime",
                    }
                    wanted = NewTopic(self.name, PARTITIONS, self.replication or -1, topic_configs=settings)
                    with suppress(TopicAlreadyExistsError):  # another process was quicker
                        admin.create_topics([wanted])
            finally:
                admin.close()
            with Publisher(self.connection) as publisher:
                return publisher.prepare(self.name)
        except (KafkaError, OSError) as error:
            raise KafkaConnectionError(f"{self.name}: {reason_of(error)}") from error

    def place(self, partition: str, count: int) -> TopicPartition:
        """Where the claims and blocks of a source partition stand, of so many partitions of this topic."""
        return TopicPartition(self.name, zlib.crc32(partition.encode()) % count)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition that became ours.

    Attributes:
        partition: its name.
        generation: of the claim.
        begin: the offset in the topic of bars from which `blocks` were read.
        blocks: of earlier owners, those that count, in the order of the topic, as far back as is of use.
    """

    partition: str
    generation: int
    begin: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A partition that is ours no longer."""

    partition: str


class Claims:
    """Claims partitions, in the thread of their source, for whoever seals them in another.

    Args:
        topic: where.
        count: how many partitions it has.
        sources: the topics whose partitions the group shares out.
        wall: a monotonic clock in seconds.
    """

    def __init__(
        self, topic: BarTopic, count: int, sources: Sequence[Topics], wall: Callable[[], float] = time.monotonic
    ) -> None:
        self._topic, self._count, self._sources, self._wall = topic, count, sources, wall
        self._among: tuple[str, ...] = ()
        self._looked_at = -LOOK_SECONDS
        self._changes: deque[Claimed | Lost] = deque()

    def take(self) -> list[Claimed | Lost]:
        """What was claimed and lost since this was last asked, in order; from any thread."""
        return [self._changes.popleft() for _ in range(len(self._changes))]

    def lose(self, partition: str) -> None:
        """A partition is ours no longer."""
        self._changes.append(Lost(partition))

    def claim(self, partition: str, generation: int) -> int | None:
        """Make a partition ours; the position from which it is to be read, None if it was never read.

        Raises:
            SourceError: it could not be claimed: the brokers do not answer, or it was given to another meanwhile.
        """
        place = self._topic.place(partition, self._count)
        try:
            consumer = KafkaConsumer(
                **self._topic.connection.client_options(),
                group_id=self._topic.group,
                enable_auto_commit=False,
                auto_offset_reset="none",
                bootstrap_timeout_ms=_ANSWER_MS,
                request_timeout_ms=_ANSWER_MS,
                max_partition_fetch_bytes=MESSAGE_BYTES,
                metrics_enabled=False,
            )
            try:
                claim = Claim(
                    partition, self._topic.group, generation, uuid.uuid4().hex, self._all_partitions(consumer)
                )  # fmt: skip
                with Publisher(self._topic.connection) as publisher:
                    publisher.send(self._topic.name, encode(claim), key=partition.encode(), partition=place.partition)
                    publisher.flush(CLAIM_SECONDS)
                return self._read_up_to(claim, consumer, place)
            finally:
                consumer.close(autocommit=False, timeout_ms=500)
        except (KafkaError, KafkaConnectionError, OSError) as error:
            raise SourceError(f"{partition} could not be claimed in {self._topic.name}: {reason_of(error)}") from error

    def _all_partitions(self, consumer: KafkaConsumer) -> tuple[str, ...]:
        """What the group shares out, looked up now and then."""
        if self._wall() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = self._wall()
            there = consumer.topics()
            topics = sorted({topic for source in self._sources for topic in source.among(there)})
            self._among = tuple(
                partition_name(topic, number)
                for topic in topics
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            )
        return self._among

    def _read_up_to(self, claim: Claim, consumer: KafkaConsumer, place: TopicPartition) -> int | None:
        source = topic_and_number(claim.partition)
        if source is None:
            raise SourceError(f"{claim.partition} is no partition of a topic, and cannot be claimed")
        committed = consumer.committed(TopicPartition(*source), metadata=True, timeout_ms=_ANSWER_MS)
        consumer.assign([place])
        begin = max(consumer.beginning_offsets([place], _ANSWER_MS)[place], _bars_from(committed))
        blocks = self._earlier_blocks(claim, consumer, place, begin)
        if not blocks and committed is not None and committed.offset:
            _log.warning(
                "the bars of a partition are gone from their topic; it goes on at the committed offset",
                partition=claim.partition, topic=self._topic.name, offset=committed.offset,
            )  # fmt: skip
            blocks = (_block_of(claim, committed),)
        self._changes.append(Claimed(claim.partition, claim.generation, begin, blocks))
        stands = blocks[-1].standing if blocks else Standing()
        # An owner that had not begun to read does not know where to.
        return stands.oldest_open if stands.next_position else None

    def _earlier_blocks(
        self, claim: Claim, consumer: KafkaConsumer, place: TopicPartition, begin: int
    ) -> tuple[Block, ...]:
        """The blocks of the partition that count, up to our claim."""
        consumer.seek(place, begin)
        fence = Fence()
        blocks: list[Block] = []
        ends_at = time.monotonic() + CLAIM_SECONDS
        while time.monotonic() < ends_at:
            for records in consumer.poll(timeout_ms=200).values():
                for record in records:
                    each = _decoded(record.value)
                    if each is None or each.partition != claim.partition:
                        continue
                    if each == claim:
                        return tuple(blocks)
                    if isinstance(each, Claim):
                        self._check(claim, each)
                        fence.counts(each)
                    elif fence.counts(each):
                        blocks.append(each)
        raise SourceError(
            f"{claim.partition}: our claim did not come back from {self._topic.name} within {CLAIM_SECONDS:g} s"
        )

    def _check(self, ours: Claim, other: Claim) -> None:
        if other.group != ours.group:
            raise SourceError(
                f"{self._topic.name} holds bars of the group {other.group}, and this is {ours.group}: name another "
                "topic in [bars], or the same group"
            )
        if other.generation >= ours.generation:
            raise SourceError(
                f"{ours.partition} was claimed by generation {other.generation} of the group, and ours is "
                f"{ours.generation}: it belongs to another process now. If this is said again and again the group was "
                "deleted meanwhile: give sources a new group, and [bars] a new topic"
            )


class BarWriter:
    """Writes blocks, in the thread that seals.

    Args:
        topic: where.
        count: how many partitions it has.
        wall: a monotonic clock in seconds.

    Raises:
        KafkaConnectionError: no broker can be reached.
    """

    def __init__(self, topic: BarTopic, count: int, wall: Callable[[], float]) -> None:
        self._topic, self._count, self._wall = topic, count, wall
        self._publisher = Publisher(
            topic.connection, linger_ms=0, wait_seconds=1.0, delivery_seconds=NEVER_GIVEN_UP_SECONDS
        )
        try:
            self._looking = KafkaConsumer(
                **topic.connection.client_options(), bootstrap_timeout_ms=_ANSWER_MS, metrics_enabled=False
            )
        except (KafkaError, OSError) as error:
            self._publisher.close(0.0)
            raise KafkaConnectionError(f"{topic.name}: {reason_of(error)}") from error
        self._places = [TopicPartition(topic.name, number) for number in range(count)]
        self._ends: dict[TopicPartition, int] = {}
        self._looked_at = -LOOK_SECONDS
        self._begins: dict[str, deque[tuple[float, int]]] = {}

    def began(self, claimed: Claimed) -> None:
        """A partition became ours: what was read of it is needed until we have written enough."""
        self._begins[claimed.partition] = deque([(self._wall(), claimed.begin)])

    def write(self, block: Block) -> None:
        """Hand a block over to be written.

        Raises:
            PublishTimeoutError: the brokers do not take it at this moment; the same block may be handed over again.
            PublishError: they refuse it for good.
        """
        self._look()
        place = self._topic.place(block.partition, self._count)
        key = f"{block.partition}|{block.generation}".encode()
        self._publisher.send(self._topic.name, encode(block), key=key, partition=place.partition)
        begins = self._begins.setdefault(block.partition, deque())
        if place in self._ends and (not begins or begins[-1][1] < self._ends[place]):
            begins.append((self._wall(), self._ends[place]))
        while len(begins) > 1 and self._wall() - begins[1][0] >= IDS_KEPT_SECONDS:
            begins.popleft()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all blocks are acknowledged; whether they are.

        Raises:
            PublishError: one was refused for good.
        """
        try:
            self._publisher.flush(timeout_seconds)
        except PublishTimeoutError as error:
            _log.warning("bars are not acknowledged yet; they are still being sent", error=str(error))
            return False
        return True

    def note(self, partition: str) -> str:
        """What stands beside a partition's committed offset: from where in the topic its next owner reads."""
        begins = self._begins.get(partition)
        return f"bars={begins[0][1]}" if begins else ""

    def close(self, timeout_seconds: float) -> None:
        """Let go of the brokers."""
        self._publisher.close(timeout_seconds)
        self._looking.close(autocommit=False, timeout_ms=500)

    def _look(self) -> None:
        """Now and then, how far the topic goes: what is written later stands behind that."""
        if self._wall() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = self._wall()
        with suppress(KafkaError):  # where it was before is right too, only farther back
            self._ends |= self._looking.end_offsets(self._places, timeout_ms=1_000)


def _bars_from(committed: OffsetAndMetadata | None) -> int:
    found = _NOTE.search(committed.metadata or "") if committed is not None else None
    return int(found[1]) if found else 0


def _block_of(claim: Claim, committed: OffsetAndMetadata) -> Block:
    """All that the committed offset tells of a partition."""
    found = _WATERMARK.search(committed.metadata or "")
    position = committed.offset * LINES_A_MESSAGE
    watermark_us = int(found[1]) if found else NEVER_US
    return Block(claim.partition, claim.generation, Standing(position, position, watermark_us, None, bool(found)))


def _decoded(raw: bytes | None) -> Claim | Block | None:
    try:
        return None if raw is None else decode(raw)
    except BlockError as error:
        _log.error("a message in the topic of bars cannot be read, and does not count", error=str(error))
        return None


__all__ = ["BarTopic", "BarWriter", "Claimed", "Claims", "PublishError"]
