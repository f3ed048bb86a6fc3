"""Around the user's announcements other thresholds hold, from one second to another."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest

from monitor.alerts.evaluator import Evaluator
from monitor.calendar import EVENT, MarketCalendar, UserDates
from monitor.signals import CATALOGUE
from monitor.signals.model import VALUE_COLUMNS, Signal
from monitor.signals.thresholds import Edge, Hold, ThresholdRow

if TYPE_CHECKING:
    from monitor.results import Output

DAY: Final = date(2019, 7, 10)
OPEN: Final = MarketCalendar().at_new_york(DAY, time(7))
BEGIN, END, UNTIL = 100, 160, 600
"""The event, in seconds after the open."""
HELD: Final = 20

ROW: Final = ThresholdRow(
    "all", pl.lit(value=True), "all", "because", warning=Edge(4, 2), critical=Edge(8, 5), overrides={EVENT: (6, 12)},
    hold_in=Hold(seconds=HELD),
)  # fmt: skip
DEPTH: Final = Signal(
    "test_ratio", "treasury", "Test", "help", "formula", "source", ("instrument",), (), pl.lit(0), "window",
    thresholds=(ROW,),
)  # fmt: skip


def at(second: int) -> datetime:
    return datetime.fromtimestamp(OPEN + second, UTC)


CALENDAR: Final = MarketCalendar(UserDates(events=((at(BEGIN), at(END)),)))


def run(points: list[tuple[int, float]], cuts: tuple[int, ...] = ()) -> list[Output]:
    """In pieces, each by an evaluator that goes on from what the one before left."""
    outputs, state, after = [], None, -1
    for upto in (*cuts, UNTIL):
        evaluator = Evaluator((DEPTH,), CALENDAR)
        if state is not None:
            evaluator.restore(state)
        rows = [("A", OPEN + tick, DAY, False, False, False, False, value, "all", None) for tick, value in points]
        frame = pl.DataFrame(rows, {"instrument": pl.String(), **VALUE_COLUMNS}, orient="row")
        some = frame.filter(pl.col("tick").is_between(OPEN + after + 1, OPEN + upto))
        outputs.append(evaluator.advance({DEPTH.name: some}, OPEN + upto))
        state, after = evaluator.state(), upto
    return outputs


@pytest.mark.parametrize(
    ("points", "told"),
    [
        # What stands when the event begins goes on standing, and counts for its own thresholds from there on.
        ([(10, 5.0)], [(30, "warning", 4)]),
        ([(90, 5.0)], [(END + HELD, "warning", 4)]),  # 10 of the 20 seconds before it count no more
        ([(110, 9.0)], [(130, "warning", 6), (END + HELD, "critical", 8)]),
        ([(110, 5.0), (150, 1.0)], []),
        ([(110, 13.0)], [(130, "critical", 12)]),
        ([(90, 9.0)], [(110, "warning", 6), (END + HELD, "critical", 8)]),
        ([(200, 9.0)], [(220, "critical", 8)]),
    ],
)
def test_enter_values_are_those_of_the_event_while_it_lasts(
    points: list[tuple[int, float]], told: list[tuple[int, str, float]]
) -> None:
    whole = run(points)
    found = [(t.tick - OPEN, t.after, t.threshold) for t in whole[0].transitions]
    assert found == told
    for cuts in ((BEGIN,), (BEGIN - 1,), (END,), (120, 159, 160, 161), tuple(range(0, UNTIL, 7))):
        pieces = run(points, cuts)
        assert [t for each in pieces for t in each.transitions] == list(whole[0].transitions)
        assert pl.concat([each.steps for each in pieces]).equals(whole[0].steps)


def test_thresholds_in_force_follow() -> None:
    enters = {
        upto: [t.value for t in run([(10, 1.0)], (upto,))[0].thresholds if t.edge == "enter"]
        for upto in (BEGIN - 1, BEGIN, END - 1, END)
    }
    assert enters == {BEGIN - 1: [4, 8], BEGIN: [6, 12], END - 1: [6, 12], END: [4, 8]}


def test_an_event_within_another_does_not_end_it() -> None:
    user = UserDates(events=((at(0), at(100)), (at(10), at(20)), (at(300), at(310))))
    calendar = MarketCalendar(user)
    ticks = pl.Series([OPEN - 1, OPEN, OPEN + 50, OPEN + 99, OPEN + 100, OPEN + 305, OPEN + 310])
    assert calendar.is_event(ticks).to_list() == [False, True, True, True, False, True, False]


@pytest.mark.parametrize(
    "event", [(at(10), at(10)), (at(10), at(9)), (datetime(2019, 7, 10, 9), at(20))]  # noqa: DTZ001 - what is wrong
)  # fmt: skip
def test_an_event_without_a_zone_or_a_length_is_refused(event: tuple[datetime, datetime]) -> None:
    with pytest.raises(ValueError, match="must have zones, and end after it begins"):
        UserDates(events=(event,))


def test_depth_and_dispersion_mind_events() -> None:
    minded = {s.name for s in CATALOGUE if any(EVENT in row.overrides for row in s.thresholds)}
    assert minded == {"treasury_depth_drop_ratio", "treasury_dispersion_32nds"}
