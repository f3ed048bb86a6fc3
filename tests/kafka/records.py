"""Reads all that a topic holds, with keys and headers."""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tests.kafka.messages import WAIT_SECONDS, plain


def records(bootstrap: str, topic: str, count: int) -> list[Any]:
    """All records of a topic, a partition after the other, once there are at least so many."""
    consumer = KafkaConsumer(
        **plain(bootstrap).client_options(),
        bootstrap_timeout_ms=WAIT_SECONDS * 1_000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=None,
    )
    deadline = time.monotonic() + WAIT_SECONDS
    found: list[Any] = []
    try:
        while not (numbers := consumer.partitions_for_topic(topic)):
            assert time.monotonic() < deadline, f"there is no topic {topic}"
            time.sleep(0.1)
        consumer.assign([TopicPartition(topic, number) for number in numbers])
        consumer.seek_to_beginning()
        while time.monotonic() < deadline:
            fetched = [record for some in consumer.poll(100).values() for record in some]
            found += fetched
            if not fetched and len(found) >= count:
                break
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def headers_of(record: Any) -> dict[str, str]:
    return {name: text.decode() for name, text in record.headers}
