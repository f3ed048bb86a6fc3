"""Baselines, and what is compared with them, against their definitions in plain Python, and worked by hand."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, time, timedelta
from fractions import Fraction
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.tiers import BASELINE
from monitor.signals.baselines import DISTURBED, MEAN, baselines_of, means_of
from monitor.signals.model import change_ticks, evaluate
from monitor.signals.treasury import depth, zscore
from monitor.signals.treasury.measures import DEPTH_MUSD, SPREAD_32NDS
from monitor.signals.treasury.parameters import TreasuryParameters
from tests.signals.events import (
    AFTER_ALL,
    BEFORE_ALL,
    CALENDAR,
    S,
    decoded,
    made_baselines,
    new_store,
    new_york_us,
    tiers_of,
)
from tests.signals.market_logs import quote_logs
from tests.signals.plain import day_of
from tests.signals.plain_quotes import PRESENT, PlainTreasury
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from monitor.signals.model import Signal
    from tests.signals.events import Event, Log

SIGNALS: Final = {
    signal.name: signal for module in (zscore, depth) for signal in module.signals(TreasuryParameters())
}  # fmt: skip
Z, DROP = SIGNALS["treasury_spread_zscore"], SIGNALS["treasury_depth_drop_ratio"]
SEEDS: Final = st.integers(0, 1 << 32)
HALF_HOUR, PERIOD = 1_800, 300
LAST_BITS: Final = 1e-12
TICKS: Final = {2: 0.125, 3: 0.25, 5: 0.25, 7: 0.5, 10: 0.5, 20: 0.5, 30: 0.5}
"""In 32nds, by tenor."""
Means = list[dict[str, Any]]


def session_dates(count: int, first: date = date(2019, 5, 1)) -> list[date]:
    return [d for d in (first + timedelta(days=n) for n in range(3 * count + 10)) if CALENDAR.session(d)][:count]


def mean_row(day: date, half_hour: int, instrument: str, group: str, spread: float | None, depth: float | None) -> Any:
    index = CALENDAR.days(day, day)["bond_index"][0]
    return dict(zip(MEAN, (day, index, half_hour, instrument, group, spread, depth), strict=True))


# Baselines out of means.


def made_means(random: Random, days: list[date]) -> Means:
    """Some issues of two groups and one of its own; some days, half-hours and measures are missing."""
    groups = {"A": "7000 off", "B": "7000 off", "C": "7000 on", "D": "D"}
    rows = []
    for day in days:
        for name, group in groups.items():
            if random.random() < 0.15:
                continue
            for half_hour in (0, 3):
                for _ in range(random.choice([0, 1, 1, 2])):
                    spread = random.choice([None, *(n / 64 for n in range(1, 40))])
                    depth = random.choice([None, *(n / 4 for n in range(1, 40))])
                    rows.append(mean_row(day, half_hour, name, group, spread, depth))
    return rows


def plain_baselines(means: Means, refused: set[tuple[date, str]], session: date) -> list[dict[str, Any]]:
    """Of the last 20 sessions with an admitted mean of the group, the medians by half-hour."""
    days = session_dates(400, date(2019, 1, 2))
    now = days.index(session)

    def is_admitted(row: dict[str, Any]) -> bool:
        age = now - days.index(row["value_date"])
        return age > 60 or (age > 0 and (row["value_date"], row["instrument"]) not in refused)

    admitted = [row for row in means if row["value_date"] < session and is_admitted(row)]
    found = []
    for group in sorted({row["group"] for row in admitted}):
        own = [row for row in admitted if row["group"] == group]
        # Nothing is older than eighty sessions: sixty that may be kept out, and the twenty before them.
        recent = sorted({row["value_date"] for row in own if now - days.index(row["value_date"]) <= 80})[-20:]
        for half_hour in sorted({row["half_hour"] for row in own if row["value_date"] in recent}):
            rows = [row for row in own if row["value_date"] in recent and row["half_hour"] == half_hour]
            spreads = [(row["value_date"], row["spread_32nds"]) for row in rows if row["spread_32nds"] is not None]
            depths = [(row["value_date"], row["depth_musd"]) for row in rows if row["depth_musd"] is not None]
            middle = median(value for _, value in spreads) if spreads else None
            found.append(
                {
                    "value_date": session,
                    "half_hour": half_hour,
                    "group": group,
                    "sessions": len({day for day, _ in spreads}),
                    "spread_median_32nds": middle,
                    "spread_mad_32nds": None if middle is None else median(abs(v - middle) for _, v in spreads),
                    "depth_sessions": len({day for day, _ in depths}),
                    "depth_median_musd": median(value for _, value in depths) if depths else None,
                }
            )
    return sorted(found, key=lambda row: (row["half_hour"], row["group"]))


@given(SEEDS)
@settings(deadline=None, max_examples=25)
def test_baselines_are_as_defined(seed: int) -> None:
    random = Random(seed)
    days = session_dates(random.choice([5, 30, 95]))
    means = made_means(random, days)
    share = random.choice([0.0, 0.3, 0.9])
    refused = {(day, name) for day in days for name in "ABCD" if random.random() < share}
    jump = random.randint(0, len(days))
    refused |= {(day, "A") for day in days[jump : jump + 70]}
    session = random.choice([*days[-10:], session_dates(len(days) + 3)[-1]])
    found = baselines_of(
        pl.DataFrame(means, MEAN).sample(fraction=1, shuffle=True, seed=1),
        pl.DataFrame(sorted(refused), DISTURBED, orient="row"),
        session,
        CALENDAR,
    )
    assert found.schema == BASELINE
    assert found.rows(named=True) == plain_baselines(means, refused, session)


def one_group(widths: dict[int, float], refused: list[int], now: int) -> dict[str, Any]:
    """The baseline of a session by number, of an issue with one mean a session."""
    days = session_dates(100)
    means = [mean_row(days[n], 4, "X", "7000 off", width, None) for n, width in widths.items()]
    kept_out = pl.DataFrame([(days[n], "X") for n in refused], DISTURBED, orient="row")
    [row] = baselines_of(pl.DataFrame(means, MEAN), kept_out, days[now], CALENDAR).rows(named=True)
    return row


def test_the_last_twenty_sessions_and_not_the_day_itself() -> None:
    """Sessions 10 to 29 are 10 to 29 wide: half below 19.5, and half of them within 5."""
    row = one_group({n: float(n) for n in range(31)}, [], 30)
    assert (row["sessions"], row["spread_median_32nds"], row["spread_mad_32nds"]) == (20, 19.5, 5.0)
    assert (row["depth_sessions"], row["depth_median_musd"]) == (0, None)


def test_what_is_refused_makes_room_for_older_sessions_and_comes_back_after_sixty() -> None:
    widths = {n: 1.0 if n < 20 else 9.0 for n in range(90)}
    out = list(range(20, 90))
    assert one_group(widths, out, 80)["spread_median_32nds"] == 1.0  # 20 to 79 are all within sixty
    assert one_group(widths, out, 81)["spread_mad_32nds"] == 0.0  # the first of them is let in
    assert one_group(widths, out, 90)["spread_median_32nds"] == 5.0  # ten of twenty: 20 to 29
    assert one_group(widths, [], 31)["spread_median_32nds"] == 9.0


# Means out of quotes.


def plain_means(log: Log) -> list[tuple[Any, ...]]:
    """Five minutes at a time: (date, half-hour, issue, group) and the time-weighted means."""
    plain, found = PlainTreasury(log), []
    every = [quote for parts in plain.issues.values() for quotes in parts.values() for quote in quotes]
    begins = {quote.second // PERIOD * PERIOD + n * PERIOD for quote in every for n in range(4)}
    for begin in sorted(begins):
        session = CALENDAR.session(day_of(begin))
        if session is None or not session[0] <= begin < session[1]:
            continue
        for issue, partitions in sorted(plain.issues.items()):
            sums: dict[str, list[Fraction]] = defaultdict(lambda: [Fraction(), Fraction()])
            newest = []
            for quotes in partitions.values():
                is_there = False
                for n, quote in enumerate(quotes):
                    until = min([quote.ts + quote.hold * S, *(each.ts for each in quotes[n + 1 : n + 2])])
                    stood = min(until, (begin + PERIOD) * S) - max(quote.ts, begin * S)
                    is_there |= begin <= quote.second < begin + PERIOD
                    for figure in ("spread", "depth"):
                        value = quote.figure(figure)
                        if stood > 0 and value is not None:
                            is_there = True
                            sums[figure][0] += value * stood
                            sums[figure][1] += stood
                seen = [quote for quote in quotes if quote.second < begin + PERIOD]
                if is_there:
                    newest.append(seen[-1])
            tenor = run = None
            for quote in sorted(newest, key=lambda quote: (quote.ts, quote.partition)):
                tenor = tenor if quote.tenor is None else quote.tenor
                run = run if quote.on_the_run is None else quote.on_the_run
            group = issue if tenor is None or run is None else f"{int(tenor * 1000)} {'on' if run else 'off'}"
            means = [float(area / stood) if stood else None for area, stood in (sums["spread"], sums["depth"])]
            if means != [None, None]:
                found.append((day_of(begin), (begin - session[0]) // HALF_HOUR, issue, group, *means))
    return found


@given(quote_logs())
@settings(deadline=None, max_examples=20)
def test_means_are_as_defined(log: Log) -> None:
    store = new_store()
    for parts in decoded(log):
        store.add(parts, BEFORE_ALL)
    store.finish()
    store.tiers()
    found = means_of(store.take_periods(), CALENDAR, SPREAD_32NDS, DEPTH_MUSD)
    assert found.schema == MEAN
    index = dict(CALENDAR.days(date(2019, 1, 1), date(2021, 12, 31)).select("date", "bond_index").iter_rows())
    assert found["bond_index"].to_list() == [index[day] for day in found["value_date"]]
    rows, expected = found.drop("bond_index").rows(), plain_means(log)
    assert [row[:4] for row in rows] == [row[:4] for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row[4:] == tuple(None if v is None else pytest.approx(v, rel=LAST_BITS) for v in wanted[4:])


# What is told.


def told(log: Log, signal: Signal) -> pl.DataFrame:
    tiers = tiers_of(log)
    return evaluate(signal, tiers, change_ticks(SIGNALS.values(), tiers, BEFORE_ALL, AFTER_ALL))


def group_at(plain: PlainTreasury, issue: str, tick: int) -> tuple[str, float]:
    """The group, and the tick in 32nds."""
    tenor, run = plain.attributes(issue, tick)
    group = issue if tenor is None or run is None else f"{int(tenor * 1000)} {'on' if run else 'off'}"
    return group, TICKS.get(int(tenor or 0), 0.5)


@given(quote_logs())
@settings(deadline=None, max_examples=25)
def test_z_and_drop_are_as_defined(log: Log) -> None:
    plain = PlainTreasury(log)
    baselines = {
        (row["value_date"], row["half_hour"], row["group"]): row for row in made_baselines().iter_rows(named=True)
    }  # fmt: skip
    for signal, figure in ((Z, "spread"), (DROP, "depth")):
        for row in told(log, signal).iter_rows(named=True):
            issue, tick = row["instrument"], row["tick"]
            group, floor = group_at(plain, issue, tick)
            session = CALENDAR.session(row["value_date"])
            assert session is not None
            made = baselines.get((row["value_date"], (tick - 1 - session[0]) // HALF_HOUR, group))
            expected = None
            if made is not None and plain.state(issue, figure, tick) == PRESENT:
                mean = plain.mean(issue, figure, tick)
                assert mean is not None
                if signal is Z and made["sessions"] >= 10:
                    scale = max(1.4826 * made["spread_mad_32nds"], floor)
                    expected = (float(mean) - made["spread_median_32nds"]) / scale
                if signal is DROP and made["depth_sessions"] >= 10 and made["depth_median_musd"] > 0:
                    expected = 1 - float(mean) / made["depth_median_musd"]
            assert row["value"] == (None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9))


@given(quote_logs())
@settings(deadline=None, max_examples=15)
def test_a_quote_that_stands_is_told_again_when_another_half_hour_begins_to_count(log: Log) -> None:
    plain, values = PlainTreasury(log), told(log, Z)
    found = set(values.select("tick", "instrument").rows())
    for day in {day_of(quote.second) for parts in plain.issues.values() for qs in parts.values() for quote in qs}:
        for edge in range(*(CALENDAR.session(day) or (0, 0)), HALF_HOUR):
            for issue in plain.issues:
                if plain.state(issue, "spread", edge + 1) == PRESENT:
                    assert (edge + 1, issue) in found


def test_an_edge_before_the_first_quote_of_a_session_is_no_tick() -> None:
    """A live run did not look there either: it had heard of nothing."""
    ticks = change_ticks([Z], tiers_of([quote("09:10:00", 1.0)]), BEFORE_ALL, AFTER_ALL)
    assert ticks.min() == at("09:10:01")


# Worked by hand.

DAY: Final = date(2019, 9, 16)


def at(moment: str) -> int:
    return new_york_us(DAY, time.fromisoformat(moment)) // S


def quote(moment: str, spread_32nds: float, **more: Any) -> Event:
    fields: dict[str, Any] = {"bid": 100, "ask": 100 + spread_32nds / 32, "tenor_years": 10, "on_the_run": True}
    ts_us = new_york_us(DAY, time.fromisoformat(moment))
    return quote_event("quotes-0", "UST-10Y", ts_us, 0, **(fields | more))


def value(signal: Signal, log: Log, moment: str, **baseline: Any) -> float | None:
    """The value at a tick, in a half-hour with this baseline."""
    row = dict.fromkeys(BASELINE) | {"value_date": DAY, "half_hour": 4, "group": "10000 on"} | baseline
    tiers = tiers_of(log).with_baselines(pl.DataFrame([row], BASELINE))
    found = evaluate(signal, tiers, pl.Series("tick", [at(moment)]))["value"].to_list()
    return found[0] if found else None


SPREADS: Final[dict[str, Any]] = {"sessions": 20, "spread_median_32nds": 0.5, "spread_mad_32nds": 0.0}


def test_without_a_deviation_one_tick_of_the_tenor_is_the_scale() -> None:
    """1.5 where 0.5 is usual: a tick of the 10-year is half a 32nd, of the 2-year an eighth."""
    assert value(Z, [quote("09:10:00", 1.5)], "09:12:00", **SPREADS) == 2.0
    for tenor, z in ((2, 8.0), (3, 4.0), (5, 4.0), (7, 2.0), (20, 2.0), (30, 2.0), (4, 2.0)):
        log = [quote("09:10:00", 1.5, tenor_years=tenor)]
        assert value(Z, log, "09:12:00", **SPREADS, group=f"{tenor}000 on") == z


def test_a_wide_deviation_is_the_scale() -> None:
    found = value(Z, [quote("09:10:00", 1.5)], "09:12:00", **(SPREADS | {"spread_mad_32nds": 0.5}))
    assert found == pytest.approx(1 / 0.7413)


@pytest.mark.parametrize(("sessions", "z"), [(9, None), (10, 2.0)])
def test_with_less_than_ten_sessions_it_is_absent(sessions: int, z: float | None) -> None:
    assert value(Z, [quote("09:10:00", 1.5)], "09:12:00", **(SPREADS | {"sessions": sessions})) == z
    log = [quote("09:10:00", 1.5, bid_size=30, ask_size=30)]
    drop = value(DROP, log, "09:12:00", depth_sessions=sessions, depth_median_musd=150.0)
    assert drop == (None if z is None else 0.8)


def test_a_window_that_ends_on_the_edge_of_a_half_hour_is_of_the_one_before() -> None:
    log = [quote("09:29:00", 1.5)]
    assert value(Z, log, "09:30:00", **SPREADS) == 2.0
    assert value(Z, log, "09:30:01", **SPREADS) is None
    assert value(Z, [quote("08:59:00", 1.5)], "09:00:00", **SPREADS) is None
    assert value(Z, [quote("08:59:00", 1.5)], "09:00:01", **SPREADS) == 2.0


def test_an_issue_of_no_said_tenor_is_compared_with_itself() -> None:
    log = [quote("09:10:00", 1.5, tenor_years=None)]
    assert value(Z, log, "09:12:00", **SPREADS) is None
    assert value(Z, log, "09:12:00", **SPREADS, group="UST-10Y") == 2.0


def test_a_depth_of_nothing_is_nothing_to_compare_with() -> None:
    log = [quote("09:10:00", 1.5, bid_size=30, ask_size=30)]
    assert value(DROP, log, "09:12:00", depth_sessions=20, depth_median_musd=0.0) is None
