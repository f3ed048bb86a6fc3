"""The Kafka source against a real broker, while all goes well."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition, codec

from monitor.sources.base import LINES_A_MESSAGE, Mark, RawBatch
from monitor.sources.kafka import limits
from monitor.sources.kafka.topics import DEFAULT_TOPICS, stream_of
from monitor.streams import STREAMS
from tests.kafka.broker import Broker, admin, create_topic
from tests.kafka.messages import plain
from tests.kafka.reading import (
    by_partition,
    fill,
    is_caught_up,
    numbered,
    poll_for,
    poll_until,
    producing,
    reading,
    take,
)


def payloads(batches: Sequence[RawBatch]) -> list[bytes]:
    return [payload for batch in batches for payload in batch.payloads]


def a_name() -> str:
    return f"test-{uuid4().hex}"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """New topics and partitions are looked for often."""
    monkeypatch.setattr(limits, "DISCOVER_SECONDS", 0.3)


# Where it begins


def test_earliest_reads_what_is_there_and_latest_what_comes(broker: Broker, topic: str) -> None:
    fill(broker.bootstrap, topic, {0: numbered(5), 3: numbered(5)})
    with reading(broker.bootstrap, topic) as first, reading(broker.bootstrap, topic, start="latest") as last:
        assert len(payloads(take(first, 10))) == 10
        assert poll_for(last, 0.5) == []
        with producing(broker.bootstrap) as append:
            append(topic, 0, b"new")
        assert by_partition(take(last, 1)) == {f"{topic}/0": [(5, b"new")]}


def test_a_moment_is_by_the_time_stamps_of_messages(broker: Broker, topic: str) -> None:
    at = datetime(2025, 3, 3, 12, tzinfo=UTC)
    at_ms = int(at.timestamp() * 1_000)
    with producing(broker.bootstrap) as append:
        for n in range(6):
            append(topic, 0, b"%d" % n, timestamp_ms=at_ms + (n - 3) * 1_000)
        append(topic, 1, b"older", timestamp_ms=at_ms - 1)
    with reading(broker.bootstrap, topic, start=at) as source:
        assert by_partition(take(source, 3)) == {f"{topic}/0": [(3, b"3"), (4, b"4"), (5, b"5")]}
        assert poll_for(source, 0.3) == []
        assert source.partitions()[f"{topic}/1"].offset == 1


def test_a_position_wins_over_where_new_partitions_begin(broker: Broker, topic: str) -> None:
    fill(broker.bootstrap, topic, {0: numbered(5), 1: numbered(5)})
    """And what is not in the positions of a topic that was read before has appeared since."""
    with reading(broker.bootstrap, topic, resume={f"{topic}/0": 3 * LINES_A_MESSAGE}, start="latest") as source:
        read = by_partition(take(source, 7))
        assert read == {f"{topic}/0": [(3, b"3"), (4, b"4")], f"{topic}/1": list(enumerate(numbered(5)))}
        assert poll_for(source, 0.3) == []


@pytest.mark.parametrize("start", ["earliest", "latest"])
@pytest.mark.usefixtures("soon")
def test_a_topic_that_appears_is_read_from_its_beginning(broker: Broker, topic: str, start: str) -> None:
    name = a_name()
    with structlog.testing.capture_logs() as logs, reading(broker.bootstrap, topic, name, start=start) as source:
        poll_for(source, 1.0)
        with admin(broker.bootstrap) as client:
            assert name not in client.list_topics(), "to ask for a topic must not make it"
        create_topic(broker.bootstrap, name, 1)
        fill(broker.bootstrap, name, {0: numbered(3)})
        assert by_partition(take(source, 3)) == {f"{name}/0": list(enumerate(numbered(3)))}
    assert [each["topic"] for each in logs if each["log_level"] == "warning"] == [name], "it is said once"


@pytest.mark.usefixtures("soon")
def test_partitions_that_are_added_are_read_from_their_beginning(broker: Broker) -> None:
    name = a_name()
    create_topic(broker.bootstrap, name, 1)
    fill(broker.bootstrap, name, {0: numbered(3)})
    with reading(broker.bootstrap, name, start="latest") as source:
        poll_for(source, 0.2)
        with admin(broker.bootstrap) as client:
            client.create_partitions({name: 3})
            client.wait_for_topics([name])
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                fill(broker.bootstrap, name, {0: [b"old"], 2: [b"new"]})
                break
            except AssertionError:  # the producer does not know the partition yet
                time.sleep(0.1)
        assert by_partition(take(source, 2)) == {f"{name}/0": [(3, b"old")], f"{name}/2": [(0, b"new")]}


@pytest.mark.usefixtures("soon")
def test_a_pattern_finds_new_topics_but_never_rejects_nor_kafkas_own(broker: Broker) -> None:
    name = a_name()
    for each in (f"{name}.a", f"{name}.a.rejects", f"x{name}.a"):
        create_topic(broker.bootstrap, each, 1)
        fill(broker.bootstrap, each, {0: [each.encode()]})
    with reading(broker.bootstrap, pattern=rf"({name}[.].*|__.*)") as source:
        assert payloads(take(source, 1)) == [f"{name}.a".encode()]
        create_topic(broker.bootstrap, f"{name}.b", 1)
        fill(broker.bootstrap, f"{name}.b", {0: [b"later"]})
        assert payloads(take(source, 1)) == [b"later"]
        assert sorted(source.partitions()) == [f"{name}.a/0", f"{name}.b/0"]


# What is read


def test_the_stream_is_that_of_the_topic_or_of_the_settings(broker: Broker, topic: str) -> None:
    default = DEFAULT_TOPICS[0]
    with admin(broker.bootstrap) as client:
        there = client.list_topics()
    if default not in there:
        create_topic(broker.bootstrap, default, 1)
    fill(broker.bootstrap, default, {0: [b"by its topic"]})
    fill(broker.bootstrap, topic, {0: [b"of another"]})
    with reading(broker.bootstrap, default, topic) as source:
        read = poll_until(source, lambda read: read and is_caught_up(source))
        assert {batch.partition: batch.stream for batch in read} == {
            f"{default}/0": stream_of(default),
            f"{topic}/0": None,
        }
    assert stream_of(default) in STREAMS
    with reading(broker.bootstrap, topic, stream="cds") as source:
        assert [batch.stream for batch in take(source, 1)] == ["cds"]


@pytest.mark.parametrize("compression", ["gzip", "zstd", "lz4", "snappy"])
def test_whatever_producers_compress_with_is_read(broker: Broker, topic: str, compression: str) -> None:
    if not getattr(codec, f"has_{compression}")():
        pytest.skip(f"{compression} is not installed")
    fill(broker.bootstrap, topic, {0: numbered(300)}, compression_type=compression)
    with reading(broker.bootstrap, topic, resume={f"{topic}/0": 7 * LINES_A_MESSAGE}) as source:
        assert by_partition(take(source, 293, size=50)) == {f"{topic}/0": list(enumerate(numbered(300)))[7:]}


def test_full_buffers_lose_nothing(broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions are paused and resumed all the time, while the client holds fetched messages of each."""
    monkeypatch.setattr(limits, "BUFFERED_RECORDS", 20)
    monkeypatch.setattr(limits, "FETCHED_AT_ONCE", 30)
    counts = {0: 2_000, 1: 1_300, 2: 50, 3: 700}
    fill(broker.bootstrap, topic, {partition: numbered(count) for partition, count in counts.items()})
    with reading(broker.bootstrap, topic) as source:
        was_paused = 0
        batches: list[RawBatch] = []
        while sum(map(len, batches)) < sum(counts.values()):
            batches += take(source, 1, size=7)
            was_paused += any(each.is_paused for each in source._partitions.values())
        assert was_paused > 20
    assert by_partition(batches) == {f"{topic}/{p}": list(enumerate(numbered(n))) for p, n in counts.items()}


