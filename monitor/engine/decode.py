"""Bytes to typed columns: one decoder, made from the rows of `monitor.streams`.

Strict, by msgspec: `read_ndjson` is no faster and lets `"instrument":7` pass, turns `"1.5"` into null and drops
blank lines. A payload that breaks its contract becomes a `Reject` with a reason out of a closed list, its raw
bytes and its position; the rest of the batch counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from monitor import streams
from monitor.calendar import FIRST_DATE, new_york_dates
from monitor.streams import Field, Kind, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monitor.sources.base import RawBatch

UNKNOWN_STREAM = "unknown"
"""The stream under which payloads are counted that do not say which stream they are of."""

_BOM: Final = b"\xef\xbb\xbf"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL: Final = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ](?!24)\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_DATE: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_CONTROL: Final = r"[\x00-\x1f\x7f-\x9f]"
_WIRE_TYPES: Final[dict[Kind, Any]] = {
    Kind.TIMESTAMP: int | str | None,
    Kind.NUMBER: float | str | None,
    Kind.TEXT: str | None,
    Kind.CHOICE: str | None,
    Kind.FLAG: bool | None,
    Kind.DATE: str | None,
    Kind.TEXTS: list[str] | None,
}
_COLUMN_TYPES: Final[dict[Kind, pl.DataType]] = {
    Kind.TIMESTAMP: pl.Int64(),
    Kind.NUMBER: pl.Int64(),
    Kind.TEXT: pl.String(),
    Kind.CHOICE: pl.String(),
    Kind.FLAG: pl.Boolean(),
    Kind.DATE: pl.Date(),
    Kind.TEXTS: pl.List(pl.String()),
}
_WANTED: Final[dict[Kind, str]] = {
    Kind.TIMESTAMP: "epoch microseconds as an integer, or an RFC 3339 string",
    Kind.NUMBER: "a number or a decimal string",
    Kind.TEXT: "a string",
    Kind.CHOICE: "a string",
    Kind.FLAG: "true or false",
    Kind.DATE: "a string YYYY-MM-DD",
    Kind.TEXTS: "a list of strings",
}
_TS_MISTAKES: Final = (("seconds", 1_000_000), ("milliseconds", 1_000))
_SHOWN_CHARS: Final = 40
_UNPARSED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on a line that it cannot make an event of."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One refused payload.

    Attributes:
        stream: the contract that it broke.
        reason: out of the closed list.
        detail: a sentence: what was wrong, and where it can be told what to do.
        source: the name of the source.
        partition: the file, topic and partition, or connection.
        offset: its position there.
        raw: the bytes as they came (of a line that is too long, its beginning).
    """

    stream: str
    reason: Reason
    detail: str
    source: str
    partition: str
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a batch, for one stream.

    Attributes:
        stream: the contract's name.
        source: the name of the source.
        partition: where the offsets count.
        events: `offset` (Int64) and a column a field of the contract, as `schema` says, in the batch's order.
        rejects: the refused payloads, in the batch's order.
    """

    stream: str
    source: str
    partition: str
    events: pl.DataFrame
    rejects: tuple[Reject, ...]


class _RefusedError(Exception):
    """Carries a reason and a sentence from where a payload was found wanting to where it is set aside."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def schema(stream: Stream) -> dict[str, pl.DataType]:
    """The columns of a stream's decoded events: name to Polars type; numbers are scaled integers."""
    return {"offset": pl.Int64()} | {f.column: _COLUMN_TYPES[f.kind] for f in stream.fields}


