"""Repo bars against a plain dictionary, and against themselves with the log cut differently."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.engine import sealer as sealing
from monitor.engine.bars.repo import REPO, REPO_BAR, merge_bars
from monitor.engine.decode import Decoded, schema
from monitor.engine.partition import NO_TICK, Partition
from monitor.engine.sealer import Sealed
from monitor.engine.watermark import Watermark
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from random import Random

SECOND = 1_000_000
BASE = 1_735_689_600 * SECOND
LATENESS = 2 * SECOND
properties = settings(deadline=None, max_examples=150)


@dataclass(frozen=True)
class Trade:
    ts_us: int = BASE
    rate_e6: int = 4_300_000
    volume_kusd: int | None = 1_000
    id: str | None = None
    instrument: str = "SOFR"
    segment: str | None = None


SHAPE = {
    "ts_us": pl.Int64(), "rate_e6": pl.Int64(), "volume_kusd": pl.Int64(), "id": pl.String(),
    "instrument": pl.String(), "segment": pl.String(),
}  # fmt: skip


def frame(trades: list[Trade]) -> pl.DataFrame:
    return pl.DataFrame([[getattr(t, name) for t in trades] for name in SHAPE], schema=SHAPE)


class RepoSealer:
    """A partition of trades only."""

    def __init__(self, lateness_us: int) -> None:
        self.partition = Partition("p0", lateness_us)
        self.count = 0

    @property
    def watermark(self) -> Watermark:
        return self.partition.watermark

    def push(self, trades: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        """The bars that these trades seal, and how many came too late."""
        offsets = pl.int_range(self.count, self.count + trades.height, eager=True)
        self.count += trades.height
        shape = schema(STREAMS["repo"])
        others = {name: pl.lit(None, kind).alias(name) for name, kind in shape.items() if name not in SHAPE}
        others |= {"kind": pl.lit("trade").alias("kind"), "term_days": pl.lit(1, pl.Int64).alias("term_days")}
        events = trades.with_columns(*others.values()).with_columns(offset=offsets).select(*shape)
        late = self.partition.push([Decoded("repo", "feed", "p0", events, ())], ran=NO_TICK).late["repo"]
        return bars_of_seal(self.partition.seal()), late

    def finish(self) -> pl.DataFrame:
        return bars_of_seal(self.partition.release())


def bars_of_seal(sealed: dict[str, Sealed]) -> pl.DataFrame:
    return sealed["repo"].bars if "repo" in sealed else pl.DataFrame(schema=REPO_BAR)


Key = tuple[int, str, str | None, int]
Bars = dict[Key, tuple[int, int]]
"""(second, instrument, segment, rate) to (volume, trades)."""


def as_bars(*frames: pl.DataFrame) -> Bars:
    """The frames' rows by their keys; a key may stand in no two rows."""
    rows = [row for f in frames for row in f.iter_rows()]
    bars: Bars = {(second, name, where, rate): (volume, n) for second, name, where, rate, volume, n in rows}
    assert len(bars) == len(rows)
    return bars


@dataclass
class OneByOne:
    """The sealer as one would say it aloud: a trade after the other, into a dictionary."""

    remembered: int = 10**9
    newest: int = -(10**18)
    ids: list[str] = field(default_factory=list)
    open: dict[Key, list[int]] = field(default_factory=dict)
    late: int = 0

    def push(self, trades: list[Trade]) -> Bars:
        for t in trades:
            second, sealed_before = t.ts_us // SECOND, self.sealed_before
            self.newest = max(self.newest, t.ts_us)
            if second < sealed_before:
                self.late += 1
                continue
            if t.id is not None:
                if t.id in self.ids[-self.remembered :]:
                    continue
                self.ids.append(t.id)
            bar = self.open.setdefault((second, t.instrument, t.segment, t.rate_e6), [0, 0])
            bar[0] += t.volume_kusd or 0
            bar[1] += 1
        return self.seal(self.sealed_before)

    @property
    def sealed_before(self) -> int:
        return (self.newest - LATENESS) // SECOND

    def seal(self, before: int) -> Bars:
        return {key: (v, n) for key in sorted(self.open, key=str) if key[0] < before for v, n in [self.open.pop(key)]}


