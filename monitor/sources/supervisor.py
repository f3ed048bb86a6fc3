"""Keeps every source connected, and brings what they hand over to one place.

Each feed has a thread, and all calls of its source come from that thread. A feed goes through these states:

    CONNECTING -> UP -> ENDED         it handed over everything, and nothing will follow
    CONNECTING, UP -> BACKING_OFF     it broke, or could not be connected; after a wait CONNECTING again
    UP -> SILENT -> UP                nothing came for longer than its `silence_seconds`
    any but ENDED -> STOPPED          `Supervisor.stop` was called

Half-open connections look like silence: nobody tells that the other side has gone. So a feed that fell silent is
closed and connected again, at once, since its silence was the wait, and again after each further
`silence_seconds`. It stays SILENT all the while, for a connection alone proves nothing, until something comes
(UP), or it cannot be connected (BACKING_OFF, and UP once it can be). Time in which a feed was held up because
nobody took what it brought is no silence.

A feed is connected again at the position after the last that it handed over, so nothing is lost and nothing comes
twice, as far as its input can be read again.

Whoever takes what the feeds bring can ask what may still be on its way (`behind`), and say what it has taken in for
good (`keep`).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

from monitor.sources.backoff import Backoff
from monitor.sources.base import SourceError
from monitor.sources.handover import Handover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from monitor.sources.base import Mark, PartitionState, RawBatch, Source

KAFKA: Final = "kafka"
CONNECTIONS: Final = "connections"
"""Among the counts of a feed: how often it was connected."""
LIVE_KINDS: Final = frozenset({KAFKA, "websocket"})
"""Kinds of feed whose events arrive now; of all others it is not known when they arrived, or they say it."""
_OF_WHAT_CAME: Final = ("frames", "dropped")

_log = structlog.get_logger(__name__)


class SourceState(StrEnum):
    """How a feed stands; the module says what leads from one to the next."""

    CONNECTING = auto()
    UP = auto()
    SILENT = auto()
    BACKING_OFF = auto()
    ENDED = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Feed:
    """One input that is to be kept connected.

    Attributes:
        name: tells the feeds of a supervisor apart.
        kind: kafka, websocket, file, scenario or history.
        make: a new, unopened source; called in the feed's thread each time that it is connected. It may raise
            SourceError.
        silence_seconds: silence for so long means that something is wrong; None: it may be silent for ever.
    """

    name: str
    kind: str
    make: Callable[[], Source]
    silence_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch that a feed handed over.

    Attributes:
        feed: the feed's name.
        batch: as it came from the source; of a live kind of feed `arrived_us` is always there.
        arrived_at: the monotonic second at which the source handed it over.
    """

    feed: str
    batch: RawBatch
    arrived_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """How patient and how greedy the supervisor is.

    Attributes:
        first_wait_seconds: a feed that broke waits up to so long, then up to twice that, and so on.
        longest_wait_seconds: no wait is longer.
        queued_records: while so many wait to be taken, no feed is polled.
        records_a_poll: the most that a feed hands over at a time. Up to one poll of every feed may come on top
            of `queued_records`.
        idle_seconds: from a poll that had nothing to the next.
        close_seconds: what a source is given to close.
    """

    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    queued_records: int = 100_000
    records_a_poll: int = 10_000
    idle_seconds: float = 0.02
    close_seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot work; ValueError."""
        if not 0 < self.first_wait_seconds <= self.longest_wait_seconds < inf:
            raise ValueError("first_wait_seconds must be above 0, and longest_wait_seconds finite and no less")
        if self.queued_records < 1 or self.records_a_poll < 1:
            raise ValueError("queued_records and records_a_poll must be at least 1")
        if self.idle_seconds <= 0 or self.close_seconds < 0:
            raise ValueError("idle_seconds must be above 0, and close_seconds not below it")


class Supervisor:
    """Connects the feeds, each in a thread of its own, and gives what they bring to one taker.

    Args:
        feeds: with names that differ.
        resume: by partition, the first position that is wanted; see `Source.open`.
        settings: how patient and how greedy it is.
        on_state: called with a feed's name, its kind and its new state at every change, **from that feed's
            thread**: it must be safe for several threads and must not wait. A feed that `stop` could not wait for
            may still call it later.
        unseen: by partition, the first position that nobody has seen: a source that cannot be read again counts on
            from there, for what was open at `resume` does not come again.
        on_counts: called with a feed's name and how much more it has counted of what, as `Source.counts` and
            `CONNECTIONS` name it; from that feed's thread, as `on_state`.
        wall_us: wall time, epoch microseconds; from the feeds' threads.
        random: draws the waits of the back-off.
        monotonic: a monotonic clock in seconds; from the feeds' threads.
        wait: waits for an event so many seconds; from the feeds' threads.
    """

    def __init__(
        self,
        feeds: Sequence[Feed],
        resume: Mapping[str, int],
        *,
        settings: SupervisorSettings,
        on_state: Callable[[str, str, SourceState], None],
        wall_us: Callable[[], int],
        random: Random,
        unseen: Mapping[str, int] | None = None,
        on_counts: Callable[[str, Mapping[str, int]], None] = lambda _feed, _more: None,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        twice = sorted({feed.name for feed in feeds if [each.name for each in feeds].count(feed.name) > 1})
        if twice:
            raise ValueError(f"two feeds have one name: {', '.join(twice)}")
        self._monotonic = monotonic
        self._handover: Handover[Arrival] = Handover(settings.queued_records)
        self._stop = _Stop()
        world = _World(settings, on_state, on_counts, wall_us, random, monotonic, wait, self._handover, self._stop)
        self._keepers = [_Keeper(feed, resume, unseen or {}, world) for feed in feeds]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to connect; returns at once. RuntimeError if it was started, or stopped, before."""
        if self._threads or self._stop.asked.is_set():
            raise RuntimeError("a Supervisor is started once")
        # Daemons, so that a source that hangs for ever does not hold up the end of the process.
        self._threads = [
            threading.Thread(target=keeper.run, name=f"source {keeper.feed.name}", daemon=True)
            for keeper in self._keepers
        ]
        for thread in self._threads:
            thread.start()

    def take(self, timeout_seconds: float) -> Arrival | None:
        """What came first and was not taken yet; of a feed always in the order in which it came.

        Returns:
            None if nothing came within that time; after `stop`, at once if nothing is left.

        Raises:
            BaseException: what was raised in a feed's thread and is no SourceError: a mistake in the program.
                It is raised at once, before what still waits, and by every later call.
        """
        return self._handover.take(timeout_seconds)

    def statuses(self) -> dict[str, SourceState]:
        """The state of every feed, by its name."""
        return {keeper.feed.name: keeper.state for keeper in self._keepers}

    def not_ready_because(self) -> str | None:
        """Which feeds were never connected so far; None if every feed was, even if it is not now."""
        missing = [keeper.feed.name for keeper in self._keepers if not keeper.was_up]
        return f"not connected yet: {', '.join(missing)}" if missing else None

    def partitions(self) -> dict[str, PartitionState]:
        """How the partitions stand, of the feeds that can tell."""
        return {name: state for keeper in self._keepers for name, state in keeper.partitions.items()}

    def behind(self) -> set[str]:
        """The partitions of which something may be there that was not taken yet, though it is older than what was.

        Those that a feed says to be behind, those of feeds that are not connected, and those that wait to be taken.
        Of feeds that cannot tell, none but the last.
        """
        # In this order: what is handed over after a feed said how it stands is found in the queue.
        said = {name for keeper in self._keepers for name in keeper.behind()}
        absent = [keeper for keeper in self._keepers if not keeper.was_up and keeper.feed.kind in LIVE_KINDS]
        if absent:
            # Which of the partitions of the state are theirs they cannot say yet, nor what they have besides.
            known = self.partitions()
            said |= {name for keeper in absent for name in keeper.resume if name not in known}
            said |= {f"source {keeper.feed.name}" for keeper in absent}
        return said | {arrival.batch.partition for arrival in self._handover.waiting()}

    def without_partitions(self) -> list[str]:
        """The feeds of Kafka that are connected, and find nothing to read."""
        return [
            keeper.feed.name
            for keeper in self._keepers
            if keeper.feed.kind == KAFKA and keeper.state is SourceState.UP and not keeper.partitions
        ]

    def keep(self, marks: Mapping[str, Mark]) -> None:
        """Tell the sources what was taken in for good, by partition; each notes it as soon as it can."""
        for keeper in self._keepers:
            keeper.marks = marks

    def through_us(self) -> int | None:
        """The moment up to which the source that owns the clock has handed over everything; None if none does.

        Whoever reads this first, then `held`, and then takes so many records, has everything up to it.
        """
        known = [keeper.through_us for keeper in self._keepers if keeper.through_us is not None]
        return min(known, default=None)

    @property
    def held(self) -> int:
        """How many records were handed over and not taken."""
        return self._handover.held

    @property
    def ended(self) -> bool:
        """Whether every feed has ended and all that they brought was taken."""
        return all(keeper.state is SourceState.ENDED for keeper in self._keepers) and not self._handover.held

    def stop(self, deadline: float) -> list[str]:
        """Stop polling and let go of every source. What was brought until then can still be taken.

        Args:
            deadline: the monotonic second at which it returns at the latest; one for all feeds together.

        Returns:
            The names of the feeds that did not let go in time: their source hangs.
        """
        self._stop.by = deadline
        self._stop.asked.set()
        self._handover.close()
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._monotonic()))
        stuck = [
            keeper.feed.name
            for keeper, thread in zip(self._keepers, self._threads, strict=False)  # no threads if never started
            if thread.is_alive()
        ]
        if stuck:
            _log.warning("sources did not close in time", sources=stuck)
        return stuck


