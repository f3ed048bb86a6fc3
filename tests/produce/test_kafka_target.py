"""What is handed to Kafka, and when its acknowledgement is waited for; the brokers are made up."""

from __future__ import annotations

import json
import threading
from typing import Any, cast
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.kafka.publisher import Publisher, PublishError, PublishTimeoutError
from monitor.produce.events import Event, key_and_print
from monitor.produce.kafka import KafkaTarget
from monitor.produce.target import TargetError
from monitor.streams import STREAMS

PARTITIONS = 3
OF_A_PRINT: dict[str, tuple[str, object]] = {
    "treasury": ("close", 99),
    "repo": ("kind", "benchmark"),
    "cds": ("mid", 50),
}


class MadeUp:
    """Brokers that note what is done; `fails` is raised, in order, by what is called next."""

    def __init__(self, *fails: Exception) -> None:
        self.messages: list[tuple[str, int | None, bytes | None, bytes]] = []
        self.acknowledged = 0
        self.fails = list(fails)
        self.unacknowledged = 0
        self.flushed_at: list[int] = []

    def _fail(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    def prepare(self, _topic: str) -> int:
        self._fail()
        return PARTITIONS

    def partition_of(self, _topic: str, key: bytes) -> int:
        return crc32(key) % PARTITIONS

    def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int | None) -> None:
        self._fail()
        self.messages.append((topic, partition, key, value))

    def flush(self, _timeout_seconds: float) -> None:
        self._fail()
        self.acknowledged = len(self.messages)
        self.flushed_at.append(self.acknowledged)

    def close(self, timeout_seconds: float) -> None:
        pass


def target_of(brokers: MadeUp, said: list[str] | None = None, **options: Any) -> KafkaTarget:
    stop = options.pop("stop", threading.Event())
    say = (said if said is not None else []).append
    return KafkaTarget(cast("Publisher", brokers), say=say, stop=stop, **options)


def events_of(kinds: list[tuple[str, str, bool]]) -> list[Event]:
    made = []
    for number, (stream, key, is_print) in enumerate(kinds):
        fields: dict[str, object] = {STREAMS[stream].message_key: key, "n": number}
        if is_print and stream in OF_A_PRINT:
            name, value = OF_A_PRINT[stream]
            fields[name] = value
        made.append(Event(stream, json.dumps(fields).encode()))
    return made


KINDS = st.lists(
    st.tuples(st.sampled_from(sorted(STREAMS)), st.sampled_from(["a", "b", "c", "d"]), st.booleans()), max_size=30
)
CHUNKS = st.lists(KINDS, min_size=1, max_size=4)


def numbers(value: bytes) -> list[int]:
    return [json.loads(line)["n"] for line in value.split(b"\n")]


@given(KINDS, st.integers(min_value=1, max_value=4), st.data())
def test_all_arrives_once_each_partition_in_order_and_no_print_after_later_quotes(
    kinds: list[tuple[str, str, bool]], most: int, data: st.DataObject
) -> None:
    events = events_of(kinds)
    brokers = MadeUp()
    target = target_of(brokers, events_a_message=most)
    start = 0
    while start < len(events):
        size = data.draw(st.integers(min_value=1, max_value=len(events) - start))
        target.send(events[start : start + size])
        start += size
    target.flush()
    assert sorted(n for *_, value in brokers.messages for n in numbers(value)) == list(range(len(events)))
    place: dict[int, int] = {}
    of_partition: dict[tuple[str, int], list[int]] = {}
    for at, (topic, partition, key, value) in enumerate(brokers.messages):
        held = numbers(value)
        assert len(held) <= most
        keys = {key_and_print(events[n])[0] for n in held}
        assert {STREAMS[events[n].stream].topic for n in held} == {topic}
        assert key == (keys.pop() if len(keys) == 1 else None)
        if partition is not None:
            assert {crc32(key_and_print(events[n])[0] or b"") % PARTITIONS for n in held} == {partition}
        for n in held:
            place[n] = at
            key_of_event, _ = key_and_print(events[n])
            of_partition.setdefault((topic, crc32(key_of_event or b"") % PARTITIONS), []).append(n)
    assert all(held == sorted(held) for held in of_partition.values())
    for n, event in enumerate(events):
        if not key_and_print(event)[1]:
            for earlier in range(n):
                if key_and_print(events[earlier])[1]:
                    # It was acknowledged: a flush stands between both.
                    assert any(place[earlier] < flushed <= place[n] for flushed in brokers.flushed_at)


def test_topics_of_prints_go_ahead_so_a_chunk_waits_once() -> None:
    kinds = [("treasury", "a", False), ("reference", "x", True)] * 50
    brokers = MadeUp()
    target_of(brokers).send(events_of(kinds))
    assert brokers.flushed_at == [50]
    assert {topic for topic, *_ in brokers.messages[:50]} == {"reference.series"}


def test_values_are_the_bytes_as_they_stand() -> None:
    text = b'{ "instrument" : "GC-ON",\n "rate":5.310 }'
    brokers = MadeUp()
    target_of(brokers).send([Event("repo", text), Event("repo", b"\xff nonsense")])
    assert brokers.messages == [("repo.rates", None, b"GC-ON", text), ("repo.rates", None, None, b"\xff nonsense")]


def test_a_message_stays_below_what_brokers_take() -> None:
    event = Event("repo", b'{"instrument":"GC-ON","n":0,"x":"%s"}' % (b"x" * 100_000))
    brokers = MadeUp()
    target_of(brokers, events_a_message=100).send([event] * 20)
    assert len(brokers.messages) == 4
    assert all(len(value) < 1 << 20 for *_, value in brokers.messages)


def test_brokers_that_are_gone_are_waited_for_and_it_is_said_once_each_time() -> None:
    gone = [PublishTimeoutError("b:1: nothing listens there") for _ in range(9)]
    said: list[str] = []
    brokers = MadeUp(*gone[:3])
    target = target_of(brokers, said)
    target.send(events_of([("repo", "a", False), ("repo", "b", False)]))  # waits for the topic
    brokers.fails = list(gone[3:6])
    target.send(events_of([("repo", "c", False)]))  # for room
    brokers.fails = list(gone[6:])
    target.flush()  # for the acknowledgement
    assert [key for _, _, key, _ in brokers.messages] == [b"a", b"b", b"c"]
    waits, goes_on = "b:1: nothing listens there; it waits for them, and loses nothing", "the brokers answer again"
    assert said[::2] == [waits] * 3
    assert all(text.startswith(goes_on) for text in said[1::2])


def test_a_refusal_ends_it() -> None:
    for fails in ([PublishError("b:1: no such topic")], [PublishTimeoutError("x"), PublishError("b:1: no such topic")]):
        with pytest.raises(TargetError, match="b:1: no such topic"):
            target_of(MadeUp(*fails)).send(events_of([("repo", "a", False)]))


def test_a_stop_waits_for_brokers_no_longer_than_it_may() -> None:
    stop = threading.Event()
    stop.set()
    brokers = MadeUp(*[PublishTimeoutError("b:1: nothing listens there") for _ in range(3)])
    brokers.unacknowledged = 1_234
    with pytest.raises(TargetError, match=r"nothing listens there; 1,234 messages may be lost"):
        target_of(brokers, stop=stop, stop_within_seconds=0.0).flush()


@pytest.mark.parametrize("most", [0, -1, 10_001])
def test_how_many_events_a_message_holds_is_checked(most: int) -> None:
    with pytest.raises(ValueError, match="a message holds 1 to 10,000 events"):
        target_of(MadeUp(), events_a_message=most)
