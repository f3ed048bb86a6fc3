"""CDS quotes to bars: the last mid, bid-ask spread and mid weighted by how long they stood, traded notional."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor.engine.bars.kind import PERIOD_SECONDS, BarKind
from monitor.engine.bars.quotes import Standing, days_of, measure_columns, periods_of, sums_of_second, with_standing
from monitor.streams import CDS as CONTRACT
from monitor.streams import MICROSECONDS_PER_SECOND

SPREAD, QUOTED = "bid_ask_e6", "quoted2_e6"
"""What is weighted by time: ask - bid, and bid + ask (twice the mid of a quote of two sides); 1e-6 bp."""
MEASURES: Final = (SPREAD, QUOTED)

HOLD_SECONDS: Final = 3_600
"""For so long a quote stands without a new one, in session."""
_HOLD_US: Final = pl.lit(HOLD_SECONDS * MICROSECONDS_PER_SECOND, pl.Int64)

NAMES: Final = ("entity", "tenor_e3")
SERIES: Final = ("partition", *NAMES)
_INT: Final = pl.Int64()
_SERIES_COLUMNS: Final[dict[str, pl.DataType]] = {"partition": pl.String(), "entity": pl.String(), "tenor_e3": _INT}
_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "recovery_e6": _INT, "index": pl.Boolean(), "index_series": _INT, "themes": pl.List(pl.String()),
}  # fmt: skip
_COUNTS: Final = ("quotes", "one_sided", "crossed", "notional_kusd")
_LATEST: Final = ("last_us", "mid2_e6", "is_mark", *_ATTRIBUTES)

CDS_SECOND: Final[dict[str, pl.DataType]] = (
    {"second": _INT}
    | _SERIES_COLUMNS
    | {"first_us": _INT, "last_us": _INT, SPREAD: _INT, QUOTED: _INT, "mid2_e6": _INT, "is_mark": pl.Boolean()}
    | measure_columns(MEASURES, _INT)
    | dict.fromkeys(_COUNTS, _INT)
    | _ATTRIBUTES
)
"""A row a (second, partition, entity, tenor).

`mid2_e6` is twice the last mid, of two sides or as published; null if the last quote has one side, or is crossed.
`is_mark`: the last event says a mid and no side, as end-of-day marks do.
"""
_COARSE: Final[dict[str, pl.DataType]] = (
    _SERIES_COLUMNS
    | measure_columns(MEASURES, pl.Int128())
    | {"last_us": _INT, "mid2_e6": _INT, "is_mark": pl.Boolean()}
    | dict.fromkeys(_COUNTS, _INT)
    | _ATTRIBUTES
)
CDS_PERIOD: Final[dict[str, pl.DataType]] = {"period": _INT} | _COARSE
CDS_DAY: Final[dict[str, pl.DataType]] = {"value_date": pl.Date()} | _COARSE


def _to_seconds(events: pl.DataFrame) -> pl.DataFrame:
    has_bid, has_ask, has_mid = (c(name).is_not_null() for name in ("bid_e6", "ask_e6", "mid_e6"))
    two_sided = has_bid & has_ask
    sound = two_sided & (c("ask_e6") >= c("bid_e6"))
    quoted = pl.when(sound).then(c("bid_e6") + c("ask_e6"))
    quotes = events.lazy().with_columns(
        pl.when(sound).then(c("ask_e6") - c("bid_e6")).alias(SPREAD),
        quoted.alias(QUOTED),
        mid2_e6=pl.when(two_sided).then(quoted).otherwise(2 * c("mid_e6")),
        is_mark=has_mid & ~has_bid & ~has_ask,
        one_sided=(has_bid != has_ask) & ~has_mid,
        crossed=two_sided & ~sound,
    )
    return (
        with_standing(quotes, SERIES)
        .group_by("second", *SERIES, maintain_order=True)
        .agg(
            *sums_of_second(MEASURES),
            c("mid2_e6", "is_mark", *_ATTRIBUTES).last(),
            c("one_sided", "crossed", "notional_kusd").sum().cast(_INT),
            first_us=c("ts_us").first(),
            last_us=c("ts_us").last(),
            quotes=pl.len().cast(_INT),
        )
        .sort("second", *SERIES)
        .select(*CDS_SECOND)
        .collect()
    )


def standing(bars: pl.DataFrame) -> Standing:
    """The bars as running sums, to be looked at as of any second."""
    return Standing(bars, SERIES, MEASURES, _HOLD_US)


def _to_periods(bars: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    return periods_of(bars, standing(bars), SERIES, _LATEST, _COUNTS, begin, end).select(*CDS_PERIOD)


def _to_days(periods: pl.DataFrame) -> pl.DataFrame:
    return days_of(periods, SERIES, MEASURES, _LATEST, _COUNTS).select(*CDS_DAY)


CDS: Final = BarKind(
    stream=CONTRACT.name,
    series=NAMES,
    inputs=("bid_e6", "ask_e6", "mid_e6", "notional_kusd", "id", *_ATTRIBUTES),
    attributes=tuple(_ATTRIBUTES),
    counts=pl.lit(value=True),
    has_volume=c("notional_kusd").fill_null(0) > 0,
    seconds=CDS_SECOND,
    periods=CDS_PERIOD,
    days=CDS_DAY,
    to_seconds=_to_seconds,
    to_periods=_to_periods,
    to_days=_to_days,
    reach_seconds=HOLD_SECONDS + PERIOD_SECONDS,
    kept_seconds=1_800,
)
