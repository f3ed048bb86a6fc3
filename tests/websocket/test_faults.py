"""A feed that does everything wrong is survived: counted, reported, and signals are those of the same events."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from random import Random

import polars as pl
import pytest

from monitor import journal as journal_module
from monitor.calendar import MarketCalendar
from monitor.journal import Journal
from monitor.pipeline import Pipeline
from monitor.replay import replay
from monitor.results import Transition
from monitor.signals import CATALOGUE
from monitor.sources.file import FileSource
from monitor.sources.supervisor import Feed
from monitor.sources.websocket import Link, Numbers, WebSocketSource
from monitor.sources.websocket import numbers as numbers_module
from tests.test_live import Collected, Silent
from tests.websocket.faulty import (
    BREAKING,
    FAULTS,
    GARBAGE_PAYLOADS,
    MAX_FRAME_BYTES,
    Event,
    FaultyFeed,
    events_of,
    frames_of,
    swap_some,
)
from tests.websocket.live import Run, Told, running
from tests.websocket.server import FeedServer, serving

NAME = "desk"
ROUNDS = 2


def replayed(events: list[Event], tmp_path: Path) -> Collected:
    """What the same events say that stand in a file."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(each.payload + b"\n" for each in events))
    whole = Collected()
    replay([FileSource(str(path), None)], Pipeline(CATALOGUE, MarketCalendar()), [whole], Silent())
    return whole


def feed_of(server: FeedServer) -> Feed:
    numbers = Numbers(NAME, "seq")
    link = Link(server.url, max_frame_bytes=MAX_FRAME_BYTES)
    return Feed(
        NAME, "websocket", lambda: WebSocketSource(NAME, None, link, numbers=numbers), silence_seconds=2.0
    )  # fmt: skip


def assert_same(run: Run, whole: Collected) -> None:
    until = whole.until
    assert run.told.events == whole.events
    assert run.told.doubles == whole.doubles
    assert run.told.steps.filter(pl.col("tick") <= until).equals(whole.steps)
    assert [each for each in run.told.transitions if each.tick <= until] == whole.transitions
    assert len(whole.transitions) > 10


@pytest.mark.parametrize("sends_again", [True, False], ids=["sends-again", "does-not"])
def test_after_all_faults_signals_are_those_of_the_events_that_came(
    sends_again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers_module, "GRACE_SECONDS", 0.5)
    events = events_of(3)
    frames = frames_of(events, Random(1))
    swap_some(frames, Random(2))
    faults = [fault for _ in range(ROUNDS) for fault in FAULTS]
    Random(4).shuffle(faults)
    every = len(frames) // (len(faults) + 1)
    feed = FaultyFeed(frames, {(at + 1) * every: fault for at, fault in enumerate(faults)}, sends_again)
    with serving(feed.serve) as server, running(feed_of(server), Pipeline(CATALOGUE, MarketCalendar())) as run:
        counts = run.counts.setdefault(NAME, Counter())
        run.wait_until(lambda: run.told.events + len(feed.lost) == len(events) and not feed.faults)
        run.wait_until(lambda: counts["missing"] == len(feed.lost))
        # Before the feed, which has nothing more to say, counts as silent.
        counted, again, connections = Counter(counts), feed.again, len(server.connections)
        kept = [each for each in events if each.number not in feed.lost]
        whole = replayed(kept, tmp_path)
        run.runs_away.set()
        run.wait_until(lambda: run.told.until >= whole.until)
    assert_same(run, whole)
    assert counted["out_of_order"] == feed.late > 10
    assert counted["repeated"] == again > 0
    # On a busy machine a feed may be silent for once too often, and is connected again.
    assert counted["connections"] == connections >= len(BREAKING) * ROUNDS + 1
    assert run.told.rejected == feed.garbage == GARBAGE_PAYLOADS * ROUNDS
    assert bool(feed.lost) != sends_again
    assert {"up", "silent", "backing_off"} <= set(run.states)


class Killed(Journal):
    """A journal whose process is killed at some moment: what comes after it is not written."""

    is_dead = False
    kept: int | None = None
    """The first position that was never seen when the state was kept."""

    def commit(self, clock_us: int | None) -> bool:
        if self.is_dead or not super().commit(clock_us):
            return False
        self.kept = self._pipeline.next_positions.get(NAME)
        return True


@pytest.mark.parametrize("sends_again", [True, False], ids=["sends-again", "does-not"])
@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "stopped"])
def test_after_a_restart_the_numbering_goes_on_and_nothing_new_is_taken_for_old(
    is_killed: bool, sends_again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMMIT_EVERY_SECONDS", 0.0)
    events = events_of(5)
    feed = FaultyFeed(frames_of(events, Random(1)), sends_again=sends_again)
    whole = replayed(events, tmp_path)
    told: list[Told] = []
    with serving(feed.serve) as server:
        for part in (1, 2):
            feed.until = len(feed.frames) * part // 2
            pipeline = Pipeline(CATALOGUE, MarketCalendar())
            journal = Killed(tmp_path / "state", pipeline, MarketCalendar(), identity="", wall=time.monotonic)
            assert journal.open() == bool(told)
            first = pipeline.next_positions.get(NAME, 0)
            assert (first > 0) == bool(told)
            with running(feed_of(server), pipeline, journal) as run:
                if part == 1:
                    enough = sum(map(len, feed.frames[: feed.until]))
                    run.wait_until(lambda run=run, enough=enough: run.told.events == enough)  # type: ignore[misc]
                    # What is open then was sent in the last seconds of event time.
                    run.wait_until(lambda p=pipeline, j=journal: j.kept == p.next_positions[NAME])  # type: ignore[misc]
                else:
                    run.wait_until(lambda run=run: feed.next == feed.until and run.told.events == feed.sent)  # type: ignore[misc]
                    assert pipeline.next_positions[NAME] > first
                    run.runs_away.set()
                    run.wait_until(lambda run=run: run.told.until >= whole.until)  # type: ignore[misc]
                journal.is_dead = is_killed
            journal.close()
            if told:
                run.told.outputs.pop(0)  # what stood
            told.append(run.told)
    if sends_again:
        # What was open comes again; of what was sealed, quotes and trades are too late to count twice.
        found: list[Transition] = []
        for row in [row for each in told for row in each.transitions]:
            found += [] if row in found else [row]  # what was told after the last commit is told again
        assert found == whole.transitions
