"""The partitions are read that a consumer group gives to this process, each from where its claim says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from monitor.kafka.names import partition_name
from monitor.sources.base import SourceError
from monitor.sources.kafka import limits
from monitor.sources.kafka.finder import Finder, Wanted
from monitor.sources.kafka.group import Membership

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafka import TopicPartition

    from monitor.sources.kafka.client import Client
    from monitor.sources.kafka.group import Change, Claim
    from monitor.sources.kafka.partition import ReadPartition

_log = structlog.get_logger(__name__)


class Sharing(Finder):
    """Follows what the group gives and takes.

    Args:
        wanted: see `Finder`.
        client: see `Finder`.
        partitions: see `Finder`.
        group: its name, for people.
        claim: says where a partition goes on that was given.
        lose: told of each that was taken.
    """

    def __init__(
        self,
        wanted: Wanted,
        client: Client,
        partitions: dict[TopicPartition, ReadPartition],
        *,
        group: str,
        claim: Claim,
        lose: Callable[[TopicPartition], None],
    ) -> None:
        super().__init__(wanted, client, partitions)
        self._group, self._claim, self._lose = group, claim, lose
        self._membership: Membership | None = None

    @property
    def membership(self) -> Membership | None:
        """In the group, once it was joined."""
        return self._membership

    def open(self, resume: Mapping[str, int]) -> None:  # noqa: ARG002 - where to go on the claims say
        """Join the group."""
        self._membership = Membership(self._client.consumer, self._wanted.topics)

    def find(self, now: float) -> None:
        """Take on what the group gave, from where the claim says, and let go of what it took."""
        if self._membership is None:
            return
        outside = self._membership.outside_seconds(now)
        if outside >= limits.OUTSIDE_SECONDS:
            raise SourceError(f"{self._group}: not let into the group for {outside:.0f} s")
        for change in self._membership.changes():
            if change.is_ours:
                self._take_on(change)
            else:
                self._let_go(change)

    def _take_on(self, change: Change) -> None:
        tps, source = list(change.partitions), self._wanted.source
        claimed = {tp: self._claim(partition_name(*tp), change.generation) for tp in tps}
        begins, ends = self._client.bounds(tps) if tps else ({}, {})
        firsts = {tp: at for tp, at in claimed.items() if at is not None}
        firsts |= self._starts([tp for tp in tps if tp not in firsts], begins, ends)
        for tp in tps:
            each = self._add(tp, firsts[tp], begins[tp], ends[tp], change.generation)
            self._client.seek(tp, each.fetched_to)
            self._client.resume(tp)
        _log.info("partitions were given", source=source, generation=change.generation, partitions=_names(change))

    def _let_go(self, change: Change) -> None:
        for tp in change.partitions:
            self._partitions.pop(tp, None)
            self._lose(tp)
        _log.info("partitions were taken", source=self._wanted.source, partitions=_names(change))


def _names(change: Change) -> list[str]:
    return [partition_name(*tp) for tp in change.partitions]
