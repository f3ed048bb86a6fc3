"""Dispersion against its definition in plain Python, and worked by hand."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings

from monitor.signals.model import evaluate
from monitor.signals.treasury.dispersion import MidQuartiles, signals
from monitor.signals.treasury.parameters import TreasuryParameters
from tests.signals.dense_logs import (
    PLACES,
    SEEDS,
    PlainMids,
    all_ticks,
    assert_same_in_every_mode,
    dense_log,
    in_session,
    some_of,
    speaking,
)
from tests.signals.events import S, new_york_us, tiers_of
from tests.signals.market_logs import quote_logs
from tests.signals.plain_quotes import session_of
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from fractions import Fraction

    from monitor.engine.tiers import Tiers
    from tests.signals.events import Event, Log

ROWS: Final = {
    "treasury_dispersion_32nds": {
        ("UST-7Y", 7_000, True): "on_the_run_10y",
        ("UST-10Y", 10_000, True): "on_the_run_10y",
        ("912828XX0", 10_000, False): None,
        ("UST-5Y", 5_000, True): None,
        ("912828XX2", None, None): None,
    }
}
"""Which threshold row a label set has: read by `test_contract`."""

SIGNAL: Final = signals(TreasuryParameters())[0]
SPAN, LEAST = 300, 60
DAY: Final = date(2019, 9, 16)
"""A Monday."""


def plain_value(mids: PlainMids, issue: str, tick: int) -> float | None:
    """The interquartile range of the mids at the ends of the last 300 seconds of the session, in 32nds."""
    session = session_of(tick)
    if session is None or not session[0] <= tick < session[1]:
        return None
    ends = range(max(tick - SPAN, session[0]) + 1, tick + 1)
    stood: list[Fraction] = sorted(mid for mid in (mids.mid(issue, end) for end in ends) if mid is not None)
    if len(stood) < LEAST:
        return None
    lower, upper = (len(stood) - 1) // 4, -(-3 * (len(stood) - 1) // 4)
    return float(32 * (stood[upper] - stood[lower]))


def check(log: Log, places: list[int]) -> None:
    tiers, mids = tiers_of(log), PlainMids(log)
    ticks = all_ticks(SIGNAL, tiers)
    own = some_of(ticks, places).to_list()
    # Some that are no ticks of its own: they are looked at because other signals want them.
    asked = pl.Series("tick", sorted({*own, *(tick + 1 + tick % 40 for tick in own[:3])}), dtype=pl.Int64)
    values = {(row["tick"], row["instrument"]): row for row in evaluate(SIGNAL, tiers, asked).iter_rows(named=True)}
    spoken = speaking(tiers, asked)
    assert values.keys() == spoken.keys()
    for (tick, issue), row in values.items():
        assert row["blind"] == spoken[tick, issue]
        assert row["value"] == (None if row["blind"] else plain_value(mids, issue, tick)), (issue, tick)


@given(SEEDS, PLACES)
@settings(deadline=None, max_examples=12)
def test_dense_quotes_are_told_as_defined(seed: int, places: list[int]) -> None:
    check(dense_log(seed), places)


@given(quote_logs(), PLACES)
@settings(deadline=None, max_examples=12)
def test_sparse_quotes_are_told_as_defined(log: Log, places: list[int]) -> None:
    check(log, places)


@given(SEEDS, quote_logs(), PLACES)
@settings(deadline=None, max_examples=8)
def test_all_ticks_pieces_of_them_and_one_at_a_time_are_the_same(seed: int, sparse: Log, places: list[int]) -> None:
    """Which also holds the two ways to quartiles, of one window and of many, to the same bits."""
    assert_same_in_every_mode(SIGNAL, tiers_of(dense_log(seed)), places)
    assert_same_in_every_mode(SIGNAL, tiers_of(sparse), places)


@given(SEEDS, PLACES)
@settings(deadline=None, max_examples=8)
def test_no_change_is_without_a_tick(seed: int, places: list[int]) -> None:
    """At any other second an issue's value is that of the tick before."""
    tiers = tiers_of(dense_log(seed))
    ticks = all_ticks(SIGNAL, tiers).to_list()
    between = {tick for a, b in pairwise(ticks) for tick in (a + 1, b - 1) if a + 1 < b and in_session(tick)}
    asked = some_of(pl.Series("tick", sorted(between), dtype=pl.Int64), places)
    before = {tick: ticks[bisect_right(ticks, tick) - 1] for tick in asked}
    values = told(tiers, sorted({*before, *before.values()}))
    for (tick, issue), found in values.items():
        last = before.get(tick, tick)
        # When a session begins a quote of before speaks, and has no value yet.
        if session_of(last) == session_of(tick):
            assert values[last, issue] == found, (issue, tick)


# Worked by hand.


