"""Steps and transitions: the same however the ticks are cut, and revisions, blindness and holds told right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time, timedelta

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars import col as c

from monitor.alerts.evaluator import Evaluator
from monitor.calendar import MarketCalendar
from monitor.results import BLIND, Alarm, Level, Output, Transition
from monitor.signals.model import VALUE_COLUMNS, Signal
from monitor.signals.thresholds import Edge, Hold, ThresholdRow
from tests.alerts.plain import Point, Rule, over_prints

CALENDAR = MarketCalendar()
MINUTE = 60
DAY = date(2019, 7, 10)
OPEN = CALENDAR.at_new_york(DAY, time(7))

ROW = ThresholdRow(
    "all", c("instrument").is_in(["A", "B"]), "A and B", "because", calm=1,
    warning=Edge(4, 2), critical=Edge(8, 5), overrides={"Q": (6, 10)},
)  # fmt: skip
HELD = ThresholdRow(
    "all", pl.lit(value=True), "all", "because", calm=1, warning=Edge(4, 2), critical=Edge(8, 5),
    hold_in=Hold(seconds=10 * MINUTE), hold_out=Hold(seconds=20 * MINUTE),
)  # fmt: skip


def signal(name: str, row: ThresholdRow) -> Signal:
    return Signal(
        name, "repo", "Test", "help", "formula", "source", ("instrument",), (), pl.lit(0), "window", thresholds=(row,)
    )  # fmt: skip


PRINTED, TRADED = signal("printed_bp", ROW), signal("traded_bp", HELD)
SIGNALS = (PRINTED, TRADED)
SHAPE = {"instrument": pl.String()} | VALUE_COLUMNS


@dataclass(frozen=True)
class Value:
    tick: int
    instrument: str
    value_date: date
    value: float | None = None
    blind: bool = False

    def row(self, *, by_print: bool) -> dict[str, object]:
        return {
            "instrument": self.instrument, "tick": self.tick, "value_date": self.value_date, "blind": self.blind,
            "by_print": by_print, "is_partial": False, "value": None if self.blind else self.value,
            "graded": None,
        }  # fmt: skip


def frame_of(signal: Signal, values: dict[str, list[Value]], after: int, upto: int) -> pl.DataFrame:
    """The values of a signal after a tick and up to another, with their threshold rows."""
    some = [v.row(by_print=signal.name == PRINTED.name) for v in values.get(signal.name, []) if after < v.tick <= upto]
    return pl.DataFrame(some, SHAPE).sort("tick", "value_date", "instrument").with_columns(row=signal.row)


def frames(values: dict[str, list[Value]], after: int, upto: int) -> dict[str, pl.DataFrame]:
    return {each.name: frame_of(each, values, after, upto) for each in SIGNALS}


def advance_all(signal: Signal, some: list[Value], until: int = OPEN + 9_999) -> Output:
    """All values of the one signal of a catalogue, in one go."""
    values = frame_of(signal, {signal.name: some}, -1, 1 << 40)
    return Evaluator((signal,), CALENDAR).advance({signal.name: values}, until)


def run(values: dict[str, list[Value]], cuts: list[int]) -> list[Output]:
    evaluator, outputs, after = Evaluator(SIGNALS, CALENDAR), [], -1
    for upto in cuts:
        outputs.append(evaluator.advance(frames(values, after, upto), upto))
        after = upto
    return outputs


def steps_of(outputs: list[Output]) -> pl.DataFrame:
    return pl.concat([output.steps for output in outputs])


def told(outputs: list[Output]) -> list[Transition]:
    return [transition for output in outputs for transition in output.transitions]


def words(values: dict[str, list[Value]]) -> list[tuple[str, str, str | None]]:
    end = max(v.tick for some in values.values() for v in some) + 3 * 3_600
    return [(t.before, t.after, str(t.value_date)) for t in told(run(values, [end]))]


ticks = st.integers(0, 240).map(lambda minute: OPEN + minute * MINUTE)
numbers = st.one_of(st.none(), st.integers(0, 12).map(float))
instruments = st.sampled_from(["A", "B", "C"])
dates = st.integers(0, 5).map(lambda n: DAY - timedelta(days=9) + n * timedelta(days=1))
traded = st.builds(Value, ticks, instruments, st.just(DAY), numbers, st.sampled_from([False] * 5 + [True]))
printed = st.builds(Value, ticks, instruments, dates, numbers, st.sampled_from([False] * 5 + [True]))


def one_a_tick(some: list[Value]) -> list[Value]:
    return list({(v.tick, v.instrument, v.value_date): v for v in some}.values())


PRINTED_AT_A_HOLDS_END = Value(OPEN + 10 * MINUTE, "A", DAY - timedelta(days=9), 6.0)
TRADED_BEFORE = Value(OPEN, "A", DAY, 4.0)


@settings(max_examples=40, deadline=None)
@example([PRINTED_AT_A_HOLDS_END], [TRADED_BEFORE], [])
@given(
    st.lists(printed, max_size=9).map(one_a_tick),
    st.lists(traded, max_size=9).map(one_a_tick),
    st.lists(st.integers(0, 300).map(lambda minute: OPEN + minute * MINUTE + 7), max_size=5),
)
def test_the_results_do_not_depend_on_the_cuts(prints: list[Value], trades: list[Value], cuts: list[int]) -> None:
    values, end = {PRINTED.name: prints, TRADED.name: trades}, OPEN + 301 * MINUTE
    at_once = run(values, [end])
    for pieces in (sorted({*cuts, end}), [*sorted({v.tick for v in prints + trades}), end]):
        cut = run(values, pieces)
        assert told(cut) == told(at_once)
        order = ["tick", "signal", "instrument", "value_date"]
        assert steps_of(cut).sort(order).equals(steps_of(at_once).sort(order))
        assert standing_alarms(cut[-1]) == standing_alarms(at_once[-1]) == alarms_told(at_once)


def standing_alarms(output: Output) -> dict[tuple[str, str], Alarm]:
    """By signal and instrument; since when a blind one was calm, no transition says."""
    alarms = (each if each.level else replace(each, since=0) for each in output.alarms)
    return {(each.signal, each.labels["instrument"]): each for each in alarms}


def alarms_told(outputs: list[Output]) -> dict[tuple[str, str], Alarm]:
    """The same, as a reader of the transitions would keep it."""
    alarms: dict[tuple[str, str], Alarm] = {}
    levels = {level.word: level for level in Level}
    row = {PRINTED.name: ROW, TRADED.name: HELD}
    for each in told(outputs):
        key = (each.signal, each.labels["instrument"])
        before = alarms.pop(key, Alarm(each.signal, each.labels, Level.CALM, 0, None, None))
        level = levels.get(each.after, before.level)
        threshold = before.threshold
        if level != before.level:
            enters = row[each.signal].enters(CALENDAR.flags(each.value_date or DAY))
            threshold = enters[level - 1] if level else None
        if each.after == BLIND:
            alarms[key] = replace(before, blind_since=each.since)
        elif level > Level.CALM:
            alarms[key] = Alarm(each.signal, each.labels, level, each.since, threshold, None)
    return alarms


@settings(max_examples=30, deadline=None)
@given(st.lists(printed, max_size=9).map(one_a_tick), st.lists(traded, max_size=9).map(one_a_tick))
def test_what_stands_is_known_after_a_restart(prints: list[Value], trades: list[Value]) -> None:
    values, end = {PRINTED.name: prints, TRADED.name: trades}, OPEN + 301 * MINUTE
    first, second = Evaluator(SIGNALS, CALENDAR), Evaluator(SIGNALS, CALENDAR)
    before = first.advance(frames(values, -1, end), end)
    second.restore(first.state())
    assert standing_alarms(second.standing(end)) == standing_alarms(before)


# Few moments and few days, so that revisions, late days and blind ones meet.
crowded = st.lists(
    st.builds(
        Value,
        st.integers(0, 6).map(lambda hour: OPEN + hour * 3_600),
        st.sampled_from(["A", "A", "B"]),
        st.integers(0, 3).map(lambda n: DAY - timedelta(days=3 - n)),
        st.sampled_from([None, 1.0, 3.0, 5.0, 9.0]),
        st.sampled_from([False, False, True]),
    ),
    max_size=9,
).map(one_a_tick)


@settings(max_examples=60, deadline=None)
@given(crowded, st.sets(st.integers(0, 6).map(lambda hour: OPEN + hour * 3_600), max_size=3))
@example(
    # The revision of an earlier day, after a blind one, in a call after the first.
    [
        Value(OPEN + hour * 3_600, "A", date(2019, 7, day), value, blind=value is None)
        for hour, (day, value) in enumerate([(6, 1.0), (7, 1.0), (8, 9.0), (9, None), (7, 1.5)])
    ],
    {OPEN},
)
def test_revisions_do_not_depend_on_the_cuts(prints: list[Value], cuts: set[int]) -> None:
    values, end = {PRINTED.name: prints}, OPEN + 7 * 3_600
    at_once, cut = run(values, [end]), run(values, [*sorted(cuts), end])
    assert told(cut) == told(at_once)
    assert steps_of(cut).equals(steps_of(at_once))


TWICE = ThresholdRow(
    "all", pl.lit(value=True), "all", "because", calm=1, warning=Edge(4, 2), critical=Edge(8, 5),
    hold_in=Hold(prints=2), hold_out=Hold(prints=2),
)  # fmt: skip


TAKEN_BACK = [
    Value(OPEN, "A", DAY - timedelta(days=2), None),
    Value(OPEN, "A", DAY - timedelta(days=1), 5.0),
    Value(OPEN + 3_600, "A", DAY - timedelta(days=2), 5.0),
    Value(OPEN + 3_600, "A", DAY - timedelta(days=1), None),
]
"""Figures that are taken back at the tick at which an earlier day's make them the second in a row."""


