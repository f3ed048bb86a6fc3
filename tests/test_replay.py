"""What a replay says does not depend on how it reads: not on the size of its bites, nor on the order of its inputs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace as replaced
from pathlib import Path

import polars as pl
import pytest

from monitor import replay as replay_module
from monitor.calendar import MarketCalendar
from monitor.pipeline import Pipeline
from monitor.replay import Summary, replay
from monitor.results import Ingested, Output, Transition
from monitor.signals import CATALOGUE
from monitor.sinks.base import Sink
from monitor.sources.base import Source
from monitor.sources.clock import StoryClock
from monitor.sources.file import FileSource
from monitor.sources.scenario import SCENARIOS, ScenarioSource
from tests.restart.feed import SmallFeed, events

SEED = 21


class Collected(Sink):
    """Keeps everything."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []

    def ingested(self, what: Ingested) -> None:
        """Counted by the summary."""

    def wrote(self, output: Output) -> None:
        self.outputs.append(output)

    def close(self) -> None:
        """Nothing is held."""


class Silent:
    """No progress is shown."""

    def read(self, source: str, done: int, total: int | None) -> None:
        """Not shown."""

    def evaluated(self, until: int) -> None:
        """Not shown."""


Said = tuple[pl.DataFrame, list[Transition], dict[str, object]]


def said(sources: Sequence[Source], ticks_at_once: int = 3_600, begin: int | None = None) -> Said:
    """Steps, transitions and the summary without its times."""
    collected = Collected()
    pipeline = Pipeline(CATALOGUE, MarketCalendar(), begin=begin, ticks_at_once=ticks_at_once)
    summary = replay(sources, pipeline, [collected], Silent())
    assert summary.steps == sum(output.steps.height for output in collected.outputs)
    assert summary.transitions == sum(len(output.transitions) for output in collected.outputs)
    facts = {k: v for k, v in summary.as_json().items() if k not in {"wall_seconds", "events_per_second"}}
    steps = pl.concat([output.steps for output in collected.outputs])
    return steps, [each for output in collected.outputs for each in output.transitions], facts


def assert_same(one: Said, other: Said) -> None:
    assert one[0].equals(other[0])
    assert one[1] == other[1]
    assert one[2] == other[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small feed as files, one a partition, sound ones: what is late in one is late in any order."""
    made = tmp_path_factory.mktemp("feed")
    for name, rows in events(SEED).items():
        (made / f"{name.replace('/', '-')}.ndjson").write_bytes(b"".join(raw + b"\n" for *_, raw in rows))
    return made


STREAM_OF = {"quotes-a": "treasury", "quotes-b": "treasury", "repo": "repo", "cds": "cds", "reference": "reference"}


def files(folder: Path, order: Sequence[str] = tuple(STREAM_OF)) -> list[FileSource]:
    return [FileSource(folder / f"{name}.ndjson", STREAM_OF[name]) for name in order]


@pytest.fixture(scope="module")
def whole(folder: Path) -> Said:
    result = said(files(folder))
    assert len(result[1]) > 10
    return result


@pytest.mark.parametrize(("records", "ticks"), [(97, 3_600), (2_000, 61)])
def test_the_size_of_the_bites_is_no_matter(
    folder: Path, whole: Said, records: int, ticks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by reading in blocks and running few ticks at a time: the same as all in one."""
    monkeypatch.setattr(replay_module, "RECORDS_AT_ONCE", records)
    assert_same(said(files(folder), ticks), whole)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_the_inputs_is_no_matter(
    folder: Path, whole: Said, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = list(STREAM_OF)
    random.Random(seed).shuffle(order)
    monkeypatch.setattr(replay_module, "RECORDS_AT_ONCE", 500)
    assert_same(said(files(folder, order)), whole)


def test_prints_may_stand_in_any_order_in_their_file(
    folder: Path, whole: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (folder / "reference.ndjson").read_bytes().splitlines(keepends=True)
    (tmp_path / "reference.ndjson").write_bytes(b"".join(reversed(lines)))
    monkeypatch.setattr(replay_module, "RECORDS_AT_ONCE", 300)
    others = files(folder, [name for name in STREAM_OF if name != "reference"])
    assert_same(said([*others, *files(tmp_path, ["reference"])]), whole)


def test_the_summary_tells_what_was_dropped(whole: Said) -> None:
    facts = whole[2]
    assert set(facts) == {
        "events", "rejects", "late", "doubles", "suspected_doubles", "first_event", "last_event", "signal_rows",
        "transitions",
    }  # fmt: skip
    assert set(facts["events"]) == {"treasury", "repo", "cds", "reference"}  # type: ignore[call-overload]
    assert facts["rejects"]["treasury"]["not_json"] > 5  # type: ignore[index]
    assert facts["late"]["treasury"] > 5  # type: ignore[index]
    assert min(facts["doubles"]["repo"], facts["doubles"]["cds"]) > 5  # type: ignore[index]
    # Trades without an id that were sent twice cannot be told from two equal trades: they count, and are reported.
    assert facts["suspected_doubles"]["repo"] > 5  # type: ignore[index]


def test_blocks_of_a_scenario_are_all_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    told = SCENARIOS["repo-squeeze"]
    end_us = told.story_start_us + 15 * 60 * 1_000_000
    scenario = replaced(told, story_end_us=end_us, past_sessions=1)
    first_tick = told.story_start_us // 1_000_000

    def source() -> Source:
        return ScenarioSource(scenario, StoryClock(end_us, end_us, 1, lambda: 0.0))

    results = []
    for records in (1_000, 1_000_000):
        monkeypatch.setattr(replay_module, "RECORDS_AT_ONCE", records)
        results.append(said([source()], begin=first_tick))
    assert_same(*results)
    assert results[0][0]["tick"].min() >= first_tick  # type: ignore[operator]


def test_one_source_of_many_partitions_says_what_its_files_say(whole: Said) -> None:
    end_us = max(at for rows in events(SEED).values() for at, *_ in rows)
    told = said([SmallFeed(SEED, StoryClock(end_us, end_us, 1, lambda: 0.0))])
    assert told[0].equals(whole[0])
    assert told[1] == whole[1]


def test_a_summary_of_nothing() -> None:
    assert Summary().as_json() == {
        "events": {}, "rejects": {}, "late": {}, "doubles": {}, "suspected_doubles": {}, "first_event": None,
        "last_event": None, "signal_rows": 0, "transitions": 0, "wall_seconds": 0.0, "events_per_second": 0,
    }  # fmt: skip
