"""What one message of a protocol holds: one event, or several as NDJSON, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.sources.base import LINES_A_MESSAGE
from monitor.streams import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

_END: Final = b"\n"


def lines_in(message: bytes) -> list[bytes]:
    r"""The lines of a message, of which each has a position of its own.

    The end of the last line makes none. Lines beyond the millionth, which are blank but for the last if a message is
    bounded, make one.

    >>> lines_in(b"1\n\n2\n"), lines_in(b"")
    ([b'1', b'', b'2'], [b''])
    """
    lines = message.split(_END, LINES_A_MESSAGE - 1)
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def holds_several(message: bytes) -> bool:
    """Whether there is more than one line, or the end of one."""
    return _END in message


def most_lines(message: bytes) -> int:
    """At most how many lines there are, without looking for them."""
    return message.count(_END) + 1


def cut(payloads: Sequence[bytes]) -> list[bytes]:
    """The same payloads; what is too long for a line is cut behind one byte more than is allowed."""
    if max(map(len, payloads), default=0) <= MAX_LINE_BYTES:
        return list(payloads)
    return [payload[: MAX_LINE_BYTES + 1] for payload in payloads]
