"""One partition that is read: how far, and what was fetched of it and not handed over yet."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING

import structlog

from monitor.kafka.names import partition_name
from monitor.sources.base import LINES_A_MESSAGE, PartitionState, RawBatch, SourceError
from monitor.sources.kafka.lines import count_of, lines_of, wholes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafka import TopicPartition
    from kafka.consumer.fetcher import ConsumerRecord

_log = structlog.get_logger(__name__)


class ReadPartition:
    """A partition that is read.

    Args:
        source: the source's name.
        tp: which partition.
        stream: the contract of its events; None: each says its own.
        position: the first that is wanted.
        generation: of the group that gave it to us; None: it is not shared.
        has_lines: whether a message may hold several events, one a line.

    Attributes:
        name: as it is called everywhere but in Kafka.
        next_position: the first that was not handed over yet.
        fetched: messages that were fetched, and of which not everything was handed over.
        fetched_bytes: how large they are.
        fetched_to: the offset from which it is fetched on.
        round_end: up to which offset it is handed over in this round; None: that is not known.
        end: the first offset that was not there yet at the newest look; None: nobody has said it.
        lost: how many messages were gone before they could be read.
        empty: how many messages had no content.
        is_paused: whether the client fetches no more of it at this moment.
    """

    def __init__(
        self,
        source: str,
        tp: TopicPartition,
        stream: str | None,
        position: int,
        generation: int | None,
        *,
        has_lines: bool,
    ) -> None:
        self.tp = tp
        self.name = partition_name(*tp)
        self._source, self._stream, self._generation, self._has_lines = source, stream, generation, has_lines
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
            self.next_position, self.offset, self.end, self.is_behind, self.lost, self.empty, self._generation
        )

    def fit(self, begin: int, end: int) -> None:
        """Go on at the first offset that is there, if it is beyond the one that is wanted.

        Raises:
            SourceError: the partition ends before what is wanted: it is another one by the same name, or has lost
                its end.
        """
        if self.fetched_to > end:
            raise SourceError(
                f"{self.name} ends at offset {end}, and it was read up to {self.fetched_to} before: the topic was made"
                " anew, or has lost its end; begin with a fresh state (and a new group), or give the topic another name"
            )
        if self.fetched_to >= begin:
            return
        lost = begin - self.fetched_to
        self.lost += lost
        _log.error(
            "messages were gone before they could be read: the topic keeps them for too short a time",
            source=self._source, partition=self.name, first_offset=self.fetched_to, last_offset=begin - 1, count=lost,
        )  # fmt: skip
        self.fetched_to = begin
        if not self.fetched:  # else what was fetched before is handed over first
            self.next_position = max(self.next_position, begin * LINES_A_MESSAGE)

    def add(self, records: Sequence[ConsumerRecord]) -> None:
        """Messages were fetched."""
        self.fetched.extend(records)
        self.fetched_bytes += _bytes_of(records)
        self.fetched_to = records[-1].offset + 1

    def take(self, max_records: int) -> tuple[RawBatch | None, int]:
        """The next payloads of the round, if there are any, and how many messages were done with by that."""
        taken: list[ConsumerRecord] = []
        fetched, end, lines = self.fetched, self.round_end or 0, 0
        while fetched and lines < max_records and fetched[0].offset < end:
            taken.append(fetched.popleft())
            lines += count_of(taken[-1].value) if self._has_lines else 1
        if not taken:
            return None, 0
        self.fetched_bytes -= _bytes_of(taken)
        positions, payloads, empty = lines_of(taken) if self._has_lines else wholes_of(taken)
        first = bisect_left(positions, self.next_position)
        upto = min(len(positions), first + max_records)
        rest: list[ConsumerRecord] = []
        self.next_position = (taken[-1].offset + 1) * LINES_A_MESSAGE
        if upto < len(positions):
            # The rest of a message of several waits for the next batch.
            self.next_position = positions[upto]
            rest = [record for record in taken if record.offset >= self.next_position // LINES_A_MESSAGE]
            fetched.extendleft(reversed(rest))
            self.fetched_bytes += _bytes_of(rest)
        self.empty += empty - sum(record.value is None for record in rest)
        done = len(taken) - len(rest)
        if upto <= first:
            return None, done
        batch = RawBatch(
            self._source, self._stream, self.name, positions[first:upto], payloads[first:upto],
            of_messages=True, generation=self._generation,
        )  # fmt: skip
        return batch, done


def _bytes_of(records: Sequence[ConsumerRecord]) -> int:
    return sum(record.serialized_value_size for record in records)
