"""One file of the bar log: the rows and the states of a run of commits, in a form that shows any damage.

The bytes, in order; numbers are little-endian:

====================  ==============================================================================
8 bytes               `MAGIC`
4 bytes               version of the format
4 bytes               CRC-32 of the 12 before: tells a file of another version from a damaged one
8 bytes               length of the manifest
manifest              JSON: the commits covered; of every frame its kind, name and length
frames                Arrow IPC streams compressed with zstd, in the order of the manifest
32 bytes              BLAKE2b-256 of everything before
====================  ==============================================================================

The first 16 bytes are the same in every version to come.
"""

from __future__ import annotations

import io
import struct
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import polars as pl
from polars.exceptions import PolarsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAGIC: Final = b"BARLOG\r\n"
"""With a line end that a transfer as text would change."""

VERSION: Final = 3
"""Raised whenever what a folder holds changes, the frames of the state among it."""

_BEGIN: Final = struct.Struct("<8sI")
_CHECK: Final = struct.Struct("<I")
_LENGTH: Final = struct.Struct("<Q")
_HEADER_SIZE: Final = _BEGIN.size + _CHECK.size
_DIGEST_SIZE: Final = 32

Kind = Literal["append", "state"]


class BarLogError(Exception):
    """The log cannot be read or written: which file, what is wrong, what to do."""


class DamagedError(Exception):
    """The bytes of a file are not those that were written: how that shows."""


class _Entry(msgspec.Struct, frozen=True):
    kind: Kind
    name: str
    length: int


class _Manifest(msgspec.Struct, frozen=True):
    first: int
    last: int
    frames: tuple[_Entry, ...]


class BarFile:
    """A file whose checksum agrees; its frames are decoded when asked for.

    Attributes:
        first: number of the first commit that it covers.
        last: number of the last.
    """

    def __init__(self, path: Path, manifest: _Manifest, frames: memoryview) -> None:
        self.first, self.last = manifest.first, manifest.last
        self._path, self._entries, self._frames = path, manifest.frames, frames

    def appends(self) -> dict[str, pl.DataFrame]:
        """The appended rows by tier, in the order of commits.

        Raises:
            BarLogError: this version of Polars cannot read them.
        """
        return self._decode("append")

    def states(self) -> dict[str, pl.DataFrame]:
        """The newest states by name.

        Raises:
            BarLogError: this version of Polars cannot read them.
        """
        return self._decode("state")

    def _decode(self, kind: Kind) -> dict[str, pl.DataFrame]:
        decoded, at = {}, 0
        for entry in self._entries:
            if entry.kind == kind:
                try:
                    decoded[entry.name] = pl.read_ipc_stream(bytes(self._frames[at : at + entry.length]))
                except PolarsError as error:  # no damage: the checksum agrees
                    raise BarLogError(
                        f"{self._path} is whole, but this version of Polars ({pl.__version__}) cannot read the frame"
                        f" {entry.name!r} in it: {error}; use the version that wrote it, or discard the log"
                    ) from error
            at += entry.length
        return decoded


def encode(
    first: int, last: int, appends: Mapping[str, pl.DataFrame], states: Mapping[str, pl.DataFrame]
) -> list[bytes]:
    """The bytes of a file, in pieces.

    Args:
        first: number of the first commit that it covers.
        last: number of the last.
        appends: rows by tier; every dtype that Arrow IPC has; a frame has at least a column.
        states: a frame a name, likewise.
    """
    by_kind: tuple[tuple[Kind, Mapping[str, pl.DataFrame]], ...] = (("append", appends), ("state", states))
    named = [(kind, name, _ipc(frame)) for kind, frames in by_kind for name, frame in frames.items()]
    entries = tuple(_Entry(kind, name, len(ipc)) for kind, name, ipc in named)
    manifest = msgspec.json.encode(_Manifest(first, last, entries))
    begin = _BEGIN.pack(MAGIC, VERSION)
    header = begin + _CHECK.pack(zlib.crc32(begin)) + _LENGTH.pack(len(manifest))
    parts = [header, manifest, *(ipc for _, _, ipc in named)]
    digest = blake2b(digest_size=_DIGEST_SIZE)
    for part in parts:
        digest.update(part)
    return [*parts, digest.digest()]


def read(path: Path) -> BarFile:
    """A file, verified in full.

    Raises:
        DamagedError: it is truncated or changed.
        BarLogError: its format is of another version.
        OSError: it cannot be read.
    """
    raw = memoryview(path.read_bytes())
    if len(raw) < _HEADER_SIZE:
        raise DamagedError(f"it is only {len(raw)} bytes long")
    magic, version = _BEGIN.unpack_from(raw)
    if magic != MAGIC or _CHECK.unpack_from(raw, _BEGIN.size) != (zlib.crc32(raw[: _BEGIN.size]),):
        raise DamagedError("it does not begin as a file of the log")
    if version != VERSION:
        raise BarLogError(
            f"{path} has the format version {version}, and this release reads only {VERSION}: use the release that"
            " wrote it, or name another folder for the log"
        )
    content, digest = raw[:-_DIGEST_SIZE], raw[-_DIGEST_SIZE:]
    if blake2b(content, digest_size=_DIGEST_SIZE).digest() != digest:
        raise DamagedError("its checksum does not agree with its content")
    try:
        (length,) = _LENGTH.unpack_from(content, _HEADER_SIZE)
        frames_at = _HEADER_SIZE + _LENGTH.size + length
        manifest = msgspec.json.decode(content[_HEADER_SIZE + _LENGTH.size : frames_at], type=_Manifest)
    except (struct.error, msgspec.DecodeError) as error:
        raise DamagedError(f"its manifest cannot be read: {error}") from error
    if frames_at + sum(entry.length for entry in manifest.frames) != len(content):
        raise DamagedError("its length is not that of its frames")
    return BarFile(path, manifest, content[frames_at:])


def _ipc(frame: pl.DataFrame) -> bytes:
    # The stream form: smaller than the file form, and a small frame takes a twentieth of the time.
    buffer = io.BytesIO()
    frame.rechunk().write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()
