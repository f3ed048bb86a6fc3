"""A story of some thousand events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.produce.events import Event
from monitor.sources.base import Source
from monitor.sources.scenario import SCENARIOS, ScenarioSource
from monitor.stories import Story

_MINUTES = 10
_SCENARIO = replace(
    SCENARIOS["calm"],
    past_sessions=2,
    story_end_us=SCENARIOS["calm"].story_start_us + _MINUTES * 60_000_000,
)


def small_story(speed: float = 1.0) -> Story:
    """Ten calm minutes of all five streams after two days."""
    return Story(
        _SCENARIO.name,
        "scenario",
        "SYNTHETIC: a test",
        "a test",
        _SCENARIO.story_start_us,
        _SCENARIO.story_end_us,
        speed,
        lambda clock: ScenarioSource(_SCENARIO, clock),
    )


def as_told(source: Source) -> dict[str, list[bytes]]:
    """All payloads by stream."""
    found: dict[str, list[bytes]] = {}
    source.open()
    while not source.exhausted:
        batch = source.poll(10_000)
        assert batch
        assert batch.stream
        found.setdefault(batch.stream, []).extend(batch.payloads)
    return found


def by_stream(events: Sequence[Event]) -> dict[str, list[bytes]]:
    """The payloads of events by stream."""
    found: dict[str, list[bytes]] = {}
    for event in events:
        found.setdefault(event.stream, []).append(event.payload)
    return found
