"""Volatility against its definition in plain Python, and worked by hand."""

from __future__ import annotations

import math
from datetime import date, time
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings

from monitor.calendar import NEW_YORK
from monitor.signals.model import evaluate
from monitor.signals.treasury.parameters import TreasuryParameters
from monitor.signals.treasury.volatility import signals
from monitor.signals.yields import modified_durations
from tests.signals.dense_logs import (
    MINUTE,
    PLACES,
    SEEDS,
    PlainMids,
    all_ticks,
    assert_same_in_every_mode,
    check_at_minutes,
    dense_log,
)
from tests.signals.events import S, new_york_us, tiers_of
from tests.signals.market_logs import quote_logs
from tests.signals.plain import day_of
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from tests.signals.events import Event, Log

ROWS: Final = {"treasury_volatility_bp": {("UST-2Y",): None}}
"""Which threshold row a label set has: read by `test_contract`."""

SIGNAL: Final = signals(TreasuryParameters())[0]
DAY: Final = date(2019, 9, 16)
"""A Monday."""
TEN_YEARS: Final = 8.175717
"""The duration of a 10-year at par that yields 4 %: (1 - 1.02 ** -20) / 0.04, from tables."""


def duration(fields: dict[str, Any], tick: int, mid: Fraction) -> float | None:
    """The modified duration at a mid, of an issue with coupon and maturity."""
    if "coupon" not in fields or "maturity" not in fields:
        return None
    row = {
        "coupon_e6": round(fields["coupon"] * 10**6), "maturity": date.fromisoformat(fields["maturity"]),
        "value_date": day_of(tick), "mid2_e9": int(2 * mid * 10**9),
    }  # fmt: skip
    years: float | None = modified_durations(pl.DataFrame([row])).item()
    return years


def plain_change(mids: PlainMids, issue: str, end: int, before: Fraction, after: Fraction) -> float | None:
    """The yield change of a minute in bp."""
    newest = mids.newest(issue, end)
    assert newest is not None
    years = duration(mids.terms(newest), end, before)
    if years is not None:
        return float((before - after) / before) / years * 10_000
    if newest.tenor is None:
        return None
    return math.log(before / after) / ((1 - math.pow(1.02, -2 * newest.tenor)) / 0.04) * 10_000


def plain_value(mids: PlainMids, issue: str, tick: int) -> float | None:
    if tick % MINUTE:
        return None
    moves = mids.changes(issue, tick, 30).items()
    changes = [plain_change(mids, issue, end, *pair) for end, pair in moves]
    known = [change for change in changes if change is not None]
    return math.sqrt(math.fsum(change**2 for change in known)) if len(known) >= 15 else None


def check(log: Log, places: list[int]) -> None:
    # Each change is rounded to a millionth of a bp.
    check_at_minutes(SIGNAL, log, places, plain_value, rel=1e-9, abs=1e-5)


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


@given(SEEDS)
@settings(deadline=None, max_examples=8)
def test_no_change_is_without_a_tick(seed: int) -> None:
    """At any other end of a minute an issue's value is that of the tick before."""
    tiers = tiers_of(dense_log(seed))
    ticks = all_ticks(SIGNAL, tiers)
    minutes = ticks.filter(ticks % MINUTE == 0)
    around = pl.concat([minutes + n * MINUTE for n in range(-3, 4)]).unique()
    missing = around.filter(~around.is_in(ticks.implode()))
    rows = evaluate(SIGNAL, tiers, pl.concat([ticks, missing]).unique().sort())
    # By session, as an end of a session that tells nothing lies between two of them.
    day = pl.from_epoch("tick").dt.replace_time_zone("UTC").dt.convert_time_zone(NEW_YORK).dt.date()
    stood = rows.filter(pl.col("tick").is_in(ticks.implode()), ~pl.col("blind")).with_columns(day=day)
    for row in (
        rows.filter(pl.col("tick").is_in(missing.implode()), ~pl.col("blind"))
        .with_columns(day=day)
        .iter_rows(named=True)
    ):
        same = stood.filter(
            pl.col("instrument") == row["instrument"], pl.col("day") == row["day"], pl.col("tick") < row["tick"]
        )
        last = same["value"][-1] if same.height else None
        assert row["value"] == last, row


# Worked by hand.


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def minutely(mids: Iterable[float | None], begin: str = "09:00:30", day: date = DAY, **more: Any) -> Log:
    """A quote of the 10-year a minute, from a moment on; None is one of one side."""
    fields: dict[str, Any] = {"tenor_years": 10, "on_the_run": True} | more
    partition = str(fields.pop("partition", "quotes-0"))
    log: list[Event] = []
    for n, mid in enumerate(mids):
        sides = {"bid": 99.0} if mid is None else {"bid": mid - 1 / 128, "ask": mid + 1 / 128}
        ts_us = new_york_us(day, time.fromisoformat(begin)) + n * MINUTE * S
        log.append(quote_event(partition, "UST-10Y", ts_us, 0, **fields, **sides))
    return log


def volatility(log: Log, moment: str, day: date = DAY) -> float | None:
    row = evaluate(SIGNAL, tiers_of(log), pl.Series("tick", [at(moment, day)])).row(0, named=True)
    assert not row["blind"]
    value: float | None = row["value"]
    return value


