"""The five wire contracts, as data: a row a field.

The decoder, the CSV and Parquet readers, the docs and the tests are all made from these rows, so a field is
described once. A number is carried as an integer of the stated scale from the decoder on: sums of integers do
not depend on their order, which is what makes a live run and its replay equal to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_LINE_BYTES = 1 << 20
"""A line (one JSON object) may be at most 1 MiB long."""

MAX_TEXT_CHARS = 128
"""An identifier, a name or a theme may be at most this long."""

MICROSECONDS_PER_SECOND = 1_000_000
EARLIEST_TS_US = 631_152_000 * MICROSECONDS_PER_SECOND
"""1990-01-01T00:00:00Z; an event time before it is a mistake."""
LATEST_TS_US = 4_102_444_800 * MICROSECONDS_PER_SECOND
"""2100-01-01T00:00:00Z; an event time at or after it is a mistake."""

MAX_AHEAD_US = 5 * MICROSECONDS_PER_SECOND
"""An event may be so far ahead of its recorded arrival; one that is farther would drag the watermark along."""

UNITS_PER_PRICE_POINT = 1_000_000_000
"""Prices are integers of 1e-9 of a point (per 100 face)."""
UNITS_PER_BP = 1_000_000
"""Spreads are integers of 1e-6 basis points."""
UNITS_PER_PERCENT = 1_000_000
"""Repo rates, yields and coupons are integers of 1e-6 percent, which is 1e-4 bp."""
UNITS_PER_YEAR = 1_000
"""Tenors are integers of a thousandth of a year."""
UNITS_PER_ONE = 1_000_000
"""Plain ratios and index levels are integers of 1e-6."""
KUSD_PER_MUSD = 1_000
"""Amounts are integers of a thousand US dollars."""
KUSD_PER_BUSD = 1_000_000


class Kind(StrEnum):
    """What a field holds, and with it the type of its column."""

    TIMESTAMP = "timestamp"
    """Integer epoch microseconds, or RFC 3339 with an offset: Int64 microseconds."""
    NUMBER = "number"
    """A JSON number or a decimal string: Int64 of 1 / scale of the unit."""
    TEXT = "text"
    """A short string without control characters: String."""
    CHOICE = "choice"
    """One of a closed list of words: String."""
    FLAG = "flag"
    """true or false: Boolean."""
    DATE = "date"
    """YYYY-MM-DD, New York: Date."""
    TEXTS = "texts"
    """A list of short strings: List(String)."""


class Reason(StrEnum):
    """Why an event was refused: the closed list that `monitor_events_rejected_total{reason}` counts."""

    LINE_TOO_LONG = "line_too_long"
    BLANK_LINE = "blank_line"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_STREAM = "unknown_stream"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    BAD_TEXT = "bad_text"
    BAD_DATE = "bad_date"
    BAD_TIMESTAMP = "bad_timestamp"
    TIMESTAMP_UNIT = "timestamp_unit"
    UNKNOWN_CHOICE = "unknown_choice"
    WRONG_UNIT = "wrong_unit"
    AHEAD_OF_ARRIVAL = "ahead_of_arrival"
    NOT_MAPPED = "not_mapped"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a contract.

    Attributes:
        name: the key on the wire.
        kind: what it holds.
        help: one sentence for the docs.
        required: an event without it is refused.
        unit: of a number, as it stands on the wire.
        scale: a number's integer column counts 1 / scale of the unit; further digits are rounded.
        low: the least value allowed, in the wire's unit.
        high: the greatest value allowed, in the wire's unit; below it unless `high_included`.
        high_included: whether `high` itself is allowed.
        zero_is_missing: a zero means that there is no such side, as quote feeds send it.
        choices: the words of a choice.
        default: the value of an event without the field, in the wire's unit.
        default_from: the field whose value (of `ts`: the New York date) an event without this one takes.
        column: the decoded column's name, with the unit in it; the field's name if it is not given.
    """

    name: str
    kind: Kind
    help: str
    required: bool = False
    unit: str = ""
    scale: int = 1
    low: float = 0.0
    high: float = 0.0
    high_included: bool = True
    zero_is_missing: bool = False
    choices: tuple[str, ...] = ()
    default: str | float | None = None
    default_from: str = ""
    column: str = ""

    def __post_init__(self) -> None:
        if not self.column:
            object.__setattr__(self, "column", self.name)


