"""The stage that seals, with a supervisor, claims and a topic that are made up: its order, its faults, its stop."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest

from monitor.engine.block import Block, Standing
from monitor.kafka.publisher import PublishTimeoutError
from monitor.sources.base import Mark, PartitionState, RawBatch
from monitor.sources.supervisor import Arrival
from monitor.stages import sealing
from monitor.stages.bar_topic import Claimed, Lost
from monitor.stages.sealing import IDLE_RELEASE_SECONDS, MOST_UNSEEN_SECONDS, SealingRun

S = 1_000_000
T0 = 1_778_504_400
NAME, OTHER = "treasury.quotes/0", "treasury.quotes/1"


def batch(name: str, first: int, *seconds: int, generation: int = 1) -> RawBatch:
    """A quote at each of these seconds."""
    payloads = [
        msgspec.json.encode({"ts": (T0 + second) * S, "instrument": "A", "bid": 99.0, "ask": 99.5})
        for second in seconds
    ]
    return RawBatch(
        "made", "treasury", name, range(first, first + len(payloads)), payloads, generation=generation
    )  # fmt: skip


@dataclass
class World:
    """A supervisor, claims and a writer in one; what happens is noted in order.

    Attributes:
        happened: what was written, flushed and kept.
        fails: how often the next writes are not taken.
        is_away: whether nothing is acknowledged.
    """

    queue: deque[RawBatch] = field(default_factory=deque)
    changes: list[Claimed | Lost] = field(default_factory=list)
    states: dict[str, PartitionState] = field(default_factory=dict)
    happened: list[tuple[str, Any]] = field(default_factory=list)
    fails: int = 0
    is_away: bool = False
    now: float = 1_000.0

    def start(self) -> None:
        pass

    def take(self, _: float) -> Arrival | None:
        return Arrival("made", self.queue.popleft(), 0.0) if self.queue else None

    def behind(self) -> set[str]:
        waiting = {each.partition for each in self.queue}
        return waiting | {name for name, each in self.states.items() if each.is_behind}

    def partitions(self) -> dict[str, PartitionState]:
        return dict(self.states)

    def keep(self, marks: Mapping[str, Mark]) -> None:
        self.happened.append(("keep", dict(marks)))

    def began(self, claimed: Claimed) -> None:
        self.happened.append(("began", claimed.generation))

    def write(self, block: Block) -> None:
        if self.fails:
            self.fails -= 1
            raise PublishTimeoutError("no room")
        self.happened.append(("write", block))

    def flush(self, timeout_seconds: float) -> bool:
        self.happened.append(("flush", not self.is_away))
        if self.is_away:
            time.sleep(min(timeout_seconds, 0.05))
        return not self.is_away

    def note(self, _: str) -> str:
        return "bars=7"

    def turned(self) -> None:
        """Not of interest."""

    def partition(self, name: str, **how: int | None) -> None:
        """Not of interest."""

    # What a test does.

    def claim(
        self, name: str = NAME, generation: int = 1, blocks: tuple[Block, ...] = (), *, said: bool = True
    ) -> None:
        self.changes.append(Claimed(name, generation, 0, blocks))
        if said:
            self.states[name] = PartitionState(0, 0, 0, is_behind=False, generation=generation)

    def written(self) -> list[Block]:
        return [each for what, each in self.happened if what == "write"]

    def kept(self) -> list[dict[str, Mark]]:
        return [each for what, each in self.happened if what == "keep"]


class _Claims:
    def __init__(self, world: World) -> None:
        self._world = world

    def take(self) -> list[Claimed | Lost]:
        changes, self._world.changes = self._world.changes, []
        return changes


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def run(world: World) -> SealingRun:
    return SealingRun(
        cast("Any", world), cast("Any", _Claims(world)), cast("Any", world), (), cast("Any", world), lambda: world.now
    )


def turn(run: SealingRun, world: World, seconds: float = 1.0) -> None:
    """A turn, so long after the last."""
    world.now += seconds
    run._turn()


class TestOrder:
    def test_what_is_sealed_is_written_then_acknowledged_then_kept(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 1, 5))
        turn(run, world)
        assert [what for what, _ in world.happened] == ["began", "write", "flush", "keep"]
        [block] = world.written()
        assert block.bars["treasury"]["second"].to_list() == [T0, T0 + 1]
        assert world.kept() == [{NAME: Mark(2, (T0 + 3) * S, "bars=7")}]

    def test_nothing_is_kept_or_taken_in_before_it_is_acknowledged(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.is_away = True
        world.queue.append(batch(NAME, 0, 0, 5))
        turn(run, world)
        world.queue.append(batch(NAME, 2, 9))
        for _ in range(3):
            turn(run, world)
        assert not world.kept()
        assert len(world.queue) == 1
        world.is_away = False
        turn(run, world)
        assert [mark.position for marks in world.kept() for mark in marks.values()] == [1]
        turn(run, world)
        assert [mark.position for marks in world.kept() for mark in marks.values()] == [1, 2]

    def test_blocks_that_are_not_taken_at_first_stay_in_their_order(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.claim(OTHER)
        world.fails = 4
        world.queue += [batch(NAME, 0, 0, 5), batch(OTHER, 0, 0, 5)]
        turn(run, world)
        assert not world.written()
        assert not world.kept()
        world.queue.append(batch(NAME, 2, 9))
        while not world.kept() or world.kept()[-1][NAME].position < 2:
            turn(run, world)
        # A block that says only that the partition is behind comes in between.
        written = [(each.partition, each.standing.next_position) for each in world.written() if each.bars]
        assert written == [(NAME, 2), (OTHER, 2), (NAME, 3)]

    def test_many_bars_are_several_blocks(self, run: SealingRun, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealing, "BARS_A_BLOCK", 10)
        world.claim()
        world.queue += [batch(NAME, first, *range(first, first + 10)) for first in range(0, 100, 10)]
        turn(run, world)
        blocks = world.written()
        assert len(blocks) > 5
        bars = [each.bars["treasury"] for each in blocks if each.bars]
        assert [second for some in bars for second in some["second"]] == [T0 + second for second in range(97)]


class TestOwnership:
    def test_what_came_under_another_claim_is_not_taken_in(self, run: SealingRun, world: World) -> None:
        world.claim(generation=2)
        world.queue += [batch(NAME, 0, 0, 5, generation=1), batch(OTHER, 0, 0, 5, generation=2)]
        turn(run, world)
        assert [each.standing for each in world.written()] == [Standing()]

    def test_what_is_open_of_a_lost_partition_is_let_go(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 1))
        turn(run, world)
        world.changes.append(Lost(NAME))
        world.queue.append(batch(NAME, 2, 9))
        turn(run, world)
        assert len(world.written()) == 1
        assert world.kept()[-1] == {}

    def test_a_new_owner_goes_on_where_the_blocks_end(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 1, 5))
        turn(run, world)
        blocks = tuple(world.written())
        world.claim(generation=2, blocks=blocks)
        world.queue.append(batch(NAME, 2, 5, 1, 8, generation=2))
        turn(run, world)
        assert world.written()[-1].bars["treasury"].select("second", "quotes").rows() == [(T0 + 5, 1)]


class TestBehind:
    def test_a_claimed_partition_is_behind_until_the_source_says_of_this_claim_how_it_stands(
        self, run: SealingRun, world: World
    ) -> None:
        world.claim(said=False)
        turn(run, world)
        world.states[NAME] = PartitionState(0, 0, 0, is_behind=False, generation=1)
        turn(run, world)
        world.claim(generation=2, said=False)  # what the source says is still of the time before
        turn(run, world)
        world.states[NAME] = PartitionState(0, 0, 9, is_behind=True, generation=2)
        turn(run, world)
        world.states[NAME] = PartitionState(0, 0, 9, is_behind=False, generation=2)
        turn(run, world)
        told = [(each.generation, each.standing.is_behind) for each in world.written()]
        assert told == [(1, True), (1, False), (2, True), (2, False)]

    def test_a_partition_that_brings_nothing_is_released(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 1))
        for _ in range(int(IDLE_RELEASE_SECONDS)):
            turn(run, world)
        assert [each.standing.is_held for each in world.written()] == [True]
        turn(run, world)
        assert [each.standing.is_held for each in world.written()] == [True, False]
        assert world.written()[-1].bars["treasury"]["second"].to_list() == [T0, T0 + 1]

    def test_one_that_is_behind_is_not(self, run: SealingRun, world: World) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 1))
        turn(run, world)
        world.states[NAME] = PartitionState(0, 0, None, is_behind=True, generation=1)
        for _ in range(5 * int(IDLE_RELEASE_SECONDS)):
            turn(run, world)
        assert all(each.standing.is_held for each in world.written())

    def test_a_process_that_was_stopped_for_a_while_has_not_seen_that_nothing_came(
        self, run: SealingRun, world: World
    ) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 1))
        turn(run, world)
        turn(run, world, 10 * IDLE_RELEASE_SECONDS)
        assert all(each.standing.is_held for each in world.written())
        for _ in range(int(IDLE_RELEASE_SECONDS / MOST_UNSEEN_SECONDS)):
            turn(run, world)
        assert not world.written()[-1].standing.is_held


class TestStop:
    @pytest.mark.parametrize("is_away", [False, True])
    def test_ends_soon_whether_brokers_answer_or_not(self, run: SealingRun, world: World, *, is_away: bool) -> None:
        world.claim()
        world.queue.append(batch(NAME, 0, 0, 5))
        world.is_away = is_away
        stop = threading.Event()
        thread = threading.Thread(target=run.run, args=(stop,))
        thread.start()
        ends_at = time.monotonic() + 10
        while not world.written() and time.monotonic() < ends_at:
            time.sleep(0.01)
        asked_at = time.monotonic()
        stop.set()
        thread.join(10)
        assert time.monotonic() - asked_at < 5
        assert bool(world.kept()) != is_away
        assert run.not_ready_because() == "the monitor is stopping"
