"""A recorded feed, read again as it came: the same partitions, positions, bytes and moments of arrival."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from monitor.recording.errors import RecordingError
from monitor.recording.folder import existing_files, read_line, sources_of
from monitor.recording.lines import begins_with
from monitor.sources.base import RawBatch, Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from monitor.recording.folder import RecordedFile
    from monitor.recording.lines import Line

_POLL_BYTES: Final = 1 << 24
"""A poll that finds nothing unpacks no more than about this."""


def recorded_feeds(folder: Path) -> list[str]:
    """The names of the feeds that a recording holds.

    Raises:
        SourceError: there is no recording, or it cannot be read.
    """
    try:
        return sorted(sources_of(existing_files(folder)))
    except RecordingError as error:
        raise SourceError(str(error)) from error


class RecordingSource(Source):
    """Hands over what was recorded of one feed.

    What was written at once, about a second, is handed over a partition after the other; beyond that the order is
    that of arrival. A file that ends within a block, as after a kill, is read up to there, and that is said. One that
    is damaged breaks the source there. What was written twice, because the disk failed, comes once. The unit of `lag`
    and `progress` is the byte of the files, all feeds in them together.

    Args:
        folder: of the recording, as `stress-monitor record` wrote it.
        name: of the recorded feed; the source's name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder
        self._begins = begins_with(name)
        self._next: dict[str, int] = {}
        self._batches: deque[RawBatch] = deque()
        self._reading: Generator[int] | None = None
        self._total: int | None = None
        self._read = self._done = 0
        self._written_us: int | None = None
        self._through_us: int | None = None
        self._is_at_end = self._is_closed = False
        self._broken: str | None = None

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Look which files there are; what is written later is not read.

        Args:
            resume: see `Source.open`.

        Raises:
            SourceError: there is no recording.
        """
        if self._reading is not None:
            raise RuntimeError("a RecordingSource is opened once")
        try:
            files = existing_files(self._folder)
        except RecordingError as error:
            raise SourceError(str(error)) from error
        self._next = dict(resume or {})
        self._total = sum(each.size for each in files)
        self._reading = self._blocks(files)

    def poll(self, max_records: int) -> RawBatch | None:
        """The next payloads of one partition; see `Source.poll`."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if self._reading is None or self._is_closed:
            raise RuntimeError("a RecordingSource is polled between open and close")
        if not self._batches:
            self._fill(self._reading)
        if not self._batches:
            return None
        batch = self._batches.popleft()
        if len(batch) > max_records:
            self._batches.appendleft(_part(batch, max_records, len(batch)))
            batch = _part(batch, 0, max_records)
        self._look()
        return batch

    @property
    def exhausted(self) -> bool:
        """Whether all that was recorded of the feed was handed over."""
        return self._is_at_end and not self._batches

    @property
    def through_us(self) -> int | None:
        """Up to when, by the wall clock of the recording, everything was handed over; None before the first block."""
        return self._through_us

    def lag(self) -> int | None:
        """Bytes of the files whose payloads were not all handed over."""
        return None if self._total is None else self._total - self._done

    def progress(self) -> tuple[int, int | None]:
        """Bytes of the files whose payloads were all handed over, of all."""
        return self._done, self._total

    def close(self, timeout_seconds: float) -> None:  # noqa: ARG002 - closing a file takes no time
        """Close the file at hand."""
        self._is_closed = True
        if self._reading is not None:
            self._reading.close()
        self._batches.clear()

    def _fill(self, reading: Generator[int]) -> None:
        """Read on until there is something of the feed, or enough was read."""
        if self._broken is not None:
            raise SourceError(self._broken)
        begun_at = self._read
        while not self._batches and not self._is_at_end and self._read - begun_at < _POLL_BYTES:
            try:
                read = next(reading, None)
            except RecordingError as error:
                self._broken = str(error)
                raise SourceError(self._broken) from error
            if read is None:
                self._is_at_end = True
            else:
                self._read = read
            self._look()

    def _look(self) -> None:
        """Note what was handed over whole."""
        if not self._batches:
            self._through_us = self._written_us
            self._done = (self._total or 0) if self._is_at_end else self._read

    def _blocks(self, files: list[RecordedFile]) -> Generator[int]:
        """Put the batches of a block into the queue, a block a step; the bytes that were read by then."""
        before = 0
        for each in files:
            with each.open() as file:
                if file.head() is not None:
                    begins_at = 0
                    for block in file.blocks():
                        lines = [read_line(raw, each.path, begins_at) for raw in block.lines if self._is_mine(raw)]
                        self._batches.extend(self._in_batches(lines))
                        self._written_us, begins_at = block.written_us, block.ends_at
                        yield before + block.ends_at
                each.say_torn(file.torn_at)
            before += each.size

    def _is_mine(self, raw: bytes) -> bool:
        return raw.startswith(self._begins)

    def _in_batches(self, lines: list[Line]) -> Iterator[RawBatch]:
        """The lines that are wanted, by partition; those of a partition in their order."""
        by_partition: dict[str, list[Line]] = {}
        for line in lines:
            if line.position >= self._next.get(line.partition, 0):
                self._next[line.partition] = line.position + 1
                by_partition.setdefault(line.partition, []).append(line)
        for some in by_partition.values():
            first = 0
            for at in range(1, len(some) + 1):
                if at == len(some) or _shape(some[at]) != _shape(some[first]):
                    yield self._batch(some[first:at])
                    first = at

    def _batch(self, lines: list[Line]) -> RawBatch:
        first = lines[0]
        arrived_us = [line.arrived_us for line in lines if line.arrived_us is not None]
        return RawBatch(
            self.name,
            first.stream,
            first.partition,
            [line.position for line in lines],
            [line.payload for line in lines],
            arrived_us or None,
            of_messages=first.of_messages,
        )


def _shape(line: Line) -> tuple[str | None, bool, bool]:
    """What all payloads of a batch have in common."""
    return line.stream, line.of_messages, line.arrived_us is None


def _part(batch: RawBatch, first: int, upto: int) -> RawBatch:
    return RawBatch(
        batch.source,
        batch.stream,
        batch.partition,
        batch.offsets[first:upto],
        batch.payloads[first:upto],
        None if batch.arrived_us is None else batch.arrived_us[first:upto],
        of_messages=batch.of_messages,
    )
