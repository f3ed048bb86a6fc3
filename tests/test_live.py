"""A live run and a replay of the same say the same, to the bit; a live run stops when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from datetime import time as datetime_time
from itertools import count
from pathlib import Path
from random import Random

import polars as pl
import pytest

from monitor import journal as journal_module
from monitor import live as live_module
from monitor.calendar import MarketCalendar
from monitor.journal import Journal
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.replay import replay
from monitor.results import Ingested, Output, Transition
from monitor.signals import CATALOGUE
from monitor.sinks.base import Sink
from monitor.sources.base import RawBatch, Source
from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.scenario import SCENARIOS, ScenarioSource
from monitor.sources.supervisor import Feed, SourceState, Supervisor, SupervisorSettings
from monitor.stories import SCENARIO_KIND, Story, history_story

SECOND = 1_000_000


class Collected(Sink):
    """Keeps everything."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.events = self.doubles = 0

    def ingested(self, what: Ingested) -> None:
        self.events += what.events
        self.doubles += what.doubles

    def wrote(self, output: Output) -> None:
        self.outputs.append(output)

    def close(self) -> None:
        """Nothing is held."""

    @property
    def until(self) -> int:
        return self.outputs[-1].until if self.outputs else -1

    @property
    def steps(self) -> pl.DataFrame:
        return pl.concat([output.steps for output in self.outputs])

    @property
    def transitions(self) -> list[Transition]:
        return [transition for output in self.outputs for transition in output.transitions]


class Gauges:
    def __init__(self) -> None:
        self.turns = 0
        self.advances: list[float] = []
        self.shows: list[float] = []
        self.partitions: dict[str, dict[str, int | None]] = {}

    def turned(self) -> None:
        self.turns += 1

    def advanced(self, seconds: float) -> None:
        self.advances.append(seconds)

    def shown(self, seconds: float) -> None:
        self.shows.append(seconds)

    def partition(self, name: str, **how: int | None) -> None:
        self.partitions[name] = how


class Silent:
    """No progress is shown."""

    def read(self, source: str, done: int, total: int | None) -> None:
        """Not shown."""

    def evaluated(self, until: int) -> None:
        """Not shown."""


@dataclass
class Running:
    """A live run in a thread of its own."""

    live: LiveRun
    collected: Collected
    gauges: Gauges
    supervisor: Supervisor
    stop: threading.Event
    states: list[tuple[str, str, str]] = field(default_factory=list)

    def wait_until(self, is_so: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert is_so()


@contextmanager
def running(
    feeds: list[Feed],
    clock: StoryClock | None,
    pipeline: Pipeline,
    journal: Journal | None = None,
    wall_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
) -> Iterator[Running]:
    states: list[tuple[str, str, str]] = []
    supervisor = Supervisor(
        feeds,
        pipeline.positions,
        settings=SupervisorSettings(idle_seconds=0.005),
        on_state=lambda *state: states.append(state),
        wall_us=wall_us,
        random=Random(1),
    )
    collected, gauges, stop = Collected(), Gauges(), threading.Event()
    live = LiveRun(supervisor, clock, pipeline, [collected], gauges, journal=journal, wall_us=wall_us)
    assert live.not_ready_because() == "the sources are not open yet"
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    try:
        yield Running(live, collected, gauges, supervisor, stop, states)
    finally:
        stop.set()
        thread.join(timeout=20)
        supervisor.stop(time.monotonic() + 5)
    assert not thread.is_alive()
    assert live.not_ready_because() == "the monitor is stopping"


def fast(wall_step_seconds: float) -> Callable[[], float]:
    """A clock that moves on by so much each time it is looked at."""
    steps = count()
    return lambda: next(steps) * wall_step_seconds


def replayed(story: Story) -> Collected:
    collected = Collected()
    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=story.first_tick)
    replay([story.all_at_once()], pipeline, [collected], Silent())
    return collected


def assert_same(live: Collected, replay: Collected) -> None:
    # A replay ends with the newest event; the story's clock runs on to its end.
    until = replay.until
    assert live.events == replay.events
    assert live.doubles == replay.doubles
    assert live.steps.filter(pl.col("tick") <= until).equals(replay.steps)
    assert [each for each in live.transitions if each.tick <= until] == replay.transitions


