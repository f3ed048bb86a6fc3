"""The five wire contracts: the names and limits that producers rely on, and that every row makes sense."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

import pytest

from monitor import streams
from monitor.streams import STREAMS, UNIT_FACTORS, Field, Kind, Reason, Stream

FIELDS = {
    "treasury": "ts instrument bid ask bid_size ask_size tenor_years on_the_run venue coupon maturity close last_price "
    "last_size aggressor",
    "repo": "ts instrument rate volume id kind segment term_days value_date p1 p25 p75 p99",
    "newissue": "ts deal_id issue_id issuer status size ipt_spread guidance_spread spread fair_value_spread "
    "break_spread yield book sector themes rating tenor_years coupon_type purpose",
    "cds": "ts entity tenor_years bid ask mid recovery notional id themes index index_series",
    "reference": "ts series value unit effective_date",
}
REQUIRED = {
    "treasury": "ts instrument",
    "repo": "ts instrument rate",
    "newissue": "ts deal_id status",
    "cds": "ts entity",
    "reference": "ts series value unit",
}
TOPICS_AND_KEYS = {
    "treasury": ("treasury.quotes", "instrument"),
    "repo": ("repo.rates", "instrument"),
    "newissue": ("newissue.deals", "deal_id"),
    "cds": ("cds.quotes", "entity"),
    "reference": ("reference.series", "series"),
}
CHOICES = {
    ("treasury", "aggressor"): "buy sell",
    ("repo", "kind"): "trade benchmark",
    ("repo", "segment"): "triparty gcf dvp bilateral",
    ("newissue", "status"): "announced ipt guidance launched priced trading pulled",
    ("newissue", "coupon_type"): "fixed float",
    ("newissue", "purpose"): "capex refinancing acquisition general",
    ("reference", "unit"): "percent bp usd_bn index ratio",
}
RANGES = {
    ("treasury", "bid"): (1, 300),
    ("treasury", "ask"): (1, 300),
    ("treasury", "close"): (1, 300),
    ("treasury", "last_price"): (1, 300),
    ("repo", "rate"): (-5, 25),
    ("repo", "p1"): (-5, 25),
    ("repo", "p99"): (-5, 25),
    ("cds", "bid"): (0, 20_000),
    ("cds", "ask"): (0, 20_000),
    ("cds", "mid"): (0, 20_000),
    ("cds", "recovery"): (0, 1),
}
DEFAULTS = {
    ("repo", "kind"): "trade",
    ("repo", "term_days"): 1,
    ("cds", "tenor_years"): 5,
    ("cds", "recovery"): 0.4,
}
SERIES = {
    "percent": "IORB ON_RRP TARGET_UPPER TARGET_LOWER DGS2 DGS10 DGS30",
    "bp": "IG_OAS HY_OAS CDX_IG",
    "index": "MOVE",
    "usd_bn": "ON_RRP_VOLUME SRF_VOLUME RESERVES TGA IG_MATURING_12M",
}

EVERY_FIELD = [pytest.param(s, f, id=f"{s.name}-{f.name}") for s in STREAMS.values() for f in s.fields]


class TestWhatProducersRelyOn:
    @pytest.mark.parametrize("name", FIELDS)
    def test_fields(self, name: str) -> None:
        stream = STREAMS[name]
        assert [f.name for f in stream.fields] == FIELDS[name].split()
        assert [f.name for f in stream.fields if f.required] == REQUIRED[name].split()

    def test_streams_topics_and_keys(self) -> None:
        assert {name: (s.topic, s.message_key) for name, s in STREAMS.items()} == TOPICS_AND_KEYS
        assert all(name == stream.name for name, stream in STREAMS.items())

    def test_a_side_is_needed(self) -> None:
        assert {name: s.one_of for name, s in STREAMS.items() if s.one_of} == {
            "treasury": (("bid", "ask"),),
            "cds": (("bid", "ask", "mid"),),
        }
        zero = {(s.name, f.name) for s in STREAMS.values() for f in s.fields if f.zero_is_missing}
        assert zero == {("treasury", "bid"), ("treasury", "ask")}

    def test_choices(self) -> None:
        choices = {(s.name, f.name): " ".join(f.choices) for s in STREAMS.values() for f in s.fields if f.choices}
        assert choices == CHOICES

    @pytest.mark.parametrize(("where", "limits"), RANGES.items())
    def test_ranges(self, where: tuple[str, str], limits: tuple[float, float]) -> None:
        field = STREAMS[where[0]].field(where[1])
        assert (field.low, field.high) == limits
        assert field.high_included == (field.name != "recovery")

    def test_defaults(self) -> None:
        assert {(s.name, f.name): f.default for s in STREAMS.values() for f in s.fields if f.default} == DEFAULTS
        assert {(s.name, f.name): f.default_from for s in STREAMS.values() for f in s.fields if f.default_from} == {
            ("repo", "value_date"): "ts",
            ("newissue", "issue_id"): "deal_id",
            ("reference", "effective_date"): "ts",
        }

    def test_known_series(self) -> None:
        assert {name: unit for unit, names in SERIES.items() for name in names.split()} == streams.SERIES_UNITS
        assert streams.SERIES_PREFIX_UNITS == {
            "AUCTION_TAIL_": "bp",
            "AUCTION_COVER_": "ratio",
            "AUCTION_DEALER_SHARE_": "ratio",
        }

    def test_limits(self) -> None:
        assert streams.MAX_LINE_BYTES == 1024**2
        instants = [
            datetime.fromtimestamp(us / 1_000_000, UTC) for us in (streams.EARLIEST_TS_US, streams.LATEST_TS_US)
        ]
        assert instants == [datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]

    def test_scales(self) -> None:
        scales = {f.unit: f.scale for s in STREAMS.values() for f in s.fields if f.kind is Kind.NUMBER}
        assert scales == {
            "price per 100 face": 10**9, "bp": 10**6, "percent": 10**6, "ratio": 10**6, "see `unit`": 10**6,
            "USD millions": 10**3, "USD billions": 10**6, "years": 10**3, "days": 1, "number": 1,
        }  # fmt: skip

    def test_reasons_are_words_of_a_metric_label(self) -> None:
        assert all(reason.value == reason.name.lower() for reason in Reason)


class TestEveryRow:
    @pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda s: s.name)
    def test_a_contract(self, stream: Stream) -> None:
        names, columns = [f.name for f in stream.fields], [f.column for f in stream.fields]
        assert len(set(names)) == len(names)
        assert len(set(columns)) == len(columns)
        assert "offset" not in columns, "the decoded frame has a column of that name"
        assert "row" not in columns, "the decoder numbers rows by that name"
        assert (names[0], columns[0], stream.fields[0].kind) == ("ts", "ts_us", Kind.TIMESTAMP)
        assert stream.field(stream.message_key).required
        assert stream.field(stream.message_key).kind is Kind.TEXT
        assert all(stream.field(name).kind is Kind.NUMBER for group in stream.one_of for name in group)
        assert [f.kind for f in stream.fields].count(Kind.TIMESTAMP) == 1

    @pytest.mark.parametrize(("stream", "field"), EVERY_FIELD)
    def test_a_field(self, stream: Stream, field: Field) -> None:
        assert field.help.endswith("."), "a sentence"
        assert bool(field.choices) == (field.kind is Kind.CHOICE)
        assert not (field.required and (field.default is not None or field.default_from))
        if field.kind is Kind.NUMBER:
            assert field.low < field.high
            assert field.unit
            # An exact integer in a double, so that a decimal of so many digits comes out as it went in.
            assert max(abs(field.low), abs(field.high)) * field.scale <= 2**50
            assert not field.zero_is_missing or field.low > 0
            if isinstance(field.default, int | float):
                assert field.low <= field.default <= field.high
        else:
            assert (field.unit, field.scale, field.low, field.high) == ("", 1, 0.0, 0.0)
        if field.kind is Kind.CHOICE and field.default is not None:
            assert field.default in field.choices
        if field.default_from:
            source = stream.field(field.default_from)
            assert source.required
            assert (field.kind, source.kind) in {(Kind.DATE, Kind.TIMESTAMP), (Kind.TEXT, Kind.TEXT)}

    def test_a_field_that_is_not_there(self) -> None:
        with pytest.raises(KeyError, match="nothing"):
            streams.REPO.field("nothing")

    def test_a_column_is_named_after_its_field_unless_it_says_otherwise(self) -> None:
        assert Field("venue", Kind.TEXT, "Where.").column == "venue"
        assert Field("bid", Kind.NUMBER, "Bid.", column="bid_e9").column == "bid_e9"


class TestUnits:
    def test_there_and_back_is_the_same(self) -> None:
        for (source, target), factor in UNIT_FACTORS.items():
            assert factor * UNIT_FACTORS[target, source] == pytest.approx(1, rel=1e-15)

    def test_by_way_of_a_third_unit_is_the_same(self) -> None:
        units = {unit for pair in UNIT_FACTORS for unit in pair}
        for a, b, c in permutations(sorted(units), 3):
            assert UNIT_FACTORS[a, b] * UNIT_FACTORS[b, c] == pytest.approx(UNIT_FACTORS[a, c], rel=1e-15)

    def test_they_are_units_of_the_contract(self) -> None:
        units = set(streams.REFERENCE.field("unit").choices)
        assert {unit for pair in UNIT_FACTORS for unit in pair} <= units
        assert {*streams.SERIES_UNITS.values(), *streams.SERIES_PREFIX_UNITS.values()} <= units
        assert not any(a == b for a, b in UNIT_FACTORS)
