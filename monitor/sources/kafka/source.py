"""Events from Kafka topics: all partitions of them, or those that a consumer group gives to this process.

A message holds one event, or several as NDJSON; its key and its headers are not trusted, and not looked at. Where to
go on is said by who opens the source; what it commits to the group's name is for people who watch the lag, and for a
group's next owner of a partition.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafka.errors import KafkaError

from monitor.kafka.connection import KafkaConnectionError, reason_of
from monitor.kafka.names import partition_name
from monitor.sources.base import PartitionState, RawBatch, Source, SourceError
from monitor.sources.kafka import limits
from monitor.sources.kafka.client import Client
from monitor.sources.kafka.commits import Commits
from monitor.sources.kafka.discovery import Discovery
from monitor.sources.kafka.fetching import Fetching
from monitor.sources.kafka.finder import Finder, Wanted
from monitor.sources.kafka.rounds import Rounds
from monitor.sources.kafka.sharing import Sharing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kafka import TopicPartition

    from monitor.kafka.connection import KafkaConnection
    from monitor.sources.base import Mark
    from monitor.sources.kafka.finder import Start
    from monitor.sources.kafka.group import Claim
    from monitor.sources.kafka.partition import ReadPartition
    from monitor.sources.kafka.topics import Topics


class KafkaSource(Source):
    """Reads topics; a partition's name is `TOPIC/NUMBER`.

    A partition that was never read is begun where `start` says; topics and partitions that appear while it runs, at
    their beginning. Messages that are gone before they were read are counted in `PartitionState.lost`, and said.

    Args:
        name: the source's name.
        connection: how the brokers are reached.
        topics: which.
        group: by which name positions are committed.
        stream: the contract of every event; None: by the topic, or else each object says its own in `stream`.
        start: where a partition is begun that was never read; a moment is by the time stamps of messages.
        claim: joins the group for real: only partitions that it assigns are read, each from where `claim` says, given
            its name and the group's generation. None: all partitions are read, whoever else reads them.
        lose: told the name of each partition that is ours no longer.
        has_lines: whether a message may hold several events, one a line; else each is one payload, whatever is in it.
        session_seconds: after so long without a sign of life the group gives our partitions to others.
        monotonic: a monotonic clock in seconds.
    """

    def __init__(
        self,
        name: str,
        connection: KafkaConnection,
        topics: Topics,
        *,
        group: str,
        stream: str | None = None,
        start: Start = "earliest",
        claim: Claim | None = None,
        lose: Callable[[str], None] = lambda _: None,
        has_lines: bool = True,
        session_seconds: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._brokers = ", ".join(connection.brokers)
        self._lose, self._monotonic = lose, monotonic
        self._partitions: dict[TopicPartition, ReadPartition] = {}
        self._client = Client(connection, group, None if claim is None else session_seconds)
        self._commits = Commits(name, self._client)
        self._fetching = Fetching(name, self._client, self._partitions)
        self._rounds = Rounds(self._client, self._partitions, self._brokers, monotonic)
        wanted = Wanted(name, topics, stream, start, has_lines)
        self._finder: Finder = (
            Discovery(wanted, self._client, self._partitions, monotonic)
            if claim is None
            else Sharing(wanted, self._client, self._partitions, group=group, claim=claim, lose=self._let_go)
        )
        self._has_opened = self._is_closed = False
        self._broken: str | None = None

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Connect, find the partitions and begin to fetch.

        Args:
            resume: see `Source.open`.

        Raises:
            SourceError: no broker answers; or a partition ends before the position that is wanted: it is another
                one by the same name, or has lost its end.
        """
        if self._client.is_connected or self._is_closed:
            raise RuntimeError("a KafkaSource is opened once")
        try:
            self._client.connect()
            self._finder.open(resume or {})
        except (KafkaError, KafkaConnectionError, OSError) as error:
            raise SourceError(self._said(error)) from error
        self._has_opened = True
        self._rounds.answered()

    def poll(self, max_records: int) -> RawBatch | None:
        """The next payloads of one partition; it waits at most a few milliseconds for the brokers."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if not self._client.is_connected or self._is_closed:
            raise RuntimeError("a KafkaSource is polled between open and close")
        if self._broken is not None:
            raise SourceError(self._broken)
        try:
            now = self._monotonic()
            self._finder.find(now)
            self._fetching.fetch(self._finder.membership)
            self._rounds.go_on(now)
            return self._rounds.hand_over(max_records)
        except SourceError as error:
            self._broken = str(error)
            raise
        except (KafkaError, KafkaConnectionError, OSError) as error:
            self._broken = self._said(error)
            raise SourceError(self._broken) from error

    @property
    def exhausted(self) -> bool:
        """Never: more may be written at any time."""
        return False

    def partitions(self) -> dict[str, PartitionState]:
        """How each partition stands that is read, or would be if it could."""
        return self._finder.unread() | {each.name: each.state() for each in list(self._partitions.values())}

    def keep(self, marks: Mapping[str, Mark]) -> None:
        """Commit the oldest open offset of every partition, with its watermark as the commit's metadata."""
        if not self._client.is_connected or self._is_closed or self._broken is not None:
            return
        by_name = {each.name: each.tp for each in self._partitions.values()}
        self._commits.note({by_name[name]: mark for name, mark in marks.items() if name in by_name})

    def lag(self) -> int | None:
        """Messages that are known to wait; None before the brokers said it."""
        known = [max(0, each.end - each.offset) for each in self._partitions.values() if each.end is not None]
        is_known = known or (self._has_opened and not self.partitions())
        return sum(known) if is_known else None

    def progress(self) -> tuple[int, int | None]:
        """Messages handed over, of those that are known; more may follow."""
        lag, done = self.lag(), self._rounds.done
        return done, None if lag is None else done + lag

    def close(self, timeout_seconds: float) -> None:
        """Leave the group, and let go of the brokers, after the answer to the last commit if it comes in time."""
        if self._client.is_connected and not self._is_closed:
            self._client.close(max(0.1, min(timeout_seconds, limits.CLOSE_SECONDS)), self._monotonic)
            for each in self._partitions.values():
                self._lose(each.name)
        self._is_closed = True

    def _let_go(self, tp: TopicPartition) -> None:
        self._commits.forget(tp)
        self._lose(partition_name(*tp))

    def _said(self, error: BaseException) -> str:
        return f"{self._brokers}: {reason_of(error)}"
