"""The scenarios: the same bytes every time, sound events, and stress where and when the story says."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import QuantLib
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.engine.decode import Decoder
from monitor.sources.clock import StoryClock
from monitor.sources.scenario import SCENARIOS, Scenario, ScenarioSource, source, treasury
from monitor.sources.scenario.securities import (
    SECURITIES,
    SPECIALS,
    TICKS,
    check_digit,
    clean_price,
    curve_percent,
    price_by_yield,
)
from monitor.sources.scenario.source import MAKERS
from monitor.sources.scenario.story import STORY_BLOCK_US, STORY_DAY, US_PER_MINUTE, Course, story_day_us
from monitor.sources.scenario.timeline import MAX_DELAY_US, POSITIONS_PER_BLOCK, Pace, blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.sources.base import RawBatch
    from monitor.sources.scenario.timeline import Block

DAYS = ("calm", "treasury-crunch", "repo-squeeze")
"""The scenarios of one past; `test_ai_debt_wave.py` is about the other."""
TOLD = ("reference", "treasury", "repo", "cds")
"""Their streams."""
WHOLE = "treasury-crunch"
"""The scenario that is told with its past."""
MORNING = 26
"""The block of the story's day before the story."""
CRUNCH = SCENARIOS[WHOLE]
TINY = replace(CRUNCH, past_sessions=1, story_end_us=CRUNCH.story_start_us + 2 * STORY_BLOCK_US)
START_US, END_US = CRUNCH.story_start_us, CRUNCH.story_end_us
NEW_YORK = ZoneInfo("America/New_York")
ON_THE_RUNS = [s.instrument for s in SECURITIES if s.on_the_run]
GENERAL = ("GC-ON", "GCF", "TRIPARTY")
# Threshold rows of the on-the-run spread in 32nds: (warning, its exit, critical).
SPREAD_ROWS = {
    "UST-2Y": (0.3, 0.25, 0.5), "UST-3Y": (0.35, 0.3, 0.5), "UST-5Y": (0.35, 0.3, 0.5), "UST-7Y": (0.9, 0.7, 1.25),
    "UST-10Y": (0.9, 0.7, 1.25), "UST-20Y": (2.5, 1.9, 4.0), "UST-30Y": (2.5, 1.9, 4.0),
}  # fmt: skip


def at(clock_time: str) -> int:
    return story_day_us(time.fromisoformat(clock_time))


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def over(scenario: Scenario, seed: int | None = None) -> ScenarioSource:
    """The scenario with its clock at the end."""
    clock = StoryClock(scenario.story_end_us, scenario.story_end_us, 1.0, lambda: 0.0)
    return ScenarioSource(scenario, clock, seed=seed)


def batches_of(told: ScenarioSource, sizes: Iterable[int] = (10_000,)) -> Iterable[RawBatch]:
    for size in itertools.cycle(sizes):
        batch = told.poll(size)
        if batch is None:
            return
        yield batch


def positioned(told: ScenarioSource, sizes: Iterable[int] = (10_000,)) -> dict[str, list[tuple[int, int, bytes]]]:
    """(position, arrival, payload) by stream, of an open source."""
    rows: dict[str, list[tuple[int, int, bytes]]] = {stream: [] for stream in MAKERS}
    for batch in batches_of(told, sizes):
        assert batch.arrived_us is not None
        assert batch.stream is not None
        assert batch.partition == f"{told.name}/{batch.stream}"
        rows[batch.stream] += zip(batch.offsets, batch.arrived_us, batch.payloads, strict=True)
    assert told.exhausted
    return rows


@cache
def tiny() -> dict[str, list[tuple[int, int, bytes]]]:
    told = over(TINY)
    told.open()
    return positioned(told)


@dataclass
class Told:
    """A whole scenario, told once and decoded: by stream the events with `arrived_us` and `offset`."""

    frames: dict[str, pl.DataFrame]

    def story(self, stream: str, columns: Iterable[str], *, morning: bool = False) -> list[tuple[Any, ...]]:
        since_us = at("07:00") if morning else START_US
        return self.frames[stream].filter(pl.col("ts_us") >= since_us).select(list(columns)).rows()

    def past(self, stream: str) -> pl.DataFrame:
        return self.frames[stream].filter(pl.col("ts_us") < at("07:00"))


@cache
def told(name: str) -> Told:
    decoder = Decoder()
    frames: dict[str, list[pl.DataFrame]] = defaultdict(list)
    one = over(SCENARIOS[name])
    # The pasts are equal, as a test says: the other two are told from the morning of the story's day on.
    resume = {} if name == WHOLE else {f"{name}/{stream}": MORNING * POSITIONS_PER_BLOCK for stream in MAKERS}
    one.open(resume)
    for batch in batches_of(one):
        (decoded,) = decoder.decode(batch)
        assert not decoded.rejects, decoded.rejects[:3]
        assert decoded.events.height == len(batch)
        arrived = pl.Series("arrived_us", batch.arrived_us, dtype=pl.Int64)
        position = pl.Series("offset", batch.offsets, dtype=pl.Int64)
        frames[decoded.stream].append(decoded.events.with_columns(arrived, position))
    assert one.exhausted
    if name != WHOLE:
        for stream, frame in told(WHOLE).frames.items():
            frames[stream].insert(0, frame.filter(pl.col("offset") < MORNING * POSITIONS_PER_BLOCK))
    return Told({stream: pl.concat(some) for stream, some in frames.items()})


