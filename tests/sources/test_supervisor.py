"""The supervisor against sources that break, hang, fall silent or bring too much.

Time is a fake wherever it is waited for, except where it is shown that something real does not hang.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.backoff import Backoff
from monitor.sources.base import RawBatch, Source, SourceError
from monitor.sources.file import FileSource
from monitor.sources.supervisor import Arrival, Feed, SourceState, Supervisor, SupervisorSettings

CONNECTING, UP, SILENT = SourceState.CONNECTING, SourceState.UP, SourceState.SILENT
BACKING_OFF, ENDED, STOPPED = SourceState.BACKING_OFF, SourceState.ENDED, SourceState.STOPPED

PATIENCE_SECONDS = 5.0
"""What a test waits for comes at once; this is only how long it takes to fail."""
WALL_US = 1_700_000_000_000_000


class Always(Random):
    """Draws the greatest wait that is allowed."""

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002 - Random's
        return b


class FakeTime:
    """A clock that goes on only where somebody waits, and how long that was."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._lock:
            self.now += seconds
            self.waits.append(seconds)
        return event.wait(0.0002)


Step = int | str | Exception
"""Of a connection: a number of records that a poll hands over; `idle`, `hang`, `end`; or an error that it raises."""


@dataclass
class Side:
    """The other side of a feed: what it holds, and how each connection to it goes.

    Attributes:
        records: by partition; the record at index i has the offset i + 1.
        connections: the steps of each; after the last step, and the last connection, `then` goes on for ever.
        make_errors, open_errors: what the first connections raise; None: nothing.
    """

    records: dict[str, list[bytes]] = field(default_factory=dict)
    connections: list[list[Step]] = field(default_factory=list)
    then: Step = "idle"
    can_read_again: bool = True
    make_errors: list[Exception | None] = field(default_factory=list)
    open_errors: list[Exception | None] = field(default_factory=list)
    hang_in: str = ""
    arrived_us: int | None = None
    release: threading.Event = field(default_factory=threading.Event)
    hangs: threading.Event = field(default_factory=threading.Event)
    made: list[FaultySource] = field(default_factory=list)
    opened_at: list[dict[str, int]] = field(default_factory=list)
    polls: int = 0

    def make(self) -> Source:
        if self.make_errors and (error := self.make_errors.pop(0)):
            raise error
        self.hang("make")
        source = FaultySource(self)
        self.made.append(source)
        return source

    def hang(self, where: str) -> None:
        if where == self.hang_in:
            self.hangs.set()
            self.release.wait(30)


class FaultySource(Source):
    """Keeps the contract, but for the faults that its side tells."""

    name = "faulty"

    def __init__(self, side: Side) -> None:
        self.side = side
        self.can_read_again = side.can_read_again
        self.steps = list(side.connections.pop(0)) if side.connections else []
        self.at: dict[str, int] = {}
        self.has_ended = False
        self.dropped = 0
        self.threads = [threading.get_ident()]
        self.closed: list[float] = []

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        self.threads.append(threading.get_ident())
        self.side.hang("open")
        if self.side.open_errors and (error := self.side.open_errors.pop(0)):
            raise error
        self.side.opened_at.append(dict(resume or {}))
        self.at = {partition: max((resume or {}).get(partition, 1), 1) for partition in self.side.records}

    def poll(self, max_records: int) -> RawBatch | None:
        self.threads.append(threading.get_ident())
        assert not self.closed
        self.side.polls += 1
        self.side.hang("poll")
        step = self.steps.pop(0) if self.steps else self.side.then
        if isinstance(step, Exception):
            raise step
        if step == "dropped":
            self.dropped += 1
        if step == "end":
            self.has_ended = True
        if isinstance(step, str):
            return None
        # The partition that lags behind comes first, so that they take turns.
        for partition in sorted(self.at, key=lambda each: self.at[each]):
            first = self.at[partition]
            payloads = self.side.records[partition][first - 1 : first - 1 + min(step, max_records)]
            if payloads:
                self.at[partition] += len(payloads)
                arrived = None if self.side.arrived_us is None else [self.side.arrived_us] * len(payloads)
                return RawBatch(self.name, None, partition, range(first, first + len(payloads)), payloads, arrived)
        return None

    @property
    def exhausted(self) -> bool:
        return self.has_ended

    def counts(self) -> Mapping[str, int]:
        return {"dropped": self.dropped}

    def lag(self) -> int | None:
        return None

    def progress(self) -> tuple[int, int | None]:
        return 0, None

    def close(self, timeout_seconds: float) -> None:
        self.threads.append(threading.get_ident())
        self.closed.append(timeout_seconds)
        self.side.hang("close")


