"""A run that goes on is not ready before it is where the earlier process was."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitor.calendar import MarketCalendar
from monitor.journal import Journal
from monitor.pipeline import Pipeline
from monitor.results import rfc3339
from monitor.signals import CATALOGUE
from monitor.sources.clock import StoryClock
from monitor.sources.supervisor import Feed
from monitor.stories import history_story
from monitor.told import NAME, NOTHING_MORE_SECONDS, ToldBefore, ToldMark
from tests.test_live import Running, running

NOON = 1_568_721_600


def test_what_was_noted_is_read_again(tmp_path: Path) -> None:
    mark = ToldMark(tmp_path)
    assert mark.read() is None
    for tick in (NOON, NOON + 7):
        mark.write(tick)
        assert ToldMark(tmp_path).read() == tick
    mark.close()
    assert (tmp_path / NAME).stat().st_size == 8
    mark.remove()
    assert ToldMark(tmp_path).read() is None


@pytest.mark.parametrize("found", [b"", b"1234567", b"123456789"])
def test_a_mark_of_another_length_is_none(tmp_path: Path, found: bytes) -> None:
    (tmp_path / NAME).write_bytes(found)
    assert ToldMark(tmp_path).read() is None


def test_a_mark_that_cannot_be_written_is_said_once_and_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    mark = ToldMark(folder)
    with capture_logs() as said:
        mark.write(NOON)
        mark.write(NOON + 1)
    assert len(said) == 1
    assert "may say that it is ready too early" in said[0]["event"]
    folder.mkdir()
    mark.write(NOON + 2)
    assert mark.read() == NOON + 2
    mark.close()


class TestBefore:
    def test_nothing_was_told(self) -> None:
        assert ToldBefore(None).ahead_of(None, is_all_in=False, now=0.0) is None

    def test_a_story_gets_there(self) -> None:
        before = ToldBefore(NOON)
        expected = "going over what was told before, up to 2019-09-17T12:00:00Z"
        for ran in (None, NOON - 3_600, NOON - 1):
            assert before.ahead_of(ran, is_all_in=False, now=1e6) == expected
        assert before.ahead_of(NOON, is_all_in=False, now=1e6) is None
        assert before.until is None
        assert before.ahead_of(NOON - 1, is_all_in=False, now=1e6) is None, "once there, it is there"

    def test_what_a_live_source_does_not_bring_again_is_not_waited_for(self) -> None:
        before = ToldBefore(NOON)
        assert before.ahead_of(NOON - 2, is_all_in=True, now=0.0)
        assert before.ahead_of(NOON - 2, is_all_in=False, now=NOTHING_MORE_SECONDS), "it has more after all"
        begin = NOTHING_MORE_SECONDS + 1
        assert before.ahead_of(NOON - 2, is_all_in=True, now=begin)
        assert before.ahead_of(NOON - 2, is_all_in=True, now=begin + NOTHING_MORE_SECONDS - 0.1)
        assert before.ahead_of(NOON - 2, is_all_in=True, now=begin + NOTHING_MORE_SECONDS) is None


@contextmanager
def going_on(folder: Path) -> Iterator[tuple[Journal, Running]]:
    """A run of September 2019 on a state."""
    story = history_story("repo-2018-2025", date(2019, 9, 10), date(2019, 9, 24))
    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=story.first_tick)
    journal = Journal(folder, pipeline, MarketCalendar(), identity="", wall=time.monotonic)
    journal.open()
    clock = StoryClock(journal.clock_us or story.start_us, story.end_us, 2 * 86_400, time.monotonic)
    with running([Feed(story.name, story.kind, lambda: story.make(clock))], clock, pipeline, journal) as run:
        yield journal, run
    journal.close()


def test_a_run_that_was_killed_between_two_commits_is_ready_when_it_is_there_again(tmp_path: Path) -> None:
    with going_on(tmp_path) as (journal, run):
        assert journal.told is None
        run.wait_until(lambda: bool(run.collected.outputs))
    until = run.collected.until
    assert ToldMark(tmp_path).read() == until

    told = until + 3 * 86_400  # as a kill leaves it: more was told than is in the state
    ToldMark(tmp_path).write(told)
    seen: set[str | None] = set()

    def is_ready() -> bool:
        reason = run.live.not_ready_because()
        seen.add(reason)
        return reason is None

    with going_on(tmp_path) as (journal, run):
        assert journal.told == told
        run.wait_until(is_ready)
        assert run.collected.until >= told
        assert ToldMark(tmp_path).read() == run.collected.until
    assert f"going over what was told before, up to {rfc3339(told)}" in seen
