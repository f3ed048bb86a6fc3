"""The contract that every source meets.

A source turns a protocol into batches of raw payloads with positions. It does not decode, sort or judge: a
payload that is no event is the decoder's to refuse. `tests/sources/test_source_contract.py` finds every
source by itself and holds it to what is written here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SourceError(Exception):
    """A source cannot be read; the message says which, where, and what to do."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Consecutive payloads of one partition, as they came.

    Attributes:
        source: the source's name.
        stream: the wire contract of every payload; None if each object says its own in `stream`.
        partition: where positions count: a file, a topic and partition, a connection.
        offsets: strictly rising, one a payload: a line's number, a message's offset, a frame's number.
        payloads: one JSON object each. One of more than `streams.MAX_LINE_BYTES` is the beginning of a
            longer line, cut after one byte more than that.
        arrived_us: wall time of arrival, epoch microseconds, one a payload; None if it was not recorded.
    """

    source: str
    stream: str | None
    partition: str
    offsets: Sequence[int]
    payloads: Sequence[bytes]
    arrived_us: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.payloads)


class Source(ABC):
    """One input. Calls come from one thread, in the order open, poll ..., close.

    `poll` never waits: it hands over what is there, at most `max_records`, or None. Positions of a partition
    only rise, and a second reading of the same input gives the same payloads at the same positions, whatever
    `max_records` is. The properties, `lag` and `progress` also answer before `open` and after `close`.
    """

    name: str

    @abstractmethod
    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Connect; SourceError if it can be told now that the input cannot be read.

        Args:
            resume: by partition, the first position that is wanted: what stands before it is not handed over,
                and every position keeps its value. A partition that is not in it starts at its beginning, and
                one that the source does not have is passed by, so the positions of all sources may be given.

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

        None: it does not know, as most sources do not, or nothing is known before the first poll that had nothing.
        """
        return None

    @abstractmethod
    def lag(self) -> int | None:
        """How much is known to wait: records, or bytes for a file; None if that cannot be known."""

    @abstractmethod
    def progress(self) -> tuple[int, int | None]:
        """How much was read of how much, in the unit of `lag`; the total is None if it cannot be known."""

    @abstractmethod
    def close(self, timeout_seconds: float) -> None:
        """Let go of everything, within that time, also if `open` failed; calling it again does nothing."""
