"""The pipeline live, replayed and restarted says the same, to the bit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.alerts.evaluator import Evaluator
from monitor.checkpoint import LADDERS, RELEASES, Checkpoint
from monitor.engine.retention import BASELINES, DISTURBANCES
from monitor.engine.tiers import TierStore
from monitor.index.stress import StressIndex
from monitor.pipeline import IDLE_RELEASE_US, Pipeline
from monitor.results import INDEX_COLUMNS
from monitor.signals import CATALOGUE
from monitor.signals.model import Evaluation, change_ticks
from monitor.signals.standing import with_standing
from monitor.sources.base import RawBatch
from tests.signals.events import BEFORE_ALL, CALENDAR, MIXED, S
from tests.signals.market_logs import logs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.results import Output, Transition
    from tests.signals.events import Event, Log

NAMES: Final = (
    "treasury_spread_32nds",
    "treasury_spread_zscore",
    "treasury_off_the_run_excess_32nds",
    "treasury_two_sided_ratio",
    "treasury_volatility_bp",
    "cds_spread_bp",
    "repo_spread_bp",
    "repo_wedge_bp",
    "repo_jump_bp",
)
SIGNALS: Final = tuple(signal for signal in CATALOGUE if signal.name in NAMES)
"""Of every kind of window one: the contract suite looks at all signals."""
A_DAY_US: Final = 86_400 * S

Told = tuple[pl.DataFrame, "list[Transition]", pl.DataFrame]


class Feed:
    """A log by partition, each in the order of arrival."""

    def __init__(self, log: Log) -> None:
        self.events: dict[str, list[Event]] = {}
        for each in log:
            self.events.setdefault(each.partition, []).append(each)
        newest_us = max((each.fields["ts"] for each in log), default=0)
        self.end = newest_us // S + 5 * 86_400  # every silence has come to its end by then

    def batch(self, partition: str, first: int, count: int) -> RawBatch:
        some = self.events[partition][first : first + count]
        payloads = [msgspec.json.encode(each.fields | {"stream": each.stream}) for each in some]
        stream = None if partition == MIXED else some[0].stream
        return RawBatch("feed", stream, partition, range(first, first + len(some)), payloads)

    def arrived_us(self, partition: str, upto: int) -> int:
        return max(each.arrived_us for each in self.events[partition][:upto])


@dataclass
class Run:
    """A pipeline that reads a feed, and whose process may be thrown away."""

    feed: Feed
    ticks_at_once: int = 3_600
    begin: int | None = None
    read: dict[str, int] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    commits: list[Checkpoint] = field(default_factory=list)
    committed_outputs: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"late": 0, "doubles": 0, "events": 0})
    late_prints: int = 0

    @cached_property
    def pipeline(self) -> Pipeline:
        return Pipeline(SIGNALS, CALENDAR, begin=self.begin, ticks_at_once=self.ticks_at_once)

    @property
    def waiting(self) -> dict[str, int]:
        """By partition, how many events were not read."""
        counts = {name: len(some) - self.read.get(name, 0) for name, some in self.feed.events.items()}
        return {name: count for name, count in counts.items() if count}

    def ingest(self, partition: str, count: int, now_us: int | None = None) -> None:
        first = self.read.get(partition, 0)
        batch = self.feed.batch(partition, first, count)
        ran = BEFORE_ALL if self.pipeline.ran is None else self.pipeline.ran
        for each in self.feed.events[partition][first : first + len(batch)]:
            self.late_prints += -(-each.fields["ts"] // S) <= ran
        self.read[partition] = first + len(batch)
        for what in self.pipeline.ingest(batch, now_us):
            for name in self.counts:
                self.counts[name] += getattr(what, name)

    def advance(self, upto: int | None = None, now_us: int | None = None) -> None:
        self.outputs += self.pipeline.advance(upto, now_us)

    def advance_with_care(self) -> None:
        """As far as nothing that was not read yet can matter."""
        unread = [self.feed.events[name][-count:] for name, count in self.waiting.items()]
        first_us = min((each.fields["ts"] for some in unread for each in some), default=self.feed.end * S)
        self.advance(-(-first_us // S) - 1)

    def commit(self) -> None:
        self.commits.append(self.pipeline.checkpoint())
        self.committed_outputs = len(self.outputs)

    def crash(self) -> None:
        """Begin anew from what was committed; what was told since is told again."""
        del self.outputs[self.committed_outputs :]
        del self.pipeline
        self.read = {}
        if self.commits:
            self.pipeline.restore(self.recorded)
            self.read = dict(self.pipeline.positions)

    def finish(self) -> None:
        for name, count in self.waiting.items():
            self.ingest(name, count)
        self.pipeline.finish()
        self.advance(self.feed.end)
        self.commit()

    @property
    def recorded(self) -> Checkpoint:
        """All commits, put together: rows of all, and the newest states."""
        names = {name for each in self.commits for name in each.appends}
        appends = {name: pl.concat([e.appends[name] for e in self.commits if name in e.appends]) for name in names}
        return Checkpoint(appends, self.commits[-1].states)

    @property
    def told(self) -> Told:
        steps = [pl.DataFrame(schema=self.pipeline.step_shape), *(output.steps for output in self.outputs)]
        index = [pl.DataFrame(schema=INDEX_COLUMNS), *(output.index for output in self.outputs)]
        return pl.concat(steps), [each for output in self.outputs for each in output.transitions], pl.concat(index)


def replay_of_tiers(recorded: Checkpoint, after: int, upto: int) -> Told:
    """All ticks at once, over the tiers that a live run recorded."""
    store = TierStore(CALENDAR)
    store.restore(recorded.appends, dict(recorded.states[LADDERS].iter_rows()))
    store.baselines = recorded.appends.get(BASELINES, store.baselines)
    tiers = store.tiers()
    ticks = change_ticks(SIGNALS, tiers, after, upto)
    if after != BEFORE_ALL:
        ticks = pl.concat([ticks, pl.Series("tick", [after + 1])]).unique().sort()
    evaluation = Evaluation(tiers, ticks, is_told=True)
    values = {each.name: evaluation.values(each) for each in SIGNALS}
    if after != BEFORE_ALL:
        values = {each.name: with_standing(each, values[each.name], tiers, after + 1) for each in SIGNALS}
    output = Evaluator(SIGNALS, CALENDAR).advance(values, upto)
    index = StressIndex(SIGNALS, CALENDAR).advance(output.steps, upto)
    return output.steps, list(output.transitions), index


def replay_of_log(feed: Feed) -> Run:
    """All of the log, and then all ticks."""
    run = Run(feed)
    run.finish()
    return run


def assert_same(found: Told, expected: Told) -> None:
    assert_frame_equal(found[0], expected[0], check_exact=True)
    assert found[1] == expected[1]
    assert_frame_equal(found[2], expected[2], check_exact=True)


def assert_same_rows(found: Checkpoint, expected: Checkpoint, begin: int | None = None) -> None:
    """The same bars, prints and ids, in whatever order they were sealed.

    A run that began later has no daily values of earlier sessions.
    """
    daily = set() if begin is None else {BASELINES, DISTURBANCES}
    assert found.appends.keys() - daily == expected.appends.keys() - daily
    for name in expected.appends.keys() - daily:
        frame = expected.appends[name]
        mine = found.appends[name].sort(frame.columns)
        assert_frame_equal(mine, frame.sort(frame.columns), check_exact=True)


def _some(data: st.DataObject, run: Run) -> tuple[str, int]:
    """A partition, and how much of it is read next."""
    partition = data.draw(st.sampled_from(sorted(run.waiting)), label="partition")
    return partition, data.draw(st.sampled_from([1, 3, 8, 20, 60]), label="count")


# Live equals replay.


@given(st.data())
@settings(deadline=None, max_examples=8)
def test_a_live_run_is_the_replay_of_what_it_recorded(data: st.DataObject) -> None:
    """Whatever comes when, and whoever is late or idle; and the replay of the raw log where nobody was."""
    feed = Feed(data.draw(logs(), label="log"))
    begin = data.draw(st.sampled_from([None, None, feed.end - 6 * 86_400, feed.end - 8 * 86_400]), label="begin")
    run = Run(feed, data.draw(st.sampled_from([50, 3_600]), label="ticks at once"), begin)
    careful = data.draw(st.booleans(), label="careful")
    now_us = min((each.arrived_us for some in feed.events.values() for each in some), default=0)
    for _ in range(data.draw(st.integers(1, 12), label="turns")):
        if not run.waiting:
            break
        partition, count = _some(data, run)
        if not careful:
            now_us = max(now_us, feed.arrived_us(partition, run.read.get(partition, 0) + count))
            now_us += data.draw(st.sampled_from([0, 0, S, IDLE_RELEASE_US, A_DAY_US]), label="idle")
        run.ingest(partition, count, None if careful else now_us)
        what = data.draw(st.sampled_from(["advance", "advance", "advance", "commit", "nothing"]), label="what")
        if what == "commit":
            run.commit()
        elif what == "advance" and careful:
            run.advance_with_care()
        elif what == "advance":
            upto = data.draw(st.sampled_from([None, now_us // S, now_us // S - 2]), label="upto")
            run.advance(upto, now_us)
    run.finish()

    after = BEFORE_ALL if begin is None else begin - 1
    assert_same(run.told, replay_of_tiers(run.recorded, after, feed.end))
    replayed = replay_of_log(feed)
    is_raw = not run.late_prints and RELEASES not in run.recorded.appends and run.counts == replayed.counts
    assert is_raw or not careful
    note(f"nothing was late or released: {is_raw}")
    if is_raw:
        assert_same_rows(run.recorded, replayed.recorded, begin)
        if begin is None:
            assert_same(run.told, replayed.told)


# Restart at any point.


@given(st.data())
@settings(deadline=None, max_examples=8)
def test_a_run_that_is_killed_at_any_moment_goes_on_as_if_it_had_not_been(data: st.DataObject) -> None:
    """What was read since the last commit is lost, and read again."""
    feed = Feed(data.draw(logs(), label="log"))
    run = Run(feed)
    crashes = 4
    for _ in range(data.draw(st.integers(1, 12), label="turns")):
        if not run.waiting:
            break
        run.ingest(*_some(data, run))
        what = data.draw(st.sampled_from(["advance", "advance", "commit", "commit", "crash", "nothing"]), label="what")
        if what == "advance":
            run.advance_with_care()
        elif what == "commit":
            run.commit()
        elif what == "crash" and crashes:
            run.crash()
            crashes -= 1
    run.finish()
    unbroken = replay_of_log(feed)
    assert_same(run.told, unbroken.told)
    assert_same_rows(run.recorded, unbroken.recorded)


@given(st.data())
@settings(deadline=None, max_examples=8)
def test_a_run_that_is_stopped_after_a_commit_goes_on_as_if_it_had_not_been(data: st.DataObject) -> None:
    """Nothing is lost, so what was late and which tick a print came after stays what it was, whatever had run."""
    feed = Feed(data.draw(logs(), label="log"))
    run, unbroken = Run(feed), Run(feed)
    stops = 3
    for _ in range(data.draw(st.integers(1, 12), label="turns")):
        if not run.waiting:
            break
        partition, count = _some(data, run)
        for each in (run, unbroken):
            each.ingest(partition, count)
        what = data.draw(st.sampled_from(["advance", "advance", "stop", "nothing"]), label="what")
        if what == "advance":
            upto = data.draw(st.sampled_from([None, feed.end - 5 * 86_400]), label="upto")
            for each in (run, unbroken):
                each.advance(upto)
        elif what == "stop" and stops:
            stops -= 1
            _stop(data, run)
    for each in (run, unbroken):
        each.finish()
    assert_same(run.told, unbroken.told)
    assert_same_rows(run.recorded, unbroken.recorded)


def _stop(data: st.DataObject, run: Run) -> None:
    """Begin anew, read again what was open; perhaps stop once more halfway through that."""
    reached = dict(run.read)
    run.commit()
    run.crash()
    for name, upto in reached.items():
        missing = upto - run.read.get(name, 0)
        if missing:
            run.ingest(name, data.draw(st.integers(1, missing), label="again"))
            if data.draw(st.integers(0, 2), label="stop while reading again") == 0:
                run.commit()
                run.crash()
    for name, upto in reached.items():
        if run.read.get(name, 0) < upto:
            run.ingest(name, upto - run.read.get(name, 0))


# By hand.


def quote(second: int, offset_us: int = 0, **more: object) -> dict[str, object]:
    sides = {"bid": 100, "ask": 100.03125, "tenor_years": 10, "on_the_run": True}
    return {"ts": (OPEN + second) * S + offset_us, "instrument": "UST-10Y"} | sides | more


def batch(first: int, *payloads: dict[str, object], stream: str = "treasury", partition: str = "p") -> RawBatch:
    encoded = [msgspec.json.encode(payload) for payload in payloads]
    return RawBatch("feed", stream, partition, range(first, first + len(encoded)), encoded)


def told(outputs: Iterable[Output]) -> list[tuple[int, float | None, bool]]:
    steps = [output.steps.with_columns(c("tick") - OPEN).select("tick", "value", "blind") for output in outputs]
    return [row for each in steps for row in each.rows()]


SPREAD: Final = tuple(signal for signal in CATALOGUE if signal.name == "treasury_spread_32nds")
OPEN: Final = CALENDAR.at_new_york(date(2019, 9, 16), time(9))


def test_the_past_is_read_into_tiers_and_nothing_comes_out_before_it_ends() -> None:
    """At 09:04 the mean is over all five minutes, though the first tick that is run is at 09:03:20."""
    pipeline = Pipeline(SPREAD, CALENDAR, begin=OPEN + 200)
    pipeline.ingest(batch(0, *(quote(second) for second in range(0, 190, 10))))
    assert list(pipeline.advance()) == []
    assert pipeline.standing() is None
    assert pipeline.ran is None
    pipeline.ingest(batch(19, quote(200, ask=100.0625), quote(240)))
    assert told(pipeline.advance(OPEN + 200)) == []
    assert pipeline.ran == OPEN + 200
    pipeline.ingest(batch(21, quote(250)))
    assert told(pipeline.advance()) == [(201, 202 / 201, False), (241, 281 / 241, False)]


def test_sinks_that_have_seen_nothing_are_shown_how_things_stand_also_after_a_restart() -> None:
    pipeline = Pipeline(SPREAD, CALENDAR)
    pipeline.ingest(batch(0, quote(0), quote(5, ask=100.0625), quote(20)))
    outputs = list(pipeline.advance())
    steps, index = (pl.concat(frames) for frames in zip(*((each.steps, each.index) for each in outputs), strict=True))
    again = Pipeline(SPREAD, CALENDAR)
    again.restore(pipeline.checkpoint())
    for each in (pipeline, again):
        standing = each.standing()
        assert standing is not None
        assert standing.until == each.ran == OPEN + 18
        assert_frame_equal(standing.steps, steps.tail(1), check_exact=True)
        assert standing.transitions == ()
        assert_frame_equal(standing.index, index.tail(1), check_exact=True)
        assert standing.index.height == 1
        assert standing.watermarks_us == {"treasury": (OPEN + 18) * S}


def test_what_is_delivered_twice_counts_once_and_doubles_are_counted() -> None:
    def cds(second: int, **more: object) -> dict[str, object]:
        return {"ts": (OPEN + second) * S, "entity": "ORCL", "mid": 150, "notional": 10} | more

    events = [cds(0, id="a"), cds(1, id="b"), cds(2, id="a"), cds(2), cds(2), cds(9)]
    pipeline = Pipeline(CATALOGUE, CALENDAR)
    [first] = pipeline.ingest(batch(0, *events[:4], stream="cds"))
    assert (first.events, first.doubles, first.late) == (4, 1, 0)
    [second] = pipeline.ingest(batch(2, *events[2:], stream="cds"))
    assert (second.events, second.doubles, second.late) == (2, 0, 0)
    assert pipeline.ingest(batch(0, *events, stream="cds")) == []
    pipeline.finish()
    list(pipeline.advance())
    seconds = pipeline.checkpoint().appends["cds_seconds"]
    assert seconds.select(c("second") - OPEN, "quotes", "notional_kusd").rows() == [
        (0, 1, 10_000), (1, 1, 10_000), (2, 2, 20_000), (9, 1, 10_000),
    ]  # fmt: skip
    assert pipeline.suspects() == {"cds": 1}


def test_a_print_that_came_after_the_last_tick_is_in_the_checkpoint() -> None:
    """Its position is not read again."""
    pipeline = Pipeline(CATALOGUE, CALENDAR)
    pipeline.ingest(batch(0, quote(0), quote(100)))
    list(pipeline.advance())
    rate = {"ts": (OPEN + 50) * S, "series": "IORB", "value": 2.1, "unit": "percent", "effective_date": "2019-09-16"}
    pipeline.ingest(batch(0, rate, stream="reference", partition="rates"))
    recorded = pipeline.checkpoint()
    assert pipeline.positions["rates"] == 1
    assert recorded.appends["reference"].select("series", c("tick") - OPEN).rows() == [("IORB", 99)]


@given(logs())
@settings(deadline=None, max_examples=3)
def test_without_a_state_the_same_is_told_and_nothing_is_kept_for_it(log: Log) -> None:
    feed = Feed(log)
    durable, other = Run(feed), Run(feed)
    other.pipeline = Pipeline(SIGNALS, CALENDAR, is_durable=False)
    for run in (durable, other):
        for name, count in run.waiting.items():
            run.ingest(name, count)
        run.pipeline.finish()
        run.advance(feed.end)
    assert_same(other.told, durable.told)
    other.advance(feed.end)
    assert not other.pipeline.checkpoint().appends
