"""Short scenarios: all of it due, without a past, from the middle of its past, and one whose clock stands before it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from monitor.sources.clock import StoryClock
from monitor.sources.scenario import SCENARIOS, Scenario, ScenarioSource
from monitor.sources.scenario.source import MAKERS
from monitor.sources.scenario.story import STORY_BLOCK_US
from monitor.sources.scenario.timeline import POSITIONS_PER_BLOCK, blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CRUNCH = SCENARIOS["treasury-crunch"]
SHORT = replace(CRUNCH, past_sessions=0, story_end_us=CRUNCH.story_start_us + STORY_BLOCK_US)


def _source(scenario: Scenario, seed: int | None = None) -> ScenarioSource:
    clock = StoryClock(scenario.story_end_us, scenario.story_end_us, 1.0, lambda: 0.0)
    return ScenarioSource(scenario, clock, seed=seed)


def _make(scenario: Scenario, seed: int | None = None) -> Callable[[Path], ScenarioSource]:
    return lambda _: _source(scenario, seed)


def _expected(scenario: Scenario, seed: int) -> list[list[tuple[int, bytes]]]:
    """What each stream's blocks hold, made one by one, the last one first."""
    expected = []
    for _, make in MAKERS.values():
        rows: list[tuple[int, bytes]] = []
        for block in reversed(blocks_of(scenario)):
            payloads = make(scenario, seed, block).payloads
            rows = [*enumerate(payloads, start=block.number * POSITIONS_PER_BLOCK), *rows]
        expected.append(rows)
    return expected


@contextmanager
def _silent() -> Iterator[ScenarioSource]:
    yield ScenarioSource(SHORT, StoryClock(-1, SHORT.story_end_us, 1.0, lambda: 0.0))


def register(add: Any) -> None:
    add(
        ScenarioSource,
        "five-minutes",
        make=_make(SHORT),
        expected=_expected(SHORT, SHORT.seed),
        needs_nothing=True,
        silent=_silent,
    )
    add(ScenarioSource, "another-seed", make=_make(SHORT, 7), expected=_expected(SHORT, 7), needs_nothing=True)