TRADES = st.builds(
    Trade,
    ts_us=st.integers(BASE, BASE + 9 * SECOND)
    | st.builds(lambda second, off: BASE + second * SECOND + off, st.integers(0, 9), st.sampled_from([-1, 0, 1])),
    rate_e6=st.sampled_from([4_300_000, 4_310_000, -5_000_000]),
    volume_kusd=st.none() | st.integers(0, 10**11),
    id=st.none() | st.sampled_from("abcdefgh"),
    instrument=st.sampled_from(["SOFR", "GCF"]),
    segment=st.none() | st.sampled_from(["gcf", "dvp"]),
)
LOGS = st.lists(TRADES, max_size=30)
CUTS = st.sets(st.integers(1, 29))


def pieces(log: list[Trade], cuts: set[int]) -> list[list[Trade]]:
    return [log[a:b] for a, b in pairwise(sorted({0, len(log)} | {c for c in cuts if c < len(log)}))]


@properties
@given(LOGS, CUTS)
def test_bars_are_those_of_a_plain_dictionary(log: list[Trade], cuts: set[int]) -> None:
    sealer, plain = RepoSealer(LATENESS), OneByOne()
    sealed_before: int | None = None
    late = 0
    for part in pieces(log, cuts):
        bars, late_here = sealer.push(frame(part))
        assert dict(bars.schema) == REPO_BAR
        assert as_bars(bars) == plain.push(part)
        late += late_here
        assert late == plain.late
        seconds = bars["second"].to_list()
        assert all(sealed_before is None or second >= sealed_before for second in seconds), "each second once"
        sealed_before = sealer.watermark.sealed_before
        assert all(second < sealed_before for second in seconds)
    rest = sealer.finish()
    assert dict(rest.schema) == REPO_BAR
    assert as_bars(rest) == plain.seal(10**18)
    assert sealer.finish().is_empty(), "all is sealed"


@properties
@given(LOGS, CUTS, st.sampled_from([1, 2, 3, 1_000_000]))
@example([Trade(id=i) for i in "abca"], set(), 2)
@example([Trade(id=i) for i in "abab"], {2}, 2)
@example([Trade(id=i) for i in "aabcacb"], set(), 2)
def test_bars_do_not_depend_on_how_the_log_is_cut(log: list[Trade], cuts: set[int], remembered: int) -> None:
    plain = OneByOne(remembered)
    expected = plain.push(log) | plain.seal(10**18)
    with patch.object(sealing, "IDS_REMEMBERED", remembered):
        sealer = RepoSealer(LATENESS)
        pushed = [sealer.push(frame(part)) for part in pieces(log, cuts)]
        assert as_bars(*(bars for bars, _ in pushed), sealer.finish()) == expected
        assert sum(late for _, late in pushed) == plain.late


