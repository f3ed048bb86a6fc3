"""Stories of two files: all of it past, and one that goes on when its clock does."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.played import PlayedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FIRST_US = 1_700_000_000_000_000
# Seconds after the first; the fourth repo line is earlier than the one before it.
REPO = (0, 1, 1, 5, 3, 8)
REFERENCE = (0, 2, 5)


def _line(stream: str, seconds: int) -> bytes:
    return b'{"ts":%d,"from":"%s"}' % (FIRST_US + 1_000_000 * seconds, stream.encode())


def _rows(stream: str, seconds: Sequence[int]) -> list[tuple[int, bytes]]:
    return [(number, _line(stream, second)) for number, second in enumerate(seconds, start=1)]


def _story(folder: Path, start_seconds: int, end_seconds: int) -> PlayedSource:
    files = []
    for stream, seconds in (("repo", REPO), ("reference", REFERENCE)):
        path = folder / f"{stream}.ndjson"
        path.write_bytes(b"".join(_line(stream, second) + b"\n" for second in seconds))
        files.append(FileSource(str(path), stream))
    start_us, end_us = (FIRST_US + 1_000_000 * seconds for seconds in (start_seconds, end_seconds))
    return PlayedSource("story", files, StoryClock(start_us, end_us, 1.0, lambda: 0.0))


def _make(start_seconds: int, end_seconds: int) -> Callable[[Path], PlayedSource]:
    return lambda folder: _story(folder, start_seconds, end_seconds)


def _missing(folder: Path) -> PlayedSource:
    file = FileSource(str(folder / "none.ndjson"), "repo")
    return PlayedSource("story", [file], StoryClock(FIRST_US, FIRST_US, 1.0, lambda: 0.0))


@contextmanager
def _silent() -> Iterator[PlayedSource]:
    with TemporaryDirectory() as folder:
        yield _story(Path(folder), start_seconds=-1, end_seconds=100)


def register(add: Any) -> None:
    add(
        PlayedSource,
        "all-of-it-past",
        make=_make(100, 100),
        expected=[_rows("repo", REPO), _rows("reference", REFERENCE)],
        missing=_missing,
        silent=_silent,
    )
    add(
        PlayedSource,
        "ends-before-its-files",
        make=_make(2, 2),
        expected=[_rows("repo", REPO[:3]), _rows("reference", REFERENCE[:2])],
    )
