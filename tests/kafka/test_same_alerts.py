"""What `produce` sends to a real broker raises, in a `run` that reads it there, the alerts of its replay."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from datetime import time as of_day
from pathlib import Path
from typing import Any, Final

from monitor.kafka.publisher import Publisher
from monitor.produce.feeds import StoryFeed
from monitor.produce.kafka import KafkaTarget
from monitor.produce.run import produce
from monitor.sinks.files import transition_line
from monitor.sources.scenario import SCENARIOS, ScenarioSource
from monitor.sources.scenario.story import REPO_SQUEEZE, TREASURY_CRUNCH, story_day_us
from monitor.stories import Story
from monitor.streams import STREAMS
from tests.kafka.broker import Broker, create_topic
from tests.kafka.exactly_once.processes import Monitor, Wanted
from tests.kafka.exactly_once.unbroken import State
from tests.kafka.messages import plain
from tests.kafka.records import records
from tests.test_replay import said

ALERTS: Final = "monitor.alerts"
PARTITIONS: Final = 3
PATIENCE_SECONDS: Final = 90.0
_PUBLISH: Final = f'[publish]\nalerts_topic = "{ALERTS}"\n'
_SCENARIO: Final = replace(
    SCENARIOS["repo-squeeze"],
    stress=replace(
        REPO_SQUEEZE,
        on_the_run_spread=TREASURY_CRUNCH.on_the_run_spread,
        off_the_run_spread=TREASURY_CRUNCH.off_the_run_spread,
    ),
    past_sessions=2,
    story_end_us=story_day_us(of_day(9, 35)),
)
"""Two days and half an hour, in which quotes are stressed and repo trades, too."""
STORY: Final = Story(
    _SCENARIO.name, "scenario", "SYNTHETIC: a test", "a test", _SCENARIO.story_start_us, _SCENARIO.story_end_us, 1.0,
    lambda clock: ScenarioSource(_SCENARIO, clock),
)  # fmt: skip


def send(bootstrap: str) -> None:
    publisher = Publisher(plain(bootstrap), wait_seconds=1.0, delivery_seconds=60.0)
    stop = threading.Event()
    target = KafkaTarget(publisher, events_a_message=1, say=lambda _: None, stop=stop)
    try:
        produce(StoryFeed(STORY, at_once=True), target, stop)
    finally:
        target.close()


def changes(bootstrap: str, count: int) -> list[dict[str, Any]]:
    """The transitions in the topic of alerts, once there are so many."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found) < count and time.monotonic() < deadline:
        told = [json.loads(record.value) for record in records(bootstrap, ALERTS, count)]
        found = [line for line in told if "standing" not in line]
    return found


def test_a_run_on_what_was_produced_raises_the_alerts_of_the_replay(own_broker: Broker, tmp_path: Path) -> None:
    _, transitions, _ = said([STORY.all_at_once()], begin=STORY.first_tick)
    expected = [json.loads(json.dumps(transition_line(each))) for each in transitions]
    assert {line["segment"] for line in expected} == {"repo", "treasury"}
    bootstrap = own_broker.bootstrap
    topics = tuple(stream.topic for stream in STREAMS.values())
    for topic in topics:
        create_topic(bootstrap, topic, PARTITIONS)
    create_topic(bootstrap, ALERTS, 1)
    send(bootstrap)
    begin = datetime.fromtimestamp(STORY.first_tick, UTC)
    wanted = Wanted(bootstrap, topics, "run", "monitor.bars", begin=begin, more=_PUBLISH)
    monitor = Monitor(tmp_path, "run", "all", wanted, state=True)
    monitor.start()
    try:
        told = changes(bootstrap, len(expected))
        assert told == expected, monitor.said_last()
        monitor.terminate()
    finally:
        monitor.kill()
    assert changes(bootstrap, len(expected)) == expected, "it said more, at its end"
    assert monitor.state is not None
    state = State(monitor.state)
    assert len(state.transitions) == len(expected)
    assert not monitor.has_mistakes()
