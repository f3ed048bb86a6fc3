"""Decoding: what a valid event of every contract becomes. What is refused is in `test_decode_rejects.py`."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor import streams
from monitor.engine.decode import Decoder, Reject, schema
from monitor.engine.units import series_unit
from monitor.sources.base import RawBatch
from monitor.streams import Field, Kind, Reason, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

DECODER = Decoder()
TS = 1_735_689_600_123_456
TS_TEXT = "2025-01-01T00:00:00.123456Z"
NEW_YORK = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MINIMAL: dict[str, dict[str, str]] = {
    "treasury": {"ts": str(TS), "instrument": '"UST-10Y"', "bid": "99.5"},
    "repo": {"ts": str(TS), "instrument": '"SOFR"', "rate": "4.31"},
    "newissue": {"ts": str(TS), "deal_id": '"D-1"', "status": '"priced"'},
    "cds": {"ts": str(TS), "entity": '"ACME"', "mid": "55"},
    "reference": {"ts": str(TS), "series": '"SOME"', "value": "1", "unit": '"index"'},
}
"""The least that each contract asks for; values are JSON texts, so that a test says how a number is written."""

properties = settings(deadline=None)


def payload(event: Mapping[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":{text}' for name, text in event.items()) + "}").encode()


def decode(stream: str, *events: Mapping[str, str]) -> tuple[pl.DataFrame, tuple[Reject, ...]]:
    [decoded] = DECODER.decode(RawBatch("feed", stream, "p", range(len(events)), [payload(e) for e in events]))
    assert decoded.stream == stream
    return decoded.events, decoded.rejects


def row(stream: str, /, **fields: str) -> dict[str, Any]:
    """The decoded minimal event with these fields over it; it must be accepted."""
    events, rejects = decode(stream, MINIMAL[stream] | fields)
    assert rejects == ()
    [only] = events.rows(named=True)
    return only


def refused(stream: str, /, **fields: str) -> tuple[Reason, str]:
    """Why the minimal event with these fields over it is refused."""
    events, rejects = decode(stream, MINIMAL[stream] | fields)
    assert events.is_empty()
    [only] = rejects
    return only.reason, only.detail


FULL: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "treasury": (
        {
            "ts": TS, "instrument": "UST-10Y", "bid": 99.515625, "ask": "99.531250001", "bid_size": 25,
            "ask_size": "30.5", "tenor_years": 10, "on_the_run": True, "venue": "venue one", "coupon": 4.125,
            "maturity": "2034-11-15", "close": 99.5, "last_price": 300, "last_size": 0.001, "aggressor": "sell",
        },
        {
            "ts_us": TS, "instrument": "UST-10Y", "bid_e9": 99_515_625_000, "ask_e9": 99_531_250_001,
            "bid_size_kusd": 25_000, "ask_size_kusd": 30_500, "tenor_e3": 10_000, "on_the_run": True,
            "venue": "venue one", "coupon_e6": 4_125_000, "maturity": date(2034, 11, 15), "close_e9": 99_500_000_000,
            "last_price_e9": 300_000_000_000, "last_size_kusd": 1, "aggressor": "sell",
        },
    ),
    "repo": (
        {
            "ts": TS_TEXT, "instrument": "SOFR", "rate": "4.310001", "volume": 2_345.678901, "id": "a-1",
            "kind": "benchmark", "segment": "dvp", "term_days": "7", "value_date": "2024-12-31", "p1": -5,
            "p25": 4.3, "p75": 4.35, "p99": 25,
        },
        {
            "ts_us": TS, "instrument": "SOFR", "rate_e6": 4_310_001, "volume_kusd": 2_345_678_901, "id": "a-1",
            "kind": "benchmark", "segment": "dvp", "term_days": 7, "value_date": date(2024, 12, 31),
            "p1_e6": -5_000_000, "p25_e6": 4_300_000, "p75_e6": 4_350_000, "p99_e6": 25_000_000,
        },
    ),
    "newissue": (
        {
            "ts": TS, "deal_id": "D-1A", "issue_id": "D-1", "issuer": "Société", "status": "trading", "size": 1_500,
            "ipt_spread": 125, "guidance_spread": "100.5", "spread": 95.000001, "fair_value_spread": -1.5,
            "break_spread": 0, "yield": 5.25, "book": 9_999_999.999, "sector": "tech", "themes": ["ai", "été"],
            "rating": "A-", "tenor_years": 30.001, "coupon_type": "float", "purpose": "capex",
        },
        {
            "ts_us": TS, "deal_id": "D-1A", "issue_id": "D-1", "issuer": "Société", "status": "trading",
            "size_kusd": 1_500_000, "ipt_spread_e6": 125_000_000, "guidance_spread_e6": 100_500_000,
            "spread_e6": 95_000_001, "fair_value_spread_e6": -1_500_000, "break_spread_e6": 0, "yield_e6": 5_250_000,
            "book_kusd": 9_999_999_999, "sector": "tech", "themes": ["ai", "été"], "rating": "A-",
            "tenor_e3": 30_001, "coupon_type": "float", "purpose": "capex",
        },
    ),
    "cds": (
        {
            "ts": TS, "entity": "CDX-IG", "tenor_years": 0.5, "bid": 0, "ask": "20000", "mid": 55.123456,
            "recovery": 0, "notional": 25, "id": "x", "themes": [], "index": False, "index_series": 43,
        },
        {
            "ts_us": TS, "entity": "CDX-IG", "tenor_e3": 500, "bid_e6": 0, "ask_e6": 20_000_000_000,
            "mid_e6": 55_123_456, "recovery_e6": 0, "notional_kusd": 25_000, "id": "x", "themes": [],
            "index": False, "index_series": 43,
        },
    ),
    "reference": (
        {"ts": TS, "series": "IORB", "value": "4.4", "unit": "percent", "effective_date": "2025-01-02"},
        {
            "ts_us": TS, "series": "IORB", "value_e6": 4_400_000, "unit": "percent",
            "effective_date": date(2025, 1, 2),
        },
    ),
}  # fmt: skip
"""By stream: an event with every field of the contract, and what it becomes."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "treasury": {"ts_us": TS, "instrument": "UST-10Y", "bid_e9": 99_500_000_000},
    "repo": {
        "ts_us": TS, "instrument": "SOFR", "rate_e6": 4_310_000, "kind": "trade", "term_days": 1,
        "value_date": date(2024, 12, 31),
    },
    "newissue": {"ts_us": TS, "deal_id": "D-1", "issue_id": "D-1", "status": "priced"},
    "cds": {"ts_us": TS, "entity": "ACME", "mid_e6": 55_000_000, "tenor_e3": 5_000, "recovery_e6": 400_000},
    "reference": {
        "ts_us": TS, "series": "SOME", "value_e6": 1_000_000, "unit": "index", "effective_date": date(2024, 12, 31),
    },
}  # fmt: skip
"""What the minimal events become; the columns that are not here are null."""


