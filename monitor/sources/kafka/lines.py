"""Messages of Kafka as payloads: a message holds one event, or several as NDJSON, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.sources.base import LINES_A_MESSAGE
from monitor.streams import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafka.consumer.fetcher import ConsumerRecord

_END: Final = b"\n"


def lines_of(records: Sequence[ConsumerRecord]) -> tuple[list[int], list[bytes], int]:
    """The positions and payloads of consecutive messages, and how many of them had no content (tombstones).

    The end of the last line makes none. A line that is too long is cut behind one byte more than is allowed; lines
    beyond the millionth of a message, which are blank but for the last if a message is bounded, make one.
    """
    values = [record.value for record in records]
    empty = values.count(None)
    if not empty and not any(map(_holds_several, values)):
        # As most are: one message, one event, and no line to look for.
        return [record.offset * LINES_A_MESSAGE for record in records], _cut(values), 0
    positions: list[int] = []
    payloads: list[bytes] = []
    for record in records:
        value = record.value
        if value is None:
            continue
        lines = value.split(_END, LINES_A_MESSAGE - 1)
        if len(lines) > 1 and not lines[-1]:
            lines.pop()
        first = record.offset * LINES_A_MESSAGE
        positions += range(first, first + len(lines))
        payloads += lines
    return positions, _cut(payloads), empty


def count_of(value: bytes | None) -> int:
    """At most how many payloads a message holds."""
    return 0 if value is None else value.count(_END) + 1


def wholes_of(records: Sequence[ConsumerRecord]) -> tuple[list[int], list[bytes], int]:
    """The same where a message is one payload, whatever is in it, and however long."""
    full = [record for record in records if record.value is not None]
    return [each.offset * LINES_A_MESSAGE for each in full], [each.value for each in full], len(records) - len(full)


def _holds_several(value: bytes) -> bool:
    return _END in value


def _cut(payloads: list[bytes]) -> list[bytes]:
    if max(map(len, payloads), default=0) <= MAX_LINE_BYTES:
        return payloads
    return [payload[: MAX_LINE_BYTES + 1] for payload in payloads]
