"""Messages sent to a real broker: all of them, once, in order, also when it goes away and comes back."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from uuid import uuid4

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import InvalidTopicError, MessageSizeTooLargeError
from kafka.partitioner import murmur2

from monitor.kafka import publisher as module
from monitor.kafka.connection import KafkaConnectionError
from monitor.kafka.publisher import Publisher, PublishError, PublishTimeoutError
from tests.kafka.broker import Broker, create_topic, need_broker
from tests.kafka.messages import plain

WITHIN = 20.0


def all_of(bootstrap: str, topic: str) -> dict[int, list[tuple[bytes | None, bytes]]]:
    """(key, value) of all that a topic has, by partition."""
    consumer = KafkaConsumer(**plain(bootstrap).client_options(), enable_auto_commit=False)
    found: dict[int, list[tuple[bytes | None, bytes]]] = defaultdict(list)
    try:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        deadline = time.monotonic() + WITHIN
        while any(consumer.position(each) < end for each, end in ends.items()) and time.monotonic() < deadline:
            for place, records in consumer.poll(200).items():
                found[place.partition] += [(record.key, record.value) for record in records]
    finally:
        consumer.close()
    return found


@pytest.fixture(scope="module")
def bounced() -> Iterator[Broker]:
    """A broker of these tests' own, that is killed and started again; it makes no topic by itself."""
    need_broker(own=True)
    broker = Broker(properties={"auto.create.topics.enable": "false"})
    broker.start()
    yield broker
    broker.discard()


@pytest.fixture
def sends(broker: Broker) -> Iterator[Publisher]:
    with Publisher(plain(broker.bootstrap), wait_seconds=5) as made:
        yield made


def test_all_arrives_once_in_order_at_the_partition_of_its_key(broker: Broker, topic: str, sends: Publisher) -> None:
    assert sends.prepare(topic) == 4
    for number in range(5_000):
        sends.send(topic, b"%d" % number, key=b"key-%d" % (number % 7))
    sends.flush(WITHIN)
    assert sends.unacknowledged == 0
    found = all_of(broker.bootstrap, topic)
    assert sorted(int(value) for each in found.values() for _, value in each) == list(range(5_000))
    for partition, messages in found.items():
        numbers = [int(value) for _, value in messages]
        assert numbers == sorted(numbers)
        for key, _ in messages:
            assert key is not None
            # As Java's client and all others choose it.
            assert partition == (murmur2(key) & 0x7FFFFFFF) % 4 == sends.partition_of(topic, key)


def test_a_partition_and_headers_may_be_named_and_a_key_left_out(broker: Broker, topic: str, sends: Publisher) -> None:
    sends.send(topic, b"a", partition=3, headers=[("why", b"x")])
    sends.send(topic, b"b")
    sends.send(topic, None, key=b"gone")
    sends.flush(WITHIN)
    found = [each for messages in all_of(broker.bootstrap, topic).values() for each in messages]
    assert sorted(found, key=str) == sorted([(None, b"a"), (None, b"b"), (b"gone", None)], key=str)


