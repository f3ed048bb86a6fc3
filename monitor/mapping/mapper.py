"""Messages of a vendor to our events, by one mapping."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, ParamSpec, TypeAlias, TypeVar

import msgspec

from monitor.mapping.fields import exact, reader, word_of
from monitor.mapping.paths import find, finder, is_of_message, is_place, keys_of
from monitor.mapping.shape import DropRule, MappingError, Shape, StreamRule
from monitor.mapping.words import LeftOutError, NotMappedError, near, shown
from monitor.streams import MAX_LINE_BYTES, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitor.mapping.fields import Reader

_P = ParamSpec("_P")
_T = TypeVar("_T")
_BOM: Final = b"\xef\xbb\xbf"
_NOT_EXACT: Final = "it has a number that cannot be reckoned with exactly"
"""No number is known that comes so far; but one that does must not end the feed."""
_UNREAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)


@dataclass(frozen=True, slots=True)
class NotMapped:
    """Of something no event could be made.

    Attributes:
        why: a sentence.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something is not wanted.

    Attributes:
        rule: which says so.
    """

    rule: str


Outcome: TypeAlias = bytes | NotMapped | Dropped
"""An event as JSON, or why there is none."""


class Mapper:
    """Makes events of messages; it holds no state between them, and may be used by several threads.

    Args:
        shape: of the mapping.

    Attributes:
        stream: of all events; None: each says its own in `stream`.

    Raises:
        MappingError: the mapping cannot work; the message begins with the setting.
    """

    def __init__(self, shape: Shape) -> None:
        chosen = shape.stream
        self.stream = chosen if isinstance(chosen, str) else None
        self._ignored = {text.strip().encode(): Dropped(f"ignore: {shown(text.strip())}") for text in shape.ignore}
        self._events = None if shape.events is None else _of_setting("events", keys_of, shape.events)
        rules = [(rule, _drop_test(f"drop {at}", rule)) for at, rule in enumerate(shape.drop, start=1)]
        self._drop_messages = [test for rule, test in rules if self._events is None or is_of_message(rule.path)]
        self._drop_elements = [
            test for rule, test in rules if self._events is not None and not is_of_message(rule.path)
        ]
        self._choose = None if isinstance(chosen, str) else _chooser(chosen)
        among = [chosen] if isinstance(chosen, str) else sorted(set(chosen.values.values()))
        _check_fields(shape, among)
        self._fields = {name: _fields(shape, name) for name in among}
        self._constants = {
            name: _constants(shape, name) | ({"stream": name} if self.stream is None else {}) for name in among
        }
        self._decode = msgspec.json.Decoder(float_hook=Decimal).decode
        self._encode = msgspec.json.Encoder(decimal_format="string").encode

    def outcomes(self, payload: bytes) -> list[Outcome]:
        """What becomes of a payload: an entry an event that it holds, in their order."""
        if len(payload) > MAX_LINE_BYTES:
            return [NotMapped(f"the line is longer than {MAX_LINE_BYTES:,} bytes")]
        text = payload.removeprefix(_BOM)
        if self._ignored and (ignored := self._ignored.get(text.strip())):
            return [ignored]
        try:
            message = self._decode(text)
        except ArithmeticError:
            return [NotMapped("it has a number of too large an exponent")]
        except _UNREAD as error:
            return [NotMapped(f"it is no JSON: {error}")]
        return self.of_message(message)

    def of_message(self, message: object) -> list[Outcome]:
        """The same of JSON that was read, its fractions as Decimal."""
        try:
            if self._events is None:
                _check_is_one(message)
            for drops in self._drop_messages:
                drops(message, message)
            elements = self._elements(message)
        except NotMappedError as error:
            return [NotMapped(str(error))]
        except LeftOutError as error:
            return [Dropped(str(error))]
        except ArithmeticError:
            return [NotMapped(_NOT_EXACT)]
        return [self._outcome(element, message) for element in elements]

    def _elements(self, message: object) -> Sequence[object]:
        """What each becomes an event."""
        if self._events is None:
            return (message,)
        found = find(message, self._events)
        if type(found) is list:
            return found
        if type(found) is dict:
            return (found,)
        where = ".".join(self._events) or "the message"
        what = "is not there" if found is None else f"is {shown(found)}, and no object or array"
        raise NotMappedError(f"events: {where} {what}")

    def _outcome(self, element: object, message: object) -> Outcome:
        if type(element) is not dict and type(element) is not list:
            return NotMapped(f"an event is an object or an array, not {shown(element)}")
        try:
            for drops in self._drop_elements:
                drops(element, message)
            stream = self.stream if self._choose is None else self._choose(element, message)
            event = self._constants[stream].copy()  # type: ignore[index] # a stream is there one way or the other
            for name, read in self._fields[stream]:  # type: ignore[index]
                value = read(element, message)
                if value is not None:
                    event[name] = value
            return self._encode(event)
        except NotMappedError as error:
            return NotMapped(str(error))
        except LeftOutError as error:
            return Dropped(str(error))
        except (OverflowError, msgspec.MsgspecError, RecursionError) as error:
            return NotMapped(f"it cannot be written as JSON: {error}")
        except ArithmeticError:
            return NotMapped(_NOT_EXACT)


def _check_is_one(message: object) -> None:
    """Refuse a message that is not itself an event."""
    if type(message) is not dict and type(message) is not list:
        raise NotMappedError(f"a JSON object or array is wanted, not {shown(message)}")
    # Over WebSocket each of them came by itself, so nothing else can be meant by them elsewhere.
    if type(message) is list and all(type(each) is dict for each in message):
        raise NotMappedError('an array of objects is no event: events = "$" makes one of each of them')


def _check_fields(shape: Shape, among: Sequence[str]) -> None:
    """Refuse streams that there are not, fields of none of them, and streams of which something is always missing."""
    for name in among:
        if name not in STREAMS:
            raise MappingError(f"stream {name!r} is none: {near(name, STREAMS)}")
    known = {field.name for name in among for field in STREAMS[name].fields}
    for ours in shape.fields:
        if ours not in known:
            raise MappingError(f"fields.{ours}: {' and '.join(among)} have no such field: {near(ours, known)}")
    for name in among:
        stream = STREAMS[name]
        for field in stream.fields:
            if field.required and field.name not in shape.fields:
                raise MappingError(f"fields: every event of {name} has {field.name}, so it must be made")
        for group in stream.one_of:
            if not any(each in shape.fields for each in group):
                raise MappingError(f"fields: an event of {name} has {' or '.join(group)}, so one must be made")


def _fields(shape: Shape, stream: str) -> list[tuple[str, Reader]]:
    """What makes the fields of a stream, but for those that are always the same; first those that drop an event."""
    made = [(field, shape.fields[field.name]) for field in STREAMS[stream].fields if field.name in shape.fields]
    readers = [(field.name, _of_setting(f"fields.{field.name}", reader, field, rule)) for field, rule in made]
    made_of_theirs = [(name, read) for name, read in readers if shape.fields[name].constant is None]
    # What nobody watches is not refused for what else is in it.
    return sorted(made_of_theirs, key=lambda each: shape.fields[each[0]].unknown != "drop")


def _constants(shape: Shape, stream: str) -> dict[str, object]:
    rules = {field.name: shape.fields[field.name] for field in STREAMS[stream].fields if field.name in shape.fields}
    return {name: exact(rule.constant) for name, rule in rules.items() if rule.constant is not None}


def _drop_test(name: str, rule: DropRule) -> Callable[[object, object], None]:
    """Raises LeftOutError for what a rule drops."""
    if bool(rule.among) == rule.missing:
        raise MappingError(f"{name}: say one of equals, among and missing")
    look = _of_setting(name, finder, rule.path)
    # What is true is no 1 here, as in JSON.
    numbers = frozenset(exact(each) for each in rule.among if not isinstance(each, bool | list | str))
    flags = frozenset(each for each in rule.among if isinstance(each, bool))
    words = frozenset(each for each in rule.among if isinstance(each, str))
    keys, of_message = keys_of(rule.path), is_of_message(rule.path)
    is_named = bool(keys) and not is_place(keys[0])

    def drops(element: object, message: object) -> None:
        if is_named and not rule.missing and type(message if of_message else element) is list:
            return  # of a feed that sends objects and arrays, a rule by a name means its objects
        try:
            value = look(element, message)
        except NotMappedError as error:
            raise NotMappedError(f"{name}, from {rule.path}: {error}") from None
        if value is None:
            if rule.missing:
                raise LeftOutError(f"{name}: {rule.path} is missing")
        elif (
            type(value) is not dict
            and type(value) is not list
            and (value in (flags if type(value) is bool else numbers) or word_of(value) in words)
        ):
            raise LeftOutError(f"{name}: {rule.path} is {shown(value)}")

    return drops


def _chooser(rule: StreamRule) -> Callable[[object, object], str]:
    if not rule.values:
        raise MappingError("stream_by: its values name no stream")
    look = _of_setting("stream_by", finder, rule.path)
    ours: Mapping[str, str] = dict(rule.values)

    def choose(element: object, message: object) -> str:
        try:
            value = look(element, message)
            found = None if value is None else ours.get(word_of(value))
        except NotMappedError as error:
            raise NotMappedError(f"stream_by {rule.path}: {error}") from None
        if found is not None:
            return found
        why = f"stream_by {rule.path}: it is missing" if value is None else (
            f"stream_by {rule.path}: {shown(value)} is not among its values"
        )  # fmt: skip
        raise LeftOutError(why) if rule.unknown == "drop" else NotMappedError(why)

    return choose


def _of_setting(name: str, make: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> _T:
    """What is made of a setting; MappingError with its name if it cannot be."""
    try:
        return make(*args, **named)
    except ValueError as error:
        raise MappingError(f"{name}: {error}") from error
