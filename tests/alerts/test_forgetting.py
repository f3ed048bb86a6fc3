"""Label sets at their end are forgotten where no threshold can ever apply: there may be thousands of them in a year."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from monitor.alerts.evaluator import Evaluator
from monitor.calendar import MarketCalendar
from monitor.signals.model import VALUE_COLUMNS, Signal

OPEN: Final = 1_568_635_200
DAY: Final = date(2019, 9, 16)
CALENDAR: Final = MarketCalendar()
SHOWN: Final = Signal(
    "test_deal_bp", "newissue", "Test", "help", "formula", "source", ("deal_id",), (), pl.lit(0), "window"
)  # fmt: skip
Point = tuple[int, str, float | str | None]
"""Seconds after the open, the label, the value (`blind`: blind, `over`: at its end)."""
POINTS: Final = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("AB"), st.sampled_from([1.0, 2.0, None, "blind", "over"])),
    max_size=14,
    unique_by=lambda point: point[:2],
).map(lambda points: sorted(points, key=lambda point: point[:2]))


def frame(points: list[Point]) -> pl.DataFrame:
    rows = [
        {
            "deal_id": label, "tick": OPEN + tick, "value_date": DAY, "blind": value == "blind", "by_print": False,
            "is_partial": False, "is_over": value == "over", "value": None if isinstance(value, str) else value,
        }
        for tick, label, value in points
    ]  # fmt: skip
    return pl.DataFrame(rows, {"deal_id": pl.String(), **VALUE_COLUMNS})


def run(points: list[Point], cuts: set[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The steps, and what stands at the end; in pieces, each by an evaluator that goes on from the one before."""
    steps, state, after = [], None, -1
    for upto in [*sorted(cuts), 40]:
        evaluator = Evaluator((SHOWN,), CALENDAR)
        if state is not None:
            evaluator.restore(state)
        some = frame([point for point in points if after < point[0] <= upto])
        steps.append(evaluator.advance({SHOWN.name: some}, OPEN + upto).steps)
        state, after = evaluator.state(), upto
    return pl.concat(steps), evaluator.standing(OPEN + 40).steps


@given(POINTS, st.sets(st.integers(0, 30), max_size=6))
def test_the_steps_are_the_same_however_they_are_cut(points: list[Point], cuts: set[int]) -> None:
    for whole, pieces in zip(run(points, set()), run(points, cuts), strict=True):
        assert_frame_equal(whole, pieces, check_exact=True)


@pytest.mark.parametrize("cuts", [set(), {1}, {0, 1, 2}])
def test_its_end_is_told_and_then_it_is_forgotten(cuts: set[int]) -> None:
    steps, standing = run([(0, "A", 1.0), (0, "B", 2.0), (1, "A", "over"), (2, "B", 3.0)], cuts)
    assert steps.select("deal_id", "value").rows() == [("A", 1), ("B", 2), ("A", None), ("B", 3)]
    assert standing["deal_id"].to_list() == ["B"]