class Decoder:
    """Decodes batches of one or of all streams; it holds no state between batches."""

    def __init__(self) -> None:
        self._by_stream = {name: _StreamDecoder(stream) for name, stream in streams.STREAMS.items()}
        self._peek = msgspec.json.Decoder(msgspec.defstruct("Envelope", [("stream", str | None, None)])).decode

    def decode(self, batch: RawBatch) -> list[Decoded]:
        """The batch's events and rejects, an entry a stream; every payload is in exactly one of them."""
        if batch.stream is not None:
            return [self._by_stream[batch.stream].decode(batch, range(len(batch)))]
        rows: dict[str, list[int]] = {}
        for i, payload in enumerate(batch.payloads):
            rows.setdefault(self._stream_of(payload), []).append(i)
        unknown = rows.pop(UNKNOWN_STREAM, [])
        decoded = [self._by_stream[name].decode(batch, which) for name, which in rows.items()]
        if unknown:
            decoded.append(self._set_aside(batch, unknown))
        return decoded

    def _stream_of(self, payload: bytes) -> str:
        """The stream that an object names; `UNKNOWN_STREAM` if it names none, or is no object."""
        try:
            name = getattr(self._peek(payload.removeprefix(_BOM)), "stream", None)
        except msgspec.ValidationError:
            name = _last_stream(payload)
        except _UNPARSED:
            return UNKNOWN_STREAM
        return name if isinstance(name, str) and name in self._by_stream else UNKNOWN_STREAM

    @staticmethod
    def _set_aside(batch: RawBatch, which: Sequence[int]) -> Decoded:
        known = ", ".join(streams.STREAMS)
        rejects = []
        for i in which:
            try:
                named = _parse_object(_sound_line(batch.payloads[i])).get("stream")
                why = "stream is missing" if named is None else f"stream {_shown(named)} is not known"
                refused = _RefusedError(Reason.UNKNOWN_STREAM, f"{why}: one of {known} is wanted")
            except _RefusedError as error:
                refused = error
            rejects.append(
                Reject(
                    UNKNOWN_STREAM, refused.reason, refused.detail,
                    batch.source, batch.partition, batch.offsets[i], batch.payloads[i],
                )
            )  # fmt: skip
        return Decoded(UNKNOWN_STREAM, batch.source, batch.partition, pl.DataFrame(), tuple(rejects))


