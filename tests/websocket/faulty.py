"""A feed that numbers its events, and does everything wrong that a feed can do: what it did is on record."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.server import ServerConnection

from tests.restart import feed as small
from tests.websocket.server import until_closed

LOST_FRAMES = 7
"""So many frames are gone with every connection that breaks, if the feed does not send them again."""
SENT_AGAIN_FRAMES = 40
"""A feed that sends again begins so many frames before the one at which the connection broke."""
MAX_FRAME_BYTES = 100_000
GARBAGE = (b"\x00\xff\xfe", b"no JSON", b'[{"seq":1},', b"{}", b"[7]", b'{"stream":"treasury","ts":"never"}', b"")
GARBAGE_PAYLOADS = len(GARBAGE)


@dataclass(frozen=True)
class Event:
    """One event of the feed.

    Attributes:
        number: of the feed's own.
        stream: its contract.
        ts_us: its event time.
        payload: with the number and the stream in it.
    """

    number: int
    stream: str
    ts_us: int
    payload: bytes


def events_of(seed: int) -> list[Event]:
    """The small feed as one, in the order of arrival, without what is malformed: that has no number."""
    rows = sorted(
        (at, name, n, stream, raw)
        for name, of_partition in small.events(seed).items()
        for n, (at, stream, raw) in enumerate(of_partition)
    )
    events: list[Event] = []
    for *_, stream, raw in rows:
        try:
            ts_us = json.loads(raw)["ts"]
        except json.JSONDecodeError:
            continue
        head = b'{"stream":"%s","seq":%d,' % (stream.encode(), len(events) + 1)
        events.append(Event(len(events) + 1, stream, ts_us, head + raw[1:]))
    return events


def frames_of(events: Sequence[Event], rnd: Random) -> list[list[Event]]:
    """Cut into frames of one event or a few."""
    frames: list[list[Event]] = []
    at = 0
    while at < len(events):
        size = rnd.choice((1, 1, 1, 2, 5))
        frames.append(list(events[at : at + size]))
        at += size
    return frames


def swap_some(frames: list[list[Event]], rnd: Random) -> None:
    """Swap neighbours, so that nothing comes too late by it."""
    newest, at = 0, 1
    while at + 1 < len(frames):
        both = [*frames[at], *frames[at + 1]]
        newest = max([newest, *(each.ts_us for each in frames[at - 1])])
        times = [each.ts_us for each in both]
        is_calm = all(each.stream == "treasury" for each in both) and len(set(times)) == len(times)
        if is_calm and min([newest, *times]) > max([newest, *times]) - 500_000 and rnd.random() < 0.2:
            frames[at], frames[at + 1] = frames[at + 1], frames[at]
            newest = max([newest, *times])
            at += 3
        else:
            at += 1


def encoded(frame: Sequence[Event]) -> bytes:
    """As lines, or as an array."""
    payloads = [each.payload for each in frame]
    return b"[" + b", ".join(payloads) + b"]" if frame[0].number % 2 else b"\n".join(payloads)


Fault = Callable[["FaultyFeed", ServerConnection], None]


def drops(_: FaultyFeed, connection: ServerConnection) -> None:
    """The way is cut."""
    connection.socket.shutdown(socket.SHUT_RDWR)


def closes(_: FaultyFeed, connection: ServerConnection) -> None:
    """The server restarts, and says so."""
    connection.close(1012, "restart")


def stalls(_: FaultyFeed, connection: ServerConnection) -> None:
    """The connection is open, and nothing comes."""
    until_closed(connection)


def half_a_frame(feed: FaultyFeed, connection: ServerConnection) -> None:
    """The way is cut within a frame."""
    raw = Frame(Opcode.TEXT, encoded(feed.frames[feed.next])).serialize(mask=False)
    connection.socket.sendall(raw[: len(raw) // 2])
    connection.socket.shutdown(socket.SHUT_RDWR)


def half_a_message(feed: FaultyFeed, connection: ServerConnection) -> None:
    """The way is cut between the parts of a message."""
    raw = Frame(Opcode.TEXT, encoded(feed.frames[feed.next]), fin=False).serialize(mask=False)
    connection.socket.sendall(raw)
    connection.socket.shutdown(socket.SHUT_RDWR)


def raw_garbage(_: FaultyFeed, connection: ServerConnection) -> None:
    """What comes is no frame at all."""
    connection.socket.sendall(b"\xff" * 50)
    until_closed(connection)


def too_large(_: FaultyFeed, connection: ServerConnection) -> None:
    """A frame that is larger than is allowed."""
    connection.send(b" " * (MAX_FRAME_BYTES + 1))
    until_closed(connection)


def garbage(feed: FaultyFeed, connection: ServerConnection) -> None:
    """Frames that are whole, and hold no event."""
    for frame in GARBAGE:
        connection.send(frame)
    feed.garbage += GARBAGE_PAYLOADS


def repeats(feed: FaultyFeed, connection: ServerConnection) -> None:
    """The last frame comes again."""
    connection.send(encoded(feed.frames[feed.next - 1]))
    feed.again += len(feed.frames[feed.next - 1])


BREAKING: tuple[Fault, ...] = (drops, closes, stalls, half_a_frame, half_a_message, raw_garbage, too_large)
FAULTS: tuple[Fault, ...] = (*BREAKING, garbage, repeats)


@dataclass
class FaultyFeed:
    """Serves frames; at some of them something goes wrong, once.

    Attributes:
        frames: in the order in which they are sent.
        faults: by frame, what goes wrong before it is sent.
        sends_again: whether a new connection begins before the break; if not, some frames are lost.
        until: no frame from here on is sent, until somebody raises it.
        next: the frame that comes next.
        lost: numbers of events that were never sent.
        again: how many events were sent again.
        garbage: how many payloads were no events.
        sent: how many events went out over the newest connection.
        late: how many events went out, for the first time, after one of a higher number.
        newest: the highest number that went out.
        known: all numbers that went out.
    """

    frames: list[list[Event]]
    faults: dict[int, Fault] = field(default_factory=dict)
    sends_again: bool = False
    until: int = 1 << 62
    next: int = 0
    lost: set[int] = field(default_factory=set)
    again: int = 0
    garbage: int = 0
    sent: int = 0
    late: int = 0
    newest: int = 0
    known: set[int] = field(default_factory=set)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, connection: ServerConnection) -> None:
        """Serve one connection; the next one goes on where this one ends, and when it has ended."""
        with self._one_at_a_time:
            self._serve(connection)

    def _serve(self, connection: ServerConnection) -> None:
        if self.sends_again:
            first = max(0, self.next - SENT_AGAIN_FRAMES)
            self.again += sum(map(len, self.frames[first : self.next]))
            self.next = first
        self.sent = 0
        while self.next < min(self.until, len(self.frames)):
            fault = self.faults.pop(self.next, None)
            if fault is not None and self._goes_wrong(fault, connection):
                return
            frame = encoded(self.frames[self.next])
            connection.send(frame, text=bool(self.next % 3))
            self._note(self.frames[self.next])
            self.next += 1
        until_closed(connection)

    def _note(self, frame: Sequence[Event]) -> None:
        self.sent += len(frame)
        for each in frame:
            self.late += each.number < self.newest and each.number not in self.known
            self.newest = max(self.newest, each.number)
            self.known.add(each.number)

    def _goes_wrong(self, fault: Fault, connection: ServerConnection) -> bool:
        """Whether the connection is broken by it."""
        if fault not in BREAKING:
            fault(self, connection)
            return False
        with suppress(ConnectionClosed, OSError):
            fault(self, connection)
        if not self.sends_again:
            gone = self.frames[self.next : self.next + LOST_FRAMES]
            self.lost |= {each.number for frame in gone for each in frame}
            self.next += LOST_FRAMES
        return True