@settings(max_examples=60, deadline=None)
@example(TAKEN_BACK, TWICE)
@given(crowded, st.sampled_from([ROW, TWICE]))
def test_in_the_end_every_day_has_the_level_that_the_newest_figures_give_it(
    prints: list[Value], row: ThresholdRow
) -> None:
    """As if the last figures of every day had been there from the start; no figures replace none."""
    figures: dict[tuple[str, date], float | None] = {}
    spoke: set[str] = set()
    for v in sorted(prints, key=lambda v: (v.tick, v.value_date)):
        if v.value is not None and not v.blind:
            spoke.add(v.instrument)
        if v.blind or v.instrument not in spoke or (v.value is None and figures.get((v.instrument, v.value_date))):
            continue
        figures[v.instrument, v.value_date] = v.value
    output = advance_all(signal("printed_bp", row), prints, OPEN + 9 * 3_600)
    # The newest figures that a day was told with, and the level of its newest telling: a day whose figures were taken
    # back is told without them, at the level that they give it still.
    told_value, told_level = (
        {(step["instrument"], step["value_date"]): step[name] for step in steps.to_dicts()}
        for name, steps in (("value", output.steps.filter(c("value").is_not_null())), ("level", output.steps))
    )
    found = {version: (value, told_level[version]) for version, value in told_value.items()}
    rule = Rule((4.0, 2.0), (8.0, 5.0), row.hold_in.prints - 1, row.hold_out.prints - 1)
    for instrument in sorted(spoke):
        days = sorted(day for who, day in figures if who == instrument)
        values = [figures[instrument, day] for day in days]
        levels = over_prints([Point(0, value, rule) for value in values])
        expected = {
            (instrument, day): (value, warning + critical)
            for day, value, (warning, critical) in zip(days, values, levels, strict=True)
            if value is not None
        }
        assert {key: said for key, said in found.items() if key[0] == instrument} == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(printed, max_size=9).map(one_a_tick), st.lists(traded, max_size=9).map(one_a_tick))
