"""Bytes to typed columns: one decoder, made from the rows of `monitor.streams`.

Strict, by msgspec: `read_ndjson` is no faster and lets `"instrument":7` pass, turns `"1.5"` into null and drops
blank lines. A payload that breaks its contract becomes a `Reject` with a reason out of a closed list, its raw
bytes and its position; the rest of the batch counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl
from msgspec.structs import astuple

from monitor import streams
from monitor.calendar import FIRST_DATE, new_york_dates
from monitor.engine.checks import checks_of
from monitor.engine.lines import AT_FIELD, BOM, last_stream, parse_object, refuse_too_large, sound_line
from monitor.engine.refusal import RefusedError, shown
from monitor.engine.units import convert_units
from monitor.engine.values import column, number, timestamp_us
from monitor.streams import Kind, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.sources.base import RawBatch

UNKNOWN_STREAM = "unknown"
"""The stream under which payloads are counted that do not say which stream they are of."""

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
_RAW_TYPES: Final = _COLUMN_TYPES | {Kind.NUMBER: pl.Float64(), Kind.DATE: pl.String()}
"""The types of the columns before they are checked and scaled."""
_WANTED: Final[dict[Kind, str]] = {
    Kind.TIMESTAMP: "epoch microseconds as an integer, or an RFC 3339 string",
    Kind.NUMBER: "a number or a decimal string",
    Kind.TEXT: "a string",
    Kind.CHOICE: "a string",
    Kind.FLAG: "true or false",
    Kind.DATE: "a string YYYY-MM-DD",
    Kind.TEXTS: "a list of strings",
}
_AT_ONCE: Final = 256
"""So many events are parsed, and then taken apart."""
_UNREADABLE: Final = (Reason.LINE_TOO_LONG, Reason.BLANK_LINE, Reason.NOT_UTF8, Reason.NOT_JSON)
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
        raw: the bytes as they came, before any mapping (of a line that is too long, its beginning).
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
        refused = batch.refused or {}
        unreadable: dict[bytes, RefusedError | None] = {}
        which = [i for i in range(len(batch)) if i not in refused] if refused else range(len(batch))
        if batch.stream is not None:
            decoded_all = self._by_stream[batch.stream].decode(batch, which)
            if refused:
                rejects = (*decoded_all.rejects, *(_not_mapped(batch, batch.stream, i, unreadable) for i in refused))
                decoded_all = replace(decoded_all, rejects=tuple(sorted(rejects, key=lambda each: each.offset)))
            return [decoded_all]
        rows: dict[str, list[int]] = {}
        for i in which:
            rows.setdefault(self._stream_of(batch.payloads[i]), []).append(i)
        unknown = sorted([*rows.pop(UNKNOWN_STREAM, []), *refused])
        decoded = [self._by_stream[name].decode(batch, which) for name, which in rows.items()]
        if unknown:
            decoded.append(self._set_aside(batch, unknown))
        return decoded

    def _stream_of(self, payload: bytes) -> str:
        """The stream that an object names; `UNKNOWN_STREAM` if it names none, or is no object."""
        try:
            name = getattr(self._peek(payload.removeprefix(BOM)), "stream", None)
        except msgspec.ValidationError:
            name = last_stream(payload)
        except _UNPARSED:
            return UNKNOWN_STREAM
        return name if isinstance(name, str) and name in self._by_stream else UNKNOWN_STREAM

    @staticmethod
    def _set_aside(batch: RawBatch, which: Sequence[int]) -> Decoded:
        known = ", ".join(streams.STREAMS)
        rejects = []
        unreadable: dict[bytes, RefusedError | None] = {}
        for i in which:
            if batch.refused and i in batch.refused:
                rejects.append(_not_mapped(batch, UNKNOWN_STREAM, i, unreadable))
                continue
            try:
                named = parse_object(sound_line(batch.payloads[i])).get("stream")
                why = "stream is missing" if named is None else f"stream {shown(named)} is not known"
                refused = RefusedError(Reason.UNKNOWN_STREAM, f"{why}: one of {known} is wanted")
            except RefusedError as error:
                refused = error
            rejects.append(
                Reject(
                    UNKNOWN_STREAM, refused.reason, refused.detail,
                    batch.source, batch.partition, batch.offsets[i], _raw(batch, i),
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
        self._checks = checks_of(stream)
        self._broken = pl.coalesce(pl.when(check.fails).then(i) for i, check in enumerate(self._checks))
        self._finished = self._finish()
        self._schema = tuple(schema(stream))

    def decode(self, batch: RawBatch, which: Sequence[int]) -> Decoded:
        said, rows, refused = self._parse_lines(batch, which)
        columns, bad = self._columns(said)
        row = pl.Series(rows, dtype=pl.Int64)
        offsets = pl.Series(batch.offsets, dtype=pl.Int64)
        frame = pl.DataFrame({"row": row, "offset": offsets.gather(row), **columns})
        if bad:
            keep = [i for i in range(len(rows)) if i not in bad]
            refused |= {rows[i]: why for i, why in bad.items()}
            frame = frame[keep]
        # All checks and all columns in one go: a batch may be small, and each pass over it has its price.
        done = frame.select(broken=self._broken, **self._finished)
        frame, done, ahead = _check_arrival(frame, done, batch)
        refused |= ahead
        if done["broken"].null_count() < done.height:
            refused |= self._told(frame.with_columns(done["broken"]))
            done = done.filter(pl.col("broken").is_null())
        if self.stream is streams.REFERENCE:
            done, unconvertible = convert_units(done)
            refused |= unconvertible
        events = done.select(*self._schema)
        rejects = tuple(
            Reject(
                self.stream.name, *refused[i], batch.source, batch.partition, batch.offsets[i], _raw(batch, i)
            )
            for i in sorted(refused)
        )  # fmt: skip
        return Decoded(self.stream.name, batch.source, batch.partition, events, rejects)

    def _parse_lines(
        self, batch: RawBatch, which: Sequence[int]
    ) -> tuple[list[list[Any]], list[int], dict[int, tuple[Reason, str]]]:
        """The values of the good lines by field, their rows in the batch, and what was refused by row."""
        payloads, parse = batch.payloads, self._parse
        mine = payloads if len(which) == len(payloads) else [payloads[i] for i in which]
        try:
            if max(map(len, mine), default=0) <= streams.MAX_LINE_BYTES and all(map(bytes.isascii, mine)):
                return self._by_field(map(parse, mine)), list(which), {}
        except _UNPARSED:
            pass  # a line is bad: each is taken by itself below, which finds it and says why
        parsed: list[Any] = []
        rows: list[int] = []
        refused: dict[int, tuple[Reason, str]] = {}
        for i in which:
            try:
                parsed.append(self._parse_line(payloads[i]))
                rows.append(i)
            except RefusedError as why:
                refused[i] = (why.reason, why.detail)
        return self._by_field(iter(parsed)), rows, refused

    def _by_field(self, events: Iterator[Any]) -> list[list[Any]]:
        """What the events say, a list a field; they are taken apart while they are still in the processor's cache."""
        fields: list[list[Any]] = [[] for _ in self.stream.fields]
        while some := list(map(astuple, islice(events, _AT_ONCE))):
            for values, more in zip(fields, zip(*some, strict=True), strict=True):
                values.extend(more)
        return fields

    def _parse_line(self, payload: bytes) -> msgspec.Struct:
        """One payload's struct; refuses it with a reason. What it is depends on nothing but the payload."""
        line = sound_line(payload)
        try:
            return self._parse(line)
        except _UNPARSED as error:
            refuse_too_large(error)
        # From the generic object, not from the bytes: of a key that stands twice the last value wins, also
        # where the first would be of a wrong type.
        generic = parse_object(line)
        try:
            return msgspec.convert(generic, self._struct)
        except msgspec.ValidationError as error:
            refuse_too_large(error)
            raise RefusedError(Reason.WRONG_TYPE, self._wrong_type(str(error), generic)) from error

    def _wrong_type(self, message: str, generic: dict[str, Any]) -> str:
        """Msgspec's sentence in the contract's words."""
        found = AT_FIELD.search(message)
        if not found:
            return message
        field = self.stream.field(found["field"])
        value = generic[field.name]
        if field.kind is Kind.TEXTS and isinstance(value, list):
            said = f"one with {shown(next(v for v in value if not isinstance(v, str)))} in it"
        else:
            said = shown(value)
        return f"{field.name} must be {_WANTED[field.kind]}, not {said}"

    def _columns(self, said: list[list[Any]]) -> tuple[dict[str, pl.Series], dict[int, tuple[Reason, str]]]:
        """A raw column a field (numbers as Float64, dates as String), and what cannot be read, by index."""
        bad: dict[int, tuple[Reason, str]] = {}
        columns: dict[str, pl.Series] = {}
        for field, values in zip(self.stream.fields, said, strict=True):
            # Nobody says it: most of the optional fields. The first value saves counting where somebody does.
            if not values or (values[0] is None and values.count(None) == len(values)):
                columns[field.name] = pl.repeat(None, len(values), dtype=_RAW_TYPES[field.kind], eager=True)
            elif field.kind is Kind.NUMBER:
                columns[field.name] = column(values, pl.Float64(), number, field, bad)
            elif field.kind is Kind.TIMESTAMP:
                columns[field.name] = column(values, pl.Int64(), timestamp_us, field, bad)
            elif field.kind is Kind.DATE:
                columns[field.name] = pl.Series(values, dtype=pl.String)
            else:
                columns[field.name] = pl.Series(values, dtype=_COLUMN_TYPES[field.kind])
        return columns, bad

    def _told(self, checked: pl.DataFrame) -> dict[int, tuple[Reason, str]]:
        """The first check that each broken row fails, in words, by its row in the batch."""
        return {
            row["row"]: (self._checks[row["broken"]].reason, self._checks[row["broken"]].detail(row))
            for row in checked.filter(pl.col("broken").is_not_null()).iter_rows(named=True)
        }

    def _finish(self) -> dict[str, pl.Expr]:
        """Scaled integers, dates, defaults: the columns as `schema` says (a reference's value still a float).

        Of a row that fails a check they mean nothing; they must not fail for it.
        """
        done = {"row": pl.col("row"), "offset": pl.col("offset")}
        for field in self.stream.fields:
            value = pl.col(field.name)
            if field.zero_is_missing:
                value = pl.when(value != 0).then(value)
            if field.default is not None:
                value = value.fill_null(field.default)
            if field.kind is Kind.DATE:
                value = value.str.to_date("%Y-%m-%d", strict=False)
            if field.default_from == "ts":
                value = value.fill_null(new_york_dates(pl.col("ts")).clip(FIRST_DATE))
            elif field.default_from:
                value = value.fill_null(pl.col(field.default_from))
            if field.kind is Kind.NUMBER and self.stream is not streams.REFERENCE:
                value = (value * field.scale).round().cast(pl.Int64, strict=False)
            done[field.column] = value
        return done


