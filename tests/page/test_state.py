"""What the page is told of the market."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.page.differences import applied, difference
from monitor.page.sink import MAX_SERIES, PageSink
from monitor.page.state import CALM_EVERY_SECONDS, MAX_ALERTS, StateBuilder, key_of
from monitor.results import BLIND, Level
from tests.page.made import SIGNALS, TAIL, Market, alarm, many
from tests.sinks.made import TICK, index_row, output, step, transition

JSON = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.integers(0, 2) | st.lists(st.integers(0, 1)))
SOFR = "repo_tail_bp|SOFR|"


def built(market: Market) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(
        msgspec.json.encode(StateBuilder(market.signals, market.sink, market.standing).state())
    )
    return state


@given(JSON, JSON)
def test_a_difference_makes_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert applied(before, difference(before, after)) == after
    assert bool(difference(before, after)) == (before != after)


def test_before_the_first_tick_nothing_is_known_and_that_is_not_calm() -> None:
    state = built(Market(not_ready="the past is being read"))
    head = state["head"]
    assert (head["regime"], head["index"], head["until"], head["since"]) == (None, None, None, None)
    assert head["not_ready"] == "the past is being read"
    assert state["segment/repo"] == {"score": None, "contribution": None, "level": None, "blind": False, "worst": None}


def test_a_crunch_is_told_in_words() -> None:
    market = Market()
    market.crunch()
    state = built(market)
    head = state["head"]
    assert (head["regime"], head["index"], head["coverage"]) == ("elevated", 0.12, 0.55)
    assert (head["since"], head["since_at_least"]) == (TICK, True), "it may have stood before this process"
    assert (head["critical"], head["warning"], head["blind"], head["series"]) == (1, 0, 0, 2)
    assert head["synthetic"] is True
    assert state["segment/repo"]["worst"] == "Repo tail SOFR: 217 bp"
    assert state[f"series/{SOFR}"] == ["repo_tail_bp", "SOFR", ""]
    assert state[f"now/{SOFR}"] == [217.0, 2, False, 0.95, "2019-09-16", TICK, "benchmark"]
    assert state["now/repo_volume_busd|SOFR|"][:4] == [900.0, None, False, None]
    assert state["thresholds"]["repo_tail_bp"]["benchmark"] == {
        "warning_enter": 40.0, "warning_exit": 25.0, "critical_enter": 80.0,
    }  # fmt: skip
    fires = state[f"alert/{SOFR}"]
    assert fires["sentence"] == ("Repo tail SOFR: 217 bp, critical since 2019-09-17 08:00 New York (threshold 80 bp).")
    assert (fires["level"], fires["headline"], fires["runbook"]) == (2, True, "/runbooks/RepoTailBp")
    assert state["told/1"][1:3] == ["critical", "calm"]
    assert state[f"mark/{TICK}"][0] == "critical"
    assert state["edges"] == {"elevated": 0.1, "stressed": 0.25, "crisis": 0.45}


def test_a_segment_whose_worst_has_no_labels_is_told_without_them() -> None:
    market = Market()
    market.wrote(step(TAIL.name, 5.0, 0, instrument=None, score=0.1, row="benchmark"), index=[index_row()])
    assert built(market)["segment/repo"]["worst"] == "Repo tail: 5 bp"


def test_what_is_blind_has_no_number_and_says_so() -> None:
    market = Market()
    market.crunch()
    market.wrote(
        step(TAIL.name, 217.0, 2, blind=True, tick=TICK + 60, score=0.95),
        until=TICK + 60, index=[index_row(tick=TICK + 60)], alarms=[alarm(blind_since=TICK + 60)],
        transitions=[transition(tick=TICK + 60, after=BLIND)],
    )  # fmt: skip
    state = built(market)
    assert state[f"now/{SOFR}"][:3] == [None, 2, True]
    assert state["head"]["blind"] == 1
    assert state[f"alert/{SOFR}"]["sentence"] == (
        "Repo tail SOFR: no sound data since 2019-09-17 08:01 New York; its level stays until there is."
    )
    assert [point.value for point in market.sink.series(TAIL.name, ("SOFR", ""))] == [217.0, None], "a gap, not a line"
    assert state["segment/repo"]["worst"] is None


def test_the_last_point_is_what_stands_and_not_the_worst_of_its_stretch() -> None:
    market = Market()
    for at in range(2_000):
        market.wrote(until=TICK + at, index=[index_row(tick=TICK + at, stress_index=0.3 if at % 100 else 0.6)])
    *earlier, last = market.sink.index()
    assert (last.tick, last.value[0]) == (TICK + 1_999, 0.3)
    assert {point.value[0] for point in earlier[:-1]} <= {0.3, 0.6}
    market.wrote(until=TICK + 2_005, index=[index_row(tick=TICK + 2_005, stress_index=None)])
    market.wrote(until=TICK + 2_009)
    assert market.sink.index()[-1].value is None


def test_since_when_a_regime_stands() -> None:
    sink = PageSink(SIGNALS)
    assert sink.regime_since() is None
    since = []
    for at, (regime, index) in enumerate(
        [("calm", None), ("calm", 0.1), ("calm", 0.1), ("stressed", 0.3), ("stressed", None), ("stressed", 0.3)]
    ):
        sink.wrote(output(until=TICK + at, index=[index_row(tick=TICK + at, regime=regime, stress_index=index)]))
        found = sink.regime_since()
        since.append(found and (found[0] - TICK, found[1]))
    assert since == [None, (1, True), (1, True), (3, False), None, (5, False)], "over a gap nothing stands"


def test_the_peak_of_a_segment_stays_though_the_index_was_higher_elsewhere() -> None:
    sink = PageSink(SIGNALS, speed=60.0)
    for at in range(3_000):
        index, repo = (0.4, 0.1) if at % 64 else (0.3, 0.95)
        sink.wrote(output(until=TICK + at, index=[index_row(tick=TICK + at, stress_index=index, repo=repo)]))
    assert max(point.value[7] for point in sink.index()) == 0.95
    assert sink.index_at(TICK + 1_000) == 0.4


def test_a_revision_of_a_past_day_is_no_newest_point() -> None:
    sink = PageSink(SIGNALS)
    for at, value, day in ((0, 150.0, date(2019, 9, 17)), (60, 3.0, date(2019, 9, 16))):
        sink.wrote(output([step(TAIL.name, value, 2, tick=TICK + at, value_date=day)], until=TICK + at))
    assert [point.value for point in sink.series(TAIL.name, ("SOFR", ""))] == [150.0]


def test_labels_that_hold_the_separator_are_told_apart() -> None:
    market = Market()
    market.wrote(
        step(TAIL.name, 1.0, 0, instrument="A|B", window="C"), step(TAIL.name, 2.0, 2, instrument="A", window="B|C")
    )
    state = built(market)
    values = {
        tuple(key_of(key.removeprefix("now/"))[1]): row[0] for key, row in state.items() if key.startswith("now/")
    }
    assert values == {("A|B", "C"): 1.0, ("A", "B|C"): 2.0}


def test_of_too_many_alerts_the_worst_are_told_and_all_counted() -> None:
    market = Market()
    names = [f"I{at}" for at in range(MAX_ALERTS + 10)]
    market.wrote(
        *[step(TAIL.name, 1.0, 1, instrument=name) for name in names],
        alarms=[alarm(labels={"instrument": name}, level=Level.WARNING) for name in names[1:]]
        + [alarm(labels={"instrument": names[0]})],
    )
    state = built(market)
    assert sum(key.startswith("alert/") for key in state) == MAX_ALERTS
    assert (state["head"]["critical"], state["head"]["warning"]) == (1, MAX_ALERTS + 9)


def test_how_much_higher_than_an_hour_ago() -> None:
    market = Market()
    for at in range(0, 7_200, 60):
        market.wrote(until=TICK + at, index=[index_row(tick=TICK + at, stress_index=at / 10_000)])
    assert built(market)["head"]["hour"] == pytest.approx(0.36, abs=0.02)
    assert built(market)["head"]["day"] is None, "it has not run so long"


def test_what_is_calm_is_told_now_and_then_and_what_is_not_at_once() -> None:
    clock = [0.0]
    market = Market()
    builder = StateBuilder(market.signals, market.sink, market.standing, lambda: clock[0])

    def told(value: float, level: int) -> float:
        market.wrote(step(TAIL.name, value, level, tick=TICK + len(seen)), until=TICK + len(seen))
        seen.append(value)
        shown: float = builder.state()[f"now/{SOFR}"][0]
        return shown

    seen: list[float] = []
    assert [told(1.0, 0), told(2.0, 0)] == [1.0, 1.0]
    assert [told(50.0, 1), told(51.0, 1)] == [50.0, 51.0]
    assert told(3.0, 0) == 3.0, "that it is calm again is told at once"
    assert told(4.0, 0) == 3.0
    clock[0] += CALM_EVERY_SECONDS
    assert told(5.0, 0) == 5.0


def test_of_too_many_label_sets_those_that_are_not_calm_are_shown() -> None:
    market, steps = many(MAX_SERIES + 50)
    market.wrote(*steps, step(TAIL.name, 99.0, Level.WARNING, instrument="LAST"))
    state = built(market)
    assert (state["head"]["series"], state["head"]["shown"]) == (MAX_SERIES + 51, MAX_SERIES)
    assert "now/repo_tail_bp|LAST|" in state
    assert sum(key.startswith("now/") for key in state) == MAX_SERIES
    assert market.sink.series(TAIL.name, ("LAST", "")) == [], "the history of so many is kept"


def test_programs_get_all_of_them_with_words() -> None:
    market = Market()
    market.crunch()
    builder = StateBuilder(market.signals, market.sink, market.standing)
    assert builder.signals()[0] == {
        "signal": "repo_tail_bp", "title": "Repo tail", "unit": "bp", "segment": "repo",
        "labels": {"instrument": "SOFR"}, "value": 217.0, "blind": False, "score": 0.95, "level": "critical",
        "value_date": "2019-09-16", "since": TICK,
    }  # fmt: skip
    alerts = builder.alerts()
    assert [each["alert"] for each in alerts["firing"]] == ["RepoTailBp"]
    assert [(each["from"], each["to"], each["synthetic"]) for each in alerts["told"]] == [("calm", "critical", True)]
