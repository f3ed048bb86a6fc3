"""The durable state: what is refused with a sentence, and that a full disk neither stops it nor loses a thing."""

from __future__ import annotations

import resource
import shutil
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest
from structlog.testing import capture_logs

from monitor.calendar import MarketCalendar
from monitor.engine import barlog_file
from monitor.engine.barlog import BarLog, BarLogError
from monitor.journal import COMMIT_EVERY_SECONDS, EVENTS, TRANSITIONS, Journal, StateError
from monitor.pipeline import Pipeline
from monitor.results import Transition
from monitor.signals import CATALOGUE
from monitor.sinks.prometheus import PrometheusSink
from monitor.sources.base import RawBatch
from monitor.sources.scenario.story import STORY_START_US
from tests.restart.feed import END_US, events

CALENDAR = MarketCalendar()
FEED = events(5)
BATCHES = 12
"""The feed is taken in and committed in so many pieces."""


class Run:
    """A pipeline with its journal, fed by hand."""

    def __init__(self, folder: Path, identity: str = "a feed") -> None:
        self.pipeline = Pipeline(CATALOGUE, CALENDAR)
        self.seconds = 0.0
        self.told: list[bool] = []
        self.transitions: list[Transition] = []
        self.steps: list[pl.DataFrame] = []
        self.journal = Journal(
            folder, self.pipeline, CALENDAR, identity=identity, wall=lambda: self.seconds, on_write=self.told.append
        )
        self.goes_on = self.journal.open()

    def take_in(self, piece: int, *, commit: bool = True) -> None:
        """All events that arrive in a piece of the story, and the ticks that they make possible."""
        width_us = (END_US - STORY_START_US) // BATCHES + 1
        wanted = self.pipeline.positions
        for name, rows in FEED.items():
            some = [
                (offset, stream, raw)
                for offset, (at, stream, raw) in enumerate(rows)
                if (at - STORY_START_US) // width_us <= piece and offset >= wanted.get(name, 0)
            ]
            if some:
                offsets = [offset for offset, *_ in some]
                for what in self.pipeline.ingest(
                    RawBatch("test", some[0][1], name, offsets, [raw for *_, raw in some])
                ):
                    self.journal.ingested(what)
        if piece == BATCHES - 1:
            self.pipeline.finish()
        for output in self.pipeline.advance():
            self.steps.append(output.steps)
            self.transitions += output.transitions
            self.journal.wrote(output)
        if commit:
            self.journal.commit(piece)


def log_of(folder: Path) -> dict[str, pl.DataFrame]:
    """Everything in a log, in an order of its own."""
    log = BarLog(folder)
    recovered = log.open()
    log.close()
    assert recovered is not None
    return {name: frame.sort(pl.all()) for name, frame in (recovered.appends | recovered.states).items()}


def assert_equal_logs(one: Path, other: Path) -> None:
    left, right = log_of(one), log_of(other)
    assert left.keys() == right.keys()
    assert [name for name, frame in left.items() if not frame.equals(right[name])] == []


def play(folder: Path, begin: int = 0) -> Run:
    run = Run(folder)
    for piece in range(begin, BATCHES):
        run.take_in(piece)
    run.journal.close()
    return run


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("unbroken") / "state"
    run = play(folder)
    assert len(run.transitions) > 10
    return folder, run


def test_what_is_counted_is_counted_once_over_kills(tmp_path: Path, unbroken: tuple[Path, Run]) -> None:
    """What came after the last commit is read again, and its first counting is forgotten with the process."""
    for piece in range(BATCHES):
        for commit in (False, True):
            run = Run(tmp_path)
            run.take_in(piece, commit=commit)
            run.journal.close()
    _, whole = unbroken
    assert run.journal.counts == whole.journal.counts
    assert sum(run.journal.counts[stream, EVENTS, ""] for stream in ("repo", "reference")) > 0
    text = PrometheusSink([], "test")
    text.go_on(run.journal.counts)
    exported = text.registry.get_sample_value("monitor_events_total", {"stream": "repo"})
    assert exported == run.journal.counts["repo", EVENTS, ""]