@dataclass(frozen=True, slots=True)
class Stream:
    """One wire contract.

    Attributes:
        name: `treasury`, `repo`, `newissue`, `cds` or `reference`.
        topic: the Kafka topic unless the settings say otherwise.
        event: what one event is.
        message_key: the field that keys a Kafka message; it is never trusted when reading.
        fields: the fields, `ts` first.
        one_of: of each group at least one field must be there.
    """

    name: str
    topic: str
    event: str
    message_key: str
    fields: tuple[Field, ...]
    one_of: tuple[tuple[str, ...], ...] = ()

    def field(self, name: str) -> Field:
        """The field of that name; KeyError if the contract has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


def _ts() -> Field:
    return Field(
        "ts", Kind.TIMESTAMP, "Event time: when it became known.", required=True, column="ts_us",
    )  # fmt: skip


def _price(name: str, help_: str, *, side: bool = False) -> Field:
    return Field(
        name, Kind.NUMBER, help_, unit="price per 100 face", scale=UNITS_PER_PRICE_POINT,
        low=1.0, high=300.0, zero_is_missing=side, column=f"{name}_e9",
    )  # fmt: skip


def _percent(name: str, help_: str, low: float, high: float, *, required: bool = False) -> Field:
    return Field(
        name, Kind.NUMBER, help_, required=required, unit="percent", scale=UNITS_PER_PERCENT,
        low=low, high=high, column=f"{name}_e6",
    )  # fmt: skip


def _bp(name: str, help_: str, low: float, high: float = 20_000.0) -> Field:
    return Field(
        name, Kind.NUMBER, help_, unit="bp", scale=UNITS_PER_BP, low=low, high=high, column=f"{name}_e6",
    )  # fmt: skip


def _musd(name: str, help_: str) -> Field:
    return Field(
        name, Kind.NUMBER, help_, unit="USD millions", scale=KUSD_PER_MUSD,
        low=0.0, high=10_000_000.0, column=f"{name}_kusd",
    )  # fmt: skip


def _tenor(help_: str, default: float | None = None) -> Field:
    return Field(
        "tenor_years", Kind.NUMBER, help_, unit="years", scale=UNITS_PER_YEAR,
        low=0.0, high=100.0, default=default, column="tenor_e3",
    )  # fmt: skip


REPO_RATE_LOW_PERCENT, REPO_RATE_HIGH_PERCENT = -5.0, 25.0


def _repo_rate(name: str, help_: str, *, required: bool = False) -> Field:
    return _percent(name, help_, REPO_RATE_LOW_PERCENT, REPO_RATE_HIGH_PERCENT, required=required)


TREASURY = Stream(
    "treasury", "treasury.quotes", "a top-of-book quote of one Treasury security", "instrument",
    (
        _ts(),
        Field("instrument", Kind.TEXT, "For example `UST-10Y`, or a CUSIP.", required=True),
        _price("bid", "Best bid, clean; missing, null or zero: no bid.", side=True),
        _price("ask", "Best ask, clean; missing, null or zero: no ask.", side=True),
        _musd("bid_size", "Face bid for."),
        _musd("ask_size", "Face offered."),
        _tenor("Original tenor."),
        Field("on_the_run", Kind.FLAG, "Whether it is the newest issue of its tenor."),
        Field("venue", Kind.TEXT, "Where it was quoted."),
        _percent("coupon", "Coupon.", 0.0, 25.0),
        Field("maturity", Kind.DATE, "Maturity date."),
        _price("close", "End-of-day price: makes the event a daily print."),
        _price("last_price", "Price of the last trade."),
        _musd("last_size", "Face of the last trade."),
        Field("aggressor", Kind.CHOICE, "Who crossed the spread.", choices=("buy", "sell")),
    ),
    one_of=(("bid", "ask"),),
)  # fmt: skip

REPO_TRADE, REPO_BENCHMARK = "trade", "benchmark"
TRIPARTY_SEGMENT, GCF_SEGMENT, DVP_SEGMENT, BILATERAL_SEGMENT = "triparty", "gcf", "dvp", "bilateral"

REPO = Stream(
    "repo", "repo.rates", "a repo trade, or a published benchmark rate with its percentiles", "instrument",
    (
        _ts(),
        Field(
            "instrument", Kind.TEXT,
            "`SOFR`, `TGCR`, `BGCR`, `GCF`, `TRIPARTY`, `DVP`, `GC-ON`, or a collateral CUSIP.", required=True,
        ),
        _repo_rate("rate", "Rate of the trade, or the benchmark's volume-weighted median.", required=True),
        Field(
            "volume", Kind.NUMBER, "Volume; a trade without it is left out of percentiles.",
            unit="USD billions", scale=KUSD_PER_BUSD, low=0.0, high=100_000.0, column="volume_kusd",
        ),
        Field("id", Kind.TEXT, "A producer's unique id: a repeat counts once."),
        Field("kind", Kind.CHOICE, "What the event is.", choices=(REPO_TRADE, REPO_BENCHMARK), default=REPO_TRADE),
        Field(
            "segment", Kind.CHOICE, "Where it was traded.",
            choices=(TRIPARTY_SEGMENT, GCF_SEGMENT, DVP_SEGMENT, BILATERAL_SEGMENT),
        ),
        Field(
            "term_days", Kind.NUMBER, "Term; only trades of one day count.", unit="days",
            low=1.0, high=3_660.0, default=1, column="term_days",
        ),
        Field("value_date", Kind.DATE, "The day that the rate is for.", default_from="ts"),
        _repo_rate("p1", "A benchmark's 1st percentile."),
        _repo_rate("p25", "A benchmark's 25th percentile."),
        _repo_rate("p75", "A benchmark's 75th percentile."),
        _repo_rate("p99", "A benchmark's 99th percentile."),
    ),
)  # fmt: skip

NEWISSUE = Stream(
    "newissue", "newissue.deals", "a status change of one tranche of a new corporate bond issue", "deal_id",
    (
        _ts(),
        Field("deal_id", Kind.TEXT, "The tranche; a later status of it amends the earlier one.", required=True),
        Field("issue_id", Kind.TEXT, "The deal it belongs to.", default_from="deal_id"),
        Field("issuer", Kind.TEXT, "Who borrows; an amendment may leave it out."),
        Field(
            "status", Kind.CHOICE, "How far the deal has come.", required=True,
            choices=("announced", "ipt", "guidance", "launched", "priced", "trading", "pulled"),
        ),
        _musd("size", "Face."),
        _bp("ipt_spread", "Initial price talk over the benchmark Treasury.", -1_000.0),
        _bp("guidance_spread", "Guidance over the benchmark Treasury.", -1_000.0),
        _bp("spread", "Spread at pricing over the benchmark Treasury.", -1_000.0),
        _bp("fair_value_spread", "Where the issuer's curve would put it.", -1_000.0),
        _bp("break_spread", "First spread in trading.", -1_000.0),
        _percent("yield", "Yield at pricing.", -5.0, 100.0),
        _musd("book", "Orders."),
        Field("sector", Kind.TEXT, "Sector of the issuer."),
        Field("themes", Kind.TEXTS, 'Themes, for example `["ai"]`.'),
        Field("rating", Kind.TEXT, "Rating."),
        _tenor("Tenor."),
        Field("coupon_type", Kind.CHOICE, "How it pays.", choices=("fixed", "float")),
        Field(
            "purpose", Kind.CHOICE, "Use of proceeds.",
            choices=("capex", "refinancing", "acquisition", "general"),
        ),
    ),
)  # fmt: skip

CDS = Stream(
    "cds", "cds.quotes", "a CDS quote of one entity and tenor, and optionally a traded notional", "entity",
    (
        _ts(),
        Field("entity", Kind.TEXT, "Reference entity or index.", required=True),
        _tenor("Tenor.", default=5),
        _bp("bid", "Par spread bid.", 0.0),
        _bp("ask", "Par spread asked.", 0.0),
        _bp("mid", "Par spread, where only a mid is published.", 0.0),
        Field(
            "recovery", Kind.NUMBER, "Assumed recovery.", unit="ratio", scale=UNITS_PER_ONE,
            low=0.0, high=1.0, high_included=False, default=0.4, column="recovery_e6",
        ),
        _musd("notional", "Notional traded."),
        Field("id", Kind.TEXT, "A producer's unique id: a repeat counts once."),
        Field("themes", Kind.TEXTS, 'Themes, for example `["hyperscaler"]`.'),
        Field("index", Kind.FLAG, "True for CDX and iTraxx."),
        Field("index_series", Kind.NUMBER, "The index's series: no differencing across a roll.",
              unit="number", low=1.0, high=10_000.0, column="index_series"),
    ),
    one_of=(("bid", "ask", "mid"),),
)  # fmt: skip

UNIT_PERCENT, UNIT_BP, UNIT_USD_BN, UNIT_INDEX, UNIT_RATIO = "percent", "bp", "usd_bn", "index", "ratio"

REFERENCE = Stream(
    "reference", "reference.series", "one value of a published series", "series",
    (
        _ts(),
        Field("series", Kind.TEXT, "For example `IORB`.", required=True),
        Field(
            "value", Kind.NUMBER, "The value.", required=True, unit="see `unit`", scale=UNITS_PER_ONE,
            low=-100_000_000.0, high=100_000_000.0, column="value_e6",
        ),
        Field(
            "unit", Kind.CHOICE, "The value's unit; known series are converted to their own.", required=True,
            choices=(UNIT_PERCENT, UNIT_BP, UNIT_USD_BN, UNIT_INDEX, UNIT_RATIO),
        ),
        Field("effective_date", Kind.DATE, "From when it holds.", default_from="ts"),
    ),
)  # fmt: skip

STREAMS: dict[str, Stream] = {s.name: s for s in (TREASURY, REPO, NEWISSUE, CDS, REFERENCE)}

SERIES_UNITS: dict[str, str] = {
    "IORB": UNIT_PERCENT, "ON_RRP": UNIT_PERCENT, "TARGET_UPPER": UNIT_PERCENT, "TARGET_LOWER": UNIT_PERCENT,
    "DGS2": UNIT_PERCENT, "DGS10": UNIT_PERCENT, "DGS30": UNIT_PERCENT,
    "IG_OAS": UNIT_BP, "HY_OAS": UNIT_BP, "CDX_IG": UNIT_BP, "MOVE": UNIT_INDEX,
    "ON_RRP_VOLUME": UNIT_USD_BN, "SRF_VOLUME": UNIT_USD_BN, "RESERVES": UNIT_USD_BN, "TGA": UNIT_USD_BN,
    "IG_MATURING_12M": UNIT_USD_BN,
}  # fmt: skip
"""The reference series that signals read, with the unit each is kept in; IORB is IOER before 2021-07-29."""

SERIES_PREFIX_UNITS: dict[str, str] = {
    "AUCTION_TAIL_": UNIT_BP, "AUCTION_COVER_": UNIT_RATIO, "AUCTION_DEALER_SHARE_": UNIT_RATIO,
}  # fmt: skip
"""Families of series, a member a tenor."""

UNIT_FACTORS: dict[tuple[str, str], float] = {
    (UNIT_PERCENT, UNIT_BP): 100.0, (UNIT_BP, UNIT_PERCENT): 0.01,
    (UNIT_PERCENT, UNIT_RATIO): 0.01, (UNIT_RATIO, UNIT_PERCENT): 100.0,
    (UNIT_BP, UNIT_RATIO): 0.0001, (UNIT_RATIO, UNIT_BP): 10_000.0,
}  # fmt: skip
"""(from, to): what to multiply by. Pairs that are not here cannot be converted."""
