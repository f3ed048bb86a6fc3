"""Fills topics, reads them with a KafkaSource, and waits for what comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer

from monitor.kafka.connection import KafkaConnection
from monitor.sources.base import LINES_A_MESSAGE, RawBatch, Source
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka.topics import Topics
from tests.kafka.messages import plain

PATIENCE_SECONDS = 30.0
"""What a test waits for comes much sooner; this is only how long it takes to fail."""

Read = dict[str, list[tuple[int, bytes]]]
"""By partition, the offset and the payload of each message."""


class QuickConnection(KafkaConnection):
    """Asks for metadata again without the library's pause of 100 ms, so that hundreds of sources open quickly."""

    def client_options(self, failures: Any = None) -> dict[str, Any]:
        options = super().client_options(failures)
        make = options["kafka_client"]

        def quick(**config: object) -> Any:
            client = make(**config)
            client._manager.cluster.config["retry_backoff_ms"] = 1
            return client

        return {**options, "kafka_client": quick}


@contextmanager
def producing(bootstrap: str, **options: Any) -> Iterator[Callable[..., int]]:
    """A function that appends one message and returns its offset when the broker has it."""
    given = {"bootstrap_timeout_ms": 20_000, "linger_ms": 0, **options}
    producer = KafkaProducer(**plain(bootstrap).client_options(), **given)

    def append(topic: str, partition: int, value: bytes | None, **more: Any) -> int:
        key = b"gone" if value is None else None  # the producer wants one of the two
        return int(producer.send(topic, value, key, partition=partition, **more).get(PATIENCE_SECONDS).offset)

    try:
        yield append
    finally:
        producer.close(timeout=1)


def fill(bootstrap: str, topic: str, by_partition: Mapping[int, Sequence[bytes | None]], **options: Any) -> None:
    """Append messages, in few batches a partition, and wait until the broker has them."""
    given = {"bootstrap_timeout_ms": 20_000, "linger_ms": 20, **options}
    producer = KafkaProducer(**plain(bootstrap).client_options(), **given)
    try:
        sent = [
            producer.send(topic, value, b"gone" if value is None else None, partition=partition)
            for partition, values in by_partition.items()
            for value in values
        ]
        for each in sent:
            each.get(PATIENCE_SECONDS)
    finally:
        producer.close(timeout=1)


def numbered(count: int, first: int = 0, prefix: str = "") -> list[bytes]:
    return [f"{prefix}{number}".encode() for number in range(first, first + count)]


def source_of(bootstrap: str, *topics: str, **options: Any) -> KafkaSource:
    """A source that is not open yet; topics by name, or `pattern`."""
    which = Topics(pattern=options.pop("pattern")) if "pattern" in options else Topics(topics)
    return KafkaSource("test", QuickConnection(brokers=(bootstrap,)), which, **{"group": "test", **options})


@contextmanager
def reading(bootstrap: str, *topics: str, resume: Mapping[str, int] | None = None, **options: Any) -> Iterator[Any]:
    """An open source, closed at the end."""
    source = source_of(bootstrap, *topics, **options)
    try:
        source.open(resume)
        yield source
    finally:
        source.close(2.0)


def poll_until(
    source: Source, is_so: Callable[[list[RawBatch]], object], size: int = 1000, seconds: float = PATIENCE_SECONDS
) -> list[RawBatch]:
    """Poll until that is so of all batches so far."""
    batches: list[RawBatch] = []
    ends_at = time.monotonic() + seconds
    while not is_so(batches):
        if (batch := source.poll(size)) is not None:
            batches.append(batch)
        assert time.monotonic() < ends_at, f"read {by_partition(batches)}, and it stands so: {source.partitions()}"
    return batches


def poll_for(source: Source, seconds: float, size: int = 1000) -> list[RawBatch]:
    """Poll for so long, whatever comes."""
    ends_at = time.monotonic() + seconds
    return poll_until(source, lambda _: time.monotonic() >= ends_at, size)


def take(source: Source, count: int, size: int = 1000, seconds: float = PATIENCE_SECONDS) -> list[RawBatch]:
    """Poll until so many payloads have come."""
    return poll_until(source, lambda batches: sum(map(len, batches)) >= count, size, seconds)


def by_partition(batches: Sequence[RawBatch]) -> Read:
    """What was read, at the broker's offsets."""
    read: Read = {}
    for batch in batches:
        offsets = [position // LINES_A_MESSAGE for position in batch.offsets]
        read.setdefault(batch.partition, []).extend(zip(offsets, batch.payloads, strict=True))
    return read


def is_caught_up(source: Source) -> bool:
    """Whether nothing is known to wait, and nothing is in doubt."""
    states = source.partitions().values()
    return bool(states) and not any(each.is_behind for each in states)
