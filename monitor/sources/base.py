"""The contract that every source meets.

A source turns a protocol into batches of raw payloads with positions. It does not decode, sort or judge: a
payload that is no event is the decoder's to refuse. `tests/sources/test_source_contract.py` finds every
source by itself and holds it to what is written here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


LINES_A_MESSAGE: Final = 1 << 20
"""Where a message may hold several events, so many positions belong to one: its offset times this, and the line."""


class SourceError(Exception):
    """A source cannot be read; the message says which, where, and what to do."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Consecutive payloads of one partition, as they came.

    Attributes:
        source: the source's name.
        stream: the wire contract of every payload; None if each object says its own in `stream`.
        partition: where positions count: a file, a topic and partition, a connection.
        offsets: positions, strictly rising, one a payload: a line's number, a frame's number.
        payloads: one JSON object each. One of more than `streams.MAX_LINE_BYTES` is the beginning of a
            longer line, cut after one byte more than that.
        arrived_us: wall time of arrival, epoch microseconds, one a payload; None if it was not recorded.
        of_messages: each position is that of a message, times `LINES_A_MESSAGE`, and of a line in it, from 0.
        generation: of the group that shares the partitions out, when this one was ours; None: they are not shared.
        originals: what came, one a payload, where a mapping made the payloads of it; None: they are the payloads.
        refused: by index, a sentence on why the mapping could make no event; the payload there is what came.
    """

    source: str
    stream: str | None
    partition: str
    offsets: Sequence[int]
    payloads: Sequence[bytes]
    arrived_us: Sequence[int] | None = None
    of_messages: bool = False
    generation: int | None = None
    originals: Sequence[bytes] | None = None
    refused: Mapping[int, str] | None = None

    def part(self, first: int, upto: int) -> RawBatch:
        """The payloads from one index to before another, as a batch."""
        if first == 0 and upto == len(self):
            return self
        refused = self.refused and {at - first: why for at, why in self.refused.items() if first <= at < upto}
        return replace(
            self,
            offsets=self.offsets[first:upto],
            payloads=self.payloads[first:upto],
            arrived_us=None if self.arrived_us is None else self.arrived_us[first:upto],
            originals=None if self.originals is None else self.originals[first:upto],
            refused=refused or None,
        )

    def place(self, position: int) -> tuple[int, int | None]:
        """Where a person finds a payload again: the offset, and the line in the message, from 1; None without lines."""
        if not self.of_messages:
            return position, None
        offset, line = divmod(position, LINES_A_MESSAGE)
        return offset, line + 1

    def __len__(self) -> int:
        return len(self.payloads)


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How a partition stands of which a source knows what waits there.

    Attributes:
        position: the first that was not handed over yet.
        offset: the same as the source's own protocol counts.
        end: the first offset that is known not to be there yet; None while that cannot be known.
        is_behind: whether something that was there when the newest round began was not handed over yet, or may be.
        lost: how many records were gone before they could be read.
        empty: how many records had no content.
        generation: of the group that shares the partitions out, when this one was ours; None: they are not shared.
    """

    position: int
    offset: int
    end: int | None
    is_behind: bool
    lost: int = 0
    empty: int = 0
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a partition was taken in for good.

    Attributes:
        position: the first that would be wanted again after a restart.
        watermark_us: how far its event time had come then; None before its first quote or trade.
        note: what else is kept with it, for whoever goes on from there.
    """

    position: int
    watermark_us: int | None
    note: str = ""


class Source(ABC):
    """One input. Calls come from one thread, in the order open, poll ..., close.

    `poll` does not wait for input: it hands over what is there, at most `max_records`, or None. Positions of a
    partition only rise, and a second reading of the same input gives the same payloads at the same positions, whatever
    `max_records` is. The properties, `lag`, `progress` and `counts` also answer before `open` and after `close`.

    Some input cannot be read again: what comes, comes now, and is numbered here. Such a source takes `resume` for where
    its numbering goes on, and hands over all that comes, at positions that were not used before.

    Attributes:
        name: the source's.
        can_read_again: whether its input can be read again from a position on.
    """

    name: str
    can_read_again: bool = True

    @abstractmethod
    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Connect; SourceError if it can be told now that the input cannot be read.

        Args:
            resume: by partition, the first position that is wanted: what stands before it is not handed over,
                and every position keeps its value. A partition that is not in it starts at its beginning, and
                one that the source does not have is passed by, so the positions of all sources may be given. A source
                that cannot read again begins at its next whole frame at or after the position.

        Raises:
            SourceError: the input cannot be read, or cannot be read again where `resume` is past its beginning.
        """

    @abstractmethod
    def poll(self, max_records: int) -> RawBatch | None:
        """The next payloads, from one to `max_records`, or None if there are none at this moment.

        A batch may be smaller although more is there, and None does not mean that the end was reached.

        Raises:
            SourceError: the input broke; what was handed over before stays valid. Every later poll raises too.
            RuntimeError: the source is not open, or was closed: a mistake of the caller.
        """

    @property
    @abstractmethod
    def exhausted(self) -> bool:
        """Whether all was handed over and nothing will follow; it stays so. A broken source never gets there."""

    @property
    def through_us(self) -> int | None:
        """Of a source that owns the clock: everything up to this moment (epoch microseconds) was handed over.

        It does not have to be as late as the clock. None: it does not know, as most sources do not, or what came before
        the clock's start is not handed over yet.
        """
        return None

    def partitions(self) -> Mapping[str, PartitionState]:
        """How each partition stands; of a source that cannot tell what waits in which, none.

        A source that tells it hands over in *rounds*: it looks how far all of its partitions go, and hands over
        nothing beyond that in any of them before it has handed over all of it in all of them. So whoever has taken
        what a partition's state says, and finds that none is behind, has everything that was there before anything
        that it has.
        """
        return {}

    def keep(self, marks: Mapping[str, Mark]) -> None:  # noqa: B027 - most sources have nowhere to note it
        """What was taken in for good, by partition, those of other sources among them: for sources that note it.

        It must not wait, and what cannot be noted is no error: a restart goes on by `open`'s `resume`.
        """

    def counts(self) -> Mapping[str, int]:
        """What it has counted since `open`, by what it is: each number only rises.

        Of a feed: `frames` and `bytes` that came; by the feed's own numbers `missing` events or frames, `repeated`
        ones, which are not handed over, and those that came `out_of_order`. Where there is a mapping, what it has
        `dropped` by its rules. A source that counts nothing has none.
        """
        return {}

    @abstractmethod
    def lag(self) -> int | None:
        """How much is known to wait: records, or bytes for a file; None if that cannot be known."""

    @abstractmethod
    def progress(self) -> tuple[int, int | None]:
        """How much was read of how much, in the unit of `lag`; the total is None if it cannot be known."""

    @abstractmethod
    def close(self, timeout_seconds: float) -> None:
        """Let go of everything, within that time, also if `open` failed; calling it again does nothing."""