class _Stop:
    """That the feeds are to stop, and by which monotonic second."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.by = inf


@dataclass(frozen=True, slots=True)
class _World:
    """What the feeds share; the fields are those of `Supervisor`."""

    settings: SupervisorSettings
    on_state: Callable[[str, str, SourceState], None]
    on_counts: Callable[[str, Mapping[str, int]], None]
    wall_us: Callable[[], int]
    random: Random
    monotonic: Callable[[], float]
    wait: Callable[[threading.Event, float], object]
    handover: Handover[Arrival]
    stop: _Stop


class _Keeper:
    """Keeps one feed connected; `run` is the body of its thread, other threads only read its attributes.

    Attributes:
        feed: which one.
        state: how it stands.
        was_up: whether it was ever connected.
        through_us: `Source.through_us` as of what was put into the queue.
        partitions: `Source.partitions` as of what was put into the queue.
        marks: what was taken in for good, by partition, to be told to the source.
        resume: by partition, the position after the last that it handed over, or that was wanted at first.
    """

    def __init__(self, feed: Feed, resume: Mapping[str, int], unseen: Mapping[str, int], world: _World) -> None:
        self.feed = feed
        self.state = SourceState.CONNECTING
        self.was_up = False
        self.through_us: int | None = None
        self.partitions: Mapping[str, PartitionState] = {}
        self.marks: Mapping[str, Mark] = {}
        self._told_marks: Mapping[str, Mark] = {}
        self._world = world
        self.resume = dict(resume)
        self._unseen = unseen
        self._told_counts: Mapping[str, int] = {}
        self._lasts_since = 0.0
        self._backoff = Backoff(world.settings.first_wait_seconds, world.settings.longest_wait_seconds, world.random)
        self._log = _log.bind(source=feed.name, kind=feed.kind)

    def behind(self) -> set[str]:
        """The partitions of which something older than what was handed over may still come; see `Supervisor.behind`."""
        if self.state in (SourceState.UP, SourceState.ENDED):
            return {name for name, each in self.partitions.items() if each.is_behind}
        return set(self.partitions)  # nobody knows what waits there

    def run(self) -> None:
        """Connect and hand over until the feed has ended or is to stop."""
        try:
            self._world.on_state(self.feed.name, self.feed.kind, self.state)
            while not self._world.stop.asked.is_set() and self.state is not SourceState.ENDED:
                self._attempt()
            if self.state is not SourceState.ENDED:
                self._tell(SourceState.STOPPED)
        except BaseException as error:  # noqa: BLE001 - nothing is swallowed: `take` raises it in the taker's thread
            error.add_note(f"raised in the thread of the source {self.feed.name}")
            self.state = SourceState.STOPPED
            self._world.handover.fail(error)

    def _attempt(self) -> None:
        """One connection, until it ends in whatever way; then the wait, if there has to be one."""
        if self.state is not SourceState.SILENT:
            self._tell(SourceState.CONNECTING)
        try:
            self._connection()
        except SourceError as error:
            seconds = self._backoff.next_seconds()
            self._log.warning("source broke; it is connected again", error=str(error), wait_seconds=round(seconds, 3))
            self._tell(SourceState.BACKING_OFF)
            self._world.wait(self._world.stop.asked, seconds)

    def _connection(self) -> None:
        """Open a new source, hand over what it has, and close it whatever happens.

        Raises:
            SourceError: it could not be made or opened, or it broke.
        """
        source, has_ended = None, False
        try:
            source = self.feed.make()
            if not source.can_read_again:
                self.resume = {name: max(at, self._unseen.get(name, at)) for name, at in self.resume.items()}
            source.open(dict(self.resume))
            self._lasts_since = self._world.monotonic()
            self._world.on_counts(self.feed.name, {CONNECTIONS: 1})
            self._told_counts = {}
            self._exchange(source)  # before it counts as up: what stood of an earlier connection says nothing any more
            self.was_up = True
            if self.state is not SourceState.SILENT:
                self._log.info("source is connected")
                self._tell(SourceState.UP)
            has_ended = self._hand_over_all(source)
        finally:
            if source is not None:
                self._count(source)  # also what it counted before it broke
                world = self._world
                source.close(max(0.0, min(world.settings.close_seconds, world.stop.by - world.monotonic())))
        if has_ended:
            self._log.info("source ended")
            self._tell(SourceState.ENDED)

    def _hand_over_all(self, source: Source) -> bool:
        """Poll until the source is exhausted, or silent, or to stop; whether it is exhausted."""
        world, settings = self._world, self._world.settings
        heard_at = world.monotonic()
        while not world.stop.asked.is_set():
            if source.exhausted:
                return True
            held_up_at = world.monotonic()
            world.handover.wait_for_room()
            heard_at += world.monotonic() - held_up_at
            if world.stop.asked.is_set():
                break
            batch = source.poll(settings.records_a_poll)
            now = world.monotonic()
            self.through_us = source.through_us
            if batch is not None:
                self._hand_over(source, batch, now)
                heard_at = now
            if self._exchange(source):
                heard_at = now
            if batch is not None:
                continue
            if self.feed.silence_seconds is not None and now - heard_at >= self.feed.silence_seconds:
                if self.state is not SourceState.SILENT:
                    self._log.warning("source says nothing; it is connected again", silent_seconds=now - heard_at)
                    self._tell(SourceState.SILENT)
                break
            world.wait(world.stop.asked, settings.idle_seconds)
        self._exchange(source)
        return False

    def _exchange(self, source: Source) -> bool:
        """Learn how the source's partitions stand, and tell it what was taken in for good.

        Returns whether something came, handed over or not: a feed whose heartbeats a mapping drops is not silent. Only
        what is handed over ends a silence, for a server that confirms each subscription may send nothing else.
        """
        self.partitions = source.partitions()
        # One that had nothing yet goes on, too, where it stands, and not where a new one would begin.
        self.resume |= {name: each.position for name, each in self.partitions.items()}
        marks = self.marks
        if marks is not self._told_marks:
            source.keep(marks)
            self._told_marks = marks
        return self._count(source)

    def _count(self, source: Source) -> bool:
        """Tell what the source has counted since it was last asked; whether something came."""
        before, counts = self._told_counts, dict(source.counts())
        if counts == before:
            return False
        self._told_counts = counts
        self._world.on_counts(self.feed.name, {what: count - before.get(what, 0) for what, count in counts.items()})
        return any(counts.get(what, 0) > before.get(what, 0) for what in _OF_WHAT_CAME)

    def _hand_over(self, source: Source, batch: RawBatch, now: float) -> None:
        if batch.arrived_us is None and self.feed.kind in LIVE_KINDS:
            batch = replace(batch, arrived_us=[self._world.wall_us()] * len(batch))
        if states := source.partitions():
            # Before anybody can take it: of the other partitions something older may be on its way.
            own = states.get(batch.partition)
            self.partitions = {**states, batch.partition: replace(own, is_behind=True)} if own else states
        self._world.handover.put(Arrival(self.feed.name, batch, now), len(batch))
        self.resume[batch.partition] = batch.offsets[-1] + 1
        # A feed may say something to whoever connects, and then let nobody stay.
        if source.can_read_again or now - self._lasts_since >= self._world.settings.longest_wait_seconds:
            self._backoff.reset()
        if self.state is SourceState.SILENT:
            self._log.info("source speaks again")
            self._tell(SourceState.UP)

    def _tell(self, state: SourceState) -> None:
        if state is not self.state:
            self.state = state
            self._world.on_state(self.feed.name, self.feed.kind, state)