SEESAW: Final = [100.0, 100.25] * 25
"""Each step is a log return of ln(1.0025)."""
STEP_BP: Final = math.log(1.0025) / TEN_YEARS * 10_000


def test_thirty_steps_of_a_quarter_point_without_a_yield() -> None:
    assert pytest.approx(3.054, abs=5e-4) == STEP_BP
    assert volatility(minutely(SEESAW), "09:40:00") == pytest.approx(math.sqrt(30) * STEP_BP, abs=1e-5)
    assert volatility(minutely(SEESAW), "09:20:00") == pytest.approx(math.sqrt(19) * STEP_BP, abs=1e-5)


def test_a_bond_at_par_that_yields_four_percent_moves_by_its_duration() -> None:
    """Settled on a coupon date it would have ten years and the duration of the table."""
    log = minutely(SEESAW, coupon=4.0, maturity="2029-09-15")
    up, down = 0.25 / 100, 0.25 / 100.25
    expected = math.sqrt(15 * (up**2 + down**2)) / TEN_YEARS * 10_000
    assert volatility(log, "09:40:00") == pytest.approx(expected, rel=2e-3)


def test_a_crash_is_told_in_full() -> None:
    """Five points a minute, which overflow 64 bits on the way to a yield change."""
    log = minutely([100.0, 95.0] * 25, coupon=4.0, maturity="2029-09-15")
    expected = math.sqrt(15 * ((5 / 100) ** 2 + (5 / 95) ** 2)) / TEN_YEARS * 10_000
    assert volatility(log, "09:40:00") == pytest.approx(expected, rel=1e-2)


def test_the_yield_is_taken_where_there_is_one_and_the_tenor_where_not() -> None:
    """A 10-year that says it is due in two years moves four times as much in yield."""
    log = minutely(SEESAW, coupon=4.0, maturity="2021-09-15")
    assert volatility(log, "09:40:00") == pytest.approx(math.sqrt(30) * STEP_BP * TEN_YEARS / 1.9039, rel=5e-3)
    assert volatility(minutely(SEESAW, coupon=4.0), "09:40:00") == volatility(minutely(SEESAW), "09:40:00")
    assert volatility(minutely(SEESAW, tenor_years=None), "09:40:00") is None


def test_fifteen_changes_are_enough_and_fourteen_are_not() -> None:
    assert volatility(minutely(SEESAW), "09:15:00") is None
    assert volatility(minutely(SEESAW), "09:16:00") == pytest.approx(math.sqrt(15) * STEP_BP, abs=1e-5)


def test_a_minute_without_a_mid_takes_both_its_changes_with_it() -> None:
    mids: list[float | None] = [*SEESAW]
    mids[20] = None
    assert volatility(minutely(mids), "09:40:00") == pytest.approx(math.sqrt(28) * STEP_BP, abs=1e-5)


def test_a_quiet_market_has_none() -> None:
    assert volatility(minutely([100.0] * 40), "09:35:00") == 0.0


def test_the_window_begins_anew_with_the_session() -> None:
    """The first minute of the session ends at 07:01: sixteen ends make fifteen changes at 07:16."""
    log = minutely(SEESAW, "06:50:30")
    assert volatility(log, "07:15:00") is None
    assert volatility(log, "07:16:00") == pytest.approx(math.sqrt(15) * STEP_BP, abs=1e-5)


def test_an_early_close_ends_it() -> None:
    day = date(2019, 7, 3)
    log = minutely(SEESAW, "13:20:30", day)
    assert volatility(log, "13:59:00", day) == pytest.approx(math.sqrt(30) * STEP_BP, abs=1e-5)
    assert volatility(log, "14:00:00", day) is None


def test_a_hold_ends_in_blindness_and_a_new_quote_is_told_at_the_end_of_its_minute() -> None:
    log = minutely(SEESAW[:30]) + minutely([100.0], "09:38:10")
    values = evaluate(SIGNAL, tiers_of(log), all_ticks(SIGNAL, tiers_of(log)))
    told = {row["tick"]: (row["value"], row["blind"]) for row in values.iter_rows(named=True)}
    # The last quote, of 09:29:30, stands at the ends of minutes to 09:34.
    assert told[at("09:34:31")] == (None, True)
    assert at("09:36:00") not in told
    assert told[at("09:39:00")][0] == pytest.approx(math.sqrt(21) * STEP_BP, abs=1e-5)


def test_the_newest_quote_of_two_partitions_ends_a_minute() -> None:
    """Every mid of the second partition comes ten seconds later, and is the one that stands."""
    log = minutely([90.0, 110.0] * 25) + minutely(SEESAW, "09:00:40", partition="quotes-1")
    log.sort(key=lambda event: event.arrived_us)
    assert volatility(log, "09:40:00") == pytest.approx(math.sqrt(30) * STEP_BP, abs=1e-5)


def test_between_the_ends_of_minutes_it_stands() -> None:
    tiers = tiers_of(minutely(SEESAW))
    assert evaluate(SIGNAL, tiers, pl.Series("tick", [at("09:40:31")])).is_empty()
    assert evaluate(SIGNAL, tiers, pl.Series("tick", [at("09:40:31"), at("09:41:00")])).height == 1
