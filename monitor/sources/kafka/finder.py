"""What is common to the two ways in which a source comes by its partitions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.kafka.partition import ReadPartition
from monitor.sources.kafka.topics import stream_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafka import TopicPartition

    from monitor.sources.base import PartitionState
    from monitor.sources.kafka.client import Client, Offsets
    from monitor.sources.kafka.group import Membership
    from monitor.sources.kafka.topics import Topics

Start = Literal["earliest", "latest"] | datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read; see `KafkaSource`.

    Attributes:
        source: the source's name.
        topics: which.
        stream: the contract of every event; None: by the topic, or else each object says its own.
        start: where a partition is begun that was never read.
        has_lines: whether a message may hold several events, one a line.
    """

    source: str
    topics: Topics
    stream: str | None
    start: Start
    has_lines: bool


class Finder(ABC):
    """Finds the partitions that are to be read, and where each is begun.

    Args:
        wanted: what is read.
        client: is connected before `open` is called.
        partitions: those that are read; kept by this object.
    """

    def __init__(self, wanted: Wanted, client: Client, partitions: dict[TopicPartition, ReadPartition]) -> None:
        self._wanted, self._client, self._partitions = wanted, client, partitions

    @abstractmethod
    def open(self, resume: Mapping[str, int]) -> None:
        """Begin; see `Source.open`.

        Raises:
            SourceError: a partition ends before the position that is wanted.
            KafkaError: the brokers do not answer.
        """

    @abstractmethod
    def find(self, now: float) -> None:
        """Take on partitions that are to be read from now on, and let go of others; to be called before each fetch.

        Raises:
            SourceError: what is read is not there any more, or cannot be begun.
        """

    def unread(self) -> dict[str, PartitionState]:
        """Partitions that are wanted, and cannot be read at this moment."""
        return {}

    @property
    def membership(self) -> Membership | None:
        """In the group that shares the partitions out; None: they are not shared."""
        return None

    def _starts(self, tps: Sequence[TopicPartition], begins: Offsets, ends: Offsets) -> Offsets:
        """The first positions of partitions that were never read."""
        start = self._wanted.start
        if start == "earliest" or not tps:
            offsets = begins
        elif start == "latest":
            offsets = ends
        else:
            offsets = ends | self._client.offsets_at(tps, start)
        return {tp: offsets[tp] * LINES_A_MESSAGE for tp in tps}

    def _add(self, tp: TopicPartition, position: int, begin: int, end: int, generation: int | None) -> ReadPartition:
        """Read a partition from a position, or from where it begins by now; SourceError if it ends before."""
        wanted = self._wanted
        stream = wanted.stream or stream_of(tp.topic)
        each = ReadPartition(wanted.source, tp, stream, position, generation, has_lines=wanted.has_lines)
        self._partitions[tp] = each
        each.fit(begin, end)
        return each
