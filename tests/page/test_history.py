"""Whatever comes in: histories are bounded, lose no peak, and bridge no gap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.page.history import History

ROWS = st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 99)), min_size=1, max_size=300)


def history_of(rows: list[tuple[int, int | None]], most: int = 10, longest: int = 1 << 20) -> History[int]:
    history: History[int] = History(most, longest)
    tick = 0
    for later, value in rows:
        tick += later
        history.add(tick, value, float(value or 0))
    return history


@given(ROWS)
def test_it_is_bounded_in_order_and_keeps_the_peak(rows: list[tuple[int, int | None]]) -> None:
    points = list(history_of(rows))
    assert len(points) <= 10
    assert points == sorted(points, key=lambda point: point.tick)
    # One of a gap that ended in its stride, or one before a peak, may be gone; a peak is not.
    values = [value for _, value in rows if value is not None]
    assert max((point.value for point in points if point.value is not None), default=None) == max(values, default=None)


@given(ROWS)
def test_what_is_there_now_is_the_last_point_or_it_was_worse_in_that_stride(rows: list[tuple[int, int | None]]) -> None:
    history = history_of(rows)
    last, now = list(history)[-1], rows[-1][1]
    assert (last.value is None) == (now is None), "a gap at the end is one, and only there"
    assert now is None or last.value >= now


@given(st.integers(1, 40), st.integers(1, 200))
def test_a_gap_that_lasts_is_a_gap_at_every_stride(before: int, length: int) -> None:
    history: History[int] = History(20, 1 << 20)
    for tick in range(before):
        history.add(tick, 5)
    for tick in range(before, before + length):
        history.add(tick, None)
    for tick in range(before + length, before + length + 400):
        history.add(tick, 7)
    if length >= 2 * history.stride:
        gap = [point.value for point in history].index(None)
        assert {point.value for point in list(history)[:gap]} <= {5}
        assert {point.value for point in list(history)[gap + 1 :]} <= {7}


def test_at_the_longest_stride_the_oldest_go() -> None:
    history = history_of([(4, value) for value in range(100)], most=10, longest=4)
    assert history.stride == 4
    assert [point.value for point in history][-10:] == list(range(90, 100))
    assert len(history) <= 20


def test_a_revision_of_the_past_is_left_out() -> None:
    history = history_of([(10, 1)])
    history.add(5, 9)
    assert [point.value for point in history] == [1]
