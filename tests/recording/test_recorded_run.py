"""The alerts that were raised live are raised again by a replay of what was recorded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

import pytest

from monitor import replay as replay_module
from monitor.calendar import MarketCalendar
from monitor.pipeline import Pipeline
from monitor.recording.run import Recorded, record
from monitor.recording.writer import RecordingWriter
from monitor.replay import Summary, replay
from monitor.results import Transition
from monitor.signals import CATALOGUE
from monitor.sources.base import RawBatch, Source
from monitor.sources.clock import StoryClock
from monitor.sources.recording import RecordingSource, recorded_feeds
from monitor.sources.scenario.story import STORY_START_US
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
from tests.restart.feed import END_US, SECOND, SmallFeed
from tests.test_live import Collected, Silent, running

SEED = 21
BEGIN = STORY_START_US // SECOND
PARTS = {"one": ("quotes/a", "repo"), "two": ("quotes/b", "cds", "reference")}
"""Two feeds, of which one has no prints and the other no quotes for long."""


class Together:
    """A clock that moves on once every feed has looked at what is due: on a busy machine none of them is starved."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._lock = threading.Lock()
        self._wait_for = set(PARTS)

    def __call__(self) -> float:
        return self._seconds

    def looked(self, name: str) -> None:
        with self._lock:
            self._wait_for.discard(name)
            if not self._wait_for:
                self._seconds += 1.0
                self._wait_for = set(PARTS)


class Part(SmallFeed):
    """Some partitions of the small feed, with an event that is ahead of its arrival, and would seal a minute."""

    def __init__(self, name: str, clock: StoryClock, looked: Callable[[str], None] | None = None) -> None:
        super().__init__(SEED, clock)
        self.name = name
        self._looked = looked
        self._events = {each: self._events[each] for each in PARTS[name]}
        if name == "one":
            at, stream, _ = self._events["repo"][-400]
            ahead = b'{"ts":%d,"instrument":"GC-ON","rate":24,"volume":90}' % (at + 60 * SECOND)
            self._events["repo"].insert(-400, (at, stream, ahead))
        self._arrivals = {each: [at for at, *_ in rows] for each, rows in self._events.items()}
        self._next = dict.fromkeys(self._events, 0)

    def poll(self, max_records: int) -> RawBatch | None:
        batch = super().poll(max_records)
        if batch is None and self._looked is not None:
            self._looked(self.name)
        return batch

    @property
    def exhausted(self) -> bool:
        return super().exhausted and (self._looked is None or self._clock.has_ended)


def feeds(clock: StoryClock, looked: Callable[[str], None] | None = None) -> list[Feed]:
    return [Feed(name, "scenario", partial(Part, name, clock, looked)) for name in PARTS]


def recorded(folder: Path, sync_seconds: float = 0.001) -> Recorded:
    over = StoryClock(END_US, END_US, 1.0, lambda: 0.0)
    supervisor = Supervisor(
        feeds(over), {}, settings=SupervisorSettings(idle_seconds=0.001, records_a_poll=50, queued_records=100),
        on_state=lambda *_: None, wall_us=lambda: 0, random=Random(1),
    )  # fmt: skip
    ticks = iter(range(1 << 40))
    writer = RecordingWriter(folder, dict.fromkeys(PARTS, "scenario"), lambda: next(ticks), block_bytes=20_000)
    return record(supervisor, dict.fromkeys(PARTS, "scenario"), writer, threading.Event(), sync_seconds=sync_seconds)


def replayed(sources: Sequence[Source]) -> tuple[Summary, Collected]:
    collected = Collected()
    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=BEGIN)
    return replay(sources, pipeline, [collected], Silent(), is_recording=True), collected


def test_a_replay_of_what_was_recorded_raises_what_was_raised_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Together()
    clock = StoryClock(STORY_START_US, END_US, 1.0, together)
    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=BEGIN)
    with running(feeds(clock, together.looked), clock, pipeline) as live:
        live.wait_until(lambda: live.collected.until >= END_US // SECOND - 1)
    assert recorded(tmp_path).events > 5_000
    monkeypatch.setattr(replay_module, "RECORDS_AT_ONCE", 500)
    summary, again = replayed([RecordingSource(tmp_path, name) for name in recorded_feeds(tmp_path)])
    assert summary.rejects["repo"]["ahead_of_arrival"] == 1
    assert {each.segment for each in again.transitions} >= {"treasury", "repo"}, "little happened"
    # Live, time goes on to the story's end, when nothing comes any more.
    assert in_order(again) == [each for each in in_order(live.collected) if each.tick <= again.until]


def in_order(collected: Collected) -> list[Transition]:
    return sorted(collected.transitions, key=lambda each: (each.tick, each.signal, str(each.labels), each.after))


def test_a_recorded_partition_that_falls_silent_holds_ticks_back_for_a_while_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else a feed that spoke once in the morning would keep all of the day in memory."""
    now_us = STORY_START_US
    writer = RecordingWriter(tmp_path, {"desk": "websocket"}, lambda: now_us)
    for second in range(200):
        now_us = STORY_START_US + second * SECOND
        trade = b'{"ts":%d,"instrument":"GC-ON","rate":5.3,"volume":2}' % now_us
        for partition in ("silent", "busy") if second < 5 else ("busy",):
            writer.add(RawBatch("desk", "repo", partition, [second], [trade], [now_us]), "websocket")
        writer.sync()
    writer.close()
    monkeypatch.setattr(replay_module, "RECORDS_AT_ONCE", 10)
    collected = Collected()
    reached: list[int] = []
    replay(
        [RecordingSource(tmp_path, "desk")],
        Pipeline(CATALOGUE, MarketCalendar(), begin=BEGIN),
        [collected],
        Silent(),
        after_each=lambda: reached.append(collected.until - BEGIN),
        is_recording=True,
    )
    waiting, then = reached[:6], reached[10:-1]
    assert max(waiting) < 10
    assert min(then) > 80
    assert reached[-1] >= 199
