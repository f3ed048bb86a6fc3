"""The folder of a recording: its files in the order in which they were written, and what they hold, summed up."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from monitor.recording.blocks import BlockFile
from monitor.recording.errors import DamagedError, RecordingError
from monitor.recording.lines import Line, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NAME: Final = re.compile(r"\d{8}T\d{6}Z-(\d{4,})\.frames\.ndjson\.zst")
MICROSECONDS_PER_SECOND: Final = 1_000_000

_log = structlog.get_logger(__name__)


def file_name(number: int, now_us: int) -> str:
    """Of the n-th file of a recording, begun now."""
    return (
        f"{datetime.fromtimestamp(now_us / MICROSECONDS_PER_SECOND, UTC):%Y%m%dT%H%M%SZ}-{number:04}.frames.ndjson.zst"
    )


def number_of(path: Path) -> int:
    """The number in a file's name; 0 if it is no file of a recording."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file, as it was when the folder was looked at."""

    path: Path
    size: int

    @contextmanager
    def open(self) -> Iterator[BlockFile]:
        """Read it from its beginning.

        Raises:
            RecordingError: it cannot be opened.
        """
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise RecordingError(
                f"{self.path}: it cannot be opened: {error.strerror}; check who may read it"
            ) from error
        with file:
            yield BlockFile(self.path, file, self.size)

    def say_torn(self, torn_at: int | None) -> None:
        """Say that its end is missing, if it is."""
        if torn_at is not None:
            _log.warning(
                "the last block of a recorded file is not all there, as after a kill; it is passed over",
                file=str(self.path),
                at_byte=torn_at,
                bytes_passed_over=self.size - torn_at,
            )


def files_of(folder: Path) -> list[RecordedFile]:
    """The files of a recording, in the order in which they were written; none if there is no such folder.

    Raises:
        RecordingError: the folder cannot be read.
    """
    if not folder.exists():
        return []
    try:
        found = sorted((path for path in folder.iterdir() if number_of(path)), key=number_of)
        return [RecordedFile(path, path.stat().st_size) for path in found]
    except OSError as error:
        raise RecordingError(
            f"{folder}: it cannot be read: {error.strerror}; give the folder of a recording"
        ) from error


def existing_files(folder: Path) -> list[RecordedFile]:
    """As `files_of`, of a recording that must be there.

    Raises:
        RecordingError: there is no recording.
    """
    files = files_of(folder)
    if not files:
        wrong = "there is no recording in this folder" if folder.is_dir() else "there is no such folder"
        raise RecordingError(
            f"{folder}: {wrong}; name the folder that `stress-monitor record --out` wrote, "
            "whose files end in .frames.ndjson.zst"
        )
    numbers = [number_of(each.path) for each in files]
    missing = sorted(set(range(numbers[0], numbers[-1])) - set(numbers))
    if missing:
        _log.warning(
            "files of the recording are missing: what they held is not replayed",
            folder=str(folder),
            numbers=", ".join(f"{each:04}" for each in missing),
        )
    return files


def sources_of(files: list[RecordedFile]) -> dict[str, str]:
    """The feeds that the files hold, by name, with their kinds.

    Raises:
        RecordingError: a file is damaged, or cannot be read.
    """
    found: dict[str, str] = {}
    for each in files:
        with each.open() as file:
            head = file.head()
        if head is not None:
            found |= head.sources
    return found


@dataclass
class Held:
    """What a recording holds of one partition; times are epoch microseconds."""

    source: str
    kind: str
    first: int
    next: int
    first_us: int
    last_us: int = 0
    count: int = 0


@dataclass
class Listing:
    """What a recording holds.

    Attributes:
        partitions: by name.
        files: how many files.
        size: bytes on the disk.
    """

    partitions: dict[str, Held] = field(default_factory=dict)
    files: int = 0
    size: int = 0

    def add(self, line: Line, written_us: int) -> None:
        """Count a line; one that was written twice counts once."""
        at = line.arrived_us or written_us
        held = self.partitions.setdefault(
            line.partition, Held(line.source, line.kind, line.position, line.position, at)
        )
        if line.position >= held.next:
            held.next, held.last_us, held.count = line.position + 1, at, held.count + 1


def listing_of(files: list[RecordedFile], on_progress: Callable[[int, int], object]) -> Listing:
    """What the files hold, read whole.

    Args:
        files: of a recording.
        on_progress: told the bytes that were read, and all.

    Raises:
        RecordingError: a file is damaged, or cannot be read.
    """
    listing = Listing(files=len(files), size=sum(each.size for each in files))
    before = 0
    for each in files:
        with each.open() as file:
            if file.head() is not None:
                begins_at = 0
                for block in file.blocks():
                    for raw in block.lines:
                        listing.add(read_line(raw, each.path, begins_at), block.written_us)
                    begins_at = block.ends_at
                    on_progress(before + block.ends_at, listing.size)
            each.say_torn(file.torn_at)
        before += each.size
    return listing


def read_line(raw: bytes, path: Path, place: int) -> Line:
    """A line of the block at a place of a file; DamagedError if it is none."""
    try:
        return line_of(raw)
    except ValueError as error:
        raise DamagedError(path, place, f"a line of it cannot be read: {error}") from error


def next_positions(folder: Path) -> dict[str, int]:
    """By partition, the first position that the recording does not have: where a new start goes on.

    Only the last file is read whole, for the head of each says how far those before it went.

    Raises:
        RecordingError: a file is damaged, or cannot be read.
    """
    for each in reversed(files_of(folder)):
        with each.open() as file:
            head = file.head()
            if head is None:
                continue  # it was torn before it held anything
            positions = head.positions
            for block in file.blocks():
                for raw in block.lines:
                    line = read_line(raw, each.path, block.ends_at)
                    positions[line.partition] = max(positions.get(line.partition, 0), line.position + 1)
            each.say_torn(file.torn_at)
            return positions
    return {}
