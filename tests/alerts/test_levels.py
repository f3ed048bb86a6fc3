"""`fold` against a loop over every second, and against itself cut into pieces."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.alerts.levels import LEVEL_COLUMNS, RULE_COLUMNS, fold
from monitor.calendar import MarketCalendar, UserDates
from tests.alerts.plain import NO_RULE, Point, Rule, over_prints, over_time

if TYPE_CHECKING:
    from collections.abc import Sequence

# Sessions of half a minute and less, over a weekend, so that every second of them can be walked.
DAYS: Final = (date(2019, 9, 13), date(2019, 9, 16), date(2019, 9, 17))
CALENDAR: Final = MarketCalendar(
    UserDates(early_closes=dict(zip(DAYS, (time(7, 0, 30), time(7, 0, 12), time(7, 0, 25)), strict=True)))
)
SESSIONS: Final = tuple(session for day in DAYS if (session := CALENDAR.session(day)))
OPEN: Final = tuple(second for begin, end in SESSIONS for second in range(begin, end + 1))
"""Every second at which the clock runs, and the last one of each session."""
SHUT: Final = tuple(
    sorted(tick for begin, end in SESSIONS for tick in (begin - 3_600, begin - 1, end + 1, end + 3_600))
)
assert len({CALENDAR.session_seconds(tick) for tick in SHUT}) == len(SESSIONS) + 1

SHAPE: Final = {
    "key": pl.String(), "tick": pl.Int64(), "value": pl.Float64(), "graded": pl.Float64(), "by_print": pl.Boolean(),
    "is_partial": pl.Boolean(), **RULE_COLUMNS,
}  # fmt: skip

TICKS: Final = st.sampled_from(OPEN) | st.sampled_from(SHUT)
VALUES: Final = st.sampled_from([None, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 20.0])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """Thresholds in order; sometimes only one level, sometimes none at all, sometimes low is bad."""
    warning_exit, warning, critical_exit, critical = sorted(
        draw(st.tuples(*[st.sampled_from([1.0, 2.0, 4.0, 6.0])] * 4))
    )
    sign = draw(st.sampled_from([1, 1, -1]))
    has_warning, has_critical = draw(st.sampled_from([(True, True), (True, True), (True, False), (False, True)]))
    return Rule(
        (sign * warning, sign * warning_exit) if has_warning else None,
        (sign * critical, sign * critical_exit) if has_critical else None,
        sign=sign,
    )


@st.composite
def point_lists(draw: st.DrawFn, *, waits: st.SearchStrategy[int]) -> list[Point]:
    """Points of one label set: one row of thresholds, whose enter values a calendar flag may move."""
    rule = draw(rules())
    wait_in, wait_out = draw(waits), draw(waits)
    raised = draw(st.sampled_from([0.0, 0.0, 1.0, 2.0])) * rule.sign

    def on_a_flagged_day(edge: tuple[float, float] | None) -> tuple[float, float] | None:
        return edge and (edge[0] + raised, edge[1])

    plain = Rule(rule.warning, rule.critical, wait_in, wait_out, rule.sign)
    flagged = Rule(on_a_flagged_day(rule.warning), on_a_flagged_day(rule.critical), wait_in, wait_out, rule.sign)
    ticks = sorted(draw(st.sets(TICKS, min_size=1, max_size=12)))
    chosen = st.sampled_from([plain, plain, plain, flagged])
    lists = st.just([NO_RULE] * len(ticks)) if draw(st.integers(0, 9)) == 9 else st.tuples(*[chosen] * len(ticks))
    return [
        Point(tick, rule.sign * value if value is not None else None, its_rule, draw(st.integers(0, 4)) == 0)
        for tick, its_rule in zip(ticks, draw(lists), strict=True)
        for value in [draw(VALUES)]
    ]


def frame_of(points_by_key: dict[str, list[Point]], *, by_print: bool) -> pl.DataFrame:
    """The change points as `fold` takes them."""

    def edge(point: Point, edge: tuple[float, float] | None, place: int) -> float | None:
        return None if edge is None else edge[place] * point.rule.sign

    rows: list[dict[str, Any]] = [
        {
            "key": key,
            "tick": point.tick,
            "value": point.value,
            "by_print": by_print,
            "is_partial": point.is_partial,
            "row": "a row",
            "sign": point.rule.sign,
            "warning_enter": edge(point, point.rule.warning, 0),
            "warning_exit": edge(point, point.rule.warning, 1),
            "critical_enter": edge(point, point.rule.critical, 0),
            "critical_exit": edge(point, point.rule.critical, 1),
            "wait_in": point.rule.wait_in,
            "wait_out": point.rule.wait_out,
        }
        | (dict.fromkeys(RULE_COLUMNS) if point.rule is NO_RULE else {})
        for key, points in points_by_key.items()
        for point in points
    ]
    return pl.DataFrame(rows, SHAPE).sort("tick", "key")


NOTHING: Final = pl.DataFrame(schema=SHAPE | LEVEL_COLUMNS)
SECONDS_WAITED: Final = st.sampled_from([0, 0, 1, 2, 5, 10, 12, 13, 30, 31])


@given(point_lists(waits=SECONDS_WAITED), point_lists(waits=SECONDS_WAITED), TICKS)
@settings(deadline=None, max_examples=150)
@example(
    # A hold that is over with the session: it acts then, whether or not more comes, and not the next morning.
    [Point(OPEN[20], 5.0, Rule((4.0, 2.0), None, 10)), Point(SESSIONS[1][0], 5.0, Rule((4.0, 2.0), None, 10))],
    [Point(OPEN[20], 5.0, Rule((4.0, 2.0), None, 10))],
    SESSIONS[1][0],
)
def test_window_values_have_the_levels_of_a_loop_over_every_second(a: list[Point], b: list[Point], until: int) -> None:
    until = max(until, a[-1].tick, b[-1].tick)
    folded = fold(frame_of({"a": a, "b": b}, by_print=False), NOTHING, until, CALENDAR)
    for key, points in {"a": a, "b": b}.items():
        ticks = {point.tick for point in points}
        seconds = sorted(second for second in {*OPEN, *ticks, until} if second <= until)
        rows = folded.filter(c("key") == key)
        assert rows["tick"].to_list() == sorted(set(rows["tick"]))
        assert rows.filter(~c("is_hold_end"))["tick"].to_list() == sorted(ticks)
        assert rows["tick"].is_between(points[0].tick, until).all()
        starts = rows["tick"].to_list()
        latches = rows.select("warning", "critical").rows()
        for second, state in over_time(points, seconds, CALENDAR.session_seconds):
            assert latches[bisect_right(starts, second) - 1] == state, (key, second)


@given(point_lists(waits=st.integers(0, 3)), point_lists(waits=st.integers(0, 3)))
@settings(deadline=None, max_examples=150)
def test_published_values_have_the_levels_of_a_loop_over_them(a: list[Point], b: list[Point]) -> None:
    folded = fold(frame_of({"a": a, "b": b}, by_print=True), NOTHING, a[-1].tick + b[-1].tick, CALENDAR)
    assert not folded["is_hold_end"].any()
    for key, points in {"a": a, "b": b}.items():
        rows = folded.filter(c("key") == key)
        assert rows.select("warning", "critical").rows() == list(over_prints(points))


def carry(carried: pl.DataFrame, folded: pl.DataFrame) -> pl.DataFrame:
    """What the next piece needs: of each key the last change point, with its latches as they stand now."""
    points = folded.filter(~c("is_hold_end")).select(carried.columns)
    last = pl.concat([carried, points]).unique("key", keep="last", maintain_order=True)
    latches = folded.select("key", "warning", "critical").unique("key", keep="last", maintain_order=True)
    return last.update(latches, on="key")


def in_pieces(points: pl.DataFrame, untils: Sequence[int]) -> pl.DataFrame:
    """Folded in one piece an `until`, what was told before told once."""
    carried, parts = NOTHING, []
    for before, until in pairwise([-1, *untils]):
        piece = points.filter(c("tick").is_between(before, until, closed="right"))
        folded = fold(piece, carried, until, CALENDAR)
        # A hold that was over before is told again with the change point that it belongs to.
        parts.append(folded.filter(c("tick") > before))
        assert folded.filter(c("tick") <= before, ~c("is_hold_end")).is_empty()
        carried = carry(carried, folded)
    return pl.concat(parts)


@given(
    point_lists(waits=SECONDS_WAITED),
    point_lists(waits=SECONDS_WAITED),
    st.lists(TICKS, max_size=6),
    TICKS,
)
@settings(deadline=None, max_examples=150)
def test_pieces_of_window_values_give_what_the_whole_gives(
    a: list[Point], b: list[Point], cuts: list[int], until: int
) -> None:
    points = frame_of({"a": a, "b": b}, by_print=False)
    end = max(until, a[-1].tick, b[-1].tick)
    whole = fold(points, NOTHING, end, CALENDAR)
    pieces = in_pieces(points, sorted({cut for cut in cuts if cut < end} | {end}))
    assert_frame_equal(pieces.sort("key", "tick"), whole.sort("key", "tick"), check_exact=True)


@given(point_lists(waits=st.integers(0, 3)), point_lists(waits=st.integers(0, 3)), st.lists(TICKS, max_size=6))
@settings(deadline=None, max_examples=100)
def test_pieces_of_published_values_give_what_the_whole_gives(a: list[Point], b: list[Point], cuts: list[int]) -> None:
    points = frame_of({"a": a, "b": b}, by_print=True)
    end = max(a[-1].tick, b[-1].tick)
    whole = fold(points, NOTHING, end, CALENDAR)
    pieces = in_pieces(points, sorted({cut for cut in cuts if cut < end} | {end}))
    assert_frame_equal(pieces.sort("key", "tick"), whole.sort("key", "tick"), check_exact=True)


# By hand: 10 minutes in and out on ordinary sessions, thresholds 20/16 and 30/20.

ORDINARY: Final = MarketCalendar()
FRIDAY, MONDAY = (ORDINARY.at_new_york(day, time(16, 55)) for day in (date(2019, 9, 13), date(2019, 9, 16)))
TEN: Final = Rule((20.0, 16.0), (30.0, 20.0), 600, 600)
MINUTE: Final = 60


def told(points: list[Point], until: int) -> list[tuple[int, str]]:
    """(tick, level) of every change."""
    folded = fold(frame_of({"k": points}, by_print=False), NOTHING, until, ORDINARY)
    critical, warning, calm = pl.lit("critical"), pl.lit("warning"), pl.lit("calm")
    levels = folded.select(
        "tick", level=pl.when("critical").then(critical).when("warning").then(warning).otherwise(calm)
    )
    return levels.filter(c("level") != c("level").shift(1, fill_value="calm")).rows()


def test_a_hold_ends_between_change_points() -> None:
    noon = ORDINARY.at_new_york(DAYS[0], time(12))
    rising = [Point(noon, 20.0, TEN), Point(noon + 4 * MINUTE, 30.0, TEN)]
    assert told(rising, noon + 599) == []
    assert told(rising, noon + 600) == [(noon + 600, "warning")]
    assert told(rising, noon + 839) == [(noon + 600, "warning")]
    assert told(rising, noon + 840) == [(noon + 600, "warning"), (noon + 840, "critical")]


def test_a_value_that_falls_at_the_end_of_a_hold_does_not_act() -> None:
    noon = ORDINARY.at_new_york(DAYS[0], time(12))
    assert told([Point(noon, 25.0, TEN), Point(noon + 600, 10.0, TEN)], noon + 9_000) == []
    assert told([Point(noon, 25.0, TEN), Point(noon + 601, 10.0, TEN)], noon + 1_200) == [(noon + 600, "warning")]


def test_exits_are_strictly_past_and_from_critical_to_warning_first() -> None:
    noon = ORDINARY.at_new_york(DAYS[0], time(12))
    falling = [Point(noon, 35.0, TEN)]
    falling += [Point(noon + n * 1_000, value, TEN) for n, value in enumerate((20.0, 19.9, 16.0, 15.9), 1)]
    changes = [(noon + 600, "critical"), (noon + 2_600, "warning"), (noon + 4_600, "calm")]
    assert told(falling, noon + 9_000) == changes


def test_a_hold_stands_still_over_night_and_over_a_weekend() -> None:
    opening = ORDINARY.at_new_york(DAYS[1], time(7))
    assert told([Point(FRIDAY, 25.0, TEN)], MONDAY) == [(opening + 5 * MINUTE, "warning")]


def test_absence_neither_ends_a_hold_nor_adds_to_it() -> None:
    noon = ORDINARY.at_new_york(DAYS[0], time(12))
    points = [Point(noon, 25.0, TEN), Point(noon + 300, None, TEN), Point(noon + 2_000, 25.0, TEN)]
    assert told(points, noon + 9_000) == [(noon + 2_300, "warning")]
    points[2] = Point(noon + 2_000, 15.0, TEN)
    assert told(points, noon + 9_000) == []


def test_a_level_outlives_absence() -> None:
    noon = ORDINARY.at_new_york(DAYS[0], time(12))
    after = [Point(noon, 25.0, TEN), Point(noon + 700, None, TEN), Point(noon + 99_000 * 5, 10.0, TEN)]
    assert told(after, noon + 99_000 * 5) == [(noon + 600, "warning")]


@pytest.mark.parametrize(("values", "levels"), [
    ([19.9, 20.0, 16.0, 15.9], [0, 1, 1, 0]),
    ([30.0, 20.0, 19.0, 15.0], [2, 2, 1, 0]),
    ([45.0, None, None, 15.0], [2, 2, 2, 0]),
])  # fmt: skip
def test_a_benchmark_acts_at_once(values: list[float | None], levels: list[int]) -> None:
    rule = Rule((20.0, 16.0), (30.0, 20.0))
    days = [ORDINARY.at_new_york(DAYS[0] + timedelta(days=n), time(8)) for n in range(len(values))]
    points = [Point(day, value, rule) for day, value in zip(days, values, strict=True)]
    folded = fold(frame_of({"k": points}, by_print=True), NOTHING, days[-1], ORDINARY)
    assert [warning + critical for warning, critical in folded.select("warning", "critical").rows()] == levels
