"""The watermark against a plain loop, and against itself with the log cut differently."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.watermark import LATENESS_US, NEVER_US, Watermark
from monitor.streams import EARLIEST_TS_US, LATEST_TS_US

SECOND = 1_000_000
BASE = 1_735_689_600 * SECOND

EDGES = st.builds(lambda second, off: BASE + second * SECOND + off, st.integers(-9, 9), st.sampled_from([-1, 0, 1]))
INSTANTS = st.one_of(
    EDGES,
    st.integers(BASE - 8 * SECOND, BASE + 8 * SECOND),
    st.sampled_from([EARLIEST_TS_US, LATEST_TS_US - 1]),
)
LOGS = st.lists(INSTANTS, max_size=40)
LATENESS = st.sampled_from([0, 1, 500_000, SECOND, LATENESS_US, 5 * SECOND + 1])
STARTS = st.just(NEVER_US) | EDGES
properties = settings(deadline=None, max_examples=200)


def one_by_one(log: list[int], lateness: int, value: int = NEVER_US) -> tuple[list[bool], list[int]]:
    """Whether each record is in time, and the watermark after each: as one would say it aloud."""
    in_time, values = [], []
    for ts in log:
        second_is_sealed = value >= (ts // SECOND + 1) * SECOND
        in_time.append(not second_is_sealed)
        value = max(value, ts - lateness)
        values.append(value)
    return in_time, values


@properties
@given(LOGS, LATENESS, STARTS)
def test_it_decides_record_by_record(log: list[int], lateness: int, start: int) -> None:
    mark = Watermark(lateness, start)
    in_time, values = one_by_one(log, lateness, start)
    admitted = mark.admit(pl.Series(log, dtype=pl.Int64))
    assert admitted.dtype == pl.Boolean
    assert admitted.to_list() == in_time
    assert mark.value_us == (values[-1] if values else start)


@properties
@given(LOGS, LATENESS, st.sets(st.integers(0, 40)))
def test_it_does_not_depend_on_how_the_log_is_cut(log: list[int], lateness: int, cuts: set[int]) -> None:
    in_time, values = one_by_one(log, lateness)
    mark = Watermark(lateness)
    admitted: list[bool] = []
    for start, end in pairwise(sorted({0, len(log)} | {c for c in cuts if c < len(log)})):
        admitted += mark.admit(pl.Series(log[start:end], dtype=pl.Int64)).to_list()
        assert mark.value_us == values[end - 1]
    assert admitted == in_time


@properties
@given(LOGS, LATENESS)
def test_a_second_is_sealed_or_open(log: list[int], lateness: int) -> None:
    """`sealed_before` and `admit` agree: a record is in time just if its second is not before it."""
    mark = Watermark(lateness)
    for ts in log:
        open_from, before = mark.sealed_before, mark.value_us
        [in_time] = mark.admit(pl.Series([ts]))
        assert in_time == (ts // SECOND >= open_from)
        assert mark.value_us >= before, "never backwards"


def test_a_fresh_one_has_sealed_nothing() -> None:
    mark = Watermark()
    assert mark.sealed_before * SECOND <= NEVER_US
    assert mark.admit(pl.Series([EARLIEST_TS_US])).to_list() == [True]


def test_the_default_lateness_is_two_seconds() -> None:
    mark = Watermark()
    late = [BASE, BASE - 2 * SECOND, BASE - 2 * SECOND - 1, BASE + 3 * SECOND, BASE + SECOND, BASE + SECOND - 1]
    assert mark.admit(pl.Series(late)).to_list() == [True, True, False, True, True, False]
    assert (mark.value_us, mark.sealed_before) == (BASE + SECOND, BASE // SECOND + 1)


def test_times_must_be_integers() -> None:
    with pytest.raises(TypeError, match="integer microseconds"):
        Watermark().admit(pl.Series([1.5]))


def test_no_records_change_nothing() -> None:
    mark = Watermark(0, BASE)
    assert mark.admit(pl.Series(dtype=pl.Int64)).to_list() == []
    assert mark.value_us == BASE
