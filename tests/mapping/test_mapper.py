"""What one mapping makes of a message: exactly what was sent, or a refusal, or nothing by a rule."""

from __future__ import annotations

import json
import re
from decimal import Decimal, Inexact
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.engine.decode import Decoder
from monitor.mapping import Dropped, FieldRule, Mapper, MappingError, NotMapped, Shape, StreamRule
from monitor.sources.base import RawBatch
from monitor.streams import MAX_LINE_BYTES, STREAMS
from tests.mapping.made import TS, US, drop, one, rule, treasury

properties = settings(deadline=None)
QUOTE: dict[str, Any] = {"t": US, "i": "X"}


def why(outcome: object) -> str:
    assert isinstance(outcome, NotMapped), outcome
    return outcome.why


def test_fields_are_renamed_and_what_is_not_there_is_left_out() -> None:
    assert one(treasury(), QUOTE | {"b": 99, "other": 1}) == {"ts": US, "instrument": "X", "bid": 99}
    assert one(treasury(), QUOTE | {"b": None}) == {"ts": US, "instrument": "X"}


def test_paths_go_into_objects_and_arrays() -> None:
    mapper = treasury({"bid": rule("q.0.px"), "ask": rule("$.q.1.px"), "venue": rule("none.at.all")})
    assert one(mapper, QUOTE | {"q": [{"px": 1}, {"px": 2}]}) == {"ts": US, "instrument": "X", "bid": 1, "ask": 2}
    assert "bid" not in one(mapper, QUOTE | {"q": []}), "a place that the array does not have"
    assert "is an array: px is no place in it" in why(one(treasury({"bid": rule("q.px")}), QUOTE | {"q": [1]}))
    assert why(one(mapper, QUOTE | {"q": "text"})) == "bid from q.0.px: q is 'text', and has no 0"


def test_of_several_paths_the_first_that_is_there_counts() -> None:
    mapper = treasury({"bid": rule("a", "b", empty=("-",), default=7)})
    assert one(mapper, QUOTE | {"a": 1, "b": 2})["bid"] == 1
    assert one(mapper, QUOTE | {"a": None, "b": 2})["bid"] == 2
    assert one(mapper, QUOTE | {"a": "-", "b": 2})["bid"] == 2
    assert one(mapper, QUOTE | {"a": "-", "b": "-"})["bid"] == 7
    assert one(mapper, QUOTE)["bid"] == 7
    assert one(mapper, QUOTE | {"a": 0, "b": 2})["bid"] == 0, "a zero is there"


@pytest.mark.parametrize("digits", ["0e-9999999", "0e9999999", "-0.0e-500", "1e-9999999", "9e9999999"])
@pytest.mark.parametrize("how", [{}, {"scale": Decimal("0.01")}])
def test_no_number_breaks_the_mapper(digits: str, how: dict[str, Any]) -> None:
    mapper = treasury({"bid": rule("b", **how)})
    [outcome] = mapper.outcomes(b'{"t":1700000000000000,"i":"X","b":%s}' % digits.encode())
    if isinstance(outcome, bytes):
        [decoded] = Decoder().decode(RawBatch("s", "treasury", "s", [0], [outcome]))
        assert decoded.rejects or decoded.events["bid_e8"].to_list() == [None], "it is 0, or refused"


def test_numbers_keep_their_digits() -> None:
    assert one(treasury(), b'{"t":1700000000000000,"i":"X","b":99.10}')["bid"] == "99.10"
    assert (
        one(treasury(), b'{"t":1700000000000000,"i":"X","b":0.1234567890123456789}')["bid"] == "0.1234567890123456789"
    )


ZEROS = st.builds("{}0{}e{}".format, st.sampled_from(["", "-"]), st.sampled_from(["", ".0", ".000"]),
                  st.integers(-(10**9), 10**9)).map(Decimal)  # fmt: skip
"""Zeros of any exponent: JSON has them, and decimal arithmetic has bounds."""


@properties
@given(st.one_of(st.integers(), st.decimals(allow_nan=False, allow_infinity=False), ZEROS, st.booleans(), st.none(),
                 st.text(), st.lists(st.integers(), max_size=2), st.dictionaries(st.text(), st.integers(), max_size=2)),
       st.sampled_from([None, "1e-9", "0.01", "100"]), st.sampled_from([None, "32nds"]))  # fmt: skip