# How it stands


def test_lag_offsets_and_progress_are_truthful_while_more_is_written(broker: Broker, topic: str) -> None:
    with reading(broker.bootstrap, topic) as source, producing(broker.bootstrap) as append:
        poll_until(source, lambda _: is_caught_up(source))
        assert (source.lag(), source.progress()) == (0, (0, 0))
        written, read = [0] * 4, [0] * 4
        for n in range(60):
            partition = n * n % 4
            assert append(topic, partition, b"%d" % n) == written[partition]
            written[partition] += 1
            if n % 3 == 0 and (batch := source.poll(2)) is not None:
                read[int(batch.partition[-1])] += len(batch)
            for name, each in source.partitions().items():
                number = int(name[-1])
                assert each.offset == read[number] == each.position // LINES_A_MESSAGE
                assert each.end is None or read[number] <= each.end <= written[number], "nothing is made up"
            done, total = source.progress()
            assert done == sum(read)
            assert total is None or total <= sum(written)
        take(source, 60 - sum(read))
        assert source.progress() == (60, 60)
        assert source.lag() == 0
        fill(broker.bootstrap, topic, {2: numbered(5)})
        poll_until(source, lambda _: source.partitions()[f"{topic}/2"].end == written[2] + 5, size=1, seconds=5)
        lag = source.lag()
        assert lag is not None
        assert source.progress() == (65 - lag, 65)


