"""The intraday Treasury table by the monitor and by the loop: the same numbers, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars import col as c

from monitor.calendar import MarketCalendar
from monitor.engine.decode import Decoder
from monitor.engine.tiers import BASELINE, TierStore
from monitor.pipeline import BEFORE_EVERY_TICK, TICKS_AT_ONCE, VALUES_AT_ONCE
from monitor.replay import RECORDS_AT_ONCE
from monitor.signals import CATALOGUE
from monitor.signals.model import Evaluation, Signal, View, change_ticks
from monitor.signals.quoted import Issues, Quoted
from monitor.sources.base import RawBatch
from monitor.streams import MICROSECONDS_PER_SECOND, UNITS_PER_YEAR
from tests.bench.by_hand_table import SPAN, Baseline, HandTable
from tests.bench.made_quotes import START_US, TENORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monitor.engine.tiers import Tiers

SPREAD: Final = "treasury_spread_32nds"
_OF_ISSUES: Final = {
    SPREAD: "spread",
    "treasury_spread_zscore": "zscore",
    "treasury_depth_musd": "depth",
    "treasury_depth_drop_ratio": "drop",
    "treasury_dispersion_32nds": "dispersion",
}
TABLE: Final = (
    *_OF_ISSUES,
    "treasury_price_impact_32nds",
    "treasury_volatility_bp",
    "treasury_two_sided_ratio",
    "treasury_off_the_run_excess_32nds",
    "treasury_slope_bp",
    "treasury_yield_band_ratio",
)
"""All that is told of Treasuries in a session but the noise of the curve, whose cost is that of the fit."""
BAND_PERCENT: Final = (4.0, 4.5)

CLOSE: Final = 4e-16
"""Two numbers are equal if they differ by no more of the larger; of a difference, of what it is taken of."""

CALENDAR: Final = MarketCalendar()
START: Final = START_US // MICROSECONDS_PER_SECOND
_DAY: Final = date(2026, 3, 3)
_HALF_HOURS: Final = 20


def signals_of(names: Sequence[str]) -> tuple[Signal, ...]:
    """These of the catalogue."""
    return tuple(signal for signal in CATALOGUE if signal.name in names)


def spread_over(span_seconds: int) -> Signal:
    """The spread over a window of another length."""
    (signal,) = signals_of([SPREAD])
    return replace(signal, over=(View(Quoted(Issues(span_seconds)), signal.over[0].labels),), thresholds=())


def baselines() -> dict[tuple[int, int, bool], Baseline]:
    """Made up: what each half-hour, tenor and side of the run is used to."""
    return {
        (half_hour, tenor * UNITS_PER_YEAR, on): Baseline(0.25 + half_hour / 64 + tenor / 32, 0.1 * tenor, 30.0 + tenor)
        for half_hour in range(_HALF_HOURS)
        for tenor in TENORS
        for on in (True, False)
    }


def _baseline_frame() -> pl.DataFrame:
    rows = [
        (_DAY, half_hour, f"{tenor} {'on' if on else 'off'}", 20, each.spread_median, each.spread_mad, 20,
         each.depth_median)
        for (half_hour, tenor, on), each in baselines().items()
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=BASELINE, orient="row")


def batches(quotes: list[bytes], size: int) -> Iterator[RawBatch]:
    """The quotes as a source brings them."""
    for first in range(0, len(quotes), size):
        some = quotes[first : first + size]
        yield RawBatch("bench", "treasury", "bench", range(first, first + len(some)), some)


def by_monitor(
    quotes: list[bytes],
    signals: Sequence[Signal],
    issues: int,
    seconds: int,
    see: Callable[[str, pl.DataFrame], object] = lambda _, __: None,
) -> None:
    """A replay through decode, bars and windows, in blocks as `stress-monitor replay` reads them; no levels."""
    decoder, store = Decoder(), TierStore(CALENDAR)
    store.baselines = _baseline_frame()
    ran, end = START, START + seconds
    for batch in batches(quotes, RECORDS_AT_ONCE):
        store.add(decoder.decode(batch), BEFORE_EVERY_TICK)
        store.seal()
        upto = min(store.horizon, end)
        _evaluate(store.tiers(ran + 1, upto), signals, issues, ran, upto, see)
        ran = upto
    store.finish()
    _evaluate(store.tiers(ran + 1, end), signals, issues, ran, end, see)


def _evaluate(
    tiers: Tiers,
    signals: Sequence[Signal],
    issues: int,
    after: int,
    upto: int,
    see: Callable[[str, pl.DataFrame], object],
) -> None:
    ticks = change_ticks(signals, tiers, after, upto)
    at_once = max(1, min(TICKS_AT_ONCE, VALUES_AT_ONCE // issues))
    for first in range(0, ticks.len(), at_once):
        evaluation = Evaluation(tiers, ticks.slice(first, at_once))
        for signal in signals:
            see(signal.name, evaluation.values(signal))


def by_hand(quotes: list[bytes], seconds: int, *, spread_only: bool = False, span: int = SPAN) -> HandTable:
    """The same by the loop."""
    session = CALENDAR.session(_DAY)
    if session is None:
        raise ValueError("the made quotes are of a day with a session")
    table = HandTable(session, _DAY, baselines(), BAND_PERCENT, span=span, spread_only=spread_only)
    table.push(quotes, START + seconds)
    return table


def all_bars(quotes: list[bytes], seconds: int) -> Tiers:
    """Everything that is known at the end, nothing forgotten."""
    decoder, store = Decoder(), TierStore(CALENDAR)
    for batch in batches(quotes, RECORDS_AT_ONCE):
        store.add(decoder.decode(batch), BEFORE_EVERY_TICK)
        store.seal()
    store.finish()
    return store.tiers(None, START + seconds)


def over_all(tiers: Tiers, signal: Signal, issues: int, seconds: int) -> Iterator[pl.DataFrame]:
    """A signal's values at every tick, the bars being there."""
    ticks = pl.Series("tick", range(START + 1, START + seconds + 1), pl.Int64())
    at_once = max(1, VALUES_AT_ONCE // issues)
    for first in range(0, seconds, at_once):
        yield Evaluation(tiers, ticks.slice(first, at_once)).values(signal)


class Seen:
    """Keeps what the monitor says, and compares it with what the loop says."""

    def __init__(self) -> None:
        self._parts: dict[str, list[pl.DataFrame]] = {}

    def __call__(self, name: str, values: pl.DataFrame) -> None:
        """Keep the values that there are."""
        label = next((each for each in ("instrument", "tenor", "pair") if each in values.columns), None)
        said = values.filter(c("value").is_not_null())
        key = pl.lit("") if label is None else c(label)
        self._parts.setdefault(name, []).append(said.select("tick", key.alias("key"), "value"))

    def compare(self, theirs: HandTable) -> int:
        """How many values there are, all of them equal.

        Raises:
            SystemExit: they are not.
        """
        hand = dict(_told(theirs))
        return sum(_compared(name, pl.concat(parts), hand[name]) for name, parts in self._parts.items())


def _told(hand: HandTable) -> Iterator[tuple[str, pl.DataFrame]]:
    """By signal, what the loop says."""
    if hand.spreads:
        yield SPREAD, _frame(hand.spreads)
    if hand.rows:
        for name, column in _OF_ISSUES.items():
            place = hand.rows[0]._fields.index(column)
            yield name, _frame([(row[0], row[1], row[place]) for row in hand.rows])
    yield "treasury_price_impact_32nds", _frame(hand.impact)
    yield "treasury_volatility_bp", _frame(hand.volatility)
    yield "treasury_two_sided_ratio", _frame([(tick, "", value) for tick, value in hand.two_sided])
    excess = [(tick, f"{tenor // UNITS_PER_YEAR}y", value) for tick, tenor, value in hand.excess]
    yield "treasury_off_the_run_excess_32nds", _frame(excess)
    yield "treasury_slope_bp", _frame(hand.slopes)
    yield "treasury_yield_band_ratio", _frame([(tick, "10y", value) for tick, value in hand.bands])


def _frame(rows: list[Any]) -> pl.DataFrame:
    schema = {"tick": pl.Int64(), "key": pl.String(), "by_hand": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls()


def _compared(name: str, ours: pl.DataFrame, theirs: pl.DataFrame) -> int:
    both = ours.join(theirs, on=["tick", "key"], how="full", coalesce=True)
    # What is a difference of two numbers may be off by the rounding of either.
    scale = pl.max_horizontal(c("value").abs(), c("by_hand").abs(), pl.lit(1.0))
    is_equal = ((c("value") - c("by_hand")).abs() <= CLOSE * scale).fill_null(value=False)
    wrong = both.filter(~is_equal)
    if wrong.height:
        raise SystemExit(f"{name}: {wrong.height:,} of {both.height:,} values differ from the loop's:\n{wrong.head()}")
    return both.height
