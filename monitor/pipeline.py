"""Wires the stages: payloads to events, tiers, values, levels and the stress index, all of it to the sinks.

The same pipeline runs live and in a replay. It has no clock: what time it is comes in as `upto` and `now_us`, from the
events of a replay, from the source that owns the clock, or from the wall.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl
import structlog

from monitor.alerts.evaluator import Evaluator
from monitor.checkpoint import Checkpoint, Facts, gather, put_back
from monitor.daily import DailyValues
from monitor.engine.block import BAD_BLOCK, BARS, BlockError, Claim, Fence
from monitor.engine.block import decode as decode_block
from monitor.engine.tiers import EVER, TierStore
from monitor.engine.watermark import LATENESS_US, NEVER_US
from monitor.index.stress import StressIndex
from monitor.intake import Intake
from monitor.results import Ingested, Output, RejectedEvent
from monitor.signals.model import Evaluation, change_ticks
from monitor.signals.standing import with_standing
from monitor.sources.base import Mark
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import date

    from monitor.calendar import MarketCalendar
    from monitor.engine.partition import Partition
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal
    from monitor.sources.base import RawBatch

BEFORE_EVERY_TICK: Final = -(1 << 62)

TICKS_AT_ONCE: Final = 3_600
"""How many ticks are evaluated in one go: bounds the memory of a replay; the result does not depend on it."""

VALUES_AT_ONCE: Final = 300_000
"""So many values of a signal at most: of many issues fewer ticks are evaluated in one go."""

IDLE_RELEASE_US: Final = 10 * MICROSECONDS_PER_SECOND
"""A partition that brought nothing for so long, by the clock of arrivals, holds ticks back no longer."""

REREAD_RELEASE_US: Final = 60 * MICROSECONDS_PER_SECOND
"""After a restart there is more patience: what was open has still to come, and would be too late after a release."""

BEHIND_RELEASE_US: Final = 60 * MICROSECONDS_PER_SECOND
"""So long a partition is waited for that is behind and brings nothing, while others bring something: no longer, for
its leader may be gone for good, and all alerts would wait with it."""

_log = structlog.get_logger(__name__)


class Pipeline:
    """All stages but the sources and the sinks.

    Args:
        signals: out of the catalogue.
        calendar: the market calendar.
        begin: the first tick that is run, epoch seconds: what comes before is past, read into the tiers only.
            None: every tick.
        ticks_at_once: bounds the memory.
        is_durable: whether `checkpoint` is asked for; if not, what it would give is forgotten as it comes.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        calendar: MarketCalendar,
        *,
        begin: int | None = None,
        ticks_at_once: int = TICKS_AT_ONCE,
        is_durable: bool = True,
    ) -> None:
        self._signals = tuple(signals)
        self._intake = Intake()
        self._store = TierStore(calendar)
        self._evaluator = Evaluator(signals, calendar)
        self._index = StressIndex(signals, calendar)
        self._daily = DailyValues(signals, calendar, self._store)
        self._ticks_at_once = ticks_at_once
        self._is_durable = is_durable
        self._begin = begin
        self._ran = BEFORE_EVERY_TICK
        self._newest_us: int | None = None
        self._releases: list[tuple[str, int, int]] = []
        self._told_silent: int | None = None
        self._fence = Fence()
        self._behind_elsewhere: set[str] = set()
        self._has_arrived = False
        self._asked_us: int | None = None
        self._arrived_us: int | None = None
        self._waited_us: dict[str, int] = {}

    @property
    def newest_event_us(self) -> int | None:
        """The newest event time of any stream, epoch microseconds; None before the first event."""
        return self._newest_us

    @property
    def step_shape(self) -> dict[str, pl.DataType]:
        """The columns of the frames of steps."""
        return self._evaluator.step_shape

    def ingest(self, batch: RawBatch, now_us: int | None = None) -> list[Ingested]:
        """Take in a batch, of events or of what others sealed; says what it brought, a stream at a time.

        Positions that were seen before are dropped, except those that a restart wants again.

        Args:
            batch: consecutive payloads of one partition.
            now_us: the moment by the clock of arrivals; None: there is none, and nothing is ever idle.
        """
        partition = self._store.partition(batch.partition)
        partition.arrived_us = now_us
        self._waited_us.pop(batch.partition, None)
        self._has_arrived = True
        if batch.stream == BARS:
            return self._take_blocks(batch, partition)
        told = self._intake.take_in(batch, partition, lambda parts: self._store.add(parts, self._ran + 1))
        if told:
            self._told_silent = None
        newest = [each.last_event_us for each in told if each.last_event_us is not None]
        self._newest_us = max([*newest, *([] if self._newest_us is None else [self._newest_us])], default=None)
        return told

    def _take_blocks(self, batch: RawBatch, log: Partition) -> list[Ingested]:
        """Take in what other processes sealed; blocks of earlier owners do not count."""
        _, which = log.split(batch.offsets)
        told: list[Ingested] = []
        for position, raw in zip(batch.offsets[which], batch.payloads[which], strict=True):
            try:
                each = decode_block(raw)
            except BlockError as error:
                offset, _ = batch.place(position)
                refused = RejectedEvent(BARS, BAD_BLOCK, str(error), batch.source, batch.partition, offset, raw)
                told.append(Ingested(BARS, 0, 0, 0, None, None, (refused,)))
                continue
            if not self._fence.counts(each):
                continue
            if isinstance(each, Claim):
                self._store.partition(each.partition).generation = each.generation
                # Whatever the group shares out is waited for until its owner says how it stands.
                unclaimed = {name for name in each.among if name not in self._fence.generations}
                for name in unclaimed:
                    self._store.partition(name)  # so that a restart knows of it
                self._behind_elsewhere |= unclaimed | {each.partition}
                continue
            self._behind_elsewhere.discard(each.partition)
            self._waited_us.pop(each.partition, None)
            if each.standing.is_behind:
                self._behind_elsewhere.add(each.partition)
            self._told_silent = None
            added = self._store.take_block(each, self._ran + 1)
            newest_us = each.standing.newest_us
            if newest_us is not None:
                self._newest_us = max(filter(None, (newest_us, self._newest_us)))
                log.newest_us = max(filter(None, (newest_us, log.newest_us)))
            streams = each.bars.keys() | each.prints.keys()
            told += [Ingested(name, 0, added.late.get(name, 0), 0, newest_us, newest_us) for name in sorted(streams)]
        return told

    def reached_us(self, partitions: Iterable[str]) -> int:
        """Of these partitions, the event time that the foremost has reached with quotes or trades; -2**62 if none."""
        known = (self._store.partitions.get(name) for name in partitions)
        return max((each.watermark.value_us for each in known if each is not None), default=NEVER_US)

    def know(self, partition: str, position: int) -> None:
        """A partition is read from a position on, and had nothing so far: a restart goes on there, too."""
        if partition not in self._store.partitions:
            self._store.partition(partition).restore(position, position, NEVER_US, is_held=False)

    def woke(self, now_us: int) -> None:
        """Nobody has looked for a while, so nobody has seen that nothing came: idleness is counted from now on."""
        self._asked_us = None
        for partition in self._store.partitions.values():
            partition.arrived_us = now_us

    def end(self, partitions: Iterable[str]) -> None:
        """Nothing more will come from these partitions: ticks do not wait for them."""
        for name in partitions:
            if name in self._store.partitions:
                self._store.release(name)

    def finish(self) -> None:
        """Nothing more will come at all: seal what is open."""
        self._store.finish()

    def advance(
        self, upto: int | None = None, now_us: int | None = None, behind: Collection[str] = ()
    ) -> Iterator[Output]:
        """Run the ticks that can be run; an output for every so many of them.

        Args:
            upto: the newest tick to run; None: up to the newest event.
            now_us: the moment by the clock of arrivals; None: nothing is ever idle.
            behind: partitions of which something older may still come than what came of others: ticks wait for them,
                prints or quotes, as far as they have come.
        """
        if not self._is_durable:
            self._forget_new()
        behind = {*behind, *self._behind_elsewhere}
        if now_us is not None:
            self._release_idle(now_us, behind)
        upto = self._reachable(upto, behind)
        ran = self._ran if self._begin is None else max(self._ran, self._begin - 1)
        if upto <= ran:
            if self._ran < ran and upto > BEFORE_EVERY_TICK:
                self._store.tiers(upto + 1, upto)  # the past is summed up as it comes
            return
        tiers = self._store.tiers(ran + 1, upto)
        ticks = change_ticks(self._signals, tiers, ran, upto)
        if self._ran < ran:
            ticks = pl.concat([ticks, pl.Series("tick", [ran + 1], pl.Int64)]).unique().sort()
        # What a session was like must be written down before the next one is compared with it.
        for session, end in self._daily.sessions(tiers, ticks, ran):
            tiers = self._daily.open(tiers, session)
            until = min(end, upto)
            yield from self._run(tiers, ticks.filter(ticks <= until), until, session if until == end else None)
            ticks, ran = ticks.filter(ticks > until), until
        if ran < upto:
            yield from self._run(tiers, ticks, upto)

    def _reachable(self, upto: int | None, behind: Collection[str]) -> int:
        """The newest tick up to `upto` that no quote and no trade still to come can change, nor what is behind."""
        if upto is None:
            if self._newest_us is None:
                return BEFORE_EVERY_TICK
            # A second with a quote is sealed, and seen, by the tick after it.
            upto = self._newest_us // MICROSECONDS_PER_SECOND + 1
        self._store.seal()
        return min(upto, self._store.horizon, *(self._reached(name) for name in behind))

    def _run(self, tiers: Tiers, ticks: pl.Series, upto: int, ending: date | None = None) -> Iterator[Output]:
        """Run these ticks, all of them of one session and of the time before it, or of no session.

        Args:
            tiers: what is known.
            ticks: those that were not run, up to `upto`.
            upto: the newest tick to run.
            ending: the date of the session that ends there, if one does.
        """
        at_once = max(1, min(self._ticks_at_once, VALUES_AT_ONCE // max(1, self._store.series_count)))
        for first in range(0, max(ticks.len(), 1), at_once):
            some = ticks.slice(first, at_once)
            rest = ticks.len() - first - some.len()
            evaluation = Evaluation(tiers, some, is_told=True)
            # Without a tick no value changes, but a hold may come to its end.
            values = {s.name: evaluation.values(s) for s in self._signals} if some.len() else {}
            if self._ran == BEFORE_EVERY_TICK and self._begin is not None:
                values = {s.name: with_standing(s, values[s.name], tiers, self._begin) for s in self._signals}
            until = some[-1] if rest else upto
            output = self._evaluator.advance(values, until)
            self._daily.saw(output)
            if ending is not None and until == upto:
                self._daily.close(ending)
            index = self._index.advance(output.steps, until)
            self._ran = until
            yield replace(output, watermarks_us=self._store.watermarks_us(), index=index)

    def silent(self, elapsed_us: int) -> Iterator[Output]:
        """Say what is blind although no tick comes to say so, because all input has stopped.

        Args:
            elapsed_us: how long nothing at all has come, by the clock of arrivals.
        """
        if self._newest_us is None or self._ran == BEFORE_EVERY_TICK:
            return
        upto = (self._newest_us + elapsed_us) // MICROSECONDS_PER_SECOND
        after = max(self._ran, self._told_silent or self._ran)
        if upto <= after:
            return
        tiers = self._store.tiers(self._ran + 1, self._ran)
        ticks = change_ticks(self._signals, tiers, after, upto)
        self._told_silent = upto
        if ticks.is_empty():
            return
        evaluation = Evaluation(tiers, ticks)
        output = self._evaluator.blinded({s.name: evaluation.values(s) for s in self._signals}, upto)
        if output.steps.height:
            yield replace(output, until=self._ran, index=self._index.blinded(output.steps))

    def standing(self) -> Output | None:
        """Every label set as it stands, for sinks that have seen nothing yet; None before the first tick."""
        if self._ran == BEFORE_EVERY_TICK:
            return None
        standing = self._evaluator.standing(self._ran)
        return replace(standing, watermarks_us=self._store.watermarks_us(), index=self._index.standing())

    def checkpoint(self) -> Checkpoint:
        """All that a new process needs to go on from here; the rows that tiers got since this was last asked."""
        # What a watermark has passed must be among the bars: read again, it would be too late.
        self._store.seal()
        facts = Facts(self._ran, self._newest_us, self._releases, frozenset(self._behind_elsewhere))
        self._releases = []
        return gather(self._store, self._evaluator, self._index, self._daily, facts)

    def restore(self, recovered: Checkpoint) -> None:
        """Go on from what an earlier process left: `checkpoint`s, put together."""
        facts = put_back(recovered, self._store, self._evaluator, self._index, self._daily)
        self._ran, self._newest_us = facts.ran, facts.newest_us
        self._behind_elsewhere = set(facts.behind)
        owned = {name: each.generation for name, each in self._store.partitions.items()}
        self._fence = Fence({name: generation for name, generation in owned.items() if generation is not None})

    @property
    def marks(self) -> dict[str, Mark]:
        """By partition, up to where its log was taken in for good if the state is kept now."""
        return {
            name: Mark(each.oldest_open, None if each.watermark.value_us == NEVER_US else each.watermark.value_us)
            for name, each in self._store.partitions.items()
        }

    @property
    def positions(self) -> dict[str, int]:
        """By partition, from which position on its log must be read to go on from here."""
        return {name: partition.oldest_open for name, partition in self._store.partitions.items()}

    @property
    def next_positions(self) -> dict[str, int]:
        """By partition, the first position that was never seen: where one goes on whose input cannot be read again."""
        return {name: partition.next_position for name, partition in self._store.partitions.items()}

    @property
    def ran(self) -> int | None:
        """The newest tick that was run, epoch seconds; None before the first."""
        return None if self._ran == BEFORE_EVERY_TICK else self._ran

    def suspects(self) -> dict[str, int]:
        """By stream, how many events with a volume equal an earlier one of their second in all but the position."""
        return self._store.suspects()

    def _forget_new(self) -> None:
        """Let go of the rows that nobody will write down."""
        self._store.take_new()
        self._daily.take_new()
        self._releases.clear()
        for partition in self._store.partitions.values():
            for sealer in partition.sealers.values():
                sealer.take_new_ids()

    def _reached(self, behind: str) -> int:
        """The newest tick that nothing to come of a partition that is behind can change, if it comes in order."""
        if self._waited_us.get(behind, 0) >= BEHIND_RELEASE_US:
            return EVER
        partition = self._store.partitions.get(behind)
        if partition is None or partition.newest_us is None:
            return BEFORE_EVERY_TICK
        return (partition.newest_us - LATENESS_US) // MICROSECONDS_PER_SECOND

    def _release_idle(self, now_us: int, behind: Collection[str]) -> None:
        if self._has_arrived:
            self._arrived_us = now_us
        # When nothing comes at all nobody is kept waiting. Of a jump of the clock no more is counted than a moment.
        flows = self._arrived_us is not None and now_us - self._arrived_us < IDLE_RELEASE_US
        passed_us = 0 if self._asked_us is None or not flows else min(max(0, now_us - self._asked_us), IDLE_RELEASE_US)
        # What is no longer behind is waited for no longer, and what was not is waited for from now on.
        before = self._waited_us
        self._waited_us = {name: before[name] + passed_us if name in before else 0 for name in behind}
        for name, waited_us in self._waited_us.items():
            partition = self._store.partitions.get(name)
            if partition is not None and waited_us < BEHIND_RELEASE_US:
                partition.arrived_us = now_us  # it is not idle
        self._asked_us, self._has_arrived = now_us, False
        for partition in self._store.partitions.values():
            silent_since = partition.arrived_us
            if silent_since is None:  # restored, and not heard of since
                partition.arrived_us = now_us
            elif partition.generation is not None:
                continue  # who seals it says whether it is idle
            elif partition.is_held and now_us - silent_since >= _patience_us(partition):
                self._store.release(partition.name)
                self._releases.append((partition.name, partition.next_position, self._ran))
                _log.debug("a partition is idle: ticks wait for it no longer", partition=partition.name)


def _patience_us(partition: Partition) -> int:
    return REREAD_RELEASE_US if partition.is_reading_again else IDLE_RELEASE_US
