"""Messages of Kafka as payloads: a message holds one event, or several as NDJSON, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.messages import cut, holds_several, lines_in, most_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafka.consumer.fetcher import ConsumerRecord


def lines_of(records: Sequence[ConsumerRecord]) -> tuple[list[int], list[bytes], int]:
    """The positions and payloads of consecutive messages, and how many of them had no content (tombstones).

    A line that is too long is cut behind one byte more than is allowed.
    """
    values = [record.value for record in records]
    empty = values.count(None)
    if not empty and not any(map(holds_several, values)):
        # As most are: one message, one event, and no line to look for.
        return [record.offset * LINES_A_MESSAGE for record in records], cut(values), 0
    positions: list[int] = []
    payloads: list[bytes] = []
    for record in records:
        value = record.value
        if value is None:
            continue
        lines = lines_in(value)
        first = record.offset * LINES_A_MESSAGE
        positions += range(first, first + len(lines))
        payloads += lines
    return positions, cut(payloads), empty


def count_of(value: bytes | None) -> int:
    """At most how many payloads a message holds."""
    return 0 if value is None else most_lines(value)


def wholes_of(records: Sequence[ConsumerRecord]) -> tuple[list[int], list[bytes], int]:
    """The same where a message is one payload, whatever is in it, and however long."""
    full = [record for record in records if record.value is not None]
    return [each.offset * LINES_A_MESSAGE for each in full], [each.value for each in full], len(records) - len(full)
