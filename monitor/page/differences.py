"""What changes from one state of the page to the next. A state is flat: a key, and the JSON that stands there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    State = Mapping[str, Any]


def difference(before: State, after: State) -> dict[str, Any]:
    """What makes `after` of `before`: `set`, what stands there now, and `gone`, the keys that do not; empty if nothing.

    >>> difference({"a": 1, "b": 2}, {"a": 1, "c": 3})
    {'set': {'c': 3}, 'gone': ['b']}
    >>> difference({"a": 1}, {"a": 1})
    {}
    """
    changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
    gone = [key for key in before if key not in after]
    return ({"set": changed} if changed else {}) | ({"gone": gone} if gone else {})


def applied(state: State, change: Mapping[str, Any]) -> dict[str, Any]:
    """A state after a difference, as the page in the browser makes it.

    >>> applied({"a": 1, "b": 2}, {"set": {"c": 3}, "gone": ["b"]})
    {'a': 1, 'c': 3}
    """
    gone = set(change.get("gone", ()))
    return {**{key: value for key, value in state.items() if key not in gone}, **change.get("set", {})}
