"""Fetching: what the brokers have sent, no more than is handed over soon, and what they have not any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import structlog
from kafka import TopicPartition
from kafka.errors import CorruptRecordError, LogTruncationError, OffsetOutOfRangeError

from monitor.kafka.names import partition_name
from monitor.sources.base import SourceError
from monitor.sources.kafka import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.sources.kafka.client import Client
    from monitor.sources.kafka.group import Membership
    from monitor.sources.kafka.partition import ReadPartition

_log = structlog.get_logger(__name__)


class Fetching:
    """Fetches what is read.

    Args:
        name: the source's.
        client: fetches.
        partitions: those that are read.
    """

    def __init__(self, name: str, client: Client, partitions: Mapping[TopicPartition, ReadPartition]) -> None:
        self._name, self._client, self._partitions = name, client, partitions
        self._corrupt: dict[TopicPartition, int] = {}

    def fetch(self, membership: Membership | None) -> None:
        """Take what the brokers have sent, and go on fetching what is not held up.

        Args:
            membership: in the group that shares the partitions out, if one does.

        Raises:
            SourceError: a partition has lost its end, or is another one by the same name.
            CorruptRecordError: a record cannot be read, and it does not say which.
        """
        self._hold_up()
        # What is in hand does not wait for what is not.
        wait_ms = 0 if any(each.has_more_of_round for each in self._partitions.values()) else limits.FETCH_WAIT_MS
        if membership is not None:
            membership.hear_of_joins()
            if membership.is_joining:
                wait_ms = limits.JOIN_WAIT_MS
        try:
            fetched = self._client.fetch(wait_ms)
        except OffsetOutOfRangeError as error:
            self._go_on_after(error)
            return
        except CorruptRecordError as error:
            self._step_over(error)
            return
        except LogTruncationError as error:
            cut = ", ".join(partition_name(*tp) for tp in error.divergent_offsets)
            raise SourceError(
                f"{cut} has lost its end, or the topic was made anew; begin with a fresh state, or give the topic"
                " another name"
            ) from error
        for tp, records in fetched.items():
            each = self._partitions.get(tp)
            if each is not None:
                each.add(records)

    def _hold_up(self) -> None:
        """Fetch no more of partitions of which much waits, and again of those of which it does no longer."""
        if self._client.is_raising:
            return
        count = max(1, len(self._partitions))
        most = min(limits.BUFFERED_RECORDS, max(limits.LEAST_BUFFERED, limits.BUFFERED_IN_ALL // count))
        most_bytes = max(limits.PARTITION_FETCH_BYTES, limits.BUFFERED_BYTES // count)
        for each in self._partitions.values():
            is_full = len(each.fetched) >= most or each.fetched_bytes >= most_bytes
            if is_full != each.is_paused:
                each.is_paused = is_full
                (self._client.pause if is_full else self._client.resume)(each.tp)

    def _go_on_after(self, error: OffsetOutOfRangeError) -> None:
        """Some messages were gone before they could be read."""
        tps = [tp for tp in error.args[0] if tp in self._partitions]
        begins, ends = self._client.bounds(tps)
        for tp in tps:
            each = self._partitions[tp]
            each.fit(begins[tp], ends[tp])
            self._client.seek(tp, each.fetched_to)

    def _step_over(self, error: CorruptRecordError) -> None:
        """A batch does not match its check sum: it is stepped over message by message, for its length is in doubt."""
        found = corrupt_at(error)
        each = self._partitions.get(TopicPartition(found[0], found[1])) if found else None
        if found is None or each is None:
            raise error
        begin = max(found[2], each.fetched_to) + 1
        if self._corrupt.get(each.tp) != found[2]:
            self._corrupt[each.tp] = found[2]
            _log.error(
                "messages do not match their check sum, and are stepped over",
                source=self._name, partition=each.name, first_offset=found[2],
            )  # fmt: skip
        each.lost += 1
        each.fetched_to = begin
        self._client.seek(each.tp, begin)


def corrupt_at(error: BaseException) -> tuple[str, int, int] | None:
    """Topic, partition and offset of a record batch that does not match its check sum, out of the client's sentence."""
    found = re.search(r"topic='([^']+)', partition=(\d+)\D+ at offset (\d+) failed crc", str(error))
    return (found[1], int(found[2]), int(found[3])) if found else None
