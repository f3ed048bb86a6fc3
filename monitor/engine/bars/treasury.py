"""Treasury quotes to bars: spread and depth weighted by how long they stood, counts of what was no market."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.bars.kind import PERIOD_SECONDS, BarKind
from monitor.engine.bars.quotes import Standing, days_of, measure_columns, periods_of, sums_of_second, with_standing
from monitor.streams import MICROSECONDS_PER_SECOND, UNITS_PER_PRICE_POINT, UNITS_PER_YEAR
from monitor.streams import TREASURY as CONTRACT

if TYPE_CHECKING:
    from collections.abc import Mapping

SPREAD, DEPTH = "spread_e9", "depth2_kusd"
"""What is weighted by time: ask - bid in 1e-9 of a point, and bid size + ask size (twice the depth)."""
MEASURES: Final = (SPREAD, DEPTH)

ON_THE_RUN_HOLD_SECONDS: Final = 300
OFF_THE_RUN_HOLD_SECONDS: Final = 900
"""For so long a quote stands without a new one; an issue that does not say it is on the run is taken for off it."""
HOLD_SECONDS: Final = (
    pl.when("on_the_run").then(ON_THE_RUN_HOLD_SECONDS).otherwise(OFF_THE_RUN_HOLD_SECONDS).cast(pl.Int64)
)
HOLD_US: Final = HOLD_SECONDS * MICROSECONDS_PER_SECOND

TICK_32NDS: Final[Mapping[int, float]] = {2: 1 / 8, 3: 1 / 4, 5: 1 / 4, 7: 1 / 2, 10: 1 / 2, 20: 1 / 2, 30: 1 / 2}
"""By tenor in years, 32nds of a point: the dealers' screens quote no finer."""
OTHER_TICK_32NDS: Final = 1 / 2
"""Of a tenor that is not said, or is none of these."""
ON_THE_RUN_WIDEST_TICKS, OFF_THE_RUN_WIDEST_TICKS = 32, 64
"""A quote counts for no more than so many ticks: half a point for an on-the-run 10-year, a point for an off-the-run.

The widest of March 2020 was 26.5 32nds, of an off-the-run 30-year. What is wider is a misprint, or so far past every
threshold that it need not count for more; counted in full, three asks that are points off, for seconds each, would keep
a mean of five minutes past its threshold for ten.
"""

SERIES: Final = ("partition", "instrument")
_INT: Final = pl.Int64()
_SERIES_COLUMNS: Final[dict[str, pl.DataType]] = dict.fromkeys(SERIES, pl.String())
_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "tenor_e3": _INT,
    "on_the_run": pl.Boolean(),
    "coupon_e6": _INT,
    "maturity": pl.Date(),
}
_COUNTS: Final = ("quotes", "one_sided", "crossed", "traded_kusd", "signed_kusd")
"""Sums over the events of a bar; `signed_kusd`: what was bought less what was sold."""

_LATEST: Final = ("last_us", "mid2_e9", *_ATTRIBUTES)

TREASURY_SECOND: Final[dict[str, pl.DataType]] = (
    {"second": _INT}
    | _SERIES_COLUMNS
    | {"first_us": _INT, "last_us": _INT, SPREAD: _INT, DEPTH: _INT, "mid2_e9": _INT}
    | measure_columns(MEASURES, _INT)
    | dict.fromkeys(_COUNTS, _INT)
    | _ATTRIBUTES
)
"""A row a (second, partition, instrument).

`spread_e9` (at most the widest that counts), `depth2_kusd` and `mid2_e9` (bid + ask) are those of the last quote, null
if it has no two sides, is crossed, or says no sizes.
"""
_COARSE: Final[dict[str, pl.DataType]] = (
    _SERIES_COLUMNS
    | measure_columns(MEASURES, pl.Int128())
    | {"last_us": _INT, "mid2_e9": _INT}
    | dict.fromkeys(_COUNTS, _INT)
    | _ATTRIBUTES
)
TREASURY_PERIOD: Final[dict[str, pl.DataType]] = {"period": _INT} | _COARSE
TREASURY_DAY: Final[dict[str, pl.DataType]] = {"value_date": pl.Date()} | _COARSE


