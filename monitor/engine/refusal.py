"""Refusing a payload: the reason, out of the closed list, and a sentence for the person who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from monitor.streams import Reason

_SHOWN_CHARS: Final = 40


class RefusedError(Exception):
    """Carries a reason and a sentence from where a payload was found wanting to where it is set aside."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def shown(value: object) -> str:
    """A value for a sentence: a container by its kind only, anything else as it is, cut short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return cut(repr(value)).removesuffix(".0")


def cut(text: str) -> str:
    """The text, cut short where it is long."""
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
