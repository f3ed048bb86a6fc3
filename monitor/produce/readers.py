"""Who reads a feed that is served: frames wait for each reader, up to a bound, and go out in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Final

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.sync.server import ServerConnection

QUEUED_FRAMES: Final = 16
"""Who has so many waiting for it holds up whoever sends."""
_LOOK_SECONDS: Final = 0.1


class Reader:
    """One connection that reads the feed.

    Args:
        connection: it stands.
        patience_seconds: who takes nothing for so long is let go.
    """

    def __init__(self, connection: ServerConnection, patience_seconds: float) -> None:
        self._connection, self._patience_seconds = connection, patience_seconds
        self._frames: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._is_sending = self._is_gone = False
        self._why_let_go: str | None = None
        # A frame of which nothing more is taken ends the connection; the library reads without this.
        connection.socket.settimeout(patience_seconds)

    @property
    def is_gone(self) -> bool:
        """The connection is there no more."""
        return self._is_gone

    @property
    def why_gone(self) -> str:
        """In a few words."""
        return self._why_let_go or f"its connection has ended ({self._connection.close_code})"

    def serve(self) -> None:
        """Send what is put here, until the connection ends. What it says itself is read, and heeded by nobody."""
        sender = threading.Thread(target=self._send_all, name="feed-reader")
        sender.start()
        try:
            for _ in self._connection:
                pass
        except ConnectionClosed:
            pass  # the other end broke off; `why_gone` tells
        finally:
            with self._changed:
                self._is_gone = True
                self._frames.clear()
                self._changed.notify_all()
            sender.join()

    def put(self, frame: bytes, give_up: Callable[[], bool]) -> bool:
        """Hand a frame over to be sent.

        Args:
            frame: UTF-8.
            give_up: asked while there is no room; true ends the wait.

        Returns:
            Whether it was taken, or nobody is there to take it.
        """
        with self._changed:
            while len(self._frames) >= QUEUED_FRAMES and not self._is_gone:
                if give_up():
                    return False
                self._changed.wait(_LOOK_SECONDS)
            if not self._is_gone:
                self._frames.append(frame)
                self._changed.notify_all()
        return True

    def flush(self, give_up: Callable[[], bool]) -> bool:
        """Wait until the other end has all that was put here: it answers a ping that was sent behind it.

        Returns:
            Whether it has it, or nobody is there to take it; false if the wait was given up.
        """
        with self._changed:
            while (self._frames or self._is_sending) and not self._is_gone:
                if give_up():
                    return False
                self._changed.wait(_LOOK_SECONDS)
        deadline = time.monotonic() + self._patience_seconds
        with suppress(ConnectionClosed):
            answered = self._connection.ping(ack_on_close=True)
            while not answered.wait(_LOOK_SECONDS):
                if give_up():
                    return False
                if time.monotonic() >= deadline:
                    self._why_let_go = f"nothing was taken for {self._patience_seconds:g} s"
                    self._connection.close(CloseCode.POLICY_VIOLATION, self._why_let_go)
        return True

    def drop(self) -> None:
        """End the connection without a farewell, though it be in the middle of a frame."""
        with suppress(OSError):  # it has ended already
            self._connection.socket.shutdown(SHUT_RDWR)

    def _send_all(self) -> None:
        while (frame := self._next_frame()) is not None:
            try:
                self._connection.send(frame, text=True)
            except ConnectionClosed:
                return  # `serve` sees it, too

    def _next_frame(self) -> bytes | None:
        """The next one, once there is one; None: nobody is there any more."""
        with self._changed:
            self._is_sending = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._frames or self._is_gone)
            if self._is_gone:
                return None
            self._is_sending = True
            return self._frames.popleft()
