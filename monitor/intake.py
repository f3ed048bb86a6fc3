"""Payloads to events: of a batch what is new, what a restart wants again, and what it brought in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from polars import col as c

from monitor.engine.bars import KINDS
from monitor.engine.decode import Decoder
from monitor.results import Ingested, RejectedEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.engine.decode import Decoded, Reject
    from monitor.engine.partition import Partition
    from monitor.sources.base import RawBatch


class Dropped(Protocol):
    """By stream, how many events were dropped."""

    @property
    def late(self) -> Mapping[str, int]:
        """Those that came after their second was sealed."""

    @property
    def doubles(self) -> Mapping[str, int]:
        """Those that repeat a producer's id."""


class Intake:
    """Takes batches apart; it holds no state between them."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def take_in(
        self, batch: RawBatch, partition: Partition, push: Callable[[Sequence[Decoded]], Dropped]
    ) -> list[Ingested]:
        """Decode what is wanted of a batch and push it; says what it brought, a stream at a time.

        Args:
            batch: consecutive payloads of one partition.
            partition: knows which positions were seen before: they are dropped, except those that a restart wants
                again.
            push: takes the decoded events.
        """
        again, new = partition.split(batch.offsets)
        if again.stop > again.start:
            # Counted when it came first: only what was open then is of use.
            push([_quotes_of(part) for part in self._decode(batch, again)])
        if new.stop == new.start:
            return []
        parts = self._decode(batch, new)
        dropped = push(parts)
        return [
            _told(part, batch, dropped.late.get(part.stream, 0), dropped.doubles.get(part.stream, 0)) for part in parts
        ]

    def _decode(self, batch: RawBatch, which: slice) -> list[Decoded]:
        return self._decoder.decode(batch.part(which.start, which.stop))


def _told(decoded: Decoded, batch: RawBatch, late: int, doubles: int) -> Ingested:
    first: int | None = None
    last: int | None = None
    if decoded.events.height:
        first, last = decoded.events.select(first=c("ts_us").min(), last=c("ts_us").max()).row(0)
    rejects = tuple(
        [_rejected(each, batch) for each in decoded.rejects]
        if batch.originals is None
        else _of_messages(decoded.rejects, batch)
    )
    return Ingested(decoded.stream, decoded.events.height, late, doubles, first, last, rejects)


def _rejected(reject: Reject, batch: RawBatch) -> RejectedEvent:
    offset, line = batch.place(reject.offset)
    return RejectedEvent(
        reject.stream, reject.reason, reject.detail, reject.source, reject.partition, offset, reject.raw, line
    )


def _of_messages(rejects: Sequence[Reject], batch: RawBatch) -> list[RejectedEvent]:
    """A message and a reason at a time: each has the whole message, which may hold thousands of events."""
    first: dict[tuple[int, str], Reject] = {}
    count: Counter[tuple[int, str]] = Counter()
    for each in rejects:
        offset, _ = batch.place(each.offset)
        first.setdefault((offset, each.reason), each)
        count[offset, each.reason] += 1
    told = []
    for (offset, reason), each in first.items():
        events = count[offset, reason]
        detail = each.detail if events == 1 else f"{each.detail}; and {events - 1:,} more of the message"
        place = each.source, each.partition, offset
        told.append(RejectedEvent(each.stream, reason, detail, *place, each.raw, is_mapped=True, events=events))
    return told


def _quotes_of(decoded: Decoded) -> Decoded:
    """Of events that are read again only those that wait for their second to be sealed."""
    kind = KINDS.get(decoded.stream)
    events = decoded.events.clear() if kind is None else decoded.events.filter(kind.counts)
    return replace(decoded, events=events)