class TestContracts:
    @pytest.mark.parametrize("stream", FULL)
    def test_every_field_becomes_its_column(self, stream: str) -> None:
        event, expected = FULL[stream]
        assert {f.name for f in streams.STREAMS[stream].fields} == set(event), "the example has every field"
        events, rejects = decode(stream, {name: json.dumps(value) for name, value in event.items()})
        assert rejects == ()
        assert events.rows(named=True) == [{"offset": 0} | expected]

    @pytest.mark.parametrize("stream", MINIMAL)
    def test_what_is_left_out_is_null_or_its_default(self, stream: str) -> None:
        columns = schema(streams.STREAMS[stream])
        assert row(stream) == dict.fromkeys(columns) | {"offset": 0} | DEFAULTS[stream]

    @pytest.mark.parametrize("stream", MINIMAL)
    def test_null_is_the_same_as_leaving_it_out(self, stream: str) -> None:
        nulls = {f.name: "null" for f in streams.STREAMS[stream].fields if f.name not in MINIMAL[stream]}
        assert nulls
        assert row(stream, **nulls) == row(stream)

    @pytest.mark.parametrize("stream", MINIMAL)
    @pytest.mark.parametrize(
        "extra", ['"text"', "null", "1e400", "9" * 5_000, "[[[[{}]]]]", '{"ts":[],"a":1e999}', '"\\u0000"', '"été"']
    )
    def test_unknown_fields_are_ignored(self, stream: str, extra: str) -> None:
        assert row(stream, unheard_of=extra) == row(stream)

    def test_the_order_of_the_fields_does_not_matter(self) -> None:
        event = {name: json.dumps(value) for name, value in FULL["treasury"][0].items()}
        there, back = decode("treasury", event), decode("treasury", dict(reversed(event.items())))
        assert there[0].equals(back[0])

    @pytest.mark.parametrize("zero", ["0", "0.0", "-0.0", "-0", "0e9", '"0"', '"-0.00"', "null"])
    def test_a_zero_side_of_a_treasury_quote_is_no_side(self, zero: str) -> None:
        assert row("treasury", ask=zero)["ask_e9"] is None
        assert row("treasury", ask="99.75", bid=zero)["bid_e9"] is None

    def test_a_crossed_book_stands(self) -> None:
        crossed = row("treasury", ask="99.25")
        assert (crossed["bid_e9"], crossed["ask_e9"]) == (99_500_000_000, 99_250_000_000)

    def test_a_cds_side_of_zero_is_a_quote(self) -> None:
        assert row("cds", mid="null", bid="0")["bid_e6"] == 0

    @pytest.mark.parametrize("side", ["bid", "ask", "mid"])
    def test_one_side_of_a_cds_is_enough(self, side: str) -> None:
        assert row("cds", **({"mid": "null"} | {side: "7"}))[f"{side}_e6"] == 7_000_000

    def test_the_greatest_recovery_stays_below_one(self) -> None:
        assert row("cds", recovery="0.9999994")["recovery_e6"] == 999_999
        assert refused("cds", recovery="0.9999996")[0] is Reason.OUT_OF_RANGE

    @pytest.mark.parametrize("text", ["x" * 128, "é" * 128, "a b", "𝄞", "日本", "a\u200bb", "\\u00e9", '\\"'])
    def test_identifiers_may_have_any_script(self, text: str) -> None:
        assert row("treasury", instrument=f'"{text}"')["instrument"] == json.loads(f'"{text}"')


