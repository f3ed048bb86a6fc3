"""Price impact against its definition in plain Python, and worked by hand."""

from __future__ import annotations

from datetime import date, time
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from hypothesis import given, settings

from monitor.signals.model import evaluate
from monitor.signals.treasury.impact import signals
from monitor.signals.treasury.parameters import TreasuryParameters
from tests.signals.dense_logs import (
    MINUTE,
    PLACES,
    SEEDS,
    PlainMids,
    assert_same_in_every_mode,
    check_at_minutes,
    dense_log,
)
from tests.signals.events import S, new_york_us, tiers_of
from tests.signals.market_logs import quote_logs
from tests.signals.plain_quotes import exact
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

ROWS: Final = {"treasury_price_impact_32nds": {("UST-2Y",): None}}
"""Which threshold row a label set has: read by `test_contract`."""

SIGNAL: Final = signals(TreasuryParameters())[0]
DAY: Final = date(2019, 9, 16)
"""A Monday."""
SIGNS: Final = {"buy": 1, "sell": -1, None: 0}


def plain_flow(mids: PlainMids, issue: str, end: int) -> tuple[Fraction, bool]:
    """What was bought less what was sold in a minute, in 100 million, and whether anything was traded."""
    quotes = [quote for quotes in mids.issues[issue].values() for quote in quotes if end - MINUTE <= quote.second < end]
    trades = [(quote.fields.get("aggressor"), exact(quote.fields.get("last_size") or 0)) for quote in quotes]
    return sum((SIGNS[side] * size for side, size in trades), Fraction()) / 100, any(size for _, size in trades)


def plain_value(mids: PlainMids, issue: str, tick: int) -> float | None:
    if tick % MINUTE:
        return None
    changes = mids.changes(issue, tick, 60)
    flows = {end: plain_flow(mids, issue, end) for end in changes}
    if sum(is_traded for _, is_traded in flows.values()) < 5:
        return None
    n = len(changes)
    mean_x = sum((x for x, _ in flows.values()), Fraction()) / n
    mean_y = sum((32 * (after - before) for before, after in changes.values()), Fraction()) / n
    below = sum(((x - mean_x) ** 2 for x, _ in flows.values()), Fraction())
    above = sum(
        ((flows[end][0] - mean_x) * (32 * (after - before) - mean_y) for end, (before, after) in changes.items()),
        Fraction(),
    )
    return float(above / below) if below else None


def check(log: Log, places: list[int]) -> None:
    # Three roundings: the two integers as floats, and the quotient.
    check_at_minutes(SIGNAL, log, places, plain_value, rel=1e-15, abs=1e-300)


@given(SEEDS, PLACES)
@settings(deadline=None, max_examples=12)
def test_dense_quotes_are_told_as_defined(seed: int, places: list[int]) -> None:
    check(dense_log(seed), places)


@given(quote_logs(), PLACES)
@settings(deadline=None, max_examples=8)
def test_sparse_quotes_are_told_as_defined(log: Log, places: list[int]) -> None:
    check(log, places)


@given(SEEDS, quote_logs(), PLACES)
@settings(deadline=None, max_examples=8)
def test_all_ticks_pieces_of_them_and_one_at_a_time_are_the_same(seed: int, sparse: Log, places: list[int]) -> None:
    assert_same_in_every_mode(SIGNAL, tiers_of(dense_log(seed)), places)
    assert_same_in_every_mode(SIGNAL, tiers_of(sparse), places)


# Worked by hand.


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def minutely(
    moves: list[tuple[float, float | None]], begin: str = "09:00:30", day: date = DAY, **more: Any
) -> list[Event]:
    """A quote of the 10-year a minute: (the mid's move in 32nds, millions bought or, if negative, sold, or none)."""
    fields: dict[str, Any] = {"tenor_years": 10, "on_the_run": True} | more
    partition = str(fields.pop("partition", "quotes-0"))
    log, mid = [], 100.0
    for n, (move, size) in enumerate(moves):
        mid += move / 32
        said = {"bid": mid - 1 / 128, "ask": mid + 1 / 128}
        if size is not None:
            said |= {"last_price": mid, "last_size": abs(size)}
        side = None if size is None else "buy" if size > 0 else "sell"
        ts_us = new_york_us(day, time.fromisoformat(begin)) + n * MINUTE * S
        log.append(quote_event(partition, "UST-10Y", ts_us, 0, aggressor=side, **(fields | said)))
    return log


