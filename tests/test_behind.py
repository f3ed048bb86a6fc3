"""Ticks wait for partitions of which something older may still come, and for how long."""

from __future__ import annotations

from typing import Final

import msgspec
import polars as pl
import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.pipeline import BEHIND_RELEASE_US, IDLE_RELEASE_US, Pipeline
from monitor.results import Output
from monitor.sources.base import RawBatch
from tests.signals.events import CALENDAR, S
from tests.signals.market_logs import logs
from tests.test_pipeline import SIGNALS, Feed, Run, assert_same, replay_of_log

T0: Final = 1_778_504_400  # 2026-05-11 09:00 in New York


class Case:
    """Two partitions: `fast` is never behind, `slow` is; the clock of arrivals is set by the test."""

    def __init__(self, kind: str) -> None:
        self.pipeline = Pipeline(SIGNALS, CALENDAR)
        self.kind = kind
        self.now_us = 0
        self.next = {"fast": 0, "slow": 0}
        self.late = 0

    def bring(self, partition: str, seconds: range) -> None:
        """An event a second, of the fast one quotes, of the slow one what the case is about."""
        kind = "quote" if partition == "fast" else self.kind
        payloads = [msgspec.json.encode(an_event(kind, partition, T0 + second)) for second in seconds]
        first = self.next[partition]
        self.next[partition] += len(payloads)
        stream = "reference" if kind == "print" else "treasury"
        batch = RawBatch("made", stream, partition, range(first, self.next[partition]), payloads)
        for told in self.pipeline.ingest(batch, self.now_us):
            assert not told.rejects
            self.late += told.late

    def advance(self, *behind: str) -> int | None:
        """The newest tick that was run then, in seconds after the beginning."""
        list(self.pipeline.advance(None, self.now_us, behind))
        return None if self.pipeline.ran is None else self.pipeline.ran - T0


def an_event(kind: str, partition: str, ts: int) -> dict[str, object]:
    if kind == "print":
        return {"ts": ts * S, "series": "IORB", "value": 5.4, "unit": "percent", "effective_date": "2026-05-11"}
    return {
        "ts": ts * S, "instrument": f"UST-{partition}", "tenor_years": 10, "on_the_run": True,
        "bid": 99.5, "ask": 99.515625, "bid_size": 50, "ask_size": 50,
    }  # fmt: skip


