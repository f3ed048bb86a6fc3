"""Decoding hostile input: nothing raises, nothing is lost, and a payload's fate is its own.

Valid lines, valid lines with something broken in them, and bytes at random are mixed in a batch. Each payload must
become the same event, or the same reject, as it does alone, however the batch is cut.
"""

from __future__ import annotations

import json
import math
from datetime import date
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import streams
from monitor.engine.decode import UNKNOWN_STREAM, Decoded, Decoder, Reject, schema
from monitor.sources.base import RawBatch
from monitor.streams import Field, Kind, Stream

DECODER = Decoder()
FIRST_OFFSET = 1_000

fuzzing = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
SECOND_OF_JANUARY_1990_US = streams.EARLIEST_TS_US + 86_400_000_000


def _values(field: Field) -> st.SearchStrategy[Any]:
    """Values of a field that its contract allows."""
    match field.kind:
        case Kind.TIMESTAMP:
            instants = st.integers(SECOND_OF_JANUARY_1990_US, streams.LATEST_TS_US - 1)
            return (
                instants | instants.map(str) | st.sampled_from(["2025-01-31T13:00:00Z", "2025-01-31t08:00:00.5-05:00"])
            )
        case Kind.NUMBER:
            high = field.high if field.high_included else field.high - 1 / field.scale
            whole = st.integers(math.ceil(field.low), math.floor(high))
            numbers = whole if field.scale == 1 else st.floats(field.low, high) | whole
            return numbers | numbers.map(lambda n: f"{n:.17g}")
        case Kind.CHOICE:
            return st.sampled_from(field.choices)
        case Kind.FLAG:
            return st.booleans()
        case Kind.DATE:
            return st.dates(date(1990, 1, 1), date(2099, 12, 31)).map(str)
        case Kind.TEXTS:
            return st.lists(TEXTS, max_size=3)
        case Kind.TEXT:
            # A series that is not known is kept in whatever unit it comes with.
            return TEXTS.map(lambda text: f"x{text}") if field.name == "series" else TEXTS


def _events(stream: Stream) -> st.SearchStrategy[dict[str, Any]]:
    """Events that meet their contract."""
    needed = {f.name for f in stream.fields if f.required} | {group[0] for group in stream.one_of}
    required = {f.name: _values(f) for f in stream.fields if f.name in needed}
    optional = {
        f.name: _values(f) | st.none() | (st.just(0) if f.zero_is_missing else st.nothing())
        for f in stream.fields
        if f.name not in needed
    }

    def sound(event: dict[str, Any]) -> dict[str, Any]:
        if event.get("kind") == streams.REPO_BENCHMARK:
            event.pop("value_date", None)  # it may be after the day of ts
        return event

    return st.fixed_dictionaries(required, optional=optional).map(sound)


EVENTS = {name: _events(stream) for name, stream in streams.STREAMS.items()}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NASTY = [
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 30, "9" * 400, "9" * 5_000, "01", "1.", "-", "nul",
    '"nan"', '"1e400"', '"' + "9" * 400 + '"', '"\\ud800"', '"\\u0000"', '"\\udc00\\ud800"', '"a', "[" * 2_000,
    '"2025-13-45"', '"2025- 1- 3"', '"2025-01-01T25:00:00Z"', '"0001-01-01T00:00:00+14:00"', '""', '" "', "1735689600",
    '"\u0661"', "\x00", "1e-400", "-0.0", "{}", "[]", "[[]]", "[null]", '"' + "x" * 300 + '"', "true", "null",
]  # fmt: skip


@st.composite
def _valid(draw: st.DrawFn, stream: str, *, named: bool) -> bytes:
    event = draw(EVENTS[stream])
    if named:
        event = {"stream": stream} | event
    if draw(st.booleans()):
        event = event | {"unheard of": draw(JSON_VALUES)}
    return json.dumps(event, ensure_ascii=draw(st.booleans())).encode()


