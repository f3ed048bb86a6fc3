"""A round: known events are sent while monitors and the broker are killed, and then everything is counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.kafka.broker import Broker, create_topic
from tests.kafka.exactly_once.chaos import Chaos, Counted, end_all
from tests.kafka.exactly_once.feeding import Feeding
from tests.kafka.exactly_once.logs import BarsRead, compare_counts, logs_of
from tests.kafka.exactly_once.oracle import Expected, Log, expected_of
from tests.kafka.exactly_once.processes import Difference, Monitor, Wanted
from tests.kafka.exactly_once.story import PARTITIONS, story
from tests.kafka.exactly_once.unbroken import State, compare_transitions, unbroken

BARS: Final = "monitor.bars"
GROUP: Final = "sealers"
_SETTLE_SECONDS: Final = 90.0
_LAST_LOOK_SECONDS: Final = 4.0


@dataclass(frozen=True)
class Plan:
    """A round.

    Attributes:
        seed: decides everything but what the machine decides.
        stage: bars: processes of one group seal, another evaluates; all: one process does both.
        seconds: how long events are sent.
        minutes: how long the story is by its own time.
        sealers: how many processes share the partitions.
        kills: of processes that seal, or of the one.
        stops: by SIGTERM.
        freezes: for longer than the session of the group.
        reader_kills: of the process that evaluates.
        bounces: of the broker.
    """

    seed: int
    stage: str = "bars"
    seconds: float = 25.0
    minutes: int = 12
    sealers: int = 3
    kills: int = 4
    stops: int = 2
    freezes: int = 2
    reader_kills: int = 2
    bounces: int = 2
    session_seconds: float = 1.5


@dataclass(frozen=True)
class Result:
    """What a round came to."""

    events: int
    counted: Counted
    rebalances: int
    transitions: int
    seconds: float
    fenced: int

    def line(self) -> str:
        """As it is printed."""
        done = self.counted
        return (
            f"ALL EVENTS COUNTED ONCE: {self.events:,} events, {done.kills} kills, {self.rebalances} rebalances, "
            f"{done.bounces} bounces, {done.zombies} zombies, {self.seconds:.0f} s"
        )


def run_round(folder: Path, plan: Plan) -> Result:
    """Play a round in a folder.

    Raises:
        Difference: an event is lost or counted twice, or the alerts are not those of an unbroken run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    broker = Broker()
    broker.start()
    try:
        return _Round(folder, plan, broker).play()
    finally:
        broker.discard()


class _Round:
    def __init__(self, folder: Path, plan: Plan, broker: Broker) -> None:
        self.plan, self.broker = plan, broker
        for topic, count in PARTITIONS.items():
            create_topic(broker.bootstrap, topic, count)
        wanted = Wanted(broker.bootstrap, tuple(PARTITIONS), GROUP, BARS, plan.session_seconds)
        if plan.stage == "all":
            self.sealers = [Monitor(folder, "all", "all", wanted, state=True)]
            self.readers: list[Monitor] = []
        else:
            self.sealers = [Monitor(folder, f"bars-{n}", "bars", wanted) for n in range(plan.sealers)]
            self.readers = [Monitor(folder, "signals", "signals", wanted, state=True)]
        self.monitors = [*self.sealers, *self.readers]
        self.random = Random(f"chaos {plan.seed}")
        self.chaos = Chaos(broker, self.sealers, self.readers, self.random, plan.session_seconds)

    def play(self) -> Result:
        plan, began = self.plan, time.monotonic()
        told = story(plan.seed, plan.minutes)
        feeding = Feeding(self.broker.bootstrap, told.prelude, told.course, plan.seconds)
        try:
            for each in self.monitors:
                each.start()
                self.chaos.wait(self.random.uniform(0.0, 1.0))
            feeding.start()
            self.chaos.run(
                self.chaos.plan(plan.kills, plan.stops, plan.freezes, plan.reader_kills, plan.bounces), plan.seconds
            )
            self._wait_for(lambda: "" if feeding.is_over else "events are still to be sent")
            feeding.send(told.closing)
            return self._count(began)
        finally:
            feeding.close()
            end_all(self.monitors)

    def _count(self, began: float) -> Result:
        logs = logs_of(self.broker.bootstrap, PARTITIONS)
        expected = expected_of(logs)
        fenced = 0
        if self.readers:
            fenced = self._count_bars(expected)
        evaluating = (self.readers or self.sealers)[0]
        transitions = self._count_state(evaluating, logs, expected)
        rebalances = len(set().union(*(each.generations() for each in self.sealers)))
        return Result(
            expected.events, self.chaos.counted, rebalances, transitions, time.monotonic() - began, fenced
        )  # fmt: skip

    def _count_bars(self, expected: Expected) -> int:
        bars = BarsRead(self.broker.bootstrap, BARS)
        try:

            def waits_for() -> str:
                bars.read_on()
                return "; ".join(bars.missing(expected))

            self._wait_for(waits_for)
            compare_counts("the topic of bars", expected.counts, bars.counts)
            return bars.fenced
        finally:
            bars.close()

    def _count_state(self, monitor: Monitor, logs: dict[str, Log], expected: Expected) -> int:
        """The state of who evaluates, after as many looks as it takes for it to have come to the end."""
        transitions, ran = unbroken(logs, monitor.config)
        until = time.monotonic() + _SETTLE_SECONDS
        while True:
            self.chaos.wait(_LAST_LOOK_SECONDS)
            monitor.terminate()
            state = State(monitor.state) if monitor.state else None
            if state is None:
                raise RuntimeError("who evaluates has a state")
            if state.ran == ran or time.monotonic() > until:
                break
            monitor.start()
        if state.ran != ran:
            raise Difference(f"{monitor.name} has run ticks up to {state.ran}, the unbroken run up to {ran}")
        compare_counts(f"the state of {monitor.name}", expected.counts, state.counts)
        compare_transitions(monitor.name, transitions, state.transitions)
        for each in self.sealers:
            each.terminate()
        return len(transitions)

    def _wait_for(self, waits_for: Callable[[], str]) -> None:
        until = time.monotonic() + _SETTLE_SECONDS
        while what := waits_for():
            if time.monotonic() > until:
                raise Difference(f"after {_SETTLE_SECONDS:g} s: {what}")
            self.chaos.wait(0.5)
