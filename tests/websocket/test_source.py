"""One feed: what it hands over, what it counts, and how it is kept connected."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Self

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.server import ServerConnection

from monitor.sources.base import LINES_A_MESSAGE, RawBatch, SourceError
from monitor.sources.supervisor import Feed, SourceState, Supervisor, SupervisorSettings
from monitor.sources.websocket import Link, Numbers, WebSocketSource
from monitor.sources.websocket.link import QUEUED_FRAMES
from tests.websocket.server import serving, until_closed

SECONDS = 20.0


@contextmanager
def opened(source: WebSocketSource, resume: Mapping[str, int] | None = None) -> Iterator[WebSocketSource]:
    try:
        source.open(resume)
        yield source
    finally:
        source.close(1.0)


def read(source: WebSocketSource, count: int, at_once: int = 1_000) -> list[RawBatch]:
    batches: list[RawBatch] = []
    ends_at = time.monotonic() + SECONDS
    while sum(map(len, batches)) < count:
        batch = source.poll(at_once)
        if batch is None:
            time.sleep(0.001)
        else:
            batches.append(batch)
        assert time.monotonic() < ends_at
    return batches


def broken(source: WebSocketSource) -> str:
    """What is said when it breaks; it stays so."""
    with pytest.raises(SourceError) as raised:
        read(source, 1 << 62)
    with pytest.raises(SourceError) as again:
        source.poll(1)
    assert str(again.value) == str(raised.value)
    return str(raised.value)


def eventually(is_so: object, seconds: float = SECONDS) -> None:
    assert callable(is_so)
    ends_at = time.monotonic() + seconds
    while not is_so() and time.monotonic() < ends_at:
        time.sleep(0.005)
    assert is_so()


@pytest.mark.parametrize("resume", [0, 1, LINES_A_MESSAGE, 3 * LINES_A_MESSAGE + 7])
def test_frames_are_counted_on_from_the_next_whole_one(resume: int) -> None:
    def serve(connection: ServerConnection) -> None:
        connection.send("1\n2")
        connection.send("3")
        until_closed(connection)

    first = {0: 0, 1: 1, LINES_A_MESSAGE: 1, 3 * LINES_A_MESSAGE + 7: 4}[resume] * LINES_A_MESSAGE
    with (
        serving(serve) as server,
        opened(WebSocketSource("a", "cds", Link(server.url)), {"a": resume, "b": 9}) as source,
    ):
        batches = read(source, 3, 1)
    assert [batch.offsets[0] for batch in batches] == [first, first + 1, first + LINES_A_MESSAGE]
    assert {(each.source, each.stream, each.partition, each.of_messages) for each in batches} == {
        ("a", "cds", "a", True)
    }


@pytest.mark.parametrize("compression", [True, False])
def test_deflate_is_offered_or_not(compression: bool) -> None:
    frame = b'{"n":1}' * 5_000

    def serve(connection: ServerConnection) -> None:
        connection.send(frame, text=True)
        until_closed(connection)

    link = Link("", has_compression=compression)
    with serving(serve) as server:
        link = Link(server.url, has_compression=compression)
        with opened(WebSocketSource("a", None, link)) as source:
            (batch,) = read(source, 1)
            assert batch.payloads == [frame]
            assert source.counts() == {"frames": 1, "bytes": len(frame)}
        assert server.connections[0].request is not None
        assert ("Sec-WebSocket-Extensions" in server.connections[0].request.headers) == compression


@pytest.mark.parametrize("compression", [True, False])
def test_a_frame_that_is_too_large_breaks_the_connection_behind_what_came_before(compression: bool) -> None:
    def serve(connection: ServerConnection) -> None:
        connection.send("1" * 1_000)
        connection.send("2" * 1_001)
        until_closed(connection)

    with serving(serve) as server:
        link = Link(server.url, max_frame_bytes=1_000, has_compression=compression)
        with opened(WebSocketSource("a", None, link)) as source:
            (batch,) = read(source, 1)
            assert batch.payloads == [b"1" * 1_000]
            assert broken(source) == (
                f"{server.url}: the server sent a frame of more than 1000 bytes, or in too many parts; raise "
                "max_frame_bytes if that is right"
            )


def test_a_message_in_parts_is_one_and_half_of_one_is_none() -> None:
    def serve(connection: ServerConnection) -> None:
        connection.send(["1", "2", "3" * 200_000])
        connection.socket.sendall(Frame(Opcode.TEXT, b"lost", fin=False).serialize(mask=False))
        connection.socket.shutdown(socket.SHUT_RDWR)

    with serving(serve, compression=None) as server, opened(WebSocketSource("a", None, Link(server.url))) as source:
        (batch,) = read(source, 1)
        assert batch.payloads == [b"12" + b"3" * 200_000]
        assert broken(source) == f"{server.url}: the connection broke off"


class Unanswered:
    """A server that reads everything and says nothing more, a pong neither."""

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def serve(self, connection: ServerConnection) -> None:
        connection.send("1")
        # Nobody reads from here on: a pong is sent by whoever reads.
        connection.recv_flow_control.acquire()
        connection.send("2")
        self.is_over.wait(SECONDS)
        connection.recv_flow_control.release()


def test_a_server_that_answers_no_ping_is_down() -> None:
    clock = [0.0]
    unanswered = Unanswered()
    with serving(unanswered.serve) as server:
        source = WebSocketSource("a", None, Link(server.url), ping_seconds=10, monotonic=lambda: clock[0])
        with opened(source):
            read(source, 2)
            clock[0] = 10.0
            assert source.poll(1) is None
            clock[0] = 19.9
            assert source.poll(1) is None
            clock[0] = 20.0
            assert broken(source) == (f"{server.url}: nothing came for 10 s (ping_seconds), no answer to a ping either")
            unanswered.is_over.set()


def test_a_server_that_answers_pings_may_be_silent() -> None:
    clock = [0.0]
    with serving(until_closed) as server:
        source = WebSocketSource("a", None, Link(server.url), ping_seconds=10, monotonic=lambda: clock[0])
        with opened(source):
            for _ in range(20):
                clock[0] += 10.0
                assert source.poll(1) is None
                waiter = source._pings._answered
                assert waiter is not None
                assert waiter.wait(SECONDS)


def test_who_is_held_up_himself_does_not_take_the_server_for_gone() -> None:
    """The answer to the ping stands behind frames that were not read."""
    clock = [0.0]
    go_on = threading.Event()

    def serve(connection: ServerConnection) -> None:
        go_on.wait(SECONDS)
        for _ in range(5_000):
            connection.send("x" * 1_000)
        until_closed(connection)

    with serving(serve) as server:
        source = WebSocketSource("a", None, Link(server.url), ping_seconds=10, monotonic=lambda: clock[0])
        with opened(source):
            clock[0] = 10.0
            assert source.poll(1) is None
            go_on.set()
            connection = source._connection
            assert connection is not None
            eventually(lambda: connection.recv_messages.paused)
            clock[0] = 1_000.0
            assert sum(map(len, read(source, 5_000))) == 5_000


def test_a_flood_holds_the_server_up_and_nothing_is_lost() -> None:
    payload, count = b"x" * 10_000, 20_000  # far more than the sockets hold
    sent = [0]

    def serve(connection: ServerConnection) -> None:
        for at in range(count):
            connection.send(b"%d " % at + payload)
            sent[0] += 1
        until_closed(connection)

    with serving(serve, compression=None) as server, opened(WebSocketSource("a", None, Link(server.url))) as source:
        connection = source._connection
        assert connection is not None
        eventually(lambda: connection.recv_messages.paused)
        stands_at = -1
        while stands_at != sent[0]:  # until the server stands still
            stands_at = sent[0]
            time.sleep(0.2)
        assert stands_at < count / 2
        waiting = connection.recv_messages.frames.qsize()
        assert QUEUED_FRAMES < waiting <= QUEUED_FRAMES + 65_536 // 10_000 + 1
        at = 0
        while at < count:
            batch = source.poll(10_000)
            for line in batch.payloads if batch else ():
                assert line.startswith(b"%d " % at)
                at += 1
        assert source.counts() == {"frames": count, "bytes": sum(len(b"%d " % n) + len(payload) for n in range(count))}


def test_a_poll_takes_no_more_than_a_bounded_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources.websocket.source.BYTES_A_POLL", 2_500)

    def serve(connection: ServerConnection) -> None:
        for _ in range(20):
            connection.send("x" * 1_000)
        until_closed(connection)

    with serving(serve) as server, opened(WebSocketSource("a", None, Link(server.url))) as source:
        assert max(map(len, read(source, 20))) <= 3


class Kept:
    """A supervisor's view of one feed."""

    def __init__(self, feed: Feed) -> None:
        self.counts: Counter[str] = Counter()
        self.states: list[SourceState] = []
        self.supervisor = Supervisor(
            [feed],
            {"a": 5},
            unseen={"a": 2 * LINES_A_MESSAGE + 1},
            settings=SupervisorSettings(first_wait_seconds=0.01, longest_wait_seconds=0.05, idle_seconds=0.005),
            on_state=lambda _name, _kind, state: self.states.append(state),
            on_counts=lambda _name, more: self.counts.update(more),
            wall_us=lambda: 7,
            random=Random(1),
        )

    def __enter__(self) -> Self:
        self.supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.supervisor.stop(time.monotonic() + 5)

    def take(self, count: int) -> list[tuple[int, bytes]]:
        rows: list[tuple[int, bytes]] = []
        while len(rows) < count:
            arrival = self.supervisor.take(SECONDS)
            assert arrival is not None
            assert arrival.batch.arrived_us == [7] * len(arrival.batch)
            rows += zip(arrival.batch.offsets, arrival.batch.payloads, strict=True)
        return rows


