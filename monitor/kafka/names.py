"""Names that several places share: of topics, of their partitions, and of where refused events go."""

from __future__ import annotations

import re
from typing import Final

MOST_TOPIC_CHARS: Final = 249
"""Kafka takes no longer name of a topic."""
REJECTS_SUFFIX: Final = ".rejects"
"""Behind a topic's name: where those of its events go that were refused. No pattern of a source finds such a topic."""

_TOPIC: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{MOST_TOPIC_CHARS}}}")
_PARTITION: Final = re.compile(rf"({_TOPIC.pattern})/([0-9]{{1,10}})")


def is_topic(name: str) -> bool:
    """Whether a topic can be called so.

    >>> is_topic("desk-a.quotes"), is_topic("desk a"), is_topic("a" * 250)
    (True, False, False)
    """
    return _TOPIC.fullmatch(name) is not None


def partition_name(topic: str, number: int) -> str:
    """A partition's name everywhere but in Kafka.

    >>> partition_name("treasury.quotes", 3)
    'treasury.quotes/3'
    """
    return f"{topic}/{number}"


def topic_and_number(partition: str) -> tuple[str, int] | None:
    """The topic and the number of a partition; None if it is none of Kafka's.

    >>> topic_and_number("treasury.quotes/3"), topic_and_number("in/repo.ndjson")
    (('treasury.quotes', 3), None)
    """
    found = _PARTITION.fullmatch(partition)
    return (found[1], int(found[2])) if found else None


def topic_of(partition: str) -> str:
    """The topic of a partition of Kafka; of another its own name.

    >>> topic_of("treasury.quotes/3"), topic_of("in/repo.ndjson")
    ('treasury.quotes', 'in/repo.ndjson')
    """
    found = topic_and_number(partition)
    return found[0] if found else partition
