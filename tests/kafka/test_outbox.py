"""The outbox, with publishers that fail as brokers do: nobody waits, nothing is lost unsaid, the order stays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from kafka.errors import MessageSizeTooLargeError, TopicAuthorizationFailedError
from structlog.testing import capture_logs

from monitor.kafka.connection import KafkaConnectionError
from monitor.kafka.outbox import Outbox
from monitor.kafka.publisher import PublishError, PublishTimeoutError

WITHIN = 10.0


class Brokers:
    """What has arrived, and what goes wrong on the way.

    Attributes:
        arrived: (topic, value) of every message.
        is_down: no publisher can be made, and none gets anything through.
        locked_topics: may not be written to.
        too_large: messages that are refused for good.
        never_answers: while it is not set, nothing is acknowledged.
        loses_answers: so many times all arrives, and no answer comes.
        odd: messages that the library fails at.
        can_connect: while it is not set, connecting takes its time.
        connecting: how often that was tried.
        connected: how many publishers were made.
    """

    def __init__(self) -> None:
        self.arrived: list[tuple[str, bytes]] = []
        self.is_down = False
        self.locked_topics: set[str] = set()
        self.too_large: set[bytes] = set()
        self.never_answers = threading.Event()
        self.never_answers.set()
        self.loses_answers = 0
        self.odd: set[bytes] = set()
        self.can_connect = threading.Event()
        self.can_connect.set()
        self.connecting = self.connected = 0

    def connect(self) -> Publisher:
        self.connecting += 1
        assert self.can_connect.wait(WITHIN)
        if self.is_down:
            raise KafkaConnectionError("a:9092: nothing listens there")
        self.connected += 1
        return Publisher(self)

    def of(self, topic: str) -> list[bytes]:
        return [value for name, value in self.arrived if name == topic]


class Publisher:
    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._pending: list[tuple[str, bytes]] = []

    def send(
        self, topic: str, value: bytes | None, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        del key, headers
        if value in self._brokers.odd:
            raise AssertionError("the library did not expect this")
        self._pending.append((topic, value or b""))

    def flush(self, timeout_seconds: float) -> None:
        brokers = self._brokers
        if not brokers.never_answers.wait(min(timeout_seconds, 0.05)):
            raise PublishTimeoutError("a:9092: not acknowledged; they are still being sent")
        pending, self._pending = self._pending, []
        if brokers.is_down:
            raise PublishError("a:9092: given up")
        refused: Exception | None = None
        for topic, value in pending:
            if topic in brokers.locked_topics:
                refused = TopicAuthorizationFailedError(topic)
            elif value in brokers.too_large:
                refused = MessageSizeTooLargeError()
            else:
                brokers.arrived.append((topic, value))
        if refused is not None:
            raise PublishError(f"a:9092: {refused}") from refused
        if brokers.loses_answers:
            brokers.loses_answers -= 1
            raise PublishError("a:9092: given up")

    def close(self, timeout_seconds: float) -> None:
        assert timeout_seconds >= 0
        self._pending.clear()


class Counts:
    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.sent = self.dropped = 0

    def add_sent(self, count: int) -> None:
        self.sent += count

    def add_dropped(self, count: int) -> None:
        self.dropped += count


@pytest.fixture
def brokers() -> Brokers:
    return Brokers()


@pytest.fixture
def counts() -> Counts:
    return Counts()


@contextmanager
def outbox_of(brokers: Brokers, counts: Counts | None = None, **more: int) -> Iterator[Outbox]:
    told = counts or Counts()
    outbox = Outbox(
        "test", brokers.connect, on_waiting=told.waiting.append, on_sent=told.add_sent, on_dropped=told.add_dropped,
        **more,
    )  # fmt: skip
    try:
        yield outbox
    finally:
        outbox.close(WITHIN)


def until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + WITHIN
    while not is_so():
        assert time.monotonic() < ends_at, "it does not come about"
        time.sleep(0.005)


def values(count: int, first: int = 0) -> list[bytes]:
    return [f"{n}".encode() for n in range(first, first + count)]


def test_messages_arrive_in_their_order(brokers: Brokers, counts: Counts) -> None:
    with outbox_of(brokers, counts) as outbox:
        for value in values(3_000):
            outbox.put("a", value)
    assert brokers.of("a") == values(3_000)
    assert (counts.sent, counts.dropped, counts.waiting[-1], outbox.waiting, outbox.dropped) == (3_000, 0, 0, 0, 0)


def test_putting_never_waits_and_an_outage_is_said_once(brokers: Brokers) -> None:
    brokers.is_down = True
    with capture_logs() as told, outbox_of(brokers) as outbox:
        began = time.monotonic()
        for value in values(500):
            outbox.put("a", value)
        assert time.monotonic() - began < 1.0
        time.sleep(0.5)  # several attempts
        assert outbox.waiting == 500
        brokers.is_down = False
        until(lambda: not outbox.waiting)
    assert brokers.of("a") == values(500)
    assert [line["event"] for line in told] == [
        "messages wait: the brokers cannot be reached",
        "the brokers are reached again",
    ]
    assert told[0]["outbox"] == "test"


def test_of_too_many_the_oldest_are_dropped_counted_and_said_once(brokers: Brokers, counts: Counts) -> None:
    brokers.can_connect.clear()
    with capture_logs() as told, outbox_of(brokers, counts, most_messages=10) as outbox:
        outbox.put("a", b"under way")
        until(lambda: brokers.connecting == 1)
        for n, value in enumerate(values(30)):
            outbox.put("ab"[n % 2], value)
        assert (outbox.waiting, counts.dropped, outbox.dropped) == (10, 21, 21)
        brokers.can_connect.set()
        until(lambda: not outbox.waiting)
    # What is under way when the others come can no longer be called back.
    assert sorted(brokers.of("a") + brokers.of("b")) == [*values(9, first=21), b"under way"]
    assert [line["event"] for line in told] == [
        "messages are dropped, the oldest first: more wait than are kept",
        "all that waited is sent; messages were dropped before",
    ]
    assert told[-1]["count"] == 21


def test_large_messages_count_by_their_size(brokers: Brokers) -> None:
    brokers.can_connect.clear()
    with outbox_of(brokers, most_bytes=1_000) as outbox:
        outbox.put("a", b"under way")
        until(lambda: brokers.connecting == 1)
        for n in range(10):
            outbox.put("a", b"%d" % n * 300, key=b"k", headers=[("why", b"x" * 10)])
        assert outbox.waiting == 4
        brokers.can_connect.set()
    assert [value[:1] for value in brokers.of("a")] == [b"u", b"7", b"8", b"9"]


def test_what_is_under_way_leaves_room_for_what_comes(brokers: Brokers) -> None:
    brokers.never_answers.clear()
    with outbox_of(brokers, most_messages=10) as outbox:
        for value in values(100):
            outbox.put("a", value)
        brokers.never_answers.set()
    assert brokers.of("a")[-5:] == values(5, first=95)


def test_while_brokers_do_not_answer_nothing_is_sent_anew(brokers: Brokers) -> None:
    brokers.never_answers.clear()
    with capture_logs() as told, outbox_of(brokers) as outbox:
        for value in values(20):
            outbox.put("a", value)
        time.sleep(0.3)
        brokers.never_answers.set()
        until(lambda: not outbox.waiting)
    assert brokers.of("a") == values(20), "once each"
    assert [line["event"] for line in told] == ["messages wait: they could not be sent", "messages are sent again"]
    assert brokers.connected == 1


def test_what_was_given_up_is_sent_again_and_what_follows_it_follows_again(brokers: Brokers) -> None:
    brokers.loses_answers = 1
    with outbox_of(brokers) as outbox:
        for value in values(2_500):
            outbox.put("a", value)
    there = brokers.of("a")
    assert list(dict.fromkeys(there)) == values(2_500), "the first time of each"
    assert [v for i, v in enumerate(there) if v not in there[i + 1 :]] == values(2_500), "and the last of each"
    assert brokers.connected == 2, "what the first still had must not come later"


@pytest.mark.parametrize("place", [0, 7, 99])
def test_a_message_that_is_refused_for_good_is_dropped_and_the_others_get_through(
    brokers: Brokers, counts: Counts, place: int
) -> None:
    brokers.too_large = {values(100)[place]}
    with capture_logs() as told, outbox_of(brokers, counts) as outbox:
        for value in values(100):
            outbox.put("a", value)
        until(lambda: not outbox.waiting)
        outbox.put("a", b"later")
    wanted = [value for value in values(100) if value not in brokers.too_large]
    assert list(dict.fromkeys(brokers.of("a"))) == [*wanted, b"later"]
    assert (counts.sent, counts.dropped) == (100, 1)
    assert [line["event"] for line in told] == ["a message was dropped: the brokers refuse it"]


def test_an_outage_while_a_refused_message_is_looked_for_loses_no_other(brokers: Brokers) -> None:
    brokers.too_large, brokers.loses_answers = {b"3"}, 1
    with outbox_of(brokers) as outbox:
        for value in values(10):
            outbox.put("a", value)
        until(lambda: not outbox.waiting)
    assert sorted(set(brokers.of("a"))) == [value for value in values(10) if value != b"3"]


def test_a_topic_that_cannot_be_written_holds_up_no_other(brokers: Brokers) -> None:
    brokers.locked_topics = {"locked"}
    with capture_logs() as told, outbox_of(brokers) as outbox:
        for value in values(50):
            outbox.put("locked", value)
            outbox.put("open", value)
        until(lambda: outbox.waiting == 50)
        assert brokers.of("open") == values(50)
        brokers.locked_topics.clear()
        until(lambda: not outbox.waiting)
    assert brokers.of("locked") == values(50)
    assert [(line["event"], line["topic"]) for line in told] == [
        ("messages wait: they could not be sent", "locked"),
        ("messages are sent again", "locked"),
    ]


def test_an_error_that_nobody_expected_is_told_and_tried_again(brokers: Brokers) -> None:
    brokers.odd = {b"3"}
    with capture_logs() as told, outbox_of(brokers) as outbox:
        for value in values(5):
            outbox.put("a", value)
        until(lambda: bool(told))
        brokers.odd.clear()
        until(lambda: not outbox.waiting)
    assert brokers.of("a") == values(5)
    assert (told[0]["error"], told[0]["exc_info"]) == ("the library did not expect this", True)


class TestClose:
    def test_it_sends_what_waits(self, brokers: Brokers) -> None:
        outbox = Outbox("test", brokers.connect)
        for value in values(50):
            outbox.put("a", value)
        assert outbox.close(WITHIN) == 0
        assert outbox.close(WITHIN) == 0, "a second call does nothing"
        assert brokers.of("a") == values(50)
        assert not outbox._thread.is_alive()

    def test_without_anything_to_send_it_does_not_connect(self, brokers: Brokers) -> None:
        Outbox("test", brokers.connect).close(WITHIN)
        assert brokers.connected == 0

    @pytest.mark.parametrize("how", ["down", "silent"])
    def test_it_keeps_its_deadline_and_says_what_is_lost(self, brokers: Brokers, counts: Counts, how: str) -> None:
        if how == "down":
            brokers.is_down = True
        else:
            brokers.never_answers.clear()
        outbox = Outbox("test", brokers.connect, on_dropped=counts.add_dropped)
        for value in values(7):
            outbox.put("a", value)
        began = time.monotonic()
        with capture_logs() as told:
            assert outbox.close(0.4) == 7
        assert 0.3 < time.monotonic() - began < 1.5
        assert ("messages were lost: they could not be sent before the end", 7) in [
            (line["event"], line.get("count")) for line in told
        ]
        assert (counts.dropped, outbox.waiting) == (7, 0)
        brokers.never_answers.set()
        outbox._thread.join(WITHIN)
        assert not outbox._thread.is_alive()

    def test_it_does_not_wait_for_a_connection_that_takes_longer(self) -> None:
        released = threading.Event()

        def connect() -> Publisher:
            released.wait(WITHIN)
            raise KafkaConnectionError("a:9092: no answer came in time")

        outbox = Outbox("test", connect)
        outbox.put("a", b"x")
        began = time.monotonic()
        assert outbox.close(0.2) == 1
        assert time.monotonic() - began < 1.0
        released.set()
        outbox._thread.join(WITHIN)
        assert not outbox._thread.is_alive()

    def test_a_broker_that_comes_back_in_time_gets_all(self, brokers: Brokers) -> None:
        brokers.is_down = True
        outbox = Outbox("test", brokers.connect)
        outbox.put("a", b"x")
        time.sleep(0.1)
        threading.Timer(0.3, lambda: setattr(brokers, "is_down", False)).start()
        assert outbox.close(WITHIN) == 0
        assert brokers.of("a") == [b"x"]
