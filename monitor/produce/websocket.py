"""Events as a WebSocket feed, served here: frames of NDJSON, each object with its `stream` and its number as `seq`.

Whoever connects gets what goes out from then on. Nothing goes out while nobody is there; with somebody there, who is
slowest sets the pace, until it takes nothing at all for a while and is let go. What was on its way to a connection that
ends is lost, and its reader sees by the numbers that it is.
"""

from __future__ import annotations

import logging
import threading
import time
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from websockets.frames import CloseCode
from websockets.sync.server import serve

from monitor.produce.events import NUMBERED, with_number
from monitor.produce.readers import Reader
from monitor.produce.target import Target, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event as Stop

    from websockets.sync.server import ServerConnection

    from monitor.produce.events import Event

EVENTS_A_FRAME: Final = 500
BYTES_A_FRAME: Final = 256 << 10
PATIENCE_SECONDS: Final = 60.0
"""A monitor that goes over its past, or writes its state, takes nothing for some seconds."""
_LOOK_SECONDS: Final = 0.1
_CLOSE_SECONDS: Final = 2.0
_MOST_HEARD_BYTES: Final = 64 << 10

# What readers do wrong is told by `say`, where it matters; the library would write a stack trace.
_QUIET: Final = logging.getLogger("monitor.produce.websocket")
_QUIET.setLevel(logging.CRITICAL)


class WebSocketTarget(Target):
    """Listens from the beginning.

    Args:
        url: ws://HOST:PORT, on which to listen; port 0 is a free one.
        say: tells a person who comes and goes, and that somebody is waited for.
        stop: once it is set, readers are waited for no longer than `stop_within_seconds`.
        stop_within_seconds: see `stop`.
        patience_seconds: a reader that takes nothing for so long is let go.

    Attributes:
        url: by which readers connect.

    Raises:
        TargetError: nothing can be served there.
    """

    def __init__(
        self,
        url: str,
        *,
        say: Callable[[str], None],
        stop: Stop,
        stop_within_seconds: float = 5.0,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        host, port = _place(url)
        self._say, self._stop, self._stop_within_seconds = say, stop, stop_within_seconds
        self._patience_seconds = patience_seconds
        self._readers: list[Reader] = []
        self._came_or_went = threading.Condition()
        self._give_up_at: float | None = None
        self._number = self._sent = 0
        try:
            self._server = serve(
                self._serve,
                host,
                port,
                origins=[None],  # a page that a browser shows has no business here
                compression=None,
                ping_interval=None,  # who is slow is told apart from who is gone by what it takes
                close_timeout=_CLOSE_SECONDS,
                max_size=_MOST_HEARD_BYTES,
                logger=_QUIET,
                family=AF_INET6 if ":" in host else AF_INET,
            )
        except OSError as error:
            raise TargetError(f"--to {url}: nothing can be served there: {error.strerror or error}") from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"ws://{shown}:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="feed-server")
        self._thread.start()

    def begin(self) -> None:
        """Wait until somebody reads; TargetError if it is stopped before."""
        self._somebody()

    def send(self, events: Sequence[Event]) -> None:
        """Hand a chunk over to all who are there, once somebody is; TargetError if it is stopped before."""
        for lines in self._frames(events):
            frame = b"\n".join(lines)
            for reader in self._somebody():
                if not reader.put(frame, self._gives_up):
                    raise self._unsent()
            self._sent += len(lines)

    def flush(self) -> None:
        """Wait until all who are there have all that was sent; TargetError if it is stopped before."""
        for reader in self._present():
            if not reader.flush(self._gives_up):
                raise self._unsent()

    def close(self) -> None:
        """Say goodbye to all, and listen no more; a reader that holds back is let go."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        for reader in self._present():
            if not reader.flush(lambda: time.monotonic() >= deadline):
                reader.drop()
        self._server.shutdown(code=CloseCode.NORMAL_CLOSURE, reason="the feed has ended")
        self._thread.join()

    def _serve(self, connection: ServerConnection) -> None:
        """One reader, from when it comes until it goes; in a thread of its own."""
        reader = Reader(connection, self._patience_seconds)
        host, port = connection.remote_address[:2]
        with self._came_or_went:
            self._readers.append(reader)
            self._came_or_went.notify_all()
        self._say(f"{host}:{port} reads the feed")
        try:
            reader.serve()
        finally:
            with self._came_or_went:
                self._readers.remove(reader)
                self._came_or_went.notify_all()
            self._say(f"{host}:{port} reads no more: {reader.why_gone}")

    def _somebody(self) -> list[Reader]:
        """All who are there, once somebody is."""
        is_told = False
        while not (readers := self._present()):
            if not is_told:
                self._say(f"nobody reads {self.url}; it waits for a reader, and sends nothing meanwhile")
            is_told = True
            if self._stop.is_set():
                raise TargetError(f"stopped while nobody read {self.url}; {self._sent:,} events had gone out")
            with self._came_or_went:
                self._came_or_went.wait_for(lambda: self._readers, _LOOK_SECONDS)
        return readers

    def _present(self) -> list[Reader]:
        with self._came_or_went:
            return [reader for reader in self._readers if not reader.is_gone]

    def _frames(self, events: Sequence[Event]) -> Iterator[list[bytes]]:
        """The lines of each frame."""
        lines: list[bytes] = []
        size = 0
        for event in events:
            line = with_number(event, self._number + 1)
            self._number += line.startswith(NUMBERED)  # what is no object has none
            if lines and (len(lines) == EVENTS_A_FRAME or size + len(line) > BYTES_A_FRAME):
                yield lines
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 1
        if lines:
            yield lines

    def _gives_up(self) -> bool:
        """Whether somebody wants to stop, and readers had their time since."""
        if not self._stop.is_set():
            return False
        self._give_up_at = self._give_up_at or time.monotonic() + self._stop_within_seconds
        return time.monotonic() >= self._give_up_at

    def _unsent(self) -> TargetError:
        return TargetError(f"stopped while a reader of {self.url} took nothing; it has not got all that was sent")


def _place(url: str) -> tuple[str, int]:
    """Host and port on which to listen."""
    wanted = f"--to {url}: it is not of the form ws://HOST:PORT, such as ws://127.0.0.1:8765"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TargetError(wanted) from error
    if parts.scheme == "wss":
        raise TargetError(f"--to {url}: the feed is served without TLS; take ws://, and a proxy that speaks TLS")
    if not host or port is None or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise TargetError(wanted)
    return host, port
