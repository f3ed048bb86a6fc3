"""Writes a recording: what was added is on the disk within a moment, whatever happens to the process then."""

from __future__ import annotations

import fcntl
import os
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from monitor.recording.blocks import head_block, pack
from monitor.recording.errors import RecordingError
from monitor.recording.folder import file_name, files_of, next_positions, number_of
from monitor.recording.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from monitor.sources.base import RawBatch

FILE_BYTES: Final = 256 << 20
BLOCK_BYTES: Final = 4 << 20
"""A block has so many bytes of lines, and one line more, so that who reads it needs no more memory."""
KEPT_BYTES: Final = 64 << 20
"""While so many bytes of lines wait for a disk that is full, nothing more is to be added."""
_NOT_SYNCED: Final = 8
"""So many blocks are kept until the disk has them."""
_LOCK: Final = "lock"

_log = structlog.get_logger(__name__)


@dataclass
class _Piece:
    """Lines that make one block.

    Attributes:
        lines: without their ends.
        size: their bytes.
        next: by partition, the position after its last in this piece.
        counts: by feed, how many lines.
    """

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    next: dict[str, int] = field(default_factory=dict)


class RecordingWriter:
    """Appends to the recording of a folder.

    A disk that is full, or fails, stops nothing: it is said once, what came is kept and tried again at every `sync`.
    While `is_full`, nothing is to be added: so feeds are held up, and lose nothing by it.

    Args:
        folder: made if it is not there. One process at a time writes to it.
        sources: the feeds that are recorded, by name, with their kinds.
        wall_us: the wall clock, epoch microseconds.
        file_bytes: a new file is begun after so many.
        block_bytes: see `BLOCK_BYTES`.
        kept_bytes: see `KEPT_BYTES`.

    Attributes:
        positions: by partition, the first position that is not on the disk.
        events: how many payloads were written.
        written_bytes: how many bytes, packed.
        lost: by feed, how many payloads could not be written before the end.

    Raises:
        RecordingError: the folder cannot be written, is in use, or what it holds is damaged.
    """

    def __init__(
        self,
        folder: Path,
        sources: Mapping[str, str],
        wall_us: Callable[[], int],
        *,
        file_bytes: int = FILE_BYTES,
        block_bytes: int = BLOCK_BYTES,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._folder, self._sources, self._wall_us = folder, dict(sources), wall_us
        self._file_bytes, self._block_bytes, self._kept_bytes = file_bytes, block_bytes, kept_bytes
        self._lock = _locked(folder)
        try:
            files = files_of(folder)
            self.positions = next_positions(folder)
        except RecordingError:
            os.close(self._lock)
            raise
        self._number = number_of(files[-1].path) if files else 0
        self._file: int | None = None
        self._length = 0
        self._blocks = 0
        self._filling = _Piece()
        self._waiting: deque[_Piece] = deque()
        self._not_synced: list[_Piece] = []
        self._synced_positions = dict(self.positions)
        self._waiting_bytes = 0
        self._is_failing = False
        self._is_closed = False
        self.events = 0
        self.written_bytes = 0
        self.lost: Counter[str] = Counter()

    def add(self, batch: RawBatch, kind: str) -> None:
        """Take a batch; whole blocks are written at once, and all of it with the next `sync`.

        Args:
            batch: as the feed handed it over.
            kind: of the feed.
        """
        for position, line in zip(batch.offsets, lines_of(batch, kind), strict=True):
            piece = self._filling
            piece.lines.append(line)
            piece.size += len(line)
            piece.counts[batch.source] += 1
            piece.next[batch.partition] = position + 1
            if piece.size >= self._block_bytes:
                self._finish_piece()
                if not self._is_failing:
                    self._write_waiting()

    @property
    def is_full(self) -> bool:
        """Whether there is no room: as much waits for the disk as may."""
        return self._waiting_bytes + self._filling.size >= self._kept_bytes

    def lose(self, batch: RawBatch) -> None:
        """Count a batch that came, and for which there was no room at the end."""
        self.lost[batch.source] += len(batch)

    def sync(self) -> bool:
        """Write what was added and flush it to the disk; whether all of it is there. It is tried again if not."""
        self._finish_piece()
        if not self._write_waiting() or not self._flush():
            return False
        if self._is_failing:
            self._is_failing = False
            _log.info("the recording is written again", folder=str(self._folder))
        return True

    def close(self) -> bool:
        """Write what is left, and let go of the folder; whether all of it is on the disk."""
        if self._is_closed:
            return True
        self._is_closed = True
        is_all = self.sync()
        if not is_all:
            for piece in [*self._not_synced, *self._waiting]:
                self.lost += piece.counts
        self._let_go()
        os.close(self._lock)
        return is_all

    def _finish_piece(self) -> None:
        if self._filling.lines:
            self._waiting.append(self._filling)
            self._waiting_bytes += self._filling.size
            self._filling = _Piece()

    def _write_waiting(self) -> bool:
        """Write the pieces that wait; whether all were written."""
        while self._waiting:
            is_full = self._file is not None and self._length >= self._file_bytes
            if (is_full or len(self._not_synced) >= _NOT_SYNCED) and not self._flush():
                return False
            if is_full:
                self._let_go()
            piece = self._waiting[0]
            try:
                if self._file is None:
                    self._begin_file()
                self._append(pack(self._blocks, piece.lines, self._wall_us()))
            except OSError as error:
                self._say_failed(error)
                return False
            self._blocks += 1
            self._waiting.popleft()
            self._waiting_bytes -= piece.size
            self._not_synced.append(piece)
            self.events += len(piece.lines)
            self.positions |= {name: max(each, self.positions.get(name, 0)) for name, each in piece.next.items()}
        return True

    def _begin_file(self) -> None:
        now_us = self._wall_us()
        path = self._folder / file_name(self._number + 1, now_us)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._length = self._blocks = 0
        try:
            self._append(head_block(self._sources, self.positions, now_us))
            _sync_folder(self._folder)
        except OSError:
            self._let_go()
            path.unlink()
            raise
        self._number += 1
        self._blocks = 1

    def _append(self, block: bytes) -> None:
        """Write a block, or nothing of it."""
        file, rest = self._file, memoryview(block)
        if file is None:
            raise RuntimeError("no file is open")
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError:
            try:
                os.ftruncate(file, self._length)
                os.lseek(file, self._length, os.SEEK_SET)
            except OSError:
                self._let_go()  # what was begun stays as a torn end, and the block goes into the next file
            raise
        self._length += len(block)
        self.written_bytes += len(block)

    def _flush(self) -> bool:
        """Have the disk take what was written; if it does not, nobody knows what it has: it is written once more."""
        if self._file is None or not self._not_synced:
            return True
        try:
            os.fsync(self._file)
        except OSError as error:
            self._let_go()
            self._waiting.extendleft(reversed(self._not_synced))
            self._waiting_bytes += sum(each.size for each in self._not_synced)
            self.events -= sum(len(each.lines) for each in self._not_synced)
            self._not_synced = []
            self.positions = dict(self._synced_positions)
            self._say_failed(error)
            return False
        self._not_synced = []
        self._synced_positions = dict(self.positions)
        return True

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _say_failed(self, error: OSError) -> None:
        if not self._is_failing:
            self._is_failing = True
            _log.error(
                "the recording cannot be written; it is tried again, and feeds are held up when no more can be kept",
                folder=str(self._folder),
                error=error.strerror,
                kept_bytes=self._kept_bytes,
            )


def _locked(folder: Path) -> int:
    """The lock of the folder, which is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RecordingError(f"{folder}: it cannot be written: {error.strerror}; name another folder") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise RecordingError(f"{folder}: another process records into it; stop that, or name another folder") from error
    return lock


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