class TestSchema:
    @pytest.mark.parametrize("stream", MINIMAL)
    def test_columns_and_types_are_always_those_of_the_schema(self, stream: str) -> None:
        expected = list(schema(streams.STREAMS[stream]).items())
        bad = {"ts": "0"}
        full = {name: json.dumps(value) for name, value in FULL[stream][0].items()}
        for events in ([], [MINIMAL[stream]], [full], [bad], [bad, full, MINIMAL[stream]]):
            frame, _ = decode(stream, *events)
            assert list(frame.schema.items()) == expected
            assert frame.height == sum(event is not bad for event in events)

    @pytest.mark.parametrize("stream", MINIMAL)
    def test_an_integer_column_says_its_unit(self, stream: str) -> None:
        units = {10**9: "e9", 10**6: "e6", 10**3: "e3"}
        for field in streams.STREAMS[stream].fields:
            if field.kind is Kind.NUMBER:
                assert schema(streams.STREAMS[stream])[field.column] == pl.Int64()
                ending = "kusd" if field.unit.startswith("USD") else units.get(field.scale, field.name)
                assert field.column.endswith(ending)

    def test_a_batch_without_stream_and_payloads_has_no_streams(self) -> None:
        assert DECODER.decode(RawBatch("feed", None, "p", [], [])) == []

    def test_offsets_need_not_be_consecutive(self) -> None:
        lines = [payload(MINIMAL["repo"]), b"x", payload(MINIMAL["repo"])]
        [decoded] = DECODER.decode(RawBatch("feed", "repo", "f.ndjson", [3, 70, 5_000_000_000], lines))
        assert decoded.events["offset"].to_list() == [3, 5_000_000_000]
        assert [(r.source, r.partition, r.offset, r.raw) for r in decoded.rejects] == [("feed", "f.ndjson", 70, b"x")]


