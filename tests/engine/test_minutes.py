"""The minutes against a loop over quotes, however the bars come and whenever they are asked for."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from monitor.engine.minutes import KEPT_SECONDS, MINUTE_SECONDS, TREASURY_MINUTE, Minutes
from tests.signals.dense_logs import SEEDS, PlainMids, dense_log
from tests.signals.events import S, tiers_of
from tests.signals.plain_quotes import exact
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

NOON: Final = 1_568_649_600
"""2019-09-16, 12:00 New York: a whole minute."""
EVER: Final = 1 << 61
AN_HOUR, A_DAY = 3_600, 86_400

SIGNS: Final = {"buy": 1, "sell": -1}
Row = dict[str, Any]


def plain_minutes(log: Log) -> list[Row]:
    """One row an issue and minute at whose end its newest quote stands, or in which it was quoted."""
    mids, rows = PlainMids(log), []
    for issue, partitions in mids.issues.items():
        every = [quote for quotes in partitions.values() for quote in quotes]
        every.sort(key=lambda quote: (quote.ts, quote.partition, quote.offset))
        seconds = [quote.second for quote in every]
        touched = {second // MINUTE_SECONDS * MINUTE_SECONDS for second in seconds}
        for minute in {first + n * MINUTE_SECONDS for first in touched for n in range(17)}:
            end = minute + MINUTE_SECONDS
            said = every[bisect_left(seconds, minute) : bisect_left(seconds, end)]
            newest = every[bisect_left(seconds, end) - 1]
            stands = newest.ts + newest.hold * S >= end * S
            if not stands and not said:
                continue
            is_market = stands and newest.figure("spread") is not None
            bid, ask = (exact(newest.fields[side]) if is_market else None for side in ("bid", "ask"))
            terms = mids.terms(newest)
            sizes = [int(1000 * exact(quote.fields.get("last_size", 0))) for quote in said]
            signs = [SIGNS.get(quote.fields.get("aggressor", ""), 0) for quote in said]
            rows.append(
                {
                    "minute": minute,
                    "instrument": issue,
                    "mid2_e9": None if bid is None or ask is None else int((bid + ask) * 10**9),
                    "spread_e9": None if bid is None or ask is None else int((ask - bid) * 10**9),
                    "signed_kusd": sum(size * sign for size, sign in zip(sizes, signs, strict=True)),
                    "traded_kusd": sum(sizes),
                    "tenor_e3": None if newest.tenor is None else int(1000 * newest.tenor),
                    "on_the_run": newest.on_the_run,
                    "coupon_e6": int(terms["coupon"] * 10**6) if "coupon" in terms else None,
                    "maturity": date.fromisoformat(terms["maturity"]) if "maturity" in terms else None,
                }
            )
    return sorted(rows, key=lambda row: (row["minute"], row["instrument"]))


def bars_of(log: Log) -> pl.DataFrame:
    return tiers_of(log).treasury_seconds


def whole(bars: pl.DataFrame) -> pl.DataFrame:
    minutes = Minutes()
    minutes.add(bars)
    return minutes.upto(EVER, None)


def assert_equal(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found, expected, check_exact=True)


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_the_minutes_are_what_a_loop_over_quotes_says(seed: int) -> None:
    log = dense_log(seed)
    assert whole(bars_of(log)).rows(named=True) == plain_minutes(log)


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_they_are_the_same_however_bars_come_and_however_often_they_are_asked_for(seed: int) -> None:
    """Bars come in any order, as long as none is of a time that was asked for."""
    random, bars = Random(seed), bars_of(dense_log(seed))
    expected = whole(bars)
    seconds = bars["second"].to_list()
    cuts = sorted(second + random.choice([-1, 0, 1, 30, 60, 800, 4_000]) for second in random.choices(seconds, k=5))
    minutes, asked, oldest, forgetful = Minutes(), 0, 0, random.choice([0, 0.5])
    for cut in [*cuts, seconds[-1] + random.choice([0, 1, 59, 900, A_DAY])]:
        due = bars.filter(pl.col("second").is_between(asked, cut, closed="left"))
        due = due.sample(fraction=1, shuffle=True, seed=seed % 1_000)
        for first in range(0, due.height, size := random.choice([1, 3, 1_000])):
            minutes.add(due.slice(first, size))
        asked = max(asked, cut)
        for _ in range(random.choice([1, 1, 2])):
            known = minutes.upto(cut, begin := cut if random.random() < forgetful else None)
            oldest = max(oldest, 0 if begin is None else begin - KEPT_SECONDS)
            wanted = (pl.col("minute") >= oldest) & (pl.col("minute") + MINUTE_SECONDS <= cut)
            assert_equal(known.filter(wanted), expected.filter(wanted))
    minutes.add(bars.filter(pl.col("second") >= asked))
    wanted = pl.col("minute") >= oldest
    assert_equal(minutes.upto(EVER, None).filter(wanted), expected.filter(wanted))


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_what_no_tick_can_look_at_any_more_is_forgotten_and_nothing_else(seed: int) -> None:
    random, bars = Random(seed), bars_of(dense_log(seed))
    expected, minutes, end = whole(bars), Minutes(), bars["second"].max()
    assert isinstance(end, int)
    begin = random.choice(bars["second"].to_list())
    minutes.add(bars)
    for _ in range(8):
        known = minutes.upto(EVER, begin)
        oldest = begin - KEPT_SECONDS
        assert_equal(known.filter(pl.col("minute") >= oldest), expected.filter(pl.col("minute") >= oldest))
        assert known.filter(pl.col("minute") < oldest - KEPT_SECONDS // 8).is_empty()
        begin += random.choice([1, 60, AN_HOUR, 2 * AN_HOUR, A_DAY, 30 * A_DAY])
    assert minutes.upto(EVER, max(begin, end) + 2 * KEPT_SECONDS).is_empty()


def test_what_is_too_old_when_it_is_first_asked_for_is_never_summed() -> None:
    """A restart makes the minutes again of all the bars that are kept."""
    log = [quote(0), quote(3 * A_DAY)]
    minutes = Minutes()
    minutes.add(bars_of(log))
    known = minutes.upto(NOON + 3 * A_DAY + 60, NOON + 3 * A_DAY)
    assert known["minute"].to_list() == [NOON + 3 * A_DAY]


# Worked by hand.


def quote(
    second: float, bid: float | None = 100, ask: float | None = 101, partition: str = "quotes-0", **more: object
) -> Event:
    fields: dict[str, object] = {"bid": bid, "ask": ask, "tenor_years": 10, "on_the_run": True}
    return quote_event(partition, "UST-10Y", int((NOON + second) * S), 0, **(fields | more))


def mids(*log: Event) -> list[tuple[int, float | None]]:
    """The minutes after noon, and the mids at their ends."""
    rows = whole(bars_of(sorted(log, key=lambda event: event.arrived_us)))
    return [
        ((row["minute"] - NOON) // 60, None if row["mid2_e9"] is None else row["mid2_e9"] / 2e9)
        for row in rows.iter_rows(named=True)
    ]


def test_a_quote_stands_for_five_minutes_on_the_run_and_for_fifteen_off_it() -> None:
    assert mids(quote(0)) == [(n, 100.5) for n in range(5)]
    assert mids(quote(0.000_001)) == [(n, 100.5) for n in range(5)]
    minutes = Minutes()
    minutes.add(bars_of([quote(0, on_the_run=False)]))
    heights = [minutes.upto(NOON + n * 60, None)["mid2_e9"].count() for n in range(20)]
    assert heights == [min(n, 15) for n in range(20)]
    assert mids(quote(59)) == [(n, 100.5) for n in range(5)]
    assert mids(quote(60)) == [(n, 100.5) for n in range(1, 6)]
    assert mids(quote(0, on_the_run=False)) == [(n, 100.5) for n in range(15)]
    assert mids(quote(59, on_the_run=None)) == [(n, 100.5) for n in range(15)]


def test_the_newest_quote_of_any_partition_counts_also_when_an_older_one_would_stand_longer() -> None:
    old, new = quote(0, on_the_run=False), quote(90, 102, 103, partition="quotes-1")
    assert mids(old, new) == [(0, 100.5), *((n, 102.5) for n in range(1, 6))]
    at_once = [quote(0, 100, 101), quote(0, 102, 103, partition="quotes-1"), quote(0.5, 104, 105)]
    assert mids(*at_once[:2])[0] == (0, 102.5)
    assert mids(*at_once)[0] == (0, 104.5)


def test_a_quote_of_one_side_and_a_crossed_one_are_no_mid_and_end_the_one_before() -> None:
    assert mids(quote(0), quote(60, 100, None), quote(120, 102, 101))[:3] == [(0, 100.5), (1, None), (2, None)]
    assert mids(quote(0, 100, 100))[0] == (0, 100.0)


def test_what_was_bought_and_sold_is_added_up_over_the_partitions() -> None:
    log = [
        quote(0, last_size=5, aggressor="buy"),
        quote(1, last_size=2, aggressor="sell", partition="quotes-1"),
        quote(59.9, last_size=1.5),
        quote(60, last_size=7, aggressor="sell"),
    ]
    rows = whole(bars_of(log)).select("signed_kusd", "traded_kusd").rows()
    assert rows[:3] == [(3_000, 8_500), (-7_000, 7_000), (0, 0)]


def test_years_without_a_quote_are_passed_over() -> None:
    years = 20 * 365 * A_DAY
    log = [quote(0), quote(years), quote(years + 3 * A_DAY, on_the_run=False)]
    minutes = [NOON + n * 60 for n in range(5)]
    minutes += [NOON + years + n * 60 for n in range(5)] + [NOON + years + 3 * A_DAY + n * 60 for n in range(15)]
    assert whole(bars_of(log))["minute"].to_list() == minutes


def test_nothing_gives_nothing() -> None:
    nothing = Minutes()
    nothing.add(pl.DataFrame(schema=tiers_of([]).treasury_seconds.schema))
    for begin in (None, 0, NOON):
        assert_equal(nothing.upto(EVER, begin), pl.DataFrame(schema=TREASURY_MINUTE))