@properties
@given(st.lists(TRADES, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_trades_without_ids_that_are_in_time_may_come_in_any_order(log: list[Trade], random: Random) -> None:
    in_time = [Trade(t.ts_us % SECOND + BASE, t.rate_e6, t.volume_kusd, None, t.instrument, t.segment) for t in log]
    shuffled = list(in_time)
    random.shuffle(shuffled)
    results = []
    for some in (in_time, shuffled):
        sealer = RepoSealer(LATENESS)
        bars, late = sealer.push(frame(some))
        assert late == 0
        results.append(pl.concat([bars, sealer.finish()]))
    assert results[0].equals(results[1])


def test_an_example() -> None:
    sealer = RepoSealer(LATENESS)
    first = [
        Trade(volume_kusd=5),
        Trade(BASE + 999_999, volume_kusd=7),
        Trade(volume_kusd=None),
        Trade(rate_e6=4_310_000, segment="dvp"),
        Trade(BASE + 3 * SECOND, volume_kusd=1),
        Trade(BASE + SECOND, volume_kusd=9),
        Trade(BASE + SECOND - 1, volume_kusd=100),
    ]
    bars, late = sealer.push(frame(first))
    assert late == 1, "the last: its second was sealed when the clock showed three seconds"
    second = BASE // SECOND
    assert bars.rows() == [(second, "SOFR", None, 4_300_000, 12, 3), (second, "SOFR", "dvp", 4_310_000, 1_000, 1)]
    assert sealer.finish().rows() == [
        (second + 1, "SOFR", None, 4_300_000, 9, 1),
        (second + 3, "SOFR", None, 4_300_000, 1, 1),
    ]


def test_a_trade_without_volume_counts_as_a_trade() -> None:
    sealer = RepoSealer(LATENESS)
    sealer.push(frame([Trade(volume_kusd=None), Trade(volume_kusd=None)]))
    assert as_bars(sealer.finish()) == {(BASE // SECOND, "SOFR", None, 4_300_000): (0, 2)}


def test_sums_are_exact() -> None:
    volumes = [10**11] * 100_000 + [1]  # the sum is odd and beyond 2**53, where doubles are even
    sealer = RepoSealer(LATENESS)
    sealer.push(frame([Trade(volume_kusd=v) for v in volumes]))
    assert list(as_bars(sealer.finish()).values()) == [(10**16 + 1, 100_001)]


def test_an_id_counts_once_across_batches_and_whatever_else_it_says() -> None:
    sealer = RepoSealer(LATENESS)
    sealer.push(frame([Trade(id="a"), Trade(id="b"), Trade(id="a", volume_kusd=7), Trade(), Trade()]))
    sealer.push(frame([Trade(id="b", rate_e6=1), Trade(id="c"), Trade()]))
    _, late = sealer.push(frame([Trade(id="a"), Trade(id="c")]))
    assert late == 0
    assert as_bars(sealer.finish()) == {(BASE // SECOND, "SOFR", None, 4_300_000): (6_000, 6)}


def test_an_id_is_forgotten_after_so_many_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "IDS_REMEMBERED", 3)
    sealer = RepoSealer(LATENESS)
    for trade_id in "abcd":
        sealer.push(frame([Trade(id=trade_id)]))
    sealer.push(frame([Trade(id="b"), Trade(id="a"), Trade(id="b")]))
    # b was remembered; a was not, is counted again and drives b out; so the last b counts again.
    assert as_bars(sealer.finish()) == {(BASE // SECOND, "SOFR", None, 4_300_000): (6_000, 6)}


def test_partitions_do_not_share_ids() -> None:
    for _ in range(2):
        sealer = RepoSealer(LATENESS)
        sealer.push(frame([Trade(id="a")]))
        assert len(as_bars(sealer.finish())) == 1


def test_nothing_in_nothing_out() -> None:
    sealer = RepoSealer(LATENESS)
    bars, late = sealer.push(frame([]))
    assert (bars.rows(), late) == ([], 0)
    assert dict(sealer.finish().schema) == REPO_BAR


@properties
@given(LOGS, st.integers(0, 30), st.integers(1, 5))
def test_coarser_bars_are_sums_of_finer_ones(log: list[Trade], cut: int, seconds: int) -> None:
    def bars_of(trades: list[Trade]) -> pl.DataFrame:
        sealer = RepoSealer(10**12)
        sealer.push(frame([Trade(t.ts_us, t.rate_e6, t.volume_kusd, None, t.instrument, t.segment) for t in trades]))
        return sealer.finish()

    def coarser(bars: pl.DataFrame) -> pl.DataFrame:
        return merge_bars(bars.with_columns(period=pl.col("second") // seconds), by="period")

    whole = bars_of(log)
    parts = merge_bars(pl.concat([bars_of(log[:cut]), bars_of(log[cut:])]))
    assert parts.equals(whole)
    plain: Counter[Key] = Counter()
    for t in log:
        plain[t.ts_us // SECOND // seconds, t.instrument, t.segment, t.rate_e6] += t.volume_kusd or 0
    assert {key: volume for key, (volume, _) in as_bars(coarser(whole)).items()} == plain


@pytest.mark.parametrize(
    ("kind", "term_days", "counts"),
    [("trade", 1, True), ("trade", 2, False), ("trade", 7, False), ("benchmark", 1, False), ("benchmark", 7, False)],
)
def test_what_counts_as_an_overnight_trade(kind: str, term_days: int, counts: bool) -> None:
    events = pl.DataFrame({"kind": [kind], "term_days": [term_days]})
    assert events.filter(REPO.counts).height == counts
