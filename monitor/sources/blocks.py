"""A file's content in blocks of bounded size, unpacked on the way.

Packed data can grow a thousandfold (zstd: more than thirty thousandfold), so neither unpacker is ever given more
than it may turn into a bounded piece: zlib by its own limit, zstd by being fed small pieces, which costs it no
speed. A file that ends within packed data says so; the `read` of the usual wrappers would end as if all were well.
"""

from __future__ import annotations

import os
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from monitor.sources.errors import InputError, error_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK_BYTES = 1 << 18
"""Large enough that a block's own cost vanishes, small enough to stay in a processor's cache."""

_PACKED_BYTES = 1 << 16
_ZSTD_PIECE_BYTES = 1 << 9
"""At most 16 MiB when unpacked: a block of 128 KiB that repeats one byte is packed in four bytes."""
_GZIP_MEMBER = 31
"""zlib's word for: expect a gzip header, check its sum at the end."""


def check_is_file(path: str) -> None:
    """Look whether there is a file that may be read.

    Args:
        path: as the user wrote it; a leading `~` is the home folder.

    Raises:
        SourceError: there is none, or it may not be read, or it is a folder, a pipe or a device, which are not
            opened, since that could wait for ever.
    """
    try:
        mode = Path(expand(path)).stat().st_mode
        if stat.S_ISREG(mode):
            Path(expand(path)).open("rb").close()
    except FileNotFoundError:
        raise InputError(path, "there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        raise _cannot_open(path, error) from error
    if stat.S_ISDIR(mode):
        raise InputError(path, "it is a folder", "give the path of one file")
    if not stat.S_ISREG(mode):
        raise InputError(path, "it is no regular file", "send NDJSON through standard input instead, as `-`")


def expand(path: str) -> str:
    """The path with a leading `~` resolved, which shells leave alone in `STREAM=~/FILE`."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path fails where there is no home


def _cannot_open(path: str, error: Exception) -> InputError:
    return InputError(path, f"it cannot be opened: {error_text(error)}", "check the path and who may read it")


class Blocks:
    """The unpacked bytes of one file, a block a call.

    Args:
        path: of a regular file, as the user wrote it.
        packing: `.gz`, `.zst`, or nothing.
        block_bytes: the greatest size of a block.

    Raises:
        SourceError: the file cannot be opened.
    """

    def __init__(self, path: str, packing: str, block_bytes: int = BLOCK_BYTES) -> None:
        self._path = path
        try:
            self._file = Path(expand(path)).open("rb", buffering=0)  # noqa: SIM115 - `close` closes it
        except OSError as error:
            raise _cannot_open(path, error) from error
        self.total = os.fstat(self._file.fileno()).st_size
        if packing == ".gz":
            self._blocks = _gunzip(self._file.read, block_bytes)
        elif packing == ".zst":
            self._blocks = _unzstd(self._file.read, block_bytes)
        else:
            self._blocks = iter(lambda: self._file.read(block_bytes), b"")
        self._packing = packing

    def read(self) -> bytes:
        """The next block, never empty but at the end.

        Raises:
            SourceError: the file is cut short or damaged, or the disk failed. Not to be called again then.
        """
        try:
            return next(self._blocks, b"")
        except OSError as error:
            raise InputError(self._path, f"reading it failed: {error_text(error)}", "read it again") from error
        except (zlib.error, zstandard.ZstdError, EOFError) as error:
            wrong = f"it is damaged, cut short, or no {self._packing} file at all: {error_text(error)}"
            raise InputError(self._path, wrong, "fetch or pack it again") from error

    def position(self) -> int:
        """How many bytes of the file were read, as it lies on the disk; at most `total`."""
        return min(self._file.tell(), self.total)

    def close(self) -> None:
        """Close the file; `position` cannot be asked any more."""
        self._file.close()


def _gunzip(read: Callable[[int], bytes], block_bytes: int) -> Iterator[bytes]:
    """The content of one or several gzip members; zeros after the last are padding."""
    inflate, packed, member_open = zlib.decompressobj(_GZIP_MEMBER), b"", True
    while True:
        if not packed:
            packed = read(_PACKED_BYTES)
            if not packed:
                break
        if not member_open:
            packed = packed.lstrip(b"\0")
            if not packed:
                continue
            inflate, member_open = zlib.decompressobj(_GZIP_MEMBER), True
        block = inflate.decompress(packed, block_bytes)
        packed = inflate.unconsumed_tail
        if inflate.eof:
            packed, member_open = inflate.unused_data, False
        if block:
            yield block
    if member_open:
        raise EOFError("it ends within packed data")


def _unzstd(read: Callable[[int], bytes], block_bytes: int) -> Iterator[bytes]:
    """The content of one or several zstd frames."""
    frames = zstandard.ZstdDecompressor()
    frame, frame_open = frames.decompressobj(), True
    while packed := read(_PACKED_BYTES):
        for start in range(0, len(packed), _ZSTD_PIECE_BYTES):
            piece = packed[start : start + _ZSTD_PIECE_BYTES]
            while piece:
                if not frame_open:
                    frame, frame_open = frames.decompressobj(), True
                block = frame.decompress(piece)
                for at in range(0, len(block), block_bytes):
                    yield block[at : at + block_bytes]
                piece = b""
                if frame.eof:
                    piece, frame_open = frame.unused_data, False
    if frame_open:
        raise EOFError("it ends within packed data")