@st.composite
def _mutated(draw: st.DrawFn, line: bytes) -> bytes:
    """The line with some bytes of it flipped, cut out, doubled, put in or cut off."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(len(line), start + 12)))
        middle = draw(st.sampled_from([b"", line[start:end] * 2]) | st.binary(max_size=6))
        line = line[:start] + middle + line[end:]
    return line[: draw(st.integers(0, len(line)))] if draw(st.integers(0, 4)) == 0 else line


@st.composite
def _misfilled(draw: st.DrawFn, stream: str, *, named: bool) -> bytes:
    """An event of which a field, or the unknown one, holds anything; perhaps beside its sound value."""
    event = draw(EVENTS[stream]) | {"unheard of": 1}
    name = draw(st.sampled_from([f.name for f in streams.STREAMS[stream].fields] + ["unheard of", "stream"]))
    text = draw(st.sampled_from(NASTY) | JSON_VALUES.map(json.dumps))
    pairs = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in event.items() if key != name]
    if draw(st.booleans()) and name in event:
        pairs.append(f"{json.dumps(name)}:{json.dumps(event[name])}")
    if named:
        pairs.insert(0, f'"stream":"{stream}"')
    pairs.insert(draw(st.integers(0, len(pairs))), f"{json.dumps(name)}:{text}")
    return ("{" + ",".join(pairs) + "}").encode()


def _hostile(stream: str, *, named: bool) -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.binary(max_size=40),
        st.sampled_from(NASTY).map(str.encode),
        JSON_VALUES.map(lambda value: json.dumps(value).encode()),
        _misfilled(stream, named=named),
        _valid(stream, named=named).flatmap(_mutated),
    )


Lines = list[tuple[bytes, bool]]
"""Payloads, and whether each is known to be valid."""


def _lines(stream: str, *, named: bool = False) -> st.SearchStrategy[Lines]:
    valid = st.tuples(_valid(stream, named=named), st.just(value=True))
    return st.lists(valid | st.tuples(_hostile(stream, named=named), st.just(value=False)), max_size=10)


MIXED_LINES = st.lists(st.sampled_from(list(EVENTS)).flatmap(lambda name: _lines(name, named=True)), max_size=3).map(
    lambda parts: [line for part in parts for line in part]
)


def _decode(stream: str | None, payloads: list[bytes], first: int) -> list[Decoded]:
    return DECODER.decode(RawBatch("feed", stream, "p", range(first, first + len(payloads)), payloads))


def _together(parts: list[list[Decoded]]) -> dict[str, tuple[pl.DataFrame, list[Reject]]]:
    """The frames and rejects of consecutive batches, by stream."""
    decoded = [d for part in parts for d in part]
    return {
        name: (
            pl.concat([d.events for d in decoded if d.stream == name]),
            [r for d in decoded if d.stream == name for r in d.rejects],
        )
        for name in {d.stream for d in decoded}
    }


def _check(stream: str | None, lines: Lines, data: st.DataObject) -> None:
    payloads = [line for line, _ in lines]
    whole = _together([_decode(stream, payloads, FIRST_OFFSET)])

    kept: list[int] = []
    refused: list[int] = []
    for name, (events, rejects) in whole.items():
        assert name == stream or stream is None
        assert dict(events.schema) == ({} if name == UNKNOWN_STREAM else schema(streams.STREAMS[name]))
        kept_here = events["offset"].to_list() if events.width else []
        refused_here = [r.offset for r in rejects]
        for offsets in (kept_here, refused_here):
            assert all(a < b for a, b in pairwise(offsets)), "in the order of the batch"
        for r in rejects:
            assert (r.stream, r.source, r.partition) == (name, "feed", "p")
            assert r.raw == payloads[r.offset - FIRST_OFFSET]
            assert 0 < len(r.detail) < 400
        kept += kept_here
        refused += refused_here
    assert sorted(kept + refused) == list(range(FIRST_OFFSET, FIRST_OFFSET + len(lines))), "each exactly once"
    assert {FIRST_OFFSET + i for i, (_, valid) in enumerate(lines) if valid} <= set(kept)

    cuts = sorted(data.draw(st.sets(st.integers(0, len(lines)), max_size=3)) | {0, len(lines)})
    for edges in (cuts, range(len(lines) + 1)):
        pieces = [_decode(stream, payloads[a:b], FIRST_OFFSET + a) for a, b in pairwise(edges)]
        cut = _together(pieces) if pieces else whole
        assert cut.keys() == whole.keys()
        for name, (events, rejects) in whole.items():
            assert cut[name][0].equals(events), "however the batch is cut"
            assert cut[name][1] == rejects


@pytest.mark.parametrize("stream", EVENTS)
class TestOneStream:
    @fuzzing
    @given(st.data())
    def test_valid_lines_are_accepted(self, stream: str, data: st.DataObject) -> None:
        lines = data.draw(st.lists(_valid(stream, named=False), min_size=1, max_size=5))
        [decoded] = _decode(stream, lines, FIRST_OFFSET)
        assert decoded.rejects == ()

    @fuzzing
    @given(st.data())
    def test_a_batch(self, stream: str, data: st.DataObject) -> None:
        _check(stream, data.draw(_lines(stream)), data)

    @fuzzing
    @given(st.lists(st.binary(max_size=200), max_size=20), st.data())
    def test_bytes_at_random(self, stream: str, lines: list[bytes], data: st.DataObject) -> None:
        _check(stream, [(line, False) for line in lines], data)

    def test_nasty_values_in_every_field(self, stream: str) -> None:
        minimal = {f.name: 1 for f in streams.STREAMS[stream].fields if f.required}
        lines = []
        for name in [*(f.name for f in streams.STREAMS[stream].fields), "unheard of", "stream"]:
            rest = json.dumps({key: value for key, value in minimal.items() if key != name})[1:]
            comma = "" if rest == "}" else ","
            lines += [f'{{"{name}":{text}{comma}{rest}'.encode() for text in NASTY]
        together = _together([_decode(stream, lines, 0)])
        alone = _together([_decode(stream, [line], i) for i, line in enumerate(lines)])
        assert together[stream][0].equals(alone[stream][0])
        assert together[stream][1] == alone[stream][1]


class TestAllStreams:
    @fuzzing
    @given(MIXED_LINES, st.data())
    def test_a_batch(self, lines: Lines, data: st.DataObject) -> None:
        _check(None, lines, data)

    @fuzzing
    @given(st.lists(st.binary(max_size=200), max_size=20), st.data())
    def test_bytes_at_random(self, lines: list[bytes], data: st.DataObject) -> None:
        _check(None, [(line, False) for line in lines], data)

    @fuzzing
    @given(MIXED_LINES)
    def test_an_object_is_decoded_as_it_is_by_its_own_stream(self, lines: Lines) -> None:
        payloads = [line for line, _ in lines]
        for decoded in _decode(None, payloads, 0):
            if decoded.stream == UNKNOWN_STREAM:
                continue
            offsets = sorted([*decoded.events["offset"].to_list(), *(r.offset for r in decoded.rejects)])
            batch = RawBatch("feed", decoded.stream, "p", offsets, [payloads[i] for i in offsets])
            [alone] = DECODER.decode(batch)
            assert alone.events.equals(decoded.events)
            assert alone.rejects == decoded.rejects
