"""The page of the wire contracts."""

from __future__ import annotations

from typing import Final

from monitor import streams
from monitor.markdown import page, table
from monitor.streams import Field, Kind, Stream

_KINDS: Final = {
    Kind.TIMESTAMP: "epoch microseconds, or RFC 3339 with an offset",
    Kind.NUMBER: "number",
    Kind.TEXT: "text",
    Kind.CHOICE: "word",
    Kind.FLAG: "true or false",
    Kind.DATE: "date",
    Kind.TEXTS: "list of texts",
}

_REASONS: Final = {
    streams.Reason.LINE_TOO_LONG: f"longer than {streams.MAX_LINE_BYTES:,} bytes",
    streams.Reason.BLANK_LINE: "nothing but white space",
    streams.Reason.NOT_UTF8: "bytes that are no UTF-8",
    streams.Reason.NOT_JSON: "truncated or malformed JSON, NaN, an array too deep",
    streams.Reason.NOT_AN_OBJECT: "JSON, but no object",
    streams.Reason.UNKNOWN_STREAM: 'an input of several streams, and the object names none in `"stream"`',
    streams.Reason.MISSING_FIELD: "a required field is missing or null",
    streams.Reason.WRONG_TYPE: "a field of another JSON type",
    streams.Reason.NOT_A_NUMBER: "a text that is no decimal number",
    streams.Reason.OUT_OF_RANGE: "a number outside its field's range, or a fraction of what is whole",
    streams.Reason.BAD_TEXT: "a text that is empty, too long, or has control characters",
    streams.Reason.BAD_DATE: "no date, or a benchmark for a day that has not come",
    streams.Reason.BAD_TIMESTAMP: "no time, without an offset, or outside 1990 to 2100",
    streams.Reason.TIMESTAMP_UNIT: "seconds, milliseconds or nanoseconds instead of microseconds",
    streams.Reason.UNKNOWN_CHOICE: "a word outside its field's list",
    streams.Reason.WRONG_UNIT: "a unit that cannot be converted to the series' own",
    streams.Reason.AHEAD_OF_ARRIVAL: f"more than {streams.MAX_AHEAD_US // streams.MICROSECONDS_PER_SECOND} s ahead of "
    "its recorded arrival: the producer's clock is wrong",
    streams.Reason.NOT_MAPPED: "a mapping can make no event of it; `stress-monitor map-check` shows why",
}


def streams_page() -> str:
    """Every contract, a row a field, and the reasons of rejects."""
    return page(
        "Streams",
        "One JSON object is one event, one a line. Unknown fields are ignored. A number may come as a JSON number "
        "or as a decimal string; `ts` is event time: when it became known. What does not meet its contract is "
        "kept with a reason, counted, and never stops the stream. Dates are New York's. Of a key that "
        "stands twice the last value wins.",
        *(_section(stream) for stream in streams.STREAMS.values()),
        "## Reasons of rejects",
        table(("reason", "what was wrong"), ((f"`{reason}`", text) for reason, text in _REASONS.items())),
        "## Known reference series",
        "Any other series is kept in the unit it comes with.",
        table(("series", "kept in"), _series_rows()),
    )


def _section(stream: Stream) -> str:
    rows = [
        (f"`{f.name}`", _KINDS[f.kind], "yes" if f.required else "", _range(f), _default(f), f.help)
        for f in stream.fields
    ]
    head = ("field", "holds", "required", "range", "default", "")
    needed = "".join(f" At least one of {', '.join(f'`{name}`' for name in group)}." for group in stream.one_of)
    intro = f"One event is {stream.event}. Topic `{stream.topic}`, message key `{stream.message_key}`.{needed}"
    return f"## {stream.name}\n\n{intro}\n\n{table(head, rows)}"


def _range(field: Field) -> str:
    if field.kind is Kind.CHOICE:
        return ", ".join(f"`{choice}`" for choice in field.choices)
    if field.kind is not Kind.NUMBER:
        return ""
    high = f"{field.high:,.15g}" + ("" if field.high_included else " (excluded)")
    zero = "; 0 is none" if field.zero_is_missing else ""
    return f"{field.low:,.15g} to {high} {field.unit}{zero}"


def _default(field: Field) -> str:
    if field.default_from == "ts":
        return "the New York date of `ts`"
    if field.default_from:
        return f"`{field.default_from}`"
    return "" if field.default is None else f"{field.default}"


def _series_rows() -> list[tuple[str, str]]:
    rows = [(f"`{series}`", unit) for series, unit in streams.SERIES_UNITS.items()]
    return rows + [(f"`{prefix}<tenor>`", unit) for prefix, unit in streams.SERIES_PREFIX_UNITS.items()]
