"""A scenario as a source: its events are handed over when its own clock has come to their arrival."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from monitor.sources.base import RawBatch, Source
from monitor.sources.scenario import cds, deals, reference, repo, treasury
from monitor.sources.scenario.timeline import POSITIONS_PER_BLOCK, Events, blocks_of
from monitor.streams import CDS, NEWISSUE, REFERENCE, REPO, TREASURY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from monitor.sources.clock import StoryClock
    from monitor.sources.scenario.story import Scenario
    from monitor.sources.scenario.timeline import Block

    Count = Callable[[Scenario, int, Block], int]
    Make = Callable[[Scenario, int, Block], Events]

MAKERS: Final[dict[str, tuple[Count, Make]]] = {
    REFERENCE.name: (reference.count, reference.events),
    TREASURY.name: (treasury.count, treasury.events),
    REPO.name: (repo.count, repo.events),
    NEWISSUE.name: (deals.count, deals.events),
    CDS.name: (cds.count, cds.events),
}
"""What a scenario tells: by stream, how many events a block has, and what makes them. At equal arrivals the order
of streams is this one."""

_NO_EVENTS: Final = Events([], [])


class _Partition:
    """One stream of a scenario; it holds the events of one block at most."""

    def __init__(
        self, stream: str, blocks: Iterable[Block], count: Callable[[Block], int], make: Callable[[Block], Events]
    ) -> None:
        self.stream = stream
        self._make = make
        self._blocks = deque((block, size) for block in blocks if (size := count(block)))
        self._number = 0
        self._events, self._next = _NO_EVENTS, 0

    def skip_to(self, position: int) -> None:
        """Begin at a position; of the blocks before it none is made."""
        number, index = divmod(position, POSITIONS_PER_BLOCK)
        while self._blocks and self._blocks[0][0].number <= number:
            block, size = self._blocks[0]
            if block.number == number and index < size:
                break
            self._blocks.popleft()
        if index and self._blocks and self._blocks[0][0].number == number:
            self._load()
            self._next = index

    def left(self) -> int:
        """How many events are not handed over yet, due or not."""
        return len(self._events.payloads) - self._next + sum(size for _, size in self._blocks)

    def head_us(self, now_us: int) -> int | None:
        """When the next event arrived; None if none has by now. Makes its block if that has begun."""
        if self._next == len(self._events.payloads) and self._blocks and self._blocks[0][0].since_us <= now_us:
            self._load()
        if self._next == len(self._events.payloads):
            return None
        arrived_us = self._events.arrived_us[self._next]
        return arrived_us if arrived_us <= now_us else None

    def due(self, now_us: int) -> int:
        """How many events have arrived and wait; of blocks after the one at hand only those that are over."""
        self.head_us(now_us)
        over = takewhile(lambda each: each[0].end_us <= now_us, self._blocks)
        return bisect_right(self._events.arrived_us, now_us) - self._next + sum(size for _, size in over)

    def take(self, source: str, now_us: int, max_records: int) -> RawBatch:
        """The next events of the block at hand, after `head_us` said that there is one."""
        first = self._next
        upto = min(first + max_records, bisect_right(self._events.arrived_us, now_us))
        start = self._number * POSITIONS_PER_BLOCK
        batch = RawBatch(
            source,
            self.stream,
            f"{source}/{self.stream}",
            range(start + first, start + upto),
            self._events.payloads[first:upto],
            self._events.arrived_us[first:upto],
        )
        self._next = upto
        if upto == len(self._events.payloads):
            self._events, self._next = _NO_EVENTS, 0
        return batch

    def _load(self) -> None:
        block, _ = self._blocks.popleft()
        self._number, self._events, self._next = block.number, self._make(block), 0


class ScenarioSource(Source):
    """Tells a scenario. Nothing is read: every block of events is made when it is due, and forgotten when told.

    The partition whose next event has waited longest comes first; a batch is of one of its blocks (a past session,
    or five minutes of the story). `arrived_us` is by the scenario's clock. The unit of `lag` and `progress` is
    events; both count from the positions that `open` was given.

    Args:
        scenario: what to tell; its name is the source's.
        clock: what time the story has; what arrived before its start is there at once.
        seed: in place of the scenario's.

    Raises:
        ValueError: the clock stops before the story does, so it would never be told to its end.
    """

    def __init__(self, scenario: Scenario, clock: StoryClock, *, seed: int | None = None) -> None:
        if clock.end_us < scenario.story_end_us:
            raise ValueError(f"the clock stops at {clock.end_us}, before the story's end at {scenario.story_end_us}")
        self.name = scenario.name
        self._scenario, self._clock = scenario, clock
        self._seed = scenario.seed if seed is None else seed
        self._partitions: list[_Partition] = []
        self._told, self._total = 0, -1
        self._is_open = False
        self._through_us: int | None = None

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        """Begin at the past's beginning.

        Args:
            resume: by partition (`<name>/<stream>`), the first position that is wanted; partitions that are not
                named are told from their beginning, and names of others are left alone.
        """
        blocks = blocks_of(self._scenario)
        self._partitions = [
            _Partition(
                stream,
                blocks,
                partial(count, self._scenario, self._seed),
                partial(make, self._scenario, self._seed),
            )
            for stream, (count, make) in MAKERS.items()
        ]
        for partition in self._partitions:
            partition.skip_to((resume or {}).get(f"{self.name}/{partition.stream}", 0))
        self._told, self._total = 0, sum(partition.left() for partition in self._partitions)
        self._is_open = True

    def poll(self, max_records: int) -> RawBatch | None:
        """The next events of one partition whose time has come."""
        if max_records < 1:
            raise ValueError("max_records must be at least 1")
        if not self._is_open:
            raise RuntimeError("a ScenarioSource is polled between open and close")
        now_us = self._clock.now_us()
        heads = [(partition.head_us(now_us), partition) for partition in self._partitions]
        waiting = [(head_us, partition) for head_us, partition in heads if head_us is not None]
        if not waiting:
            self._through_us = now_us
            return None
        oldest_us, first = min(waiting, key=lambda each: each[0])
        if self._clock.has_begun:
            self._through_us = oldest_us - 1  # whoever is too slow for the clock is told more slowly, and goes on
        batch = first.take(self.name, now_us, max_records)
        self._told += len(batch)
        return batch

    @property
    def exhausted(self) -> bool:
        """Whether the story was told to its end."""
        return self._told == self._total

    @property
    def through_us(self) -> int | None:
        """What time the story had at the last poll that had nothing, or up to which all was handed over since."""
        return self._through_us

    def lag(self) -> int | None:
        """How many events have arrived and wait, to the last whole block; None if it is not open."""
        if not self._is_open:
            return None
        now_us = self._clock.now_us()
        return sum(partition.due(now_us) for partition in self._partitions)

    def progress(self) -> tuple[int, int | None]:
        """Events told, of all from where it was opened to the story's end; these are not known before `open`."""
        return self._told, self._total if self._total >= 0 else None

    def close(self, timeout_seconds: float) -> None:  # noqa: ARG002 - nothing is held open
        """Forget the events at hand."""
        self._partitions, self._is_open = [], False
