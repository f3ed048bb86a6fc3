"""What readers of a feed that is served get, and what becomes of those that are slow, or leave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from monitor.produce.events import Event
from monitor.produce.readers import QUEUED_FRAMES
from monitor.produce.target import TargetError
from monitor.produce.websocket import BYTES_A_FRAME, EVENTS_A_FRAME, WebSocketTarget
from monitor.streams import STREAMS

LOCAL = "ws://127.0.0.1:0"
WAIT_SECONDS = 20


@contextmanager
def served(
    said: list[str] | None = None, stop: threading.Event | None = None, **options: Any
) -> Iterator[WebSocketTarget]:
    target = WebSocketTarget(
        LOCAL, say=(said if said is not None else []).append, stop=stop or threading.Event(), **options
    )
    try:
        yield target
    finally:
        target.close()


@contextmanager
def reading(target: WebSocketTarget, said: list[str], **options: Any) -> Iterator[ClientConnection]:
    """A reader that the target has taken note of."""
    before = told(said, "reads the feed")
    with connect(target.url, ping_interval=None, close_timeout=1, **options) as connection:
        until(lambda: told(said, "reads the feed") > before)
        yield connection


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[threading.Thread]:
    """Do it in a thread, which has ended when the block has."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - it is raised where the test sees it
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert is_so()


def told(said: list[str], what: str) -> int:
    return sum(what in each for each in said)


def events(count: int, first: int = 0, pad: int = 0) -> list[Event]:
    names = sorted(STREAMS)
    return [
        Event(names[n % len(names)], json.dumps({"n": n, "pad": "x" * pad}).encode())
        for n in range(first, first + count)
    ]


def all_of(connection: ClientConnection) -> list[dict[str, Any]]:
    """All objects, until the server closes the connection."""
    found: list[dict[str, Any]] = []
    try:
        while True:
            frame = connection.recv(timeout=WAIT_SECONDS)
            assert isinstance(frame, str)
            assert len(frame.encode()) <= BYTES_A_FRAME
            found += [json.loads(line) for line in frame.split("\n")]
    except ConnectionClosed:
        return found


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(0, 2 * EVENTS_A_FRAME + 3), max_size=5), pad=st.sampled_from([0, 2_000]))
def test_a_reader_gets_each_event_once_in_order_with_its_stream_and_its_number(sizes: list[int], pad: int) -> None:
    sent: list[Event] = []
    said: list[str] = []
    with served(said) as target, reading(target, said, max_size=None) as reader:

        def send() -> None:
            for size in sizes:
                chunk = events(size, len(sent), pad)
                sent.extend(chunk)
                target.send(chunk)
            target.close()

        with meanwhile(send):
            found = all_of(reader)
        assert (reader.close_code, reader.close_reason) == (CloseCode.NORMAL_CLOSURE, "the feed has ended")
    assert [each["seq"] for each in found] == list(range(1, len(sent) + 1))
    assert [(each["stream"], each["n"]) for each in found] == [
        (each.stream, json.loads(each.payload)["n"]) for each in sent
    ]


def test_the_number_goes_on_only_where_it_was_written() -> None:
    said: list[str] = []
    sent = [*events(1), Event("treasury", b"no object"), *events(1, 1)]
    with served(said) as target, reading(target, said) as reader:
        target.send(sent)
        first, garbage, second = str(reader.recv(timeout=WAIT_SECONDS)).split("\n")
    assert (json.loads(first)["seq"], garbage, json.loads(second)["seq"]) == (1, "no object", 2)


def test_it_serves_an_address_of_ipv6() -> None:
    target = WebSocketTarget("ws://[::1]:0", say=lambda _: None, stop=threading.Event())
    try:
        with connect(target.url), meanwhile(lambda: target.send(events(1))):
            pass
    finally:
        target.close()
    assert target.url.startswith("ws://[::1]:")


def test_who_begins_waits_for_a_reader() -> None:
    said: list[str] = []
    with served(said) as target, meanwhile(target.begin) as beginner:
        until(lambda: told(said, "nobody reads"))
        assert beginner.is_alive()
        with reading(target, said):
            until(lambda: not beginner.is_alive())


def test_nothing_goes_out_before_somebody_reads_and_that_is_said_once() -> None:
    said: list[str] = []
    with served(said) as target, meanwhile(lambda: target.send(events(3))) as sender:
        until(lambda: told(said, f"nobody reads {target.url}; it waits for a reader"))
        assert sender.is_alive()
        with reading(target, said) as reader:
            assert len(str(reader.recv(timeout=WAIT_SECONDS)).split("\n")) == 3
    assert told(said, "nobody reads") == 1


def test_who_comes_later_gets_what_goes_out_from_then_on() -> None:
    said: list[str] = []
    with served(said) as target, reading(target, said) as first:
        target.send(events(2))
        target.flush()
        with reading(target, said) as second:
            target.send(events(3, 2))
            target.close()
            assert [each["seq"] for each in all_of(second)] == [3, 4, 5]
        assert [each["seq"] for each in all_of(first)] == [1, 2, 3, 4, 5]


def test_after_a_reader_broke_off_the_feed_waits_and_the_numbers_go_on() -> None:
    said: list[str] = []
    with served(said) as target:
        with reading(target, said):
            target.send(events(2))
            target.flush()
        until(lambda: told(said, "reads no more"))
        with meanwhile(lambda: target.send(events(2, 2))):
            until(lambda: told(said, "nobody reads"))
            with reading(target, said) as next_one:
                assert [json.loads(line)["seq"] for line in str(next_one.recv(WAIT_SECONDS)).split("\n")] == [3, 4]


