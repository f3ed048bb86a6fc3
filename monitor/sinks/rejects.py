"""Dead letters: what was refused is kept with the raw bytes as they came, in a file or in topics of its own.

Neither ever stops the run: what cannot be kept is counted, and said once.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from monitor.kafka.names import MOST_TOPIC_CHARS, REJECTS_SUFFIX, topic_and_number
from monitor.sinks.base import MAPPED, SYNTHETIC, Sink
from monitor.sinks.files import reject_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from monitor.results import Ingested, Output, RejectedEvent
    from monitor.sinks.outgoing import Header, Outbox

REFUSED_AT: Final = "refused_at"
"""The key of a line under which the wall clock stands."""

_UNKNOWN_TOPIC: Final = "unknown"
_DIGEST_CHARS: Final = 8
_COUNTED_AT_ONCE: Final = 1 << 20
_ESCAPED: Final = "backslashreplace"
"""Names of files may hold bytes that are no UTF-8; so they come back out of JSON as they were."""

_log = structlog.get_logger(__name__)


def rejects_topic(topic: str) -> str:
    """Where what was refused of a topic is kept; a name that would be too long is cut, and told apart by a digest.

    >>> rejects_topic("treasury.quotes")
    'treasury.quotes.rejects'
    """
    if len(topic) + len(REJECTS_SUFFIX) > MOST_TOPIC_CHARS:
        digest = hashlib.sha256(topic.encode()).hexdigest()[:_DIGEST_CHARS]
        topic = f"{topic[: MOST_TOPIC_CHARS - len(REJECTS_SUFFIX) - _DIGEST_CHARS - 1]}-{digest}"
    return topic + REJECTS_SUFFIX


class RejectFile(Sink):
    """Appends refused events to a file of lines, as `rejects.jsonl` of a replay has them, each with when it was.

    The events of a batch are written at once, all or none of them. The file may be moved away at any time: the next
    line begins a new one.

    Args:
        path: of the file; made, with its folder, when the first event is refused.
        most: so many lines it may have; what is refused then is dropped.
        wall_us: epoch microseconds.
        is_synthetic: whether the events are made up; every line then says so.
        on_kept: told of events that were written.
        on_dropped: told of events that were not.
    """

    def __init__(
        self,
        path: Path,
        most: int,
        *,
        wall_us: Callable[[], int],
        is_synthetic: bool = False,
        on_kept: Callable[[int], None] = lambda _: None,
        on_dropped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._path, self._most, self._wall_us = path, most, wall_us
        self._on_kept, self._on_dropped = on_kept, on_dropped
        self._mark = {SYNTHETIC: True} if is_synthetic else {}
        self._lines = 0
        self._left: tuple[int, int] | None = None
        self._is_failing = self._is_full = False

    def ingested(self, what: Ingested) -> None:
        """Keep what was refused."""
        if not what.rejects:
            return
        try:
            kept = self._append(what.rejects)
        except OSError as error:
            if not self._is_failing:
                _log.error(
                    "refused events cannot be written, and are only counted; the monitor goes on, and tries again",
                    file=str(self._path), error=error.strerror or str(error),
                )  # fmt: skip
            self._is_failing = True
            self._on_dropped(len(what.rejects))
            return
        if self._is_failing:
            _log.info("refused events are written again", file=str(self._path))
        self._is_failing = False
        dropped = len(what.rejects) - kept
        if dropped and not self._is_full:
            _log.error(
                "the file of refused events is full, and what is refused from now on is only counted: move it away, "
                "or raise rejects.most",
                file=str(self._path), most=self._most,
            )  # fmt: skip
        self._is_full = dropped > 0
        if kept:
            self._on_kept(kept)
        if dropped:
            self._on_dropped(dropped)

    def wrote(self, output: Output) -> None:
        """Results go elsewhere."""

    def close(self) -> None:
        """Nothing is held open."""

    def _append(self, rejects: Sequence[RejectedEvent]) -> int:
        """Write as many as there is room for, all or none of them; how many that were."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            there = os.fstat(descriptor)
            is_cut = False
            if (there.st_ino, there.st_size) != self._left:  # the first time, or somebody else wrote it
                self._lines, is_cut = _count_lines(descriptor, there.st_size)
            kept = rejects[: max(0, self._most - self._lines)]
            at = datetime.fromtimestamp(self._wall_us() / 1e6, UTC).isoformat(timespec="milliseconds")
            told = {REFUSED_AT: at.replace("+00:00", "Z")} | self._mark
            lines = [json.dumps(reject_line(each) | told, ensure_ascii=False) + "\n" for each in kept]
            try:
                # Half a line, left by a crash of the machine, spoils no other.
                _write_all(descriptor, ("\n" * is_cut + "".join(lines)).encode(errors=_ESCAPED))
            except OSError:
                self._left = None
                with suppress(OSError):
                    os.ftruncate(descriptor, there.st_size)
                raise
            self._lines += len(kept) + is_cut
            there = os.fstat(descriptor)
            self._left = (there.st_ino, there.st_size)
        finally:
            os.close(descriptor)
        return len(kept)


