"""Feeds hand over everything once, in order, in chunks that stay small."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.produce.events import Event
from monitor.produce.feeds import FULL, Feed, FilesFeed, StoryFeed
from monitor.sources.base import SourceError
from monitor.sources.file import FileSource
from monitor.sources.scenario import SCENARIOS
from monitor.stories import history_story, scenario_story
from tests.produce.made import as_told, by_stream, small_story

T0 = 1_700_000_000_000_000


def all_of(feed: Feed) -> list[list[Event]]:
    feed.open()
    chunks = []
    while (chunk := feed.take()) is not None:
        chunks.append(chunk)
    feed.close()
    return chunks


STORIES = {
    "scenario": small_story(),
    "repo-2018-2025": history_story("repo-2018-2025", date(2019, 9, 3), date(2019, 9, 20)),
}


@pytest.mark.parametrize("name", STORIES)
def test_all_of_a_story_at_once_in_small_chunks(name: str) -> None:
    story = STORIES[name]
    chunks = all_of(StoryFeed(story, at_once=True))
    assert by_stream([event for chunk in chunks for event in chunk]) == as_told(story.all_at_once())
    assert max(map(len, chunks)) < 3 * FULL
    assert all(chunks)


def test_a_story_of_thousands_is_cut() -> None:
    assert len(all_of(StoryFeed(small_story(), at_once=True))) > 1


def test_events_are_in_the_order_of_arrival_over_all_streams() -> None:
    # An event arrives at most 1.5 s after its time; so times run back by no more than that.
    chunks = all_of(StoryFeed(STORIES["scenario"], at_once=True))
    newest = 0
    for event in (event for chunk in chunks for event in chunk):
        ts = json.loads(event.payload)["ts"]
        newest = max(newest, ts)
        assert ts > newest - 2_000_000


def test_a_story_that_is_played_goes_by_the_wall_after_its_past() -> None:
    story = small_story(speed=60.0)
    wall = [1_000.0]
    feed = StoryFeed(story, at_once=False, wall=lambda: wall[0])
    feed.open()
    past: list[Event] = []
    while chunk := feed.take():
        past += chunk
    assert all(json.loads(event.payload)["ts"] < story.start_us for event in past)
    assert feed.take() == []
    assert feed.pause_seconds > 0
    wall[0] += 2.0  # two minutes of the story
    told: list[Event] = []
    while chunk := feed.take():
        told += chunk
    times = [json.loads(event.payload)["ts"] for event in told]
    assert max(times) < story.start_us + 120_000_000
    assert max(times) > story.start_us + 110_000_000
    wall[0] += 1e6
    while (chunk := feed.take()) is not None:
        told += chunk
    assert Counter(event.stream for event in past + told) == {
        stream: len(payloads) for stream, payloads in as_told(story.all_at_once()).items()
    }


def test_every_scenario_can_be_fed() -> None:
    for name in SCENARIOS:
        feed = StoryFeed(scenario_story(name), at_once=True)
        feed.open()
        assert feed.take()


def test_the_beginning_of_a_story_is_known_at_once() -> None:
    story = small_story()
    assert StoryFeed(story, at_once=True).start_us == story.start_us


def line(stream: str, number: int, seconds: int | None) -> bytes:
    ts = "null" if seconds is None else str(T0 + seconds * 1_000_000)
    return f'{{"ts":{ts},"of":"{stream}","n":{number}}}'.encode()


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["repo", "reference", "cds"]),
        st.lists(st.none() | st.integers(min_value=0, max_value=30), max_size=12),
        min_size=1,
    ),
    st.integers(min_value=1, max_value=7),
)
def test_files_are_merged_by_time_and_keep_their_own_order(files: dict[str, list[int | None]], most: int) -> None:
    with TemporaryDirectory() as folder:
        sources, lines = [], {}
        for stream, seconds in files.items():
            lines[stream] = [line(stream, number, each) for number, each in enumerate(seconds)]
            path = Path(folder) / f"{stream}.ndjson"
            path.write_bytes(b"".join(each + b"\n" for each in lines[stream]))
            sources.append(FileSource(str(path), stream))
        chunks = all_of(FilesFeed(sources, most))
    assert all(len(chunk) <= most for chunk in chunks)
    events = [event for chunk in chunks for event in chunk]
    assert by_stream(events) == {stream: each for stream, each in lines.items() if each}
    # Each is due when the latest so far of its own file is; nothing comes before what is due earlier.
    reached: dict[str, int] = {}
    due = []
    for event in events:
        ts = json.loads(event.payload)["ts"] or 0
        reached[event.stream] = max(reached.get(event.stream, 0), ts)
        due.append(reached[event.stream])
    assert due == sorted(due)


def test_the_beginning_of_files_is_their_first_time(tmp_path: Path) -> None:
    (tmp_path / "repo.ndjson").write_bytes(b"nonsense\n" + line("repo", 0, 5) + b"\n" + line("repo", 1, 9) + b"\n")
    feed = FilesFeed([FileSource(str(tmp_path / "repo.ndjson"), "repo")])
    feed.open()
    assert feed.start_us is None
    assert len(feed.take() or []) == 3
    assert feed.start_us == T0 + 5_000_000
    feed.close()


def test_what_comes_slowly_is_handed_over_when_it_comes() -> None:
    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.parts = [line("repo", 0, 1) + b"\n", line("repo", 1, 2) + b"\n"]

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            view = memoryview(buffer)  # type: ignore[arg-type]
            part = self.parts.pop(0) if self.parts else b""
            view[: len(part)] = part
            return len(part)

    feed = FilesFeed([FileSource("-", "repo", stdin=Slow())])
    chunks = all_of(feed)
    assert [event.payload for chunk in chunks for event in chunk] == [line("repo", 0, 1), line("repo", 1, 2)]


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.ndjson"):
        FilesFeed([FileSource(str(tmp_path / "gone.ndjson"), "repo")]).open()
