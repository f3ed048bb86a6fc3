"""Lines of a stream that may stay silent for ever: standard input.

A thread waits for the stream, so that no poll does. It waits for a stop pipe at the same time, so that closing
does not depend on the stream's next byte. What it has read and nobody has polled is bounded: the producer at the
other end of the pipe is then held up.
"""

from __future__ import annotations

import io
import os
import queue
import select
import threading
from typing import TYPE_CHECKING

from monitor.sources.base import SourceError
from monitor.sources.blocks import BLOCK_BYTES
from monitor.sources.errors import error_text
from monitor.sources.lines import LineSplitter

if TYPE_CHECKING:
    from typing import BinaryIO

_QUEUED_BLOCKS = 64


class StdinLines:
    """The numbered lines of a binary stream, as they come.

    Args:
        stream: standard input, or any other binary stream; it is not closed. One that is no file of the
            operating system cannot be interrupted: its thread outlives `close` until its read returns.
        max_line_bytes: see `LineSplitter`.
        block_bytes: the most that is read at once.
    """

    def __init__(self, stream: BinaryIO | io.RawIOBase, max_line_bytes: int, block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._splitter = LineSplitter(max_line_bytes)
        self._waiting: list[bytes] = []
        self._next = 1
        self._read_bytes = 0
        self._ended = False
        self._broken = ""
        self._queue: queue.Queue[bytes | Exception] = queue.Queue(_QUEUED_BLOCKS)
        self._stop = threading.Event()
        # Past a BufferedReader, whose own read would wait for a full block; nothing was read through it yet.
        raw = getattr(stream, "raw", stream)
        self._fd = raw.fileno() if isinstance(raw, io.FileIO) else None
        self._stop_pipe = os.pipe() if self._fd is not None else None
        self._thread = threading.Thread(target=self._pump, name="standard input", daemon=True)
        self._thread.start()

    def read(self, max_records: int) -> tuple[range, list[bytes]]:
        """Up to `max_records` lines that are here now, and their numbers.

        Raises:
            SourceError: the stream broke, and every line before that was handed over.
        """
        while len(self._waiting) < max_records and not (self._ended or self._broken):
            try:
                block = self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(block, Exception):
                self._broken = f"standard input: reading it failed: {error_text(block)}; send it again"
            elif block:
                self._read_bytes += len(block)
                self._waiting += self._splitter.feed(block)
            else:
                self._ended = True
                self._waiting += self._splitter.finish()
        if self._broken and not self._waiting:
            raise SourceError(self._broken)
        taken = self._waiting[:max_records]
        del self._waiting[:max_records]
        first, self._next = self._next, self._next + len(taken)
        return range(first, self._next), taken

    @property
    def exhausted(self) -> bool:
        """Whether the stream ended and every line was handed over."""
        return self._ended and not self._waiting

    def progress(self) -> tuple[int, int | None]:
        """Bytes taken from the stream; how many will come is not known."""
        return self._read_bytes, None

    def close(self, timeout_seconds: float) -> None:
        """Stop the thread; within the timeout, whether or not it stopped."""
        self._stop.set()
        if self._stop_pipe and self._thread.is_alive():
            os.write(self._stop_pipe[1], b"\0")
        while not self._queue.empty():  # the thread may be waiting for a place
            self._queue.get_nowait()
        self._thread.join(timeout_seconds)
        if self._stop_pipe and not self._thread.is_alive():
            for fd in self._stop_pipe:
                os.close(fd)
            self._stop_pipe = None

    def _pump(self) -> None:
        try:
            while not self._stop.is_set():
                block = self._read_block()
                if block is None:
                    continue
                self._queue.put(block)
                if not block:
                    return
        except (OSError, ValueError) as error:
            self._queue.put(error)

    def _read_block(self) -> bytes | None:
        """The next block, empty at the end; None if there is none after all, or the stop pipe woke it."""
        if self._fd is None or self._stop_pipe is None:
            read = getattr(self._stream, "read1", self._stream.read)
            block: bytes | None = read(self._block_bytes)
            return block
        ready, _, _ = select.select([self._fd, self._stop_pipe[0]], [], [])
        if self._stop_pipe[0] in ready:
            return None
        try:
            return os.read(self._fd, self._block_bytes)
        except BlockingIOError:
            return None