def told(tiers: Tiers, ticks: list[int]) -> dict[tuple[int, str], tuple[float | None, bool]]:
    rows = evaluate(SIGNAL, tiers, pl.Series("tick", ticks, dtype=pl.Int64)).iter_rows(named=True)
    return {(row["tick"], row["instrument"]): (row["value"], row["blind"]) for row in rows}


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def quote(moment: str, mid_32nds: float, day: date = DAY, **more: Any) -> Event:
    """The 10-year on the run, so many 32nds above 100, a 32nd wide."""
    mid = 100 + mid_32nds / 32
    fields: dict[str, Any] = {"bid": mid - 1 / 64, "ask": mid + 1 / 64, "tenor_years": 10, "on_the_run": True} | more
    partition = str(fields.pop("partition", "quotes-0"))
    return quote_event(partition, "UST-10Y", new_york_us(day, time.fromisoformat(moment)), 0, **fields)


def dispersion(log: Log, moment: str, day: date = DAY) -> float | None:
    value, is_blind = told(tiers_of(log), [at(moment, day)])[at(moment, day), "UST-10Y"]
    assert not is_blind
    return value


def test_three_mids_for_100_seconds_each() -> None:
    log = [quote("09:00:00", 0), quote("09:01:40", 0.5), quote("09:03:20", 1)]
    assert dispersion(log, "09:05:00") == 1.0
    # Of 240 seconds 100, 100 and 40: ranks 59 and 180.
    assert dispersion(log, "09:04:00") == 0.5


def test_ranks_are_the_outer_ones() -> None:
    """With 300 seconds the quartiles are those of ranks 74 and 225: 75 seconds on either side move them."""
    wide = [quote("09:00:00", 0), quote("09:01:15", 4), quote("09:03:45", 8)]
    assert dispersion(wide, "09:05:00") == 8.0
    narrow = [quote("09:00:00", 0), quote("09:01:14", 4), quote("09:03:46", 8)]
    assert dispersion(narrow, "09:05:00") == 0.0


def test_bad_prints_move_nothing() -> None:
    log = [quote("09:00:00", 0), quote("09:02:00", 3_000), quote("09:02:30", 0), quote("09:04:00", -3_000)]
    log.append(quote("09:04:40", 0))
    assert dispersion(log, "09:05:00") == 0.0


def test_it_is_absent_with_fewer_than_sixty_seconds() -> None:
    log = [quote("09:00:00", 0), quote("09:00:30", 2)]
    assert dispersion(log, "09:00:59") is None
    assert dispersion(log, "09:01:00") == 2.0


def test_a_second_has_the_mid_at_its_end() -> None:
    """From 09:02:00 on it is 4, also in the second in which it was 0 for almost all of the time."""
    log = [quote("09:00:00", 0), quote("09:02:00.999999", 4)]
    assert [dispersion(log, moment) for moment in ("09:02:39", "09:02:40", "09:02:41")] == [0.0, 4.0, 4.0]


def test_the_window_begins_anew_with_the_session_and_what_stands_then_counts() -> None:
    log = [quote("06:58:00", 0), quote("07:01:00", 4)]
    assert dispersion(log, "07:00:59") is None
    assert dispersion(log, "07:01:00") == 0.0
    assert dispersion(log, "07:01:20") == 4.0
    # At 07:02:00 on the day after nothing of the day before is left.
    assert (
        dispersion([quote("16:59:00", 0), quote("07:01:00", 9, date(2019, 9, 17))], "07:02:00", date(2019, 9, 17))
        == 0.0
    )


def test_an_early_close_ends_it() -> None:
    day = date(2019, 7, 3)
    log = [quote("13:55:00", 0, day), quote("13:58:00", 2, day)]
    assert dispersion(log, "13:59:59", day) == 2.0
    assert dispersion(log, "14:00:00", day) is None
    ticks = all_ticks(SIGNAL, tiers_of(log)).to_list()
    assert [tick for tick in ticks if at("13:59:58", day) <= tick < at("23:00:00", day)] == [
        at("13:59:58", day), at("13:59:59", day), at("14:00:00", day),
    ]  # fmt: skip


@pytest.mark.parametrize("more", [{"ask": None}, {"bid": None}, {"ask": 99.0}])
def test_a_quote_of_one_side_or_crossed_stands_as_none_until_the_next(more: dict[str, Any]) -> None:
    log = [quote("09:00:00", 0), quote("09:00:50", 8, **more), quote("09:03:00", 8), quote("09:03:09", 0)]
    # 50 seconds at 0 and 9 at 8 are too few; ranks 14 and 45 of 60 are 0, and so they are at 09:04:10.
    assert dispersion(log, "09:03:09") is None
    assert dispersion(log, "09:03:10") == 0.0
    assert dispersion(log, "09:04:10") == 0.0


