"""Events published to a real broker: each once, at its topic and key, also when it or we are stopped in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from kafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from monitor.kafka.publisher import Publisher
from monitor.produce.events import Event, key_and_print
from monitor.produce.feeds import StoryFeed
from monitor.produce.files import FilesTarget
from monitor.produce.kafka import KafkaTarget
from monitor.produce.run import Produced, produce
from monitor.streams import STREAMS
from tests.kafka.broker import Broker, create_topic, delete_topic, need_broker
from tests.kafka.messages import plain
from tests.kafka.test_publisher import all_of
from tests.produce.made import as_told, small_story

TOLD = as_told(small_story().all_at_once())


@pytest.fixture(scope="module")
def own() -> Iterator[Broker]:
    """A broker of these tests' own: the names of topics are given."""
    need_broker(own=True)
    broker = Broker(properties={"auto.create.topics.enable": "false"})
    broker.start()
    yield broker
    broker.discard()


@pytest.fixture
def bootstrap(own: Broker) -> str:
    """With the topics of the story, empty."""
    for stream in TOLD:
        with suppress(UnknownTopicOrPartitionError):
            delete_topic(own.bootstrap, STREAMS[stream].topic)
        _create(own.bootstrap, STREAMS[stream].topic)
    return own.bootstrap


def _create(bootstrap: str, topic: str) -> None:
    """Create a topic that may not have gone yet."""
    for _ in range(50):
        try:
            create_topic(bootstrap, topic, 4)
        except TopicAlreadyExistsError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{topic} does not go away")


def published(bootstrap: str, said: list[str] | None = None, *, speed: float | None = None, most: int = 1) -> Produced:
    stop = threading.Event()
    publisher = Publisher(plain(bootstrap), wait_seconds=0.5, delivery_seconds=300)
    say = (said if said is not None else []).append
    target = KafkaTarget(publisher, events_a_message=most, say=say, stop=stop)
    try:
        return produce(StoryFeed(small_story(speed or 1.0), at_once=speed is None), target, stop)
    finally:
        target.close()


def check_all_is_there(bootstrap: str) -> None:
    for stream, told in TOLD.items():
        found = all_of(bootstrap, STREAMS[stream].topic)
        assert Counter(value for each in found.values() for _, value in each) == Counter(told)
        by_key: dict[bytes | None, list[bytes]] = {}
        for payload in told:
            by_key.setdefault(key_and_print(Event(stream, payload))[0], []).append(payload)
        of_key: dict[bytes | None, list[bytes]] = {}
        for messages in found.values():
            for key, value in messages:
                of_key.setdefault(key, []).append(value)
        assert of_key == by_key  # each with its key, and in the order of arrival


def test_every_event_arrives_once_at_its_topic_and_key(bootstrap: str) -> None:
    done = published(bootstrap)
    assert done.events == {stream: len(payloads) for stream, payloads in TOLD.items()}
    check_all_is_there(bootstrap)


def test_several_events_a_message(bootstrap: str) -> None:
    published(bootstrap, most=50)
    for stream, told in TOLD.items():
        found = all_of(bootstrap, STREAMS[stream].topic)
        values = [value for each in found.values() for _, value in each]
        assert Counter(line for value in values for line in value.split(b"\n")) == Counter(told)
        assert max(value.count(b"\n") for value in values) < 50
        if stream == "treasury":
            assert len(values) < len(told) / 10
        for messages in found.values():
            # A late one would be refused: event times run back by no more than arrival does.
            times = [json.loads(line)["ts"] for _, value in messages for line in value.split(b"\n")]
            assert all(later > earlier - 2_000_000 for earlier, later in pairwise(times))


def test_a_broker_that_is_bounced_costs_nothing(own: Broker, bootstrap: str) -> None:
    said: list[str] = []

    def bounce() -> None:
        time.sleep(1.0)
        own.kill()
        time.sleep(0.5)  # and it takes a second or more to start
        own.start()

    bouncing = threading.Thread(target=bounce)
    bouncing.start()
    published(bootstrap, said, speed=100.0)
    bouncing.join()
    check_all_is_there(bootstrap)
    assert "it waits for them, and loses nothing" in said[0]
    assert said[1] == "the brokers answer again; it goes on"


def test_a_signal_stops_it_and_all_that_it_counted_has_arrived(bootstrap: str, tmp_path: Path) -> None:
    files = FilesTarget(tmp_path)
    files.send([Event(stream, payload) for stream, payloads in TOLD.items() for payload in payloads])
    files.close()
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", "produce", str(tmp_path), "--to", f"kafka://{bootstrap}", "--rate", "1000"],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not all_of(bootstrap, "treasury.quotes") and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    last = err.decode().splitlines()[-1]
    assert last.endswith("stopped before the end")
    arrived = sum(len(each) for stream in TOLD for each in all_of(bootstrap, STREAMS[stream].topic).values())
    assert arrived == int(last.split(" ", 1)[0].replace(",", ""))
    assert 0 < arrived < sum(map(len, TOLD.values()))
