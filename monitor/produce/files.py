"""Events as files: a file a stream in a folder, or one file in which each object names its stream."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import zstandard

from monitor.produce.events import one_line, with_stream
from monitor.produce.target import Target, TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.produce.events import Event

_PACKINGS: Final = ("", ".gz", ".zst")
_KINDS: Final = (".ndjson", ".jsonl")
_ENDINGS: Final = tuple(kind + packing for kind in _KINDS for packing in _PACKINGS)
_TABLES: Final = tuple(kind + packing for kind in (".csv", ".parquet") for packing in _PACKINGS)


class FilesTarget(Target):
    """Writes NDJSON. Files that are there are written anew.

    Args:
        path: one that ends in .ndjson or .jsonl, also with .gz or .zst behind, is a file of all streams; any other is
            a folder, made if it is missing, of files named STREAM.ndjson.

    Raises:
        TargetError: it cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_one = path.name.lower().endswith(_ENDINGS)
        self._open: dict[str, BinaryIO] = {}
        if path.name.lower().endswith(_TABLES):
            raise TargetError(f"{path} cannot be written: only NDJSON is; a file ends in {', '.join(_ENDINGS)}")
        try:
            if self._is_one:
                self._file("")
            else:
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritten(error) from error

    def send(self, events: Sequence[Event]) -> None:
        """Write a chunk."""
        lines: dict[str, list[bytes]] = {}
        for event in events:
            if self._is_one:
                lines.setdefault("", []).append(with_stream(event))
            else:
                lines.setdefault(event.stream, []).append(one_line(event.payload))
        try:
            for stream, of_stream in lines.items():
                self._file(stream).write(b"\n".join(of_stream) + b"\n")
        except OSError as error:
            raise self._unwritten(error) from error

    def flush(self) -> None:
        """Hand over to the system what was written."""
        try:
            for file in self._open.values():
                file.flush()
        except OSError as error:
            raise self._unwritten(error) from error

    def close(self) -> None:
        """Close all files."""
        try:
            for file in self._open.values():
                file.close()
        except OSError as error:
            raise self._unwritten(error) from error

    def _file(self, stream: str) -> BinaryIO:
        if stream not in self._open:
            self._open[stream] = _opened(self._path / f"{stream}.ndjson" if stream else self._path)
        return self._open[stream]

    def _unwritten(self, error: OSError) -> TargetError:
        why = error.strerror or str(error)
        return TargetError(f"{error.filename or self._path} cannot be written: {why}; name another place by --to")


def _opened(path: Path) -> BinaryIO:
    name = path.name.lower()
    if name.endswith(".gz"):
        return cast("BinaryIO", gzip.open(path, "wb"))
    if name.endswith(".zst"):
        return cast("BinaryIO", zstandard.open(path, "wb"))
    return path.open("wb")
