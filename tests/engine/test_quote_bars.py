"""Quotes' bars against plain loops, and what stands between them against exact integration."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.bars import KINDS, cds, treasury
from monitor.engine.partition import NO_TICK, Partition
from monitor.engine.sealer import Sealer
from tests.engine.plain_quotes import (
    BASE,
    HOURS,
    MEASURES,
    SECOND,
    SECONDS_CLOSE_BY,
    Record,
    Row,
    decoded,
    events_of,
    in_turn,
    integral,
    plain_seconds,
    quotes,
    series_of,
)  # fmt: skip

if TYPE_CHECKING:
    from random import Random

    from monitor.engine.bars.quotes import Standing

properties = settings(deadline=None, max_examples=40)
STANDING = {"treasury": treasury.standing, "cds": cds.standing}
both = pytest.mark.parametrize("stream", ["treasury", "cds"])
EVER = 10**18
"""A lateness for which nothing is late."""


def numbered(log: list[Record]) -> list[Record]:
    return [record | {"offset": at} for at, record in enumerate(log)]


def pieces(log: list[Record], cuts: set[int]) -> list[list[Record]]:
    return [log[a:b] for a, b in pairwise(sorted({0, len(log)} | {cut for cut in cuts if cut < len(log)}))]


def bars_of(stream: str, log: list[Record], cuts: set[int] | None = None, lateness_us: int = EVER) -> pl.DataFrame:
    """All bars of a partition that was read in these pieces."""
    partition = Partition("p0", lateness_us)
    frames = [pl.DataFrame(schema=KINDS[stream].seconds)]
    for piece in pieces(log, cuts or set()):
        assert sum(partition.push(decoded(piece), NO_TICK).late.values()) == 0
        frames += [sealed.bars for sealed in partition.seal().values()]
    frames += [sealed.bars for sealed in partition.release().values()]
    assert all(dict(frame.schema) == KINDS[stream].seconds for frame in frames)
    return pl.concat(frames)


CUTS = st.sets(st.integers(1, 15), max_size=5)


class TestSeconds:
    @both
    @properties
    @given(st.data())
    def test_bars_are_those_of_a_plain_loop(self, stream: str, data: st.DataObject) -> None:
        log = data.draw(quotes(stream, SECONDS_CLOSE_BY))
        assert bars_of(stream, log).to_dicts() == plain_seconds(stream, log)

    @both
    @properties
    @given(st.data(), CUTS)
    def test_nor_does_the_cut_into_batches_matter_when_seconds_are_sealed_in_between(
        self, stream: str, data: st.DataObject, cuts: set[int]
    ) -> None:
        log = data.draw(quotes(stream, SECONDS_CLOSE_BY))
        in_time = numbered(sorted(log, key=lambda record: record["ts_us"]))
        bars = bars_of(stream, in_time, cuts, lateness_us=SECOND)
        assert bars.to_dicts() == plain_seconds(stream, in_time)

    @both
    @properties
    @given(st.data(), st.randoms(use_true_random=False), CUTS)
    def test_any_order_within_the_lateness_gives_the_same_bars(
        self, stream: str, data: st.DataObject, random: Random, cuts: set[int]
    ) -> None:
        # Without ties: among equal times the order of the log is what decides.
        times = st.integers(0, 40).map(lambda n: BASE * SECOND + n * 200_000)
        log = data.draw(quotes(stream, times))
        log = list({record["ts_us"]: record for record in log}.values())
        shuffled = sorted(log, key=lambda record: record["ts_us"] + random.randrange(2 * SECOND))
        bars = bars_of(stream, numbered(shuffled), cuts, lateness_us=2 * SECOND)
        assert bars.to_dicts() == plain_seconds(stream, numbered(sorted(log, key=lambda record: record["ts_us"])))

    @both
    @properties
    @given(st.data(), st.integers(0, 4))
    def test_attributes_stand_across_a_restart(self, stream: str, data: st.DataObject, sealed: int) -> None:
        log = data.draw(quotes(stream, SECONDS_CLOSE_BY))
        before = [r for r in log if r["ts_us"] < (BASE + sealed) * SECOND]
        after = [r for r in log if r["ts_us"] >= (BASE + sealed) * SECOND]
        first, second = Sealer(KINDS[stream], "p0"), Sealer(KINDS[stream], "p0")
        first.push(events_of(stream, before))
        bars = first.seal(BASE + sealed).bars
        second.restore(first.attributes, first.take_new_ids())
        second.push(events_of(stream, after))
        assert [*bars.to_dicts(), *second.seal(None).bars.to_dicts()] == plain_seconds(stream, log)

    def test_a_treasury_second_told_aloud(self) -> None:
        def quote(at_us: int, **said: Any) -> Record:
            return {"stream": "treasury", "instrument": "A", "ts_us": BASE * SECOND + at_us} | said

        bars = bars_of(
            "treasury",
            numbered(
                [
                    quote(100_000, bid_e9=99_000_000_000, ask_e9=99_015_625_000, bid_size_kusd=5, ask_size_kusd=8),
                    quote(300_000, bid_e9=99_000_000_000, ask_e9=99_000_000_000, on_the_run=True),
                    quote(300_000, bid_e9=99_000_000_000, last_size_kusd=7, aggressor="sell"),
                    quote(600_000, bid_e9=99_000_000_000, ask_e9=98_000_000_000, last_size_kusd=2, aggressor="buy"),
                    quote(900_000, bid_e9=99_000_000_000, ask_e9=99_007_812_500, last_size_kusd=3),
                ]
            ),
        )
        assert bars.to_dicts() == [
            {
                "second": BASE, "partition": "p0", "instrument": "A",
                "first_us": BASE * SECOND + 100_000, "last_us": BASE * SECOND + 900_000,
                "spread_e9": 7_812_500, "depth2_kusd": None, "mid2_e9": 198_007_812_500,
                "spread_e9_area": 15_625_000 * 200_000, "spread_e9_us": 200_000,
                "depth2_kusd_area": 13 * 200_000, "depth2_kusd_us": 200_000,
                "quotes": 5, "one_sided": 1, "crossed": 1, "traded_kusd": 12, "signed_kusd": -5,
                "tenor_e3": None, "on_the_run": True, "coupon_e6": None, "maturity": None,
            }
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            ({"bid_e6": 50, "ask_e6": 54}, (4, 104, 104, False, 0, 0)),
            ({"bid_e6": 50, "ask_e6": 50}, (0, 100, 100, False, 0, 0)),
            ({"bid_e6": 50, "ask_e6": 49}, (None, None, None, False, 0, 1)),
            ({"bid_e6": 50, "ask_e6": 49, "mid_e6": 7}, (None, None, None, False, 0, 1)),
            ({"bid_e6": 50, "ask_e6": 54, "mid_e6": 7}, (4, 104, 104, False, 0, 0)),
            ({"bid_e6": 50}, (None, None, None, False, 1, 0)),
            ({"ask_e6": 0}, (None, None, None, False, 1, 0)),
            ({"mid_e6": 52}, (None, None, 104, True, 0, 0)),
            ({"mid_e6": 52, "bid_e6": 50}, (None, None, 104, False, 0, 0)),
        ],
    )
    def test_sides_and_mids_of_cds(self, said: dict[str, int], expected: tuple[Any, ...]) -> None:
        log = [{"stream": "cds", "entity": "E", "tenor_e3": 5_000, "ts_us": BASE * SECOND, "offset": 0} | said]
        names = ("bid_ask_e6", "quoted2_e6", "mid2_e6", "is_mark", "one_sided", "crossed")
        assert bars_of("cds", log).select(names).rows() == [expected]


def asked_at(standing: Standing, series: list[str], ticks: list[int]) -> pl.DataFrame:
    """The running sums of every series at these ticks, with the series and the tick beside them."""
    asked = standing.codes.join(pl.DataFrame({"tick": ticks}, schema={"tick": pl.Int64}), how="cross")
    asked = asked.sort("code", "tick")
    sums = standing.at(asked.select("code", "tick"))
    return pl.concat([asked.select(*series, "tick"), sums], how="horizontal")


TICKS = st.lists(
    st.integers(BASE - 10, BASE + 7 * 3_600)
    | st.builds(lambda minute, off: BASE + 60 * minute + off, st.integers(0, 320), st.sampled_from([-1, 0, 1])),
    min_size=2,
    max_size=8,
    unique=True,
)


def looked_at(stream: str, log: list[Record], ticks: list[int]) -> None:
    """Between any two of the ticks that follow each other stood what integration says."""
    standing = STANDING[stream](pl.DataFrame(plain_seconds(stream, log), schema=KINDS[stream].seconds))
    series = list(KINDS[stream].series)
    sums = asked_at(standing, ["partition", *series], sorted(ticks)).to_dicts()
    for name, events in in_turn(stream, log).items():
        rows = [row for row in sums if tuple(row[column] for column in series) == name]
        for before, after in pairwise(rows):
            for measure in MEASURES[stream]:
                found = tuple(after[f"{measure}_{what}"] - before[f"{measure}_{what}"] for what in ("area", "us"))
                begin_us, end_us = before["tick"] * SECOND, after["tick"] * SECOND
                assert found == integral(stream, events, measure, begin_us, end_us), (name, measure)
        for row in rows:
            newest = max((e["ts_us"] // SECOND for e in events if e["ts_us"] < row["tick"] * SECOND), default=None)
            assert row["second"] == newest


class TestStanding:
    @both
    @properties
    @given(st.data(), TICKS)
    def test_what_stood_is_the_integral_of_the_piecewise_constant_quote(
        self, stream: str, data: st.DataObject, ticks: list[int]
    ) -> None:
        looked_at(stream, data.draw(quotes(stream, HOURS | SECONDS_CLOSE_BY)), ticks)

    @both
    @properties
    @given(st.data(), TICKS)
    def test_what_comes_later_changes_nothing_before_it(
        self, stream: str, data: st.DataObject, ticks: list[int]
    ) -> None:
        log, ticks = data.draw(quotes(stream, HOURS)), sorted(ticks)
        known = [record for record in log if record["ts_us"] < ticks[-1] * SECOND]
        looks: list[list[Row]] = []
        for records in (known, log):
            standing = STANDING[stream](pl.DataFrame(plain_seconds(stream, records), schema=KINDS[stream].seconds))
            series = ["partition", *KINDS[stream].series]
            rows = asked_at(standing, series, ticks).to_dicts()
            # Running sums begin anywhere: only differences say something.
            names = {series_of(record) for record in known}
            own = [row for row in rows if tuple(row[name] for name in series[1:]) in names]
            sums = [f"{measure}_{what}" for measure in MEASURES[stream] for what in ("area", "us")]
            looks.append([{s: b[s] - a[s] for s in sums} for a, b in pairwise(own) if a["tick"] < b["tick"]])
        assert looks[0] == looks[1]

    def test_huge_values_are_summed_exactly(self) -> None:
        """299 points stand for 15 minutes, again and again: one area is beyond 64 bits."""
        log: list[Record] = [
            {
                "stream": "treasury", "instrument": name, "offset": at, "ts_us": BASE * SECOND + at * 900 * SECOND + 1,
                "bid_e9": 1_000_000_000, "ask_e9": 300_000_000_000,
                "bid_size_kusd": 10_000_000_000, "ask_size_kusd": 10_000_000_000,
            }
            for name in ("A", "B")
            for at in range(40)
        ]  # fmt: skip
        assert 299_000_000_000 * 900 * SECOND > 2**63
        looked_at("treasury", log, [BASE, BASE + 1, BASE + 900, BASE + 901, BASE + 20_000, BASE + 40_000])

    @pytest.mark.parametrize(
        ("stream", "said", "hold"),
        [
            ("treasury", {"on_the_run": True}, 300), ("treasury", {"on_the_run": False}, 900), ("treasury", {}, 900),
            ("cds", {}, 3_600),
        ],
    )  # fmt: skip
    def test_the_hold_to_the_microsecond(self, stream: str, said: Record, hold: int) -> None:
        name: Record = {"instrument": "A"} if stream == "treasury" else {"entity": "A", "tenor_e3": 5_000}
        unit = "e9" if stream == "treasury" else "e6"
        record = {"stream": stream, "offset": 0, "ts_us": BASE * SECOND + 400_000, f"bid_{unit}": 2, f"ask_{unit}": 5}
        bars = pl.DataFrame(plain_seconds(stream, [record | name | said]), schema=KINDS[stream].seconds)
        ticks = [BASE, BASE + 1, BASE + hold, BASE + hold + 1, BASE + 100_000]
        rows = asked_at(STANDING[stream](bars), ["partition"], ticks)
        whole = hold * SECOND
        assert rows[f"{MEASURES[stream][0]}_us"].to_list() == [0, 600_000, whole - 400_000, whole, whole]
        assert rows[f"{MEASURES[stream][0]}_area"].to_list() == [
            0,
            1_800_000,
            3 * whole - 1_200_000,
            3 * whole,
            3 * whole,
        ]

    @both
    def test_nothing_stands_where_nothing_was_said(self, stream: str) -> None:
        standing = STANDING[stream](pl.DataFrame(schema=KINDS[stream].seconds))
        assert standing.codes.is_empty()
        assert standing.longest_hold_us == 0
        asked = pl.DataFrame(schema={"code": pl.Int64, "tick": pl.Int64})
        assert standing.at(asked).is_empty()
