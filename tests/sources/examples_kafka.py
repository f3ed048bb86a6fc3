"""Topics of a real broker; each is made and filled once a process, by the first test that reads it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.kafka import KafkaSource
from tests.kafka.broker import create_topic, need_broker, shared_broker
from tests.kafka.reading import fill, source_of

Messages = Sequence[bytes | None]

PLAIN = [b'{"ts":1700000000000000}', b"", b"not JSON", b"\xff\xfe no UTF-8", b"x" * 150, b'{"the last":1}\r'] * 3
SEVERAL = {
    # As many messages in each: a position beyond the end of its partition is refused.
    0: [b"a%d" % n for n in range(9)],
    1: [b"b%d" % n for n in range(9)],
    2: [b"c%d" % n for n in range(9)],
}
LINES = [b"1\n2\n3", b"4\n", b"\n", b"5\n\n6\n", b"7", b"8\r\n9", b"\n".join(b"%d" % n for n in range(40))]
TOMBSTONES = [b"1", None, None, b"2\n3", None, b"4"]


@functools.cache
def _topic(label: str) -> str:
    """Make the topic of an example, and fill it."""
    topic, messages = f"example-{label}-{uuid4().hex}", MESSAGES[label]
    bootstrap = shared_broker().bootstrap
    create_topic(bootstrap, topic, max(messages, default=0) + 1)
    fill(bootstrap, topic, messages)
    return topic


def _maker(label: str) -> Callable[[Path], KafkaSource]:
    def make(_: Path) -> KafkaSource:
        need_broker()
        return source_of(shared_broker().bootstrap, _topic(label), stream="repo")

    return make


@contextmanager
def _silent() -> Iterator[KafkaSource]:
    need_broker()
    yield source_of(shared_broker().bootstrap, _topic("empty"))


def _missing(_: Path) -> KafkaSource:
    return source_of("127.0.0.1:1", "any")  # nothing listens there


def _payloads(messages: Messages) -> list[tuple[int, bytes]]:
    expected = []
    for offset, message in enumerate(messages):
        lines = [] if message is None else message.removesuffix(b"\n").split(b"\n")
        expected += [(offset * LINES_A_MESSAGE + line, payload) for line, payload in enumerate(lines)]
    return expected


MESSAGES: Mapping[str, Mapping[int, Messages]] = {
    "one-partition": {0: PLAIN},
    "several-partitions": SEVERAL,
    "lines-and-tombstones": {0: [*LINES, *TOMBSTONES]},
    "empty": {},
}


def register(add: Any) -> None:
    for label, messages in MESSAGES.items():
        add(
            KafkaSource,
            label,
            make=_maker(label),
            expected=[_payloads(some) for some in messages.values()],
            ends=False,
            missing=_missing if label == "empty" else None,
            silent=_silent if label == "empty" else None,
        )
