"""Rounds: one look at the ends of all partitions, then everything before those ends, then the next look.

Between rounds the look also shows whether the brokers still answer: a fetch that brings nothing looks the same with a
broker that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.sources.base import SourceError
from monitor.sources.kafka import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafka import TopicPartition

    from monitor.sources.base import RawBatch
    from monitor.sources.kafka.client import Client
    from monitor.sources.kafka.partition import ReadPartition


class Rounds:
    """Hands over in rounds, as `Source.partitions` says.

    Args:
        client: is asked how far the partitions go.
        partitions: those that are read, the next in turn first.
        brokers: for people.
        monotonic: a monotonic clock in seconds.

    Attributes:
        done: how many messages were handed over.
    """

    def __init__(
        self,
        client: Client,
        partitions: dict[TopicPartition, ReadPartition],
        brokers: str,
        monotonic: Callable[[], float],
    ) -> None:
        self._client, self._partitions, self._brokers, self._monotonic = client, partitions, brokers, monotonic
        self.done = 0
        self._answered_at = self._looked_at = self._handed_over_at = 0.0

    def answered(self) -> None:
        """The brokers have answered something else."""
        self._answered_at = self._monotonic()

    def go_on(self, now: float) -> None:
        """Begin the next round if it is time, and the last one is over.

        Raises:
            SourceError: no broker has said for `LOST_SECONDS` how far its partitions go.
        """
        if self._is_due(now) and self._is_over(now):
            self._begin()

    def hand_over(self, max_records: int) -> RawBatch | None:
        """The next payloads of the round, of each partition in its turn."""
        for _ in range(len(self._partitions)):
            tp, each = next(iter(self._partitions.items()))
            self._partitions[tp] = self._partitions.pop(tp)
            batch, done = each.take(max_records)
            self.done += done
            if batch is not None:
                self._handed_over_at = self._monotonic()
                return batch
        return None

    def _is_due(self, now: float) -> bool:
        """Whether there is a reason for another look: something beyond the round, a new partition, or time."""
        waiting = any(each.fetched or each.round_end is None for each in self._partitions.values())
        return now >= self._looked_at + (limits.ROUND_SECONDS if waiting else limits.IDLE_ROUND_SECONDS)

    def _is_over(self, now: float) -> bool:
        """Whether everything before the ends of the round was handed over, or cannot be had."""
        if now - max(self._looked_at, self._handed_over_at) >= limits.STALL_SECONDS:
            return True
        for each in self._partitions.values():
            if each.round_end is None or each.offset >= each.round_end:
                continue
            if each.fetched:
                return False
            # What is no message (the end of a transaction, what compaction took) has an offset too.
            each.fetched_to = max(each.fetched_to, self._client.position(each.tp) or 0)
            if each.offset < each.round_end:
                return False
        return True

    def _begin(self) -> None:
        """Look how far all partitions go."""
        tps = list(self._partitions)
        ends = self._client.known_ends(tps) if tps else {}
        now = self._looked_at = self._monotonic()
        if ends or not tps:
            self._answered_at = now
        elif now - self._answered_at >= limits.LOST_SECONDS:
            raise SourceError(f"{self._brokers}: no broker has answered for {now - self._answered_at:.0f} s")
        for tp, each in self._partitions.items():
            each.round_end = each.end = ends.get(tp)