FILLS_ALL_BUFFERS = 4 * QUEUED_FRAMES * 20
"""Events of 64 KiB: four times 80 MiB, more than sockets and the reader's own queue hold."""


def test_who_is_slow_holds_up_the_feed_and_loses_nothing() -> None:
    said: list[str] = []
    count = FILLS_ALL_BUFFERS // 4
    with served(said) as target, reading(target, said, max_queue=1, max_size=None) as reader:

        def send() -> None:
            target.send(events(count, pad=64 << 10))
            target.close()

        with meanwhile(send) as sender:
            sender.join(0.3)
            assert sender.is_alive(), "all was taken in by somebody who reads nothing"
            assert [each["n"] for each in all_of(reader)] == list(range(count))


def test_who_takes_nothing_is_let_go_and_the_others_get_all() -> None:
    said: list[str] = []
    with (
        served(said, patience_seconds=0.3) as target,
        reading(target, said, max_queue=1, max_size=None) as stalled,
        reading(target, said, max_size=None) as reader,
    ):

        def send() -> None:
            target.send(events(FILLS_ALL_BUFFERS // 4, pad=64 << 10))
            target.close()

        with meanwhile(send):
            assert len(all_of(reader)) == FILLS_ALL_BUFFERS // 4
        assert told(said, "reads no more") >= 1
        assert len(all_of(stalled)) < FILLS_ALL_BUFFERS // 4


def send_more_than_is_looked_at(target: WebSocketTarget) -> None:
    """Frames that a reader with a queue of one has in its buffers, and a ping behind them that it does not see."""
    for chunk in range(5):
        target.send(events(1, chunk, pad=200 << 10))


def test_who_has_got_all_but_does_not_say_so_is_let_go_with_the_reason() -> None:
    said: list[str] = []
    with served(said, patience_seconds=0.2) as target, reading(target, said, max_queue=1) as stalled:
        send_more_than_is_looked_at(target)
        target.flush()
        until(lambda: told(said, "nothing was taken for 0.2 s"))
        all_of(stalled)
        assert stalled.close_code == CloseCode.POLICY_VIOLATION


def test_flush_waits_until_the_reader_has_it() -> None:
    said: list[str] = []
    with served(said) as target, reading(target, said, max_queue=1) as reader:
        send_more_than_is_looked_at(target)
        with meanwhile(target.flush) as flushing:
            flushing.join(0.2)
            assert flushing.is_alive(), "the reader has not taken what waits before the ping"
            for _ in range(5):
                reader.recv(timeout=WAIT_SECONDS)


def test_a_stop_while_nobody_reads_says_what_had_gone_out() -> None:
    stop = threading.Event()
    said: list[str] = []
    with served(said, stop) as target:
        with reading(target, said):
            target.send(events(7))
            target.flush()
        until(lambda: told(said, "reads no more"))
        stop.set()
        with pytest.raises(
            TargetError, match=r"stopped while nobody read ws://127\.0\.0\.1:\d+; 7 events had gone out"
        ):
            target.send(events(3))


def fill_all(target: WebSocketTarget) -> None:
    target.send(events(FILLS_ALL_BUFFERS, pad=64 << 10))


def send_and_flush(target: WebSocketTarget) -> None:
    send_more_than_is_looked_at(target)
    target.flush()


@pytest.mark.parametrize("act", [fill_all, send_and_flush])
def test_a_stop_while_a_reader_takes_nothing_ends_soon(act: Callable[[WebSocketTarget], None]) -> None:
    stop = threading.Event()
    said: list[str] = []
    with served(said, stop, stop_within_seconds=0.1) as target, reading(target, said, max_queue=1, max_size=None):
        stop.set()
        with pytest.raises(TargetError, match="took nothing; it has not got all that was sent"):
            act(target)


def test_what_readers_say_is_read_and_heeded_by_nobody() -> None:
    said: list[str] = []
    with served(said) as target, reading(target, said) as reader:
        for _ in range(100):
            reader.send('{"op":"subscribe"}')
        target.send(events(1))
        target.flush()
        assert json.loads(reader.recv(timeout=WAIT_SECONDS))["seq"] == 1


def test_a_page_in_a_browser_is_refused() -> None:
    with (
        served() as target,
        pytest.raises(InvalidStatus) as refused,
        connect(target.url, origin=Origin("http://evil.example")),
    ):
        pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ws://127.0.0.1", "not of the form ws://HOST:PORT"),
        ("ws://:8765", "not of the form ws://HOST:PORT"),
        ("ws://127.0.0.1:99999", "not of the form ws://HOST:PORT"),
        ("ws://127.0.0.1:8765/feed", "not of the form ws://HOST:PORT"),
        ("ws://127.0.0.1:8765?token=1", "not of the form ws://HOST:PORT"),
        ("ws://me@127.0.0.1:8765", "not of the form ws://HOST:PORT"),
        ("wss://127.0.0.1:8765", "without TLS"),
        ("ws://203.0.113.1:8765", "nothing can be served there: "),
    ],
)
def test_where_nothing_can_be_served_is_refused_with_a_reason(url: str, why: str) -> None:
    with pytest.raises(TargetError, match=f"^--to {url.replace('?', '.')}: .*{why}"):
        WebSocketTarget(url, say=print, stop=threading.Event())


def test_a_port_that_is_taken_is_refused() -> None:
    with served() as target, pytest.raises(TargetError, match="in use"):
        WebSocketTarget(target.url, say=print, stop=threading.Event())