def tick_32nds(tenor_e3: pl.Expr) -> pl.Expr:
    """The tick in 32nds of a point, by tenor in thousandths of a year: Float64, exact.

    >>> pl.DataFrame({"t": [2_000, 10_000, None]}).select(tick_32nds(pl.col("t")))["t"].to_list()
    [0.125, 0.5, 0.5]
    """
    ticks = {tenor * UNITS_PER_YEAR: tick for tenor, tick in TICK_32NDS.items()}
    return tenor_e3.replace_strict(ticks, default=OTHER_TICK_32NDS, return_dtype=pl.Float64)


def tick_e9(tenor_e3: pl.Expr) -> pl.Expr:
    """The tick in 1e-9 of a point: Int64."""
    return (tick_32nds(tenor_e3) * (UNITS_PER_PRICE_POINT // 32)).cast(pl.Int64)


def _to_seconds(events: pl.DataFrame) -> pl.DataFrame:
    two_sided = c("bid_e9").is_not_null() & c("ask_e9").is_not_null()
    sound = two_sided & (c("ask_e9") >= c("bid_e9"))
    widest_ticks = pl.when("on_the_run").then(ON_THE_RUN_WIDEST_TICKS).otherwise(OFF_THE_RUN_WIDEST_TICKS)
    widest = widest_ticks.cast(pl.Int64) * tick_e9(c("tenor_e3"))
    size = c("last_size_kusd").fill_null(0)
    quotes = events.lazy().with_columns(
        pl.when(sound).then(pl.min_horizontal(c("ask_e9") - c("bid_e9"), widest)).alias(SPREAD),
        pl.when(sound).then(c("bid_size_kusd") + c("ask_size_kusd")).alias(DEPTH),
        mid2_e9=pl.when(sound).then(c("bid_e9") + c("ask_e9")),
        one_sided=~two_sided,
        crossed=two_sided & ~sound,
        signed_kusd=pl.when(c("aggressor") == "buy").then(size).when(c("aggressor") == "sell").then(-size).otherwise(0),
    )
    return (
        with_standing(quotes, SERIES)
        .group_by("second", *SERIES, maintain_order=True)
        .agg(
            *sums_of_second(MEASURES),
            c("mid2_e9", *_ATTRIBUTES).last(),
            c("one_sided", "crossed", "signed_kusd").sum().cast(_INT),
            first_us=c("ts_us").first(),
            last_us=c("ts_us").last(),
            quotes=pl.len().cast(_INT),
            traded_kusd=c("last_size_kusd").sum(),
        )
        # By second, partition and instrument: the events are of one partition, and came by instrument.
        .sort("second", maintain_order=True)
        .select(*TREASURY_SECOND)
        .collect()
    )


def standing(bars: pl.DataFrame) -> Standing:
    """The bars as running sums, to be looked at as of any second."""
    return Standing(bars, SERIES, MEASURES, HOLD_US)


def _to_periods(bars: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    return periods_of(bars, standing(bars), SERIES, _LATEST, _COUNTS, begin, end).select(*TREASURY_PERIOD)


def _to_days(periods: pl.DataFrame) -> pl.DataFrame:
    return days_of(periods, SERIES, MEASURES, _LATEST, _COUNTS).select(*TREASURY_DAY)


TREASURY: Final = BarKind(
    stream=CONTRACT.name,
    series=("instrument",),
    inputs=(
        "bid_e9", "ask_e9", "bid_size_kusd", "ask_size_kusd", "last_size_kusd", "aggressor", *_ATTRIBUTES,
    ),
    attributes=tuple(_ATTRIBUTES),
    counts=c("close_e9").is_null(),
    has_volume=None,
    seconds=TREASURY_SECOND,
    periods=TREASURY_PERIOD,
    days=TREASURY_DAY,
    to_seconds=_to_seconds,
    to_periods=_to_periods,
    to_days=_to_days,
    reach_seconds=OFF_THE_RUN_HOLD_SECONDS + PERIOD_SECONDS,
    kept_seconds=1_800,
)  # fmt: skip