NUMBERS = [(s, f) for s in streams.STREAMS.values() for f in s.fields if f.kind is Kind.NUMBER]


def _spellings(number: Decimal) -> list[str]:
    """JSON texts of one and the same number."""
    plain = f"{number:f}"
    padded = plain + ("000" if "." in plain else ".000")
    return [plain, padded, f"{number:E}", f'"{plain}"', f'"{padded}"', f'"{number:e}"']


class TestNumbers:
    @properties
    @given(st.data(), st.sampled_from(NUMBERS))
    def test_a_number_on_the_grid_is_exact_however_it_is_written(
        self, data: st.DataObject, which: tuple[Stream, Field]
    ) -> None:
        stream, field = which
        low, high = round(field.low * field.scale), round(field.high * field.scale) - (not field.high_included)
        integer = data.draw(st.integers(low, high))
        number = Decimal(integer) / field.scale
        for text in _spellings(number):
            assert row(stream.name, **{field.name: text})[field.column] == integer, text

    @properties
    @given(st.data(), st.sampled_from([which for which in NUMBERS if which[1].scale > 1]))
    def test_further_digits_are_rounded_to_the_nearest(self, data: st.DataObject, which: tuple[Stream, Field]) -> None:
        stream, field = which
        number = data.draw(st.decimals(Decimal(field.low), Decimal(field.high), allow_nan=False, places=18))
        texts = _spellings(number)
        events, rejects = decode(stream.name, *({**MINIMAL[stream.name], field.name: t} for t in texts))
        if rejects:  # only what rounds to a bound that is excluded
            assert not field.high_included
            assert number * field.scale >= Decimal(field.high) * field.scale - Decimal("0.50001")
            assert len(rejects) == len(texts)
            return
        [integer] = set(events[field.column])
        exact = number * field.scale
        # Half a unit, and what a double cannot say: two roundings of 2**-53 of the value.
        assert abs(integer - exact) <= Decimal("0.5") + abs(exact) / 2**52

    @pytest.mark.parametrize(
        ("text", "integer"),
        [
            ("99", 99_000_000_000), ("99.0", 99_000_000_000), ("9.9e1", 99_000_000_000), ("9900E-2", 99_000_000_000),
            ('"99"', 99_000_000_000), ('"99."', 99_000_000_000), ('"0099.5"', 99_500_000_000),
            ('"9.95e+1"', 99_500_000_000), ("99.123456789", 99_123_456_789), ("99.1234567894", 99_123_456_789),
            ("99.1234567896", 99_123_456_790), ("300.000000000", 300_000_000_000), ("1", 1_000_000_000),
        ],
    )  # fmt: skip
    def test_examples_of_prices(self, text: str, integer: int) -> None:
        assert row("treasury", bid=text)["bid_e9"] == integer

    def test_strings_among_numbers(self) -> None:
        texts = ["99.5", '"99.5"', "null", "100", '"100"', "0"]
        events, rejects = decode("treasury", *({**MINIMAL["treasury"], "ask": text} for text in texts))
        assert rejects == ()
        expected = [99_500_000_000, 99_500_000_000, None, 100_000_000_000, 100_000_000_000, None]
        assert events["ask_e9"].to_list() == expected


INSTANTS = st.integers(streams.EARLIEST_TS_US, streams.LATEST_TS_US - 1)


