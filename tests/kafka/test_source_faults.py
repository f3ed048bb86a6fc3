"""The Kafka source against a real broker while something fails: nothing is lost in silence, and nothing hangs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import structlog
from kafka import TopicPartition
from kafka.cluster import ClusterMetadata
from kafka.errors import OffsetOutOfRangeError
from structlog.typing import EventDict

from monitor.sources.base import LINES_A_MESSAGE, PartitionState, Source, SourceError
from monitor.sources.kafka import limits
from monitor.sources.kafka.client import Client
from monitor.sources.supervisor import Feed, SourceState, Supervisor, SupervisorSettings
from tests.kafka.broker import Broker, admin, create_topic, delete_topic, need_broker
from tests.kafka.reading import (
    PATIENCE_SECONDS,
    by_partition,
    fill,
    is_caught_up,
    numbered,
    poll_for,
    poll_until,
    producing,
    reading,
    source_of,
    take,
)

SLACK_SECONDS = 8.0
"""Over what is promised: a look at two brokers' answers, and a busy machine."""


@pytest.fixture(scope="module")
def _mortal() -> Iterator[Broker]:
    need_broker(own=True)
    broker = Broker()
    broker.start()
    yield broker
    broker.discard()


@pytest.fixture
def mortal(_mortal: Broker) -> Broker:
    """A broker that may be killed; the next test finds it running."""
    _mortal.start()
    return _mortal


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience in proportion, and shorter."""
    monkeypatch.setattr(limits, "LOST_SECONDS", 4.0)
    monkeypatch.setattr(limits, "ANSWER_SECONDS", 0.8)
    monkeypatch.setattr(limits, "CONNECT_SECONDS", 2.0)
    monkeypatch.setattr(limits, "REQUEST_MS", 2_000)


def delete_before(broker: Broker, topic: str, offset: int) -> None:
    with admin(broker.bootstrap) as client:
        client.delete_records({TopicPartition(topic, 0): offset})


def errors(logs: list[EventDict]) -> list[EventDict]:
    return [each for each in logs if each["log_level"] == "error"]


def poll_until_it_breaks(source: Source, seconds: float) -> str:
    """What it says when it breaks."""
    deadline = time.monotonic() + seconds
    said = None
    while said is None:
        assert time.monotonic() < deadline, "it does not break"
        try:
            source.poll(100)
        except SourceError as error:
            said = str(error)
    with pytest.raises(SourceError):
        source.poll(100)
    return said


# Messages that are gone


def test_messages_that_expired_before_the_start_are_said_and_counted(broker: Broker, topic: str) -> None:
    fill(broker.bootstrap, topic, {0: numbered(20)})
    delete_before(broker, topic, 12)
    resume = {f"{topic}/0": 5 * LINES_A_MESSAGE + 2}
    with structlog.testing.capture_logs() as logs, reading(broker.bootstrap, topic, resume=resume) as source:
        assert by_partition(take(source, 8)) == {f"{topic}/0": list(enumerate(numbered(20)))[12:]}
        assert source.partitions()[f"{topic}/0"].lost == 7
    (told,) = errors(logs)
    assert (told["partition"], told["first_offset"], told["last_offset"], told["count"]) == (f"{topic}/0", 5, 11, 7)


def test_messages_that_expire_while_it_reads_are_said_and_those_in_hand_are_kept(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BUFFERED_RECORDS", 5)
    monkeypatch.setattr(limits, "PARTITION_FETCH_BYTES", 1_000)
    with producing(broker.bootstrap) as append:  # a batch each, of which few are fetched at a time
        for number in range(80):
            append(topic, 0, b"%0100d" % number)
    with structlog.testing.capture_logs() as logs, reading(broker.bootstrap, topic) as source:
        batches = take(source, 1, size=1)
        delete_before(broker, topic, 60)
        batches += poll_until(source, lambda _: source.partitions()[f"{topic}/0"].offset == 80, size=3)
        assert is_caught_up(source)
        state = source.partitions()[f"{topic}/0"]
    read = [offset for rows in by_partition(batches).values() for offset, _ in rows]
    assert read == sorted(set(read))
    first = read.index(60)
    assert read == [*range(first), *range(60, 80)], "something that was fetched, or is there, is missing"
    assert state.lost == 60 - first > 0
    assert [told["count"] for told in errors(logs)] == [state.lost]


def test_messages_that_expired_beyond_what_is_in_hand_do_not_take_it_along(broker: Broker, topic: str) -> None:
    """The same as above, at the one moment at which it matters: what was fetched is still to be handed over."""
    fill(broker.bootstrap, topic, {0: numbered(30)})
    with reading(broker.bootstrap, topic) as source:
        batches = take(source, 2, size=2)
        (each,) = [each for each in source._partitions.values() if each.fetched]
        assert each.fetched_to == 30
        fill(broker.bootstrap, topic, {0: numbered(10, 30)})
        delete_before(broker, topic, 35)
        error = OffsetOutOfRangeError({TopicPartition(topic, 0): 30})
        source._fetching._go_on_after(error)
        batches += poll_until(source, lambda _: source.partitions()[f"{topic}/0"].offset == 40, size=3)
        assert source.partitions()[f"{topic}/0"].lost == 5
    assert by_partition(batches) == {f"{topic}/0": [row for row in enumerate(numbered(40)) if not 30 <= row[0] < 35]}


def test_a_topic_that_is_gone_is_said(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """And neither made anew by asking for it, nor a reason to look away from the others."""
    monkeypatch.setattr(limits, "DISCOVER_SECONDS", 0.5)
    names = [f"gone-{os.getpid()}-{n}" for n in range(2)]
    for name in names:
        create_topic(broker.bootstrap, name, 1)
        fill(broker.bootstrap, name, {0: numbered(5)})
    with reading(broker.bootstrap, *names) as source:
        take(source, 10)
        delete_topic(broker.bootstrap, names[0])
        said = poll_until_it_breaks(source, 15)
        assert names[0] in said
        assert "there is no such topic any more" in said or "made anew" in said
    with admin(broker.bootstrap) as client:
        assert names[0] not in client.list_topics()
    delete_topic(broker.bootstrap, names[1])


def test_a_topic_that_was_made_anew_is_said_when_it_is_opened(broker: Broker) -> None:
    name = f"anew-{os.getpid()}"
    create_topic(broker.bootstrap, name, 1)
    fill(broker.bootstrap, name, {0: numbered(3)})
    source = source_of(broker.bootstrap, name)
    with pytest.raises(SourceError, match=rf"{name}/0 ends at offset 3, and it was read up to 9 before"):
        source.open({f"{name}/0": 9 * LINES_A_MESSAGE})
    source.close(1.0)
    delete_topic(broker.bootstrap, name)


def test_a_topic_that_is_made_anew_while_it_reads_is_said(broker: Broker) -> None:
    name = f"again-{os.getpid()}"
    create_topic(broker.bootstrap, name, 1)
    fill(broker.bootstrap, name, {0: numbered(9)})
    with reading(broker.bootstrap, name) as source:
        take(source, 9)
        delete_topic(broker.bootstrap, name)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                create_topic(broker.bootstrap, name, 1)
                break
            except Exception:  # noqa: BLE001 - the old one is still on its way out
                time.sleep(0.1)
        fill(broker.bootstrap, name, {0: numbered(4)})
        said = poll_until_it_breaks(source, 20)
        assert name in said
        assert "made anew" in said or "no such topic" in said
    delete_topic(broker.bootstrap, name)


# Messages that are damaged


@pytest.mark.parametrize("buffered", [20_000, 5])
def test_messages_that_do_not_match_their_check_sum_are_stepped_over(
    mortal: Broker, monkeypatch: pytest.MonkeyPatch, buffered: int
) -> None:
    """Also where their partition is paused and resumed while the client has still to say it."""
    monkeypatch.setattr(limits, "BUFFERED_RECORDS", buffered)
    name = f"damaged-{buffered}"
    create_topic(mortal.bootstrap, name, 2)
    with producing(mortal.bootstrap) as append:  # a batch each
        append(name, 0, b"first")
    fill(mortal.bootstrap, name, {0: numbered(20, prefix="bad-")}, linger_ms=300)
    fill(mortal.bootstrap, name, {0: numbered(30, prefix="good-"), 1: numbered(40)})
    mortal.stop()
    (segment,) = mortal._path("data").rglob(f"{name}-0/*.log")
    flip(segment, b"bad-19")
    mortal.start()
    with structlog.testing.capture_logs() as logs, reading(mortal.bootstrap, name) as source:
        batches = poll_until(source, lambda _: is_caught_up(source) and source.lag() == 0, size=3)
        state = source.partitions()[f"{name}/0"]
    read = by_partition(batches)
    rest = [payload for _, payload in read[f"{name}/0"]]
    assert rest[0] == b"first"
    assert rest[-30:] == numbered(30, prefix="good-")
    assert b"bad-19" not in rest
    assert read[f"{name}/1"] == list(enumerate(numbered(40)))
    assert state.lost == 51 - len(rest) > 0
    assert [told["event"] for told in errors(logs)] == ["messages do not match their check sum, and are stepped over"]


def flip(path: Path, within: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(within)] ^= 0xFF
    path.write_bytes(content)


def test_no_partition_is_paused_while_the_client_has_still_to_say_what_is_wrong(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would forget it, and read on for ever in what it has given up (kafka-python 3.0.12)."""
    monkeypatch.setattr(limits, "BUFFERED_RECORDS", 5)
    fill(broker.bootstrap, topic, {0: numbered(30)})
    with reading(broker.bootstrap, topic) as source:
        take(source, 1, size=1)
        each = source._partitions[TopicPartition(topic, 0)]
        source._client.consumer.resume(each.tp)
        each.is_paused = False
        monkeypatch.setattr(source._client.consumer, "poll", lambda **_: {})
        monkeypatch.setattr(source._client.consumer._fetcher, "_next_in_line_exception_metadata", "to be said")
        source._fetching.fetch(None)
        assert not each.is_paused
        monkeypatch.setattr(source._client.consumer._fetcher, "_next_in_line_exception_metadata", None)
        source._fetching.fetch(None)
        assert each.is_paused


