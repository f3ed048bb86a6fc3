"""Reads what stands in the broker: the logs of the events, and what counts in the topic of bars."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition

from monitor.engine.block import Block, Claim, Fence, Standing, decode
from monitor.sources.base import LINES_A_MESSAGE
from tests.kafka.exactly_once.oracle import Counts, Expected, Log, place_of
from tests.kafka.exactly_once.processes import Difference
from tests.kafka.messages import WAIT_SECONDS, plain

_COUNT_COLUMN: Final = {"treasury": "quotes", "repo": "trades"}
_QUIET_SECONDS: Final = 30.0


class Reader:
    """Reads topics to their ends, each call from where the last one stopped.

    Args:
        bootstrap: host:port of the broker.
        topics: which.
    """

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        self._consumer = KafkaConsumer(
            **plain(bootstrap).client_options(),
            bootstrap_timeout_ms=WAIT_SECONDS * 1_000,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 << 20,
            group_id=None,
        )
        self._tps = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]
        self._consumer.assign(self._tps)
        self._consumer.seek_to_beginning()

    def new(self) -> list[Any]:
        """The records up to where the topics end now."""
        found: list[Any] = []
        ends = self._consumer.end_offsets(self._tps, int(WAIT_SECONDS * 1_000))
        gives_up_at = time.monotonic() + _QUIET_SECONDS
        while any(self._consumer.position(tp) < end for tp, end in ends.items()):
            some = [record for records in self._consumer.poll(200).values() for record in records]
            found += some
            if some:
                gives_up_at = time.monotonic() + _QUIET_SECONDS
            elif time.monotonic() > gives_up_at:
                raise Difference(f"the broker gives nothing more, and {ends} was not reached")
        return found

    def close(self) -> None:
        self._consumer.close(autocommit=False)


def logs_of(bootstrap: str, topics: Iterable[str]) -> dict[str, Log]:
    """By partition, its messages."""
    reader = Reader(bootstrap, topics)
    try:
        found: dict[str, Log] = {f"{tp.topic}/{tp.partition}": [] for tp in reader._tps}
        for record in reader.new():
            found[f"{record.topic}/{record.partition}"].append((record.offset, record.value))
        return found
    finally:
        reader.close()


class BarsRead:
    """What counts in the topic of bars so far.

    Attributes:
        counts: how many events are in the bars of each second.
        standings: by partition, how it stands.
        blocks: how many blocks count.
        fenced: how many do not.
        claims: how many claims there are.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._reader = Reader(bootstrap, [topic])
        self._fence = Fence()
        self.counts: Counts = Counter()
        self.standings: dict[str, Standing] = {}
        self.blocks = self.fenced = self.claims = 0

    def read_on(self) -> None:
        """Take in what was written since."""
        for record in self._reader.new():
            each = decode(record.value)
            counts = self._fence.counts(each)
            if isinstance(each, Claim):
                self.claims += 1
            elif counts:
                self.blocks += 1
                self.standings[each.partition] = each.standing
                self.counts += counts_of(each)
            else:
                self.fenced += 1

    def missing(self, expected: Expected) -> list[str]:
        """The partitions of which not everything was sealed yet."""
        waiting = []
        for partition, (offset, lines) in expected.ends.items():
            stands = self.standings.get(partition)
            if stands is None or stands.next_position < offset * LINES_A_MESSAGE + lines or stands.is_behind:
                waiting.append(f"{partition} stands so: {stands}")
        return waiting

    def close(self) -> None:
        self._reader.close()


def counts_of(block: Block) -> Counts:
    """How many events are in a block's bars."""
    found: Counts = Counter()
    for stream, bars in block.bars.items():
        for instrument, second, count in bars.select("instrument", "second", _COUNT_COLUMN[stream]).iter_rows():
            found[place_of(block.partition), instrument, second] += count
    return found


def compare_counts(where: str, expected: Counts, found: Counts) -> None:
    """Every event is counted once.

    Raises:
        Difference: one is not.
    """
    if expected == found:
        return
    lost, doubled = expected - found, found - expected
    raise Difference(
        f"{where}: {lost.total()} events are missing, {doubled.total()} count too often; "
        f"missing {sorted(lost.items())[:5]}, too often {sorted(doubled.items())[:5]}"
    )
