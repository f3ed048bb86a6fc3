"""Recorded events played as they happened: each is handed over when the story's clock has come to its time."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from monitor.sources.base import RawBatch, Source, SourceError
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.sources.clock import StoryClock
    from monitor.sources.file import FileSource

_READ_AT_ONCE: Final = 50_000


class _Time(msgspec.Struct):
    """Of an event only its time."""

    ts: int | str


_TIME: Final = msgspec.json.Decoder(_Time).decode


class PlayedSource(Source):
    """Plays files in the order of event time. They are held in memory: this is for carried histories.

    Args:
        name: the source's name.
        files: what to play, not yet opened; every event has a sound `ts`.
        clock: what time the story has; what is earlier than its start is there at once.

    A line that is earlier than one before it in its file waits for that one: positions only rise.
    """

    def __init__(self, name: str, files: Sequence[FileSource], clock: StoryClock) -> None:
        self.name = name
        self._files = files
        self._clock = clock
        self._times: list[int] = []
        self._events: list[tuple[FileSource, int, bytes]] = []
        self._next = 0
        self._total: int | None = None
        self._is_open = False
        self._through_us: int | None = None

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Read all files and put their events in order; those after the story's end are left out.

        Args:
            resume: see `Source.open`. A file is read from its beginning all the same: what stands before the
                position may hold back what follows it.
        """
        wanted = resume or {}
        events = [event for file in self._files for event in _read(file, wanted.get(file.partition, 0))]
        events.sort(key=lambda event: event[0])  # stable: at equal times a file's own order holds
        events = events[: bisect_right(events, self._clock.end_us, key=lambda event: event[0])]
        self._times = [ts_us for ts_us, *_ in events]
        self._events = [(file, offset, payload) for _, file, offset, payload in events]
        self._total = len(events)
        self._is_open = True

    def poll(self, max_records: int) -> RawBatch | None:
        """The next events of one file whose time has come."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if not self._is_open:
            raise RuntimeError("a PlayedSource is polled between open and close")
        now_us = self._clock.now_us()
        due = bisect_right(self._times, now_us)
        if self._next >= due:
            self._through_us = now_us
            return None
        if self._clock.has_begun:
            self._through_us = self._times[self._next] - 1
        file = self._events[self._next][0]
        upto = self._next
        while upto < min(due, self._next + max_records) and self._events[upto][0] is file:
            upto += 1
        some = self._events[self._next : upto]
        self._next = upto
        return RawBatch(
            self.name, file.stream, file.partition, [offset for _, offset, _ in some], [raw for *_, raw in some]
        )

    @property
    def exhausted(self) -> bool:
        """Whether everything was handed over."""
        return self._next == self._total

    @property
    def through_us(self) -> int | None:
        """What time the story had at the last poll that had nothing, or up to which all was handed over since."""
        return self._through_us

    def lag(self) -> int | None:
        """How many events are due and not handed over; None if it is not open."""
        return bisect_right(self._times, self._clock.now_us()) - self._next if self._is_open else None

    def progress(self) -> tuple[int, int | None]:
        """Events handed over, of all that are wanted of the story and its past; not known before `open`."""
        return self._next, self._total

    def close(self, timeout_seconds: float) -> None:  # noqa: ARG002 - nothing is held open
        """Forget the events."""
        self._times, self._events, self._is_open = [], [], False


def _read(file: FileSource, first: int) -> list[tuple[int, FileSource, int, bytes]]:
    """(when it is due, file, offset, payload) of every event of a file whose offset is at least `first`."""
    events: list[tuple[int, FileSource, int, bytes]] = []
    due_us = 0
    file.open()
    try:
        while not file.exhausted:
            batch = file.poll(_READ_AT_ONCE)
            if batch is None:
                continue
            for offset, payload in zip(batch.offsets, batch.payloads, strict=True):
                due_us = max(due_us, _ts_us(file, offset, payload))
                if offset >= first:
                    events.append((due_us, file, offset, payload))
    finally:
        file.close(timeout_seconds=1)
    return events


def _ts_us(file: FileSource, offset: int, payload: bytes) -> int:
    try:
        return _epoch_us(_TIME(payload).ts)
    except (msgspec.MsgspecError, ValueError) as error:
        raise SourceError(
            f"{file.partition}, line {offset}: without a sound ts it cannot be played ({error})"
        ) from error


def _epoch_us(ts: int | str) -> int:
    if isinstance(ts, int) or ts.isdigit():
        return int(ts)
    moment = datetime.fromisoformat(ts)
    if moment.tzinfo is None:
        raise ValueError(f"{ts} has no offset")
    return round(moment.timestamp() * MICROSECONDS_PER_SECOND)
