"""Levels as an expression equal a plain loop over every minute."""

from __future__ import annotations

from datetime import date, time

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.levels import LEVEL_COLUMNS, RULE_COLUMNS, fold
from monitor.calendar import MarketCalendar

CALENDAR = MarketCalendar()
MINUTE = 60
# From an afternoon over the night into a session that ends early: the session clock stands still between them.
START = CALENDAR.at_new_york(date(2019, 7, 2), time(16, 30))
MINUTES = 17 * 60
POINT = {
    "key": pl.String(),
    "tick": pl.Int64(),
    "value": pl.Float64(),
    "by_print": pl.Boolean(),
} | RULE_COLUMNS
NOTHING = pl.DataFrame(schema=POINT | LEVEL_COLUMNS)

Value = float | None
Rule = tuple[float, float, float, float, int, int]  # warning in, out, critical in, out, minutes in, minutes out

values = st.one_of(st.none(), st.integers(0, 12).map(float))
rules = st.tuples(
    st.integers(3, 6), st.integers(1, 3), st.integers(7, 9), st.integers(4, 7), st.integers(0, 12), st.integers(0, 12)
)
moments = st.dictionaries(st.integers(0, MINUTES), values, min_size=1, max_size=25)


def frame(moves: dict[int, Value], rule: Rule, key: str = "k", *, by_print: bool = False) -> pl.DataFrame:
    warning_in, warning_out, critical_in, critical_out, minutes_in, minutes_out = rule
    rows = [
        (
            key, START + minute * MINUTE, moves[minute], by_print, "row", 1,
            float(warning_in), float(warning_out), float(critical_in), float(critical_out),
            minutes_in if by_print else minutes_in * MINUTE, minutes_out if by_print else minutes_out * MINUTE,
        )
        for minute in sorted(moves)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=POINT, orient="row")


def plain_levels(moves: dict[int, Value], rule: Rule) -> dict[int, int]:
    """Minute to level, by walking every minute."""
    warning_in, warning_out, critical_in, critical_out, minutes_in, minutes_out = rule

    def holds(name: str, value: Value) -> bool | None:
        if value is None:
            return None
        return {
            "warning_in": value >= warning_in, "warning_out": value < warning_out,
            "critical_in": value >= critical_in, "critical_out": value < critical_out,
        }[name]  # fmt: skip

    gathered = dict.fromkeys(("warning_in", "warning_out", "critical_in", "critical_out"), 0)
    latches = {"warning": False, "critical": False}
    levels: dict[int, int] = {}
    value: Value = None
    clock = 0
    for minute in range(min(moves), MINUTES + 1):
        now = CALENDAR.session_seconds(START + minute * MINUTE)
        for name in gathered:
            if levels and holds(name, value):
                gathered[name] += now - clock
        clock = now
        if minute in moves:
            value = moves[minute]
            for name in gathered:
                if holds(name, value) is False:
                    gathered[name] = 0
        for latch in latches:
            if holds(f"{latch}_in", value) and gathered[f"{latch}_in"] >= minutes_in * MINUTE:
                latches[latch] = True
            elif holds(f"{latch}_out", value) and gathered[f"{latch}_out"] >= minutes_out * MINUTE:
                latches[latch] = False
        levels[minute] = 2 if latches["critical"] else int(latches["warning"])
    return levels


def levels_by_minute(folded: pl.DataFrame, moves: dict[int, Value]) -> dict[int, int]:
    level = pl.when("critical").then(2).otherwise(pl.col("warning").cast(pl.Int32))
    changes = {(tick - START) // MINUTE: now for tick, now in folded.select("tick", level).iter_rows()}
    levels: dict[int, int] = {}
    for minute in range(min(moves), MINUTES + 1):
        levels[minute] = changes.get(minute, levels.get(minute - 1, 0))
    return levels


@settings(max_examples=60, deadline=None)
@given(moments, rules)
def test_the_expression_equals_a_loop_over_every_minute(moves: dict[int, Value], rule: Rule) -> None:
    folded = fold(frame(moves, rule), NOTHING, START + MINUTES * MINUTE, CALENDAR)
    assert levels_by_minute(folded, moves) == plain_levels(moves, rule)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(moments, rules), min_size=2, max_size=4))
def test_keys_do_not_mix(several: list[tuple[dict[int, Value], Rule]]) -> None:
    together = fold(
        pl.concat([frame(moves, rule, f"k{i}") for i, (moves, rule) in enumerate(several)]).sort("tick"),
        NOTHING, START + MINUTES * MINUTE, CALENDAR,
    )  # fmt: skip
    for i, (moves, rule) in enumerate(several):
        own = together.filter(pl.col("key") == f"k{i}")
        assert levels_by_minute(own, moves) == plain_levels(moves, rule)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=1, max_size=30), rules)
def test_published_values_are_held_by_prints(prints: list[Value], rule: Rule) -> None:
    rule = (*rule[:4], rule[4] % 4, rule[5] % 4)
    moves = dict(enumerate(prints))
    folded = fold(frame(moves, rule, by_print=True), NOTHING, START + MINUTES * MINUTE, CALENDAR)
    assert not folded["is_hold_end"].any()

    warning_in, warning_out, critical_in, critical_out, wait_in, wait_out = rule
    expected = []
    in_a_row = {"win": 0, "wout": 0, "cin": 0, "cout": 0}
    warning = critical = False
    for value in prints:
        if value is not None:
            for name, holds in (
                ("win", value >= warning_in), ("wout", value < warning_out),
                ("cin", value >= critical_in), ("cout", value < critical_out),
            ):  # fmt: skip
                in_a_row[name] = in_a_row[name] + 1 if holds else 0
            warning = in_a_row["win"] > wait_in or (warning and not in_a_row["wout"] > wait_out)
            critical = in_a_row["cin"] > wait_in or (critical and not in_a_row["cout"] > wait_out)
        expected.append((warning, critical))
    assert folded.select("warning", "critical").rows() == expected


class TestByHand:
    RULE: Rule = (4, 2, 8, 5, 10, 30)

    def level_at(self, moves: dict[int, Value], minute: int) -> int:
        folded = fold(frame(moves, self.RULE), NOTHING, START + MINUTES * MINUTE, CALENDAR)
        return levels_by_minute(folded, moves)[minute]

    def test_a_level_is_entered_when_its_hold_is_over_and_not_before(self) -> None:
        moves: dict[int, Value] = {0: 5.0}
        assert (self.level_at(moves, 9), self.level_at(moves, 10)) == (0, 1)

    def test_a_value_that_falls_back_in_time_enters_nothing(self) -> None:
        moves: dict[int, Value] = {0: 5.0, 9: 3.0}
        assert self.level_at(moves, 25) == 0

    def test_at_the_threshold_counts_and_at_the_exit_does_not(self) -> None:
        assert self.level_at({0: 4.0}, 12) == 1
        assert self.level_at({0: 4.0, 12: 2.0}, 29) == 1

    def test_a_hold_does_not_run_overnight(self) -> None:
        """The session ends at minute 30 and goes on at 07:00, minute 870: five of ten minutes are left."""
        moves: dict[int, Value] = {25: 5.0}
        assert (self.level_at(moves, 869), self.level_at(moves, 874), self.level_at(moves, 875)) == (0, 0, 1)

    def test_absence_stops_a_hold_and_keeps_a_level(self) -> None:
        moves: dict[int, Value] = {0: 5.0, 5: None, 15: 5.0}
        assert (self.level_at(moves, 19), self.level_at(moves, 20)) == (0, 1)
        assert self.level_at({0: 9.0, 12: None}, MINUTES) == 2