class RejectTopic(Sink):
    """Sends refused events to the rejects topic of the topic that they came from.

    The value is the raw bytes; why and where stand in the headers; the key is the partition that they came from, so
    that those of a partition stay in their order. One that is refused twice, as after a kill, has the same position.

    Args:
        outbox: closed with the sink.
        topics: by stream, the topic of events that did not come from Kafka.
        close_within_seconds: so long the end may wait for what is still to be sent.
        is_synthetic: whether the events are made up; every message then says so.
        on_dropped: told of events that are sent nowhere; those that the outbox drops it tells itself.
    """

    def __init__(
        self,
        outbox: Outbox,
        topics: Mapping[str, str],
        *,
        close_within_seconds: float,
        is_synthetic: bool = False,
        on_dropped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._outbox, self._topics, self._close_within = outbox, topics, close_within_seconds
        self._mark: list[Header] = [(SYNTHETIC, b"true")] if is_synthetic else []
        self._on_dropped = on_dropped
        self._has_said_loop = False

    def ingested(self, what: Ingested) -> None:
        """Send what was refused."""
        for each in what.rejects:
            self._send(each)

    def wrote(self, output: Output) -> None:
        """Results go elsewhere."""

    def close(self) -> None:
        """Send what waits."""
        self._outbox.close(self._close_within)

    def _send(self, each: RejectedEvent) -> None:
        came_by = topic_and_number(each.partition)
        topic = came_by[0] if came_by else self._topics.get(each.stream)
        if topic is not None and topic.endswith(REJECTS_SUFFIX):
            # It is in a rejects topic already; there would be no end of it.
            if not self._has_said_loop:
                _log.error(
                    "a topic of refused events is read as a source; what it brings is not kept again", topic=topic
                )
            self._has_said_loop = True
            self._on_dropped(1)
            return
        place = str(came_by[1]) if came_by else each.partition
        told = {
            "reason": each.reason, "detail": each.detail, "stream": each.stream, "source": each.source,
            "topic": topic, "partition": place, "offset": str(each.offset),
            "line": None if each.line is None else str(each.line),
        }  # fmt: skip
        if each.is_mapped:
            told |= {MAPPED: "true", "events": str(each.events)}
        headers = [(name, text.encode(errors=_ESCAPED)) for name, text in told.items() if text is not None]
        self._outbox.put(
            rejects_topic(topic or _UNKNOWN_TOPIC),
            each.raw,
            key=each.partition.encode(errors=_ESCAPED),
            headers=headers + self._mark,
        )


def _count_lines(descriptor: int, size: int) -> tuple[int, bool]:
    """How many whole lines a file has, and whether half a one follows; a device has none."""
    lines, last = 0, b"\n"
    os.lseek(descriptor, 0, os.SEEK_SET)
    while size > 0 and (block := os.read(descriptor, min(size, _COUNTED_AT_ONCE))):
        size -= len(block)
        lines += block.count(b"\n")
        last = block[-1:]
    return lines, last != b"\n"


def _write_all(descriptor: int, what: bytes) -> None:
    rest = memoryview(what)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
