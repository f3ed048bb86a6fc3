"""Known events of a seed: quotes that stress runs through, and repo trades, in four partitions and in two more.

Some come in disorder, some too late, some malformed, some trades twice, some of them several in a message. All of it is
in the order of event time but for that, and there are no prints: what is told then depends on the logs alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000
QUOTES, TRADES = "treasury.quotes", "repo.rates"
PARTITIONS: Final = {QUOTES: 4, TRADES: 2}
START_US: Final = int(datetime(2025, 5, 12, 10, 0, tzinfo=ZoneInfo("America/New_York")).timestamp()) * SECOND
"""In a session, and long gone, so that nothing is ahead of its arrival."""

_ISSUES: Final = (
    (("UST-10Y", 10, True), ("912AAA001", 10, False)),
    (("UST-2Y", 2, True), ("912BBB001", 2, False)),
    (("UST-5Y", 5, True),),
    (("UST-30Y", 30, True), ("912DDD001", 30, False)),
)
"""By partition: instrument, tenor, on the run."""
_EVERY_US: Final = {QUOTES: 150_000, TRADES: 900_000}
_PRELUDE_US: Final = 5 * SECOND
_CLOSING_US: Final = 10 * SECOND
"""So far behind all others comes the last event of every partition, which seals them."""

Key = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes:
        at_us: how far into the story.
        topic: where.
        number: of the partition.
        value: its bytes: one event, or several as NDJSON.
    """

    at_us: int
    topic: str
    number: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """What is sent before any process is up, in the course of the round, and last of all."""

    prelude: list[Message]
    course: list[Message]
    closing: list[Message]


def story(seed: int, minutes: int) -> Story:
    """All messages of a seed, in the order in which they are sent."""
    end_us = minutes * 60 * SECOND
    messages: list[Message] = []
    closing: list[Message] = []
    for topic, count in PARTITIONS.items():
        for number in range(count):
            random = Random(f"{seed}:{topic}:{number}")
            events = list(_events(topic, number, end_us, random))
            messages += _as_messages(topic, number, events, random)
            last_us = end_us + _CLOSING_US
            closing.append(Message(last_us, topic, number, _event(topic, number, last_us, 0, random)))
    messages.sort(key=lambda each: each.at_us)
    first = next(i for i, each in enumerate(messages) if each.at_us >= _PRELUDE_US)
    return Story(messages[:first], messages[first:], closing)


def _events(topic: str, number: int, end_us: int, random: Random) -> list[tuple[int, bytes]]:
    """When each is sent, and its bytes."""
    found: list[tuple[int, bytes]] = []
    for ordinal, at_us in enumerate(range(0, end_us, _EVERY_US[topic])):
        luck = random.random()
        back_us = 0
        if at_us >= 2 * _PRELUDE_US:  # nothing is late at the beginning: the first tick is that of the first quote
            if luck < 0.02:
                back_us = random.randrange(3 * SECOND, 7 * SECOND)
            elif luck < 0.2:
                back_us = random.randrange(1_950_000)
        raw = _event(topic, number, at_us - back_us, ordinal, random)
        if random.random() < 0.01:
            raw = raw[: random.randrange(1, len(raw) - 1)]
        found.append((at_us, raw))
        if topic == TRADES and random.random() < 0.15:  # sent twice
            found.append((at_us, raw))
            if random.random() < 0.3 and len(found) > 40:  # one that was sent long ago, too
                found.append((at_us, found[-random.randrange(4, 40)][1]))
    return found


def _as_messages(topic: str, number: int, events: list[tuple[int, bytes]], random: Random) -> list[Message]:
    messages: list[Message] = []
    i = 0
    while i < len(events):
        several = random.randrange(2, 5) if random.random() < 0.1 else 1
        some = events[i : i + several]
        messages.append(Message(some[-1][0], topic, number, b"\n".join(raw for _, raw in some)))
        i += several
    return messages


def _event(topic: str, number: int, at_us: int, ordinal: int, random: Random) -> bytes:
    ts = START_US + at_us + random.randrange(1_000) * 100
    is_stressed = 120 * SECOND <= at_us < 480 * SECOND
    if topic == QUOTES:
        instrument, tenor, on_the_run = random.choice(_ISSUES[number])
        bid = 99 + random.randrange(64) / 256
        ask = bid + (1 + random.randrange(3)) * (14 if is_stressed else 1) / 256
        # What is left out is what the series said before: an owner must know it of owners before it.
        said = f'"tenor_years":{tenor},"on_the_run":{str(on_the_run).lower()},' if random.random() < 0.5 else ""
        sides = f'"bid":{bid},"bid_size":{9 + random.randrange(60)}' + (
            "" if random.random() < 0.05 else f',"ask":{ask},"ask_size":{9 + random.randrange(60)}'
        )
        return f'{{"ts":{ts},"instrument":"{instrument}",{said}{sides}}}'.encode()
    rate = 4.3 + (0.35 if is_stressed else 0.0) + random.randrange(40) / 200
    ident = f',"id":"R-{number}-{ordinal}"' if random.random() < 0.9 else ""
    where = random.choice(("GC-ON", "GCF", "TRIPARTY"))
    volume = 1 + random.randrange(4_000) / 1_000
    return f'{{"ts":{ts},"instrument":"{where}","rate":{rate:.3f},"volume":{volume:.3f}{ident}}}'.encode()
