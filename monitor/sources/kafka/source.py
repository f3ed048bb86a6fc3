"""Events from Kafka topics: all partitions of them, or those that a consumer group gives to this process.

A message holds one event, or several as NDJSON; its key and its headers are not trusted, and not looked at. Where to
go on is said by who opens the source; what it commits to the group's name is for people who watch the lag, and for a
group's next owner of a partition.

Messages are handed over in rounds, as `Source.partitions` says: one look at the ends of all partitions, then
everything before those ends, then the next look. Between rounds the look also shows whether the brokers still answer:
a fetch that brings nothing looks the same with a broker that is gone.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import (
    CorruptRecordError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    LogTruncationError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata

from monitor.kafka.connection import KafkaConnectionError, reason_of
from monitor.kafka.names import partition_name
from monitor.sources.base import LINES_A_MESSAGE, PartitionState, RawBatch, Source, SourceError
from monitor.sources.kafka.group import Membership
from monitor.sources.kafka.lines import count_of, lines_of, wholes_of
from monitor.sources.kafka.topics import corrupt_at, mark_text, stream_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kafka.consumer.fetcher import ConsumerRecord

    from monitor.kafka.connection import KafkaConnection
    from monitor.sources.base import Mark
    from monitor.sources.kafka.group import Claim
    from monitor.sources.kafka.topics import Topics

CONNECT_SECONDS: Final = 5.0
"""How long a broker may take to answer at first."""
ANSWER_SECONDS: Final = 2.0
"""How long brokers may take to say how far their partitions go."""
LOST_SECONDS: Final = 10.0
"""Brokers that have not said it for so long are gone: the source has broken."""
ROUND_SECONDS: Final = 0.02
"""From one look at the ends to the next, at least."""
STALL_SECONDS: Final = 2.0
"""A round that brings nothing for so long is given up: the leader of a partition may be gone, and others go on."""
IDLE_ROUND_SECONDS: Final = 0.5
"""The same while nothing comes: then it shows whether the brokers are still there."""
POLL_SECONDS: Final = 60.0
"""A member of a group that does not poll for so long is none any more, and holds up no rebalance."""
OUTSIDE_SECONDS: Final = 90.0
"""So long at most a rebalance may take; then the source is connected anew."""
DISCOVER_SECONDS: Final = 5.0
"""From one look for new topics and partitions to the next."""
CLOSE_SECONDS: Final = 1.0
_FETCH_WAIT_MS: Final = 10
_JOIN_WAIT_MS: Final = 250
"""The client throws away a membership that it was given between two polls, and joins again (kafka-python 3.0.12): while
it joins it is polled without a break, or it would do so dozens of times, and all members of the group with it."""
_BUFFERED_RECORDS: Final = 20_000
"""While so many messages of a partition wait for others of their round, no more of it are fetched."""
_BUFFERED_IN_ALL: Final = 200_000
_LEAST_BUFFERED: Final = 500
_BUFFERED_BYTES: Final = 64 << 20
"""About so many messages, and bytes, wait so in all partitions together."""
_FETCHED_AT_ONCE: Final = 10_000
_REQUEST_MS: Final = 5_000
_PARTITION_FETCH_BYTES: Final = 4 << 20

Start = Literal["earliest", "latest"] | datetime

_log = structlog.get_logger(__name__)


class _Partition:
    """One partition that is read: how far, and what was fetched of it and not handed over yet."""

    def __init__(self, tp: TopicPartition, stream: str | None, position: int, generation: int | None) -> None:
        self.tp, self.stream, self.generation = tp, stream, generation
        self.name = partition_name(*tp)
        self.next_position = position
        self.fetched: deque[ConsumerRecord] = deque()
        self.fetched_bytes = 0
        self.fetched_to = position // LINES_A_MESSAGE
        self.round_end: int | None = None
        self.end: int | None = None
        self.lost = self.empty = 0
        self.is_paused = False

    @property
    def offset(self) -> int:
        """The first message of which not everything was handed over."""
        return self.fetched[0].offset if self.fetched else self.fetched_to

    @property
    def is_behind(self) -> bool:
        """Whether something of the round is still to be handed over."""
        return self.round_end is None or self.offset < self.round_end

    @property
    def has_more_of_round(self) -> bool:
        """Whether something was fetched that can be handed over now."""
        return self.round_end is not None and bool(self.fetched) and self.fetched[0].offset < self.round_end

    def state(self) -> PartitionState:
        """As others are told."""
        return PartitionState(
            self.next_position, self.offset, self.end, self.is_behind, self.lost, self.empty, self.generation
        )


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
        self._connection, self._topics, self._group = connection, topics, group
        self._stream, self._start = stream, start
        self._payloads_of = lines_of if has_lines else wholes_of
        self._count: Callable[[bytes | None], int] = count_of if has_lines else _one
        self._lose = lose
        self._claim, self._session_seconds, self._monotonic = claim, session_seconds, monotonic
        self._consumer: KafkaConsumer | None = None
        self._membership: Membership | None = None
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._resume: dict[str, int] = {}
        self._done = 0
        self._is_closed = False
        self._broken: str | None = None
        self._has_opened = False
        self._answered_at = self._looked_at = self._discovered_at = self._handed_over_at = 0.0
        self._committed: dict[TopicPartition, OffsetAndMetadata] = {}
        self._commit: Any = None
        self._corrupt: dict[TopicPartition, int] = {}
        self._told_missing: set[str] = set()

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Connect, find the partitions and begin to fetch.

        Args:
            resume: see `Source.open`.

        Raises:
            SourceError: no broker answers; or a partition ends before the position that is wanted: it is another
                one by the same name, or has lost its end.
        """
        if self._consumer is not None or self._is_closed:
            raise RuntimeError("a KafkaSource is opened once")
        self._resume = dict(resume or {})
        options = self._options()
        try:
            self._consumer = KafkaConsumer(**options)
            # The client forgets its own option (kafka-python 3.0.12), and would make topics anew that were deleted.
            self._consumer._cluster.config["allow_auto_create_topics"] = False  # noqa: SLF001 - there is no other way
            if self._claim is not None:
                self._membership = Membership(self._consumer, self._topics)
            else:
                self._discover()
        except (KafkaError, KafkaConnectionError, OSError) as error:
            raise SourceError(self._said(error)) from error
        self._has_opened = True
        self._answered_at = self._monotonic()

    def poll(self, max_records: int) -> RawBatch | None:
        """The next payloads of one partition; it waits at most a few milliseconds for the brokers."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if self._consumer is None or self._is_closed:
            raise RuntimeError("a KafkaSource is polled between open and close")
        if self._broken is not None:
            raise SourceError(self._broken)
        try:
            return self._next(max_records)
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
        """How each partition that is read stands."""
        return {each.name: each.state() for each in list(self._partitions.values())}

    def keep(self, marks: Mapping[str, Mark]) -> None:
        """Commit the oldest open offset of every partition, with its watermark as the commit's metadata."""
        if self._consumer is None or self._is_closed or self._broken is not None:
            return
        offsets = {
            each.tp: OffsetAndMetadata(mark.position // LINES_A_MESSAGE, mark_text(mark), -1)
            for each in self._partitions.values()
            if (mark := marks.get(each.name)) is not None
        }
        new = {tp: offset for tp, offset in offsets.items() if self._committed.get(tp) != offset}
        if new:
            self._committed |= new
            self._commit = self._consumer.commit_async(new, callback=self._on_committed)

    def lag(self) -> int | None:
        """Messages that are known to wait; None before the brokers said it."""
        known = [max(0, each.end - each.offset) for each in self._partitions.values() if each.end is not None]
        is_known = known or (self._has_opened and not self._partitions)
        return sum(known) if is_known else None

    def progress(self) -> tuple[int, int | None]:
        """Messages handed over, of those that are known; more may follow."""
        lag = self.lag()
        return self._done, None if lag is None else self._done + lag

    def close(self, timeout_seconds: float) -> None:
        """Leave the group, and let go of the brokers, after the answer to the last commit if it comes in time."""
        if self._consumer is not None and not self._is_closed:
            within = max(0.05, min(timeout_seconds, CLOSE_SECONDS) / 2)
            ends_at = self._monotonic() + within
            while self._commit is not None and not self._commit.is_done and self._monotonic() < ends_at:
                time.sleep(_FETCH_WAIT_MS / 1_000)
            _close(self._consumer, within)
            for each in self._partitions.values():
                self._lose(each.name)
        self._is_closed = True

    def _options(self) -> dict[str, object]:
        options: dict[str, object] = self._connection.client_options() | {
            "group_id": self._group,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "isolation_level": "read_committed",  # what a producer took back never happened
            "allow_auto_create_topics": False,
            "bootstrap_timeout_ms": int(CONNECT_SECONDS * 1_000),
            "request_timeout_ms": _REQUEST_MS,
            "fetch_max_wait_ms": 250,
            "max_partition_fetch_bytes": _PARTITION_FETCH_BYTES,
            "metadata_max_age_ms": int(DISCOVER_SECONDS * 1_000),
            "metrics_enabled": False,
        }
        if self._claim is not None:
            options |= {
                "session_timeout_ms": int(self._session_seconds * 1_000),
                "heartbeat_interval_ms": int(self._session_seconds * 1_000 / 5),
                "max_poll_interval_ms": _ms(max(POLL_SECONDS, self._session_seconds)),
            }
        return options

    def _next(self, max_records: int) -> RawBatch | None:
        now = self._monotonic()
        if self._membership is not None:
            self._follow_group(self._membership)
        elif now - self._discovered_at >= DISCOVER_SECONDS:
            self._discover()
        self._fetch()
        if self._is_round_due(now) and self._is_round_over(now):
            self._begin_round()
        return self._hand_over(max_records)

    @property
    def _opened(self) -> KafkaConsumer:
        if self._consumer is None:
            raise RuntimeError("the source is not open")
        return self._consumer

    def _discover(self) -> None:
        """Read the partitions that are there, and were not when it was looked last."""
        consumer = self._opened
        self._discovered_at = self._monotonic()
        there = consumer.topics()
        if gone := sorted({tp.topic for tp in self._partitions} - there):
            raise SourceError(f"{', '.join(gone)}: there is no such topic any more")
        for topic in self._topics.missing(there):
            if topic not in self._told_missing:
                self._told_missing.add(topic)
                _log.warning(
                    "there is no such topic yet; it is read as soon as there is", source=self.name, topic=topic
                )
        found = (
            TopicPartition(topic, number)
            for topic in self._topics.among(there)
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        )
        new = [tp for tp in found if tp not in self._partitions]
        if not new:
            return
        new, begins, ends = self._led(new)
        if not new:
            return
        unread = [tp for tp in new if partition_name(*tp) not in self._resume]
        firsts = self._starts(unread, begins, ends) | {
            tp: self._resume[partition_name(*tp)] for tp in new if partition_name(*tp) in self._resume
        }
        for tp in new:
            self._add(tp, firsts[tp], begins[tp], ends[tp], None)
        consumer.assign(list(self._partitions))
        for each in self._partitions.values():
            each.is_paused = False
            consumer.seek(each.tp, each.fetched_to)
        if self._has_opened:
            _log.info("new partitions are read", source=self.name, partitions=[partition_name(*tp) for tp in new])

    def _follow_group(self, membership: Membership) -> None:
        """Take on what the group gave, from where the claim says, and let go of what it took."""
        consumer, claim = self._opened, self._claim
        if claim is None:
            return
        outside = membership.outside_seconds(self._monotonic())
        if outside >= OUTSIDE_SECONDS:
            raise SourceError(f"{self._group}: not let into the group for {outside:.0f} s")
        for change in membership.changes():
            if not change.is_ours:
                for tp in change.partitions:
                    self._partitions.pop(tp, None)
                    self._committed.pop(tp, None)
                    self._lose(partition_name(*tp))
                _log.info("partitions were taken", source=self.name, partitions=_names(change.partitions))
                continue
            tps = list(change.partitions)
            claimed = {tp: claim(partition_name(*tp), change.generation) for tp in tps}
            begins, ends = self._ends_of(tps) if tps else ({}, {})
            unread = [tp for tp in tps if claimed[tp] is None]
            firsts = self._starts(unread, begins, ends) | {tp: at for tp, at in claimed.items() if at is not None}
            for tp in tps:
                each = self._add(tp, firsts[tp], begins[tp], ends[tp], change.generation)
                self._of_ours(consumer.seek, tp, each.fetched_to)
                self._of_ours(consumer.resume, tp)
            _log.info(
                "partitions were given", source=self.name, generation=change.generation, partitions=_names(tps)
            )  # fmt: skip

    def _add(self, tp: TopicPartition, position: int, begin: int, end: int, generation: int | None) -> _Partition:
        """Read a partition from a position, if it is there.

        Raises:
            SourceError: the partition ends before it.
        """
        each = _Partition(tp, self._stream or stream_of(tp.topic), position, generation)
        self._partitions[tp] = each
        if each.fetched_to > end:
            raise SourceError(
                f"{each.name} ends at offset {end}, and it was read up to {each.fetched_to} before: the topic was made"
                " anew, or has lost its end; begin with a fresh state (and a new group), or give the topic another name"
            )
        if each.fetched_to < begin:
            self._skip_lost(each, begin)
        return each

    def _led(
        self, tps: list[TopicPartition]
    ) -> tuple[list[TopicPartition], dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Those of the partitions that somebody leads, with their ends; others are still new at the next look."""
        try:
            return tps, *self._ends_of(tps)
        except KafkaTimeoutError:
            if len(tps) == 1 and not self._has_opened:
                raise
        led: list[TopicPartition] = []
        begins: dict[TopicPartition, int] = {}
        ends: dict[TopicPartition, int] = {}
        for tp in tps:
            try:
                begin, end = self._ends_of([tp])
            except KafkaTimeoutError as error:
                _log.warning("a partition cannot be read now", partition=partition_name(*tp), error=reason_of(error))
                continue
            led.append(tp)
            begins |= begin
            ends |= end
        if not led and not self._has_opened:
            raise KafkaTimeoutError("no partition has a leader that answers")
        return led, begins, ends

    def _starts(
        self, tps: Sequence[TopicPartition], begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """The first positions of partitions that were never read; one that appears later is begun at its beginning."""
        # What was not there when others of its source were read for the first time has appeared since.
        topics = {name.rpartition("/")[0] for name in self._resume}
        was_read = self._has_opened or bool(self._topics.among(topics))
        appeared = was_read and self._membership is None
        if self._start == "earliest" or appeared or not tps:
            offsets = {tp: begins[tp] for tp in tps}
        elif self._start == "latest":
            offsets = {tp: ends[tp] for tp in tps}
        else:
            since_ms = int(self._start.timestamp() * 1_000)
            found = self._opened.offsets_for_times(dict.fromkeys(tps, since_ms), timeout_ms=_ms(ANSWER_SECONDS))
            offsets = {tp: ends[tp] if found.get(tp) is None else found[tp].offset for tp in tps}
        return {tp: offset * LINES_A_MESSAGE for tp, offset in offsets.items()}

    def _ends_of(self, tps: Sequence[TopicPartition]) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """The first offset that is there, and the first that is not there yet."""
        consumer = self._opened
        return _asked(consumer.beginning_offsets, tps, ANSWER_SECONDS), _asked(
            consumer.end_offsets, tps, ANSWER_SECONDS
        )

    def _fetch(self) -> None:
        """Take what the brokers have sent, and go on fetching what is not held up."""
        consumer = self._opened
        # An error that the client has still to raise it forgets if its partition is paused, and then never returns.
        is_raising = consumer._fetcher._next_in_line_exception_metadata is not None  # noqa: SLF001
        count = max(1, len(self._partitions))
        most = min(_BUFFERED_RECORDS, max(_LEAST_BUFFERED, _BUFFERED_IN_ALL // count))
        most_bytes = max(_PARTITION_FETCH_BYTES, _BUFFERED_BYTES // count)
        for each in self._partitions.values():
            is_full = len(each.fetched) >= most or each.fetched_bytes >= most_bytes
            if is_full != each.is_paused and not is_raising:
                each.is_paused = is_full
                self._of_ours(consumer.pause if is_full else consumer.resume, each.tp)
        _mend(consumer)
        try:
            # What is in hand does not wait for what is not.
            wait_ms = 0 if any(each.has_more_of_round for each in self._partitions.values()) else _FETCH_WAIT_MS
            if self._membership is not None:
                self._membership.hear_of_joins()
                if self._membership.is_joining:
                    wait_ms = _JOIN_WAIT_MS
            fetched = consumer.poll(timeout_ms=wait_ms, max_records=_FETCHED_AT_ONCE)
        except OffsetOutOfRangeError as error:
            self._go_on_after(error)
            return
        except CorruptRecordError as error:
            self._step_over(error)
            return
        except LogTruncationError as error:
            cut = ", ".join(_names(list(error.divergent_offsets)))
            raise SourceError(
                f"{cut} has lost its end, or the topic was made anew; begin with a fresh state, or give the topic"
                " another name"
            ) from error
        for tp, records in fetched.items():
            each_ = self._partitions.get(tp)
            if each_ is not None:
                each_.fetched.extend(records)
                each_.fetched_bytes += sum(record.serialized_value_size for record in records)
                each_.fetched_to = records[-1].offset + 1

    def _of_ours(self, ask: Callable[..., Any], tp: TopicPartition, *more: object) -> Any:  # noqa: ANN401
        """Ask the client about a partition; None if the group has taken it meanwhile, which the next change says."""
        try:
            return ask(tp, *more)
        except (KeyError, IllegalStateError):
            if self._membership is None:
                raise
            return None

    def _go_on_after(self, error: OffsetOutOfRangeError) -> None:
        """Some messages were gone before they could be read."""
        tps = [tp for tp in error.args[0] if tp in self._partitions]
        begins, ends = self._ends_of(tps)
        for tp in tps:
            each = self._partitions[tp]
            if each.fetched_to > ends[tp]:
                raise SourceError(
                    f"{each.name} ends at offset {ends[tp]}, and it was read up to {each.fetched_to}: the topic was"
                    " made anew, or has lost its end; begin with a fresh state, or give the topic another name"
                ) from error
            if each.fetched_to < begins[tp]:
                self._skip_lost(each, begins[tp])
            self._of_ours(self._opened.seek, tp, each.fetched_to)

    def _skip_lost(self, each: _Partition, begin: int) -> None:
        lost = begin - each.fetched_to
        each.lost += lost
        _log.error(
            "messages were gone before they could be read: the topic keeps them for too short a time",
            source=self.name, partition=each.name, first_offset=each.fetched_to, last_offset=begin - 1, count=lost,
        )  # fmt: skip
        each.fetched_to = begin
        if not each.fetched:  # else what was fetched before is handed over first
            each.next_position = max(each.next_position, begin * LINES_A_MESSAGE)

    def _step_over(self, error: CorruptRecordError) -> None:
        """A batch does not match its check sum: it is stepped over message by message, for its length is in doubt."""
        found = corrupt_at(error)
        each = self._partitions.get(TopicPartition(found[0], found[1])) if found else None
        if found is None or each is None:
            raise SourceError(self._said(error)) from error
        begin = max(found[2], each.fetched_to) + 1
        if self._corrupt.get(each.tp) != found[2]:
            self._corrupt[each.tp] = found[2]
            _log.error(
                "messages do not match their check sum, and are stepped over",
                source=self.name, partition=each.name, first_offset=found[2],
            )  # fmt: skip
        each.lost += 1
        each.fetched_to = begin
        self._of_ours(self._opened.seek, each.tp, begin)

    def _is_round_over(self, now: float) -> bool:
        """Whether everything before the ends of the round was handed over, or cannot be had."""
        if now - max(self._looked_at, self._handed_over_at) >= STALL_SECONDS:
            return True
        for each in self._partitions.values():
            if each.round_end is None or each.offset >= each.round_end:
                continue
            if each.fetched:
                return False
            # What is no message (the end of a transaction, what compaction took) has an offset too.
            position = self._of_ours(self._opened.position, each.tp, _ms(ANSWER_SECONDS))
            each.fetched_to = max(each.fetched_to, position or 0)
            if each.offset < each.round_end:
                return False
        return True

    def _is_round_due(self, now: float) -> bool:
        """Whether there is a reason for another look: something beyond the round, a new partition, or time."""
        waiting = any(each.fetched or each.round_end is None for each in self._partitions.values())
        return now >= self._looked_at + (ROUND_SECONDS if waiting else IDLE_ROUND_SECONDS)

    def _begin_round(self) -> None:
        """Look how far all partitions go.

        Raises:
            SourceError: no broker has said it for `LOST_SECONDS`.
        """
        tps = list(self._partitions)
        ends = self._look(tps) if tps else {}
        now = self._looked_at = self._monotonic()
        if ends or not tps:
            self._answered_at = now
        elif now - self._answered_at >= LOST_SECONDS:
            brokers = ", ".join(self._connection.brokers)
            raise SourceError(f"{brokers}: no broker has answered for {now - self._answered_at:.0f} s")
        for tp, each in self._partitions.items():
            each.round_end = each.end = ends.get(tp)

    def _look(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The end of each partition whose broker answers."""
        consumer = self._opened
        try:
            return _asked(consumer.end_offsets, tps, ANSWER_SECONDS)
        except KafkaTimeoutError:
            if len(tps) == 1:
                return {}
        ends: dict[TopicPartition, int] = {}
        for tp in tps:  # of several brokers one may be gone
            try:
                ends |= _asked(consumer.end_offsets, [tp], ANSWER_SECONDS / len(tps))
            except KafkaTimeoutError:
                continue
        return ends

    def _hand_over(self, max_records: int) -> RawBatch | None:
        """The next payloads of the round, of each partition in its turn."""
        for _ in range(len(self._partitions)):
            tp, each = next(iter(self._partitions.items()))
            self._partitions[tp] = self._partitions.pop(tp)
            batch = self._batch_of(each, max_records)
            if batch is not None:
                self._handed_over_at = self._monotonic()
                return batch
        return None

    def _batch_of(self, each: _Partition, max_records: int) -> RawBatch | None:
        taken: list[ConsumerRecord] = []
        fetched, end = each.fetched, each.round_end or 0
        lines = 0
        while fetched and lines < max_records and fetched[0].offset < end:
            taken.append(fetched.popleft())
            each.fetched_bytes -= taken[-1].serialized_value_size
            lines += self._count(taken[-1].value)
        if not taken:
            return None
        self._done += len(taken)
        positions, payloads, empty = self._payloads_of(taken)
        each.empty += empty
        first = bisect_left(positions, each.next_position)
        upto = min(len(positions), first + max_records)
        each.next_position = (taken[-1].offset + 1) * LINES_A_MESSAGE
        if upto < len(positions):
            # The rest of a message of several waits for the next batch.
            each.next_position = positions[upto]
            rest = [record for record in taken if record.offset >= positions[upto] // LINES_A_MESSAGE]
            fetched.extendleft(reversed(rest))
            each.fetched_bytes += sum(record.serialized_value_size for record in rest)
            self._done -= len(rest)
            each.empty -= sum(record.value is None for record in rest)
        if upto <= first:
            return None
        return RawBatch(
            self.name, each.stream, each.name, positions[first:upto], payloads[first:upto],
            of_messages=True, generation=each.generation,
        )  # fmt: skip

    def _on_committed(self, offsets: Mapping[TopicPartition, OffsetAndMetadata], answer: object) -> None:
        """Called by a thread of the client."""
        if isinstance(answer, Exception):
            # The next marks are tried again; nothing depends on these but what is seen of the lag.
            for tp, offset in offsets.items():
                if self._committed.get(tp) == offset:
                    self._committed.pop(tp, None)
            _log.debug("offsets could not be committed", source=self.name, error=reason_of(answer))

    def _said(self, error: BaseException) -> str:
        return f"{', '.join(self._connection.brokers)}: {reason_of(error)}"


def _asked(
    ask: Callable[[Sequence[TopicPartition], int], dict[TopicPartition, int]],
    tps: Sequence[TopicPartition],
    seconds: float,
) -> dict[TopicPartition, int]:
    """Offsets of all of these partitions; KafkaTimeoutError if one cannot be had within that time."""
    try:
        return dict(ask(tps, _ms(seconds)))
    except KeyError as error:
        # The client does not ask for partitions that nobody leads, and then misses them.
        raise KafkaTimeoutError(f"nobody leads {_names(error.args)[0]}") from error


def _close(consumer: KafkaConsumer, within: float) -> None:
    """Close the client, and the connections that it leaves open: those with something to send (kafka-python 3.0.12)."""
    wires = [wire.transport for wire in list(consumer._client._manager._conns.values())]  # noqa: SLF001
    consumer.close(autocommit=False, timeout_ms=_ms(within))
    for wire in wires:
        if wire is not None and wire._sock is not None:  # noqa: SLF001 - there is no other way
            wire._sock.close()  # noqa: SLF001


def _one(_: bytes | None) -> int:
    return 1


def _mend(consumer: KafkaConsumer) -> None:
    """Have the client hand over what it holds of partitions that were paused, and are not any more.

    It looks for them only where its records in line are None, and leaves the emptied ones of another partition there:
    without this a resumed partition brings nothing more, for ever (kafka-python 3.0.12).
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - there is no other way
    if not fetcher._next_partition_records:  # noqa: SLF001
        fetcher._next_partition_records = None  # noqa: SLF001


def _names(tps: Sequence[TopicPartition]) -> list[str]:
    return [partition_name(*tp) for tp in tps]


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
