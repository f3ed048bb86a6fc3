"""Any source through a mapping: what a vendor sent comes in, our events go out, and what came is kept beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from monitor.mapping import Dropped, Mapper, NotMapped
from monitor.sources.base import LINES_A_MESSAGE, RawBatch, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.sources.base import Mark, PartitionState

DROPPED: Final = "dropped"
"""Among the counts: what the mapping's rules have dropped."""
_LOOKED_AT: Final = 20_000
"""A poll that finds nothing but what is dropped looks at no more than about so many."""
_LAST: Final = LINES_A_MESSAGE - 1
_TOO_MANY: Final = f"the message holds more than {_LAST:,} events: the rest of it is left out"


class MappedSource(Source):
    """Hands over what a mapping makes of another source's payloads.

    A position is that of the message, times `LINES_A_MESSAGE`, and the running number of what came out of it: events
    and what was refused. What is dropped has none. So a position means the same whatever the batches are.

    Args:
        inner: hands over what came; it is opened and closed with this one.
        mapper: makes events of it.
        of_messages: whether the positions of `inner` are of messages, as `RawBatch.of_messages` says. Where that is not
            known, False: then what was read is read again from its beginning after a break.
    """

    def __init__(self, inner: Source, mapper: Mapper, *, of_messages: bool) -> None:
        self.name, self.can_read_again = inner.name, inner.can_read_again
        self._inner, self._mapper, self._of_messages = inner, mapper, of_messages
        self._first: dict[str, int] = {}
        self._next: dict[str, int] = {}
        self._waiting: RawBatch | None = None
        self._taken = 0
        self._dropped = 0
        self._before: tuple[int | None, tuple[int, int | None]] = (None, (0, None))
        self._through_us: int | None = None
        self._is_closed = False

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Open the source at the message of each position; what came out of it before is made again, and left out.

        Args:
            resume: see `Source.open`.
        """
        self._first = dict(resume or {})
        wanted: Mapping[str, int] = self._first
        if self.can_read_again:
            wanted = {name: self._begin_of(at) for name, at in self._first.items()}
        self._inner.open(wanted)

    def poll(self, max_records: int) -> RawBatch | None:
        """The next events of one partition, and what could be made none; see `Source.poll`."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if self._is_closed:
            raise RuntimeError("a MappedSource is polled between open and close")
        looked_at = 0
        while self._waiting is None and looked_at < _LOOKED_AT:
            self._before = self._inner.lag(), self._inner.progress()
            batch = self._inner.poll(max_records)
            if batch is None:
                self._through_us = self._inner.through_us
                return None
            looked_at += len(batch)
            self._waiting = self._mapped(batch)
        waiting = self._waiting
        if waiting is None:
            return None
        first, upto = self._taken, min(len(waiting), self._taken + max_records)
        self._taken = upto
        if upto == len(waiting):
            self._waiting, self._taken, self._through_us = None, 0, self._inner.through_us
        return waiting.part(first, upto)

    @property
    def exhausted(self) -> bool:
        """Whether the source is, and all that was made of it was handed over."""
        return self._waiting is None and self._inner.exhausted

    @property
    def through_us(self) -> int | None:
        """That of the source, when all that was made of it had been handed over."""
        return self._through_us

    def partitions(self) -> Mapping[str, PartitionState]:
        """How the source's partitions stand, by the positions that are handed over here."""
        return {name: self._stands(name, state) for name, state in self._inner.partitions().items()}

    def keep(self, marks: Mapping[str, Mark]) -> None:
        """Pass on what was taken in for good, by the source's own positions."""
        self._inner.keep({name: replace(mark, position=self._begin_of(mark.position)) for name, mark in marks.items()})

    def counts(self) -> Mapping[str, int]:
        """What the source has counted, and what the mapping has dropped."""
        return {**self._inner.counts(), DROPPED: self._dropped}

    def lag(self) -> int | None:
        """That of the source; what was taken of it and waits here counts as waiting."""
        return self._inner.lag() if self._waiting is None else self._before[0]

    def progress(self) -> tuple[int, int | None]:
        """That of the source; what was taken of it and waits here does not count as done."""
        return self._inner.progress() if self._waiting is None else self._before[1]

    def close(self, timeout_seconds: float) -> None:
        """Close the source."""
        self._is_closed = True
        self._inner.close(timeout_seconds)

    def _begin_of(self, position: int) -> int:
        """The source's own position at which the message of a position begins."""
        message = position // LINES_A_MESSAGE
        return message * LINES_A_MESSAGE if self._of_messages else message

    def _stands(self, name: str, state: PartitionState) -> PartitionState:
        waiting = self._waiting
        if waiting is not None and waiting.partition == name:
            at = waiting.offsets[self._taken]
            return replace(state, position=at, offset=at // LINES_A_MESSAGE, is_behind=True)
        message = state.position // LINES_A_MESSAGE if self._of_messages else state.position
        # In the middle of a message: behind what came out of it.
        at = max(message * LINES_A_MESSAGE, self._next.get(name, 0), self._first.get(name, 0))
        return replace(state, position=at)

    def _mapped(self, batch: RawBatch) -> RawBatch | None:
        """What becomes of a batch; None if nothing of it is to be handed over."""
        if self._of_messages and not batch.of_messages:
            raise RuntimeError(f"{self.name} hands over positions that are not of messages")
        outcomes = self._mapper.outcomes
        first = self._first.get(batch.partition, 0)
        # What follows the last that came out; it is of an earlier message, or of the one that goes on here.
        at = self._next.get(batch.partition, 0)
        offsets: list[int] = []
        rows: list[int] = []
        payloads: list[bytes] = []
        refused: dict[int, str] = {}
        for row, (position, payload) in enumerate(zip(batch.offsets, batch.payloads, strict=True)):
            begin = position // LINES_A_MESSAGE * LINES_A_MESSAGE if batch.of_messages else position * LINES_A_MESSAGE
            at = max(at, begin)
            for outcome in outcomes(payload):
                if isinstance(outcome, Dropped):
                    self._dropped += 1
                    continue
                if at - begin > _LAST:
                    break  # that there are too many was said with the one before
                if at >= first:
                    made = NotMapped(_TOO_MANY) if at - begin == _LAST else outcome
                    if isinstance(made, NotMapped):
                        refused[len(payloads)] = made.why
                        made = payload
                    offsets.append(at)
                    rows.append(row)
                    payloads.append(made)
                at += 1
        self._next[batch.partition] = at
        if not offsets:
            return None
        arrived_us = batch.arrived_us
        return replace(
            batch,
            stream=self._mapper.stream,
            offsets=offsets,
            payloads=payloads,
            arrived_us=None if arrived_us is None else [arrived_us[row] for row in rows],
            of_messages=True,
            originals=[batch.payloads[row] for row in rows],
            refused=refused or None,
        )
