"""Blocks of bytes to lines: fast, bounded, nothing dropped.

A line may have any length on the wire, so what is kept of one is bounded here, before it is whole: the decoder
gets its beginning, one byte more than allowed, and refuses it with its position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.sources.base import SourceError

if TYPE_CHECKING:
    from monitor.sources.blocks import Blocks

_POLL_BYTES = 1 << 24
"""A call of `read` unpacks no more than about this, so that neither its time nor its memory grows with the file."""


class LineSplitter:
    r"""Cuts a stream of blocks at `\n`; the state between blocks is one unfinished line.

    Args:
        max_line_bytes: of a longer line the first `max_line_bytes + 1` bytes are kept.

    Attributes:
        unfinished: whether the beginning of a line was fed whose end was not.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._cut = max_line_bytes + 1
        self._parts: list[bytes] = []
        self._room = self._cut
        self.unfinished = False

    def feed(self, block: bytes) -> list[bytes]:
        r"""The lines that end in this block, without their `\n`."""
        lines = block.split(b"\n")
        rest = lines.pop()
        if lines:
            lines[0] = self._finish_with(lines[0])
            if len(block) > self._cut and max(map(len, lines)) > self._cut:
                lines = [line[: self._cut] for line in lines]
        if rest:
            self._keep(rest)
            self.unfinished = True
        return lines

    def finish(self) -> list[bytes]:
        r"""At the end: the last line, if it has no `\n`; otherwise nothing."""
        return [self._finish_with(b"")] if self.unfinished else []

    def _keep(self, part: bytes) -> None:
        if self._room:
            self._parts.append(part[: self._room])
            self._room -= len(self._parts[-1])

    def _finish_with(self, last: bytes) -> bytes:
        if not self.unfinished:
            return last
        self._keep(last)
        line = b"".join(self._parts)
        self._parts, self._room, self.unfinished = [], self._cut, False
        return line


class LineReader:
    """The numbered lines of one file.

    Args:
        blocks: the file; it is closed with the reader.
        max_line_bytes: see `LineSplitter`.

    Raises:
        SourceError: the first block cannot be read, so the file is not what its name says.
    """

    def __init__(self, blocks: Blocks, max_line_bytes: int) -> None:
        self._blocks = blocks
        self._splitter = LineSplitter(max_line_bytes)
        self._waiting: list[bytes] = []
        self._next = 1
        self._ended = False
        self._broken = ""
        self._before_block = self._after_block = 0
        try:
            self._fill()
        except SourceError:
            blocks.close()
            raise

    def read(self, max_records: int) -> tuple[range, list[bytes]]:
        """Up to `max_records` lines and their numbers; none does not mean that the end was reached.

        Raises:
            SourceError: the file broke, and every line before that was handed over.
        """
        budget = _POLL_BYTES
        while len(self._waiting) < max_records and budget > 0 and not (self._ended or self._broken):
            try:
                budget -= self._fill()
            except SourceError as error:
                self._broken = str(error)
        if self._broken and not self._waiting:
            raise SourceError(self._broken)
        taken = self._waiting[:max_records]
        del self._waiting[:max_records]
        first, self._next = self._next, self._next + len(taken)
        return range(first, self._next), taken

    @property
    def exhausted(self) -> bool:
        """Whether every line was handed over."""
        return self._ended and not self._waiting

    def progress(self) -> tuple[int, int | None]:
        """Bytes of the file, as it lies on the disk, whose lines were all handed over; and its size."""
        if self.exhausted:
            return self._blocks.total, self._blocks.total
        held = self._waiting or self._splitter.unfinished
        return self._before_block if held else self._after_block, self._blocks.total

    def close(self, timeout_seconds: float) -> None:  # noqa: ARG002 - closing a file takes no time
        """Close the file."""
        self._blocks.close()

    def _fill(self) -> int:
        """Read one block; its size."""
        block = self._blocks.read()
        if block:
            self._before_block, self._after_block = self._after_block, self._blocks.position()
            self._waiting += self._splitter.feed(block)
        else:
            self._ended = True
            self._waiting += self._splitter.finish()
        return len(block)