def numbered(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(1, count + 1)]


@dataclass
class Run:
    """A supervisor under test, and what it told."""

    supervisor: Supervisor
    clock: FakeTime
    told: list[tuple[str, str, SourceState]]
    told_from: list[str]
    sides: list[Side]

    def states(self, name: str) -> list[SourceState]:
        return [state for feed, _, state in list(self.told) if feed == name]

    def take_until(self, done: Callable[[list[Arrival]], bool]) -> list[Arrival]:
        taken: list[Arrival] = []
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not done(taken):
            if arrival := self.supervisor.take(0.001):
                taken.append(arrival)
            assert time.monotonic() < ends_at, f"taken {taken}, told {self.told}"
        return taken

    def take_records(self, count: int) -> list[Arrival]:
        return self.take_until(lambda taken: sum(len(arrival.batch) for arrival in taken) >= count)


def until(done: Callable[[], object]) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < ends_at
        time.sleep(0.0005)


@contextmanager
def running(
    feeds: Sequence[Feed] | Mapping[str, Side],
    resume: Mapping[str, int] | None = None,
    *,
    kind: str = "kafka",
    silence_seconds: float | None = None,
    real_time: bool = False,
    random: Random | None = None,
    on_state: Callable[[str, str, SourceState], None] | None = None,
    on_counts: Callable[[str, Mapping[str, int]], None] = lambda *_: None,
    **set_to: Any,
) -> Iterator[Run]:
    """A started supervisor of sides (one feed each), stopped at the end; whatever hangs is released."""
    sides = list(feeds.values()) if isinstance(feeds, Mapping) else []
    if isinstance(feeds, Mapping):
        feeds = [Feed(name, kind, side.make, silence_seconds) for name, side in feeds.items()]
    clock, told, told_from = FakeTime(), list[tuple[str, str, SourceState]](), list[str]()

    def tell(name: str, kind: str, state: SourceState) -> None:
        told.append((name, kind, state))
        told_from.append(threading.current_thread().name)

    supervisor = Supervisor(
        feeds,
        resume or {},
        settings=SupervisorSettings(**{"first_wait_seconds": 1.0, "longest_wait_seconds": 8.0, **set_to}),
        on_state=on_state or tell,
        on_counts=on_counts,
        wall_us=lambda: WALL_US,
        random=random or Random(1),
        monotonic=time.monotonic if real_time else clock.monotonic,
        wait=threading.Event.wait if real_time else clock.wait,
    )
    supervisor.start()
    try:
        yield Run(supervisor, clock, told, told_from, sides)
    finally:
        for side in sides:
            side.release.set()
        now = time.monotonic() if real_time else clock.now
        assert supervisor.stop(now + PATIENCE_SECONDS) == []
        for side in sides:
            for source in side.made:
                assert source.closed, "a source was left open"
                assert len(set(source.threads)) == 1, "a source was called from several threads"


def rows(taken: list[Arrival], feed: str | None = None) -> dict[str, list[tuple[int, bytes]]]:
    read: dict[str, list[tuple[int, bytes]]] = {}
    for arrival in taken:
        if feed in (None, arrival.feed):
            batch = arrival.batch
            read.setdefault(batch.partition, []).extend(zip(batch.offsets, batch.payloads, strict=True))
    return read


