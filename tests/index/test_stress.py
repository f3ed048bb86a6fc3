"""The index of random logs is the plain one's, however it is cut, and has the properties that it is trusted for."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.index.stress import StressIndex
from monitor.results import INDEX_COLUMNS, REGIMES, SEGMENTS
from tests.index import plain
from tests.index.logs import CALENDAR, FRIDAY, NAMES, SIGNALS, blind, frame, logs, over, step

Steps = list[dict[str, Any]]
A_DAY: Final = 86_400
NO_SHRINKING: Final = settings(deadline=None, max_examples=40, phases=(Phase.explicit, Phase.generate))
ALL: Final = ("treasury_0", "repo_0", "newissue_0", "cds_0", "credit_0")


def told(steps: Steps, until: int | None = None) -> pl.DataFrame:
    """All at once."""
    last = steps[-1]["tick"] if steps else FRIDAY
    return StressIndex(SIGNALS, CALENDAR).advance(frame(steps), last if until is None else until)


def at(rows: pl.DataFrame, tick: int) -> dict[str, Any]:
    """The row that stands at a tick."""
    return rows.filter(c("tick") <= tick).row(-1, named=True)


def rank(row: dict[str, Any]) -> int:
    """Of the regime, or of what it would be, were it not capped: a new crisis needs enough that shows it."""
    return REGIMES.index("crisis" if row["capped"] else row["regime"])


def at_once(scores: dict[str, float], tick: int = FRIDAY) -> Steps:
    return [step(tick, f"{segment}_0", score) for segment, score in scores.items()]


# The same as by the definition.


@given(logs(), st.sampled_from([0, 1, 40_000, 4 * A_DAY]))
@NO_SHRINKING
def test_it_is_what_the_definition_says(steps: Steps, more: int) -> None:
    until = steps[-1]["tick"] + more
    rows = told(steps, until)
    expected = plain.rows(SIGNALS, CALENDAR, steps, until)
    assert dict(rows.schema) == INDEX_COLUMNS
    assert set(rows["tick"]) <= {tick for tick, _ in expected}
    assert rows["tick"].is_sorted()
    assert rows["tick"].is_unique().all()
    assert bool(expected) == (rows.height > 0)
    for tick, said in expected:
        assert {k: v for k, v in at(rows, tick).items() if k != "tick"} == pytest.approx(said, abs=1e-9), tick
    # A row is there because something changed.
    shown = rows.drop("tick")
    assert not any(a == b for a, b in zip(shown.rows(), shown.rows()[1:], strict=False))


@given(logs(), st.data())
@NO_SHRINKING
def test_it_does_not_depend_on_how_the_steps_are_cut_nor_on_restarts(steps: Steps, data: st.DataObject) -> None:
    until = steps[-1]["tick"] + 4 * A_DAY
    whole = told(steps, until)
    index, parts, rest = StressIndex(SIGNALS, CALENDAR), [], steps
    cuts = data.draw(st.lists(st.integers(FRIDAY - 10, until), max_size=12), label="cuts")
    ticks = data.draw(st.lists(st.sampled_from([each["tick"] for each in steps]), max_size=12), label="at ticks")
    for cut in sorted({*cuts, *ticks, until}):
        now = [each for each in rest if each["tick"] <= cut]
        rest = rest[len(now) :]
        parts.append(index.advance(frame(now), cut))
        if data.draw(st.booleans(), label="restart"):
            state = index.state()
            index = StressIndex(SIGNALS, CALENDAR)
            index.restore(state)
        assert_frame_equal(index.standing(), whole.filter(c("tick") <= cut).tail(1), check_exact=True)
    assert_frame_equal(pl.concat(parts), whole, check_exact=True)


# What it is trusted for.


@given(logs(), st.data())
@NO_SHRINKING
def test_more_stress_in_a_headline_never_lowers_the_index_at_that_tick(steps: Steps, data: st.DataObject) -> None:
    tick = steps[-1]["tick"] + 10
    rows = told(steps, tick)
    if rows.is_empty():
        return
    before = at(rows, tick)
    name, instrument = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from("ABCDE"))
    lower = data.draw(st.floats(0, 1))
    higher = data.draw(st.floats(lower, 1))
    one, other = ([*steps, step(tick, name, score, instrument=instrument)] for score in (lower, higher))
    less, more = at(told(one), tick), at(told(other), tick)
    for column in ("stress_index", "low", "high", *SEGMENTS):
        assert (less[column] or 0) <= (more[column] or 0) + 1e-12, column
    assert REGIMES.index(less["regime"]) <= REGIMES.index(more["regime"])
    assert before["tick"] <= tick


@given(logs(), st.data())
@NO_SHRINKING
def test_what_is_lost_never_lowers_the_regime(steps: Steps, data: st.DataObject) -> None:
    """Any label sets go blind and stay so: at no tick is the regime lower than if they had gone on as they were."""
    tick = steps[-1]["tick"] + 10
    until = tick + 5 * A_DAY
    seen = [each for each in steps if not each["blind"]]
    if not seen:
        return
    unbroken = told(seen, until)
    if unbroken.is_empty():
        return
    last = {(each["signal"], each["instrument"]): each for each in seen}
    lost = data.draw(st.sets(st.sampled_from(sorted(last)), min_size=1), label="lost")
    gone = [
        blind(tick, name, instrument=instrument, level=None, row=None, value_date=None)
        for name, instrument in sorted(lost)
        if last[name, instrument]["row"] is not None
    ]
    broken = told([*seen, *gone], until)
    for each in sorted({*unbroken["tick"], *broken["tick"]}):
        if each >= max(unbroken["tick"][0], broken["tick"][0]):
            as_it_was, now = at(unbroken, each), at(broken, each)
            assert rank(now) >= REGIMES.index(as_it_was["regime"]), each
            assert now["coverage"] <= as_it_was["coverage"]


@given(logs())
@NO_SHRINKING
def test_contributions_sum_to_the_index_and_bounds_hold_it(steps: Steps) -> None:
    row: dict[str, Any]
    for row in told(steps, steps[-1]["tick"] + 4 * A_DAY).iter_rows(named=True):
        parts = [row[f"contribution_{segment}"] for segment in SEGMENTS]
        assert [part is None for part in parts] == [row[segment] is None for segment in SEGMENTS]
        assert 0 <= row["low"] <= row["high"] <= 1
        if row["stress_index"] is None:
            assert (row["coverage"], row["low"], row["high"]) == (0, 0, 1)
            continue
        assert abs(sum(part for part in parts if part is not None) - row["stress_index"]) < 1e-12
        assert row["low"] <= row["stress_index"] <= row["high"]
        if row["coverage"] == 1:
            assert row["low"] == row["stress_index"] == row["high"]


@given(st.sampled_from(SEGMENTS), st.floats(0, 1), st.integers(0, 30))
@NO_SHRINKING
def test_one_segment_alone_is_at_most_the_square_of_its_weight(segment: str, score: float, days: int) -> None:
    scores = dict.fromkeys(SEGMENTS, 0.0) | {segment: score}
    rows = told(at_once(scores), FRIDAY + days * A_DAY)
    weight = {"treasury": 0.3, "repo": 0.25}.get(segment, 0.15)
    highest = max(rows["stress_index"])
    assert highest <= weight**2 + 1e-12
    assert highest == pytest.approx((weight * score) ** 2, abs=1e-9)


def test_two_segments_alone_come_to_thirty_percent_in_the_end() -> None:
    scores = dict.fromkeys(SEGMENTS, 0.0) | {"treasury": 1.0, "repo": 1.0}
    rows = told(at_once(scores), FRIDAY + 400 * A_DAY)
    assert at(rows, FRIDAY)["stress_index"] < 0.28
    assert 0.30 < rows["stress_index"][-1] < 0.55**2
    assert rows["regime"][-1] == "stressed"
    assert rows["stress_index"].is_sorted()


# By hand.


def test_there_is_no_row_before_the_first_score_of_a_headline() -> None:
    steps = [step(FRIDAY, "repo_0", 1.0, row="quiet", level=2), step(FRIDAY + 5, "repo_0", 0.0, instrument="B")]
    rows = told(steps, FRIDAY + 6)
    assert rows["tick"].to_list() == [FRIDAY + 5]
    [row] = rows.iter_rows(named=True)
    assert (row["repo"], row["coverage"], row["level_repo"], row["regime"]) == (0.0, 0.25, 2, "elevated")


def test_the_worst_fourth_of_the_label_sets_is_the_headline() -> None:
    steps = [step(FRIDAY, "repo_0", n / 10, instrument=f"I{n}") for n in range(9)]
    assert at(told(steps), FRIDAY)["repo"] == 0.7


def test_absence_holds_and_a_partial_value_raises_only() -> None:
    said = [(0, 0.5, False), (1, None, False), (2, 0.3, True), (3, 0.7, True), (4, 0.6, True), (5, 0.2, False)]
    steps = [step(FRIDAY + second, "repo_0", score, is_partial=partial) for second, score, partial in said]
    rows = told(steps)
    assert rows.select(c("tick") - FRIDAY, "repo").rows() == [(0, 0.5), (3, 0.7), (5, 0.2)]


def test_what_is_blind_for_more_than_a_session_is_lost_and_comes_back_with_data() -> None:
    """Friday at three: 7,200 s are left of its session, the night and the weekend do not count."""
    monday = CALENDAR.session(CALENDAR.new_york_date((FRIDAY + 3 * A_DAY) * 1_000_000))
    assert monday is not None
    lost = monday[0] + 28_800 + 1
    steps = [*at_once(dict.fromkeys(SEGMENTS, 0.6)), blind(FRIDAY + 1, "repo_0"), blind(FRIDAY + 99, "repo_0")]
    back = [step(lost + 100, "repo_0", 0.2)]
    rows = told([*steps, *back])
    assert [at(rows, tick)["repo"] for tick in (FRIDAY + 99, lost, lost + 1, lost + 100)] == [0.6, 0.6, None, 0.2]
    assert [at(rows, tick)["blind_repo"] for tick in (FRIDAY, FRIDAY + 1, lost + 1, lost + 100)] == [
        False,
        True,
        True,
        False,
    ]
    assert at(rows, lost + 1)["coverage"] == 0.75
    assert at(rows, lost + 1)["regime"] == at(rows, lost)["regime"]


def test_a_crisis_needs_three_segments_and_enough_to_be_seen() -> None:
    for names, regime, capped in (
        (("treasury", "repo"), "stressed", True),
        (("treasury", "repo", "cds"), "crisis", False),
        (("newissue", "cds", "credit"), "stressed", True),
    ):
        row = told(at_once(dict.fromkeys(names, 1.0)), FRIDAY).row(-1, named=True)
        assert (row["regime"], row["capped"]) == (regime, capped), names


def test_a_crisis_stays_one_when_what_shows_it_is_lost() -> None:
    steps = at_once(dict.fromkeys(SEGMENTS, 1.0))
    gone = [blind(FRIDAY + 9, f"{name}_0") for name in ("treasury", "repo", "cds", "credit")]
    rows = told([*steps, *gone], FRIDAY + 10 * A_DAY)
    assert rows["coverage"][-1] == 0.15
    assert set(rows["regime"]) == {"crisis"}


def test_a_critical_segment_is_at_least_elevated_and_stays_so_while_blind() -> None:
    calm = at_once(dict.fromkeys(SEGMENTS, 0.0))
    steps = [
        *calm, step(FRIDAY + 1, "repo_0", 0.0, level=2, row="quiet", instrument="Z"),
        blind(FRIDAY + 2, "repo_0", level=2, row="quiet", instrument="Z"),
        over(FRIDAY + 3, "repo_0", instrument="Z"),
    ]  # fmt: skip
    rows = told(steps)
    assert rows.select(c("tick") - FRIDAY, "regime", "level_repo", "blind_repo").rows() == [
        (0, "calm", 0, False), (1, "elevated", 2, False), (3, "calm", 0, False),
    ]  # fmt: skip


def test_a_revision_of_an_earlier_day_does_not_count() -> None:
    steps = [
        step(FRIDAY, "repo_0", 0.5, value_date=date(2019, 9, 12)),
        step(FRIDAY + 1, "repo_0", 1.0, value_date=date(2019, 9, 11), level=2),
        step(FRIDAY + 2, "repo_0", 0.4, value_date=date(2019, 9, 12)),
    ]
    assert told(steps).select(c("tick") - FRIDAY, "repo", "level_repo").rows() == [(0, 0.5, 0), (2, 0.4, 0)]


def test_at_a_session_s_end_there_is_a_row_only_if_the_index_moves() -> None:
    friday_end = FRIDAY + 7_200
    assert told(at_once(dict.fromkeys(SEGMENTS, 0.0)), FRIDAY + 9 * A_DAY)["tick"].to_list() == [FRIDAY]
    assert told(at_once({"repo": 1.0}), FRIDAY + 9 * A_DAY)["tick"].to_list() == [FRIDAY]
    rows = told(at_once({"repo": 1.0, "cds": 0.3}), FRIDAY + 4 * A_DAY)
    assert rows["tick"].to_list() == [FRIDAY, friday_end, friday_end + 3 * A_DAY]


def test_blind_by_the_wall_clock_is_shown_and_changes_nothing() -> None:
    index = StressIndex(SIGNALS, CALENDAR)
    before = index.advance(frame(at_once({"repo": 0.5, "cds": 0.5})), FRIDAY + 1)
    [row] = index.blinded(frame([blind(FRIDAY + 900, "repo_0")])).iter_rows(named=True)
    assert row == before.row(0, named=True) | {"tick": FRIDAY + 900, "blind_repo": True}
    assert index.blinded(frame([blind(FRIDAY + 900, "repo_0")])).is_empty()
    again = StressIndex(SIGNALS, CALENDAR)
    again.restore(index.state())
    for each in (index, again):
        assert each.standing().row(0, named=True) == row
        rows = each.advance(frame([step(FRIDAY + 2, "cds_0", 0.6)]), FRIDAY + 3)
        assert rows.select(c("tick") - FRIDAY, "cds", "blind_repo", "blind_cds").rows() == [(2, 0.6, True, False)]
        rows = each.advance(frame([step(FRIDAY + 9, "repo_0", 0.5)]), FRIDAY + 9)
        assert rows.select(c("tick") - FRIDAY, "blind_repo").rows() == [(9, False)]


def test_nothing_said_is_nothing_told() -> None:
    index = StressIndex(SIGNALS, CALENDAR)
    assert index.advance(frame([]), FRIDAY).is_empty()
    assert index.standing().is_empty()
    assert dict(index.standing().schema) == INDEX_COLUMNS
    restored = StressIndex(SIGNALS, CALENDAR)
    restored.restore(index.state())
    assert restored.advance(frame(at_once({"cds": 0.5})), FRIDAY).height == 1


def test_a_catalogue_without_headlines_has_no_index() -> None:
    assert StressIndex((), CALENDAR).advance(frame(at_once({"cds": 0.5})), FRIDAY).is_empty()