def test_a_chain_of_transitions_has_no_gap(prints: list[Value], trades: list[Value]) -> None:
    state: dict[tuple[str, str], str] = {}
    for t in told(run({PRINTED.name: prints, TRADED.name: trades}, [OPEN + 300 * MINUTE])):
        key = (t.signal, t.labels["instrument"])
        assert t.before == state.get(key, "calm")
        assert t.before != t.after
        assert t.since <= t.tick
        # No level moves for want of a value: it may fall where there is none when an earlier day is revised.
        revised = any(
            (v.tick, v.instrument) == (t.tick, key[1]) and v.value_date < (t.value_date or DAY) for v in prints
        )
        falls = t.before == "critical" or t.after == "calm"
        assert t.value is not None or "blind" in (t.before, t.after) or (revised and falls)
        state[key] = t.after


@settings(max_examples=40, deadline=None)
@given(crowded, st.lists(traded, max_size=9).map(one_a_tick))
def test_transitions_come_in_the_order_of_ticks_signals_labels_and_value_dates(
    prints: list[Value], trades: list[Value]
) -> None:
    transitions = told(run({PRINTED.name: prints, TRADED.name: trades}, [OPEN + 300 * MINUTE]))
    order = [(t.tick, t.signal, t.labels["instrument"], t.value_date) for t in transitions]
    assert order == sorted(order)


