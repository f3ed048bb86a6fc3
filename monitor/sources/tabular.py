"""What every kind of table needs: columns named as the contract's fields, told apart before the first row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.sources.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.streams import Stream

_SHOWN_CHARS = 200


def wanted_columns(stream: Stream) -> str:
    """A sentence: which columns a table of that stream must have, and which it may have."""
    needed = [field.name for field in stream.fields if field.required]
    needed += [f"at least one of {', '.join(group)}" for group in stream.one_of]
    some = {name for group in stream.one_of for name in group}
    may = [field.name for field in stream.fields if not field.required and field.name not in some]
    return f"a table of {stream.name} needs the columns {', '.join(needed)}; it may have {', '.join(may)}"


def check_columns(path: str, header: Sequence[str], stream: Stream) -> None:
    """Hold a table's header against the contract.

    Args:
        path: for the message.
        header: the columns' names; those that the contract does not know are left out when reading.
        stream: the contract.

    Raises:
        SourceError: a field stands twice, or a required one, or all of a group, is not there.
    """
    known = [field.name for field in stream.fields]
    twice = sorted({name for name in header if name in known and header.count(name) > 1})
    if twice:
        raise InputError(path, f"the column {', '.join(twice)} stands there twice", "leave one out or rename it")
    missing = [field.name for field in stream.fields if field.required and field.name not in header]
    missing += [f"one of {', '.join(group)}" for group in stream.one_of if not set(group) & set(header)]
    if missing:
        there = ", ".join(header)
        if len(there) > _SHOWN_CHARS:
            there = there[:_SHOWN_CHARS] + " ..."
        wrong = f"there is no column {', '.join(missing)}, but {there or 'nothing'}"
        raise InputError(path, wrong, wanted_columns(stream))