def test_a_new_process_goes_on_where_the_old_one_stopped(tmp_path: Path, unbroken: tuple[Path, Run]) -> None:
    folder, whole = unbroken
    transitions: list[Transition] = []
    steps: list[pl.DataFrame] = []
    for piece in range(BATCHES):
        run = Run(tmp_path / "s")
        assert run.goes_on == (piece > 0)
        assert run.journal.clock_us == (piece - 1 if piece else None)
        run.take_in(piece)
        run.journal.close()
        transitions += run.transitions
        steps += run.steps
    assert transitions == whole.transitions
    assert pl.concat(steps).equals(pl.concat(whole.steps))
    assert_equal_logs(folder, tmp_path / "s")
    assert log_of(folder)[TRANSITIONS].height == len(transitions)


class TestRefused:
    def test_the_state_of_another_feed(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "the scenario calm with seed 1")
        run.take_in(0)
        run.journal.close()
        with pytest.raises(StateError) as refused:
            Run(tmp_path, "")
        assert str(refused.value) == (
            f"{tmp_path} holds the state of the scenario calm with seed 1, and this is a run on live sources or files: "
            "name another --state, or remove the folder"
        )
        assert Run(tmp_path, "the scenario calm with seed 1").goes_on, "it was let go of, and is as it was"

    def test_the_state_of_live_sources_for_a_story(self, tmp_path: Path) -> None:
        run = Run(tmp_path, "")
        run.take_in(0)
        run.journal.close()
        with pytest.raises(StateError, match="holds the state of live sources or files, and this is the history x"):
            Run(tmp_path, "the history x")

    def test_a_state_in_use(self, tmp_path: Path) -> None:
        run = Run(tmp_path)
        code = (
            "import sys, pathlib\nfrom monitor.engine.barlog import BarLog, BarLogError\n"
            "try: BarLog(pathlib.Path(sys.argv[1])).open()\nexcept BarLogError as error: print(error)\n"
        )
        said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert said.stdout.startswith(f"{tmp_path} is in use by another monitor: end that one")
        with pytest.raises(StateError, match="is in use by another monitor"):
            Run(tmp_path)
        run.journal.close()
        Run(tmp_path)

    def test_a_state_of_a_format_to_come(self, tmp_path: Path) -> None:
        run = Run(tmp_path)
        run.take_in(0)
        run.journal.close()
        [file] = tmp_path.glob("*.bars")
        begin = struct.pack("<8sI", barlog_file.MAGIC, barlog_file.VERSION + 1)
        file.write_bytes(begin + struct.pack("<I", zlib.crc32(begin)) + file.read_bytes()[16:])
        with pytest.raises(StateError, match=rf"version {barlog_file.VERSION + 1}, .* only {barlog_file.VERSION}"):
            Run(tmp_path)
        assert file.exists()

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StateError, match=r"file.*the log cannot be opened"):
            Run(tmp_path / "file" / "state")


class TestFullDisk:
    def test_the_monitor_goes_on_says_so_once_and_writes_all_later(
        self, tmp_path: Path, unbroken: tuple[Path, Run], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, whole = unbroken
        is_full = [False]
        commit = BarLog.commit

        def commit_if_room(
            self: BarLog, appends: Mapping[str, pl.DataFrame], states: Mapping[str, pl.DataFrame]
        ) -> None:
            if is_full[0]:
                raise BarLogError("no room")
            commit(self, appends, states)

        monkeypatch.setattr(BarLog, "commit", commit_if_room)
        run = Run(tmp_path / "s")
        with capture_logs() as said:
            for piece in range(8):
                is_full[0] = 2 <= piece < 6
                run.take_in(piece)
        assert run.told == [True, True, False, False, False, False, True, True]
        assert [line["event"] for line in said if "state" in line["event"]] == [
            "the state cannot be written; the monitor goes on, and tries again",
            "the state is written again",
        ]
        run.journal.close()
        again = play(tmp_path / "s", 8)
        assert run.transitions + again.transitions == whole.transitions
        assert_equal_logs(folder, tmp_path / "s")

    def test_a_kill_while_the_disk_is_full_loses_no_more_than_is_read_again(
        self, tmp_path: Path, unbroken: tuple[Path, Run], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, whole = unbroken
        run = Run(tmp_path / "s")
        run.take_in(0)
        run.take_in(1)
        committed = len(run.transitions)

        def no_room(*_: object) -> None:
            raise BarLogError("no room")

        with monkeypatch.context() as full:
            full.setattr(BarLog, "commit", no_room)
            run.take_in(2)
            run.take_in(3)
        run.journal.close()
        again = play(tmp_path / "s", 2)
        assert run.transitions[:committed] + again.transitions == whole.transitions
        assert_equal_logs(folder, tmp_path / "s")

    def test_files_may_not_get_longer(self, tmp_path: Path, unbroken: tuple[Path, Run]) -> None:
        """A real error of the system, in the middle of a file."""
        folder, whole = unbroken
        run = Run(tmp_path / "s")
        run.take_in(0)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, hard))  # Python ignores SIGXFSZ
        try:
            with capture_logs():  # the test's own output may go to a file too
                for piece in range(1, 4):
                    run.take_in(piece)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        for piece in range(4, BATCHES):
            run.take_in(piece)
        run.journal.close()
        assert run.told == [True, False, False, False] + [True] * (BATCHES - 4)
        assert run.transitions == whole.transitions
        assert_equal_logs(folder, tmp_path / "s")


