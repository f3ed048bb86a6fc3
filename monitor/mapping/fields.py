"""One of our fields out of what a vendor sent: a function a field, made once."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.mapping.moments import US_A, from_epoch, from_fix, from_fix_date
from monitor.mapping.numbers import decimal_of, from_32nds, is_decimal, scaled
from monitor.mapping.paths import finder
from monitor.mapping.shape import FORMATS, FieldRule, MappingError
from monitor.mapping.words import LeftOutError, NotMappedError, near, shown
from monitor.streams import Field, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.mapping.shape import Plain

    Reader: TypeAlias = Callable[[object, object], object]
    """Our value out of the element and the whole message; None: there is none."""
    Convert: TypeAlias = Callable[[object], object]

_OF_NUMBERS: Final = (Kind.NUMBER, Kind.TIMESTAMP)


def reader(field: Field, rule: FieldRule) -> Reader:
    """What makes a field by its rule.

    Raises:
        MappingError: the rule cannot work.
    """
    check(field, rule)
    if rule.constant is not None:
        constant = exact(rule.constant)
        return lambda _element, _message: constant
    convert = _looked_up(rule, _converted(field, rule))
    default = None if rule.default is None else exact(rule.default)
    return _reader(field.name, rule.paths, convert, frozenset(rule.empty), default)


def check(field: Field, rule: FieldRule) -> None:
    """Refuse a rule that cannot work; MappingError."""
    if bool(rule.paths) == (rule.constant is not None):
        raise MappingError("say either from or constant")
    asked = (rule.scale, rule.format, rule.values, rule.default, rule.empty or None)
    if rule.constant is not None and any(each is not None for each in asked):
        raise MappingError("a constant is taken as it stands, without scale, format, values, table, default or empty")
    if rule.unknown != "refuse" and rule.values is None:
        raise MappingError("unknown goes with values or table")
    for given in (rule.constant, rule.default, *(rule.values or {}).values()):
        if given is not None and not _fits(field, given):
            what = f"one of {', '.join(field.choices)}" if field.choices else f"a {field.kind}"
            raise MappingError(f"{field.name} is {what}, and {shown(given)} is not")
    for path in rule.paths:
        try:
            finder(path)
        except ValueError as error:
            raise MappingError(f"from {error}") from error
    _check_format(field, rule.format)
    _check_scale(field, rule.scale)


def _check_format(field: Field, name: str | None) -> None:
    if name is None:
        return
    if name not in FORMATS:
        raise MappingError(f"format {name!r} is not known: {near(name, FORMATS)}")
    if field.kind not in FORMATS[name]:
        fitting = ", ".join(each for each, kinds in FORMATS.items() if field.kind in kinds) or "none"
        raise MappingError(f"{field.name} is a {field.kind}, for which {name} is no format; {fitting} is")


def _check_scale(field: Field, scale: Decimal | None) -> None:
    if scale is None:
        return
    if field.kind is not Kind.NUMBER:
        raise MappingError(f"{field.name} is a {field.kind}, and only a number can be scaled")
    if not scale:
        raise MappingError("a scale of 0 would make every number 0")
    try:
        decimal_of(scale)
    except NotMappedError as error:
        raise MappingError(f"scale: {error}") from error


def _fits(field: Field, value: Plain) -> bool:
    if isinstance(value, bool) or field.kind is Kind.FLAG:
        return isinstance(value, bool) and field.kind is Kind.FLAG
    if isinstance(value, list) or field.kind is Kind.TEXTS:
        return isinstance(value, list) and field.kind is Kind.TEXTS
    if field.kind is Kind.CHOICE:
        return value in field.choices
    if field.kind is Kind.NUMBER and isinstance(value, str):
        return is_decimal(value)
    return isinstance(value, str) or field.kind in _OF_NUMBERS


def exact(value: Plain) -> Plain:
    """A value of the settings, of which a fraction is the decimal one that stands in the file."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def word_of(value: object) -> str:
    """What a value is called in a table: its text; a number's as it was sent.

    Raises:
        NotMappedError: it is an object or an array.
    """
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (int, Decimal):
        return str(value)
    raise NotMappedError(f"{shown(value)} cannot be looked up")


def _reader(name: str, paths: tuple[str, ...], convert: Convert, empty: frozenset[str], default: object) -> Reader:
    finders = [finder(path) for path in paths]
    first = finders[0]
    is_one = len(finders) == 1

    def read(element: object, message: object) -> object:
        try:
            value = first(element, message)
            if empty and type(value) is str and value in empty:
                value = None
            if value is None:
                if not is_one:
                    value = _first(finders[1:], empty, element, message)
                if value is None:
                    return default
            return convert(value)
        except NotMappedError as error:
            raise NotMappedError(f"{name} from {' or '.join(paths)}: {error}") from None
        except LeftOutError as error:
            raise LeftOutError(f"{name} from {' or '.join(paths)}: {error}") from None

    return read


def _first(finders: list[Reader], empty: frozenset[str], element: object, message: object) -> object:
    for each in finders:
        value = each(element, message)
        if value is not None and not (type(value) is str and value in empty):
            return value
    return None


def _looked_up(rule: FieldRule, convert: Convert) -> Convert:
    """The same behind a table."""
    if rule.values is None:
        return convert
    ours: Mapping[str, object] = {theirs: exact(value) for theirs, value in rule.values.items()}
    unknown = rule.unknown

    def look_up(value: object) -> object:
        found = ours.get(value if type(value) is str else word_of(value))
        if found is not None:
            return found
        if unknown == "keep":
            return convert(value)
        if unknown == "drop":
            raise LeftOutError(f"{shown(value)} is not among its values")
        raise NotMappedError(f"{shown(value)} is not among its values")

    return look_up


def _converted(field: Field, rule: FieldRule) -> Convert:
    """What a value of theirs becomes by format and scale."""
    convert: Convert
    if rule.format == "32nds":
        convert = from_32nds
    elif rule.format in US_A:
        convert = partial(from_epoch, unit=rule.format)
    elif rule.format == "fix_timestamp":
        convert = from_fix
    elif rule.format == "fix_date":
        convert = from_fix_date
    elif rule.format == "text":
        convert = word_of
    else:
        convert = _as_it_is if field.kind in _OF_NUMBERS else _no_fraction
    if rule.scale is None:
        return convert
    if rule.format is None:
        return partial(scaled, by=rule.scale)
    before, by = convert, rule.scale
    return lambda value: scaled(before(value), by)


def _as_it_is(value: object) -> object:
    """What the decoder judges: a number, or a text of one, among what it may be."""
    return value


def _no_fraction(value: object) -> object:
    """The same; a fraction leaves as text, and a text was not sent."""
    if type(value) is Decimal:
        raise NotMappedError(f"{shown(value)} is a number where a text is wanted")
    if type(value) is list and any(type(each) is Decimal for each in value):
        raise NotMappedError("it has a number where texts are wanted")
    return value
