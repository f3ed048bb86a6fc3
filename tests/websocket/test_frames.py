"""Frames as payloads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.decode import Decoder
from monitor.mapping import FieldRule, Mapper, Shape
from monitor.sources.base import LINES_A_MESSAGE, RawBatch
from monitor.sources.websocket.frames import payloads_of
from monitor.streams import MAX_LINE_BYTES, Reason

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


objects = st.dictionaries(st.text("ab", max_size=2), values, max_size=3)


@given(st.lists(objects, max_size=8), st.sampled_from([None, 1]), st.booleans(), st.sampled_from(["", " ", "\n\t "]))
def test_the_elements_of_an_array_of_objects_are_payloads(
    array: list[Any], indent: int | None, ascii_: bool, before: str
) -> None:
    frame = (before + json.dumps(array, indent=indent, ensure_ascii=ascii_)).encode()
    assert [json.loads(each) for each in payloads_of(frame)] == array
    assert all(each in frame for each in payloads_of(frame))


@given(st.lists(values, min_size=1, max_size=8).filter(lambda array: not all(type(each) is dict for each in array)),
       st.sampled_from([None, 1]), st.sampled_from(["", " ", "\n\t "]))  # fmt: skip
def test_any_other_array_is_one_payload_as_it_stands(array: list[Any], indent: int | None, around: str) -> None:
    frame = (around + json.dumps(array, indent=indent) + around).encode()
    assert payloads_of(frame) == [frame]


def test_any_other_array_is_for_a_mapping_to_read_and_refused_without_one() -> None:
    frame = b'[42,"q",{"ts":1700000000000000,"instrument":"A","bid":99}]'
    fields = {name: FieldRule(paths=(f"2.{name}",)) for name in ("ts", "instrument", "bid")}
    mapper = Mapper(Shape(stream="treasury", fields=fields))
    [payload] = payloads_of(frame)
    assert mapper.outcomes(payload) == [b'{"ts":1700000000000000,"instrument":"A","bid":99}']
    [decoded] = Decoder().decode(RawBatch("desk", "treasury", "desk", [0], [payload]))
    assert [(each.reason, each.raw) for each in decoded.rejects] == [(Reason.NOT_AN_OBJECT, frame)]


def test_of_an_array_of_arrays_each_is_an_event() -> None:
    fields = {name: FieldRule(paths=(str(at),)) for at, name in enumerate(("ts", "instrument", "bid"))}
    mapper = Mapper(Shape(stream="treasury", fields=fields, events="$"))
    made = [each for payload in payloads_of(b'[[1,"A",99],[2,"B",98]]') for each in mapper.outcomes(payload)]
    assert made == [b'{"ts":1,"instrument":"A","bid":99}', b'{"ts":2,"instrument":"B","bid":98}']


@given(st.lists(objects, max_size=4))
def test_the_events_of_an_array_of_objects_are_the_same_taken_apart_or_whole(array: list[Any]) -> None:
    fields = {"ts": FieldRule(constant=1), "instrument": FieldRule(constant="A"), "bid": FieldRule(paths=("a",))}
    mapper = Mapper(Shape(stream="treasury", fields=fields, events="$"))
    frame = json.dumps(array).encode()
    assert [each for payload in payloads_of(frame) for each in mapper.outcomes(payload)] == mapper.outcomes(frame)


@given(st.lists(st.binary(max_size=9).filter(lambda line: b"\n" not in line and b"[" not in line), max_size=9))
def test_lines_are_payloads_and_nothing_of_them_is_lost(lines: list[bytes]) -> None:
    if lines:
        assert payloads_of(b"\n".join([*lines, b""])) == lines


def test_what_is_too_long_is_cut() -> None:
    long = b'"' + b"x" * (MAX_LINE_BYTES + 9) + b'"'
    for frame in (long, b"[" + long + b"]", b"[" + long, b"1\n" + long):
        assert len(payloads_of(frame)[-1]) == MAX_LINE_BYTES + 1


def test_an_array_of_more_than_there_are_positions_for_is_one_payload() -> None:
    frame = b"[" + b"1," * LINES_A_MESSAGE + b"1]"
    assert payloads_of(frame) == [frame[: MAX_LINE_BYTES + 1]]


def test_an_array_as_deep_as_it_likes_is_one_payload() -> None:
    frame = b"[" * 100_000 + b"]" * 100_000
    assert len(payloads_of(frame)) == 1