def impact(log: Log, moment: str, day: date = DAY) -> float | None:
    row = evaluate(SIGNAL, tiers_of(log), pl.Series("tick", [at(moment, day)])).row(0, named=True)
    assert not row["blind"]
    value: float | None = row["value"]
    return value


UP_AND_DOWN: Final[list[tuple[float, float | None]]] = [(0.5, 50), (-0.5, -50)] * 40
"""Half a 32nd for 50 million: one 32nd per 100 million."""


def test_half_a_32nd_for_fifty_million_is_one_per_hundred() -> None:
    assert impact(UP_AND_DOWN_LOG, "10:10:00") == 1.0
    assert impact(minutely([(1.5, 50), (-1.5, -50)] * 20), "09:30:00") == 3.0


UP_AND_DOWN_LOG: Final = minutely(UP_AND_DOWN)


def test_a_market_that_falls_when_it_is_bought_has_a_negative_one() -> None:
    assert impact(minutely([(-0.5, 50), (0.5, -50)] * 20), "09:30:00") == -1.0


def test_a_drift_is_no_impact() -> None:
    """A quarter a minute, and half a 32nd more when 50 million are bought: the intercept takes the quarter."""
    assert impact(minutely([(0.25, None), (0.75, 50)] * 20), "09:31:00") == 1.0


def test_minutes_without_trades_are_points_of_the_line() -> None:
    """x: five of 100 and five of 0; y: five of 1 and five of 0.5: a slope of a half."""
    log = minutely([(0, None), *[(1, 100), (0.5, None)] * 5])
    assert impact(log, "09:11:00") == 0.5


def test_it_is_absent_below_five_minutes_with_trades_and_where_volume_does_not_vary() -> None:
    four = minutely([(0, None), *[(1, 100), (0.5, None)] * 4])
    assert impact(four, "09:09:00") is None
    alike = minutely([(0, 10), *[(1, 10), (0.5, 10)] * 5])
    assert impact(alike, "09:11:00") is None
    # Bought and sold alike: five minutes have trades, and their net is nothing as that of all others.
    even = minutely([(0, None), *[(1, 10), (0.5, None)] * 5])
    sold = minutely([(0, None), *[(1, -10), (0.5, None)] * 5], "09:00:20")
    assert impact(sorted(even + sold, key=lambda event: event.arrived_us), "09:11:00") is None


def test_the_first_minute_has_no_change_and_so_no_place() -> None:
    """Five minutes have trades, of which the first has nothing to compare its mid with."""
    assert impact(minutely([(1, 100), (0.5, None)] * 5), "09:10:00") is None


def test_the_window_is_an_hour() -> None:
    """Five trades from 09:01 on: the window of 10:01 has all of their minutes, that of 10:02 four."""
    log = minutely([(0, None), *[(1, 100)] * 5, *[(0, None)] * 60])
    assert impact(log, "10:01:00") == 1.0
    assert impact(log, "10:02:00") is None


def test_the_window_begins_anew_with_the_session() -> None:
    log = minutely(UP_AND_DOWN, "06:50:30")
    assert impact(log, "07:05:00") is None  # four changes
    assert impact(log, "07:06:00") == 1.0


def test_an_early_close_ends_it() -> None:
    day = date(2019, 7, 3)
    log = minutely(UP_AND_DOWN, "13:00:30", day)
    assert impact(log, "13:59:00", day) == 1.0
    assert impact(log, "14:00:00", day) is None


def test_trades_of_all_partitions_count_and_the_newest_mid() -> None:
    """The first partition sells 50 in the minutes in which the second buys 150: together 100."""
    one = minutely([(0, -50), (0, -50)] * 20)
    two = minutely([(0.5, 150), (-0.5, 50)] * 20, "09:00:40", partition="quotes-1")
    # x: 100 and 0 in turn; y: 0.5 and -0.5.
    assert impact(sorted(one + two, key=lambda event: event.arrived_us), "09:31:00") == 1.0
