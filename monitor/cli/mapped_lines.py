"""What a mapping makes of the lines of a sample, and what the decoder then understands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from monitor.engine.decode import Decoder
from monitor.mapping import Dropped, Mapper, NotMapped
from monitor.sources.base import RawBatch
from monitor.streams import STREAMS, Field, Kind

EVENT, DROPPED, REFUSED, NOTHING = "event", "dropped", "refused", "nothing"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LineOutcome:
    """What became of an event of a line, or of the whole line.

    Attributes:
        line: its number, from 1.
        outcome: `event`, `dropped`, `refused`, or `nothing` of a line that holds no event.
        stream: of the event, or of what was refused; empty if nothing says it.
        fields: of an event, by name: the value as the decoder understood it, and its unit, if it has one.
        why: by which rule it was dropped, or a sentence on why it was refused.
        reason: of what was refused, out of the closed list.
    """

    line: int
    outcome: str
    stream: str = ""
    fields: dict[str, tuple[Any, str]] = field(default_factory=dict)
    why: str = ""
    reason: str = ""


def outcomes(
    lines: Sequence[tuple[int, bytes]], mapper: Mapper, payloads_of: Callable[[bytes], Sequence[bytes]]
) -> Iterator[LineOutcome]:
    """What becomes of numbered lines, in their order.

    Args:
        lines: a message each.
        mapper: makes events of them.
        payloads_of: how the source takes a message apart.
    """
    numbers: list[int] = []
    said: list[LineOutcome | None] = []
    payloads: list[bytes] = []
    refused: dict[int, str] = {}
    for number, line in lines:
        before = len(said)
        for payload in payloads_of(line):
            for outcome in mapper.outcomes(payload):
                numbers.append(number)
                if isinstance(outcome, NotMapped):
                    refused[len(payloads)] = outcome.why
                said.append(LineOutcome(number, DROPPED, why=outcome.rule) if isinstance(outcome, Dropped) else None)
                payloads.append(outcome if isinstance(outcome, bytes) else payload)
        if len(said) == before:
            numbers.append(number)
            said.append(LineOutcome(number, NOTHING))
            payloads.append(b"")
    wanted = [at for at, each in enumerate(said) if each is None]
    places = {at: place for place, at in enumerate(wanted)}
    batch = RawBatch(
        "map-check", mapper.stream, "sample", wanted, [payloads[at] for at in wanted],
        refused={places[at]: why for at, why in refused.items()},
    )  # fmt: skip
    for decoded in Decoder().decode(batch):
        for reject in decoded.rejects:
            at = reject.offset
            stream = reject.stream if reject.stream in STREAMS else ""
            said[at] = LineOutcome(numbers[at], REFUSED, stream, why=reject.detail, reason=reject.reason)
        for row in decoded.events.iter_rows(named=True):
            at = row["offset"]
            said[at] = LineOutcome(numbers[at], EVENT, decoded.stream, _understood(decoded.stream, row))
    return (each for each in said if each is not None)


def _understood(stream: str, row: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    return {
        each.name: (_plain(each, row[each.column]), "" if each.unit.startswith("see") else each.unit)
        for each in STREAMS[stream].fields
        if row[each.column] is not None
    }


def _plain(of: Field, value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """A value of a column as a person writes it: no scaled integers, no microseconds."""
    if of.kind is Kind.TIMESTAMP:
        text = (_EPOCH + timedelta(microseconds=value)).isoformat(timespec="microseconds")
        return text.removesuffix("+00:00") + "Z"
    if of.kind is Kind.NUMBER:
        text = f"{Decimal(value) / of.scale:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value.isoformat() if of.kind is Kind.DATE else value