def test_what_is_under_way_is_bounded(topic: str, sends: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNACKNOWLEDGED", 100)
    most = 0
    for number in range(3_000):
        sends.send(topic, b"%d" % number, key=b"k")
        most = max(most, sends.unacknowledged)
    assert most == 100
    monkeypatch.setattr(module, "MOST_UNACKNOWLEDGED_BYTES", 1_000)
    for _ in range(50):
        sends.send(topic, b"x" * 400, key=b"k")
        assert sends.unacknowledged <= 100
    sends.send(topic, b"x" * 5_000, key=b"k")  # alone, it may be larger
    sends.flush(WITHIN)


def make_known(sends: Publisher, topic: str) -> None:
    """Wait for a topic, however slow the machine is."""
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            sends.prepare(topic)
        except PublishTimeoutError:
            assert time.monotonic() < deadline
        else:
            return


def send_three(sends: Publisher, topic: str) -> None:
    for _ in range(3):
        sends.send(topic, b"lost", key=b"k")
        sends.flush(WITHIN)


def test_what_the_broker_refuses_is_told_and_a_new_publisher_goes_on(broker: Broker) -> None:
    topic = f"small-{uuid4().hex}"
    create_topic(broker.bootstrap, topic, 1, max_message_bytes=2_000)
    with Publisher(plain(broker.bootstrap)) as sends:
        sends.send(topic, b"before", key=b"k")
        sends.flush(WITHIN)
        sends.send(topic, b"x" * 10_000, key=b"k")
        with pytest.raises(PublishError) as told:
            sends.flush(WITHIN)
        assert isinstance(told.value.__cause__, MessageSizeTooLargeError)
        assert not isinstance(told.value, PublishTimeoutError)
        with pytest.raises(PublishError):  # the library's producer takes nothing more, and that is not silent
            send_three(sends, topic)
    with Publisher(plain(broker.bootstrap)) as sends:
        sends.send(topic, b"after", key=b"k")
        sends.flush(WITHIN)
        with pytest.raises(PublishError) as told:
            sends.send(topic, b"x" * (9 << 20), key=b"k")
        assert isinstance(told.value.__cause__, MessageSizeTooLargeError)
        sends.send(topic, b"more", key=b"k")  # what is refused before it is sent harms nothing
        sends.flush(WITHIN)
    assert all_of(broker.bootstrap, topic)[0] == [(b"k", b"before"), (b"k", b"after"), (b"k", b"more")]


def test_a_name_that_no_topic_can_have(sends: Publisher) -> None:
    with pytest.raises(PublishError) as told:
        sends.send("no name", b"x")
    assert isinstance(told.value.__cause__, InvalidTopicError)
    with pytest.raises(PublishError):
        sends.prepare("no name")


def test_a_broker_that_is_not_there_is_told() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CONNECT_SECONDS", 0.5)
        with pytest.raises(KafkaConnectionError, match=r"127\.0\.0\.1:1: nothing listens there"):
            Publisher(plain("127.0.0.1:1"))


def test_nothing_is_lost_doubled_or_out_of_order_while_the_broker_is_away(bounced: Broker) -> None:
    create_topic(bounced.bootstrap, "t", 4)
    sent = timeouts = 0
    back = threading.Thread(target=bounced.start)
    with Publisher(plain(bounced.bootstrap), wait_seconds=0.3, delivery_seconds=300) as sends:
        make_known(sends, "t")
        while sent < 20_000:
            if sent == 6_000:
                bounced.kill()
            try:
                sends.send("t", b"%d" % sent, key=b"key-%d" % (sent % 5))
                sent += 1
                if sent % 2_000 == 0:
                    sends.flush(0.3)
            except PublishTimeoutError:
                timeouts += 1
            if timeouts == 3 and not back.ident:
                back.start()
        back.join()
        sends.flush(60)
    assert timeouts >= 3
    found = all_of(bounced.bootstrap, "t")
    assert sorted(int(value) for each in found.values() for _, value in each) == list(range(20_000))
    for messages in found.values():
        numbers = [int(value) for _, value in messages]
        assert numbers == sorted(numbers)


def test_what_a_closed_publisher_has_not_sent_it_does_not_send_later(bounced: Broker) -> None:
    create_topic(bounced.bootstrap, "one", 1)
    sends = Publisher(plain(bounced.bootstrap), wait_seconds=0.3)
    make_known(sends, "one")
    sends.send("one", b"first", key=b"k")
    sends.flush(WITHIN)
    bounced.kill()
    sends.send("one", b"second", key=b"k")
    with pytest.raises(PublishTimeoutError, match=r"1 messages are not acknowledged after 0\.3 s"):
        sends.flush(0.3)
    with pytest.raises(PublishTimeoutError, match=r"other: 127\.0\.0\.1:[0-9]+: nothing listens there"):
        sends.prepare("other")
    began = time.monotonic()
    sends.close(0.5)
    assert time.monotonic() - began < 3
    bounced.start()
    time.sleep(1.5)
    assert all_of(bounced.bootstrap, "one")[0] == [(b"k", b"first")]


def test_a_topic_that_is_missing_and_not_made_is_told(bounced: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    with Publisher(plain(bounced.bootstrap), wait_seconds=0.3) as sends:
        for use in (lambda: sends.prepare("gone"), lambda: sends.send("gone", b"x")):
            monkeypatch.setattr(module, "MISSING_SECONDS", 600.0)
            with pytest.raises(PublishTimeoutError):  # it may be being made
                use()
            monkeypatch.setattr(module, "MISSING_SECONDS", 0.0)
            with pytest.raises(PublishError, match="have no such topic, and make none by themselves") as told:
                use()
            assert not isinstance(told.value, PublishTimeoutError)
