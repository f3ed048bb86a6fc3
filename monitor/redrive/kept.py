"""A refused event as it was kept, by a line of a file or by a message of a topic."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from monitor.kafka.names import partition_name, topic_and_number
from monitor.sinks.base import MAPPED, SYNTHETIC
from monitor.sinks.rejects import REFUSED_AT
from monitor.streams import MAX_LINE_BYTES, STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

_POSITION: Final = re.compile(r"(.*):([0-9]+)(?:, line ([0-9]+))?", re.DOTALL)
_DIGEST_BYTES: Final = 12
_MICROSECONDS: Final = 1e6


class NotKeptError(ValueError):
    """A line or message is none of a refused event."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One refused event.

    Attributes:
        stream: the contract that it broke, or `unknown`.
        reason: out of the closed list.
        detail: what was wrong, in words.
        source: the name of the source.
        topic: where it is put back; None: nothing says it.
        place: the file, the connection, or the topic and number of its partition (`treasury.quotes/3`).
        offset: its position there.
        line: which line of a message, from 1; None where that was not told.
        raw: the bytes as they came.
        refused_us: when it was refused, epoch microseconds; None where that was not kept.
        is_synthetic: whether it is made up.
        is_mapped: whether it is a whole message as its vendor wrote it, which came by a mapping.
        kept_in: the rejects topic that has it; empty for a file.
    """

    stream: str
    reason: str
    detail: str
    source: str
    topic: str | None
    place: str
    offset: int
    line: int | None
    raw: bytes
    refused_us: int | None
    is_synthetic: bool = False
    is_mapped: bool = False
    kept_in: str = ""

    @property
    def partition(self) -> int | None:
        """The number of its partition; None if it did not come from Kafka."""
        found = topic_and_number(self.place)
        return found[1] if found else None

    @property
    def content(self) -> str:
        """A digest of the topic and the bytes: two events of one content cannot be told apart by what they say."""
        return hashlib.blake2b((self.topic or "").encode() + b"\0" + self.raw, digest_size=_DIGEST_BYTES).hexdigest()

    @property
    def identity(self) -> str:
        """What tells it from all others; the same if it was kept twice."""
        return f"{self.place}:{self.offset}:{self.line or 1}#{self.content}"

    @property
    def is_cut(self) -> bool:
        """Whether only its beginning was kept."""
        return len(self.raw) > MAX_LINE_BYTES


def content_of(identity: str) -> str:
    """The digest within an identity."""
    return identity.rpartition("#")[2]


def of_line(line: bytes) -> Kept:
    """A line of `rejects.jsonl`.

    Raises:
        NotKeptError: it is none.
    """
    try:
        told: dict[str, Any] = json.loads(line)
        raw = base64.b64decode(told["raw_base64"]) if "raw_base64" in told else told["raw"].encode()
        position = _POSITION.fullmatch(told["position"])
        if position is None:
            raise NotKeptError("its position has no offset")
        place, offset, number = position.groups()
        at = told.get(REFUSED_AT)
        return Kept(
            stream=told["stream"],
            reason=told["reason"],
            detail=told["detail"],
            source=told["source"],
            topic=_topic_of(told["stream"], place, is_mapped=bool(told.get(MAPPED))),
            place=place,
            offset=int(offset),
            line=int(number) if number else None,
            raw=raw,
            refused_us=None if at is None else int(datetime.fromisoformat(at).timestamp() * _MICROSECONDS),
            is_synthetic=bool(told.get(SYNTHETIC)),
            is_mapped=bool(told.get(MAPPED)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotKeptError(f"no line of a refused event: {error!r}") from error


def of_message(kept_in: str, headers: Sequence[tuple[str, bytes]], value: bytes | None, timestamp_ms: int) -> Kept:
    """A message of the rejects topic `kept_in`.

    Raises:
        NotKeptError: it is none.
    """
    try:
        told = {name: text.decode() for name, text in headers}
        topic, partition = told.get("topic"), told["partition"]
        is_mapped = MAPPED in told
        return Kept(
            stream=told["stream"],
            reason=told["reason"],
            detail=told["detail"],
            source=told["source"],
            # A vendor's bytes go where vendor's bytes are read, and nowhere else.
            topic=None if is_mapped and not partition.isdecimal() else topic,
            place=partition_name(topic, int(partition)) if topic and partition.isdecimal() else partition,
            offset=int(told["offset"]),
            line=int(told["line"]) if "line" in told else None,
            raw=value or b"",
            refused_us=timestamp_ms * 1_000,
            is_synthetic=SYNTHETIC in told,
            is_mapped=is_mapped,
            kept_in=kept_in,
        )
    except (ValueError, KeyError, AttributeError) as error:
        raise NotKeptError(f"no message of a refused event: {error!r}") from error


def _topic_of(stream: str, place: str, *, is_mapped: bool) -> str | None:
    came_by = topic_and_number(place)
    if came_by:
        return came_by[0]
    if is_mapped:  # a vendor's bytes go where a vendor's bytes are read, and nowhere else
        return None
    return STREAMS[stream].topic if stream in STREAMS else None