# Brokers that are gone


def test_a_partition_that_nobody_leads_is_behind_and_holds_up_no_other(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ANSWER_SECONDS", 0.4)
    fill(broker.bootstrap, topic, {0: numbered(3), 1: numbered(3)})
    with reading(broker.bootstrap, topic) as source:
        take(source, 6)
        cluster = source._client.consumer._cluster
        leader = cluster.leader_for_partition
        monkeypatch.setattr(cluster, "leader_for_partition", lambda tp: None if tp.partition == 1 else leader(tp))
        fill(broker.bootstrap, topic, {0: numbered(3, 3), 1: numbered(3, 3)})
        read = by_partition(take(source, 3))
        # Of what the client had asked for before something may still come.
        assert read[f"{topic}/0"] == list(enumerate(numbered(6)))[3:]
        poll_until(source, lambda _: source.partitions()[f"{topic}/1"].end is None)
        assert source.partitions()[f"{topic}/1"].is_behind
        monkeypatch.undo()
        poll_until(source, lambda _: is_caught_up(source))
        assert source.partitions()[f"{topic}/1"].offset == 6


@pytest.fixture
def leaderless(monkeypatch: pytest.MonkeyPatch) -> set[TopicPartition]:
    """Partitions that nobody leads, as long as they are in it; new ones are looked for often."""
    monkeypatch.setattr(limits, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(limits, "DISCOVER_SECONDS", 0.3)
    without: set[TopicPartition] = set()
    leader = ClusterMetadata.leader_for_partition
    monkeypatch.setattr(
        ClusterMetadata, "leader_for_partition", lambda self, tp: None if tp in without else leader(self, tp)
    )
    return without


def test_one_that_nobody_leads_at_first_is_behind_where_it_goes_on(
    broker: Broker, topic: str, leaderless: set[TopicPartition], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it not told, nobody would wait for it: what it has to say is older than what the others bring."""
    fill(broker.bootstrap, topic, {0: numbered(3), 1: numbered(5)})
    leaderless.add(TopicPartition(topic, 1))
    name, position = f"{topic}/1", 2 * LINES_A_MESSAGE
    with reading(broker.bootstrap, topic, resume={name: position}) as source:
        assert source.partitions()[name] == PartitionState(position, 2, None, is_behind=True)
        read = by_partition(poll_until(source, lambda _: source.partitions()[f"{topic}/0"].offset == 3))
        assert read == {f"{topic}/0": list(enumerate(numbered(3)))}
        with monkeypatch.context() as patched:
            patched.delattr(Client, "bounds")  # to ask again and again would hold up the others
            poll_for(source, 1.0)
        assert source.partitions()[name] == PartitionState(position, 2, None, is_behind=True)
        leaderless.clear()
        read = by_partition(take(source, 3))
        assert read == {name: list(enumerate(numbered(5)))[2:]}
        poll_until(source, lambda _: is_caught_up(source))


def test_one_that_nobody_leads_and_nobody_has_read_has_no_place_yet(
    broker: Broker, topic: str, leaderless: set[TopicPartition]
) -> None:
    leaderless.add(TopicPartition(topic, 1))
    with reading(broker.bootstrap, topic, start="latest") as source:
        assert sorted(source.partitions()) == [f"{topic}/{number}" for number in (0, 2, 3)]
        leaderless.clear()
        poll_until(source, lambda _: f"{topic}/1" in source.partitions())


def test_a_topic_that_nobody_leads_and_that_is_gone_is_said(
    broker: Broker, topic: str, leaderless: set[TopicPartition]
) -> None:
    gone = f"gone-unled-{os.getpid()}"
    create_topic(broker.bootstrap, gone, 1)
    leaderless.add(TopicPartition(gone, 0))
    with reading(broker.bootstrap, topic, gone, resume={f"{gone}/0": LINES_A_MESSAGE}) as source:
        assert source.partitions()[f"{gone}/0"].is_behind
        delete_topic(broker.bootstrap, gone)
        assert f"{gone}: there is no such topic any more" in poll_until_it_breaks(source, 15)


@pytest.mark.usefixtures("hasty")
def test_brokers_that_are_down_are_said_in_time() -> None:
    source = source_of("127.0.0.1:1", "any")
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1: nothing listens there"):
        source.open()
    assert time.monotonic() - began < limits.CONNECT_SECONDS + 1
    began = time.monotonic()
    source.close(1.0)
    assert time.monotonic() - began < 1.5


def supervised(bootstrap: str, topic: str) -> tuple[Supervisor, list[SourceState]]:
    states: list[SourceState] = []
    supervisor = Supervisor(
        [Feed("kafka", "kafka", lambda: source_of(bootstrap, topic))],
        {},
        settings=SupervisorSettings(longest_wait_seconds=1.0),
        on_state=lambda _name, _kind, state: states.append(state),
        wall_us=lambda: 0,
        random=Random(1),
    )
    supervisor.start()
    return supervisor, states


class Taken:
    """What a supervisor gave."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.rows: dict[str, list[tuple[int, bytes]]] = {}

    def until(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while sum(map(len, self.rows.values())) < count:
            assert time.monotonic() < deadline, self.rows
            self.more()

    def more(self) -> None:
        if arrival := self.supervisor.take(0.05):
            for partition, some in by_partition([arrival.batch]).items():
                self.rows.setdefault(partition, []).extend(some)


def wait_until(states: list[SourceState], state: SourceState, seconds: float, taken: Taken) -> None:
    deadline = time.monotonic() + seconds
    while state not in states:
        assert time.monotonic() < deadline, states
        taken.more()


@pytest.mark.usefixtures("hasty")
def test_a_broker_that_is_killed_and_comes_again_costs_nothing(mortal: Broker) -> None:
    create_topic(mortal.bootstrap, "kept", 2)
    fill(mortal.bootstrap, "kept", {0: numbered(500), 1: numbered(300)})
    supervisor, states = supervised(mortal.bootstrap, "kept")
    taken = Taken(supervisor)
    try:
        taken.until(800)
        mortal.kill()
        wait_until(states, SourceState.BACKING_OFF, limits.LOST_SECONDS + SLACK_SECONDS, taken)
        assert supervisor.behind() == {"kept/0", "kept/1"}, "nobody knows what waits there"
        mortal.start()
        fill(mortal.bootstrap, "kept", {0: numbered(50, 500), 1: numbered(70, 300)})
        taken.until(920)
        deadline = time.monotonic() + 10
        while supervisor.behind():
            assert time.monotonic() < deadline
            taken.more()
        positions = {name: each.offset for name, each in supervisor.partitions().items()}
    finally:
        began = time.monotonic()
        assert supervisor.stop(time.monotonic() + 5) == []
        assert time.monotonic() - began < 4
    assert taken.rows == {"kept/0": list(enumerate(numbered(550))), "kept/1": list(enumerate(numbered(370)))}
    assert positions == {"kept/0": 550, "kept/1": 370}
    first = [state for state in states if state is not SourceState.CONNECTING]
    assert first[0] is first[-2] is SourceState.UP
    assert set(first[1:-2]) == {SourceState.BACKING_OFF}


@pytest.mark.usefixtures("hasty")
def test_a_broker_that_answers_no_more_is_noticed_and_nothing_is_left_of_it(mortal: Broker) -> None:
    """A half-open connection: it is there, and nobody is at its other end."""
    create_topic(mortal.bootstrap, "halted", 1)
    fill(mortal.bootstrap, "halted", {0: numbered(20)})
    threads = threading.active_count()
    source = source_of(mortal.bootstrap, "halted")
    source.open()
    take(source, 20)
    assert mortal._process is not None
    os.kill(mortal._process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        said = poll_until_it_breaks(source, limits.LOST_SECONDS + SLACK_SECONDS)
        assert time.monotonic() - began < limits.LOST_SECONDS + SLACK_SECONDS
        assert mortal.bootstrap in said
        began = time.monotonic()
        source.close(1.0)
        assert time.monotonic() - began < 1.5
        assert threading.active_count() == threads
    finally:
        os.kill(mortal._process.pid, signal.SIGCONT)
    fill(mortal.bootstrap, "halted", {0: numbered(5, 20)})
    with reading(mortal.bootstrap, "halted", resume={"halted/0": 20 * LINES_A_MESSAGE}) as again:
        assert by_partition(take(again, 5)) == {"halted/0": list(enumerate(numbered(25)))[20:]}


def test_a_pause_of_the_broker_is_lived_through(mortal: Broker) -> None:
    create_topic(mortal.bootstrap, "slow", 1)
    fill(mortal.bootstrap, "slow", {0: numbered(20)})
    with reading(mortal.bootstrap, "slow") as source:
        take(source, 20)
        assert mortal._process is not None
        os.kill(mortal._process.pid, signal.SIGSTOP)
        threading.Timer(3.0, os.kill, (mortal._process.pid, signal.SIGCONT)).start()
        assert poll_for(source, 2.0) == []
        poll_until(source, lambda _: is_caught_up(source))
        fill(mortal.bootstrap, "slow", {0: numbered(5, 20)})
        assert by_partition(take(source, 5)) == {"slow/0": list(enumerate(numbered(25)))[20:]}