def at(hours: int, value_date: int, value: float | None = None, *, blind: bool = False, who: str = "A") -> Value:
    return Value(OPEN + hours * 3_600, who, DAY - timedelta(days=3 - value_date), value, blind)


class TestPublishedValues:
    def test_they_follow_one_another_by_value_date(self) -> None:
        assert words({PRINTED.name: [at(0, 1, 5.0), at(1, 2, 9.0), at(2, 3, 1.0)]}) == [
            ("calm", "warning", "2019-07-08"),
            ("warning", "critical", "2019-07-09"),
            ("critical", "calm", "2019-07-10"),
        ]

    def test_a_quarter_end_has_its_own_thresholds(self) -> None:
        """2019-06-28 is the last business day of June: warning from 6."""
        assert words({PRINTED.name: [Value(OPEN, "A", date(2019, 6, 28), 5.0)]}) == []
        assert words({PRINTED.name: [Value(OPEN, "A", date(2019, 6, 27), 5.0)]}) == [("calm", "warning", "2019-06-27")]

    def test_the_exit_is_strictly_past_its_value(self) -> None:
        assert words({PRINTED.name: [at(0, 2, 5.0), at(1, 3, 2.0)]}) == [("calm", "warning", "2019-07-09")]

    def test_a_revision_takes_the_place_of_what_it_revises(self) -> None:
        values = [at(0, 2, 5.0), at(1, 2, 9.0)]
        assert words({PRINTED.name: values}) == [
            ("calm", "warning", "2019-07-09"),
            ("warning", "critical", "2019-07-09"),
        ]
        assert words({PRINTED.name: [at(0, 2, 9.0), at(1, 2, 1.0)]})[-1] == ("critical", "calm", "2019-07-09")

    def test_a_revision_that_withdraws_the_value_lowers_no_level(self) -> None:
        values = [at(0, 2, 9.0), at(1, 2, None), at(2, 3, 6.0), at(3, 4, 1.0)]
        assert words({PRINTED.name: values}) == [("calm", "critical", "2019-07-09"), ("critical", "calm", "2019-07-11")]
        steps = steps_of(run({PRINTED.name: values}, [OPEN + 9 * 3_600]))
        assert steps.select("value", "level").rows() == [(9.0, 2), (None, 2), (6.0, 2), (1.0, 0)]

    def test_a_revision_that_turns_out_to_be_no_sound_data_is_told_blind_and_nothing_after_it(self) -> None:
        """Of many, as their order among equals is nobody's promise."""
        names = [f"N{n:02}" for n in range(60)]
        values = [at(0, 2, 5.0, who=name) for name in names]
        values += [at(1, 2, None, blind=True, who=name) for name in names]
        everyone = ThresholdRow("all", pl.lit(value=True), "all", "", warning=Edge(4, 2))
        output = advance_all(signal("printed_bp", everyone), values)
        after: dict[str, list[str]] = {}
        for transition in output.transitions:
            after.setdefault(transition.labels["instrument"], []).append(transition.after)
        assert after == {name: ["warning", "blind"] for name in names}

    def test_a_revision_is_no_new_print(self) -> None:
        """Two prints in: the second version of the first print is still the first."""
        twice = ThresholdRow("all", pl.lit(value=True), "all", "", warning=Edge(4, 2), hold_in=Hold(prints=2))
        output = advance_all(signal("printed_bp", twice), [at(0, 2, 5.0), at(1, 2, 6.0), at(2, 3, 5.0)])
        assert [(t.after, str(t.value_date)) for t in output.transitions] == [("warning", "2019-07-10")]

    def test_a_past_day_that_turns_out_worse_is_told_and_then_what_stands(self) -> None:
        values = [at(0, 2, 1.0), at(1, 3, 1.0), at(2, 2, 9.0)]
        assert words({PRINTED.name: values}) == [("calm", "critical", "2019-07-09"), ("critical", "calm", "2019-07-10")]

    def test_a_past_day_that_turns_out_worse_may_raise_what_stands(self) -> None:
        """At 3, past neither threshold, today keeps what yesterday had."""
        values = [at(0, 2, 1.0), at(1, 3, 3.0), at(2, 2, 5.0)]
        assert words({PRINTED.name: values}) == [("calm", "warning", "2019-07-09")]
        steps = steps_of(run({PRINTED.name: values}, [OPEN + 9 * 3_600]))
        assert steps.select("value_date", "value", "level").rows()[-2:] == [
            (date(2019, 7, 9), 5.0, 1),
            (date(2019, 7, 10), 3.0, 1),
        ]

    def test_a_past_day_that_turns_out_milder_is_no_news(self) -> None:
        values = [at(0, 2, 9.0), at(1, 3, 1.0), at(2, 2, 1.0)]
        assert len(words({PRINTED.name: values})) == 2

    def test_a_past_day_without_a_value_is_no_news(self) -> None:
        """It has the level of the day before it, and says nothing."""
        values = [at(0, 1, 9.0), at(1, 3, 3.0), at(2, 2, None)]
        assert words({PRINTED.name: values})[1:] == [("critical", "warning", "2019-07-10")]

    def test_several_value_dates_at_one_tick_are_told_in_their_order(self) -> None:
        values = [at(0, 1, 9.0), at(0, 2, 9.0), at(0, 3, 1.0)]
        assert words({PRINTED.name: values}) == [("calm", "critical", "2019-07-08"), ("critical", "calm", "2019-07-10")]

    def test_without_thresholds_a_value_has_no_level_and_no_alert(self) -> None:
        outputs = run({PRINTED.name: [at(0, 1, 99.0, who="C")]}, [OPEN + 9_999])
        assert told(outputs) == []
        assert steps_of(outputs).select("value", "level", "row").rows() == [(99.0, None, None)]

    def test_the_same_value_for_another_day_is_a_step_and_for_the_same_day_is_none(self) -> None:
        values = [at(0, 1, 3.0), at(1, 1, 3.0), at(2, 2, 3.0)]
        steps = steps_of(run({PRINTED.name: values}, [OPEN + 9 * 3_600]))
        assert [(row[0] - OPEN) // 3_600 for row in steps.select("tick").rows()] == [0, 2]


class TestBlind:
    def test_the_level_stays_and_both_ends_are_told(self) -> None:
        values = {PRINTED.name: [at(0, 1, 9.0), at(1, 2, blind=True), at(2, 2, 9.0), at(3, 3, 1.0)]}
        assert words(values) == [
            ("calm", "critical", "2019-07-08"),
            ("critical", "blind", "2019-07-09"),
            ("blind", "critical", "2019-07-09"),
            ("critical", "calm", "2019-07-10"),
        ]
        transitions = told(run(values, [OPEN + 9 * 3_600]))
        assert [(t.since - OPEN) // 3_600 for t in transitions] == [0, 1, 0, 3]
        assert [t.value for t in transitions] == [9.0, None, 9.0, 1.0]
        blind = steps_of(run(values, [OPEN + 9 * 3_600])).filter("blind")
        assert blind.select("value", "level").rows() == [(None, 2)]

    def test_what_never_had_a_value_is_not_blind(self) -> None:
        outputs = run({PRINTED.name: [at(0, 1, blind=True)]}, [OPEN + 9_999])
        assert told(outputs) == []
        assert steps_of(outputs).is_empty()

    def test_absence_keeps_the_level_without_a_line(self) -> None:
        values = [at(0, 1, 9.0), at(1, 2, None), at(2, 3, 6.0)]
        assert words({PRINTED.name: values}) == [("calm", "critical", "2019-07-08")]
        steps = steps_of(run({PRINTED.name: values}, [OPEN + 9 * 3_600]))
        assert steps.select("value", "level", "blind").rows() == [(9.0, 2, False), (None, 2, False), (6.0, 2, False)]

    def test_a_newer_day_stays_blind_when_an_earlier_one_is_revised(self) -> None:
        values = {PRINTED.name: [at(0, 1, 5.0), at(1, 2, blind=True), at(2, 1, 1.0), at(3, 2, 1.0)]}
        assert words(values) == [
            ("calm", "warning", "2019-07-08"),
            ("warning", "blind", "2019-07-09"),
            ("blind", "calm", "2019-07-09"),
        ]
        steps = steps_of(run(values, [OPEN + 9 * 3_600]))
        rows = steps.select("value_date", "value", "level").rows()
        assert [(str(day)[-2:], value, level) for day, value, level in rows] == [
            ("08", 5.0, 1), ("09", None, 1), ("08", 1.0, 0), ("09", None, 0), ("09", 1.0, 0),
        ]  # fmt: skip

    def test_an_earlier_day_that_turns_out_worse_is_told_while_blind(self) -> None:
        values = {PRINTED.name: [at(0, 1, 1.0), at(1, 2, blind=True), at(2, 1, 9.0), at(3, 2, 9.0)]}
        assert words(values) == [
            ("calm", "blind", "2019-07-09"),
            ("blind", "critical", "2019-07-08"),
            ("critical", "blind", "2019-07-09"),
            ("blind", "critical", "2019-07-09"),
        ]
        assert [(t.since - OPEN) // 3_600 for t in told(run(values, [OPEN + 9 * 3_600]))] == [1, 2, 2, 2]

    def test_to_be_blind_still_is_no_step(self) -> None:
        values = {PRINTED.name: [at(0, 1, 1.0), at(1, 2, blind=True), at(2, 2, blind=True), at(3, 3, blind=True)]}
        steps = steps_of(run(values, [OPEN + 9 * 3_600]))
        assert [(row[0] - OPEN) // 3_600 for row in steps.select("tick").rows()] == [0, 1, 3]

    def test_calm_has_stood_since_the_first_value(self) -> None:
        values = {PRINTED.name: [at(1, 1, 1.0), at(2, 2, blind=True), at(3, 2, 1.0)]}
        assert [(t.since - OPEN) // 3_600 for t in told(run(values, [OPEN + 9 * 3_600]))] == [2, 1]

    def test_a_window_value_keeps_its_level_while_blind_and_its_hold_stands_still(self) -> None:
        def minute(n: int, value: float | None = None) -> Value:
            return Value(OPEN + n * MINUTE, "A", DAY, value, value is None)

        values = {TRADED.name: [minute(0, 5.0), minute(15), minute(60, 1.0), minute(65), minute(90, 1.0)]}
        transitions = told(run(values, [OPEN + 300 * MINUTE]))
        assert [(t.before, t.after, (t.tick - OPEN) // MINUTE, (t.since - OPEN) // MINUTE) for t in transitions] == [
            ("calm", "warning", 10, 10),
            ("warning", "blind", 15, 15),
            ("blind", "warning", 60, 10),
            ("warning", "blind", 65, 65),
            ("blind", "warning", 90, 10),
            ("warning", "calm", 105, 105),
        ]


class TestHolds:
    def test_a_level_comes_at_the_end_of_its_hold_with_no_event_there(self) -> None:
        outputs = run({TRADED.name: [Value(OPEN, "A", DAY, 5.0)]}, [OPEN + 3_600])
        (transition,) = told(outputs)
        assert transition.tick == transition.since == OPEN + 10 * MINUTE
        assert (transition.value, transition.threshold) == (5.0, 4.0)
        assert steps_of(outputs).select("tick", "level").rows() == [(OPEN, 0), (OPEN + 10 * MINUTE, 1)]

    def test_it_is_told_by_the_advance_that_reaches_it(self) -> None:
        values = {TRADED.name: [Value(OPEN, "A", DAY, 5.0)]}
        before, after = run(values, [OPEN + 10 * MINUTE - 1, OPEN + 10 * MINUTE])
        assert (len(before.transitions), len(after.transitions)) == (0, 1)

    def test_on_the_way_down_the_exit_that_ended_the_level_is_told(self) -> None:
        values = [Value(OPEN, "A", DAY, 9.0), Value(OPEN + 3_600, "A", DAY, 3.0), Value(OPEN + 7_200, "A", DAY, 1.0)]
        transitions = told(run({TRADED.name: values}, [OPEN + 4 * 3_600]))
        assert [(t.before, t.after, t.threshold) for t in transitions] == [
            ("calm", "critical", 8.0),
            ("critical", "warning", 5.0),
            ("warning", "calm", 2.0),
        ]
        assert transitions[1].tick == OPEN + 3_600 + 20 * MINUTE


class TestTransitions:
    def test_contributors_come_worst_first_and_at_most_five(self) -> None:
        row = ThresholdRow("all", pl.lit(value=True), "all", "", warning=Edge(4, 2), critical=Edge(8, 5))
        some = [at(0, 1, float(n), who=f"I{n}") for n in range(8)] + [at(1, 1, 9.0, who="I0")]
        output = advance_all(signal("printed_bp", row), some)
        last = output.transitions[-1]
        assert [(each.labels["instrument"], each.value) for each in last.contributors] == [
            ("I0", 9.0), ("I7", 7.0), ("I6", 6.0), ("I5", 5.0), ("I4", 4.0),
        ]  # fmt: skip

    def test_a_past_day_is_told_with_its_own_value_among_the_contributors(self) -> None:
        values = [at(0, 2, 1.0), at(1, 3, 1.5), at(1, 3, 3.0, who="B"), at(2, 2, 9.0)]
        past, now = told(run({PRINTED.name: values}, [OPEN + 9 * 3_600]))
        assert [(each.labels["instrument"], each.value) for each in past.contributors] == [("A", 9.0), ("B", 3.0)]
        assert [(each.labels["instrument"], each.value) for each in now.contributors] == [("B", 3.0), ("A", 1.5)]

    def test_contributors_are_those_of_the_moment(self) -> None:
        """What comes later, or is blind then, is not among them, however the ticks are cut."""
        values = {PRINTED.name: [at(0, 1, 3.0, who="B"), at(1, 1, 5.0), at(2, 2, blind=True, who="B"), at(3, 2, 9.0)]}
        for cuts in ([9], [1, 9], [0, 1, 2, 3]):
            transitions = [t for t in told(run(values, [OPEN + hour * 3_600 for hour in cuts])) if t.after != "blind"]
            assert [[(each.labels["instrument"], each.value) for each in t.contributors] for t in transitions] == [
                [("A", 5.0), ("B", 3.0)],
                [("A", 9.0)],
            ]

    def test_it_carries_what_people_need(self) -> None:
        (transition,) = told(run({PRINTED.name: [at(0, 1, 5.0)]}, [OPEN + 9_999]))
        assert transition.alert == "PrintedBp"
        assert transition.runbook == "/runbooks/PrintedBp"
        assert transition.labels == {"instrument": "A"}
        assert transition.notify == "on-call"
        assert transition.sentence == (
            "Test A: 5 bp for 2019-07-08, warning since 2019-07-10 07:00 New York (threshold 4 bp)."
        )

    def test_thresholds_in_force_follow_the_clock_s_day(self) -> None:
        def warning(day: date) -> float:
            output = Evaluator(SIGNALS, CALENDAR).advance({}, CALENDAR.at_new_york(day, time(9)))
            return next(
                t.value for t in output.thresholds if (t.signal, t.level, t.edge) == ("printed_bp", "warning", "enter")
            )

        assert (warning(date(2019, 6, 28)), warning(date(2019, 7, 10))) == (6.0, 4.0)


def test_published_values_are_held_by_prints_whatever_a_row_says_of_seconds() -> None:
    """A row may be for both, as of issues that are quoted all day or printed at its end."""
    output = advance_all(signal("printed_bp", HELD), [at(0, 1, 5.0)])
    assert [transition.after for transition in output.transitions] == ["warning"]