# Back-off


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 10), st.floats(1, 100), st.integers(1, 1200), st.randoms(use_true_random=False))
def test_waits_stay_within_limits_that_double_up_to_a_cap(first: float, times: float, count: int, random: Any) -> None:
    longest = first * times
    drawn, greatest = Backoff(first, longest, random), Backoff(first, longest, Always())
    limits = [greatest.next_seconds() for _ in range(count)]
    assert limits[0] == first
    assert all(b == min(longest, 2 * a) for a, b in pairwise(limits))
    assert all(0 <= drawn.next_seconds() <= limit for limit in limits)
    greatest.reset()
    assert greatest.next_seconds() == first


def test_waits_are_spread_evenly_from_nothing_to_the_limit() -> None:
    random = Random(7)
    waits = sorted(Backoff(4.0, 4.0, random).next_seconds() for _ in range(2000))
    assert all(abs(wait - 4.0 * i / 2000) < 0.2 for i, wait in enumerate(waits))


def test_a_feed_that_cannot_be_connected_waits_ever_longer() -> None:
    errors = [SourceError("down")] * 4
    side = Side({"p": numbered(1)}, [[1, "end"]], make_errors=[*errors, None], open_errors=[*errors])
    side.connections = [[]] * 4 + side.connections  # those that fail to open are connections too
    with running({"a": side}, random=Always(), idle_seconds=0.001) as run:
        run.take_until(lambda _: run.supervisor.ended)
        assert [wait for wait in run.clock.waits if wait != 0.001] == [1, 2, 4, 8, 8, 8, 8, 8]
        assert run.states("a") == [*[CONNECTING, BACKING_OFF] * 8, CONNECTING, UP, ENDED]


def test_only_a_connection_that_handed_something_over_makes_the_waits_short_again() -> None:
    broken = SourceError("gone")
    nothing: list[Step] = ["idle", broken]
    side = Side({"p": numbered(9)}, [nothing, nothing, nothing, [1, broken], nothing, [1, 1, broken], [1, "end"]])
    with running({"a": side}, random=Always(), idle_seconds=0.001) as run:
        run.take_until(lambda _: run.supervisor.ended)
        assert [wait for wait in run.clock.waits if wait != 0.001] == [1, 2, 4, 1, 2, 1]


@pytest.mark.parametrize(("lasts_seconds", "waits"), [(0.5, [1, 2, 4]), (8.0, [1, 1, 1])])
def test_a_feed_that_speaks_to_all_and_lets_nobody_stay_is_not_stormed(lasts_seconds: float, waits: list[int]) -> None:
    """A feed that cannot be read again brings something at once, whoever connects."""
    welcome: list[Step] = [1, "idle", 1, SourceError("gone")]
    side = Side({"p": numbered(20)}, [welcome, welcome, welcome, [1, "end"]], can_read_again=False)
    with running({"a": side}, random=Always(), idle_seconds=lasts_seconds) as run:
        run.take_until(lambda _: run.supervisor.ended)
        assert [wait for wait in run.clock.waits if wait != lasts_seconds] == waits


def test_what_was_counted_before_a_break_is_told() -> None:
    counted: Counter[str] = Counter()
    side = Side({"p": numbered(1)}, [["dropped", SourceError("gone")], ["dropped", 1, "end"]])
    feed = Feed("a", "websocket", side.make, None)
    with running([feed], on_counts=lambda _, counts: counted.update(counts)) as run:
        run.take_until(lambda _: run.supervisor.ended)
    assert counted == {"connections": 2, "dropped": 2}


