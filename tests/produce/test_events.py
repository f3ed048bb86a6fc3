"""What of an event is looked at: its key, whether it is a print, and its stream in a file of all streams."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.engine.decode import Decoder
from monitor.produce.events import Event, key_and_print, one_line, with_number, with_stream
from monitor.sources.base import RawBatch
from monitor.streams import STREAMS
from tests.produce.made import as_told, small_story


@pytest.mark.parametrize(
    ("stream", "text", "key", "is_print"),
    [
        ("treasury", '{"ts":1,"instrument":"UST-10Y","bid":99}', b"UST-10Y", False),
        ("treasury", '{"ts":1,"instrument":"UST-10Y","bid":99,"close":null}', b"UST-10Y", False),
        ("treasury", '{"ts":1,"instrument":"UST-10Y","bid":99,"close":"98.5"}', b"UST-10Y", True),
        ("repo", '{"instrument":"GC-ON","rate":5}', b"GC-ON", False),
        ("repo", '{"instrument":"GC-ON","kind":"trade"}', b"GC-ON", False),
        ("repo", '{"kind":"benchmark","instrument":"SOFR"}', b"SOFR", True),
        ("cds", '{"entity":"Zürich","bid":50,"ask":52}', "Zürich".encode(), False),
        ("cds", '{"entity":"A","bid":50,"ask":52,"mid":51}', b"A", False),
        ("cds", '{"entity":"A","mid":51}', b"A", True),
        ("newissue", '{"deal_id":"D-1","status":"priced"}', b"D-1", True),
        ("reference", '\ufeff{"series":"IORB","value":5}', b"IORB", True),
        ("reference", '{"series":"A","series":"B"}', b"B", True),
        ("treasury", '{"instrument":7,"bid":99}', None, False),
        ("treasury", '{"bid":99}', None, False),
        ("treasury", '["UST-10Y"]', None, False),
        ("repo", '{"instrument":"GC', None, False),
        ("repo", "", None, False),
    ],
)
def test_key_and_print(stream: str, text: str, key: bytes | None, is_print: bool) -> None:
    assert key_and_print(Event(stream, text.encode())) == (key, is_print)


def test_bytes_that_are_no_text_have_no_key() -> None:
    assert key_and_print(Event("repo", b'{"instrument":"\xff"}')) == (None, False)
    assert key_and_print(Event("repo", b"[" * 100_000)) == (None, False)


def test_every_event_of_a_story_has_its_key() -> None:
    told = as_told(small_story().all_at_once())
    assert told.keys() == STREAMS.keys() - {"newissue"}
    for stream, payloads in told.items():
        for payload in payloads[::10]:
            key, _ = key_and_print(Event(stream, payload))
            assert key == json.loads(payload)[STREAMS[stream].message_key].encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["ts", "stream", "seq", "rate", "x", "ä"]) | st.text(max_size=4), VALUES, max_size=5
    ),
    st.sampled_from(sorted(STREAMS)),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_an_object_with_its_stream_is_the_same_object(
    made: dict[str, object], stream: str, ascii_: bool, indent: int | None
) -> None:
    event = Event(stream, json.dumps(made, ensure_ascii=ascii_, indent=indent).encode())
    assert json.loads(with_stream(event)) == made | {"stream": stream}
    assert json.loads(with_number(event, 7)) == made | {"stream": stream, "seq": 7}
    assert b"\n" not in with_stream(event) + with_number(event, 7)


def test_the_stream_wins_over_one_that_the_object_says_however_it_is_written() -> None:
    for text in (b'{"stream":"cds","rate":1}', b'{"str\\u0065am":"cds","rate":1}', b'{"rate":1,"stream":7}'):
        assert json.loads(with_stream(Event("repo", text))) == {"stream": "repo", "rate": 1}


@pytest.mark.parametrize("text", [b"", b"[1]", b"nonsense", b'{"stream":"re', b"\xff\xfe"])
def test_what_is_no_object_stays_as_it_is(text: bytes) -> None:
    assert with_stream(Event("repo", text)) == with_number(Event("repo", text), 7) == text


def test_the_digits_of_numbers_stay() -> None:
    line = with_stream(Event("repo", b'{"stream":"x","rate":5.3100000000000000001,"id":"1"}'))
    assert line == b'{"stream":"repo","rate":5.3100000000000000001,"id":"1"}'


def test_a_file_of_all_streams_is_read_again() -> None:
    text = b'{"ts":1730000000000000,"instrument":"SOFR","rate":5.31}'
    batch = RawBatch("f", None, "f", [1], [with_stream(Event("repo", text))])
    (decoded,) = Decoder().decode(batch)
    assert (decoded.stream, decoded.events.height) == ("repo", 1)


def test_one_line() -> None:
    assert one_line(b'{\n"a":1}') == b'{ "a":1}'
    assert one_line(b"{}") == b"{}"