@pytest.fixture(params=["quote", "print"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_ticks_do_not_pass_what_a_partition_that_is_behind_has_reached(case: Case) -> None:
    case.bring("slow", range(31))
    case.bring("fast", range(101))
    assert case.advance("slow") == 28
    case.bring("slow", range(31, 61))
    assert case.advance("slow") == 58
    case.bring("slow", range(61, 101))
    assert case.advance("slow") == 98
    assert case.late == 0


def test_what_is_not_behind_holds_nothing_but_by_its_quotes(case: Case) -> None:
    case.bring("slow", range(31))
    case.bring("fast", range(101))
    assert case.advance() == (28 if case.kind == "quote" else 98)


def test_one_that_is_behind_and_unknown_holds_everything(case: Case) -> None:
    case.bring("fast", range(101))
    assert case.advance("slow") is None
    assert case.advance("slow", "fast") is None
    case.bring("slow", range(11))
    assert case.advance("slow") == 8


def test_it_is_waited_for_no_longer_after_a_minute_of_others(case: Case) -> None:
    case.bring("slow", range(31))
    case.bring("fast", range(101))
    reached = {}
    for second in range(1, BEHIND_RELEASE_US // S + IDLE_RELEASE_US // S + 3):
        case.now_us = second * S
        case.bring("fast", range(100 + second, 101 + second))
        reached[second] = case.advance("slow")
    patience = BEHIND_RELEASE_US // S
    # What comes in the second of the first look has come before it: one second more.
    assert {reached[second] for second in range(1, patience + 1)} == {28}
    # A partition with quotes holds ticks until it is idle, too, for which its time begins only now.
    let_go = next(second for second, ran in reached.items() if ran != 28)
    most = patience + 2 + (IDLE_RELEASE_US // S if case.kind == "quote" else 0)
    assert most - 2 <= let_go <= most
    assert reached[let_go] == 100 + let_go - 2


def test_one_that_nobody_knows_is_waited_for_no_longer_either() -> None:
    case = Case("print")
    for second in range(BEHIND_RELEASE_US // S + 3):
        case.now_us = second * S
        case.bring("fast", range(second, second + 1))
        ran = case.advance("unknown")
    assert ran == second - 2


def test_while_nothing_comes_at_all_it_is_waited_for_for_ever(case: Case) -> None:
    case.bring("slow", range(31))
    case.bring("fast", range(101))
    assert case.advance("slow") == 28
    for hour in range(1, 9):
        case.now_us = hour * 3_600 * S
        assert case.advance("slow") == 28
    case.bring("slow", range(31, 101))
    assert case.late == 0, "it was let go of"
    assert (case.advance() or 0) >= 98


def test_a_sleep_of_the_machine_is_no_silence_of_a_partition() -> None:
    """Nobody has seen that nothing came: what came meanwhile is still to be taken."""
    case = Case("quote")
    case.bring("slow", range(31))
    case.bring("fast", range(31))
    case.advance()
    case.now_us = 3_600 * S
    case.pipeline.woke(case.now_us)
    case.bring("fast", range(31, 101))
    assert case.advance() == 28, "the slow one is waited for"
    case.bring("slow", range(31, 101))
    assert case.late == 0
    assert (case.advance() or 0) >= 98
    case.now_us += IDLE_RELEASE_US
    case.bring("fast", range(101, 111))
    assert case.advance() == 108, "its time is counted from when somebody looked again"


def test_what_comes_while_it_is_behind_begins_its_minute_anew(case: Case) -> None:
    case.bring("slow", range(31))
    case.bring("fast", range(1))
    for second in range(1, 5 * BEHIND_RELEASE_US // S, 20):
        case.now_us = second * S
        case.bring("fast", range(100 + second, 101 + second))
        if second % 40 == 1:
            case.bring("slow", range(30 + second // 40, 31 + second // 40))
        assert case.advance("slow") == 28 + second // 40
    assert case.late == 0


def test_one_that_is_behind_again_is_waited_for_a_whole_minute_again() -> None:
    case = Case("print")
    case.bring("slow", range(31))
    for second in range(0, 2 * BEHIND_RELEASE_US // S - 20, 10):
        case.now_us = second * S
        case.bring("fast", range(second, second + 10))
        ran = case.advance("slow")
        if second == BEHIND_RELEASE_US // S - 10:
            assert ran == 28
            ran = case.advance()
            assert ran == second + 7
            stood = ran
        elif second > BEHIND_RELEASE_US // S:
            assert ran == stood


@given(st.data())
@settings(deadline=None, max_examples=5)
def test_any_interleaving_that_says_what_is_behind_is_one_replay(data: st.DataObject) -> None:
    """Prints and quotes of several partitions: no tick comes too early for anything that is still to come."""
    feed = Feed(data.draw(logs(), label="log"))
    run = Run(feed)
    has_clock = data.draw(st.booleans(), label="has a clock")
    now_us, ran_early = 0, False
    for _ in range(data.draw(st.integers(1, 14), label="turns")):
        if not run.waiting:
            break
        partition = data.draw(st.sampled_from(sorted(run.waiting)), label="partition")
        count = data.draw(st.sampled_from([1, 3, 8, 20, 60]), label="count")
        now_us += data.draw(st.sampled_from([0, S // 2, 4 * S]), label="passed")
        run.ingest(partition, count, now_us if has_clock else None)
        behind = set(run.waiting)
        run.outputs += run.pipeline.advance(None, now_us if has_clock else None, behind)
        ran_early = ran_early or (bool(behind) and run.pipeline.ran is not None)
    note(f"ticks ran while something was behind: {ran_early}")
    while run.waiting:
        run.ingest(min(run.waiting), 60, now_us if has_clock else None)
        run.outputs += run.pipeline.advance(None, now_us if has_clock else None, set(run.waiting))
    run.finish()
    assert_same(run.told, replay_of_log(feed).told)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 40)), min_size=5, max_size=40), st.booleans())
@settings(deadline=None, max_examples=10)
def test_dense_partitions_in_any_interleaving_are_one_replay(turns: list[tuple[str, int]], has_clock: bool) -> None:
    """The same where many ticks run while something is behind: two partitions of quotes, one of prints."""
    logs_ = {
        "a": [("treasury", an_event("quote", "10Y", T0 + n)) for n in range(150)],
        "b": [("treasury", an_event("quote", "2Y", T0 + n)) for n in range(0, 150, 3)],
        "c": [("reference", an_event("print", "", T0 + n) | {"value": 5 + n / 100}) for n in range(0, 150, 5)],
    }
    read = dict.fromkeys(logs_, 0)

    def bring(pipeline: Pipeline, name: str, count: int, read: dict[str, int], now_us: int | None) -> None:
        some = logs_[name][read[name] : read[name] + count]
        if some:
            payloads = [msgspec.json.encode(fields) for _, fields in some]
            pipeline.ingest(
                RawBatch("made", some[0][0], name, range(read[name], read[name] + len(some)), payloads), now_us
            )
            read[name] += len(some)

    pipeline, whole = Pipeline(SIGNALS, CALENDAR), Pipeline(SIGNALS, CALENDAR)
    outputs: list[Output] = []
    for turn, (name, count) in enumerate([*turns, ("a", 150), ("b", 150), ("c", 150)]):
        now_us = turn * S if has_clock else None
        bring(pipeline, name, count, read, now_us)
        outputs += pipeline.advance(None, now_us, {each for each in logs_ if read[each] < len(logs_[each])})
    pipeline.finish()
    outputs += pipeline.advance(T0 + 900)
    all_read = dict.fromkeys(logs_, 0)
    for name in logs_:
        bring(whole, name, 150, all_read, None)
    whole.finish()
    expected = list(whole.advance(T0 + 900))
    assert pl.concat([each.steps for each in outputs]).equals(pl.concat([each.steps for each in expected]))
    assert [t for each in outputs for t in each.transitions] == [t for each in expected for t in each.transitions]
