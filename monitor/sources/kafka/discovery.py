"""All partitions of the topics are read: those that are there, and those that appear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from monitor.kafka.connection import reason_of
from monitor.kafka.names import partition_name, topic_of
from monitor.sources.base import LINES_A_MESSAGE, PartitionState, SourceError
from monitor.sources.kafka import limits
from monitor.sources.kafka.finder import Finder, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.sources.kafka.client import Client, Offsets
    from monitor.sources.kafka.partition import ReadPartition

_log = structlog.get_logger(__name__)


class Discovery(Finder):
    """Looks now and then which partitions there are.

    Args:
        wanted: see `Finder`.
        client: see `Finder`.
        partitions: see `Finder`.
        monotonic: a monotonic clock in seconds.
    """

    def __init__(
        self,
        wanted: Wanted,
        client: Client,
        partitions: dict[TopicPartition, ReadPartition],
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(wanted, client, partitions)
        self._monotonic = monotonic
        self._resume: dict[str, int] = {}
        self._is_open = False
        self._looked_at = 0.0
        self._told_missing: set[str] = set()
        self._unled: set[TopicPartition] = set()

    def open(self, resume: Mapping[str, int]) -> None:
        """Look for the first time."""
        self._resume = dict(resume)
        self._look()
        self._is_open = True

    def find(self, now: float) -> None:
        """Look again, if it is time."""
        if now - self._looked_at >= limits.DISCOVER_SECONDS:
            self._look()

    def unread(self) -> dict[str, PartitionState]:
        """Those that nobody leads and that have a position to go on from: what waits there nobody knows."""
        positions = {name: self._resume.get(name) for name in map(_name, self._unled)}
        return {
            name: PartitionState(position, position // LINES_A_MESSAGE, None, is_behind=True)
            for name, position in positions.items()
            if position is not None
        }

    def _look(self) -> None:
        """Read the partitions that are there, and were not when it was looked last."""
        self._looked_at = self._monotonic()
        there = self._client.topics()
        if gone := sorted({tp.topic for tp in (*self._partitions, *self._unled)} - there):
            raise SourceError(f"{', '.join(gone)}: there is no such topic any more")
        self._tell_missing(there)
        found = [
            TopicPartition(topic, number)
            for topic in self._wanted.topics.among(there)
            for number in self._client.numbers_of(topic)
        ]
        new = [tp for tp in found if tp not in self._partitions]
        # Once it has been waited for, that nobody leads it is believed: to ask costs others their time.
        asked = [tp for tp in new if tp not in self._unled or self._client.is_led(tp)]
        led, begins, ends = self._led(asked) if asked else ([], {}, {})
        self._unled = set(new) - set(led)
        if not led:
            return
        resumed = {tp: self._resume[name] for tp in led if (name := _name(tp)) in self._resume}
        firsts = resumed | self._starts([tp for tp in led if tp not in resumed], begins, ends)
        for tp in led:
            self._add(tp, firsts[tp], begins[tp], ends[tp], None)
        self._client.read_only({tp: each.fetched_to for tp, each in self._partitions.items()})
        for each in self._partitions.values():
            each.is_paused = False
        if self._is_open:
            _log.info("new partitions are read", source=self._wanted.source, partitions=list(map(_name, led)))

    def _tell_missing(self, there: set[str]) -> None:
        for topic in self._wanted.topics.missing(there):
            if topic not in self._told_missing:
                self._told_missing.add(topic)
                _log.warning(
                    "there is no such topic yet; it is read as soon as there is",
                    source=self._wanted.source, topic=topic,
                )  # fmt: skip

    def _led(self, tps: list[TopicPartition]) -> tuple[list[TopicPartition], Offsets, Offsets]:
        """Those of the partitions that somebody leads, with their bounds; others are still new at the next look."""
        try:
            return tps, *self._client.bounds(tps)
        except KafkaTimeoutError:
            if len(tps) == 1 and not self._is_open:
                raise
        begins: Offsets = {}
        ends: Offsets = {}
        for tp in tps:
            try:
                begin, end = self._client.bounds([tp])
            except KafkaTimeoutError as error:
                _log.warning("a partition cannot be read now", partition=_name(tp), error=reason_of(error))
                continue
            begins |= begin
            ends |= end
        if not ends and not self._is_open:
            raise KafkaTimeoutError("no partition has a leader that answers")
        return list(ends), begins, ends

    def _starts(self, tps: Sequence[TopicPartition], begins: Offsets, ends: Offsets) -> Offsets:
        """See `Finder`; one that appears later is begun at its beginning."""
        # What was not there when others of its source were read for the first time has appeared since.
        topics = {topic_of(name) for name in self._resume}
        if self._is_open or self._wanted.topics.among(topics):
            return {tp: begins[tp] * LINES_A_MESSAGE for tp in tps}
        return super()._starts(tps, begins, ends)


def _name(tp: TopicPartition) -> str:
    return partition_name(*tp)
