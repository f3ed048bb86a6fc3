"""The folder of the bar log: the names in it, its lock, and steps that a crash leaves done or not done."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.engine.barlog_file import BarLogError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LOCK_FILE: Final = "barlog-lock"
DISCARDED_FILE: Final = "barlog-discarded"
"""While it is there, the log is discarded, and its files are only still to be removed."""

DAMAGED: Final = ".damaged"
_TEMPORARY: Final = ".tmp"
_PROBE_FILE: Final = f"barlog-probe{_TEMPORARY}"
_NAME: Final = re.compile(r"([0-9]{12,})-([0-9]{12,})\.bars")
_TEMPORARY_NAME: Final = re.compile(rf"({_NAME.pattern}|barlog-[a-z]+){re.escape(_TEMPORARY)}")


class Span(NamedTuple):
    """The commits that a file covers.

    >>> Span(17, 32).name
    '000000000017-000000000032.bars'
    """

    first: int
    last: int

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.first:012d}-{self.last:012d}.bars"

    @property
    def commits(self) -> int:
        """How many they are."""
        return self.last - self.first + 1


def spans(folder: Path) -> list[Span]:
    """What the files of the log cover, by their names; other files are not looked at."""
    names = {path.name for path in folder.iterdir()}
    found = (Span(int(match[1]), int(match[2])) for match in map(_NAME.fullmatch, names) if match)
    return sorted(span for span in found if span.name in names)


def make(folder: Path) -> None:
    """Make the folder if it is not there, so that a crash does not take it away again."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        sync(each.parent)


def take_lock(folder: Path) -> int:
    """Lock the folder for this process until the descriptor is closed, or the process ends.

    Raises:
        BarLogError: another holds it.
    """
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise BarLogError(
                f"{folder} is in use by another monitor: end that one, or name another folder for the log"
            ) from error
        raise
    return descriptor


def clean(folder: Path) -> None:
    """Remove what a crash may have left unfinished; fails if the folder cannot be written."""
    os.close(os.open(folder / _PROBE_FILE, os.O_WRONLY | os.O_CREAT, 0o644))
    for path in list(folder.iterdir()):
        if _TEMPORARY_NAME.fullmatch(path.name):
            path.unlink()
    if (folder / DISCARDED_FILE).exists():
        _finish_discard(folder)


def write(path: Path, parts: Iterable[bytes]) -> None:
    """Put a file in place, on the disk when this returns; after an OSError there is none."""
    temporary = path.with_name(path.name + _TEMPORARY)
    try:
        _write_and_sync(temporary, parts)
        temporary.replace(path)
        sync(path.parent)
    except OSError:
        for each in (temporary, path):
            # What cannot be removed now does no harm: the next file of this name takes its place.
            with suppress(OSError):
                each.unlink()
        raise


def sync(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path) -> Path:
    """Rename a damaged file, and say to what; one that was set aside before is never replaced."""
    aside, n = path.with_name(path.name + DAMAGED), 1
    while aside.exists():
        n += 1
        aside = path.with_name(f"{path.name}.{n}{DAMAGED}")
    path.rename(aside)
    return aside


def discard(folder: Path) -> None:
    """Remove the files of the log, after a crash all or none; those set aside as damaged stay."""
    write(folder / DISCARDED_FILE, ())
    _finish_discard(folder)


def _finish_discard(folder: Path) -> None:
    for span in spans(folder):
        (folder / span.name).unlink()
    sync(folder)  # else the mark might be gone before they are
    (folder / DISCARDED_FILE).unlink()
    sync(folder)


def _write_and_sync(path: Path, parts: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