every_scenario = pytest.mark.parametrize("name", DAYS)


# The same bytes, whatever is asked.


def test_the_scenarios() -> None:
    assert list(SCENARIOS) == ["ai-debt-wave", *DAYS]
    assert all(scenario.name == name and scenario.title for name, scenario in SCENARIOS.items())
    for scenario in map(SCENARIOS.__getitem__, DAYS):
        assert (scenario.speed, scenario.day, scenario.credit) == (60.0, STORY_DAY, None)
        assert scenario.story_start_us == datetime(2026, 5, 11, 9, tzinfo=NEW_YORK).timestamp() * 1e6
        assert scenario.story_end_us == datetime(2026, 5, 11, 16, 45, tzinfo=NEW_YORK).timestamp() * 1e6
    calendar = MarketCalendar()
    assert (STORY_DAY.weekday(), calendar.flags(STORY_DAY)) == (0, "")


def test_a_run_in_another_process_gives_the_same_bytes() -> None:
    script = (
        "import hashlib, sys\n"
        "from monitor.sources.scenario import SCENARIOS\n"
        "from monitor.sources.scenario.source import MAKERS\n"
        "from monitor.sources.scenario.timeline import blocks_of\n"
        "s = SCENARIOS['treasury-crunch']\n"
        "blocks = blocks_of(s)[::17]\n"
        "h = hashlib.sha256()\n"
        "for make in MAKERS.values():\n"
        "    for block in blocks:\n"
        "        e = make[1](s, s.seed, block)\n"
        "        h.update(repr((e.arrived_us, e.payloads)).encode())\n"
        "print(h.hexdigest())\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(runs) == 1


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=4))
def test_batch_sizes_change_nothing(sizes: list[int]) -> None:
    again = over(TINY)
    again.open()
    assert positioned(again, sizes) == tiny()


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(TOLD)), st.integers(0, 119))
def test_a_block_by_itself_equals_the_block_in_sequence(stream: str, number: int) -> None:
    block = blocks_of(CRUNCH)[number]
    treasury._market.cache_clear()
    count, make = MAKERS[stream]
    alone = make(CRUNCH, CRUNCH.seed, block)
    frame = told("treasury-crunch").frames[stream]
    frame = frame.filter(pl.col("offset") // POSITIONS_PER_BLOCK == number)
    assert count(CRUNCH, CRUNCH.seed, block) == len(alone.payloads) == frame.height
    assert frame["offset"].to_list() == [number * POSITIONS_PER_BLOCK + i for i in range(frame.height)]
    assert frame["arrived_us"].to_list() == alone.arrived_us
    assert frame["ts_us"].to_list() == [json.loads(payload)["ts"] for payload in alone.payloads]
    assert all(block.since_us <= us < block.end_us for us in alone.arrived_us)


@every_scenario
def test_counts_are_what_is_made(name: str) -> None:
    scenario = SCENARIOS[name]
    for stream in TOLD:
        sizes = {b.number: MAKERS[stream][0](scenario, scenario.seed, b) for b in blocks_of(scenario)}
        counted = {number: size for number, size in sizes.items() if size}
        numbers = told(name).frames[stream]["offset"] // POSITIONS_PER_BLOCK
        assert dict(numbers.value_counts().rows()) == counted


def test_pasts_are_equal_and_stories_are_not() -> None:
    blocks = blocks_of(CRUNCH)
    for name in ("calm", "repo-squeeze"):
        assert blocks_of(SCENARIOS[name]) == blocks
        for stream, (_, make) in MAKERS.items():
            for number in (0, 1, 25, MORNING):
                assert make(SCENARIOS[name], 1, blocks[number]) == make(CRUNCH, 1, blocks[number])
            if stream not in ("reference", "newissue"):
                assert make(SCENARIOS[name], 1, blocks[60]) != make(CRUNCH, 1, blocks[60])


def test_another_seed_is_another_story() -> None:
    other = over(TINY, seed=TINY.seed + 1)
    other.open()
    rows = positioned(other)
    for stream in ("treasury", "repo", "cds"):
        ours, theirs = ([payload for *_, payload in each[stream]] for each in (tiny(), rows))
        assert len(ours) == len(theirs)
        assert len(set(ours) & set(theirs)) < len(ours) / 100
    assert rows["reference"] == tiny()["reference"]


# The clock, and positions.


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=4), st.integers(1, 3_000))
def test_what_has_arrived_is_told_and_nothing_else(seconds: list[int], size: int) -> None:
    wall = Wall()
    clock = StoryClock(START_US, TINY.story_end_us, 1.0, wall)
    one = ScenarioSource(TINY, clock)
    one.open()
    clock.begin()
    got: dict[str, int] = Counter()
    for moment in [0, *sorted(seconds), 1_000_000]:
        wall.seconds = float(moment)
        now_us = clock.now_us()
        lag = one.lag()
        assert lag is not None
        count = 0
        for batch in batches_of(one, (size,)):
            assert batch.stream is not None
            got[batch.stream] += len(batch)
            count += len(batch)
        assert lag <= count
        assert one.lag() == 0
        for stream, rows in tiny().items():
            assert got[stream] == sum(arrived <= now_us for _, arrived, _ in rows), (stream, moment)
        assert one.exhausted == (now_us >= tiny()["treasury"][-1][1])
        assert one.progress() == (sum(got[stream] for stream in MAKERS), sum(map(len, tiny().values())))
    assert one.exhausted