def test_a_mid_stands_for_its_hold_and_not_longer() -> None:
    """At 09:06 the first stood for the 240 seconds to 09:05, then nothing did until 09:05:20."""
    log = [quote("09:00:00", 0), quote("09:05:20", 6)]
    assert dispersion(log, "09:06:00") == 0.0
    assert dispersion(log, "09:06:40") == 6.0
    # At 09:09:00 there are 60 seconds to 09:05 and 220 after; at 09:09:01 a quarter is no longer among the first.
    off = [quote("09:00:00", 0, on_the_run=False), quote("09:14:00", 6, on_the_run=False)]
    assert dispersion(off, "09:15:00") == 0.0


def test_the_newest_quote_of_any_partition_stands() -> None:
    log = [quote("09:00:00", 0), quote("09:01:00", 4, partition="quotes-1"), quote("09:01:40", 0)]
    assert dispersion(log, "09:01:30") == 4.0
    # 40 seconds of 180 are no quarter of them.
    assert dispersion(log, "09:03:00") == 0.0
    tie = [quote("09:00:00", 0), quote("09:01:00", 4, partition="quotes-1"), quote("09:01:00", 8)]
    assert dispersion(tie, "09:02:00") == 4.0
    # Within a second too the time decides, and the partition only where it is the same.
    early = [quote("09:00:00", 0), quote("09:01:00.2", 4, partition="quotes-1"), quote("09:01:00.7", 8)]
    assert dispersion(early, "09:02:00") == 8.0


def test_ticks_are_those_after_a_change_while_it_is_in_the_window() -> None:
    """The price changes at 09:00:00 and at 09:10:10; at 09:03:20 and 09:06:40 the same is quoted again."""
    log = [quote("09:00:00", 0), quote("09:03:20", 0), quote("09:06:40", 0), quote("09:10:10", 1)]
    found = set(MidQuartiles().ticks(tiers_of(log), at("09:00:00"), at("09:12:00")).to_list())
    expected = {*range(at("09:00:01"), at("09:05:00") + 1), *range(at("09:10:11"), at("09:12:00") + 1)}
    extra = {at(moment) for moment in ("09:03:21", "09:06:41", "09:08:21", "09:11:41")}
    assert expected <= found
    assert len(found - expected - extra) <= 4  # those of the quotes


def test_ticks_asked_for_one_at_a_time_are_those_asked_for_at_once() -> None:
    tiers, window = tiers_of([quote("09:00:00", 0)]), MidQuartiles()
    begin, end = at("08:59:50"), at("09:11:00")
    alone = [tick for second in range(begin, end) for tick in window.ticks(tiers, second, second + 1)]
    assert alone == window.ticks(tiers, begin, end).to_list()
    assert alone == [*range(at("09:00:01"), at("09:05:00") + 1), *alone[300:]]


def test_what_stands_when_the_session_begins_has_ticks_of_its_own() -> None:
    """At 07:01:00 it has stood for sixty seconds."""
    tiers = tiers_of([quote("06:58:00", 0)])
    ticks = all_ticks(SIGNAL, tiers)
    assert at("07:01:00") in ticks
    values = told(tiers, ticks.to_list())
    assert values[at("07:00:59"), "UST-10Y"] == (None, False)
    assert values[at("07:01:00"), "UST-10Y"] == (0.0, False)


def test_a_hold_that_ends_while_another_partition_is_waited_for_has_ticks() -> None:
    """The newest quote stands to 09:05; the other partition says it is off the run, and is not overdue until 09:14."""
    other = quote("08:59:00", 0, on_the_run=False, partition="quotes-1")
    tiers = tiers_of([other, quote("09:00:00", 0)])
    ticks = all_ticks(SIGNAL, tiers)
    values = told(tiers, ticks.to_list())
    assert values[at("09:09:00"), "UST-10Y"] == (0.0, False)
    assert values[at("09:09:01"), "UST-10Y"] == (None, False)


def test_two_sessions_looked_at_together_are_as_each_alone() -> None:
    tuesday = date(2019, 9, 17)
    log = [quote("16:56:00", 0), quote("16:59:59", 3), quote("07:00:10", 9, tuesday), quote("07:01:00", 9, tuesday)]
    values = told(tiers_of(log), [at("16:59:59"), at("07:01:09", tuesday), at("07:01:10", tuesday)])
    assert [value for value, _ in values.values()] == [0.0, None, 0.0]


def test_only_the_seven_and_ten_year_on_the_run_have_thresholds() -> None:
    cases = ((10, True, "on_the_run_10y"), (7, True, "on_the_run_10y"), (7, False, None), (5, True, None))
    for tenor, is_new, row in cases:
        log = [quote("09:00:00", 0, tenor_years=tenor, on_the_run=is_new)]
        found = evaluate(SIGNAL, tiers_of(log), pl.Series("tick", [at("09:02:00")]))
        assert found["row"].to_list() == [row]
