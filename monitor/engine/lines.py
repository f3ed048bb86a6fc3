"""One line to one JSON object, when it is looked at by itself: what is wrong with it, exactly."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from monitor import streams
from monitor.engine.refusal import RefusedError, shown
from monitor.streams import Reason

BOM: Final = b"\xef\xbb\xbf"


def sound_line(payload: bytes) -> bytes:
    """The line without a byte order mark; refuses what is too long, blank or no UTF-8."""
    if len(payload) > streams.MAX_LINE_BYTES:
        raise RefusedError(Reason.LINE_TOO_LONG, f"the line is longer than {streams.MAX_LINE_BYTES:,} bytes")
    line = payload.removeprefix(BOM)
    if not line.strip(b" \t\r\n"):
        raise RefusedError(Reason.BLANK_LINE, "the line is blank")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        at = error.start + len(payload) - len(line)
        raise RefusedError(Reason.NOT_UTF8, f"byte {at} is no UTF-8") from error
    return line


def parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a sound line; refuses what is none."""
    try:
        generic = msgspec.json.decode(line)
    except msgspec.ValidationError as error:
        raise RefusedError(Reason.OUT_OF_RANGE, "a number is too large") from error
    except msgspec.MsgspecError as error:
        raise RefusedError(Reason.NOT_JSON, str(error)) from error
    except RecursionError as error:
        raise RefusedError(Reason.NOT_JSON, "nested too deeply") from error
    if not isinstance(generic, dict):
        raise RefusedError(Reason.NOT_AN_OBJECT, f"a JSON object is wanted, not {shown(generic)}")
    return generic


def last_stream(payload: bytes) -> object:
    """What an object says last in `stream`, which may stand twice in it; None of what is no object."""
    try:
        return parse_object(sound_line(payload)).get("stream")
    except RefusedError:
        return None


AT_FIELD: Final = re.compile(r" - at `\$\.(?P<field>\w+)")
_TOO_LARGE: Final = re.compile(r"out of range - at `\$\.(?P<field>\w+)")


def refuse_too_large(error: Exception) -> None:
    """Refuses the payload if that is what msgspec complains of: a number of a field that no double can hold."""
    if found := _TOO_LARGE.search(str(error)):
        raise RefusedError(Reason.OUT_OF_RANGE, f"{found['field']} is too large a number") from error
