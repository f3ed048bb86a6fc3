"""How a mapping says what is wrong, to the person who wrote it and to the one who reads the refused events."""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN_CHARS: Final = 40


class NotMappedError(Exception):
    """No event can be made of what came; the message says why."""


class LeftOutError(Exception):
    """What came is not wanted; the message says by which rule."""


def shown(value: object) -> str:
    """A value for a sentence, in JSON's words; a container by its kind only, a long one cut short.

    >>> shown(None), shown(True), shown(Decimal("1.50")), shown("99-32"), shown([])
    ('null', 'true', '1.50', "'99-32'", 'an array')
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."


def near(name: str, known: Iterable[str]) -> str:
    """What may have been meant by a name that is not known, or what there is.

    >>> near("dealr", ["dealer", "repo"]), near("x", ["dealer", "repo"]), near("x", [])
    ('did you mean dealer?', 'there is dealer, repo', 'there is none')
    """
    names = sorted(known)
    close = get_close_matches(name, names)
    return f"did you mean {' or '.join(close)}?" if close else f"there is {', '.join(names) or 'none'}"