class _StreamDecoder:
    """The decoder of one contract."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        wire = [(f.name, _WIRE_TYPES[f.kind], None) for f in stream.fields]
        self._struct = msgspec.defstruct("Event", wire, gc=False)
        self._parse = msgspec.json.Decoder(self._struct).decode
        self._checks = _checks(stream)

    def decode(self, batch: RawBatch, which: Sequence[int]) -> Decoded:
        parsed, rows, refused = self._parse_lines(batch, which)
        columns, bad = self._columns(parsed)
        frame = pl.DataFrame({"row": pl.Series(rows, dtype=pl.Int64), **columns})
        if bad:
            keep = [i for i in range(len(rows)) if i not in bad]
            refused |= {rows[i]: why for i, why in bad.items()}
            frame = frame[keep]
        frame, broken = self._check(frame)
        refused |= broken
        frame = self._finish(frame)
        frame, unconvertible = _convert_units(frame) if self.stream is streams.REFERENCE else (frame, {})
        refused |= unconvertible
        offsets = pl.Series("offset", batch.offsets, dtype=pl.Int64)
        events = frame.with_columns(offset=offsets.gather(frame["row"])).select(*schema(self.stream))
        rejects = tuple(
            Reject(
                self.stream.name, *refused[i], batch.source, batch.partition, batch.offsets[i], batch.payloads[i]
            )
            for i in sorted(refused)
        )  # fmt: skip
        return Decoded(self.stream.name, batch.source, batch.partition, events, rejects)

    def _parse_lines(
        self, batch: RawBatch, which: Sequence[int]
    ) -> tuple[list[Any], list[int], dict[int, tuple[Reason, str]]]:
        """Structs of the good lines, their rows in the batch, and what was refused by row."""
        payloads, parse = batch.payloads, self._parse
        try:
            if all(len(payloads[i]) <= streams.MAX_LINE_BYTES for i in which):
                all_good = [parse(payloads[i]) for i in which]
                if all(payloads[i].isascii() for i in which):
                    return all_good, list(which), {}
        except _UNPARSED:
            pass  # a line is bad: each is taken by itself below, which finds it and says why
        parsed: list[Any] = []
        rows: list[int] = []
        refused: dict[int, tuple[Reason, str]] = {}
        for i in which:
            try:
                parsed.append(self._parse_line(payloads[i]))
                rows.append(i)
            except _RefusedError as why:
                refused[i] = (why.reason, why.detail)
        return parsed, rows, refused

    def _parse_line(self, payload: bytes) -> msgspec.Struct:
        """One payload's struct; refuses it with a reason. What it is depends on nothing but the payload."""
        line = _sound_line(payload)
        try:
            return self._parse(line)
        except _UNPARSED as error:
            _refuse_too_large(error)
        # From the generic object, not from the bytes: of a key that stands twice the last value wins, also
        # where the first would be of a wrong type.
        generic = _parse_object(line)
        try:
            return msgspec.convert(generic, self._struct)
        except msgspec.ValidationError as error:
            _refuse_too_large(error)
            raise _RefusedError(Reason.WRONG_TYPE, self._wrong_type(str(error), generic)) from error

    def _wrong_type(self, message: str, generic: dict[str, Any]) -> str:
        """Msgspec's sentence in the contract's words."""
        found = _AT_FIELD.search(message)
        if not found:
            return message
        field = self.stream.field(found["field"])
        value = generic[field.name]
        if field.kind is Kind.TEXTS and isinstance(value, list):
            shown = f"one with {_shown(next(v for v in value if not isinstance(v, str)))} in it"
        else:
            shown = _shown(value)
        return f"{field.name} must be {_WANTED[field.kind]}, not {shown}"

    def _columns(self, parsed: list[Any]) -> tuple[dict[str, pl.Series], dict[int, tuple[Reason, str]]]:
        """A raw column a field (numbers as Float64, dates as String), and what cannot be read, by index."""
        bad: dict[int, tuple[Reason, str]] = {}
        columns: dict[str, pl.Series] = {}
        for field in self.stream.fields:
            values = list(map(attrgetter(field.name), parsed))
            if field.kind is Kind.NUMBER:
                columns[field.name] = _column(values, pl.Float64(), _number, field, bad)
            elif field.kind is Kind.TIMESTAMP:
                columns[field.name] = _column(values, pl.Int64(), _timestamp_us, field, bad)
            elif field.kind is Kind.DATE:
                columns[field.name] = pl.Series(values, dtype=pl.String)
            else:
                columns[field.name] = pl.Series(values, dtype=_COLUMN_TYPES[field.kind])
        return columns, bad

    def _check(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, tuple[Reason, str]]]:
        """The rows that meet every check, and the first that each other row fails."""
        broken = pl.coalesce(pl.when(check.fails).then(i) for i, check in enumerate(self._checks))
        frame = frame.with_columns(broken=broken)
        good = frame["broken"].is_null()
        if good.all():
            return frame.drop("broken"), {}
        refused = {
            row["row"]: (self._checks[row["broken"]].reason, self._checks[row["broken"]].detail(row))
            for row in frame.filter(~good).iter_rows(named=True)
        }
        return frame.filter(good).drop("broken"), refused

    def _finish(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Scaled integers, dates, defaults: the columns as `schema` says (a reference's value still a float)."""
        done = []
        for field in self.stream.fields:
            value = pl.col(field.name)
            if field.zero_is_missing:
                value = pl.when(value != 0).then(value)
            if field.default is not None:
                value = value.fill_null(field.default)
            if field.kind is Kind.DATE:
                value = value.str.to_date("%Y-%m-%d")
            if field.default_from == "ts":
                value = value.fill_null(new_york_dates(pl.col("ts")).clip(FIRST_DATE))
            elif field.default_from:
                value = value.fill_null(pl.col(field.default_from))
            if field.kind is Kind.NUMBER and self.stream is not streams.REFERENCE:
                value = (value * field.scale).round().cast(pl.Int64)
            done.append(value.alias(field.column))
        return frame.select("row", *done)


@dataclass(frozen=True, slots=True)
class _Check:
    """A row fails if the expression is true; the sentence is made from the row's values."""

    fails: pl.Expr
    reason: Reason
    detail: Callable[[dict[str, Any]], str]


def _checks(stream: Stream) -> list[_Check]:
    """The checks of a contract's values, in the order in which their reasons are told."""
    checks = []
    for field in stream.fields:
        if field.required:
            checks.append(_missing(pl.col(field.name).is_null(), f"{field.name} is missing"))
        if field.kind is Kind.NUMBER:
            checks.append(_range_check(field))
        elif field.kind is Kind.CHOICE:
            checks.append(_choice_check(field))
        elif field.kind is Kind.DATE:
            checks.append(_date_check(field))
        elif field.kind is Kind.TEXT:
            checks.append(_text_check(field, _is_bad_text(pl.col(field.name))))
        elif field.kind is Kind.TEXTS:
            bad = pl.col(field.name).list.eval(_is_bad_text(pl.element()).fill_null(value=True)).list.any()
            checks.append(_text_check(field, bad))
    for group in stream.one_of:
        # A zero on a side that may be left out says that there is none.
        absent = [
            pl.col(n).is_null() | (pl.col(n) == 0 if stream.field(n).zero_is_missing else pl.lit(value=False))
            for n in group
        ]
        checks.append(_missing(pl.all_horizontal(absent), f"one of {', '.join(group)} is needed"))
    if stream is streams.REPO:
        checks.append(_future_benchmark())
    return checks


def _missing(fails: pl.Expr, sentence: str) -> _Check:
    return _Check(fails, Reason.MISSING_FIELD, lambda _: sentence)


def _future_benchmark() -> _Check:
    """A rate is published for a day that has come; one for a later day would stand as the newest until then."""
    known_on = new_york_dates(pl.col("ts"))
    later = pl.col("value_date").str.to_date("%Y-%m-%d", strict=False) > known_on

    def detail(row: dict[str, Any]) -> str:
        return f"value_date {row['value_date']} is after the New York date of ts"

    return _Check((pl.col("kind") == streams.REPO_BENCHMARK) & later, Reason.BAD_DATE, detail)


def _range_check(field: Field) -> _Check:
    value = pl.col(field.name)
    # What rounds to an excluded bound is at it: the bound divides by zero further on.
    above = value > field.high if field.high_included else (value * field.scale).round() >= field.high * field.scale
    fails = (value < field.low) | above
    if field.zero_is_missing:
        fails &= value != 0
    bounds = f"{field.low:,.15g} to " + ("" if field.high_included else "below ") + f"{field.high:,.15g} ({field.unit})"

    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {_shown(row[field.name])} is outside {bounds}"

    return _Check(fails, Reason.OUT_OF_RANGE, detail)


def _choice_check(field: Field) -> _Check:
    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {_shown(row[field.name])} is none of {', '.join(field.choices)}"

    return _Check(~pl.col(field.name).is_in(list(field.choices)), Reason.UNKNOWN_CHOICE, detail)


def _date_check(field: Field) -> _Check:
    text = pl.col(field.name)
    day = text.str.to_date("%Y-%m-%d", strict=False)
    # The pattern too: to_date reads "2025- 1- 3".
    inside = day.is_between(pl.date(1990, 1, 1), pl.date(2099, 12, 31)) & text.str.contains(_DATE)

    def detail(row: dict[str, Any]) -> str:
        return f"{field.name} {_shown(row[field.name])} is no date YYYY-MM-DD from 1990 to 2099"

    return _Check(text.is_not_null() & ~inside.fill_null(value=False), Reason.BAD_DATE, detail)


def _is_bad_text(text: pl.Expr) -> pl.Expr:
    return (
        ~text.str.len_chars().is_between(1, streams.MAX_TEXT_CHARS)
        | text.str.contains(_CONTROL)
        | (text.str.strip_chars() != text)
    )


def _text_check(field: Field, fails: pl.Expr) -> _Check:
    wanted = f"1 to {streams.MAX_TEXT_CHARS} characters, no control character, and no space around it"
    each = "each of " if field.kind is Kind.TEXTS else ""

    def detail(row: dict[str, Any]) -> str:
        return f"{each}{field.name} must have {wanted}, not {_cut(repr(row[field.name]))}"

    return _Check(fails, Reason.BAD_TEXT, detail)


def _sound_line(payload: bytes) -> bytes:
    """The line without a byte order mark; refuses what is too long, blank or no UTF-8."""
    if len(payload) > streams.MAX_LINE_BYTES:
        raise _RefusedError(Reason.LINE_TOO_LONG, f"the line is longer than {streams.MAX_LINE_BYTES:,} bytes")
    line = payload.removeprefix(_BOM)
    if not line.strip(b" \t\r\n"):
        raise _RefusedError(Reason.BLANK_LINE, "the line is blank")
    try:
        line.decode()
    except UnicodeDecodeError as error:
        at = error.start + len(payload) - len(line)
        raise _RefusedError(Reason.NOT_UTF8, f"byte {at} is no UTF-8") from error
    return line


def _parse_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a sound line; refuses what is none."""
    try:
        generic = msgspec.json.decode(line)
    except msgspec.ValidationError as error:
        raise _RefusedError(Reason.OUT_OF_RANGE, "a number is too large") from error
    except msgspec.MsgspecError as error:
        raise _RefusedError(Reason.NOT_JSON, str(error)) from error
    except RecursionError as error:
        raise _RefusedError(Reason.NOT_JSON, "nested too deeply") from error
    if not isinstance(generic, dict):
        raise _RefusedError(Reason.NOT_AN_OBJECT, f"a JSON object is wanted, not {_shown(generic)}")
    return generic


def _last_stream(payload: bytes) -> object:
    """What an object says last in `stream`, which may stand twice in it; None of what is no object."""
    try:
        return _parse_object(_sound_line(payload)).get("stream")
    except _RefusedError:
        return None


_AT_FIELD: Final = re.compile(r" - at `\$\.(?P<field>\w+)")
_TOO_LARGE: Final = re.compile(r"out of range - at `\$\.(?P<field>\w+)")


def _refuse_too_large(error: Exception) -> None:
    """Refuses the payload if that is what msgspec complains of: a number of a field that no double can hold."""
    if found := _TOO_LARGE.search(str(error)):
        raise _RefusedError(Reason.OUT_OF_RANGE, f"{found['field']} is too large a number") from error


def _shown(value: object) -> str:
    """A value for a sentence: a container by its kind only, anything else as it is, cut short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _cut(repr(value)).removesuffix(".0")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."


def _column(
    values: list[Any],
    dtype: pl.DataType,
    convert: Callable[[Any, Field], Any],
    field: Field,
    bad: dict[int, tuple[Reason, str]],
) -> pl.Series:
    """The values as a column; a value that is no number of that type is converted one by one.

    What cannot be converted is null in the column and named in `bad`, the first reason of a row only.
    """
    if dtype == pl.Float64() or not values or min(map(_sound_ts, values)):
        try:
            return pl.Series(values, dtype=dtype)
        except TypeError:
            pass  # decimal strings among them: one by one
    converted = []
    for i, value in enumerate(values):
        try:
            converted.append(None if value is None else convert(value, field))
        except _RefusedError as why:
            converted.append(None)
            bad.setdefault(i, (why.reason, why.detail))
    return pl.Series(converted, dtype=dtype)


def _sound_ts(value: object) -> bool:
    return type(value) is int and streams.EARLIEST_TS_US <= value < streams.LATEST_TS_US


def _number(value: float | str, field: Field) -> float:
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise _RefusedError(Reason.NOT_A_NUMBER, f"{field.name} {_shown(value)} is no decimal number")
        return float(value)
    return value


def _timestamp_us(value: int | str, field: Field) -> int:
    """Epoch microseconds of an integer (also as a string of digits) or of RFC 3339 with an offset."""
    if isinstance(value, str):
        if not value.isascii() or not value.removeprefix("-").isdigit():
            return _rfc3339_us(value, field)
        value = int(value[:40])
    if streams.EARLIEST_TS_US <= value < streams.LATEST_TS_US:
        return value
    for unit, factor in _TS_MISTAKES:
        if streams.EARLIEST_TS_US <= value * factor < streams.LATEST_TS_US:
            raise _RefusedError(Reason.TIMESTAMP_UNIT, _unit_mistake(field, value, unit, f"multiply by {factor:,}"))
    if streams.EARLIEST_TS_US <= value // 1_000 < streams.LATEST_TS_US:
        raise _RefusedError(Reason.TIMESTAMP_UNIT, _unit_mistake(field, value, "nanoseconds", "divide by 1,000"))
    raise _RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {_shown(value)} is outside 1990 to 2100 in microseconds")


def _unit_mistake(field: Field, value: int, unit: str, advice: str) -> str:
    return f"{field.name} {value} reads as {unit}; microseconds are wanted: {advice}"


def _rfc3339_us(text: str, field: Field) -> int:
    if not _RFC3339.fullmatch(text):
        advice = "RFC 3339 with an offset is wanted, for example 2025-01-31T13:00:00Z, or epoch microseconds"
        raise _RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {_shown(text)}: {advice}")
    try:
        ts_us = (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError as error:
        raise _RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {_shown(text)}: {error}") from error
    if not streams.EARLIEST_TS_US <= ts_us < streams.LATEST_TS_US:
        raise _RefusedError(Reason.BAD_TIMESTAMP, f"{field.name} {_shown(text)} is outside 1990 to 2100")
    return ts_us


def series_unit(series: str) -> str | None:
    """The unit that a reference series is kept in; None: the unit that it comes with."""
    for prefix, unit in streams.SERIES_PREFIX_UNITS.items():
        if series.startswith(prefix):
            return unit
    return streams.SERIES_UNITS.get(series)


def _convert_units(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, tuple[Reason, str]]]:
    """Reference values in their series' own unit, as integers; and the rows whose unit cannot be converted."""
    pairs = frame.select("series", "unit").unique()
    kept = [series_unit(series) or unit for series, unit in pairs.iter_rows()]
    factors = [
        1.0 if unit == own else streams.UNIT_FACTORS.get((unit, own))
        for unit, own in zip(pairs["unit"], kept, strict=True)
    ]
    pairs = pairs.with_columns(own=pl.Series(kept, dtype=pl.String), factor=pl.Series(factors, dtype=pl.Float64))
    joined = frame.join(pairs, on=["series", "unit"], how="left", maintain_order="left")
    refused = {
        row["row"]: (Reason.WRONG_UNIT, f"{row['series']} is kept in {row['own']}, and cannot be in {row['unit']}")
        for row in joined.filter(pl.col("factor").is_null()).iter_rows(named=True)
    }  # fmt: skip
    value = (pl.col("value_e6") * pl.col("factor") * streams.UNITS_PER_ONE).round().cast(pl.Int64)
    good = joined.filter(pl.col("factor").is_not_null())
    return good.with_columns(value_e6=value, unit="own").drop("own", "factor"), refused
