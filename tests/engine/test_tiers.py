"""The tiers: which version of a print stands at a tick, whatever the order in which it came to be known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.engine.bars.repo import REPO_BAR
from monitor.engine.decode import Decoded, Decoder, schema
from monitor.engine.tiers import BENCHMARK, EVER, REFERENCE, Tiers, TierStore
from monitor.sources.base import RawBatch
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from random import Random

SECOND = 1_000_000
BASE = 1_735_689_600
CALENDAR = MarketCalendar()
DAYS = [date(2024, 12, 30), date(2024, 12, 31)]
LONG_AGO = -(1 << 62) + 1
"""The first tick that has not run before any has."""

properties = settings(deadline=None, max_examples=100)
slow_properties = settings(deadline=None, max_examples=50)


@dataclass(frozen=True)
class Print:
    """One version of a benchmark or of a reference value, and the first tick that had not run when it came."""

    stream: str
    name: str
    day: date
    ts_us: int
    partition: str
    offset: int
    next_tick: int
    value_e6: int = 0

    @property
    def tick(self) -> int:
        """From which tick on it is known: a whole second at or after its time, that has not run."""
        second, rest = divmod(self.ts_us, SECOND)
        return max(second + (rest > 0), self.next_tick)

    @property
    def key(self) -> tuple[str, str, date]:
        return self.stream, self.name, self.day

    @property
    def order(self) -> tuple[int, str, int]:
        """Equal timestamps: position decides."""
        return self.ts_us, self.partition, self.offset


def decoded(stream: str, partition: str, rows: list[dict[str, Any]]) -> Decoded:
    return Decoded(stream, "feed", partition, pl.DataFrame(rows, schema=schema(STREAMS[stream])), ())


def as_decoded(prints: list[Print]) -> Decoded:
    """Consecutive prints of one stream and partition."""
    rows = [
        {"offset": p.offset, "ts_us": p.ts_us}
        | (
            {"instrument": p.name, "value_date": p.day, "rate_e6": p.value_e6, "kind": "benchmark", "term_days": 1}
            if p.stream == "repo"
            else {"series": p.name, "effective_date": p.day, "value_e6": p.value_e6, "unit": "percent"}
        )
        for p in prints
    ]
    return decoded(prints[0].stream, prints[0].partition, rows)


def standing(prints: list[Print], tick: int) -> dict[tuple[str, str, date], Print]:
    """The latest version of each key among those known at a tick."""
    stands: dict[tuple[str, str, date], Print] = {}
    for p in sorted((p for p in prints if p.tick <= tick), key=lambda p: p.order):
        stands[p.key] = p
    return stands


def ever_standing(prints: list[Print]) -> set[tuple[int, str, int]]:
    """The positions of the versions that are the latest of their key at some tick."""
    return {p.order for q in prints for p in standing(prints, q.tick).values()}


def rows(tiers: Tiers) -> list[tuple[str, str, date, int, int, str, int, int]]:
    """Every version in the tiers: its key, tick, position and value."""
    shapes = (
        ("repo", tiers.benchmarks, "instrument", "value_date", "rate_e6"),
        ("reference", tiers.reference, "series", "effective_date", "value_e6"),
    )
    return [
        (stream, r[name], r[day], r["tick"], r["ts_us"], r["partition"], r["offset"], r[value])
        for stream, frame, name, day, value in shapes
        for r in frame.iter_rows(named=True)
    ]


def last_known(tiers: Tiers) -> dict[tuple[str, str, date], tuple[int, str, int]]:
    """The position of the last version of each key, in the order of the frames."""
    return {(stream, name, day): (ts, where, at) for stream, name, day, _, ts, where, at, _ in rows(tiers)}


PRINTS = st.lists(
    st.builds(
        Print,
        stream=st.sampled_from(["repo", "reference"]),
        name=st.sampled_from(["SOFR", "IORB"]),
        day=st.sampled_from(DAYS),
        ts_us=st.builds(lambda s, off: (BASE + s) * SECOND + off, st.integers(0, 6), st.sampled_from([-1, 0, 1])),
        partition=st.sampled_from(["p0", "p1"]),
        offset=st.integers(0, 50),
        next_tick=st.just(LONG_AGO) | st.integers(BASE, BASE + 9),
        value_e6=st.integers(-5, 5),
    ),
    max_size=14,
    unique_by=lambda p: (p.stream, p.partition, p.offset),
)
TICKS = st.integers(BASE - 1, BASE + 10)


def add(store: TierStore, decoded: Decoded, next_tick: int) -> int:
    """Take in the events of one stream; how many were late."""
    return sum(store.add([decoded], next_tick).late.values())


def store_of(prints: list[Print], *, look_after: frozenset[int] = frozenset()) -> TierStore:
    """A store that was given these prints one by one, and asked for its tiers after some of them."""
    store = TierStore(CALENDAR)
    for i, p in enumerate(prints):
        assert add(store, as_decoded([p]), p.next_tick) == 0
        if i in look_after:
            store.tiers()
    return store


def equal(a: Tiers, b: Tiers) -> bool:
    return (
        a.benchmarks.equals(b.benchmarks) and a.reference.equals(b.reference) and a.repo_seconds.equals(b.repo_seconds)
    )


class TestVersions:
    @properties
    @given(PRINTS)
    def test_kept_are_those_that_ever_stand(self, prints: list[Print]) -> None:
        tiers = store_of(prints).tiers()
        assert dict(tiers.benchmarks.schema) == BENCHMARK
        assert dict(tiers.reference.schema) == REFERENCE
        kept = rows(tiers)
        for stream in ("repo", "reference"):
            of_stream = [p for p in prints if p.stream == stream]
            assert {(ts, where, at) for s, _, _, _, ts, where, at, _ in kept if s == stream} == ever_standing(of_stream)
        by_position = {(p.stream, *p.order): p for p in prints}
        for stream, name, day, tick, ts, where, at, value in kept:
            p = by_position[stream, ts, where, at]
            assert (p.name, p.day, p.tick, p.value_e6) == (name, day, tick, value)

    @properties
    @given(PRINTS, TICKS)
    def test_the_last_version_known_at_a_tick_stands(self, prints: list[Print], tick: int) -> None:
        known = store_of(prints).tiers().known_by(tick)
        assert last_known(known) == {key: p.order for key, p in standing(prints, tick).items()}

    @properties
    @given(PRINTS, TICKS)
    def test_known_by_a_tick_is_what_a_store_has_that_was_given_no_more(self, prints: list[Print], tick: int) -> None:
        then = store_of([p for p in prints if p.tick <= tick]).tiers()
        assert equal(store_of(prints).tiers().known_by(tick), then)

    @properties
    @given(PRINTS, st.randoms(use_true_random=False), st.frozensets(st.integers(0, 13)))
    def test_the_order_of_arrival_does_not_matter(
        self, prints: list[Print], random: Random, looks: frozenset[int]
    ) -> None:
        shuffled = list(prints)
        random.shuffle(shuffled)
        assert equal(store_of(shuffled, look_after=looks).tiers(), store_of(prints).tiers())

    @properties
    @given(PRINTS, st.sets(st.integers(1, 13)))
    def test_nor_does_the_cut_into_batches(self, prints: list[Print], cuts: set[int]) -> None:
        one_log = [
            Print("reference", p.name, p.day, p.ts_us, "p", at, LONG_AGO, p.value_e6) for at, p in enumerate(prints)
        ]
        store = TierStore(CALENDAR)
        for a, b in pairwise(sorted({0, len(one_log)} | {c for c in cuts if c < len(one_log)})):
            add(store, as_decoded(one_log[a:b]), LONG_AGO)
        assert equal(store.tiers(), store_of(one_log).tiers())

    @pytest.mark.parametrize(
        ("first", "second"),
        [((5, "p0", 1), (6, "p0", 0)), ((5, "p0", 9), (5, "p1", 0)), ((5, "p0", 1), (5, "p0", 2))],
    )
    def test_timestamp_then_partition_then_offset(
        self, first: tuple[int, str, int], second: tuple[int, str, int]
    ) -> None:
        def version(of: tuple[int, str, int], next_tick: int, value: int) -> Print:
            return Print("repo", "SOFR", DAYS[0], BASE * SECOND + of[0], of[1], of[2], next_tick, value)

        in_turn = [version(first, BASE, 1), version(second, BASE + 3, 2)]
        assert [r[-1] for r in rows(store_of(in_turn).tiers())] == [1, 2]
        too_late = [version(second, BASE, 2), version(first, BASE + 3, 1)]
        assert [r[-1] for r in rows(store_of(too_late).tiers())] == [2], "an older one that comes later never counts"
        at_once = [version(first, BASE, 1), version(second, BASE, 2)]
        assert [r[-1] for r in rows(store_of(at_once).tiers())] == [2]

    @pytest.mark.parametrize(
        ("ts_us", "next_tick", "tick"),
        [
            (BASE * SECOND, LONG_AGO, BASE),
            (BASE * SECOND + 1, LONG_AGO, BASE + 1),
            (BASE * SECOND - 1, LONG_AGO, BASE),
            (BASE * SECOND, BASE, BASE),
            (BASE * SECOND, BASE + 1, BASE + 1),
            (BASE * SECOND + 1, BASE, BASE + 1),
        ],
    )
    def test_a_print_takes_effect_at_the_first_tick_not_yet_run(self, ts_us: int, next_tick: int, tick: int) -> None:
        for stream in ("repo", "reference"):
            store = store_of([Print(stream, "X", DAYS[0], ts_us, "p", 0, next_tick)])
            assert [r[3] for r in rows(store.tiers())] == [tick]

    def test_the_percentiles_and_the_volume_of_a_benchmark_are_kept(self) -> None:
        line = {
            "ts": BASE * SECOND, "instrument": "SOFR", "rate": 4.3, "kind": "benchmark", "value_date": "2024-12-30",
            "p1": 4.1, "p25": 4.2, "p75": 4.4, "p99": 4.5, "volume": 2_345.0,
        }  # fmt: skip
        [of_batch] = Decoder().decode(RawBatch("feed", "repo", "p", [7], [json.dumps(line).encode()]))
        store = TierStore(CALENDAR)
        add(store, of_batch, LONG_AGO)
        assert store.tiers().benchmarks.rows(named=True) == [
            {
                "tick": BASE, "ts_us": BASE * SECOND, "partition": "p", "offset": 7, "instrument": "SOFR",
                "value_date": DAYS[0], "rate_e6": 4_300_000, "p1_e6": 4_100_000, "p25_e6": 4_200_000,
                "p75_e6": 4_400_000, "p99_e6": 4_500_000, "volume_kusd": 2_345_000_000,
            }
        ]  # fmt: skip
        assert store.tiers().repo_seconds.is_empty(), "a benchmark is no trade"


@dataclass(frozen=True)
class Batch:
    """Trades of one partition: seconds and volumes."""

    partition: str
    trades: list[tuple[float, int]] = field(default_factory=list)


def trades(batch: Batch, *, term_days: int = 1, kind: str = "trade") -> Decoded:
    return decoded(
        "repo",
        batch.partition,
        [
            {
                "offset": at, "ts_us": BASE * SECOND + round(second * SECOND), "instrument": "SOFR",
                "rate_e6": 4_300_000, "volume_kusd": volume, "kind": kind, "term_days": term_days,
                "value_date": DAYS[0],
            }
            for at, (second, volume) in enumerate(batch.trades)
        ],
    )  # fmt: skip


BATCHES = st.lists(
    st.builds(
        Batch,
        st.sampled_from(["p0", "p1"]),
        st.lists(st.tuples(st.integers(0, 80).map(lambda n: n / 4), st.integers(0, 100)), min_size=1, max_size=5),
    ),
    max_size=12,
)


class TestTrades:
    @slow_properties
    @given(BATCHES, st.integers(BASE, BASE + 25))
    def test_what_is_known_at_a_tick_that_can_run_does_not_change(self, batches: list[Batch], tick: int) -> None:
        """The tiers at any tick up to the horizon are those of the whole log, seen from that tick."""
        store, whole = TierStore(CALENDAR), TierStore(CALENDAR)
        for batch in batches:
            add(whole, trades(batch), LONG_AGO)
        whole.finish()
        everything = whole.tiers()
        partitions = {b.partition for b in batches}
        started: set[str] = set()
        for batch in batches:
            add(store, trades(batch), LONG_AGO)
            started.add(batch.partition)
            if started == partitions and tick <= store.horizon:
                assert equal(store.tiers().known_by(tick), everything.known_by(tick))
        store.finish()
        assert equal(store.tiers(), everything)

    @slow_properties
    @given(BATCHES)
    def test_the_horizon_is_the_slowest_partitions(self, batches: list[Batch]) -> None:
        store = TierStore(CALENDAR)
        assert (store.horizon, store.watermarks_us()) == (EVER, {})
        newest: dict[str, int] = {}
        for batch in batches:
            add(store, trades(batch), LONG_AGO)
            times = [BASE * SECOND + round(second * SECOND) for second, _ in batch.trades]
            newest[batch.partition] = max(newest.get(batch.partition, 0), *times)
            mark = min(newest.values()) - 2 * SECOND
            assert store.watermarks_us() == {"repo": mark}
            assert store.horizon == mark // SECOND
        store.finish()
        assert store.horizon == EVER

    @slow_properties
    @given(BATCHES)
    def test_no_trade_is_lost(self, batches: list[Batch]) -> None:
        """Every trade is in a bar or was counted as late; partitions' bars of one second are one bar."""
        store = TierStore(CALENDAR)
        late = sum(add(store, trades(batch), LONG_AGO) for batch in batches)
        store.finish()
        bars = store.tiers().repo_seconds
        assert dict(bars.schema) == REPO_BAR
        assert bars["trades"].sum() + late == sum(len(batch.trades) for batch in batches)
        assert bars["second"].to_list() == sorted(set(bars["second"]))
        lateless = TierStore(CALENDAR, lateness_us=100 * SECOND)
        assert sum(add(lateless, trades(batch), LONG_AGO) for batch in batches) == 0
        lateless.finish()
        volume = lateless.tiers().repo_seconds["volume_kusd"].sum()
        assert volume == sum(volume for batch in batches for _, volume in batch.trades)

    def test_an_example(self) -> None:
        store = TierStore(CALENDAR)
        assert add(store, trades(Batch("p0", [(0, 5), (0.5, 7), (3, 1), (0.25, 100)])), LONG_AGO) == 1
        assert store.tiers().repo_seconds.select("second", "volume_kusd", "trades").rows() == [(BASE, 12, 2)]
        assert add(store, trades(Batch("p1", [(0.75, 8)])), LONG_AGO) == 0
        store.finish()
        assert store.tiers().repo_seconds.select("second", "volume_kusd", "trades").rows() == [
            (BASE, 20, 3), (BASE + 3, 1, 1),
        ]  # fmt: skip
        assert store.tiers().known_by(BASE).repo_seconds.is_empty(), "a tick sees the seconds before it"
        assert store.tiers().known_by(BASE + 1).repo_seconds["volume_kusd"].to_list() == [20]

    @pytest.mark.parametrize(("kind", "term_days"), [("trade", 2), ("benchmark", 1)])
    def test_what_is_no_overnight_trade_is_in_no_bar_and_holds_nothing_back(self, kind: str, term_days: int) -> None:
        store = TierStore(CALENDAR)
        assert add(store, trades(Batch("p0", [(0, 5), (9, 5), (0, 5)]), kind=kind, term_days=term_days), LONG_AGO) == 0
        assert (store.horizon, store.watermarks_us()) == (EVER, {})
        store.finish()
        assert store.tiers().repo_seconds.is_empty()

    def test_ids_are_known_again_by_partition(self) -> None:
        def with_id(partition: str, offset: int) -> Decoded:
            events = trades(Batch(partition, [(0, 5)])).events.with_columns(
                id=pl.lit("a"), offset=pl.lit(offset, pl.Int64)
            )
            return Decoded("repo", "feed", partition, events, ())

        store = TierStore(CALENDAR)
        for partition, offset in (("p0", 0), ("p0", 1), ("p1", 0)):
            add(store, with_id(partition, offset), LONG_AGO)
        store.finish()
        assert store.tiers().repo_seconds["trades"].to_list() == [2]

    @pytest.mark.parametrize("stream", ["newissue"])
    def test_other_streams_change_nothing_here(self, stream: str) -> None:
        store = TierStore(CALENDAR)
        assert add(store, decoded(stream, "p", [{"offset": 0, "ts_us": BASE * SECOND}]), LONG_AGO) == 0
        assert store.horizon == EVER
        assert equal(store.tiers(), TierStore(CALENDAR).tiers())

    def test_asking_twice_gives_the_same(self) -> None:
        store = TierStore(CALENDAR)
        add(store, trades(Batch("p0", [(0, 5), (9, 5)])), LONG_AGO)
        assert equal(store.tiers(), store.tiers())


class TestRestarts:
    @properties
    @given(PRINTS, st.frozensets(st.integers(0, 13)), st.frozensets(st.integers(0, 13)))
    def test_no_print_is_lost_whenever_the_new_rows_are_taken(
        self, prints: list[Print], looks: frozenset[int], takes: frozenset[int]
    ) -> None:
        """Also if no tick has run since a print came: its position is not read again."""
        store, taken = TierStore(CALENDAR), list[dict[str, pl.DataFrame]]()
        for i, p in enumerate(prints):
            add(store, as_decoded([p]), p.next_tick)
            if i in looks:
                store.tiers()
            if i in takes:
                taken.append(store.take_new())
        taken.append(store.take_new())
        assert store.take_new() == {}, "each row once"
        again = TierStore(CALENDAR)
        names = {name for frames in taken for name in frames}
        again.restore({name: pl.concat([frames[name] for frames in taken if name in frames]) for name in names}, {})
        assert equal(again.tiers(), store_of(prints).tiers())
        assert again.take_new() == {}, "what was kept is not new"