def _raw(batch: RawBatch, i: int) -> bytes:
    return batch.payloads[i] if batch.originals is None else batch.originals[i]


def _not_mapped(batch: RawBatch, stream: str, i: int, unreadable: dict[bytes, RefusedError | None]) -> Reject:
    """The reject of what no mapping could make an event of; what nobody can read has the reason that it always has.

    Args:
        batch: the batch.
        stream: the contract that it would have had.
        i: where in the batch it stands.
        unreadable: what was found out of messages, of which one may be refused a thousand times.
    """
    reason, detail = Reason.NOT_MAPPED, (batch.refused or {})[i]
    message = batch.payloads[i]
    if message not in unreadable:
        unreadable[message] = _why_unreadable(message)
    if why := unreadable[message]:
        reason, detail = why.reason, why.detail
    return Reject(stream, reason, detail, batch.source, batch.partition, batch.offsets[i], _raw(batch, i))


def _why_unreadable(message: bytes) -> RefusedError | None:
    try:
        parse_object(sound_line(message))
    except RefusedError as error:
        return error if error.reason in _UNREADABLE else None
    return None


def _check_arrival(
    frame: pl.DataFrame, done: pl.DataFrame, batch: RawBatch
) -> tuple[pl.DataFrame, pl.DataFrame, dict[int, tuple[Reason, str]]]:
    """Both frames without the sound rows whose event time is ahead of their arrival, and why those are refused."""
    if batch.arrived_us is None:
        return frame, done, {}
    arrived = pl.Series("arrived_us", batch.arrived_us, dtype=pl.Int64).gather(frame["row"])
    ahead_us = frame["ts"] - arrived
    is_ahead = ((ahead_us > streams.MAX_AHEAD_US) & done["broken"].is_null()).fill_null(value=False)
    if not is_ahead.any():
        return frame, done, {}
    allowed = streams.MAX_AHEAD_US // streams.MICROSECONDS_PER_SECOND
    advice = f"ahead of its arrival, and at most {allowed} s are allowed: set the producer's clock"
    refused = {
        row: (Reason.AHEAD_OF_ARRIVAL, f"ts is {ahead / streams.MICROSECONDS_PER_SECOND:,.1f} s {advice}")
        for row, ahead in zip(frame["row"].filter(is_ahead), ahead_us.filter(is_ahead), strict=True)
    }
    return frame.filter(~is_ahead), done.filter(~is_ahead), refused
