"""A label set that comes under other thresholds, or under none: an issue that rolls off the run."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest

from monitor.alerts.evaluator import Evaluator
from monitor.calendar import MarketCalendar
from monitor.signals.model import VALUE_COLUMNS, Signal
from monitor.signals.thresholds import Edge, Hold, Notify, ThresholdRow

if TYPE_CHECKING:
    from monitor.results import Output, Transition

CALENDAR: Final = MarketCalendar()
DAY: Final = date(2019, 7, 10)
OPEN: Final = CALENDAR.at_new_york(DAY, time(7))
END: Final = 600


def row(name: str, warning: Edge | None, critical: Edge | None = None, hold: int = 0) -> ThresholdRow:
    waits = Hold(seconds=hold)
    return ThresholdRow(
        name, pl.lit(value=True), name, "because", warning=warning, critical=critical, hold_in=waits,
        notify=Notify.DESK,
    )  # fmt: skip


ROWS: Final = (
    row("narrow", Edge(4, 2), Edge(8, 5)),
    row("wide", Edge(10, 8), Edge(20, 15)),
    row("mild", Edge(4, 2)),
    row("held", Edge(4, 2), hold=60),
)
SPREAD: Final = Signal(
    "test_spread_bp", "treasury", "Test", "help", "formula", "source", ("instrument",), (), pl.lit(0), "window",
    thresholds=ROWS,
)  # fmt: skip

Point = tuple[int, float | str | None, str | None]
"""Seconds after the open, the value (`blind`: blind), the threshold row."""


def frame(points: list[Point]) -> pl.DataFrame:
    rows = [
        (
            "A",
            OPEN + tick,
            DAY,
            value == "blind",
            False,
            False,
            False,
            None if isinstance(value, str) else value,
            row_id,
            None,
        )
        for tick, value, row_id in points
    ]
    return pl.DataFrame(rows, {"instrument": pl.String(), **VALUE_COLUMNS}, orient="row")


def run(points: list[Point], cuts: tuple[int, ...] = ()) -> list[Output]:
    """In pieces, each by an evaluator that goes on from what the one before left."""
    outputs, state, after = [], None, -1
    for upto in (*cuts, END):
        evaluator = Evaluator((SPREAD,), CALENDAR)
        if state is not None:
            evaluator.restore(state)
        some = frame([point for point in points if after < point[0] <= upto])
        outputs.append(evaluator.advance({SPREAD.name: some}, OPEN + upto))
        state, after = evaluator.state(), upto
    return outputs


def told(points: list[Point], cuts: tuple[int, ...] = ()) -> list[Transition]:
    return [transition for output in run(points, cuts) for transition in output.transitions]


def words(points: list[Point]) -> list[tuple[int, str, str, float | None]]:
    """The same however the ticks are cut, and whatever process runs them."""
    found = [(t.tick - OPEN, t.before, t.after, t.threshold) for t in told(points)]
    steps = run(points)[0].steps
    for cuts in ((0,), (10,), (15,), (10, 20, 30), tuple(range(0, 60, 5))):
        outputs = run(points, cuts)
        assert [transition for output in outputs for transition in output.transitions] == told(points)
        assert pl.concat([output.steps for output in outputs]).equals(steps)
    return found


@pytest.mark.parametrize("value", [5.0, 99.0, 0.5, None])
def test_where_no_thresholds_apply_any_more_it_is_calm(value: float | None) -> None:
    points: list[Point] = [(0, 5.0, "narrow"), (10, value, None), (20, 98.0, None), (30, "blind", None)]
    assert words(points) == [(0, "calm", "warning", 4.0), (10, "warning", "calm", None)]
    levels = run(points)[0].steps.select(pl.col("tick") - OPEN, "level", "row").rows()
    assert levels == [(0, 1, "narrow"), (10, None, None), (20, None, None), (30, None, None)]


def test_it_is_told_in_words_to_those_who_knew_of_the_level() -> None:
    _, end = told([(0, 9.0, "narrow"), (10, 9.0, None)])
    assert (end.value, end.threshold, end.since, end.notify) == (9.0, None, OPEN + 10, "desk")
    assert end.sentence == (
        "Test A: 9 bp for 2019-07-10, calm again since 2019-07-10 07:00 New York (no thresholds apply any more)."
    )


def test_a_label_set_that_was_calm_or_never_had_thresholds_says_nothing() -> None:
    assert words([(0, 1.0, "narrow"), (10, 99.0, None), (20, "blind", None), (30, 1.0, None)]) == []
    assert words([(0, 99.0, None), (10, "blind", None), (20, 99.0, None)]) == []


def test_blindness_ends_where_no_thresholds_apply_any_more() -> None:
    assert words([(0, 5.0, "narrow"), (10, "blind", "narrow"), (20, 5.0, None)]) == [
        (0, "calm", "warning", 4.0),
        (10, "warning", "blind", None),
        (20, "blind", "calm", None),
    ]
    assert words([(0, 1.0, "narrow"), (10, "blind", "narrow"), (20, 5.0, None)])[-1] == (20, "blind", "calm", None)


def test_thresholds_that_come_back_begin_from_calm() -> None:
    """At 3, between exit and enter, the level of before would still stand."""
    points: list[Point] = [(0, 5.0, "narrow"), (10, 5.0, None), (20, 3.0, "narrow"), (30, 4.0, "narrow")]
    assert words(points) == [(0, "calm", "warning", 4.0), (10, "warning", "calm", None), (30, "calm", "warning", 4.0)]


def test_a_hold_begins_anew_where_no_thresholds_applied_in_between() -> None:
    assert words([(0, 5.0, "held"), (40, 5.0, None), (50, 5.0, "held")]) == [(110, "calm", "warning", 4.0)]
    assert words([(0, 5.0, "held"), (40, None, "held"), (50, 5.0, "held")]) == [(70, "calm", "warning", 4.0)]


def test_under_another_row_the_level_carries_over() -> None:
    """At 9 the wide row would not enter, and does not leave either; below 8 it leaves."""
    points: list[Point] = [(0, 7.0, "narrow"), (10, 9.0, "wide"), (20, 7.5, "wide")]
    assert words(points) == [(0, "calm", "warning", 4.0), (20, "warning", "calm", 8.0)]
    assert words([(0, 9.0, "narrow"), (10, 16.0, "wide")]) == [(0, "calm", "critical", 8.0)]
    assert words([(0, 9.0, "narrow"), (10, 9.0, "wide")])[-1] == (10, "critical", "warning", 15.0)
    assert words([(0, 9.0, "wide"), (10, 9.0, "narrow")]) == [(10, "calm", "critical", 8.0)]


def test_a_level_that_the_other_row_does_not_have_ends() -> None:
    assert words([(0, 9.0, "narrow"), (10, 9.0, "mild")]) == [
        (0, "calm", "critical", 8.0),
        (10, "critical", "warning", None),
    ]
