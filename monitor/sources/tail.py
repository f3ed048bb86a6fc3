"""What a reader hands over from a position on; what stands before it is read and dropped."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Protocol

from monitor.sources.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.sources.base import SourceError

DROPPED_AT_ONCE: Final = 1 << 17
"""Payloads that one call of `read` passes over, so that neither its time nor its memory grows with the file."""


class Reader(Protocol):
    """One format: what `FileSource` asks of it, in the words of `Source`."""

    def read(self, max_records: int) -> tuple[Sequence[int], list[bytes]]:
        """Up to `max_records` positions and payloads; none does not mean that the end was reached."""

    @property
    def exhausted(self) -> bool:
        """Whether everything was handed over."""

    def progress(self) -> tuple[int, int | None]:
        """How much was handed over of how much."""

    def close(self, timeout_seconds: float) -> None:
        """Let go of the input, within that time."""


def too_short(name: str, last: int, first: int) -> SourceError | None:
    """The error of an input that ends before what was read of it before; None if it does not.

    Args:
        name: of the file.
        last: the position of its last payload, 0 without any.
        first: the first position that is wanted.
    """
    if first <= last + 1:
        return None
    return InputError(
        name,
        f"it ends at position {last}, and was read up to {first - 1} before",
        "is it another file, or was its mapping taken away? Begin with a fresh --state",
    )


class Tail:
    """A reader's payloads from a position on.

    Args:
        reader: newly opened; it is closed with the tail.
        first: the first position that is wanted.
        name: of the file, for what is said of it.
        dropped_at_once: how many payloads a call of `read` passes over.
    """

    def __init__(self, reader: Reader, first: int, name: str, dropped_at_once: int = DROPPED_AT_ONCE) -> None:
        self._reader = reader
        self._first, self._name = first, name
        self._last = 0
        self._dropped_at_once = dropped_at_once
        self._is_there = False
        self._offsets: Sequence[int] = ()
        self._payloads: list[bytes] = []
        self._progress = reader.progress()

    def read(self, max_records: int) -> tuple[Sequence[int], list[bytes]]:
        """Up to `max_records` payloads and their positions; none also while the beginning is passed over.

        Raises:
            SourceError: the input broke, and every payload before that was handed over or dropped; or it ends before
                what was wanted.
        """
        if not self._is_there:
            self._pass_over()
            if self._reader.exhausted and (error := self._too_short()):
                raise error
        elif not self._payloads:
            return self._reader.read(max_records)
        offsets, payloads = self._offsets[:max_records], self._payloads[:max_records]
        self._offsets = self._offsets[max_records:]
        del self._payloads[:max_records]
        return offsets, payloads

    @property
    def exhausted(self) -> bool:
        """Whether everything was handed over or dropped."""
        return self._reader.exhausted and not self._payloads and (self._is_there or self._too_short() is None)

    def progress(self) -> tuple[int, int | None]:
        """The reader's; what it read and this still holds does not count."""
        return self._progress if self._payloads else self._reader.progress()

    def close(self, timeout_seconds: float) -> None:
        """Close the reader."""
        self._reader.close(timeout_seconds)

    def _pass_over(self) -> None:
        """Drop the next payloads that are not wanted; those after them are held."""
        self._progress = self._reader.progress()
        offsets, payloads = self._reader.read(self._dropped_at_once)
        dropped = bisect_left(offsets, self._first)
        self._offsets, self._payloads = offsets[dropped:], payloads[dropped:]
        self._is_there = bool(self._payloads)
        if offsets:
            self._last = offsets[-1]

    def _too_short(self) -> SourceError | None:
        return too_short(self._name, self._last, self._first)