def test_no_number_comes_out_that_was_not_sent(sent: Any, scale: str | None, format_: str | None) -> None:
    by = None if scale is None else Decimal(scale)
    mapper = treasury({"bid": rule("b", scale=by, format=format_)})
    said = str(sent) if isinstance(sent, Decimal) else json.dumps(sent)
    outcome = one(mapper, f'{{"t":{US},"i":"X","b":{said}}}'.encode())
    if isinstance(outcome, NotMapped):
        return
    if sent is None:
        assert "bid" not in outcome
    elif format_ is not None:
        assert "-" in sent or "'" in sent
        assert scale is not None or Decimal(outcome["bid"]) * 256 % 1 == 0
    elif scale is not None:
        assert Fraction(outcome["bid"]) == Fraction(sent) * Fraction(scale)
    elif isinstance(sent, Decimal) and not sent:
        assert Decimal(outcome["bid"]) == 0, "not as a fraction, of which the exponent is as many digits"
    elif isinstance(sent, Decimal) and not isinstance(outcome["bid"], int):
        assert Fraction(outcome["bid"]) == Fraction(sent)
    else:
        assert outcome["bid"] == sent, "what is not read here is the decoder's to judge, as it came"


@pytest.mark.parametrize("name", ["scale", "drop"])
def test_arithmetic_that_fails_is_a_refusal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **_by: object) -> Any:
        raise Inexact

    monkeypatch.setattr("monitor.mapping.fields.scaled", fails)
    mapper = treasury({"bid": rule("b", scale=Decimal("0.01"))}, drop=(drop("k", 7),))
    if name == "drop":
        mapper._drop_messages = [fails]
    assert why(one(mapper, QUOTE | {"b": 1})) == "it has a number that cannot be reckoned with exactly"


def test_a_scaled_value_that_is_no_number_is_refused() -> None:
    mapper = treasury({"bid": rule("b", scale=Decimal("0.01"))})
    wrongs: tuple[Any, ...] = ("", "n/a", True, [1], {}, "1,5")
    for wrong in wrongs:
        assert why(one(mapper, QUOTE | {"b": wrong})).startswith("bid from b: ")


def test_tables_and_what_they_do_not_have() -> None:
    table = {"10Y": "UST-10Y", "7": "UST-7Y", "true": "UST-1Y", "1.50": "UST-2Y"}
    mapper = treasury({"instrument": rule("i", values=table)})
    assert one(mapper, QUOTE | {"i": "10Y"})["instrument"] == "UST-10Y"
    assert one(mapper, QUOTE | {"i": 7})["instrument"] == "UST-7Y"
    assert one(mapper, QUOTE | {"i": True})["instrument"] == "UST-1Y"
    assert one(mapper, b'{"t":1700000000000000,"i":1.50}')["instrument"] == "UST-2Y"
    assert why(one(mapper, QUOTE | {"i": "9Y"})) == "instrument from i: '9Y' is not among its values"
    assert "cannot be looked up" in why(one(mapper, QUOTE | {"i": []}))
    assert one(treasury({"instrument": rule("i", values=table, unknown="keep")}), QUOTE)["instrument"] == "X"
    dropped = one(treasury({"instrument": rule("i", values=table, unknown="drop")}), QUOTE)
    assert dropped == Dropped("instrument from i: 'X' is not among its values")


@pytest.mark.parametrize("spoilt", ["t", "b", "v"])
def test_what_nobody_watches_is_dropped_whatever_else_is_wrong_with_it(spoilt: str) -> None:
    mapper = treasury(
        {
            "ts": rule("t", format="epoch_seconds"),
            "bid": rule("b", format="32nds"),
            "tenor_years": rule("i", values={"A": 1}, unknown="drop"),
            "venue": rule("v", values={"V": "V"}),
        }
    )
    quote: dict[str, Any] = {"t": 1_700_000_000, "i": "B", "b": "99-16", "v": "V"} | {spoilt: "n/a"}
    assert one(mapper, quote) == Dropped("tenor_years from i: 'B' is not among its values")
    assert "n/a" in why(one(mapper, quote | {"i": "A"})), "of what is watched it is said"


def test_a_value_of_a_table_is_ours_already() -> None:
    mapper = treasury({"bid": rule("b", values={"PAR": "100", "NO": 0}, unknown="keep", format="32nds")})
    assert one(mapper, QUOTE | {"b": "PAR"})["bid"] == "100"
    assert one(mapper, QUOTE | {"b": "NO"})["bid"] == 0
    assert one(mapper, QUOTE | {"b": "99-16"})["bid"] == "99.50000000"