def test_a_break_is_logged_with_its_reason_and_its_wait() -> None:
    side = Side(connections=[[SourceError("broker.example:9092 does not answer")]])
    with structlog.testing.capture_logs() as logs, running({"a": side}, kind="kafka", random=Always()) as run:
        until(lambda: BACKING_OFF in run.states("a"))
    (told,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert told["error"] == "broker.example:9092 does not answer"
    assert (told["source"], told["kind"], told["wait_seconds"]) == ("a", "kafka", 1.0)


# Nothing lost, nothing twice

BREAK = st.builds(SourceError, st.just("gone"))
CONNECTION = st.lists(st.one_of(st.integers(1, 7), st.just("idle"), BREAK), max_size=6)


@settings(max_examples=80, deadline=None)
@given(
    counts=st.lists(st.integers(0, 25), min_size=1, max_size=3),
    connections=st.lists(CONNECTION, max_size=6),
    open_errors=st.lists(st.none() | BREAK, max_size=4),
    make_errors=st.lists(st.none() | BREAK, max_size=4),
    resume=st.dictionaries(st.sampled_from(["p0", "p1", "p2", "of another feed"]), st.integers(0, 30)),
    a_poll=st.integers(1, 5),
    queued=st.integers(1, 20),
    silence=st.none() | st.just(0.004),
)
def test_no_pattern_of_breaks_loses_or_doubles_anything(
    counts: list[int], connections: list[list[Step]], open_errors: list[Exception | None],
    make_errors: list[Exception | None], resume: dict[str, int], a_poll: int, queued: int, silence: float | None,
) -> None:  # fmt: skip
    records = {f"p{i}": numbered(count) for i, count in enumerate(counts)}
    side = Side(
        records, [list(steps) for steps in connections], then=3, make_errors=make_errors, open_errors=open_errors
    )
    wanted = {
        partition: [(i, payload) for i, payload in enumerate(payloads, start=1) if i >= resume.get(partition, 1)]
        for partition, payloads in records.items()
    }
    total = sum(map(len, wanted.values()))
    with running(
        {"a": side}, resume, silence_seconds=silence, records_a_poll=a_poll, queued_records=queued, idle_seconds=0.001
    ) as run:
        taken = run.take_records(total)
        taken += [arrival for _ in range(3) if (arrival := run.supervisor.take(0.0005))]
    assert rows(taken) == {partition: read for partition, read in wanted.items() if read}
    assert all(1 <= len(arrival.batch) <= a_poll for arrival in taken)


def test_a_feed_is_connected_again_behind_what_it_handed_over() -> None:
    side = Side({"p": numbered(9), "q": numbered(9)}, [[4, SourceError("gone")], ["idle", SourceError("gone")]])
    with running({"a": side}, {"p": 3, "elsewhere": 7}) as run:
        run.take_records(4)
        until(lambda: len(side.opened_at) == 3)
    assert side.opened_at[0] == {"p": 3, "elsewhere": 7}
    assert side.opened_at[1:] == [{"p": 3, "q": 5, "elsewhere": 7}] * 2


def test_a_real_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "repo.ndjson"
    path.write_bytes(b"".join(line + b"\n" for line in numbered(50)))
    feed = Feed("file", "file", lambda: FileSource(path, "repo"))
    with running([feed], {str(path): 11}, records_a_poll=7) as run:
        taken = run.take_until(lambda _: run.supervisor.ended)
    assert rows(taken) == {str(path): list(enumerate(numbered(50), start=1))[10:]}
    assert run.states("file") == [CONNECTING, UP, ENDED]


# Silence


def test_silence_is_told_once_and_connects_again_until_something_comes() -> None:
    quiet: list[Step] = ["idle"] * 400
    side = Side({"p": numbered(9)}, [[1, *quiet], [*quiet], [*quiet], ["idle", 1, 1]], then="idle")
    with (
        structlog.testing.capture_logs() as logs,
        running({"a": side}, silence_seconds=30.0, idle_seconds=0.5) as run,
    ):
        first, second, *_ = run.take_records(3)
        until(lambda: len(run.states("a")) >= 4)
        assert run.states("a")[:4] == [CONNECTING, UP, SILENT, UP]
        assert [sum(source.closed != [] for source in side.made[:3])] == [3]
        assert 3 * 30.0 <= second.arrived_at - first.arrived_at <= 3 * 30.0 + 2.0
        assert side.opened_at[:4] == [{}, {"p": 2}, {"p": 2}, {"p": 2}]
        until(lambda: run.states("a")[4:5] == [SILENT])
    warnings = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert warnings == ["source says nothing; it is connected again"] * 2
    assert 0.5 in run.clock.waits
    assert max(run.clock.waits) == 0.5, "silence was the wait: no back-off comes on top"


def test_something_now_and_then_is_no_silence() -> None:
    beat: list[Step] = [*["idle"] * 50, 1]
    side = Side({"p": numbered(5)}, [[*beat * 5, "end"]])
    with running({"a": side}, silence_seconds=30.0, idle_seconds=0.5) as run:
        run.take_until(lambda _: run.supervisor.ended)
    assert run.states("a") == [CONNECTING, UP, ENDED]


def test_a_feed_whose_heartbeats_are_dropped_is_not_silent() -> None:
    beat: list[Step] = [*["idle"] * 50, "dropped"]
    side = Side({"p": numbered(1)}, [[1, *beat * 5, "end"]])
    with running({"a": side}, silence_seconds=30.0, idle_seconds=0.5) as run:
        run.take_until(lambda _: run.supervisor.ended)
    assert run.states("a") == [CONNECTING, UP, ENDED]


def test_what_is_dropped_ends_no_silence() -> None:
    quiet: list[Step] = ["idle"] * 400
    side = Side({"p": numbered(1)}, [[*quiet], ["dropped", *quiet], ["dropped", *quiet], [1, "end"]])
    with running({"a": side}, silence_seconds=30.0, idle_seconds=0.5) as run:
        run.take_until(lambda _: run.supervisor.ended)
    assert run.states("a") == [CONNECTING, UP, SILENT, UP, ENDED]


def test_a_feed_without_a_limit_may_be_silent_for_ever() -> None:
    side = Side()
    with running({"a": side}, silence_seconds=None, idle_seconds=1e6) as run:
        until(lambda: len(run.clock.waits) > 20)
        assert run.states("a") == [CONNECTING, UP]
    assert len(side.made) == 1


def test_a_silent_feed_that_breaks_backs_off() -> None:
    side = Side(open_errors=[None, SourceError("refused")])
    with running({"a": side}, silence_seconds=10.0, idle_seconds=1.0) as run:
        until(lambda: len(run.states("a")) >= 7)
    assert run.states("a")[:7] == [CONNECTING, UP, SILENT, BACKING_OFF, CONNECTING, UP, SILENT]


def test_being_held_up_is_no_silence() -> None:
    side = Side({"p": numbered(20)}, then=5)
    with running({"a": side}, silence_seconds=30.0, records_a_poll=5, queued_records=10, idle_seconds=0.001) as run:
        until(lambda: side.polls == 2)
        time.sleep(0.01)  # it waits for room by now
        run.clock.now += 1000.0
        side.connections, side.then = [], "idle"
        run.take_records(10)
        until(lambda: side.polls > 10)
        assert run.states("a") == [CONNECTING, UP]


# Back-pressure


def test_what_is_held_is_bounded_and_no_feed_is_polled_meanwhile() -> None:
    sides = {name: Side({name: numbered(1000)}, then=10) for name in "abc"}
    with running(sides, records_a_poll=10, queued_records=50) as run:
        until(lambda: run.supervisor._handover.held >= 50)
        time.sleep(0.02)
        held, polls = run.supervisor._handover.held, sum(side.polls for side in sides.values())
        assert 50 <= held < 50 + 3 * 10
        assert polls == held / 10
        time.sleep(0.02)
        assert (run.supervisor._handover.held, sum(side.polls for side in sides.values())) == (held, polls)
        taken = run.take_until(lambda taken: sum(len(arrival.batch) for arrival in taken) == 3000)
        assert run.supervisor._handover.held == 0
    for name in sides:
        assert rows(taken, name) == {name: list(enumerate(numbered(1000), start=1))}


# Stopping


@pytest.mark.parametrize("where", ["make", "open", "poll", "close"])
def test_stop_keeps_its_deadline_while_a_source_hangs(where: str) -> None:
    stuck = [Side({"p": numbered(9)}, [[SourceError("gone")]] if where == "close" else [], hang_in=where) for _ in "ab"]
    fine = Side({"q": numbered(3)}, then=1)
    sides = {"stuck": stuck[0], "stuck too": stuck[1], "fine": fine}
    with running(sides, real_time=True, idle_seconds=0.001) as run:
        assert all(side.hangs.wait(PATIENCE_SECONDS) for side in stuck)
        run.take_records(3)
        assert all(each.daemon for each in threading.enumerate() if each.name.startswith("source ")), "it may hang"
        began = time.monotonic()
        with structlog.testing.capture_logs() as logs:
            assert run.supervisor.stop(began + 0.08) == ["stuck", "stuck too"]
        assert 0.07 < time.monotonic() - began < 0.08 + 0.1
        assert run.supervisor.statuses()["fine"] is STOPPED
        assert run.supervisor.statuses()["stuck"] is not STOPPED
        assert [entry["sources"] for entry in logs if "sources" in entry] == [["stuck", "stuck too"]]
        assert run.supervisor.take(10.0) is None


def test_stop_does_not_wait_for_room() -> None:
    sides = {name: Side({name: numbered(100)}, then=5) for name in "ab"}
    with running(sides, real_time=True, records_a_poll=5, queued_records=10) as run:
        until(lambda: run.supervisor._handover.held >= 10)
        time.sleep(0.01)
        held, polls = run.supervisor._handover.held, sum(side.polls for side in sides.values())
        began = time.monotonic()
        assert run.supervisor.stop(began + PATIENCE_SECONDS) == []
        assert time.monotonic() - began < 0.5
        assert run.supervisor.statuses() == {"a": STOPPED, "b": STOPPED}
        assert (run.supervisor._handover.held, sum(side.polls for side in sides.values())) == (held, polls)
        taken = run.take_until(lambda taken: sum(len(arrival.batch) for arrival in taken) == held)
        assert sum(map(len, rows(taken).values())) == 5 * polls, "what was brought can still be taken"


@pytest.mark.parametrize("error", [None, SourceError("down")], ids=["idle", "backing off"])
def test_stop_cuts_every_wait_short(error: Exception | None) -> None:
    side = Side(make_errors=[error] * 99)
    waits: dict[str, Any] = {"first_wait_seconds": 60.0, "longest_wait_seconds": 60.0, "idle_seconds": 60.0}
    with running({"a": side}, real_time=True, random=Always(), **waits) as run:
        until(lambda: run.supervisor.statuses()["a"] in (UP, BACKING_OFF))
        time.sleep(0.01)
        began = time.monotonic()
        assert run.supervisor.stop(began + PATIENCE_SECONDS) == []
        assert time.monotonic() - began < 0.5
        assert run.states("a")[-1] is STOPPED


def test_closing_gets_its_own_budget_and_never_more_than_is_left() -> None:
    side = Side(connections=[[SourceError("gone")]])
    with running({"a": side}, close_seconds=2.0, idle_seconds=0.001) as run:
        until(lambda: len(side.opened_at) == 2)
        # The fake clock goes on while the thread waits, so what is left by then is not known to the second.
        run.supervisor.stop(run.clock.now + 1.0)
        assert side.made[0].closed == [2.0]
        assert 0.0 <= side.made[1].closed[0] <= 1.0


def test_a_supervisor_that_was_not_started_stops_and_is_not_started_after_that() -> None:
    def never(*_: object) -> None:
        raise AssertionError("there is no thread that could tell")

    supervisor = Supervisor(
        [Feed("a", "file", Side().make)], {}, settings=SupervisorSettings(), on_state=never, wall_us=lambda: 0,
        random=Random(1),
    )  # fmt: skip
    assert supervisor.statuses() == {"a": CONNECTING}
    assert supervisor.stop(time.monotonic() + 1) == []
    with pytest.raises(RuntimeError, match="started once"):
        supervisor.start()


def test_starting_twice_is_a_mistake() -> None:
    with running({"a": Side()}) as run, pytest.raises(RuntimeError, match="started once"):
        run.supervisor.start()


# Several feeds


@pytest.mark.parametrize("where", ["make", "open", "poll", "close", "broken"])
def test_one_bad_feed_stalls_no_other(where: str) -> None:
    error = SourceError("gone")
    bad = Side(make_errors=[error] * 9999) if where == "broken" else Side(connections=[[error]], hang_in=where)
    good = {name: Side({name: numbered(200)}, then=10) for name in ("good", "better")}
    # Room for no more than one poll: a feed that hangs must not keep it.
    with running({"bad": bad, **good}, records_a_poll=10, queued_records=10, idle_seconds=0.001) as run:
        taken = run.take_records(400)
        assert {name: len(rows(taken, name)[name]) for name in good} == {"good": 200, "better": 200}
        assert run.states("better") == run.states("good") == [CONNECTING, UP]


def test_states_are_told_from_the_feeds_threads() -> None:
    with running({"a": Side(then="end"), "b": Side()}, kind="websocket") as run:
        until(lambda: run.supervisor.statuses() == {"a": ENDED, "b": UP})
    assert run.supervisor.statuses() == {"a": ENDED, "b": STOPPED}
    assert run.states("a") == [CONNECTING, UP, ENDED]
    assert run.states("b") == [CONNECTING, UP, STOPPED]
    assert {kind for _, kind, _ in run.told} == {"websocket"}
    assert [f"source {name}" for name, _, _ in run.told] == run.told_from


def test_not_ready_until_every_feed_was_up_once() -> None:
    slow, broken = Side(hang_in="open"), Side(open_errors=[SourceError("down")] * 9999)
    flapping = Side(connections=[[SourceError("gone")]] * 9999)
    with running({"slow": slow, "broken": broken, "flapping": flapping}) as run:
        until(lambda: run.supervisor.not_ready_because() == "not connected yet: slow, broken")
        slow.release.set()
        until(lambda: run.supervisor.not_ready_because() == "not connected yet: broken")
        broken.open_errors = []
        until(lambda: run.supervisor.not_ready_because() is None)
        until(lambda: run.supervisor.statuses()["flapping"] is not UP)
        assert run.supervisor.not_ready_because() is None


def test_names_must_differ() -> None:
    with (
        pytest.raises(ValueError, match="two feeds have one name: a"),
        running([Feed("a", "file", Side().make), Feed("b", "file", Side().make), Feed("a", "kafka", Side().make)]),
    ):
        pass


# The end


def test_ended_only_when_every_feed_has_and_everything_was_taken() -> None:
    sides = {"a": Side({"a": numbered(3)}, [[2, 1, "end"]]), "b": Side({"b": numbered(1)}, [[1]])}
    with running(sides) as run:
        until(lambda: run.supervisor.statuses()["a"] is ENDED)
        assert sides["a"].made[0].closed
        run.take_records(4)
        assert not run.supervisor.ended, "b goes on"
        sides["b"].then = "end"
        until(lambda: run.supervisor.ended)
        assert run.supervisor.take(0.0) is None
    assert run.supervisor.ended, "stopping does not undo it"
    assert run.states("a")[-1] is ENDED


def test_not_ended_while_something_waits_to_be_taken() -> None:
    with running({"a": Side({"p": numbered(2)}, [[1, 1, "end"]])}) as run:
        until(lambda: run.supervisor.statuses()["a"] is ENDED)
        assert not run.supervisor.ended
        run.take_records(1)
        assert not run.supervisor.ended
        run.take_records(1)
        assert run.supervisor.ended


# Arrivals


@pytest.mark.parametrize(
    ("kind", "recorded", "wanted"),
    [
        ("kafka", None, WALL_US),
        ("websocket", None, WALL_US),
        ("kafka", 5, 5),
        ("file", None, None),
        ("file", 5, 5),
        ("scenario", None, None),
        ("history", None, None),
    ],
)
def test_arrival_is_stamped_where_it_happens_now(kind: str, recorded: int | None, wanted: int | None) -> None:
    side = Side({"p": numbered(3)}, [["idle", 3]], arrived_us=recorded)
    with running({"a": side}, kind=kind, idle_seconds=0.25) as run:
        (arrival,) = run.take_records(3)
    assert arrival.batch.arrived_us == (None if wanted is None else [wanted] * 3)
    assert (arrival.feed, arrival.batch.offsets, arrival.batch.payloads) == ("a", range(1, 4), numbered(3))
    assert arrival.arrived_at == 1000.25


def test_take_waits_no_longer_than_it_is_told() -> None:
    with running({"a": Side()}) as run:
        began = time.monotonic()
        assert run.supervisor.take(0.05) is None
        assert 0.04 < time.monotonic() - began < 0.5


def test_take_wakes_when_something_comes() -> None:
    side = Side({"p": numbered(1)}, [[1]], hang_in="poll")
    with running({"a": side}) as run:
        threading.Timer(0.02, side.release.set).start()
        assert run.supervisor.take(PATIENCE_SECONDS) is not None


# Mistakes in the program


@pytest.mark.parametrize("where", ["make", "open", "poll"])
def test_any_other_error_is_raised_to_the_taker(where: str) -> None:
    mistake = ZeroDivisionError("a mistake")
    side = Side({"p": numbered(1)}, [[1, mistake if where == "poll" else "idle"]])
    side.make_errors = [mistake] if where == "make" else []
    side.open_errors = [mistake] if where == "open" else []
    with running({"a": side}) as run:
        until(lambda: run.supervisor.statuses()["a"] is STOPPED)
        for _ in range(2):  # it stays, and comes before what was handed over
            with pytest.raises(ZeroDivisionError, match="a mistake") as caught:
                run.supervisor.take(PATIENCE_SECONDS)
        assert caught.value.__notes__ == ["raised in the thread of the source a"]
        assert Counter(bool(source.closed) for source in side.made) == ({} if where == "make" else {True: 1})


def test_an_error_of_who_is_told_the_state_is_raised_to_the_taker() -> None:
    def on_state(name: str, kind: str, state: SourceState) -> None:  # noqa: ARG001
        if state is UP:
            raise KeyError(name)

    with running({"a": Side()}, on_state=on_state) as run, pytest.raises(KeyError):
        run.take_records(1)


def test_the_first_mistake_is_the_one_that_is_raised() -> None:
    sides = {"a": Side(then=ValueError("first")), "b": Side(then=ValueError("second"), hang_in="poll")}
    with running(sides) as run:
        with pytest.raises(ValueError, match="first"):
            run.take_records(1)
        sides["b"].release.set()
        until(lambda: run.supervisor.statuses()["b"] is STOPPED)
        with pytest.raises(ValueError, match="first"):
            run.supervisor.take(0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_wait_seconds": 0.0},
        {"first_wait_seconds": 9.0},
        {"longest_wait_seconds": float("inf")},
        {"queued_records": 0},
        {"records_a_poll": 0},
        {"idle_seconds": 0.0},
        {"close_seconds": -1.0},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SupervisorSettings(**{"longest_wait_seconds": 8.0, **wrong})
