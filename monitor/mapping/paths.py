"""Where in a message a value stands: names of objects, and places in arrays, with dots between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.mapping.words import NotMappedError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WHOLE: Final = "$"
"""Begins a path that is looked up in the whole message, and not in the element that becomes an event."""


def is_of_message(path: str) -> bool:
    """Whether a path is looked up in the whole message."""
    return path == WHOLE or path.startswith(f"{WHOLE}.")


def keys_of(path: str) -> tuple[str, ...]:
    """The names and places of a path; ValueError if it is none.

    >>> keys_of("quotes.0.bid"), keys_of("$.head.time"), keys_of("$")
    (('quotes', '0', 'bid'), ('head', 'time'), ())
    """
    if path == WHOLE:
        return ()
    keys = tuple((path.removeprefix(f"{WHOLE}.") if is_of_message(path) else path).split("."))
    if not all(keys):
        raise ValueError(f"{path!r} is no path: names with single dots between them, such as quote.bid or quotes.0.bid")
    return keys


def is_place(key: str) -> bool:
    """Whether a key of a path may be a place in an array.

    >>> is_place("0"), is_place("bid")
    (True, False)
    """
    return key.isascii() and key.isdigit()


def find(node: object, keys: Sequence[str]) -> object:
    """What stands there; None if nothing does.

    Raises:
        NotMappedError: something on the way is neither an object nor an array.
    """
    for at, key in enumerate(keys):
        if type(node) is dict:
            node = node.get(key)
        elif type(node) is list:
            if not is_place(key):
                raise NotMappedError(f"{_upto(keys, at)} is an array: {key} is no place in it, as 0 is")
            node = node[int(key)] if int(key) < len(node) else None
        elif node is None:
            return None
        else:
            raise NotMappedError(f"{_upto(keys, at)} is {shown(node)}, and has no {key}")
    return node


def finder(path: str) -> Callable[[object, object], object]:
    """Finds what stands at a path, given the element and the whole message."""
    keys = keys_of(path)
    if is_of_message(path):
        return lambda _, message: find(message, keys)
    if len(keys) > 1:
        return lambda element, _: find(element, keys)
    key = keys[0]
    # Most paths are one name, and a method call is dear here.
    return lambda element, _: element.get(key) if type(element) is dict else find(element, keys)


def _upto(keys: Sequence[str], at: int) -> str:
    return ".".join(keys[:at]) or "the element"