def test_a_false_of_a_table_or_a_constant_is_a_value() -> None:
    mapper = treasury({"on_the_run": rule("o", values={"Y": True, "N": False})})
    assert one(mapper, QUOTE | {"o": "N"})["on_the_run"] is False
    assert one(treasury({"on_the_run": FieldRule(constant=False)}), QUOTE)["on_the_run"] is False


def test_a_fraction_does_not_become_a_text() -> None:
    assert "12.5 is a number where a text is wanted" in why(one(treasury(), b'{"t":1,"i":12.5}'))
    themed = Mapper(
        Shape(stream="cds", fields={"ts": rule("t"), "entity": rule("e"), "mid": rule("m"), "themes": rule("h")})
    )
    assert "a number where texts are wanted" in why(one(themed, b'{"t":1,"e":"E","h":[1.5]}'))
    assert one(treasury({"instrument": rule("i", format="text")}), QUOTE | {"i": 912828})["instrument"] == "912828"


def test_rules_drop_what_is_not_wanted() -> None:
    mapper = treasury(drop=(drop("k", "hb", 0, True), drop("i", missing=True)))
    assert one(mapper, QUOTE | {"k": "hb"}) == Dropped("drop 1: k is 'hb'")
    assert one(mapper, QUOTE | {"k": 0}) == Dropped("drop 1: k is 0")
    assert one(mapper, b'{"k":0.0}') == Dropped("drop 1: k is 0.0")
    assert one(mapper, QUOTE | {"k": True}) == Dropped("drop 1: k is true")
    assert one(mapper, {"t": US}) == Dropped("drop 2: i is missing")
    assert one(mapper, QUOTE | {"i": None}) == Dropped("drop 2: i is missing")
    others: tuple[Any, ...] = (False, 1, "0", "", [], {}, None)
    for kept in others:
        assert one(mapper, QUOTE | {"k": kept}) == {"ts": US, "instrument": "X"}


def test_a_text_of_a_rule_is_a_number_of_these_digits_too() -> None:
    mapper = treasury(drop=(drop("k", "4", "1.50", "true"), drop("n", 4, True)))
    for digits in ("4", '"4"', "1.50", '"1.50"', "true"):
        shown = digits.replace('"', "'")
        assert one(mapper, f'{{"k":{digits}}}'.encode()) == Dropped(f"drop 1: k is {shown}")
    for digits in ("4", "4.0", "true"):
        assert one(mapper, f'{{"n":{digits}}}'.encode()) == Dropped(f"drop 2: n is {digits}")
    for kept in ('"k":4.0', '"k":1.5', '"k":false', '"k":[]', '"k":{}', '"n":"4"', '"n":"true"', '"n":1'):
        assert one(mapper, f'{{"i":"X",{kept}}}'.encode()) == {"instrument": "X"}, kept


def test_whole_messages_may_be_left_out() -> None:
    mapper = treasury(ignore=("PING", " p\u00f6ng ", "7", '{"hb":1}'), events="q")
    for heartbeat, shown in (
        (b"PING", "'PING'"), (b" PING\r\n", "'PING'"), ("p\u00f6ng".encode(), "'p\u00f6ng'"), (b"7", "'7'"),
        (b"\xef\xbb\xbfPING", "'PING'"), (b'{"hb":1}', "'{\"hb\":1}'"),
    ):  # fmt: skip
        assert mapper.outcomes(heartbeat) == [Dropped(f"ignore: {shown}")]
    for other in (b"ping", b"PINGPONG", b'"PING"', b"PI NG", b"", b"7.0", b'{"hb": 1}'):
        assert isinstance(one(mapper, other), NotMapped), other
    assert treasury(ignore=("",)).outcomes(b" \n") == [Dropped("ignore: ''")]


def test_an_array_holds_an_event_an_element() -> None:
    mapper = treasury({"ts": rule("$.t")}, events="d.q", drop=(drop("$.kind", "hb"), drop("x", True)))
    message = {"t": US, "d": {"q": [{"i": "A"}, {"i": "B", "x": True}, 7, {"i": 1.5}, {"i": "C"}]}}
    events = mapper.outcomes(json.dumps(message).encode())
    assert events[0] == b'{"ts":%d,"instrument":"A"}' % US
    assert events[1:4] == [
        Dropped("drop 2: x is true"), NotMapped("an event is an object or an array, not 7"),
        NotMapped("instrument from i: 1.5 is a number where a text is wanted"),
    ]  # fmt: skip
    assert events[4] == b'{"ts":%d,"instrument":"C"}' % US
    assert one(mapper, {"kind": "hb"}) == Dropped("drop 1: $.kind is 'hb'")
    assert why(one(mapper, {"t": US})) == "events: d.q is not there"
    assert why(one(mapper, {"d": {"q": 5}})) == "events: d.q is 5, and no object or array"
    assert mapper.outcomes(b'{"d":{"q":[]}}') == []
    assert one(mapper, {"t": US, "d": {"q": {"i": "A"}}})["instrument"] == "A"


