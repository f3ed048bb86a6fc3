"""What must come out, worked out from the logs as they stand in the broker, in plain Python and without the monitor."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tests.kafka.exactly_once.story import SECOND, TRADES

LATENESS_US: Final = 2 * SECOND

Log = list[tuple[int, bytes]]
"""The offset and the bytes of every message of a partition."""
Counts = Counter[tuple[str, str, int]]
"""By partition (of trades by topic only, as their bars do not say it), instrument and second: how many events."""


@dataclass
class Expected:
    """What the logs say.

    Attributes:
        counts: of the seconds that are sealed at the end.
        events: how many events there are, each where it stands.
        late: how many of them came after their second was sealed.
        doubles: how many repeat a producer's id.
        rejects: how many are no events.
        ends: by partition, the first position behind its last event.
        sealed_before: by partition, the first second that is still open.
    """

    counts: Counts = field(default_factory=Counter)
    events: int = 0
    late: int = 0
    doubles: int = 0
    rejects: int = 0
    ends: dict[str, tuple[int, int]] = field(default_factory=dict)
    sealed_before: dict[str, int] = field(default_factory=dict)


def expected_of(logs: dict[str, Log]) -> Expected:
    """By the rules of docs/delivery.md, record by record."""
    found = Expected()
    for partition, log in logs.items():
        _read(partition, log, found)
    return found


def place_of(partition: str) -> str:
    """How a partition stands in the counts."""
    topic = partition.rpartition("/")[0]
    return topic if topic == TRADES else partition


def _read(partition: str, log: Log, found: Expected) -> None:
    watermark_us: int | None = None
    ids: set[str] = set()
    counted: Counts = Counter()
    for offset, value in log:
        for line, raw in enumerate(value.split(b"\n")):
            found.events += 1
            found.ends[partition] = offset, line + 1
            event = _event(raw)
            if event is None:
                found.rejects += 1
                continue
            ts, second = event["ts"], event["ts"] // SECOND
            is_late = watermark_us is not None and (second + 1) * SECOND <= watermark_us
            watermark_us = max(ts - LATENESS_US, ts - LATENESS_US if watermark_us is None else watermark_us)
            if is_late:
                found.late += 1
            elif event.get("id") in ids:
                found.doubles += 1
            else:
                ids |= {event["id"]} if "id" in event else set()
                counted[place_of(partition), event["instrument"], second] += 1
    found.sealed_before[partition] = -1 if watermark_us is None else watermark_us // SECOND
    for key, count in counted.items():
        if key[2] < found.sealed_before[partition]:
            found.counts[key] += count


def _event(raw: bytes) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(raw)
    except ValueError:
        return None
    return found
