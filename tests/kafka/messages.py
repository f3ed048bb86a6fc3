"""Sends a few messages, and reads all that a topic has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from monitor.kafka.connection import KafkaConnection

WAIT_SECONDS = 20.0


def plain(bootstrap: str) -> KafkaConnection:
    """Over PLAINTEXT."""
    return KafkaConnection(brokers=(bootstrap,))


def send(connection: KafkaConnection, topic: str, payloads: Sequence[bytes], **of_each: Any) -> None:
    """Send payloads to partition 0, and wait until the broker has them."""
    producer = KafkaProducer(**connection.client_options(), bootstrap_timeout_ms=WAIT_SECONDS * 1_000)
    try:
        sent = [producer.send(topic, payload, partition=0, **of_each) for payload in payloads]
        for each in sent:
            each.get(WAIT_SECONDS)
    finally:
        producer.close(timeout=1)


def read(connection: KafkaConnection, topic: str, count: int) -> list[bytes]:
    """The first payloads of partition 0, as many as are asked for."""
    consumer = KafkaConsumer(
        **connection.client_options(),
        bootstrap_timeout_ms=WAIT_SECONDS * 1_000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    found: list[bytes] = []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        consumer.assign([TopicPartition(topic, 0)])
        while len(found) < count and time.monotonic() < deadline:
            found += [record.value for records in consumer.poll(200).values() for record in records]
    finally:
        consumer.close()
    return found