def test_elements_may_be_arrays_and_so_may_the_message() -> None:
    fields = {"ts": rule("0"), "instrument": rule("1"), "bid": rule("2")}
    mapper = Mapper(Shape(stream="treasury", fields=fields, events="$"))
    assert mapper.outcomes(b'[[1,"A",99],[2,"B",98]]') == [
        b'{"ts":1,"instrument":"A","bid":99}', b'{"ts":2,"instrument":"B","bid":98}',
    ]  # fmt: skip


def test_an_array_may_be_one_event() -> None:
    mapper = treasury({"ts": rule("2.t"), "instrument": rule("1"), "bid": rule("$.2.b")}, drop=(drop("0", 41),))
    assert one(mapper, b'[42,"A",{"t":1,"b":99}]') == {"ts": 1, "instrument": "A", "bid": 99}
    assert one(mapper, b'[41,"A",{"t":1,"b":99}]') == Dropped("drop 1: 0 is 41")
    assert "is an array: t is no place in it" in why(one(treasury(), b'[42,"A"]'))
    for several in (b'[{"t":1,"i":"A"}]', b'[{"t":1},{"t":2}]', b"[]"):
        assert 'events = "$" makes one of each' in why(one(treasury(drop=(drop("i", missing=True),)), several))


def test_a_rule_by_a_name_means_the_objects_of_a_feed_that_sends_arrays_too() -> None:
    fields = {"ts": rule("0"), "instrument": rule("1"), "bid": rule("2")}
    for path, events in (("event", None), ("$.event", None), ("event", "$")):
        mapper = Mapper(Shape(stream="treasury", fields=fields, events=events, drop=(drop(path, "hb"),)))
        array = b'[1,"A",99]' if events is None else b'[[1,"A",99]]'
        assert one(mapper, array) == {"ts": 1, "instrument": "A", "bid": 99}
        assert one(mapper, {"event": "hb"}) == Dropped(f"drop 1: {path} is 'hb'")
    missing = Mapper(Shape(stream="treasury", fields=fields, drop=(drop("event", missing=True),)))
    assert "is an array: event is no place in it" in why(one(missing, b'[1,"A",99]')), "nothing is lost by a wrong rule"


def test_a_number_of_no_market_is_the_decoders_to_refuse() -> None:
    [made] = treasury().outcomes(b'{"t":1700000000000000,"i":"X","b":1e400}')
    assert isinstance(made, bytes)
    [decoded] = Decoder().decode(RawBatch("feed", "treasury", "p", [1], [made]))
    assert [each.reason for each in decoded.rejects] == ["out_of_range"]


def test_the_stream_may_be_chosen() -> None:
    by = StreamRule(path="k", values={"C": "cds", "7": "newissue"}, unknown="drop")
    fields = {
        "ts": rule("t"), "entity": rule("e"), "mid": rule("m"), "deal_id": rule("d"), "size": rule("s"),
        "status": FieldRule(constant="ipt"),
    }  # fmt: skip
    mapper = Mapper(Shape(stream=by, fields=fields))
    assert mapper.stream is None
    cds = one(mapper, {"k": "C", "t": US, "e": "E", "m": 1, "d": "not of cds", "s": 2})
    assert cds == {"stream": "cds", "ts": US, "entity": "E", "mid": 1}
    deal = one(mapper, {"k": 7, "t": US, "d": "D", "s": 2})
    assert deal == {"stream": "newissue", "ts": US, "deal_id": "D", "status": "ipt", "size": 2}
    assert one(mapper, {"k": "X"}) == Dropped("stream_by k: 'X' is not among its values")
    of_cds = {name: fields[name] for name in ("ts", "entity", "mid")}
    strict = Mapper(Shape(stream=StreamRule(path="k", values={"C": "cds"}), fields=of_cds))
    assert why(one(strict, {"k": "X"})) == "stream_by k: 'X' is not among its values"
    assert why(one(strict, {})) == "stream_by k: it is missing"


