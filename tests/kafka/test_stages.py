"""Two stages on a real broker: what processes share and hand on, what is refused, and how each of them stops."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from monitor.engine.block import Block, Standing, decode, encode
from monitor.kafka.publisher import Publisher
from monitor.sources.base import LINES_A_MESSAGE, SourceError
from monitor.sources.kafka.topics import Topics
from monitor.stages.bar_topic import BarTopic, BarWriter, Claimed, Claims
from tests.kafka.broker import Broker, admin, create_topic
from tests.kafka.exactly_once.feeding import Feeding
from tests.kafka.exactly_once.logs import BarsRead, Reader, compare_counts, logs_of
from tests.kafka.exactly_once.oracle import expected_of
from tests.kafka.exactly_once.processes import STOP_WITHIN_SECONDS, Monitor, Wanted
from tests.kafka.exactly_once.story import PARTITIONS, Story, story
from tests.kafka.exactly_once.unbroken import State, compare_transitions, unbroken
from tests.kafka.messages import plain

PATIENCE_SECONDS = 60.0
A_MOMENT_SECONDS = 4.0  # for a process that shares two cores with other tests
"""What a loaded machine may take on top of the deadline of a stop."""


@pytest.fixture(scope="module")
def told() -> Story:
    """A short story."""
    return story(5, 3)


@pytest.fixture
def monitors() -> Iterator[list[Monitor]]:
    """Those that a test starts, killed at its end."""
    some: list[Monitor] = []
    yield some
    for each in some:
        each.kill()


def until(is_so: Callable[[], object], monitors: list[Monitor]) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        for each in monitors:
            assert each.exit_code is None or not each.exit_code, each.said_last()
        assert time.monotonic() < ends_at, "\n".join(each.said_last(8) for each in monitors)
        time.sleep(0.1)


def on(broker: Broker) -> Wanted:
    """What monitors are told; the topics are there, and empty."""
    for topic, count in PARTITIONS.items():
        create_topic(broker.bootstrap, topic, count)
    return Wanted(broker.bootstrap, tuple(PARTITIONS), "sealers", "monitor.bars")


def send(broker: Broker, told: Story, *, closing: bool = True) -> None:
    feeding = Feeding(broker.bootstrap, told.prelude + told.course, told.course, 1.0)
    if closing:
        feeding.send(told.closing)
    feeding.close()


def check_state(broker: Broker, monitor: Monitor) -> None:
    """What it left is what an unbroken run comes to."""
    logs = logs_of(broker.bootstrap, PARTITIONS)
    expected = expected_of(logs)
    transitions, ran = unbroken(logs, monitor.config)
    assert monitor.state is not None
    state = State(monitor.state)
    assert state.ran == ran
    compare_counts("the state", expected.counts, state.counts)
    compare_transitions("the state", transitions, state.transitions)


def has_come_to(broker: Broker, monitor: Monitor) -> Callable[[], bool]:
    """Whether a monitor that is stopped and started has run all ticks."""
    ran = unbroken(logs_of(broker.bootstrap, PARTITIONS), monitor.config)[1]

    def look() -> bool:
        time.sleep(3.0)
        monitor.terminate()
        assert monitor.state is not None
        if State(monitor.state).ran == ran:
            return True
        monitor.start()
        return False

    return look


def test_two_that_seal_and_one_that_evaluates_give_what_one_pipeline_gives(
    own_broker: Broker, told: Story, monitors: list[Monitor], tmp_path: Path
) -> None:
    wanted = on(own_broker)
    monitors += [Monitor(tmp_path, f"bars-{n}", "bars", wanted) for n in range(2)]
    monitors.append(Monitor(tmp_path, "signals", "signals", wanted, state=True))
    for each in monitors:
        each.start()
    until(lambda: all("partitions were given" in each.said_last() for each in monitors[:2]), monitors)
    send(own_broker, told)
    until(has_come_to(own_broker, monitors[-1]), monitors[:2])
    expected = expected_of(logs_of(own_broker.bootstrap, PARTITIONS))
    bars = BarsRead(own_broker.bootstrap, wanted.bars)
    bars.read_on()
    bars.close()
    compare_counts("the topic of bars", expected.counts, bars.counts)
    check_state(own_broker, monitors[-1])
    for each in monitors:
        each.terminate(STOP_WITHIN_SECONDS + A_MOMENT_SECONDS)


@pytest.mark.parametrize("stage", ["bars", "all"])
@pytest.mark.parametrize("is_up", [True, False], ids=["broker up", "broker down"])
def test_sigterm_in_the_middle_ends_in_time_and_nothing_is_lost(
    own_broker: Broker, told: Story, monitors: list[Monitor], tmp_path: Path, stage: str, *, is_up: bool
) -> None:
    wanted = on(own_broker)
    monitor = Monitor(tmp_path, stage, stage, wanted, state=stage == "all")
    monitors.append(monitor)
    monitor.start()
    said = {"bars": "partitions were given", "all": "source is connected"}[stage]
    until(lambda: said in monitor.said_last(), monitors)
    send(own_broker, told, closing=False)  # acknowledged, and hardly any of it sealed
    if not is_up:
        own_broker.kill()
    monitor.terminate(STOP_WITHIN_SECONDS + A_MOMENT_SECONDS)
    own_broker.start()
    feeding = Feeding(own_broker.bootstrap, told.closing, told.closing, 1.0)
    feeding.close()
    monitor.start()
    if stage == "all":
        until(has_come_to(own_broker, monitor), [])
        check_state(own_broker, monitor)
        return
    expected = expected_of(logs_of(own_broker.bootstrap, PARTITIONS))
    until(lambda: _topic_is_there(own_broker, wanted.bars), monitors)
    bars = BarsRead(own_broker.bootstrap, wanted.bars)

    def is_sealed() -> bool:
        bars.read_on()
        return not bars.missing(expected)

    until(is_sealed, monitors)
    bars.close()
    compare_counts("the topic of bars", expected.counts, bars.counts)
    monitor.terminate(STOP_WITHIN_SECONDS + A_MOMENT_SECONDS)


def _topic_is_there(broker: Broker, topic: str) -> bool:
    with admin(broker.bootstrap) as client:
        return topic in client.list_topics()


class TestTheTopicOfBars:
    @pytest.fixture
    def bar_topic(self, broker: Broker) -> BarTopic:
        return BarTopic(plain(broker.bootstrap), f"bars-{uuid4().hex}", f"group-{uuid4().hex}", keep_days=3)

    def test_is_made_once_with_the_settings_that_bars_need(self, broker: Broker, bar_topic: BarTopic) -> None:
        assert [bar_topic.make(), bar_topic.make()] == [4, 4]
        with admin(broker.bootstrap) as client:
            described = str(client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, bar_topic.name)]))
        for name, value in (
            ("retention.ms", "259200000"),
            ("max.message.bytes", "8388608"),
            ("message.timestamp.type", "LogAppendTime"),
        ):
            assert re.search(rf"'{name}':? ?[^}}]*?'{value}'", described), (name, described)

    def test_one_that_is_there_is_taken_as_it_is(self, broker: Broker, bar_topic: BarTopic) -> None:
        create_topic(broker.bootstrap, bar_topic.name, 2)
        assert bar_topic.make() == 2

    def test_the_next_owner_goes_on_from_what_counts(self, broker: Broker, bar_topic: BarTopic, topic: str) -> None:
        """An owner that does not know it is none any more writes on, and what it writes does not count."""
        count, name = bar_topic.make(), f"{topic}/1"
        first, second, third = (Claims(bar_topic, count, [Topics((topic,))]) for _ in range(3))
        writer = BarWriter(bar_topic, count, time.monotonic)
        assert first.claim(name, 1) is None
        at = [LINES_A_MESSAGE * n for n in range(6)]
        writer.write(Block(name, 1, Standing(at[2], at[1], 7, 9, True)))
        assert writer.flush(10)
        assert second.claim(name, 2) == at[1]
        writer.write(Block(name, 1, Standing(at[5], at[5], 99, 99, True)))
        writer.write(Block(name, 2, Standing(at[3], at[2], 8, 9, True)))
        assert writer.flush(10)
        assert third.claim(name, 3) == at[2]
        [claimed] = third.take()
        assert isinstance(claimed, Claimed)
        assert [each.generation for each in claimed.blocks] == [1, 2]
        writer.close(2)
        reader = Reader(broker.bootstrap, [bar_topic.name])
        among = {each.among for record in reader.new() if not isinstance(each := decode(record.value), Block)}
        reader.close()
        assert among == {tuple(f"{topic}/{n}" for n in range(4))}

    def test_an_older_generation_and_another_group_are_refused(self, bar_topic: BarTopic, topic: str) -> None:
        count, name = bar_topic.make(), f"{topic}/0"
        Claims(bar_topic, count, [Topics((topic,))]).claim(name, 5)
        with pytest.raises(SourceError, match="claimed by generation 5 of the group, and ours is 5"):
            Claims(bar_topic, count, [Topics((topic,))]).claim(name, 5)
        other = BarTopic(bar_topic.connection, bar_topic.name, "another")
        with pytest.raises(SourceError, match=f"holds bars of the group {bar_topic.group}, and this is another: name"):
            Claims(other, count, [Topics((topic,))]).claim(name, 9)

    def test_what_is_no_block_is_stepped_over(self, bar_topic: BarTopic, topic: str) -> None:
        count, name = bar_topic.make(), f"{topic}/2"
        place = bar_topic.place(name, count)
        Claims(bar_topic, count, [Topics((topic,))]).claim(name, 1)
        with Publisher(bar_topic.connection) as publisher:
            for raw in (b"hello", encode(Block(name, 1, Standing(LINES_A_MESSAGE, LINES_A_MESSAGE)))):
                publisher.send(place.topic, raw, partition=place.partition)
            publisher.flush(10)
        assert Claims(bar_topic, count, [Topics((topic,))]).claim(name, 2) == LINES_A_MESSAGE