class TestTimestamps:
    @properties
    @given(INSTANTS)
    def test_integers_and_strings_of_digits(self, ts: int) -> None:
        assert row("treasury", ts=str(ts))["ts_us"] == ts
        assert row("treasury", ts=f'"{ts}"')["ts_us"] == ts

    @properties
    @given(INSTANTS, st.integers(-1_439, 1_439), st.sampled_from(["T", "t", " "]), st.sampled_from("Zz"))
    def test_rfc_3339_with_any_offset(self, ts: int, minutes: int, separator: str, utc: str) -> None:
        moment = EPOCH + timedelta(microseconds=ts)
        away = moment.astimezone(timezone(timedelta(minutes=minutes))).isoformat(sep=separator)
        zulu = moment.isoformat(sep=separator).removesuffix("+00:00") + utc
        assert row("treasury", ts=f'"{away}"')["ts_us"] == ts
        assert row("treasury", ts=f'"{zulu}"')["ts_us"] == ts

    @pytest.mark.parametrize(
        ("text", "micros"),
        [
            ("2025-01-01T00:00:00Z", 0), ("2025-01-01T00:00:00.1Z", 100_000), ("2025-01-01T00:00:00.000001Z", 1),
            ("2025-01-01t00:00:00.25z", 250_000), ("2024-12-31T19:00:00-05:00", 0),
            ("2025-01-01T05:30:00+05:30", 0), ("2025-01-01T00:00:00-00:00", 0),
            ("2025-01-01T00:00:00.1234569Z", 123_456), ("2025-01-01T00:00:00.123456999999999Z", 123_456),
        ],
    )  # fmt: skip
    def test_examples_of_rfc_3339(self, text: str, micros: int) -> None:
        assert row("treasury", ts=f'"{text}"')["ts_us"] == 1_735_689_600_000_000 + micros

    @pytest.mark.parametrize("quote", ["", '"'])
    @properties
    @given(ts=INSTANTS)
    def test_a_mistaken_unit_is_named_with_its_cure(self, quote: str, ts: int) -> None:
        mistakes = [
            (ts // 1_000_000, "seconds", "multiply by 1,000,000"),
            (ts // 1_000, "milliseconds", "multiply by 1,000"),
            (ts * 1_000, "nanoseconds", "divide by 1,000"),
        ]
        for number, unit, cure in mistakes:
            reason, detail = refused("cds", ts=f"{quote}{number}{quote}")
            assert reason is Reason.TIMESTAMP_UNIT
            assert detail == f"ts {number} reads as {unit}; microseconds are wanted: {cure}"

    @pytest.mark.parametrize(
        "text",
        [
            '"2025-01-01T00:00:00"', '"2025-01-01"', '"2025-01-01T00:00:00.Z"', '"2025-01-01T00:00Z"',
            '"2025-01-01T23:59:60Z"', '"2025-01-01T24:00:00Z"', '"2025-02-29T00:00:00Z"', '"2025-13-01T00:00:00Z"',
            '"2025-01-01T00:00:00+25:00"', '"2025-01-01T00:00:00+0530"', '"2025-W01-1T00:00:00Z"',
            '" 2025-01-01T00:00:00Z"', '"2025-01-01T00:00:00Z\\n"', '"0000-01-01T00:00:00Z"',
            '"\u0662\u0660\u0662\u0665-01-01T00:00:00Z"',
            '"now"', '""', '"-"', '"--1"', '"+1735689600000000"', '"1735689600000000.0"', '"1_735_689_600_000_000"',
            '"\u0661"', "0", "-1", "1", "-1735689600000000", '"-1735689600000000"', "9" * 19, "9" * 400,
            '"' + "9" * 400 + '"', str(streams.EARLIEST_TS_US - 1), str(streams.LATEST_TS_US),
            '"1989-12-31T23:59:59.999999Z"', '"2100-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"',
            '"9999-12-31T23:59:59-14:00"', '"1990-01-01T00:00:00+00:01"',
        ],
    )  # fmt: skip
    def test_no_timestamp(self, text: str) -> None:
        assert refused("reference", ts=text)[0] is Reason.BAD_TIMESTAMP

    @pytest.mark.parametrize("text", ["1735689600000000.0", "1.735689600e15", "true", "false", "[]", "{}"])
    def test_no_integer(self, text: str) -> None:
        assert refused("reference", ts=text)[0] is Reason.WRONG_TYPE

    @pytest.mark.parametrize(
        ("text", "ts"),
        [
            (str(streams.EARLIEST_TS_US), streams.EARLIEST_TS_US),
            (str(streams.LATEST_TS_US - 1), streams.LATEST_TS_US - 1),
            ('"1990-01-01T00:00:00Z"', streams.EARLIEST_TS_US),
            ('"2099-12-31T23:59:59.999999Z"', streams.LATEST_TS_US - 1),
            ('"1989-12-31T23:59:00-00:01"', streams.EARLIEST_TS_US),
        ],
    )
    def test_the_edges_of_the_range(self, text: str, ts: int) -> None:
        assert row("newissue", ts=text)["ts_us"] == ts


DATES = [(s, f) for s in streams.STREAMS.values() for f in s.fields if f.kind is Kind.DATE]


class TestDates:
    @properties
    @given(st.dates(date(1990, 1, 1), date(2099, 12, 31)), st.sampled_from(DATES))
    @example(date(1990, 1, 1), DATES[0])
    @example(date(2099, 12, 31), DATES[0])
    def test_any_date(self, day: date, which: tuple[Stream, Field]) -> None:
        stream, field = which
        assert row(stream.name, **{field.name: f'"{day}"'})[field.column] == day

    @properties
    @given(INSTANTS)
    def test_left_out_it_is_the_new_york_date_of_the_timestamp(self, ts: int) -> None:
        expected = max(datetime.fromtimestamp(ts // 1_000_000, NEW_YORK).date(), date(1990, 1, 1))
        assert row("repo", ts=str(ts))["value_date"] == expected
        assert row("reference", ts=str(ts))["effective_date"] == expected

    @pytest.mark.parametrize("ts", ["1990-01-01T00:00:00Z", "1990-01-01T04:59:59.999999Z"])
    def test_the_first_hours_of_1990_are_of_its_first_day(self, ts: str) -> None:
        assert row("repo", ts=f'"{ts}"')["value_date"] == date(1990, 1, 1)
        assert row("reference", ts=f'"{ts}"')["effective_date"] == date(1990, 1, 1)

    def test_a_benchmark_is_for_a_day_that_has_come(self) -> None:
        at = {"ts": '"2025-01-02T04:30:00Z"', "kind": '"benchmark"'}  # still the first of January in New York
        assert row("repo", **at, value_date='"2025-01-01"')["value_date"] == date(2025, 1, 1)
        assert refused("repo", **at, value_date='"2025-01-02"')[0] is Reason.BAD_DATE
        assert row("repo", **at | {"kind": '"trade"'}, value_date='"2025-01-02"')["value_date"] == date(2025, 1, 2)
        assert row("repo", ts=at["ts"], value_date='"2025-01-02"')["kind"] == "trade"


class TestReferenceUnits:
    @pytest.mark.parametrize(
        ("series", "value", "unit", "kept", "value_e6"),
        [
            ("IORB", "4.4", "percent", "percent", 4_400_000),
            ("IORB", "440", "bp", "percent", 4_400_000),
            ("IORB", "0.044", "ratio", "percent", 4_400_000),
            ("IG_OAS", "0.89", "percent", "bp", 89_000_000),
            ("IG_OAS", "89", "bp", "bp", 89_000_000),
            ("IG_OAS", '"0.0089"', "ratio", "bp", 89_000_000),
            ("AUCTION_TAIL_10Y", "0.012", "percent", "bp", 1_200_000),
            ("AUCTION_DEALER_SHARE_10Y", "14.5", "percent", "ratio", 145_000),
            ("AUCTION_COVER_30Y", "2.45", "ratio", "ratio", 2_450_000),
            ("RESERVES", "3300.5", "usd_bn", "usd_bn", 3_300_500_000),
            ("MOVE", "98.25", "index", "index", 98_250_000),
            ("UNHEARD_OF", "1.5", "percent", "percent", 1_500_000),
            ("UNHEARD_OF", "1.5", "bp", "bp", 1_500_000),
        ],
    )
    def test_a_known_series_is_kept_in_its_own_unit(
        self, series: str, value: str, unit: str, kept: str, value_e6: int
    ) -> None:
        decoded = row("reference", series=f'"{series}"', value=value, unit=f'"{unit}"')
        assert (decoded["unit"], decoded["value_e6"]) == (kept, value_e6)

    @pytest.mark.parametrize("unit", ["usd_bn", "index"])
    def test_what_cannot_be_converted_is_refused(self, unit: str) -> None:
        reason, detail = refused("reference", series='"IORB"', unit=f'"{unit}"')
        assert reason is Reason.WRONG_UNIT
        assert detail == f"IORB is kept in percent, and cannot be in {unit}"

    @properties
    @given(st.integers(-(10**10), 10**10))
    def test_conversion_is_exact(self, ten_millionths: int) -> None:
        percent = Decimal(ten_millionths) / 10**6
        there = row("reference", series='"IG_OAS"', value=f"{percent:f}", unit='"percent"')
        assert there["value_e6"] == ten_millionths * 100
        back = row("reference", series='"IORB"', value=f"{percent * 100:f}", unit='"bp"')
        assert back["value_e6"] == ten_millionths

    def test_series_of_one_batch_keep_to_their_lines(self) -> None:
        pairs = [("IG_OAS", "percent"), ("MOVE", "bp"), ("X", "ratio"), ("IG_OAS", "bp"), ("IORB", "bp"), ("X", "bp")]
        events, rejects = decode(
            "reference",
            *(MINIMAL["reference"] | {"series": f'"{s}"', "unit": f'"{u}"', "value": "3"} for s, u in pairs),
        )
        assert [r.offset for r in rejects] == [1]
        assert events.select("offset", "series", "unit", "value_e6").rows() == [
            (0, "IG_OAS", "bp", 300_000_000), (2, "X", "ratio", 3_000_000), (3, "IG_OAS", "bp", 3_000_000),
            (4, "IORB", "percent", 30_000), (5, "X", "bp", 3_000_000),
        ]  # fmt: skip

    def test_the_units_of_series(self) -> None:
        assert series_unit("TGA") == "usd_bn"
        assert series_unit("AUCTION_TAIL_7Y") == "bp"
        assert series_unit("SOMETHING") is None


class TestWithoutStream:
    def test_each_object_says_its_stream(self) -> None:
        names = ["cds", "repo", "cds", "reference", "treasury", "newissue", "repo"]
        lines = [payload({"stream": f'"{name}"'} | MINIMAL[name]) for name in names]
        decoded = DECODER.decode(RawBatch("ws", None, "c1", range(10, 17), lines))
        assert {d.stream: d.events["offset"].to_list() for d in decoded} == {
            "cds": [10, 12], "repo": [11, 16], "reference": [13], "treasury": [14], "newissue": [15],
        }  # fmt: skip
        for d in decoded:
            alone, _ = decode(d.stream, *[MINIMAL[d.stream]] * d.events.height)
            assert d.events.drop("offset").equals(alone.drop("offset"))
            assert (d.source, d.partition, d.rejects) == ("ws", "c1", ())

    def test_a_stream_said_twice_is_the_last_one_said(self) -> None:
        for first in ('"repo"', "1", "null", "[]", '"nothing"'):
            line = b'{"stream":' + first.encode() + b',"stream":"cds",' + payload(MINIMAL["cds"])[1:]
            [decoded] = DECODER.decode(RawBatch("ws", None, "c", [0], [line]))
            assert (decoded.stream, decoded.events.height) == ("cds", 1)

    def test_a_byte_order_mark_hides_no_stream(self) -> None:
        line = b"\xef\xbb\xbf" + payload({"stream": '"cds"'} | MINIMAL["cds"])
        [decoded] = DECODER.decode(RawBatch("ws", None, "c", [0], [line]))
        assert (decoded.stream, decoded.events.height) == ("cds", 1)

    def test_a_given_stream_is_not_overruled(self) -> None:
        assert row("cds", stream='"repo"') == row("cds")
