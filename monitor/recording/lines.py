"""One payload as a line of a recording: a JSON object that people can read."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.sources.base import RawBatch


class Line(msgspec.Struct, omit_defaults=True):
    """A payload, where it stood, and when it came; the fields are those of `RawBatch`, of one payload.

    Attributes:
        source: the name of the feed.
        kind: of the feed.
        partition: see `RawBatch`.
        position: see `RawBatch.offsets`.
        stream: see `RawBatch`.
        of_messages: see `RawBatch`.
        arrived_us: see `RawBatch`.
        raw: the payload, if it is UTF-8.
        raw_base64: the payload, if it is not.
    """

    source: str
    kind: str
    partition: str
    position: int
    stream: str | None = None
    of_messages: bool = False
    arrived_us: int | None = None
    raw: str | None = None
    raw_base64: str | None = None

    def __post_init__(self) -> None:
        """Refuse a line without sound bytes; ValueError."""
        if (self.raw is None) == (self.raw_base64 is None):
            raise ValueError("it must have either raw or raw_base64")
        if self.raw_base64 is not None:
            try:
                base64.b64decode(self.raw_base64, validate=True)
            except binascii.Error as error:
                raise ValueError(f"raw_base64: {error}") from error

    @property
    def payload(self) -> bytes:
        """The bytes that came."""
        return base64.b64decode(self.raw_base64 or "") if self.raw is None else self.raw.encode()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


def lines_of(batch: RawBatch, kind: str) -> list[bytes]:
    """The lines of a batch, one a payload, without their ends."""
    arrived: Sequence[int | None] = batch.arrived_us or [None] * len(batch)
    return [
        _encode(
            Line(batch.source, kind, batch.partition, position, batch.stream, batch.of_messages, at, *_texts(payload))
        )
        for position, payload, at in zip(batch.offsets, batch.payloads, arrived, strict=True)
    ]


def line_of(raw: bytes) -> Line:
    """A line read back; ValueError if it is none."""
    try:
        return _decode(raw)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def begins_with(source: str) -> bytes:
    """How the lines of a source begin, so that those of others can be passed over unread."""
    return b'{"source":' + _encode(source) + b","


def _texts(payload: bytes) -> tuple[str | None, str | None]:
    try:
        return payload.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(payload).decode()
