"""Pushes what changes to every page that is open.

A message is made once, whoever reads it, and at most four times a second. Each reader has a short queue of its own; who
lets it fill up is dropped, and comes back by itself for the whole. A message is one JSON object:

    {"run": ID, "version": N, "at": MS, "state": {...}}               the whole, of a run
    {"version": N, "at": MS, "set": {...}, "gone": [...]}             a difference; without either: still alive

`at` is the wall time in milliseconds. Versions count by one, so a page sees whether it has missed any.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from starlette.websockets import WebSocketDisconnect, WebSocketState

from monitor.page.differences import difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

EVERY_SECONDS: Final = 0.25
ALIVE_SECONDS: Final = 1.0
"""So often something is said though nothing has changed: a page that hears nothing for longer is stale."""
WAITING_MESSAGES: Final = 20
"""A reader that so many messages wait for is dropped: five seconds at the most."""
REMEMBERED_SECONDS: Final = 60.0
"""Who comes back within that time is told what it has missed."""
MAX_READERS: Final = 500
TRY_AGAIN_LATER: Final = 1013
_CLOSE_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


class _Reader:
    """One open page: what waits for it, and whether that became too much."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str] = asyncio.Queue(WAITING_MESSAGES)
        self.is_slow = asyncio.Event()

    def offer(self, message: str) -> None:
        try:
            self.waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.is_slow.set()


class Hub:
    """The state, its versions, and who reads them; all in the server's own loop.

    Args:
        build: the state now.
        monotonic: a clock in seconds.

    Attributes:
        run: names this process: versions of another one mean nothing.
    """

    def __init__(self, build: Callable[[], dict[str, Any]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._build, self._monotonic = build, monotonic
        self.run = secrets.token_hex(8)
        self._version = 0
        self._state: dict[str, Any] = {}
        self._past: deque[tuple[float, int, str]] = deque()
        self._readers: set[_Reader] = set()
        self._said_at = monotonic()
        self._built_at = float("-inf")
        self._whole = (-1, 0.0, "")

    async def push(self) -> None:
        """Look at the state for ever, and tell what has changed."""
        while True:
            began = self._monotonic()
            if self._readers:
                try:
                    self.refresh()
                except Exception:  # noqa: BLE001 - whatever it is, ticks and alerts go on
                    # Every page turns grey meanwhile, for it hears nothing.
                    _log.exception(
                        "the live page's state cannot be made; it is tried again", again_seconds=_AGAIN_SECONDS
                    )
                    await asyncio.sleep(_AGAIN_SECONDS)
            await asyncio.sleep(max(EVERY_SECONDS / 10, EVERY_SECONDS - (self._monotonic() - began)))

    def refresh(self) -> None:
        """Build the state, and tell what has changed; nothing for a while: that there is somebody."""
        now = self._built_at = self._monotonic()
        state = self._build()
        change = difference(self._state, state)
        self._state = state
        if change:
            self._version += 1
        elif now - self._said_at < ALIVE_SECONDS:
            return
        message = _text({"version": self._version, "at": _wall_ms()} | change)
        self._said_at = now
        if change:
            self._past.append((now, self._version, message))
        self._forget(now)
        for reader in self._readers:
            reader.offer(message)

    def whole(self) -> str:
        """The message that has all of the state, made at most as often as differences are."""
        self._refresh_if_old()
        version, at, text = self._whole
        if version != self._version or self._monotonic() - at >= EVERY_SECONDS:
            text = _text({"run": self.run, "version": self._version, "at": _wall_ms(), "state": self._state})
            self._whole = self._version, self._monotonic(), text
        return text

    def _refresh_if_old(self) -> None:
        if self._monotonic() - self._built_at >= EVERY_SECONDS:
            self.refresh()

    async def serve(self, socket: WebSocket, run: str | None, version: int | None) -> None:
        """Tell one page what it has missed, or the whole, and then what changes, until it goes or is too slow.

        Args:
            socket: not yet accepted.
            run: whose versions it knows; None: it knows nothing.
            version: the last that it has.
        """
        await socket.accept()
        if len(self._readers) >= MAX_READERS:
            await socket.close(TRY_AGAIN_LATER, f"{MAX_READERS} pages are open already")
            return
        reader = _Reader()
        missed = self._missed(version) if run == self.run and version is not None else None
        for message in [self.whole()] if missed is None else missed:
            reader.offer(message)
        self._readers.add(reader)
        tasks = [asyncio.create_task(each) for each in (_send(socket, reader), _listen(socket), reader.is_slow.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._readers.discard(reader)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if reader.is_slow.is_set():
            _log.warning("a page took too little, and was dropped", waiting=WAITING_MESSAGES)
            with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await socket.close(TRY_AGAIN_LATER, "too slow")

    def _forget(self, now: float) -> None:
        while self._past and self._past[0][0] < now - REMEMBERED_SECONDS:
            self._past.popleft()

    def _missed(self, version: int) -> list[str] | None:
        """The messages after a version, in one queue's room; None if they are not all there any more."""
        self._refresh_if_old()
        self._forget(self._monotonic())
        missed = [message for _, number, message in self._past if number > version]
        is_whole = len(missed) == self._version - version
        return missed if is_whole and len(missed) < WAITING_MESSAGES else None


async def _send(socket: WebSocket, reader: _Reader) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.send_text(await reader.waiting.get())


async def _listen(socket: WebSocket) -> None:
    """Until the page goes: it has nothing to say."""
    while socket.client_state is WebSocketState.CONNECTED:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
