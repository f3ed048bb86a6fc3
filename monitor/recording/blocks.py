r"""The files of a recording: lines in blocks, each written at once and sound by itself.

A block is a zstd frame, so `zstdcat` shows the lines of a file. Before it stands a zstd frame of the kind that
unpackers skip, which says how long the block is and what its sum is. So a file that ends within a block, because the
process was killed while it wrote, is told from one in which a byte has changed: whatever the byte, no wrong line is
ever taken for a right one, and no block for the end of a file.

The first block of a file is its head: one line that says which feeds are recorded, and where their partitions stood.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec
import zstandard

from monitor.recording.errors import DamagedError, RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SKIPPED: Final = 0x184D2A5D
"""zstd's number of a frame that unpackers skip."""
_MARK: Final = b"MSR1"
_PREFACE: Final = struct.Struct("<II4sIIIqI")
"""Skipped, bytes that follow, mark, number, bytes of the block, lines, when it was written, sum of the block."""
_SUM: Final = struct.Struct("<I")
PREFACE_BYTES: Final = _PREFACE.size + _SUM.size
_VERSION: Final = 1
_ZERO_PIECE: Final = 1 << 20


class Head(msgspec.Struct):
    """The first line of a file.

    Attributes:
        recording: the version of the format.
        sources: the feeds that are recorded, by name, with their kinds.
        positions: by partition, the first position that no file before this one has.
    """

    recording: int
    sources: dict[str, str]
    positions: dict[str, int]


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that were written at once.

    Attributes:
        written_us: when, by the wall clock, epoch microseconds: everything in it had come by then.
        lines: without their ends.
        ends_at: the byte behind it.
    """

    written_us: int
    lines: Sequence[bytes]
    ends_at: int


def head_block(sources: Mapping[str, str], positions: Mapping[str, int], written_us: int) -> bytes:
    """The block that a file begins with."""
    return pack(0, [msgspec.json.encode(Head(_VERSION, dict(sources), dict(positions)))], written_us)


def pack(number: int, lines: Sequence[bytes], written_us: int) -> bytes:
    """A block as it stands in the file.

    Args:
        number: of the block in its file, from 0, which is the head.
        lines: at least one, without their ends.
        written_us: see `Block`.
    """
    content = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n".join(lines) + b"\n")
    size = PREFACE_BYTES - 2 * _SUM.size
    preface = _PREFACE.pack(_SKIPPED, size, _MARK, number, len(content), len(lines), written_us, zlib.crc32(content))
    return preface + _SUM.pack(zlib.crc32(preface)) + content


class BlockFile:
    """Reads the blocks of one file.

    Args:
        path: of the file.
        file: open for reading, at its beginning; closed by the caller.
        size: so much of it is read; what was written since it was looked at does not count.

    Attributes:
        torn_at: the byte at which the last block began that is not all there; None if every block is.
    """

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._size = path, file, size
        self.torn_at: int | None = None

    def head(self) -> Head | None:
        """The first line; None if the file was torn before it was all there.

        Raises:
            RecordingError: it is damaged, or of another version.
        """
        block = self._next(0, 0)
        if block is None:
            return None
        try:
            head = msgspec.json.decode(block.lines[0], type=Head)
        except msgspec.MsgspecError as error:
            raise DamagedError(self._path, 0, str(error)) from error
        if head.recording != _VERSION:
            raise RecordingError(
                f"{self._path}: it is of version {head.recording}, and this program reads version {_VERSION}; "
                "use the program that wrote it"
            )
        return head

    def blocks(self) -> Iterator[Block]:
        """The blocks behind the head, which was read.

        Raises:
            DamagedError: a block is not what was written.
        """
        number = 1
        while self.torn_at is None and (block := self._next(number, self._file.tell())) is not None:
            yield block
            number += 1

    def _next(self, number: int, place: int) -> Block | None:
        """The next block; None at the end, torn or not."""
        preface = self._read(PREFACE_BYTES, place)
        if not preface:
            self.torn_at = 0 if number == 0 else None  # a file without a head was not even begun
            return None
        if len(preface) < PREFACE_BYTES or self._is_zero_to_the_end(preface, place):
            self.torn_at = place
            return None
        skipped, _, mark, said_number, size, count, written_us, crc = _PREFACE.unpack_from(preface)
        if _SUM.unpack_from(preface, _PREFACE.size)[0] != zlib.crc32(preface[: _PREFACE.size]):
            raise DamagedError(self._path, place, "its preface does not have the sum that it should have")
        if (skipped, mark) != (_SKIPPED, _MARK):
            raise DamagedError(self._path, place, "it is no block of a recording")
        if said_number != number:
            raise DamagedError(self._path, place, f"it is number {said_number}, where number {number} should be")
        content = self._read(size, place + PREFACE_BYTES)
        if len(content) < size:
            self.torn_at = place
            return None
        if zlib.crc32(content) != crc:
            raise DamagedError(self._path, place, "it does not have the sum that it should have")
        try:
            lines = zstandard.ZstdDecompressor().decompress(content).removesuffix(b"\n").split(b"\n")
        except zstandard.ZstdError as error:
            raise DamagedError(self._path, place, str(error)) from error
        if len(lines) != count:
            raise DamagedError(self._path, place, f"it has {len(lines)} lines, and should have {count}")
        return Block(written_us, lines, place + PREFACE_BYTES + size)

    def _read(self, size: int, place: int) -> bytes:
        try:
            return self._file.read(max(0, min(size, self._size - place)))
        except OSError as error:
            raise RecordingError(f"{self._path}: reading it failed: {error.strerror}; read it again") from error

    def _is_zero_to_the_end(self, preface: bytes, place: int) -> bool:
        """Whether nothing follows but zeros: a machine that lost its power had made room and not written yet."""
        if any(preface):
            return False
        at = place + len(preface)
        while piece := self._read(_ZERO_PIECE, at):
            if any(piece):
                raise DamagedError(self._path, place, "zeros stand where its preface should be")
            at += len(piece)
        return True
