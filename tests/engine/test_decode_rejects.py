"""Decoding: what is refused, with which reason, and in which words."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import streams
from monitor.engine.decode import UNKNOWN_STREAM, Decoder, Reject
from monitor.engine.partition import NO_TICK, Partition
from monitor.sources.base import RawBatch
from monitor.streams import Field, Kind, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

DECODER = Decoder()
TS = 1_735_689_600_000_000

MINIMAL: dict[str, dict[str, str]] = {
    "treasury": {"ts": str(TS), "instrument": '"UST-10Y"', "bid": "99.5"},
    "repo": {"ts": str(TS), "instrument": '"SOFR"', "rate": "4.31"},
    "newissue": {"ts": str(TS), "deal_id": '"D-1"', "status": '"priced"'},
    "cds": {"ts": str(TS), "entity": '"ACME"', "mid": "55"},
    "reference": {"ts": str(TS), "series": '"SOME"', "value": "1", "unit": '"index"'},
}
"""The least that each contract asks for, as JSON texts."""

properties = settings(deadline=None)


def payload(event: Mapping[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":{text}' for name, text in event.items()) + "}").encode()


def outcomes(stream: str | None, lines: list[bytes]) -> list[Reject | dict[str, Any]]:
    """The reject or the event of each payload of a batch; an event without its offset."""
    found: dict[int, Reject | dict[str, Any]] = {}
    for decoded in DECODER.decode(RawBatch("feed", stream, "p", range(7, 7 + len(lines)), lines)):
        found |= {reject.offset: reject for reject in decoded.rejects}
        found |= {event.pop("offset"): event for event in decoded.events.to_dicts()}
    return [found[offset] for offset in range(7, 7 + len(lines))]


def outcome(stream: str | None, line: bytes) -> Reject | dict[str, Any]:
    """The reject or the event of a payload; the same alone and beside a payload that is no JSON."""
    [alone] = outcomes(stream, [line])
    assert outcomes(stream, [line, b"x"])[0] == alone
    return alone


def accepted(stream: str, /, **fields: str) -> dict[str, Any]:
    event = outcome(stream, payload(MINIMAL[stream] | fields))
    assert isinstance(event, dict), event
    return event


def refused(stream: str, /, **fields: str) -> Reject:
    reject = outcome(stream, payload(MINIMAL[stream] | fields))
    assert isinstance(reject, Reject), reject
    return reject


def all_refused(stream: Stream, field: Field, texts: list[str]) -> list[Reject]:
    """The rejects of minimal events, in one batch, each with one of these texts in this field."""
    lines = [payload(MINIMAL[stream.name] | {field.name: text}) for text in texts]
    rejects = [reject for reject in outcomes(stream.name, lines) if isinstance(reject, Reject)]
    assert [reject.raw for reject in rejects] == lines
    return rejects


ALL_FIELDS = [(s, f) for s in streams.STREAMS.values() for f in s.fields]


def fields_of(*kinds: Kind) -> list[Any]:
    """Parameters: a stream and a field of one of these kinds."""
    return [pytest.param(s, f, id=f"{s.name}-{f.name}") for s, f in ALL_FIELDS if f.kind in kinds]


def treasury(tail: str) -> bytes:
    return f'{{"ts":{TS},"instrument":"UST-10Y",{tail}}}'.encode()


LONG = b'{"ts":1,"x":"' + b"y" * streams.MAX_LINE_BYTES + b'"}'
KNOWN_STREAMS = "one of treasury, repo, newissue, cds, reference is wanted"
TEXT_WANTED = "must have 1 to 128 characters, no control character, and no space around it"
WANTED_TS = "RFC 3339 with an offset is wanted, for example 2025-01-31T13:00:00Z, or epoch microseconds"

GOLDEN: list[tuple[str | None, bytes, Reason, str]] = [
    ("treasury", LONG, Reason.LINE_TOO_LONG, "the line is longer than 1,048,576 bytes"),
    ("treasury", b"", Reason.BLANK_LINE, "the line is blank"),
    ("treasury", b"\r", Reason.BLANK_LINE, "the line is blank"),
    ("treasury", treasury('"bid":99')[:-1] + b',"\xff":1}', Reason.NOT_UTF8, "byte 56 is no UTF-8"),
    ("treasury", b"\xef\xbb\xbf\xff", Reason.NOT_UTF8, "byte 3 is no UTF-8"),
    ("treasury", treasury('"bid":99')[:-1], Reason.NOT_JSON, "Input data was truncated"),
    ("treasury", treasury('"bid":NaN'), Reason.NOT_JSON, "JSON is malformed: invalid character (byte 52)"),
    ("treasury", b"[" * 10_000, Reason.NOT_JSON, "nested too deeply"),
    ("treasury", b"[1]", Reason.NOT_AN_OBJECT, "a JSON object is wanted, not an array"),
    ("treasury", b'"text"', Reason.NOT_AN_OBJECT, "a JSON object is wanted, not 'text'"),
    ("treasury", b"7", Reason.NOT_AN_OBJECT, "a JSON object is wanted, not 7"),
    ("treasury", b"null", Reason.NOT_AN_OBJECT, "a JSON object is wanted, not null"),
    (None, b"[]", Reason.NOT_AN_OBJECT, "a JSON object is wanted, not an array"),
    (None, b"{}", Reason.UNKNOWN_STREAM, f"stream is missing: {KNOWN_STREAMS}"),
    (None, b'{"stream":"equity"}', Reason.UNKNOWN_STREAM, f"stream 'equity' is not known: {KNOWN_STREAMS}"),
    (None, b'{"stream":["cds"]}', Reason.UNKNOWN_STREAM, f"stream an array is not known: {KNOWN_STREAMS}"),
    (None, b'{"stream":{"\xff":1}}', Reason.NOT_UTF8, "byte 12 is no UTF-8"),
    ("treasury", b"{}", Reason.MISSING_FIELD, "ts is missing"),
    ("treasury", treasury('"bid":0,"ask":null'), Reason.MISSING_FIELD, "one of bid, ask is needed"),
    ("treasury", treasury('"bid":true'), Reason.WRONG_TYPE, "bid must be a number or a decimal string, not true"),
    (
        "treasury", treasury('"bid":99,"ask":{}'), Reason.WRONG_TYPE,
        "ask must be a number or a decimal string, not an object",
    ),
    ("treasury", treasury('"bid":99,"venue":7'), Reason.WRONG_TYPE, "venue must be a string, not 7"),
    (
        "treasury", treasury('"bid":99,"on_the_run":"yes"'), Reason.WRONG_TYPE,
        "on_the_run must be true or false, not 'yes'",
    ),
    (
        "treasury", treasury('"bid":99,"maturity":2030'), Reason.WRONG_TYPE,
        "maturity must be a string YYYY-MM-DD, not 2030",
    ),
    (
        "treasury", b'{"ts":1.5}', Reason.WRONG_TYPE,
        "ts must be epoch microseconds as an integer, or an RFC 3339 string, not 1.5",
    ),
    (
        "cds", payload(MINIMAL["cds"] | {"themes": '["ai",7]'}), Reason.WRONG_TYPE,
        "themes must be a list of strings, not one with 7 in it",
    ),
    (
        "cds", payload(MINIMAL["cds"] | {"themes": '"ai"'}), Reason.WRONG_TYPE,
        "themes must be a list of strings, not 'ai'",
    ),
    ("treasury", treasury('"bid":"99-16"'), Reason.NOT_A_NUMBER, "bid '99-16' is no decimal number"),
    ("treasury", treasury('"bid":"nan"'), Reason.NOT_A_NUMBER, "bid 'nan' is no decimal number"),
    ("treasury", treasury('"bid":0.5'), Reason.OUT_OF_RANGE, "bid 0.5 is outside 1 to 300 (price per 100 face)"),
    (
        "treasury", treasury('"bid":300.0000001'), Reason.OUT_OF_RANGE,
        "bid 300.0000001 is outside 1 to 300 (price per 100 face)",
    ),
    (
        "treasury", treasury('"bid":99,"bid_size":-1'), Reason.OUT_OF_RANGE,
        "bid_size -1 is outside 0 to 10,000,000 (USD millions)",
    ),
    ("treasury", treasury('"bid":"1e400"'), Reason.OUT_OF_RANGE, "bid inf is outside 1 to 300 (price per 100 face)"),
    ("treasury", treasury('"bid":1e400'), Reason.OUT_OF_RANGE, "bid is too large a number"),
    (
        "cds", payload(MINIMAL["cds"] | {"recovery": "1"}), Reason.OUT_OF_RANGE,
        "recovery 1 is outside 0 to below 1 (ratio)",
    ),
    (
        "repo", payload(MINIMAL["repo"] | {"rate": "430"}), Reason.OUT_OF_RANGE,
        "rate 430 is outside -5 to 25 (percent)",
    ),
    (
        "repo", payload(MINIMAL["repo"] | {"term_days": "1.4"}), Reason.OUT_OF_RANGE,
        "term_days 1.4 is no whole number",
    ),
    ("treasury", treasury('"bid":99,"venue":" x"'), Reason.BAD_TEXT, f"venue {TEXT_WANTED}, not ' x'"),
    ("treasury", treasury('"bid":99,"venue":""'), Reason.BAD_TEXT, f"venue {TEXT_WANTED}, not ''"),
    ("treasury", treasury('"bid":99,"venue":"a\\u0000"'), Reason.BAD_TEXT, f"venue {TEXT_WANTED}, not 'a\\x00'"),
    (
        "treasury", treasury('"bid":99,"venue":"' + "v" * 129 + '"'), Reason.BAD_TEXT,
        f"venue {TEXT_WANTED}, not '{'v' * 39}...",
    ),
    (
        "cds", payload(MINIMAL["cds"] | {"themes": '["ai",""]'}), Reason.BAD_TEXT,
        f"each of themes {TEXT_WANTED}, not ['ai', '']",
    ),
    (
        "treasury", treasury('"bid":99,"maturity":"31.12.2030"'), Reason.BAD_DATE,
        "maturity '31.12.2030' is no date YYYY-MM-DD from 1990 to 2099",
    ),
    (
        "repo", payload(MINIMAL["repo"] | {"kind": '"benchmark"', "value_date": '"2025-01-01"'}), Reason.BAD_DATE,
        "value_date 2025-01-01 is after the New York date of ts",
    ),
    ("treasury", b'{"ts":"soon"}', Reason.BAD_TIMESTAMP, f"ts 'soon': {WANTED_TS}"),
    ("treasury", b'{"ts":"2025-01-31T13:00:00"}', Reason.BAD_TIMESTAMP, f"ts '2025-01-31T13:00:00': {WANTED_TS}"),
    ("treasury", b'{"ts":12}', Reason.BAD_TIMESTAMP, "ts 12 is outside 1990 to 2100 in microseconds"),
    (
        "treasury", b'{"ts":' + b"8" * 400 + b"}", Reason.BAD_TIMESTAMP,
        f"ts {'8' * 40}... is outside 1990 to 2100 in microseconds",
    ),
    (
        "treasury", b'{"ts":"1985-10-26T01:21:00Z"}', Reason.BAD_TIMESTAMP,
        "ts '1985-10-26T01:21:00Z' is outside 1990 to 2100",
    ),
    (
        "treasury", b'{"ts":1735689600}', Reason.TIMESTAMP_UNIT,
        "ts 1735689600 reads as seconds; microseconds are wanted: multiply by 1,000,000",
    ),
    (
        "treasury", b'{"ts":1735689600000}', Reason.TIMESTAMP_UNIT,
        "ts 1735689600000 reads as milliseconds; microseconds are wanted: multiply by 1,000",
    ),
    (
        "treasury", b'{"ts":1735689600000000000}', Reason.TIMESTAMP_UNIT,
        "ts 1735689600000000000 reads as nanoseconds; microseconds are wanted: divide by 1,000",
    ),
    ("treasury", treasury('"bid":99,"aggressor":"Buy"'), Reason.UNKNOWN_CHOICE, "aggressor 'Buy' is none of buy, sell"),
    (
        "reference", payload(MINIMAL["reference"] | {"unit": '"eur_bn"'}), Reason.UNKNOWN_CHOICE,
        "unit 'eur_bn' is none of percent, bp, usd_bn, index, ratio",
    ),
    (
        "reference", payload(MINIMAL["reference"] | {"series": '"IORB"', "unit": '"usd_bn"'}), Reason.WRONG_UNIT,
        "IORB is kept in percent, and cannot be in usd_bn",
    ),
]  # fmt: skip
"""Stream, payload, why it is refused, and what its producer is told."""


class TestReasons:
    @pytest.mark.parametrize(("stream", "line", "reason", "detail"), GOLDEN)
    def test_what_a_producer_is_told(self, stream: str | None, line: bytes, reason: Reason, detail: str) -> None:
        expected = Reject(stream or UNKNOWN_STREAM, reason, detail, "feed", "p", 7, line)
        assert outcome(stream, line) == expected

    # An event ahead of its arrival has nothing wrong in its line: TestArrivals has its examples. Of what could not be
    # mapped tests/sources/test_mapped.py has some.
    @pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.AHEAD_OF_ARRIVAL, Reason.NOT_MAPPED}))
    def test_every_reason_has_an_example(self, reason: Reason) -> None:
        assert [line for _, line, why, _ in GOLDEN if why is reason]

    def test_the_first_failing_field_of_the_contract_is_told(self) -> None:
        line = payload(MINIMAL["treasury"] | {"venue": '""', "ask": "1000", "aggressor": '"x"'})
        reject = outcome("treasury", line)
        assert isinstance(reject, Reject)
        assert reject.detail.startswith("ask 1000 ")

    def test_of_what_cannot_be_read_too(self) -> None:
        """A timestamp and a number that cannot be read: the one that comes first in the contract is told."""
        for later in ('"bid":"x"', '"bid":"x","ask":"y"'):
            reject = outcome("treasury", f'{{{later},"ts":"soon","instrument":"A"}}'.encode())
            assert isinstance(reject, Reject)
            assert reject.reason is Reason.BAD_TIMESTAMP

    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.CHOICE, Kind.DATE, Kind.NUMBER, Kind.TEXT, Kind.TEXTS))
    def test_what_is_told_stays_short(self, stream: Stream, field: Field) -> None:
        long = '"' + "z" * 100_000 + '"'
        reject = refused(stream.name, **{field.name: f"[{long}]" if field.kind is Kind.TEXTS else long})
        assert len(reject.detail) < 200


class TestLines:
    @pytest.mark.parametrize("stream", MINIMAL)
    def test_a_line_of_exactly_the_limit_counts(self, stream: str) -> None:
        line = payload(MINIMAL[stream])
        padded = line[:-1] + b" " * (streams.MAX_LINE_BYTES - len(line)) + b"}"
        assert len(padded) == streams.MAX_LINE_BYTES
        assert outcome(stream, padded) == outcome(stream, line)
        longer = outcome(stream, padded[:-1] + b" }")
        assert isinstance(longer, Reject)
        assert longer.reason is Reason.LINE_TOO_LONG

    @pytest.mark.parametrize("stream", [*MINIMAL, None])
    @pytest.mark.parametrize("blank", [b"", b" ", b"\r", b"\n", b"\t \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r"])
    def test_blank_lines(self, stream: str | None, blank: bytes) -> None:
        reject = outcome(stream, blank)
        assert isinstance(reject, Reject)
        assert reject.reason is Reason.BLANK_LINE

    @pytest.mark.parametrize("stream", MINIMAL)
    @pytest.mark.parametrize(
        ("before", "after"), [(b"\xef\xbb\xbf", b""), (b" ", b"\r"), (b"", b"\r\n"), (b"\t", b" ")]
    )
    def test_a_byte_order_mark_and_spaces_around_an_object_do_no_harm(
        self, stream: str, before: bytes, after: bytes
    ) -> None:
        assert outcome(stream, before + payload(MINIMAL[stream]) + after) == accepted(stream)

    @pytest.mark.parametrize("stream", MINIMAL)
    def test_truncated_json_is_refused_wherever_it_was_cut(self, stream: str) -> None:
        line = payload(MINIMAL[stream])
        for length in range(1, len(line)):
            reject = outcome(stream, line[:length])
            assert isinstance(reject, Reject)
            assert reject.reason is Reason.NOT_JSON, line[:length]

    @pytest.mark.parametrize("stream", [*MINIMAL, None])
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"\x00", Reason.NOT_JSON), (b"\x00\x00\x00", Reason.NOT_JSON), (b"{}\x00", Reason.NOT_JSON),
            (b"{}{}", Reason.NOT_JSON), (b"{}\n{}", Reason.NOT_JSON), (b"{'ts':1}", Reason.NOT_JSON),
            (b'{"ts":1,}', Reason.NOT_JSON), (b'{"ts":01}', Reason.NOT_JSON), (b'{"ts":+1}', Reason.NOT_JSON),
            (b'{"ts":.5}', Reason.NOT_JSON), (b'{"ts":NaN}', Reason.NOT_JSON), (b'{"ts":Infinity}', Reason.NOT_JSON),
            (b'{"ts":-Infinity}', Reason.NOT_JSON), (b'{"x":NaN}', Reason.NOT_JSON), (b'{"ts":nan}', Reason.NOT_JSON),
            (b'{"x":"\\ud800"}', Reason.NOT_JSON), (b'{"x":"\\udc00\\ud800"}', Reason.NOT_JSON),
            (b'{"\\ud800":1}', Reason.NOT_JSON), (b'{"x":"a\nb"}', Reason.NOT_JSON), (b'{"x":"\\x"}', Reason.NOT_JSON),
            (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.NOT_JSON), (b"{" * 5_000, Reason.NOT_JSON),
            (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, Reason.NOT_JSON), (b"hello", Reason.NOT_JSON),
            (b"\xff", Reason.NOT_UTF8), (b'{"x":"\xff"}', Reason.NOT_UTF8), (b'{"\xff":1}', Reason.NOT_UTF8),
            (b'{"x":"\xed\xa0\x80"}', Reason.NOT_UTF8), (b'{"x":"\xc0\x80"}', Reason.NOT_UTF8),
            (b'{"x":"\xf4\x90\x80\x80"}', Reason.NOT_UTF8), (b"\xff\xfe{\x00}\x00", Reason.NOT_UTF8),
            (b"[]", Reason.NOT_AN_OBJECT), (b"[{}]", Reason.NOT_AN_OBJECT), (b'"{}"', Reason.NOT_AN_OBJECT),
            (b"1", Reason.NOT_AN_OBJECT), (b"-1.5e3", Reason.NOT_AN_OBJECT), (b"true", Reason.NOT_AN_OBJECT),
            (b"null", Reason.NOT_AN_OBJECT), (b"1e400", Reason.OUT_OF_RANGE),
        ],
    )  # fmt: skip
    def test_what_is_no_object(self, stream: str | None, line: bytes, reason: Reason) -> None:
        reject = outcome(stream, line)
        assert isinstance(reject, Reject)
        assert reject.reason is reason
        assert reject.raw == line

    @pytest.mark.parametrize("stream", MINIMAL)
    def test_invalid_utf_8_in_an_unknown_field_spoils_the_line(self, stream: str) -> None:
        line = payload(MINIMAL[stream])[:-1] + b',"note":"\xc3("}'
        reject = outcome(stream, line)
        assert isinstance(reject, Reject)
        assert reject.reason is Reason.NOT_UTF8
        assert reject.detail == f"byte {line.index(0xC3)} is no UTF-8"

    @pytest.mark.timeout(60)
    @pytest.mark.parametrize("tail", ["", "x", "e", ".", "e+", ".5e", "-"])
    @pytest.mark.parametrize("run", ["9", "0", ".5", "1e"])
    def test_a_long_line_takes_no_longer_than_its_length(self, run: str, tail: str) -> None:
        text = f'"{run * (streams.MAX_LINE_BYTES // len(run) - 200)}{tail}"'
        for field in ("bid", "ts", "venue", "maturity", "aggressor", "on_the_run"):
            assert refused("treasury", **{field: text}).raw == payload(MINIMAL["treasury"] | {field: text})


JSON_TYPES: dict[str, list[str]] = {
    "integer": ["7", "0", "-1", "9" * 19, "9" * 30],
    "fraction": ["7.5", "1e3", "-0.0"],
    "string": ['"text"', '""'],
    "flag": ["true", "false"],
    "array": ["[]", "[1]", "[[]]", "[null]", '["a",1]', "[true]", '[{"a":1}]'],
    "list of strings": ['["ai"]', '["a","b"]'],
    "object": ["{}", '{"a":1}'],
}
ACCEPTED_TYPES: dict[Kind, set[str]] = {
    Kind.TIMESTAMP: {"integer", "string"},
    Kind.NUMBER: {"integer", "fraction", "string"},
    Kind.TEXT: {"string"},
    Kind.CHOICE: {"string"},
    Kind.FLAG: {"flag"},
    Kind.DATE: {"string"},
    Kind.TEXTS: {"list of strings"},
}


class TestTypes:
    @pytest.mark.parametrize(("stream", "field"), fields_of(*Kind))
    def test_a_wrong_type_is_refused_in_every_field(self, stream: Stream, field: Field) -> None:
        # No theme at all is a list of strings too.
        typed = [(n, t) for n, texts in JSON_TYPES.items() for t in texts if field.kind is not Kind.TEXTS or t != "[]"]
        lines = [payload(MINIMAL[stream.name] | {field.name: text}) for _, text in typed]
        for (name, text), result in zip(typed, outcomes(stream.name, lines), strict=True):
            wrong = isinstance(result, Reject) and result.reason is Reason.WRONG_TYPE
            assert wrong == (name not in ACCEPTED_TYPES[field.kind]), (text, result)
            if isinstance(result, Reject) and wrong:
                assert re.match(rf"{field.name} must be .+, not .+", result.detail)

    @pytest.mark.parametrize(("stream", "field"), fields_of(*Kind))
    def test_of_a_field_said_twice_the_last_counts_whatever_the_first_was(self, stream: Stream, field: Field) -> None:
        event = MINIMAL[stream.name]
        rest = payload(
            {k: v for k, v in event.items() if k != field.name} | {field.name: event.get(field.name, "null")}
        )
        texts = [text for texts in JSON_TYPES.values() for text in (*texts, "null")]
        lines = [f'{{"{field.name}":{text},'.encode() + rest[1:] for text in texts]
        assert outcomes(stream.name, lines) == [accepted(stream.name)] * len(lines)

    def test_of_a_field_said_twice_the_last_counts_also_when_it_is_wrong(self) -> None:
        too_large = "9" * 400
        for last, reason in (
            ("[]", Reason.WRONG_TYPE), ("500", Reason.OUT_OF_RANGE), ('"x"', Reason.NOT_A_NUMBER),
            (too_large, Reason.OUT_OF_RANGE), ("1e400", Reason.OUT_OF_RANGE),
        ):  # fmt: skip
            for first in ("99", "[]"):
                reject = outcome("treasury", treasury(f'"bid":{first},"bid":{last}'))
                assert isinstance(reject, Reject)
                assert reject.reason is reason

    @pytest.mark.parametrize(("stream", "field"), [p for p in fields_of(*Kind) if p.values[1].required])
    def test_a_required_field(self, stream: Stream, field: Field) -> None:
        without = {name: text for name, text in MINIMAL[stream.name].items() if name != field.name}
        for event in (without, without | {field.name: "null"}):
            reject = outcome(stream.name, payload(event))
            assert isinstance(reject, Reject)
            assert (reject.reason, reject.detail) == (Reason.MISSING_FIELD, f"{field.name} is missing")

    @pytest.mark.parametrize("stream", [s for s in streams.STREAMS.values() if s.one_of], ids=lambda s: s.name)
    def test_one_of_a_group_is_needed(self, stream: Stream) -> None:
        for group in stream.one_of:
            without = {name: text for name, text in MINIMAL[stream.name].items() if name not in group}
            nulls = without | dict.fromkeys(group, "null")
            zeros = without | {name: "0" for name in group if stream.field(name).zero_is_missing}
            for event in (without, nulls, zeros):
                reject = outcome(stream.name, payload(event))
                assert isinstance(reject, Reject)
                assert reject.reason is Reason.MISSING_FIELD
                assert reject.detail == f"one of {', '.join(group)} is needed"


NO_NUMBERS = [
    "", " ", "x", "nan", "NaN", "inf", "-inf", "Infinity", "1,5", "1_0", "0x10", " 1", "1 ", "+1", "--1", "1e", "e1",
    ".", "-", "1.2.3", "1/2", "1e1.5", "\u0661\u0662", "\uff11\uff12", "1\u00a0", "99-16", "true", "null", "\u00bd",
]  # fmt: skip


class TestNumbers:
    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.NUMBER))
    def test_the_edges_of_the_range(self, stream: Stream, field: Field) -> None:
        low, high = field.low, field.high
        assert accepted(stream.name, **{field.name: repr(low)})[field.column] == round(low * field.scale)
        if field.high_included:
            assert accepted(stream.name, **{field.name: repr(high)})[field.column] == round(high * field.scale)
            above = math.nextafter(high, math.inf)
        else:
            above = high
        outside = [math.nextafter(low, -math.inf), above, low - 1e9, high + 1e9, -1e300, 1e300]
        if field.zero_is_missing:
            outside += [1e-9, -1e-9, 0.999999]
        for value in outside:
            for text in (repr(value), f'"{value!r}"'):
                reject = refused(stream.name, **{field.name: text})
                assert reject.reason is Reason.OUT_OF_RANGE, text
                assert reject.detail.startswith(f"{field.name} {repr(value).removesuffix('.0')} is outside ")
                assert reject.detail.endswith(f"({field.unit})")

    @pytest.mark.parametrize(("stream", "field"), [p for p in fields_of(Kind.NUMBER) if p.values[1].scale == 1])
    def test_what_is_counted_in_ones_is_whole(self, stream: Stream, field: Field) -> None:
        for value in (1.4, 1.5, math.nextafter(7, 0), math.nextafter(7, 8), field.high - 0.001):
            for text in (repr(value), f'"{value!r}"'):
                reject = refused(stream.name, **{field.name: text})
                assert reject.reason is Reason.OUT_OF_RANGE
                assert reject.detail == f"{field.name} {value!r} is no whole number"
        for text in ("7", "7.0", "7e0", '"7"', '"7.00"'):
            assert accepted(stream.name, **{field.name: text})[field.column] == 7
        for text in ("0.5", repr(field.high + 0.5)):
            assert " is outside " in refused(stream.name, **{field.name: text}).detail, "the range is told first"

    def test_which_fields_are_counted_in_ones(self) -> None:
        whole = [field.name for _, field in ALL_FIELDS if field.kind is Kind.NUMBER and field.scale == 1]
        assert whole == ["term_days", "index_series"]

    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.NUMBER))
    def test_a_string_that_is_no_decimal_number(self, stream: Stream, field: Field) -> None:
        for text, reject in zip(
            NO_NUMBERS, all_refused(stream, field, [f'"{text}"' for text in NO_NUMBERS]), strict=True
        ):
            assert reject.reason is Reason.NOT_A_NUMBER
            assert reject.detail == f"{field.name} {text!r} is no decimal number"

    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.NUMBER))
    def test_a_number_beyond_doubles(self, stream: Stream, field: Field) -> None:
        texts = ["1e400", "-1e400", "9" * 400, '"1e400"', '"-1e400"', "9" * 5_000, "1e99999"]
        for reject in all_refused(stream, field, texts):
            assert reject.reason is Reason.OUT_OF_RANGE
            assert reject.detail.startswith(f"{field.name} ")

    def test_a_timestamp_beyond_integers(self) -> None:
        assert refused("cds", ts="9" * 4_000).reason is Reason.BAD_TIMESTAMP
        assert refused("cds", ts="9" * 100_000).reason is Reason.OUT_OF_RANGE


CONTROL = [*range(0x20), *range(0x7F, 0xA0)]


class TestTexts:
    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.TEXT, Kind.TEXTS))
    def test_bad_text(self, stream: Stream, field: Field) -> None:
        bad = ["", " ", " a", "a ", "x" * 129, "é" * 129, "a\\n", "\\u0000", "a\\u0000b", "\\t", "\u00a0a", "a\u3000"]
        texts = [f'"{text}"' if field.kind is Kind.TEXT else f'["ok","{text}"]' for text in bad]
        assert {reject.reason for reject in all_refused(stream, field, texts)} == {Reason.BAD_TEXT}

    def test_control_characters(self) -> None:
        spellings = [f"\\u{point:04x}" for point in CONTROL] + [chr(point) for point in CONTROL if point > 0x7E]
        texts = [text for spelling in spellings for text in (f"a{spelling}b", spelling, f"{spelling}a")]
        instrument, themes = streams.TREASURY.field("instrument"), streams.CDS.field("themes")
        for rejects in (
            all_refused(streams.TREASURY, instrument, [f'"{text}"' for text in texts]),
            all_refused(streams.CDS, themes, [f'["{text}"]' for text in texts]),
        ):
            assert {reject.reason for reject in rejects} == {Reason.BAD_TEXT}

    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.CHOICE))
    def test_choices(self, stream: Stream, field: Field) -> None:
        convertible = {"series": '"SOME"'} if stream.name == "reference" else {}
        for choice in field.choices:
            assert accepted(stream.name, **convertible | {field.name: f'"{choice}"'})[field.column] == choice
            for wrong in (choice.upper(), f" {choice}", f"{choice} ", choice[:-1], f"{choice}\\u0000"):
                assert refused(stream.name, **{field.name: f'"{wrong}"'}).reason is Reason.UNKNOWN_CHOICE
        assert refused(stream.name, **{field.name: '""'}).reason is Reason.UNKNOWN_CHOICE


def _is_date(text: str) -> bool:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        return 1990 <= date.fromisoformat(text).year <= 2099
    except ValueError:
        return False


ALMOST_DATES = st.one_of(
    st.text("0123456789- +", min_size=7, max_size=12),
    st.builds("{:04d}-{:02d}-{:02d}".format, st.integers(1985, 2105), st.integers(0, 13), st.integers(0, 32)),
    st.builds("{:4d}-{:2d}-{:2d}".format, st.integers(1990, 2099), st.integers(1, 12), st.integers(1, 28)),
    st.builds("2025{}01{}03".format, st.sampled_from("-/. "), st.sampled_from("-/. ")),
)  # fmt: skip


NO_DATES = [
    "", "2025-1-3", "2025-01-3", "20250103", "2025-01-031", "2025- 1- 3", " 2025-1-3 ", "+2025-1-03", "-025-01-01",
    "2025-02-29", "2025-13-01", "2025-00-10", "2025-01-00", "2025-01-01T00:00:00", "2025-01-01Z", "today",
    "1989-12-31", "2100-01-01", "0000-01-01", "\u0662\u0660\u0662\u0665-01-01", "2025/01/01", "01-01-2025",
    "2025\u201301\u201301", "2025-01-01\\n", "2025-01-01 ",
]  # fmt: skip


class TestDates:
    @pytest.mark.parametrize(("stream", "field"), fields_of(Kind.DATE))
    def test_what_is_no_date(self, stream: Stream, field: Field) -> None:
        rejects = all_refused(stream, field, [f'"{text}"' for text in NO_DATES])
        assert {reject.reason for reject in rejects} == {Reason.BAD_DATE}

    @properties
    @given(ALMOST_DATES)
    def test_a_date_is_what_python_says_it_is(self, text: str) -> None:
        result = outcome("treasury", payload(MINIMAL["treasury"] | {"maturity": f'"{text}"'}))
        if _is_date(text):
            assert isinstance(result, dict)
            assert result["maturity"] == date.fromisoformat(text)
        else:
            assert isinstance(result, Reject)
            assert result.reason is Reason.BAD_DATE

    @properties
    @given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(-3, 3))
    def test_a_benchmark_is_for_no_day_after_its_own(self, day: date, ahead: int) -> None:
        noon = f'"{day}T17:00:00Z"'
        fields = {"kind": '"benchmark"', "ts": noon, "value_date": f'"{day + timedelta(days=ahead)}"'}
        result = outcome("repo", payload(MINIMAL["repo"] | fields))
        assert isinstance(result, Reject) == (ahead > 0)
        if isinstance(result, Reject):
            assert result.reason is Reason.BAD_DATE


class TestArrivals:
    """An event may be ahead of its recorded arrival by 5 s, and no more: it would drag the watermark along."""

    LIMIT = 5_000_000
    SENTENCE = "ts is {} s ahead of its arrival, and at most 5 s are allowed: set the producer's clock"

    @staticmethod
    def batch(stream: str | None, lines: list[bytes], arrived_us: list[int] | None) -> RawBatch:
        return RawBatch("feed", stream, "p", range(7, 7 + len(lines)), lines, arrived_us)

    @pytest.mark.parametrize("stream", MINIMAL)
    @pytest.mark.parametrize(
        ("ahead_us", "told"),
        [
            (-10**12, None), (0, None), (LIMIT - 1, None), (LIMIT, None), (LIMIT + 1, "5.0"), (6_250_000, "6.2"),
            (3_600_000_000, "3,600.0"),
        ],
    )  # fmt: skip
    def test_to_the_microsecond(self, stream: str, ahead_us: int, told: str | None) -> None:
        line = payload(MINIMAL[stream])
        [decoded] = DECODER.decode(self.batch(stream, [line], [TS - ahead_us]))
        assert decoded.events.height == (told is None)
        reasons = [] if told is None else [(Reason.AHEAD_OF_ARRIVAL, self.SENTENCE.format(told), 7, line)]
        assert [(r.reason, r.detail, r.offset, r.raw) for r in decoded.rejects] == reasons

    @pytest.mark.parametrize("stream", MINIMAL)
    def test_without_arrivals_nothing_is_refused(self, stream: str) -> None:
        line = payload(MINIMAL[stream] | {"ts": str(streams.LATEST_TS_US - 1)})
        [decoded] = DECODER.decode(self.batch(stream, [line], None))
        assert (decoded.events.height, decoded.rejects) == (1, ())

    def test_each_line_has_its_own_arrival(self) -> None:
        """Also of a batch of several streams, and beside lines that are refused for another reason."""
        lines = [
            b'{"stream":"repo",' + payload(MINIMAL["repo"])[1:],
            b"x",
            b'{"stream":"cds",' + payload(MINIMAL["cds"])[1:],
            b'{"stream":"repo",' + payload(MINIMAL["repo"] | {"rate": "99"})[1:],
            b'{"stream":"repo",' + payload(MINIMAL["repo"])[1:],
            b'{"stream":"cds",' + payload(MINIMAL["cds"])[1:],
        ]
        far, near = TS - self.LIMIT - 1, TS - self.LIMIT
        found = DECODER.decode(self.batch(None, lines, [far, near, near, far, near, far]))
        assert {d.stream: d.events["offset"].to_list() for d in found if d.events.height} == {"repo": [11], "cds": [9]}
        assert {r.offset: r.reason for d in found for r in d.rejects} == {
            7: Reason.AHEAD_OF_ARRIVAL, 8: Reason.NOT_JSON, 10: Reason.OUT_OF_RANGE, 12: Reason.AHEAD_OF_ARRIVAL,
        }  # fmt: skip

    def test_what_is_refused_does_not_move_the_watermark(self) -> None:
        hour = 3_600_000_000
        lines = [payload(MINIMAL["treasury"] | {"ts": str(TS + at)}) for at in (0, hour, 1_000_000)]
        marks = []
        for arrived_us in ([TS] * 3, None):
            partition = Partition("p", 2_000_000)
            pushed = partition.push(DECODER.decode(self.batch("treasury", lines, arrived_us)), NO_TICK)
            marks.append((partition.watermark.value_us, pushed.late))
        assert marks == [(TS - 1_000_000, {"treasury": 0}), (TS + hour - 2_000_000, {"treasury": 1})]
