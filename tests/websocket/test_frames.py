"""Frames as payloads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.websocket.frames import payloads_of
from monitor.streams import MAX_LINE_BYTES

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


objects = st.dictionaries(st.text("ab", max_size=2), values, max_size=3)


@given(st.lists(objects, max_size=8), st.sampled_from([None, 1]), st.booleans(), st.sampled_from(["", " ", "\n\t "]))
def test_the_objects_of_an_array_are_payloads(array: list[Any], indent: int | None, ascii_: bool, before: str) -> None:
    frame = (before + json.dumps(array, indent=indent, ensure_ascii=ascii_)).encode()
    assert [json.loads(each) for each in payloads_of(frame)] == array
    assert all(each in frame for each in payloads_of(frame))


@given(
    st.lists(objects, max_size=3),
    values.filter(lambda value: not isinstance(value, dict)),
    st.lists(objects, max_size=3),
)
def test_an_array_of_anything_else_stays_whole_for_a_mapping(before: list[Any], other: Any, after: list[Any]) -> None:
    frame = json.dumps([*before, other, *after]).encode()
    assert payloads_of(frame) == [frame]


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
