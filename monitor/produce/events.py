"""What of an event has to be known to publish it: its key, and whether it is a print.

Nothing is judged: an event that breaks its contract is published as it stands, for its reader to refuse.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from monitor.streams import CDS, NEWISSUE, REFERENCE, REPO, REPO_BENCHMARK, STREAMS, TREASURY

BOM: Final = b"\xef\xbb\xbf"
SEQUENCE: Final = "seq"
"""Where an event of a feed that we serve has its number."""
NUMBERED: Final = b'{"stream":'
"""So an object begins that was given its stream, and its number."""
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on bytes that are no object."""

PRINT_STREAMS: Final = frozenset({NEWISSUE.name, REFERENCE.name})
"""Every event of these is a print."""

_LOOKED_AT: Final = {TREASURY.name: ("close",), REPO.name: ("kind",), CDS.name: ("mid", "bid", "ask")}


class Event(NamedTuple):
    """One event: its stream and its bytes."""

    stream: str
    payload: bytes


def _decoder(stream: str) -> Any:  # noqa: ANN401 - a function of bytes to a struct that is made here
    fields = [("key", Any, msgspec.field(name=STREAMS[stream].message_key, default=None))]
    fields += [(f"of_{name}", Any, msgspec.field(name=name, default=None)) for name in _LOOKED_AT.get(stream, ())]
    return msgspec.json.Decoder(msgspec.defstruct(f"Of{stream.title()}", fields, gc=False)).decode


_DECODERS: Final = {stream: _decoder(stream) for stream in STREAMS}


def key_and_print(event: Event) -> tuple[bytes | None, bool]:
    """The key of an event's message, None if it says no text for it; and whether it is a print.

    A print is what stands until the next one of its kind: a benchmark, an end-of-day mark, a published value, the
    status of a deal. The monitor takes it into account at the first tick that has not run, so it must not come after
    quotes that are later.
    """
    try:
        read = _DECODERS[event.stream](event.payload.removeprefix(BOM))
    except UNREADABLE:
        return None, False
    key = read.key.encode() if isinstance(read.key, str) else None
    return key, _is_print(event.stream, read)


def _is_print(stream: str, read: Any) -> bool:  # noqa: ANN401
    if stream == TREASURY.name:
        return read.of_close is not None
    if stream == REPO.name:
        return bool(read.of_kind == REPO_BENCHMARK)
    if stream == CDS.name:
        return read.of_mid is not None and read.of_bid is None and read.of_ask is None
    return True


def one_line(payload: bytes) -> bytes:
    """The bytes on one line: of a JSON object a line break can only be white space between its parts."""
    return payload.replace(b"\n", b" ") if b"\n" in payload else payload


def with_stream(event: Event) -> bytes:
    """The object with its stream in it, on one line; what is no object stays as it is."""
    return _with_members(event, {"stream": msgspec.json.encode(event.stream)})


def with_number(event: Event, number: int) -> bytes:
    """The object with its stream, and with its number in the feed as `seq`; what is no object stays as it is."""
    return _with_members(event, {"stream": msgspec.json.encode(event.stream), SEQUENCE: b"%d" % number})


def _with_members(event: Event, members: dict[str, bytes]) -> bytes:
    text = event.payload.removeprefix(BOM).lstrip()
    if not text.startswith(b"{"):
        return one_line(event.payload)
    if b"\\u" not in text and not any(b'"%s"' % name.encode() in text for name in members):
        rest = text[1:].lstrip()
        named = b",".join(b'"%s":%s' % (name.encode(), value) for name, value in members.items())
        return one_line(b"{%s%s%s" % (named, b"" if rest[:1] == b"}" else b",", rest))
    try:
        parts = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return one_line(event.payload)
    others = {name: value for name, value in parts.items() if name not in members}
    return one_line(msgspec.json.encode({name: msgspec.Raw(value) for name, value in members.items()} | others))
