"""Events from a feed over WebSocket.

A feed of a name is one partition by that name; a position is the number of a frame, counted on over all connections,
with the number of the line or array element in it. What was sent while nobody was connected does not come again, unless
the feed sends it: so its position says only in which order things came, and a restart counts on behind the last one.

Nothing is dropped here but what a feed sends twice by its own numbers. Who takes too little holds up the server: frames
wait in a bounded queue, and beyond it nothing is read from the connection.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from websockets.exceptions import ConnectionClosed

from monitor.sources.base import LINES_A_MESSAGE, RawBatch, Source, SourceError
from monitor.sources.websocket.frames import payloads_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from websockets.sync.client import ClientConnection

    from monitor.sources.websocket.link import Link
    from monitor.sources.websocket.numbers import Numbers

BYTES_A_POLL: Final = 16 << 20
"""A poll that has so much takes no more frames: neither its time nor its memory grows with the feed's speed."""
GATHER_SECONDS: Final = 0.01
"""Where something came, more is on its way: a poll that has something waits so long for more at most, and one that has
nothing does not wait. Meanwhile the connection is read."""
PING_SECONDS: Final = 20.0
CLOSE_SECONDS: Final = 1.0
"""The closing handshake is a courtesy, and is given no longer."""


class WebSocketSource(Source):
    """Reads one feed over one connection.

    Args:
        name: the source's, and its partition's.
        stream: the contract of every event; None: each object says its own in `stream`.
        link: how it is reached.
        numbers: what the feed's own numbers say, over all connections of this feed; None: it does not number.
        ping_seconds: so often the server is pinged; if for so long neither an answer nor anything else comes, the
            connection is down.
        monotonic: a monotonic clock in seconds.
    """

    can_read_again = False

    def __init__(
        self,
        name: str,
        stream: str | None,
        link: Link,
        *,
        numbers: Numbers | None = None,
        ping_seconds: float = PING_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._stream, self._link, self._numbers, self._monotonic = stream, link, numbers, monotonic
        self._counted_before = dict(numbers.counts) if numbers else {}
        self._connection: ClientConnection | None = None
        self._pings = _Pings(ping_seconds)
        self._next_frame = 0
        self._frames = self._bytes = 0
        self._offsets: list[int] = []
        self._payloads: list[bytes] = []
        self._broken: SourceError | None = None
        self._is_closed = False

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Connect and subscribe.

        Args:
            resume: frames are counted on from the first whole one at or after this feed's position.

        Raises:
            SourceError: the feed cannot be reached, or refuses us.
        """
        if self._connection is not None or self._is_closed:
            raise RuntimeError("a WebSocketSource is opened once")
        self._next_frame = -(-(resume or {}).get(self.name, 0) // LINES_A_MESSAGE)
        self._connection = self._link.connect()
        self._pings.begin(self._monotonic())

    def poll(self, max_records: int) -> RawBatch | None:
        """The next payloads, of as many frames as it takes; see `Source.poll`."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if self._connection is None or self._is_closed:
            raise RuntimeError("a WebSocketSource is polled between open and close")
        if self._broken is None:
            try:
                self._take_in(self._connection, max_records)
            except ConnectionClosed as error:
                self._broken = self._link.lost(error)
            except SourceError as error:
                self._broken = error
        if self._numbers is not None:
            self._numbers.settle(self._monotonic())
        batch = self._next_batch(max_records)
        if batch is None and self._broken is not None:
            raise self._broken
        return batch

    @property
    def exhausted(self) -> bool:
        """Never: a feed that closes the connection is connected again."""
        return False

    def counts(self) -> Mapping[str, int]:
        """Frames, bytes, and what the feed's own numbers say; see `Source.counts`."""
        counted = {"frames": self._frames, "bytes": self._bytes}
        if self._numbers is not None:
            before = self._counted_before
            counted |= {what: count - before[what] for what, count in self._numbers.counts.items()}
        return counted

    def lag(self) -> int | None:
        """Nobody knows what a feed has still to send."""
        return None

    def progress(self) -> tuple[int, int | None]:
        """Frames that came; there is no total."""
        return self._frames, None

    def close(self, timeout_seconds: float) -> None:
        """Say goodbye, and let go of the connection, whether the server answers or not."""
        if self._connection is not None and not self._is_closed:
            self._connection.close_timeout = min(timeout_seconds, CLOSE_SECONDS)
            self._connection.close()
        self._is_closed = True

    def _take_in(self, connection: ClientConnection, max_records: int) -> None:
        """Take frames until there is enough to hand over, or none waits."""
        now = self._monotonic()
        enough_bytes = self._bytes + BYTES_A_POLL
        wait_seconds, ends_at = 0.0, time.monotonic() + GATHER_SECONDS
        while len(self._payloads) < max_records and self._bytes < enough_bytes:
            try:
                frame = connection.recv(timeout=wait_seconds, decode=False)
            except TimeoutError:
                break
            self._take(frame, now)
            self._pings.heard(now)
            wait_seconds = max(0.0, ends_at - time.monotonic())
        if not self._pings.look(connection, now):
            seconds = self._pings.seconds
            raise self._link.failed(f"nothing came for {seconds:g} s (ping_seconds), no answer to a ping either")

    def _take(self, frame: bytes, now: float) -> None:
        payloads = payloads_of(frame)
        first = self._next_frame * LINES_A_MESSAGE
        offsets = range(first, first + len(payloads))
        self._next_frame += 1
        self._frames += 1
        self._bytes += len(frame)
        if self._numbers is not None:
            wanted = self._numbers.wanted(frame, payloads, now)
            if not all(wanted):
                self._offsets += [offset for offset, is_wanted in zip(offsets, wanted, strict=True) if is_wanted]
                self._payloads += [each for each, is_wanted in zip(payloads, wanted, strict=True) if is_wanted]
                return
        self._offsets += offsets
        self._payloads += payloads

    def _next_batch(self, max_records: int) -> RawBatch | None:
        if not self._payloads:
            return None
        offsets, payloads = self._offsets[:max_records], self._payloads[:max_records]
        del self._offsets[:max_records], self._payloads[:max_records]
        return RawBatch(self.name, self._stream, self.name, offsets, payloads, of_messages=True)


class _Pings:
    """Whether the other side is there, though it may have nothing to say.

    Pings are sent from where frames are taken. Who was held up for a while may find an answer behind frames that were
    not read, so silence counts only while nothing waits.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._heard_at = self._pinged_at = 0.0
        self._answered: threading.Event | None = None

    def begin(self, now: float) -> None:
        """The connection was made."""
        self._heard_at = self._pinged_at = now

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at = now

    def look(self, connection: ClientConnection, now: float) -> bool:
        """Ping when it is time; whether an answer, or anything else, has come in time."""
        if self._answered is not None:
            if not self._answered.is_set():
                return now - max(self._heard_at, self._pinged_at) < self.seconds
            self._answered = None
        if now - self._pinged_at >= self.seconds:
            with suppress(ConnectionClosed):  # what still waits comes first; then `recv` says it
                self._answered = connection.ping()
            self._pinged_at = now
        return True
