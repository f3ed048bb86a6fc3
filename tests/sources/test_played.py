"""Stories: events come in the order of their times, when the clock has come to them, and not before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.history import HISTORIES
from monitor.sources.base import SourceError
from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.inputs import parse_inputs
from monitor.sources.played import PlayedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from monitor.sources.base import RawBatch

    Drain = Callable[..., list[RawBatch]]

START_US = 1_700_000_000_000_000
NOON = "2019-09-17T12:00:00Z"


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def event(seconds: float, name: str = "") -> dict[str, Any]:
    return {"ts": START_US + round(seconds * 1_000_000), "name": name}


def file_of(folder: Path, stream: str, events: Sequence[dict[str, Any]]) -> FileSource:
    folder.mkdir(exist_ok=True)
    path = folder / f"{stream}.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in events))
    return FileSource(str(path), stream)


def story(
    files: Sequence[FileSource], wall: Wall, *, start: float = 0, end: float = 100, speed: float = 1
) -> tuple[PlayedSource, StoryClock]:
    clock = StoryClock(START_US + round(start * 1_000_000), START_US + round(end * 1_000_000), speed, wall)
    return PlayedSource("story", files, clock), clock


def names(batches: Sequence[RawBatch]) -> list[str]:
    return [json.loads(payload)["name"] for batch in batches for payload in batch.payloads]


def take_all(source: PlayedSource, size: int = 1_000) -> list[RawBatch]:
    """Everything that is due."""
    batches = []
    while (batch := source.poll(size)) is not None:
        batches.append(batch)
    return batches


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_order_of_event_time_across_files_and_at_ties_the_order_of_files_and_lines(tmp_path: Path, wall: Wall) -> None:
    repo = file_of(tmp_path, "repo", [event(1, "r1"), event(2, "r2"), event(2, "r3"), event(4, "r4")])
    reference = file_of(tmp_path, "reference", [event(0, "p1"), event(2, "p2"), event(2, "p3"), event(3, "p4")])
    source, _ = story([repo, reference], wall, start=100)
    source.open()
    batches = take_all(source)
    assert names(batches) == ["p1", "r1", "r2", "r3", "p2", "p3", "p4", "r4"]
    assert [(batch.source, batch.stream, batch.partition, list(batch.offsets)) for batch in batches] == [
        ("story", "reference", reference.partition, [1]),
        ("story", "repo", repo.partition, [1, 2, 3]),
        ("story", "reference", reference.partition, [2, 3, 4]),
        ("story", "repo", repo.partition, [4]),
    ]
    source.close(1)


def test_a_line_earlier_than_one_before_it_waits_for_that_one(tmp_path: Path, wall: Wall) -> None:
    repo = file_of(tmp_path, "repo", [event(5, "r1"), event(1, "r2"), event(6, "r3")])
    reference = file_of(tmp_path, "reference", [event(2, "p1"), event(5, "p2")])
    source, clock = story([repo, reference], wall)
    source.open()
    clock.begin()
    wall.seconds = 4
    assert names(take_all(source)) == ["p1"]
    wall.seconds = 10
    batches = take_all(source)
    assert names(batches) == ["r1", "r2", "p2", "r3"]
    offsets = [offset for batch in batches if batch.stream == "repo" for offset in batch.offsets]
    assert offsets == sorted(offsets)
    source.close(1)


def test_the_past_is_there_before_the_clock_begins_and_the_rest_when_its_time_comes(tmp_path: Path, wall: Wall) -> None:
    events = [event(-50, "past"), event(0, "start"), event(0.000001, "first"), event(7, "later"), event(10, "last")]
    source, clock = story([file_of(tmp_path, "repo", events)], wall, end=10, speed=2)
    source.open()
    assert source.lag() == 2
    assert names(take_all(source)) == ["past", "start"]
    assert (source.lag(), source.progress(), source.exhausted) == (0, (2, 5), False)
    wall.seconds += 1_000
    assert source.poll(10) is None, "the clock has not begun"
    clock.begin()
    assert source.poll(10) is None
    wall.seconds += 1
    assert names(take_all(source)) == ["first"]
    wall.seconds += 2.499999
    assert source.poll(10) is None, "a microsecond before its time"
    wall.seconds += 0.0000011
    assert names(take_all(source)) == ["later"]
    assert not source.exhausted
    wall.seconds += 1.5
    assert source.lag() == 1
    assert names(take_all(source)) == ["last"]
    assert (source.exhausted, source.lag(), source.progress()) == (True, 0, (5, 5))
    source.close(1)


def test_what_is_after_the_end_is_left_out(tmp_path: Path, wall: Wall) -> None:
    events = [event(1, "in"), event(10, "at the end"), event(10.000001, "after")]
    source, clock = story([file_of(tmp_path, "repo", events)], wall, end=10)
    source.open()
    clock.begin()
    wall.seconds = 1e6
    assert names(take_all(source)) == ["in", "at the end"]
    assert source.exhausted
    source.close(1)


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.lists(st.integers(-5, 30), max_size=12), min_size=1, max_size=3),
    steps=st.lists(st.integers(0, 9), max_size=12),
    size=st.integers(1, 5),
)
def test_nothing_is_lost_doubled_early_or_out_of_order(
    tmp_path_factory: pytest.TempPathFactory, seconds: list[list[int]], steps: list[int], size: int
) -> None:
    folder = tmp_path_factory.mktemp("story")
    files = [
        file_of(folder / str(number), "repo", [event(second) for second in each]) for number, each in enumerate(seconds)
    ]
    wall = Wall()
    source, clock = story(files, wall, end=20)
    source.open()
    read: dict[str, list[int]] = {file.partition: [] for file in files}
    is_begun = False
    for step in [0, *steps, 1_000]:
        wall.seconds += step
        for batch in take_all(source, size):
            assert 1 <= len(batch) <= size
            for offset, payload in zip(batch.offsets, batch.payloads, strict=True):
                assert json.loads(payload)["ts"] <= clock.now_us()
                read[batch.partition].append(offset)
        if not is_begun:
            clock.begin()
            is_begun = True
    assert source.exhausted
    for file, each in zip(files, seconds, strict=True):
        expected = next((number for number, second in enumerate(each) if second > 20), len(each))
        assert read[file.partition] == list(range(1, expected + 1))
    source.close(1)


@pytest.mark.parametrize(
    "ts",
    [
        "1568721600000000", 1568721600000000, NOON, "2019-09-17T08:00:00-04:00", "2019-09-17 12:00:00.000000+00:00",
    ],
)  # fmt: skip
def test_every_way_to_write_a_time(tmp_path: Path, wall: Wall, ts: object) -> None:
    source = PlayedSource(
        "story",
        [file_of(tmp_path, "repo", [{"ts": ts}])],
        StoryClock(1_568_721_599_999_999, 1_568_721_600_000_001, 1, wall),
    )
    source.open()
    assert source.poll(1) is None
    source.close(1)
    source = PlayedSource(
        "story",
        [file_of(tmp_path, "repo", [{"ts": ts}])],
        StoryClock(1_568_721_600_000_000, 1_568_721_600_000_001, 1, wall),
    )
    source.open()
    assert source.poll(1) is not None
    source.close(1)


@pytest.mark.parametrize(
    "line",
    [b"", b"no JSON", b"{}", b'{"ts":null}', b'{"ts":"yesterday"}', b'{"ts":"2019-09-17T12:00:00"}', b'{"ts":1.5}'],
)
def test_an_event_without_a_sound_time_is_told_with_its_line(tmp_path: Path, wall: Wall, line: bytes) -> None:
    path = tmp_path / "repo.ndjson"
    path.write_bytes(b'{"ts":1700000000000000}\n' + line + b"\n")
    source, _ = story([FileSource(str(path), "repo")], wall)
    with pytest.raises(SourceError, match=r"repo\.ndjson, line 2: without a sound ts it cannot be played"):
        source.open()
    source.close(1)


def test_polling_for_less_than_one_record_is_a_mistake(tmp_path: Path, wall: Wall) -> None:
    source, _ = story([file_of(tmp_path, "repo", [event(0)])], wall)
    source.open()
    with pytest.raises(ValueError, match="at least 1"):
        source.poll(0)
    source.close(1)


def test_closing_lets_go_and_keeps_what_is_known(tmp_path: Path, wall: Wall) -> None:
    source, _ = story([file_of(tmp_path, "repo", [event(0), event(5)])], wall)
    assert (source.progress(), source.lag(), source.exhausted) == ((0, None), None, False)
    source.open()
    assert source.poll(1) is not None
    source.close(1)
    assert (source.progress(), source.lag(), source.exhausted) == ((1, 2), None, False)


def test_the_carried_histories_can_be_played(wall: Wall, drain: Drain) -> None:
    for history in HISTORIES.values():
        end_us = 4_000_000_000_000_000
        source = PlayedSource(
            history.name, parse_inputs([str(history.folder)]), StoryClock(end_us, end_us, history.speed, wall)
        )
        source.open()
        times = [json.loads(payload)["ts"] for batch in drain(source) for payload in batch.payloads]
        assert len(times) > 200
        assert source.exhausted
        source.close(1)