def play(story: Story, wall_step_seconds: float) -> Running:
    """A story to its end, live."""
    clock = StoryClock(story.start_us, story.end_us, 1, fast(wall_step_seconds))
    feed = Feed(story.name, story.kind, lambda: story.make(clock))
    with running([feed], clock, Pipeline(CATALOGUE, MarketCalendar(), begin=story.first_tick)) as run:
        run.wait_until(lambda: run.collected.until >= story.end_us // SECOND)
        run.wait_until(lambda: run.live.not_ready_because() is None)
    return run


@pytest.mark.parametrize("step_seconds", [3_000.0, 18_000.0, 3_600_000.0])
def test_a_history_live_is_its_replay(step_seconds: float) -> None:
    """However far the story's clock moves between two looks at it: an hour, a morning, all at once."""
    story = history_story("repo-2018-2025", date(2019, 9, 10), date(2019, 9, 24))
    run = play(story, step_seconds)
    whole = replayed(story)
    assert_same(run.collected, whole)
    assert len(whole.transitions) > 10
    assert [state for *_, state in run.states] == ["connecting", "up", "ended"]
    assert {(name, kind) for name, kind, _ in run.states} == {("repo-2018-2025", "history")}


def a_crunch(minutes: int, past_sessions: int) -> Story:
    told = SCENARIOS["treasury-crunch"]
    end_us = told.story_start_us + minutes * 60 * SECOND
    scenario = replace(told, story_end_us=end_us, past_sessions=past_sessions)
    return Story(
        told.name, SCENARIO_KIND, told.title, "", told.story_start_us, end_us, 1,
        lambda clock: ScenarioSource(scenario, clock),
    )  # fmt: skip


@pytest.mark.parametrize(("step_seconds", "past_sessions"), [(1.1, 0), (40.0, 1)])
def test_a_scenario_live_is_its_replay(step_seconds: float, past_sessions: int) -> None:
    story = a_crunch(20, past_sessions)
    run = play(story, step_seconds)
    whole = replayed(story)
    assert_same(run.collected, whole)
    assert run.collected.doubles > 0
    assert {each.signal for each in whole.transitions} >= {"treasury_spread_32nds"}
    assert run.collected.steps["tick"].min() >= story.first_tick, "of the past no tick is run"  # type: ignore[operator]
    assert run.gauges.advances
    assert run.gauges.shows


def test_a_story_that_is_too_fast_for_the_machine_is_told_late_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock runs away: at no moment everything is in that is due. Ticks go on, and say so."""
    monkeypatch.setattr(live_module, "ADVANCE_EVERY_SECONDS", 0.0)
    story = a_crunch(10, past_sessions=0)
    clock = StoryClock(story.start_us, story.end_us, 100, fast(0.5))
    untils: list[int] = []
    is_running = threading.Event()

    class Slow(ScenarioSource):
        def poll(self, max_records: int) -> RawBatch | None:
            is_running.wait()
            while run.supervisor.held > 100:
                time.sleep(0.001)
            batch = super().poll(min(50, max_records))
            if not self.exhausted and batch is not None:
                untils.append(run.collected.until)
            return batch

    def make() -> Source:
        told = story.make(clock)
        assert isinstance(told, ScenarioSource)
        return Slow(told._scenario, clock)

    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=story.first_tick)
    with running([Feed(story.name, story.kind, make)], clock, pipeline) as run:
        is_running.set()
        run.wait_until(lambda: "s late: so fast" in str(run.live.not_ready_because()))
        run.wait_until(lambda: run.collected.until >= story.end_us // SECOND)
        run.wait_until(lambda: run.live.not_ready_because() is None)
    assert_same(run.collected, replayed(story))
    assert len(set(untils)) > 10, "ticks ran while more was due than could be taken in"


def quotes(count_: int, start_us: int = 1_778_504_400 * SECOND) -> str:
    return "".join(
        f'{{"ts":{start_us + n * SECOND},"instrument":"UST-10Y","tenor_years":10,"on_the_run":true,'
        f'"bid":99.5,"ask":{99.5 + (1 + n // 200 * 4) / 64},"bid_size":50,"ask_size":50}}\n'
        for n in range(count_)
    )


def test_files_read_live_say_what_their_replay_says(tmp_path: Path) -> None:
    (tmp_path / "q.ndjson").write_text(quotes(900))
    whole = Collected()
    replay(
        [FileSource(tmp_path / "q.ndjson", "treasury")], Pipeline(CATALOGUE, MarketCalendar()), [whole], Silent()
    )  # fmt: skip
    now_us = iter(range(0, 1 << 62, SECOND))
    feed = Feed("q", "file", lambda: FileSource(tmp_path / "q.ndjson", "treasury"))
    # By the clock of arrivals the file's end is soon 10 s ago: the partition is idle, and its last seconds are sealed.
    with running([feed], None, Pipeline(CATALOGUE, MarketCalendar()), wall_us=lambda: next(now_us)) as run:
        run.wait_until(lambda: run.collected.until >= whole.until)
    assert_same(run.collected, whole)
    assert whole.transitions


def test_a_stop_in_the_middle_of_a_batch_commits_and_a_new_start_goes_on(tmp_path: Path) -> None:
    (tmp_path / "q.ndjson").write_text(quotes(30_000))
    whole = Collected()
    source = FileSource(tmp_path / "q.ndjson", "treasury")
    replay([source], Pipeline(CATALOGUE, MarketCalendar()), [whole], Silent())
    told: list[Collected] = []
    for _ in range(2):
        pipeline = Pipeline(CATALOGUE, MarketCalendar())
        journal = Journal(tmp_path / "state", pipeline, MarketCalendar(), identity="", wall=time.monotonic)
        assert journal.open() == bool(told)
        begin = pipeline.ran
        feed = Feed("q", "file", lambda: FileSource(tmp_path / "q.ndjson", "treasury"))
        now_us = iter(range(0, 1 << 62, SECOND))
        with running([feed], None, pipeline, journal, wall_us=lambda now_us=now_us: next(now_us)) as run:  # type: ignore[misc]
            if told:
                run.wait_until(lambda run=run: run.collected.until >= whole.until)  # type: ignore[misc]
            else:
                run.wait_until(lambda run=run: bool(run.collected.outputs))  # type: ignore[misc]
                run.stop.set()
        journal.close()
        if begin is not None:
            run.collected.outputs.pop(0)  # what stood
        told.append(run.collected)
    first, second = told
    assert first.until < whole.until, "it was over before it could be stopped"
    assert [*first.transitions, *second.transitions] == whole.transitions
    assert pl.concat([first.steps, second.steps]).equals(whole.steps)


def test_a_mistake_in_the_program_ends_the_run_and_a_file_that_is_missing_does_not(tmp_path: Path) -> None:
    class Wrong(FileSource):
        def poll(self, max_records: int) -> None:  # noqa: ARG002 - it fails before
            raise ZeroDivisionError

    def run_of(feed: Feed) -> Supervisor:
        supervisor = Supervisor(
            [feed], {}, settings=SupervisorSettings(), on_state=lambda *_: None, wall_us=lambda: 0, random=Random(1)
        )
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        LiveRun(supervisor, None, Pipeline(CATALOGUE, MarketCalendar()), [], Gauges()).run(stop)
        return supervisor

    (tmp_path / "q.ndjson").write_text(quotes(1))
    with pytest.raises(ZeroDivisionError):
        run_of(Feed("q", "file", lambda: Wrong(tmp_path / "q.ndjson", "treasury")))
    supervisor = run_of(Feed("q", "file", lambda: FileSource(tmp_path / "gone.ndjson", "treasury")))
    assert supervisor.statuses() == {"q": SourceState.BACKING_OFF}
    supervisor.stop(time.monotonic() + 2)


def test_after_a_restart_the_clock_is_not_behind_what_was_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing would come for a while, partitions would be released as idle, and events be too late."""
    monkeypatch.setattr(journal_module, "COMMIT_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(live_module, "ADVANCE_EVERY_SECONDS", 0.0)
    story = a_crunch(15, past_sessions=0)
    clock = StoryClock(story.start_us, story.end_us, 1, fast(0.2))
    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=story.first_tick)
    clocks: list[tuple[int, int]] = []

    class Watched(Journal):
        def commit(self, clock_us: int | None) -> bool:
            taken_us = [each.arrived_us for each in pipeline._store.partitions.values() if each.arrived_us]
            clocks.append((clock_us or 0, max(taken_us)))
            return super().commit(clock_us)

    journal = Watched(tmp_path, pipeline, MarketCalendar(), identity="", wall=time.monotonic)
    journal.open()
    feed = Feed(story.name, story.kind, lambda: story.make(clock))
    with running([feed], clock, pipeline, journal) as run:
        run.wait_until(lambda: run.collected.until >= story.end_us // SECOND)
    journal.close()
    assert len(clocks) > 2
    assert all(clock_us >= taken_us for clock_us, taken_us in clocks)
    assert clocks == sorted(clocks)


class Flood(Source):
    """A feed that always has more: a quote a second of event time, as often as it is asked."""

    def __init__(self) -> None:
        self.name = "flood"
        self._next = 0

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Nothing to connect."""

    def poll(self, max_records: int) -> RawBatch:
        offsets = range(self._next, self._next + min(50, max_records))
        self._next = offsets.stop
        quotes = [
            b'{"ts":%d,"instrument":"UST-10Y","bid":99.5,"ask":99.515625,"tenor_years":10,"on_the_run":true}'
            % ((FLOOD_BEGINS + n) * SECOND)
            for n in offsets
        ]
        return RawBatch("flood", "treasury", "flood", offsets, quotes)

    @property
    def exhausted(self) -> bool:
        return False

    def lag(self) -> int | None:
        return None

    def progress(self) -> tuple[int, int | None]:
        return self._next, None

    def close(self, timeout_seconds: float) -> None:
        """Nothing is held."""


FLOOD_BEGINS = MarketCalendar.at_new_york(date(2026, 5, 11), datetime_time(9))


def test_a_live_feed_that_never_lets_up_does_not_stop_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor that reads and reads, and says nothing new, would show an old calm."""
    monkeypatch.setattr(live_module, "_RECORDS_A_TURN", 200)
    with running([Feed("flood", "file", Flood)], None, Pipeline(CATALOGUE, MarketCalendar())) as run:
        run.wait_until(lambda: run.collected.until > FLOOD_BEGINS + 60)
        assert run.live.not_ready_because() == "the sources bring more than could be taken in so far"
    assert run.collected.transitions == []
    assert not run.collected.steps.filter(pl.col("signal") == "treasury_spread_32nds").is_empty()
