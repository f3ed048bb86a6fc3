"""What a mapping says, as data: where the events of a message are, and how each of our fields is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from monitor.mapping.moments import US_A
from monitor.streams import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

Plain: TypeAlias = "bool | int | float | Decimal | str | list[str]"
"""A value that the settings give."""
Unknown: TypeAlias = Literal["refuse", "drop", "keep"]

FORMATS: Final[dict[str, tuple[Kind, ...]]] = {
    "32nds": (Kind.NUMBER,),
    **dict.fromkeys(US_A, (Kind.TIMESTAMP,)),
    "fix_timestamp": (Kind.TIMESTAMP,),
    "fix_date": (Kind.DATE,),
    "text": (Kind.TEXT, Kind.CHOICE),
}
"""How a vendor writes a value, and of which kinds of our fields that can be."""


class MappingError(ValueError):
    """A mapping cannot work; the message says which setting, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """How one of our fields is made, of exactly one of `paths` and `constant`.

    Attributes:
        paths: where it stands in theirs; the first at which something stands counts.
        constant: what it always is.
        scale: what their number is multiplied by.
        format: how they write it; a key of `FORMATS`.
        values: theirs to ours; what is found here is taken as it stands, without `format` and `scale`.
        unknown: what becomes of a value that is not among `values`; "drop" goes before what other fields say.
        empty: texts that mean nothing, as if the field were not there.
        default: what it is where theirs is not there.
    """

    paths: tuple[str, ...] = ()
    constant: Plain | None = None
    scale: Decimal | None = None
    format: str | None = None
    values: Mapping[str, Plain] | None = None
    unknown: Unknown = "refuse"
    empty: tuple[str, ...] = ()
    default: Plain | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRule:
    """What is not wanted.

    Attributes:
        path: what is looked at.
        among: it is dropped if that is one of these; a text stands for a number of these digits too.
        missing: it is dropped if nothing stands there.
    """

    path: str
    among: tuple[Plain, ...] = ()
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRule:
    """What chooses the stream of an event.

    Attributes:
        path: what is looked at.
        values: theirs to our streams.
        unknown: what becomes of an event of another.
    """

    path: str
    values: Mapping[str, str]
    unknown: Literal["refuse", "drop"] = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One mapping.

    Attributes:
        stream: of all events, or what chooses it.
        fields: by our field's name.
        events: where in a message its events are: an object, or an array of them; None: it is one itself.
        drop: what is not wanted.
        ignore: whole messages that are not wanted, as text, whatever blanks are around them.
    """

    stream: str | StreamRule
    fields: Mapping[str, FieldRule]
    events: str | None = None
    drop: tuple[DropRule, ...] = field(default=())
    ignore: tuple[str, ...] = field(default=())