def test_over_drops_and_silences_frames_are_counted_on_and_counts_add_up() -> None:
    """The first connection is cut, the second falls silent, the third is closed."""
    at = [0]

    def serve(connection: ServerConnection) -> None:
        at[0] += 1
        connection.send(f'{{"n":{2 * at[0]}}}\n{{"n":{2 * at[0] + 1}}}')
        if at[0] == 1:
            connection.socket.shutdown(socket.SHUT_RDWR)
        elif at[0] == 3:
            connection.close(1001)
        else:
            until_closed(connection)

    with serving(serve, subscribes=1) as server:
        numbers = Numbers("a", "n")
        link = Link(server.url, subscribe=("hello",))
        feed = Feed("a", "websocket", lambda: WebSocketSource("a", None, link, numbers=numbers), silence_seconds=0.3)
        with Kept(feed) as kept:
            rows = kept.take(8)
            eventually(lambda: kept.counts["frames"] >= 4)
        assert server.heard[:4] == [["hello"]] * 4
    firsts = [(3 + n) * LINES_A_MESSAGE + line for n in range(4) for line in range(2)]
    assert rows[:8] == [(first, b'{"n":%d}' % n) for n, first in enumerate(firsts, start=2)]
    assert kept.counts["connections"] >= 4
    assert kept.counts["missing"] == kept.counts["repeated"] == kept.counts["out_of_order"] == 0
    assert {SourceState.SILENT, SourceState.BACKING_OFF, SourceState.UP} <= set(kept.states)


def test_a_client_that_has_gone_lets_go_of_a_server_that_floods() -> None:
    done = threading.Event()

    def serve(connection: ServerConnection) -> None:
        try:
            while True:
                connection.send(b"x" * 100_000)
        except ConnectionClosed:
            done.set()
            raise

    with serving(serve, compression=None) as server:
        source = WebSocketSource("a", None, Link(server.url))
        source.open()
        connection = source._connection
        assert connection is not None
        eventually(lambda: connection.recv_messages.paused)
        began = time.monotonic()
        source.close(0.5)
        assert time.monotonic() - began < 5
        assert not connection.recv_events_thread.is_alive()
        assert done.wait(SECONDS)
