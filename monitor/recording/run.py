"""A recording as it is made: what the feeds bring goes to the disk, until it is stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from monitor.recording.writer import RecordingWriter
    from monitor.sources.supervisor import Supervisor

_WAIT_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far a recording has come.

    Attributes:
        events: payloads on the disk.
        written_bytes: of the files, packed.
        lost: payloads that could not be written before the end.
        seconds: since it began.
    """

    events: int
    written_bytes: int
    lost: int
    seconds: float

    @property
    def a_second(self) -> int:
        """Payloads a second, since it began."""
        return round(self.events / self.seconds) if self.seconds else 0


def record(
    supervisor: Supervisor,
    kinds: Mapping[str, str],
    writer: RecordingWriter,
    stop: threading.Event,
    *,
    sync_seconds: float,
    for_seconds: float | None = None,
    stop_within_seconds: float = 5.0,
    on_progress: Callable[[Recorded], object] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Recorded:
    """Record until stopped, until the time is over, or until every feed has ended.

    Args:
        supervisor: of the feeds, not yet started.
        kinds: of the feeds, by name.
        writer: closed here.
        stop: ends it; what was brought until then is written.
        sync_seconds: what came is on the disk within so long.
        for_seconds: how long it records; None: without end.
        stop_within_seconds: what the feeds are given to let go.
        on_progress: told how far it has come, at every sync.
        monotonic: a monotonic clock in seconds.

    Raises:
        BaseException: a mistake in the program, in whatever thread it was made.
    """
    began_at = synced_at = monotonic()

    def told() -> Recorded:
        return Recorded(writer.events, writer.written_bytes, writer.lost.total(), monotonic() - began_at)

    def take(timeout_seconds: float) -> bool:
        arrival = supervisor.take(timeout_seconds)
        if arrival is not None:
            if writer.is_full:  # only at the end: until then nothing is taken for which there is no room
                writer.lose(arrival.batch)
            else:
                writer.add(arrival.batch, kinds[arrival.feed])
        return arrival is not None

    supervisor.start()
    try:
        while not stop.is_set() and not supervisor.ended:
            now = monotonic()
            if for_seconds is not None and now - began_at >= for_seconds:
                break
            if now - synced_at >= sync_seconds:
                writer.sync()
                synced_at = monotonic()
                on_progress(told())
            if writer.is_full:  # what is not taken stays with the feeds, and holds them up
                stop.wait(min(_WAIT_SECONDS, sync_seconds))
            else:
                take(min(_WAIT_SECONDS, sync_seconds))
        writer.sync()
        supervisor.stop(monotonic() + stop_within_seconds)
        while take(0.0):
            pass
    finally:
        supervisor.stop(monotonic())
        writer.close()
    return told()