@pytest.mark.parametrize(
    "payload",
    [b"", b" ", b"{", b'{"a":1', b"\xff", b'{"a":NaN}', b"x" * (MAX_LINE_BYTES + 1), b"[" * 100_000,
     b'{"t":1e99999999999999999999999}', b"7", b'"text"', b"null"],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    assert why(one(treasury(), payload))


def test_a_byte_order_mark_is_no_part_of_a_message() -> None:
    assert one(treasury(), b"\xef\xbb\xbf" + json.dumps(QUOTE).encode())["instrument"] == "X"


@properties
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ZEROS | st.text(max_size=9),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from("tibq"), each, max_size=4),
    )
)
@example({"b": Decimal("0e-9999999")})
def test_any_json_becomes_outcomes_that_the_decoder_can_take(message: Any) -> None:
    by = Decimal("0.1")
    plain = treasury({"bid": rule("b", scale=by), "ask": rule("q.0.b", format="32nds")})
    nested = treasury(events="q", drop=(drop("t", 0, missing=False),))
    said = json.dumps(message, default=lambda number: f"@{number}@")
    payload = re.sub(r'"@([-+.0-9E]+)@"', r"\1", said).encode()
    for mapper in (plain, nested):
        made = [each for each in mapper.outcomes(payload) if isinstance(each, bytes)]
        decoded = Decoder().decode(RawBatch("feed", "treasury", "p", range(len(made)), made))
        assert sum(each.events.height + len(each.rejects) for each in decoded) == len(made)


@pytest.mark.parametrize(
    ("fields", "how", "words"),
    [
        ({"bid": rule("b", constant=1)}, {}, "fields.bid: say either from or constant"),
        ({"bid": FieldRule()}, {}, "fields.bid: say either from or constant"),
        ({"bid": FieldRule(constant=1, scale=Decimal(2))}, {}, "a constant is taken as it stands"),
        ({"bid": rule("b", unknown="drop")}, {}, "unknown goes with values or table"),
        ({"bid": rule("b", format="32ths")}, {}, "format '32ths' is not known: did you mean 32nds"),
        ({"bid": rule("b", format="fix_timestamp")}, {}, "a number, for which fix_timestamp is no format; 32nds is"),
        ({"venue": rule("v", scale=Decimal(2))}, {}, "only a number can be scaled"),
        ({"bid": rule("b", scale=Decimal(0))}, {}, "a scale of 0"),
        ({"bid": rule("b", scale=Decimal("1e99"))}, {}, "scale: "),
        ({"bid": rule("b..c")}, {}, "fields.bid: from 'b..c' is no path"),
        ({"bid": FieldRule(constant="x")}, {}, "bid is a number, and 'x' is not"),
        ({"bid": FieldRule(constant=True)}, {}, "bid is a number, and true is not"),
        ({"venue": FieldRule(constant=7)}, {}, "venue is a text, and 7 is not"),
        ({"aggressor": rule("a", values={"B": "bought"})}, {}, "aggressor is one of buy, sell, and 'bought' is not"),
        ({"on_the_run": rule("o", values={"B": "yes"})}, {}, "is not"),
        ({"bidd": rule("b")}, {}, "fields.bidd: treasury have no such field: did you mean bid"),
        ({}, {"events": "a..b"}, "events: 'a..b' is no path"),
        ({}, {"drop": (drop("a..b", 1),)}, "drop 1: 'a..b' is no path"),
        ({}, {"drop": (drop("a"),)}, "drop 1: say one of"),
    ],
)  # fmt: skip
def test_a_mapping_that_cannot_work_is_refused(fields: Any, how: Any, words: str) -> None:
    with pytest.raises(MappingError) as error:
        treasury(fields, **how)
    assert words in str(error.value)


def test_a_mapping_makes_what_every_event_has() -> None:
    with pytest.raises(MappingError, match="every event of treasury has ts"):
        Mapper(Shape(stream="treasury", fields={"instrument": rule("i"), "bid": rule("b")}))
    with pytest.raises(MappingError, match="has bid or ask"):
        Mapper(Shape(stream="treasury", fields=TS))
    with pytest.raises(MappingError, match="did you mean treasury"):
        Mapper(Shape(stream="treasurys", fields=TS))


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda each: each.name)
def test_every_field_of_every_contract_can_be_made(stream: Any) -> None:
    mapper = Mapper(Shape(stream=stream.name, fields={each.name: rule(f"x.{each.name}") for each in stream.fields}))
    assert one(mapper, {"x": {each.name: "v" for each in stream.fields}}) == {each.name: "v" for each in stream.fields}
