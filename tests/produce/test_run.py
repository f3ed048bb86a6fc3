"""From a feed to a target: nothing lost, at a pace, moved in time, stopped; and the command with files."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.kafka import publisher
from monitor.produce.events import Event
from monitor.produce.feeds import Feed, event_time_us
from monitor.produce.run import produce
from monitor.produce.target import Target
from monitor.stories import history_story
from tests.produce.made import as_told

T0 = 1_700_000_000_000_000


class Chunks(Feed):
    def __init__(self, *chunks: list[Event], pause_seconds: float = 0.0) -> None:
        self.chunks = list(chunks)
        self.pause_seconds = pause_seconds
        self.start_us = T0
        self.closed = False

    def open(self) -> None:
        pass

    def take(self) -> list[Event] | None:
        return self.chunks.pop(0) if self.chunks else None

    def progress(self) -> tuple[int, int | None]:
        return 0, None

    def close(self) -> None:
        self.closed = True


class Kept(Target):
    def __init__(self, stop_after: int = 1 << 60, stop: threading.Event | None = None) -> None:
        self.events: list[Event] = []
        self.at: list[float] = []
        self.flushed = 0
        self._stop_after, self._stop = stop_after, stop

    def send(self, events: Sequence[Event]) -> None:
        self.events += events
        self.at += [time.monotonic()] * len(events)
        if self._stop and len(self.events) >= self._stop_after:
            self._stop.set()

    def flush(self) -> None:
        self.flushed = len(self.events)

    def close(self) -> None:
        pass


def made(count: int) -> list[Event]:
    return [Event("repo", b'{"ts":%d}' % (T0 + n)) for n in range(count)]


def test_all_goes_through_and_is_flushed() -> None:
    feed, target = Chunks(made(3), [], made(2)), Kept()
    done = produce(feed, target, threading.Event())
    assert target.events == made(3) + made(2)
    assert (done.events, done.total, done.was_stopped) == ({"repo": 5}, 5, False)
    assert target.flushed == 5
    assert feed.closed


def test_a_rate_is_kept() -> None:
    target = Kept()
    began = time.monotonic()
    produce(Chunks(made(70), made(30)), target, threading.Event(), rate=200)
    assert target.events == made(70) + made(30)
    for number, at in enumerate(target.at):
        assert number <= 200 * (at - began) + 2 * 20 + 20  # a slice, and what was held back for a tenth of a second
    assert target.at[-1] - began > 0.3


def test_a_stop_flushes_what_was_sent() -> None:
    stop = threading.Event()
    target = Kept(20, stop)
    done = produce(Chunks(made(50)), target, stop, rate=100)
    assert done.was_stopped
    assert 20 <= len(target.events) == target.flushed == done.total < 50


def test_a_stop_ends_a_pause() -> None:
    stop = threading.Event()
    target = Kept(1, stop)
    began = time.monotonic()
    produce(Chunks(made(1), made(1), pause_seconds=60), target, stop)
    assert time.monotonic() - began < 5
    assert target.flushed == 1


def test_the_beginning_becomes_now() -> None:
    target = Kept()
    produce(Chunks(made(2)), target, threading.Event(), now_us=lambda: T0 + 10)
    assert [json.loads(event.payload)["ts"] for event in target.events] == [T0 + 10, T0 + 11]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "monitor", "produce", *words]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """Runs the command in this process, in a new folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(publisher, "CONNECT_SECONDS", 0.3)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    last_resort = logging.lastResort
    yield lambda *words: CliRunner().invoke(app, ["produce", *words])
    logging.lastResort = last_resort
    for number, handler in handlers.items():
        signal.signal(number, handler)


HISTORY = ("--history", "repo-2018-2025", "--from", "2018-06-04", "--until", "2018-06-06")


def test_the_command_writes_a_story_that_begins_now(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run(*HISTORY, "--at-once", "--now", "--to", "feed")
    assert done.exit_code == 0, done.stderr
    written = {path.stem: path.read_bytes().splitlines() for path in (tmp_path / "feed").iterdir()}
    source = history_story("repo-2018-2025", date(2018, 6, 4), date(2018, 6, 6)).all_at_once()
    assert {stream: len(lines) for stream, lines in written.items()} == {
        stream: len(payloads) for stream, payloads in as_told(source).items()
    }
    assert f"{sum(map(len, written.values()))} events to feed in " in done.stderr
    # The prints of the third day come out at eight in the morning; the first midnight is now.
    newest = max(json.loads(line)["ts"] for line in written["repo"])
    newest_us = event_time_us(json.dumps({"ts": newest}).encode()) or 0
    assert abs(newest_us / 1e6 - time.time() - 2 * 86_400 - 8 * 3_600) < 60


def test_the_command_is_stopped_by_a_signal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--scenario", "calm", "--to", "feed.ndjson", "--rate", "500"), cwd=tmp_path, stderr=subprocess.PIPE
    )
    path = tmp_path / "feed.ndjson"
    deadline = time.monotonic() + 40
    while (not path.exists() or not path.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert b"stopped before the end" in said
    assert all("stream" in json.loads(line) for line in path.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("repo=x.ndjson", "--scenario", "calm"), "name inputs, a --scenario or a --history, not several"),
        (("--scenario", "nix"), "no scenario is called 'nix'"),
        (("--until", "2020-01-01"), "--from and --until go with --history"),
        (("repo=x.ndjson", "--speed", "3"), "files go out as fast as it goes, or by --rate"),
        (("--speed", "3", "--at-once"), "--speed and --at-once exclude each other"),
        (("--rate", "0"), "--rate 0: a finite number above 0 is needed"),
        (("--to", "out", "--events-a-message", "3"), "--events-a-message is of Kafka, and --to out is none"),
        (("--to", "ws://127.0.0.1:0", "--events-a-message", "3"), "--events-a-message is of Kafka"),
        (("--to", "ws://127.0.0.1"), "--to ws://127.0.0.1: it is not of the form ws://HOST:PORT"),
        (("--to", "http://a"), "http://a does not begin with kafka://"),
        (("--to", "kafka://127.0.0.1:1"), "127.0.0.1:1: nothing listens there"),
        (("--to", "out.csv"), "out.csv cannot be written: only NDJSON is"),
        (("repo=gone.ndjson", "--to", "out"), "gone.ndjson"),
    ],
)
def test_a_bad_command_line_ends_with_2_and_a_sentence(
    run: Callable[..., Result], words: tuple[str, ...], said: str
) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
