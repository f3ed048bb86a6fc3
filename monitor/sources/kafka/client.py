"""The consumer of kafka-python 3.0.12 as a source uses it, with what it takes to have it do what it should.

Only this module and `group.py` look into it; each place says why.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kafka import KafkaConsumer
from kafka.errors import IllegalStateError, KafkaTimeoutError

from monitor.kafka.names import partition_name
from monitor.sources.kafka import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from kafka import TopicPartition
    from kafka.consumer.fetcher import ConsumerRecord
    from kafka.structs import OffsetAndMetadata

    from monitor.kafka.connection import KafkaConnection

    Offsets = dict[TopicPartition, int]


class Client:
    """One consumer of some brokers.

    All but `consumer` raises what kafka-python raises: KafkaError, or OSError.

    Args:
        connection: how the brokers are reached.
        group: by which name positions are committed.
        session_seconds: the group shares the partitions out, and gives ours to others after so long without a sign of
            life; None: they are not shared.
    """

    def __init__(self, connection: KafkaConnection, group: str, session_seconds: float | None) -> None:
        self._connection, self._group, self._session_seconds = connection, group, session_seconds
        self._consumer: KafkaConsumer | None = None
        self._commit: Any = None

    def connect(self) -> None:
        """Find a first broker; also raises KafkaConnectionError."""
        self._consumer = KafkaConsumer(**self._options())
        # The client forgets its own option, and would make topics anew that were deleted.
        self._consumer._cluster.config["allow_auto_create_topics"] = False  # noqa: SLF001 - there is no other way

    @property
    def is_connected(self) -> bool:
        """Whether a first broker was found, even if it was closed since."""
        return self._consumer is not None

    @property
    def consumer(self) -> KafkaConsumer:
        """The library's own."""
        if self._consumer is None:
            raise RuntimeError("the source is not open")
        return self._consumer

    def topics(self) -> set[str]:
        """All that are there."""
        return set(self.consumer.topics())

    def numbers_of(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions, in order."""
        return sorted(self.consumer.partitions_for_topic(topic) or ())

    def is_led(self, tp: TopicPartition) -> bool:
        """Whether somebody leads a partition, as far as is known."""
        return self.consumer._cluster.leader_for_partition(tp) not in (None, -1)  # noqa: SLF001 - no other way

    def bounds(self, tps: Sequence[TopicPartition]) -> tuple[Offsets, Offsets]:
        """Of each partition the first offset that is there, and the first that is not there yet.

        Raises:
            KafkaTimeoutError: of one it cannot be had.
        """
        begins = _asked(self.consumer.beginning_offsets, tps, limits.ANSWER_SECONDS)
        return begins, _asked(self.consumer.end_offsets, tps, limits.ANSWER_SECONDS)

    def known_ends(self, tps: Sequence[TopicPartition]) -> Offsets:
        """The first offset that is not there yet, of each partition whose broker answers."""
        ask = self.consumer.end_offsets
        try:
            return _asked(ask, tps, limits.ANSWER_SECONDS)
        except KafkaTimeoutError:
            if len(tps) == 1:
                return {}
        ends: Offsets = {}
        for tp in tps:  # of several brokers one may be gone
            try:
                ends |= _asked(ask, [tp], limits.ANSWER_SECONDS / len(tps))
            except KafkaTimeoutError:
                continue
        return ends

    def offsets_at(self, tps: Sequence[TopicPartition], moment: datetime) -> Offsets:
        """The first message since a moment, by the time stamps of messages, of each partition that has one."""
        since_ms = int(moment.timestamp() * 1_000)
        found = self.consumer.offsets_for_times(dict.fromkeys(tps, since_ms), timeout_ms=_ms(limits.ANSWER_SECONDS))
        return {tp: found[tp].offset for tp in tps if found.get(tp) is not None}

    def read_only(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read these partitions and no others, each from an offset on."""
        self.consumer.assign(list(offsets))
        for tp, offset in offsets.items():
            self.consumer.seek(tp, offset)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read a partition from an offset on."""
        self._of_ours(self.consumer.seek, tp, offset)

    def pause(self, tp: TopicPartition) -> None:
        """Fetch no more of a partition."""
        self._of_ours(self.consumer.pause, tp)

    def resume(self, tp: TopicPartition) -> None:
        """Fetch a partition again."""
        self._of_ours(self.consumer.resume, tp)

    def position(self, tp: TopicPartition) -> int | None:
        """The offset from which a partition is read on; None if it is not known, or not ours any more."""
        position: int | None = self._of_ours(self.consumer.position, tp, _ms(limits.ANSWER_SECONDS))
        return position

    @property
    def is_raising(self) -> bool:
        """Whether there is an error that the client has still to raise: it forgets it if its partition is paused."""
        return self.consumer._fetcher._next_in_line_exception_metadata is not None  # noqa: SLF001 - no other way

    def fetch(self, wait_ms: int) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """What has come, at once if there is something."""
        self._mend()
        fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]
        fetched = self.consumer.poll(timeout_ms=wait_ms, max_records=limits.FETCHED_AT_ONCE)
        return fetched

    def commit(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata],
        answered: Callable[[Mapping[TopicPartition, OffsetAndMetadata], object], None],
    ) -> None:
        """Commit offsets without waiting for it; `answered` is told of it by a thread of the client."""
        self._commit = self.consumer.commit_async(offsets, callback=answered)

    def close(self, within_seconds: float, monotonic: Callable[[], float]) -> None:
        """Leave the group, and let go of the brokers, after the answer to the last commit if it comes in time."""
        each_seconds = within_seconds / 2
        ends_at = monotonic() + each_seconds
        while self._commit is not None and not self._commit.is_done and monotonic() < ends_at:
            time.sleep(limits.FETCH_WAIT_MS / 1_000)
        # The client leaves connections open that have something to send.
        wires = [wire.transport for wire in list(self.consumer._client._manager._conns.values())]  # noqa: SLF001
        self.consumer.close(autocommit=False, timeout_ms=_ms(each_seconds))
        for wire in wires:
            if wire is not None and wire._sock is not None:  # noqa: SLF001 - there is no other way
                wire._sock.close()  # noqa: SLF001

    def _options(self) -> dict[str, Any]:
        options = self._connection.client_options() | {
            "group_id": self._group,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",  # what a producer took back never happened
            "allow_auto_create_topics": False,
            "bootstrap_timeout_ms": _ms(limits.CONNECT_SECONDS),
            "request_timeout_ms": limits.REQUEST_MS,
            "fetch_max_wait_ms": 250,
            "max_partition_fetch_bytes": limits.PARTITION_FETCH_BYTES,
            "metadata_max_age_ms": _ms(limits.DISCOVER_SECONDS),
            "metrics_enabled": False,
        }
        if self._session_seconds is not None:
            options |= {
                "session_timeout_ms": _ms(self._session_seconds),
                "heartbeat_interval_ms": _ms(self._session_seconds / 5),
                "max_poll_interval_ms": _ms(max(limits.POLL_SECONDS, self._session_seconds)),
            }
        return options

    def _of_ours(self, ask: Callable[..., Any], tp: TopicPartition, *more: object) -> Any:  # noqa: ANN401 - no types
        """Ask about a partition; None if the group has taken it meanwhile, which the next change says."""
        try:
            return ask(tp, *more)
        except (KeyError, IllegalStateError):
            if self._session_seconds is None:
                raise
            return None

    def _mend(self) -> None:
        """Have the client hand over what it holds of partitions that were paused, and are not any more.

        It looks for them only where its records in line are None, and leaves the emptied ones of another partition
        there: without this a resumed partition brings nothing more, for ever.
        """
        fetcher = self.consumer._fetcher  # noqa: SLF001 - there is no other way
        if not fetcher._next_partition_records:  # noqa: SLF001
            fetcher._next_partition_records = None  # noqa: SLF001


def _asked(
    ask: Callable[[Sequence[TopicPartition], int], Offsets], tps: Sequence[TopicPartition], seconds: float
) -> Offsets:
    """Offsets of all of these partitions; KafkaTimeoutError if one cannot be had within that time."""
    try:
        return dict(ask(tps, _ms(seconds)))
    except KeyError as error:
        # The client does not ask for partitions that nobody leads, and then misses them.
        raise KafkaTimeoutError(f"nobody leads {partition_name(*error.args[0])}") from error


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
