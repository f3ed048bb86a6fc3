"""Frames as payloads: a frame holds one event, several as NDJSON, or several as a JSON array."""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.messages import cut, lines_in

_OBJECT: Final = b"{"
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


def payloads_of(frame: bytes) -> list[bytes]:
    r"""The payloads of a frame, whole or cut as the decoder wants them; those of an array as they stand in it.

    An array that cannot be read, or of something else than objects, is one payload, which a mapping may take apart, and
    the decoder refuses; so is one of more than a million elements, for which there are no positions.

    >>> payloads_of(b'{"a":1}\n{"a":2}'), payloads_of(b' [{"a": 1}, {"a":[2]}]'), payloads_of(b"[{]")
    ([b'{"a":1}', b'{"a":2}'], [b'{"a": 1}', b'{"a":[2]}'], [b'[{]'])
    >>> payloads_of(b'[42,"quote",{"a":1}]')
    [b'[42,"quote",{"a":1}]']
    """
    if frame.lstrip()[:1] != b"[":
        return cut(lines_in(frame))
    try:
        elements = _ARRAY.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return cut([frame])
    events = [bytes(each) for each in elements]
    if len(events) >= LINES_A_MESSAGE or not all(each[:1] == _OBJECT for each in events):
        return cut([frame])
    return cut(events)