def test_a_newest_file_that_was_cut_short_is_done_again(tmp_path: Path, unbroken: tuple[Path, Run]) -> None:
    folder, whole = unbroken
    run = Run(tmp_path / "s")
    for piece in range(5):
        run.take_in(piece)
    run.journal.close()
    newest = max((tmp_path / "s").glob("*.bars"))
    newest.write_bytes(newest.read_bytes()[:-40])
    before = log_of_copy(tmp_path)
    again = play(tmp_path / "s", 4)
    kept = [each for each in run.transitions if each.tick <= before["facts"]["ran"][0]]
    assert kept + again.transitions == whole.transitions
    assert_equal_logs(folder, tmp_path / "s")


def log_of_copy(folder: Path) -> dict[str, pl.DataFrame]:
    shutil.copytree(folder / "s", folder / "copy")
    return log_of(folder / "copy")


class TestWhatIsWritten:
    def test_nothing_when_nothing_changed(self, tmp_path: Path) -> None:
        run = Run(tmp_path)
        run.take_in(0)
        files = sorted(tmp_path.iterdir())
        told = len(run.told)
        for _ in range(3):
            run.journal.commit(0)
        assert sorted(tmp_path.iterdir()) == files
        assert len(run.told) == told
        run.journal.commit(1)
        assert len(sorted(tmp_path.iterdir())) == len(files) + 1, "the story's clock went on"
        assert run.journal.clock_us == 1

    def test_not_more_often_than_once_a_second(self, tmp_path: Path) -> None:
        run = Run(tmp_path)
        run.take_in(0, commit=False)
        for seconds, commits in ((0.0, 0), (COMMIT_EVERY_SECONDS - 0.01, 0), (COMMIT_EVERY_SECONDS, 1)):
            run.seconds = seconds
            run.journal.commit_if_due(None)
            assert len(run.told) == commits
        run.take_in(1, commit=False)
        run.journal.commit_if_due(None)
        assert len(run.told) == 1

    def test_nothing_is_left_after_discard(self, tmp_path: Path) -> None:
        run = Run(tmp_path)
        run.take_in(0)
        run.journal.discard()
        run.journal.close()
        assert not list(tmp_path.glob("*.bars"))
        assert not Run(tmp_path).goes_on

    def test_a_state_that_cannot_be_discarded_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run = Run(tmp_path)

        def fail(_: BarLog) -> None:
            raise BarLogError("read-only")

        monkeypatch.setattr(BarLog, "discard", fail)
        with capture_logs() as said:
            run.journal.discard()
        assert [(line["event"], line["error"]) for line in said] == [("the state could not be removed", "read-only")]


def test_a_commit_is_quick(tmp_path: Path) -> None:
    """It holds up the ticks: a few milliseconds on a quiet machine; here only that it is no matter of seconds."""
    run = Run(tmp_path)
    run.take_in(0, commit=False)
    started = time.monotonic()
    run.journal.commit(0)
    assert time.monotonic() - started < 2
