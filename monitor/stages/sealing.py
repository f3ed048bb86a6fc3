"""The stage that seals: events of the partitions that are ours become bars in the topic of bars, then are committed.

The order is: seal, write the bars, wait until the brokers have acknowledged them, commit the position. Killed at any
moment in between, the next owner finds in the topic what counts, and reads again what is not in it.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl
import structlog

from monitor.engine.owned import Owned
from monitor.engine.watermark import NEVER_US
from monitor.intake import Intake
from monitor.kafka.publisher import PublishTimeoutError
from monitor.partitions import PartitionGauges, PartitionWatch
from monitor.results import STEP_COLUMNS, Output
from monitor.sources.base import Mark
from monitor.stages.bar_topic import Claimed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from monitor.engine.block import Block
    from monitor.results import Ingested
    from monitor.sinks.base import Sink
    from monitor.sources.supervisor import Arrival, Supervisor
    from monitor.stages.bar_topic import BarWriter, Claims

WRITE_EVERY_SECONDS: Final = 0.25
IDLE_RELEASE_SECONDS: Final = 10.0
"""A partition of ours that brought nothing for so long, and is not behind, holds ticks back no longer."""
MOST_UNSEEN_SECONDS: Final = 1.0
"""From one look to the next no more than this counts as idle time: a process that was stopped for a while, or whose
machine slept, has not seen that nothing came."""
FLUSH_SECONDS: Final = 1.0
BARS_A_BLOCK: Final = 10_000
"""So many bars are written before more is taken in: a message stays well below what brokers take."""
_WAIT_SECONDS: Final = 0.05
_RECORDS_A_TURN: Final = 50_000

_log = structlog.get_logger(__name__)


class Gauges(PartitionGauges, Protocol):
    """What is told of the run itself."""

    def turned(self) -> None:
        """The main loop goes round."""


class SealingRun:
    """Seals the partitions that the group gives to this process.

    Args:
        supervisor: of sources that claim, not yet started.
        claims: where their claims are found.
        writer: writes the bars; closed by the caller.
        sinks: told of what comes in, and how far it is sealed; closed by the caller.
        gauges: told of turns, and how the partitions stand.
        monotonic: a clock in seconds.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        claims: Claims,
        writer: BarWriter,
        sinks: Sequence[Sink],
        gauges: Gauges,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._supervisor, self._claims, self._writer = supervisor, claims, writer
        self._sinks, self._gauges, self._monotonic = sinks, gauges, monotonic
        self._watch = PartitionWatch(gauges)
        self._intake = Intake()
        self._owned: dict[str, Owned] = {}
        self._idle_seconds: dict[str, float] = {}
        self._heard: set[str] = set()
        self._unwritten: deque[Block] = deque()
        self._is_flushed = True
        self._wrote_at = 0.0
        self._not_ready: str | None = "the sources are not open yet"

    def not_ready_because(self) -> str | None:
        """Why the run is not ready; None once its sources are connected. It may well have no partition."""
        return self._not_ready or self._supervisor.not_ready_because()

    def run(self, stop: threading.Event) -> None:
        """Run until stopped; what was sealed by then is written and committed if the brokers answer in time.

        Raises:
            PublishError: the brokers refuse the bars.
            BaseException: a mistake in the program, in whatever thread it was made.
        """
        self._supervisor.start()
        self._not_ready = None
        try:
            while not stop.is_set():
                self._gauges.turned()
                self._turn()
        finally:
            self._not_ready = "the monitor is stopping"
        self._write()

    def _turn(self) -> None:
        taken = 0
        if self._is_flushed:  # else nothing more is taken in: what was is not safe yet
            while taken < _RECORDS_A_TURN:
                arrival = self._supervisor.take(0 if taken else _WAIT_SECONDS)
                # Claims are looked at after the take: that of a batch was made before the batch was fetched.
                self._adopt()
                if arrival is None:
                    break
                self._take_in(arrival)
                taken += len(arrival.batch)
        if not self._is_flushed or self._monotonic() - self._wrote_at >= WRITE_EVERY_SECONDS:
            self._write()

    def _adopt(self) -> None:
        """Take on the partitions that were claimed, each as its earlier owners left it, and let go of lost ones."""
        for change in self._claims.take():
            # What of it waits to be written is of an owner that was: the next one reads it again.
            self._owned.pop(change.partition, None)
            if isinstance(change, Claimed):
                owned = Owned(change.partition, change.generation)
                owned.restore(change.blocks)
                self._owned[change.partition] = owned
                self._idle_seconds[change.partition] = 0.0
                self._writer.began(change)

    def _take_in(self, arrival: Arrival) -> None:
        batch = arrival.batch
        owned = self._owned.get(batch.partition)
        if owned is None or owned.generation != batch.generation:
            return  # it was ours when it was fetched; whoever owns it now reads it again
        self._heard.add(batch.partition)
        self._watch.arrived(batch.partition, _wall_us())
        for what in self._intake.take_in(batch, owned.partition, owned.push):
            self._tell(what)
        if owned.bars_waiting >= BARS_A_BLOCK:
            self._write_block(owned)

    def _tell(self, what: Ingested) -> None:
        for sink in self._sinks:
            sink.ingested(what)

    def _behind(self) -> set[str]:
        """The partitions of ours of which something may still come that was there before anything that was taken.

        One that was claimed is behind until its source says of this very claim how it stands: what it said last may be
        of an earlier time that the partition was ours.
        """
        # In this order: what is handed over after the source said how it stands is found among what waits.
        states = self._supervisor.partitions()
        behind = set(self._supervisor.behind())
        for name, owned in self._owned.items():
            state = states.get(name)
            if state is None or state.generation != owned.generation or state.is_behind:
                behind.add(name)
            elif name not in behind:  # so nothing of it waits to be taken
                owned.begin(state.position)
        return behind

    def _write(self) -> None:
        """Write what was sealed, wait until it is safe, and then say so to the sources."""
        behind = self._behind()
        now = self._monotonic()
        passed, self._wrote_at = min(MOST_UNSEEN_SECONDS, now - self._wrote_at), now
        for name, owned in self._owned.items():
            owned.is_behind = name in behind
            self._idle_seconds[name] = 0.0 if name in self._heard else self._idle_seconds[name] + passed
            is_idle = self._idle_seconds[name] >= IDLE_RELEASE_SECONDS
            if is_idle and owned.partition.is_held and not owned.is_behind:
                owned.release()
            self._write_block(owned)
        self._heard.clear()
        self._is_flushed = self._send() and self._writer.flush(FLUSH_SECONDS)
        if self._is_flushed:
            self._supervisor.keep(self._marks())
        self._watch.look(self._supervisor.partitions(), _wall_us())
        self._tell_watermarks()

    def _write_block(self, owned: Owned) -> None:
        block = owned.take_block()
        if block is not None:
            self._unwritten.append(block)
            self._send()

    def _send(self) -> bool:
        """Hand over the blocks that wait, in their order; whether none is left."""
        while self._unwritten:
            try:
                self._writer.write(self._unwritten[0])
            except PublishTimeoutError as error:
                _log.warning("bars cannot be written at this moment; they are tried again", error=str(error))
                return False
            self._unwritten.popleft()
        return True

    def _marks(self) -> dict[str, Mark]:
        marks = {}
        for name, owned in self._owned.items():
            stands = owned.standing
            watermark_us = None if stands.watermark_us == NEVER_US else stands.watermark_us
            marks[name] = Mark(stands.oldest_open, watermark_us, self._writer.note(name))
        return marks

    def _tell_watermarks(self) -> None:
        found: dict[str, int] = {}
        for owned in self._owned.values():
            if owned.partition.is_held:
                watermark_us = owned.partition.watermark.value_us
                for stream in owned.partition.sealers:
                    found[stream] = min(found.get(stream, watermark_us), watermark_us)
        output = Output(0, pl.DataFrame(schema=STEP_COLUMNS), watermarks_us=found)
        for sink in self._sinks:
            sink.wrote(output)


def _wall_us() -> int:
    return time.time_ns() // 1_000
