"""Thinning: fewer points, and still every peak, every trough and no line across a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.report.thin import held, thinned, thinned_steps

BEGIN = datetime(2019, 9, 17, tzinfo=UTC)
VALUES = st.one_of(
    st.lists(st.none() | st.floats(-1e6, 1e6), max_size=200),
    # Long runs of values and of gaps, as data has them.
    st.lists(st.tuples(st.integers(1, 60), st.none() | st.floats(-1e3, 1e3)), max_size=25).map(
        lambda runs: [
            None if value is None else value + n * 0.5 * (-1) ** n for length, value in runs for n in range(length)
        ]
    ),
)


def line(values: list[float | None]) -> pl.DataFrame:
    times = [BEGIN + timedelta(minutes=n) for n in range(len(values))]
    return pl.DataFrame({"ts": times, "value": values}, schema={"ts": pl.Datetime("us", "UTC"), "value": pl.Float64()})


def passes_a_gap(values: list[float | None], start: int, end: int) -> bool:
    return None in values[start + 1 : end]


@settings(deadline=None, max_examples=300)
@given(VALUES, st.integers(8, 60))
def test_peaks_and_gaps_stay_and_points_are_bounded(values: list[float | None], most: int) -> None:
    whole = line(values)
    thin = thinned(whole, most)
    assert thin.height <= most
    assert thin.schema == whole.schema
    kept = [int((ts - BEGIN).total_seconds() // 60) for ts in thin["ts"]]
    assert kept == sorted(set(kept)), "in order of time, each point once"
    assert thin["value"].to_list() == [values[at] for at in kept], "no point is made up"
    assert thin["value"].max() == whole["value"].max()
    assert thin["value"].min() == whole["value"].min()
    drawn = [at for at in kept if values[at] is not None]
    known = [at for at, value in enumerate(values) if value is not None]
    assert drawn[:1] == known[:1]
    assert drawn[-1:] == known[-1:]
    for start, end in pairwise(drawn):
        is_broken = any(start < at < end for at in kept)
        assert is_broken == passes_a_gap(values, start, end)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=40))
def test_a_short_line_is_left_as_it_is(values: list[float | None]) -> None:
    whole = line(values)
    assert thinned(whole, 40).equals(whole)


@pytest.mark.parametrize("at", [0, 1, 4_321, 9_999])
def test_one_peak_in_many_points_stays(at: int) -> None:
    values: list[float | None] = [float(n % 7) for n in range(10_000)]
    values[at] = 315.0
    thin = thinned(line(values), 100)
    assert thin.filter(pl.col("value") == 315.0)["ts"].to_list() == [BEGIN + timedelta(minutes=at)]


@pytest.mark.parametrize("at", [1, 2_500, 4_998])
def test_one_gap_in_a_noisy_line_stays(at: int) -> None:
    """Where every point that may be kept is a value that ought to be."""
    values: list[float | None] = [float(n * 7_919 % 104_729) for n in range(5_000)]
    values[at] = None
    thin = thinned(line(values), 100)
    assert thin.height <= 100
    assert thin["value"].null_count() == 1


def test_the_picture_is_as_fine_as_the_points_allow() -> None:
    values: list[float | None] = [float(n * 7_919 % 104_729) for n in range(50_000)]
    assert thinned(line(values), 400).height > 350


@settings(deadline=None, max_examples=300)
@given(VALUES, st.integers(16, 60))
def test_what_stands_is_drawn_as_long_as_it_stands(values: list[float | None], most: int) -> None:
    end = BEGIN + timedelta(minutes=len(values) + 5)
    drawn, shape = held(line(values), most, end)
    assert drawn.height <= most
    assert shape in ("hv", "linear")
    assert drawn["ts"].is_sorted()
    known = [value for value in values if value is not None]
    assert set(drawn["value"].drop_nulls()) <= set(known), "no value is made up"
    assert drawn["value"].max() == max(known, default=None)
    assert drawn["value"].min() == min(known, default=None)
    if values and values[-1] is not None:
        assert drawn.row(-1) == (end, values[-1])
    for (start, before), (at, value) in pairwise(drawn.rows()):
        assert value is not None or before is None or start == at, "up to where the gap begins"


def test_steps_stay_at_their_own_time() -> None:
    values: list[float | None] = [0.0 if n % 1_000 else n / 100 for n in range(50_000)]
    thin, are_steps = thinned_steps(line(values), 100)
    assert are_steps
    at = [int((ts - BEGIN).total_seconds() // 60) for ts in thin["ts"]]
    assert {1_000, 1_001, 49_000, 49_001} <= set(at), "one minute stays one minute"


def test_what_never_rests_is_thinned_by_stretches() -> None:
    values: list[float | None] = [float(n * 7_919 % 104_729) for n in range(50_000)]
    thin, are_steps = thinned_steps(line(values), 400)
    assert not are_steps
    assert thin.equals(thinned(line(values), 400))


def test_of_several_columns_every_step_and_every_peak_stays() -> None:
    values: list[float | None] = [0.0] * 3_900
    both = line(values).rename({"value": "a"}).with_columns(b=pl.lit(1.0), a=pl.lit(2.0))
    at = pl.int_range(pl.len())
    both = both.with_columns(
        a=pl.when(at == 3_000).then(9.0).otherwise("a"),
        b=pl.when(at == 3_100).then(None).when(at == 3_800).then(-5.0).otherwise("b"),
    )
    thin, are_steps = thinned_steps(both, 50, ("a", "b"))
    assert are_steps
    assert [int((ts - BEGIN).total_seconds() // 60) for ts in thin["ts"]] == [
        0, 3_000, 3_001, 3_100, 3_101, 3_800, 3_801, 3_899,
    ]  # fmt: skip
