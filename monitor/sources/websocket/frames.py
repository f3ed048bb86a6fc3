"""Frames as payloads: a frame holds one event, several as NDJSON, or several as a JSON array of objects."""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.messages import cut, lines_in

_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])


def payloads_of(frame: bytes) -> list[bytes]:
    r"""The payloads of a frame, whole or cut as the decoder wants them; those of an array as they stand in it.

    An array that holds anything but objects is one payload: what its places mean, only a mapping knows, and without one
    the decoder refuses it. So is an array that cannot be read, and one of more than a million elements, for which there
    are no positions.

    >>> payloads_of(b'{"a":1}\n{"a":2}'), payloads_of(b' [{"a": 1}, {"a":[2]}]')
    ([b'{"a":1}', b'{"a":2}'], [b'{"a": 1}', b'{"a":[2]}'])
    >>> payloads_of(b'[42,{"a":1}]'), payloads_of(b"[[1],[2]]"), payloads_of(b"[{]")
    ([b'[42,{"a":1}]'], [b'[[1],[2]]'], [b'[{]'])
    """
    if frame.lstrip()[:1] != b"[":
        return cut(lines_in(frame))
    try:
        elements = _ARRAY.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return cut([frame])
    if len(elements) >= LINES_A_MESSAGE:
        return cut([frame])
    payloads = [bytes(each) for each in elements]
    return cut(payloads if all(each.startswith(b"{") for each in payloads) else [frame])