def test_the_longest_wait_comes_first_and_a_block_is_the_most_that_is_held() -> None:
    one = over(TINY)
    one.open()
    begun: list[int] = []
    largest = max(count(TINY, TINY.seed, block) for count, _ in MAKERS.values() for block in blocks_of(TINY))
    for batch in batches_of(one, (500,)):
        assert batch.arrived_us is not None
        heads = [head for p in one._partitions if (head := p.head_us(TINY.story_end_us)) is not None]
        assert all(batch.arrived_us[0] <= head for head in heads)
        assert len({offset // POSITIONS_PER_BLOCK for offset in batch.offsets}) == 1
        begun.append(batch.arrived_us[0])
        assert all(len(p._events.payloads) <= largest for p in one._partitions)
    assert begun == sorted(begun)
    assert not any(p._events.payloads for p in one._partitions)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_resuming_anywhere_gives_the_rest(data: st.DataObject) -> None:
    resume = {"treasury-crunch/deals": 5, "treasury": 7}
    wanted = {}
    for stream, rows in tiny().items():
        named = data.draw(st.booleans())
        position = data.draw(
            st.sampled_from([offset for offset, *_ in rows] or [0]) | st.integers(0, 5 * POSITIONS_PER_BLOCK)
        )
        if named:
            resume[f"treasury-crunch/{stream}"] = position
        wanted[stream] = [row for row in rows if not named or row[0] >= position]
    one = over(TINY)
    one.open(resume)
    assert one.progress() == (0, sum(map(len, wanted.values())))
    assert one.lag() == sum(map(len, wanted.values()))
    assert positioned(one) == wanted


def test_blocks_before_the_resumed_one_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    count, make = MAKERS["treasury"]

    def watched(scenario: Scenario, seed: int, block: Block) -> Any:
        made.append(block.number)
        return make(scenario, seed, block)

    monkeypatch.setitem(source.MAKERS, "treasury", (count, watched))
    size = count(CRUNCH, CRUNCH.seed, blocks_of(CRUNCH)[20])
    for first, index, begins in ((20, 0, 20), (20, 17, 20), (20, size, 21), (20, 999_999, 21), (200, 0, None)):
        made.clear()
        one = over(CRUNCH)
        one.open({"treasury-crunch/treasury": first * POSITIONS_PER_BLOCK + index})
        assert set(made) <= {begins}
        batches = iter(batches_of(one, (100,)))
        while (batch := next(batches)).stream != "treasury" and begins:
            pass
        assert made == ([begins] if begins else [])
        if begins:
            assert batch.offsets[0] == begins * POSITIONS_PER_BLOCK + (index if begins == first else 0)


def test_a_second_opening_begins_again() -> None:
    one = over(TINY)
    one.open()
    positioned(one)
    one.close(1.0)
    one.open()
    assert not one.exhausted
    assert positioned(one) == tiny()


def test_a_clock_that_stops_before_the_story_is_refused() -> None:
    clock = StoryClock(START_US, END_US - 1, 60.0, lambda: 0.0)
    with pytest.raises(ValueError, match="before the story's end"):
        ScenarioSource(CRUNCH, clock)


@pytest.mark.parametrize(
    "wrong",
    [
        {"story_end_us": START_US},
        {"story_end_us": START_US - STORY_BLOCK_US},
        {"story_end_us": END_US + 1},
        {"past_sessions": -1},
    ],
)
def test_a_scenario_that_cannot_be_is_refused(wrong: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="story treasury-crunch"):
        replace(CRUNCH, **wrong)


@pytest.mark.parametrize("knots", [{}, {"09:10": 1.0, "09:05": 2.0}])
def test_a_course_out_of_order_is_refused(knots: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must rise in time"):
        Course(knots)


# The events.


def test_the_past_is_25_sessions_and_small_enough() -> None:
    blocks = blocks_of(CRUNCH)
    paces = Counter(block.pace for block in blocks)
    assert paces == {Pace.PUBLISHED: 1, Pace.SESSION: 25, Pace.MORNING: 1, Pace.STORY: 93}
    calendar = MarketCalendar()
    for block in blocks:
        if block.pace is Pace.SESSION:
            session = calendar.session(block.day)
            assert session is not None
            assert (block.start_us, block.end_us) == (session[0] * 1_000_000, session[1] * 1_000_000)
    assert blocks[25].day == date(2026, 5, 8)
    for earlier, later in itertools.pairwise(blocks):
        assert earlier.end_us == later.since_us <= later.start_us
    past = sum(count(CRUNCH, 1, b) for count, _ in MAKERS.values() for b in blocks if b.pace is not Pace.STORY)
    assert past <= 150_000


def test_early_closes_shorten_sessions() -> None:
    # 2026-04-03, a Good Friday on which the market opens until noon, is the 26th session back.
    blocks = blocks_of(replace(CRUNCH, past_sessions=26))
    assert (blocks[1].day, blocks[1].end_us - blocks[1].start_us) == (date(2026, 4, 3), 5 * 60 * US_PER_MINUTE)
    for count, make in MAKERS.values():
        assert count(CRUNCH, 1, blocks[1]) == len(make(CRUNCH, 1, blocks[1]).payloads)


def test_forty_securities_of_which_thirty_have_one_to_ten_years_left() -> None:
    assert len({s.instrument for s in SECURITIES}) == 40
    assert [s.instrument for s in SECURITIES[:7]] == [f"UST-{n}Y" for n in (2, 3, 5, 7, 10, 20, 30)]
    for day in (blocks_of(CRUNCH)[1].day, STORY_DAY):
        assert sum(1 <= s.years_left(day) <= 10 for s in SECURITIES) >= 30
    for s in SECURITIES[7:]:
        assert not s.on_the_run
        assert len(s.instrument) == 9
        assert "SYN" in s.instrument
        assert int(s.instrument[8]) == check_digit(s.instrument[:8])
        assert s.years_left(STORY_DAY) < s.tenor_years
    assert len(SPECIALS) == len(set(SPECIALS)) == 4
    assert set(SPECIALS) <= {s.instrument for s in SECURITIES[7:]}


@every_scenario
def test_quotes_tell_their_securities(name: str) -> None:
    attributes = ["instrument", "tenor_e3", "on_the_run", "coupon_e6", "maturity"]
    told_of = told(name).frames["treasury"].select(attributes).unique().rows()
    wanted = [
        (s.instrument, s.tenor_years * 1_000, s.on_the_run, round(s.coupon * 1_000_000), s.maturity) for s in SECURITIES
    ]
    assert sorted(told_of) == sorted(wanted)
    assert told(name).frames["treasury"]["venue"].unique().to_list() == ["synthetic"]


@every_scenario
def test_prices_are_on_the_tick_grid_and_plausible(name: str) -> None:
    ticks = {s.instrument: TICKS[s.tenor_years] * 1_000_000_000 // 256 for s in SECURITIES}
    tick = pl.col("instrument").replace_strict(ticks, return_dtype=pl.Int64)
    frame = told(name).frames["treasury"]
    for price in ("bid_e9", "ask_e9", "last_price_e9"):
        assert frame.filter(pl.col(price) % tick != 0).is_empty()
        assert frame.filter(~pl.col(price).is_between(35 * 10**9, 115 * 10**9)).is_empty()
    assert frame.filter(pl.min_horizontal("bid_size_kusd", "ask_size_kusd") < 1_000).is_empty()
    traded = frame.filter(pl.col("last_price_e9").is_not_null())
    assert traded.height > 5_000
    side = pl.when(pl.col("aggressor") == "buy").then("ask_e9").otherwise("bid_e9")
    assert traded.filter(pl.col("last_price_e9") != side).is_empty()
    assert traded.filter(pl.col("last_size_kusd").is_null()).is_empty()


def test_prices_agree_with_quantlib() -> None:
    settled = STORY_DAY + timedelta(days=1)

    def qdate(day: date) -> QuantLib.Date:
        return QuantLib.Date(day.day, day.month, day.year)

    QuantLib.Settings.instance().evaluationDate = qdate(STORY_DAY)
    for security in SECURITIES:
        issued = security.maturity.replace(year=security.maturity.year - security.tenor_years, day=1)
        month_end = (security.maturity + timedelta(days=1)).day == 1
        schedule = QuantLib.Schedule(
            qdate(issued),
            qdate(security.maturity),
            QuantLib.Period(6, QuantLib.Months),
            QuantLib.NullCalendar(),
            QuantLib.Unadjusted,
            QuantLib.Unadjusted,
            QuantLib.DateGeneration.Backward,
            month_end,
        )
        counter = QuantLib.ActualActual(QuantLib.ActualActual.ISMA, schedule)
        bond = QuantLib.FixedRateBond(1, 100.0, schedule, [security.coupon / 100], counter)
        for percent in (0.5, 3.7, 4.4, 6.0):
            rate = QuantLib.InterestRate(percent / 100, counter, QuantLib.Compounded, QuantLib.Semiannual)
            wanted = QuantLib.BondFunctions.cleanPrice(bond, rate, qdate(settled))
            got = clean_price(security.coupon, security.maturity, settled, percent)
            assert got == pytest.approx(wanted, abs=1e-6), (security, percent)


def test_the_quadratic_price_is_good_to_a_quarter_of_a_32nd() -> None:
    settled = STORY_DAY + timedelta(days=1)
    for security in SECURITIES:
        a, b, c = price_by_yield(security, STORY_DAY)
        calm = curve_percent(security.years_left(settled))
        for bp in (-45, -10, 0, 25, 45):
            exact = 256 * clean_price(security.coupon, security.maturity, settled, calm + bp / 100)
            assert abs(a + bp * (b + bp * c) - exact) < 2.0, (security, bp)


@every_scenario
def test_the_rates_of_events(name: str) -> None:
    quotes = told(name).frames["treasury"]
    for block in blocks_of(SCENARIOS[name]):
        if block.pace is Pace.PUBLISHED or (block.pace is Pace.STORY and block.number % 10):
            continue
        seconds = (block.end_us - block.start_us) / 1e6
        on_every, off_every = (2, 20) if block.pace is Pace.STORY else (240, 600)
        mine = quotes.filter(pl.col("offset") // POSITIONS_PER_BLOCK == block.number)
        counts = Counter(mine["instrument"].to_list())
        for s in SECURITIES:
            assert counts[s.instrument] == seconds // (on_every if s.on_the_run else off_every)
    # A quote stands 5 minutes (off-the-run 15): within a session no instrument falls silent for so long.
    gaps = (
        quotes.sort("ts_us")
        .with_columns(
            gap=pl.col("ts_us").diff().over("instrument", pl.col("ts_us") // (24 * 3_600_000_000)),
            in_story=pl.col("ts_us").shift(1).over("instrument") >= START_US,
        )
        .group_by("in_story", "on_the_run")
        .agg(gap=pl.col("gap").max() / 1e6)
        .drop_nulls()
    )
    longest = {(in_story, on_the_run): gap for in_story, on_the_run, gap in gaps.rows()}
    assert longest[True, True] <= 4.0
    assert longest[True, False] <= 40.0
    assert longest[False, True] < 290
    assert longest[False, False] < 720

    trades = told(name).frames["repo"].filter(pl.col("kind") == "trade")
    by_block = Counter((trades["offset"] // POSITIONS_PER_BLOCK).to_list())
    assert all(300 <= by_block[number] <= 301 for number in range(1, 26))
    assert all(100 <= by_block[number] <= 101 for number in range(27, 120))
    cds = told(name).frames["cds"]
    by_block = Counter((cds["offset"] // POSITIONS_PER_BLOCK).to_list())
    assert by_block[1] == 30 * 11
    assert by_block[50] == 5 * 11


@every_scenario
def test_a_little_disorder_and_some_ties(name: str) -> None:
    for stream, frame in told(name).frames.items():
        assert frame["arrived_us"].is_sorted()
        assert frame["offset"].diff().drop_nulls().min() > 0  # type: ignore[operator]
        delay = frame["arrived_us"] - frame["ts_us"]
        assert delay.min() >= 0  # type: ignore[operator]
        assert delay.max() <= MAX_DELAY_US == 1_500_000  # type: ignore[operator]
        disorder = frame["ts_us"].cum_max() - frame["ts_us"]
        assert disorder.max() <= 1_500_000  # type: ignore[operator]
        if stream == "treasury":
            assert 1_000 < (disorder > 0).sum() < frame.height / 3
            tied = frame.height - frame["ts_us"].n_unique()
            assert 50 < tied < frame.height / 50


@every_scenario
def test_one_sided_and_crossed_quotes(name: str) -> None:
    frame = told(name).frames["treasury"]
    missing = pl.col("bid_e9").is_null() | pl.col("ask_e9").is_null()
    calm_time = frame.filter(pl.col("ts_us") < (START_US if name == "treasury-crunch" else END_US))
    assert 0 < calm_time.filter(missing).height < calm_time.height / 100
    assert calm_time.filter(pl.col("ask_e9") <= pl.col("bid_e9")).is_empty()
    peak = frame.filter(pl.col("ts_us").is_between(at("11:15"), at("11:45")))
    shares = {
        newest: peak.filter(pl.col("on_the_run") == newest).select(missing.mean()).item() for newest in (True, False)
    }
    crossed = peak.filter(pl.col("ask_e9") < pl.col("bid_e9")).height
    if name == "treasury-crunch":
        assert 0.08 < shares[True] < 0.16
        assert 0.28 < shares[False] < 0.40
        assert 20 < crossed < peak.height / 50
    else:
        assert max(shares.values()) < 0.01
        assert crossed == 0


def test_what_is_published() -> None:
    reference = told("calm").frames["reference"].select("series", "value_e6", "effective_date").rows()
    day = date(2025, 12, 11)
    assert sorted(reference) == [
        ("IORB", 3_650_000, day), ("ON_RRP", 3_500_000, day), ("TARGET_LOWER", 3_500_000, day),
        ("TARGET_UPPER", 3_750_000, day),
    ]  # fmt: skip
    prints = told("calm").frames["repo"].filter(pl.col("kind") == "benchmark")
    calendar = MarketCalendar()
    days = [calendar.add_sofr_business_days(STORY_DAY, -n) for n in range(1, 61)]
    keys = prints.select("instrument", "value_date").rows()
    assert sorted(keys) == sorted(
        itertools.product(("SOFR", "TGCR", "BGCR", "GCF", "TRIPARTY", "DVP"), days),
    )
    for ts_us, value_date in prints.select("ts_us", "value_date").rows():
        published = datetime.fromtimestamp(ts_us / 1e6, NEW_YORK)
        assert (published.date(), published.time()) == (calendar.next_sofr_business_day(value_date), time(8))
    rising = ["p1_e6", "p25_e6", "rate_e6", "p75_e6", "p99_e6"]
    for row in prints.select(rising).rows():
        assert list(row) == sorted(row)
        assert None not in row
    assert prints["ts_us"].max() == at("08:00")
    over_iorb = (prints["rate_e6"] - 3_650_000) / 1e4
    assert over_iorb.min() >= -5  # type: ignore[operator]
    assert over_iorb.max() <= 10  # type: ignore[operator]


@every_scenario
def test_trades_have_unique_ids_but_for_a_few_doubles(name: str) -> None:
    trades = told(name).frames["repo"].filter(pl.col("kind") == "trade")
    same = trades.drop("arrived_us", "offset", "id")
    doubles = trades.filter(trades["id"].is_duplicated())
    assert 20 <= doubles.height // 2 <= 100
    assert doubles["id"].n_unique() * 2 == doubles.height
    assert doubles.select(same.columns).n_unique() == doubles.height // 2
    segments = set(trades.select("instrument", "segment").unique().rows())
    assert segments == {
        ("GC-ON", "dvp"),
        ("GCF", "gcf"),
        ("TRIPARTY", "triparty"),
        *((each, "dvp") for each in SPECIALS),
    }


@every_scenario
def test_half_an_hour_has_enough_repo_volume(name: str) -> None:
    rows = told(name).story("repo", ("ts_us", "instrument", "volume_kusd", "kind"), morning=True)
    volumes: dict[str, dict[int, int]] = defaultdict(Counter)
    for ts_us, instrument, volume, kind in rows:
        if kind == "trade":
            volumes[instrument][(ts_us - at("07:00")) // STORY_BLOCK_US] += volume
    assert set(volumes) == {*GENERAL, *SPECIALS}
    for instrument, by_slot in volumes.items():
        for upto in range(3, (END_US - at("07:00")) // STORY_BLOCK_US):
            assert sum(by_slot[slot] for slot in range(upto - 6, upto)) > 6_000_000, (instrument, upto)


def test_cds_names() -> None:
    frame = told("calm").frames["cds"]
    names = frame.filter(~pl.col("index").fill_null(value=False))
    assert names["entity"].n_unique() == 8
    assert names["themes"].list.len().min() == 1
    one_year = names.filter(pl.col("tenor_e3") == 1_000)["entity"].unique().to_list()
    assert sorted(one_year) == ["SYN-CLOUD-1", "SYN-CLOUD-2"]
    index = frame.filter(pl.col("index"))
    assert index.select("entity", "index_series", "tenor_e3").unique().rows() == [("SYN-CDX-IG", 45, 5_000)]
    assert frame.filter(pl.col("ask_e6") <= pl.col("bid_e6")).is_empty()


# The stories. Means and percentiles are computed here anew, in plain loops.


@cache
def mean_spreads(name: str) -> dict[str, dict[int, float]]:
    """By on-the-run, and `off-30`: the mean spread in 32nds of the 5 minutes up to each whole minute of the story."""
    columns = ("ts_us", "instrument", "bid_e9", "ask_e9", "tenor_e3", "on_the_run")
    minutes: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for ts_us, instrument, bid, ask, tenor, newest in told(name).story("treasury", columns, morning=True):
        key = instrument if newest else f"off-{tenor // 1_000}"
        if bid is not None and ask is not None and ask >= bid:
            minutes[key][ts_us // US_PER_MINUTE].append(32 * (ask - bid) / 1e9)
    first, last = at("07:10") // US_PER_MINUTE, END_US // US_PER_MINUTE
    return {
        key: {
            upto * US_PER_MINUTE: statistics.fmean(some)
            for upto in range(first, last + 1)
            if (some := [x for minute in range(upto - 5, upto) for x in by_minute[minute]])
        }
        for key, by_minute in list(minutes.items())
    }


def first_past(values: Mapping[int, float], threshold: float) -> str:
    """The New York time at which the values are past the threshold for the first time."""
    past = [us for us, value in values.items() if value >= threshold]
    return datetime.fromtimestamp(min(past) / 1e6, NEW_YORK).strftime("%H:%M") if past else "never"


def last_past(values: Mapping[int, float], threshold: float) -> str:
    past = [us for us, value in values.items() if value >= threshold]
    return datetime.fromtimestamp(max(past) / 1e6, NEW_YORK).strftime("%H:%M") if past else "never"


@pytest.mark.parametrize("name", ["calm", "repo-squeeze"])
def test_spreads_stay_inside_calm(name: str) -> None:
    for instrument, (_, exit_, _) in SPREAD_ROWS.items():
        assert max(mean_spreads(name)[instrument].values()) < exit_, instrument
    assert max(mean_spreads(name)["off-30"].values()) < 2.6
    assert set(SPREAD_ROWS) == set(ON_THE_RUNS)


def test_spreads_of_the_past_stay_inside_calm() -> None:
    quotes = told("calm").past("treasury").filter(pl.col("on_the_run"))
    wide = quotes.with_columns(spread=32 * (pl.col("ask_e9") - pl.col("bid_e9")) / 1e9)
    for instrument, widest in wide.group_by("instrument").agg(pl.col("spread").max()).rows():
        assert widest < SPREAD_ROWS[instrument][1]


def test_the_crunch_widens_off_the_runs_first_and_the_long_end_next() -> None:
    spreads = mean_spreads("treasury-crunch")
    excess = {us: value - spreads["UST-30Y"][us] for us, value in spreads["off-30"].items()}
    assert "09:04" <= first_past(spreads["off-30"], 2.5) < first_past(spreads["UST-30Y"], 1.5)
    assert "09:08" <= first_past(spreads["UST-30Y"], 2.5) <= "09:10"
    assert "09:25" <= first_past(spreads["UST-30Y"], 4.0) <= "09:35"
    assert first_past(spreads["off-30"], 5.0) <= "09:12"
    assert first_past(spreads["off-30"], 8.0) <= "09:35"
    assert first_past(excess, 3.5) <= "09:20"
    assert first_past(excess, 6.0) <= "09:50"
    assert "09:10" <= first_past(spreads["UST-10Y"], 0.9) <= "09:14"
    assert "09:35" <= first_past(spreads["UST-10Y"], 1.25) <= "09:45"
    for instrument, (warning, *_) in list(SPREAD_ROWS.items())[:3]:
        assert "09:50" <= first_past(spreads[instrument], warning) <= "10:15", instrument
    for instrument, (_, exit_, critical) in SPREAD_ROWS.items():
        peak = max(spreads[instrument], key=lambda us: spreads[instrument][us])
        assert at("11:20") <= peak <= at("11:50")
        assert spreads[instrument][peak] > 1.3 * critical
        assert last_past(spreads[instrument], exit_) <= "14:30"
        assert spreads[instrument][END_US] < 1.2 * spreads[instrument][START_US]
    assert last_past(spreads["off-30"], 4.0) <= "14:30"


def depths(name: str) -> dict[str, float]:
    """The mean depth of the 2-year by half-hour, in USD millions."""
    columns = ("ts_us", "instrument", "bid_size_kusd", "ask_size_kusd")
    sizes: dict[str, list[float]] = defaultdict(list)
    for ts_us, instrument, bid, ask in told(name).story("treasury", columns):
        if instrument == "UST-2Y" and bid is not None and ask is not None:
            half_hour = START_US + (ts_us - START_US) // (30 * US_PER_MINUTE) * 30 * US_PER_MINUTE
            sizes[datetime.fromtimestamp(half_hour / 1e6, NEW_YORK).strftime("%H:%M")].append((bid + ask) / 2_000)
    return {half_hour: statistics.fmean(each) for half_hour, each in sizes.items()}


def test_depth_falls_to_a_tenth_in_the_crunch() -> None:
    calm, crunch = depths("calm"), depths("treasury-crunch")
    left = {half_hour: crunch[half_hour] / calm[half_hour] for half_hour in calm}
    assert 0.09 < left["11:30"] < 0.13
    assert min(left, key=lambda h: left[h]) in ("11:00", "11:30")
    assert left["10:00"] < 0.35
    assert left["16:00"] > 0.95


def swings(name: str, frm: str, upto: str) -> float:
    """The mean of the interquartile ranges of the 10-year's mids over 5 minutes, in 32nds."""
    mids: dict[int, list[float]] = defaultdict(list)
    for ts_us, instrument, bid, ask in told(name).story("treasury", ("ts_us", "instrument", "bid_e9", "ask_e9")):
        if instrument == "UST-10Y" and bid is not None and ask is not None and at(frm) <= ts_us < at(upto):
            mids[ts_us // STORY_BLOCK_US].append(16 * (bid + ask) / 1e9)
    ranges = [q[2] - q[0] for q in (statistics.quantiles(each, n=4) for each in mids.values())]
    return statistics.fmean(ranges)


def test_mids_move_more_in_the_crunch() -> None:
    assert swings("calm", "09:00", "16:45") < 0.5
    assert swings("repo-squeeze", "09:00", "16:45") < 1.0
    assert swings("treasury-crunch", "11:15", "12:00") > 4.0
    assert swings("treasury-crunch", "14:45", "16:45") < 0.7


def test_mids_are_continuous_across_blocks() -> None:
    mids: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for ts_us, instrument, bid, ask in told("calm").story("treasury", ("ts_us", "instrument", "bid_e9", "ask_e9")):
        if instrument in ON_THE_RUNS and bid is not None and ask is not None:
            mids[instrument].append((ts_us, 16 * (bid + ask) / 1e9))
    for each in mids.values():
        each.sort()
        assert max(abs(b - a) for (_, a), (_, b) in itertools.pairwise(each)) <= 1.0


def percentile(volumes: Mapping[int, int], percent: int) -> int:
    total, reached = sum(volumes.values()), 0
    for rate in sorted(volumes):
        reached += volumes[rate]
        if 100 * reached >= percent * total:
            return rate
    raise AssertionError


def repo_at(name: str, clock_time: str, frm: str) -> dict[str, tuple[float, float]]:
    """By instrument: median over IORB and tail, in bp, of the trades from one time up to another."""
    volumes: dict[str, dict[int, int]] = defaultdict(Counter)
    seen: set[str] = set()
    for ts_us, instrument, rate, volume, trade_id in told(name).story(
        "repo", ("ts_us", "instrument", "rate_e6", "volume_kusd", "id"), morning=True
    ):
        if at(frm) <= ts_us < at(clock_time) and trade_id is not None and trade_id not in seen:
            seen.add(trade_id)
            volumes[instrument][rate] += volume
    medians = {instrument: percentile(each, 50) for instrument, each in volumes.items()}
    return {
        instrument: ((median - 3_650_000) / 1e4, (percentile(volumes[instrument], 99) - median) / 1e4)
        for instrument, median in medians.items()
    }


def half_hour_to(name: str, clock_time: str) -> dict[str, tuple[float, float]]:
    begin = datetime.strptime(clock_time, "%H:%M") - timedelta(minutes=30)  # noqa: DTZ007 - a clock's time
    return repo_at(name, clock_time, begin.strftime("%H:%M"))


def wedges(window: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """GCF less triparty, and how special the dearest collateral is."""
    special = min(window[each][0] for each in SPECIALS)
    return window["GCF"][0] - window["TRIPARTY"][0], window["GC-ON"][0] - special


@pytest.mark.parametrize("clock_time", ["07:30", "09:00", "09:30", "10:45", "11:30", "14:00", "16:45"])
def test_repo_is_calm_in_calm(clock_time: str) -> None:
    for window in (half_hour_to("calm", clock_time), repo_at("calm", clock_time, "07:00")):
        for instrument in GENERAL:
            median, tail = window[instrument]
            assert -5 <= median <= 3
            assert 0 <= tail <= 12
        wedge, special = wedges(window)
        assert wedge < 6
        assert special < 8


def test_repo_follows_in_the_crunch() -> None:
    calm = half_hour_to("calm", "11:30")
    for instrument in GENERAL:
        assert half_hour_to("treasury-crunch", "10:00")[instrument] == half_hour_to("calm", "10:00")[instrument]
        assert half_hour_to("treasury-crunch", "10:45")[instrument][1] > 100
        median, tail = half_hour_to("treasury-crunch", "11:30")[instrument]
        assert 11 <= median - calm[instrument][0] <= 13.5
        assert 105 < tail < 140
        assert half_hour_to("treasury-crunch", "15:15")[instrument][1] < 25


def test_the_squeeze() -> None:
    for window in (half_hour_to("repo-squeeze", "09:40"), repo_at("repo-squeeze", "09:40", "07:00")):
        assert 35 <= window["GC-ON"][0] <= 50
        for instrument in GENERAL:
            assert 180 <= window[instrument][1] <= 240
        assert 38 <= wedges(window)[0] <= 46
    assert 170 <= wedges(half_hour_to("repo-squeeze", "09:50"))[1] <= 190
    assert half_hour_to("repo-squeeze", "09:05")["GC-ON"][0] < 3
    assert half_hour_to("repo-squeeze", "14:00")["GC-ON"][0] < 16
    assert half_hour_to("repo-squeeze", "16:45")["GC-ON"][1] < 25


def test_cds_widen_by_a_third_in_the_crunch() -> None:
    for name, least, most in (("calm", 0.97, 1.03), ("treasury-crunch", 1.30, 1.38), ("repo-squeeze", 1.01, 1.06)):
        mids: dict[tuple[str, int], list[float]] = defaultdict(list)
        for entity, tenor, bid, ask in told(name).story("cds", ("entity", "tenor_e3", "bid_e6", "ask_e6")):
            mids[entity, tenor].append((bid + ask) / 2)
        before = told(name).past("cds").with_columns(mid=(pl.col("bid_e6") + pl.col("ask_e6")) / 2)
        median = {(e, t): m for e, t, m in before.group_by("entity", "tenor_e3").agg(pl.col("mid").median()).rows()}
        for key, each in mids.items():
            assert least <= max(each) / median[key] <= most
            assert min(each) / median[key] >= 0.97