def test_tombstones_are_counted_and_hold_nothing_up(broker: Broker, topic: str) -> None:
    fill(broker.bootstrap, topic, {0: [b"1", None, None, b"2", None]})
    with reading(broker.bootstrap, topic) as source:
        take(source, 2, size=1)
        poll_until(source, lambda _: is_caught_up(source))
        state = source.partitions()[f"{topic}/0"]
    assert (state.offset, state.empty, state.lost) == (5, 3, 0)


def test_the_end_of_a_transaction_is_no_message_and_holds_nothing_up(broker: Broker, topic: str) -> None:
    """Nor what the log ends with otherwise: it has an offset that nobody will ever hand over."""
    with reading(broker.bootstrap, topic) as source:
        producer = KafkaProducer(
            **plain(broker.bootstrap).client_options(), transactional_id=a_name(), bootstrap_timeout_ms=20_000
        )
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"1", partition=0)
        producer.commit_transaction()
        producer.close(timeout=1)
        assert by_partition(take(source, 1)) == {f"{topic}/0": [(0, b"1")]}
        poll_until(source, lambda _: is_caught_up(source) and source.partitions()[f"{topic}/0"].end == 2, seconds=5)
        assert source.lag() == 0


def test_a_cut_without_anything_behind_is_one_that_was_there(broker: Broker, topic: str) -> None:
    """Each message is written when the broker has acknowledged the one before, on another partition: so whoever has
    message n and has nothing behind has all before n. Without rounds a later one of one partition may come first.
    """
    count = 400

    def write() -> None:
        with producing(broker.bootstrap) as append:
            for n in range(count):
                append(topic, n * 7 % 4, b"%d" % n)

    writer = threading.Thread(target=write)
    cuts = 0
    with reading(broker.bootstrap, topic) as source:
        writer.start()
        taken: set[int] = set()
        deadline = time.monotonic() + 30
        size = 0
        while len(taken) < count and time.monotonic() < deadline:
            size = size % 5 + 1
            batch = source.poll(size)
            taken |= set(map(int, batch.payloads)) if batch else set()
            if is_caught_up(source) and taken:
                cuts += len(taken) < count
                assert taken == set(range(len(taken))), "something older is missing, and nothing is said to be behind"
    writer.join()
    assert len(taken) == count
    assert cuts > 5, "it was never caught up while it read"


# What is committed


def committed(broker: Broker, group: str, tp: TopicPartition) -> tuple[int, str] | None:
    client = KafkaConsumer(**plain(broker.bootstrap).client_options(), group_id=group, bootstrap_timeout_ms=20_000)
    try:
        found = client.committed(tp, metadata=True)
        return None if found is None else (found.offset, found.metadata)
    finally:
        client.close()


def test_what_was_taken_in_for_good_is_committed_with_its_watermark(broker: Broker, topic: str) -> None:
    group, tp = a_name(), TopicPartition(topic, 1)
    fill(broker.bootstrap, topic, {1: numbered(9)})
    with reading(broker.bootstrap, topic, group=group) as source:
        take(source, 9)
        mark = Mark(4 * LINES_A_MESSAGE + 3, 1_700_000_000_000_000)
        source.keep({f"{topic}/1": mark, "of another source": mark})
        poll_until(source, lambda _: committed(broker, group, tp) is not None, seconds=5)
        assert committed(broker, group, tp) == (4, "watermark_us=1700000000000000")
        assert committed(broker, group, TopicPartition(topic, 0)) is None
        source.keep({f"{topic}/1": Mark(9 * LINES_A_MESSAGE, None)})
    # It was closed at once, and the commit is there all the same.
    assert committed(broker, group, tp) == (9, "")
