"""The contract of `monitor.sources.base`, held against every source that the package has.

The classes are found, not listed: a new source fails here until it has an example (`conftest.py` says how).
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitor.sources
from monitor.sources.base import LINES_A_MESSAGE, Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from monitor.sources.base import RawBatch

    Positioned = list[tuple[int, bytes]]
    Drain = Callable[..., list[RawBatch]]
    Opened = Callable[[Source], AbstractContextManager[Source]]


POLL_SECONDS = 2.0
"""Far above what a poll takes on a busy machine, and far below one that waits for input."""
CLOSE_SECONDS = 1.0
SLACK_SECONDS = 1.0


def concrete_sources() -> list[type[Source]]:
    found = set()
    for module in pkgutil.walk_packages(monitor.sources.__path__, "monitor.sources."):
        for _, thing in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(thing, Source) and not inspect.isabstract(thing):
                found.add(thing)
    return sorted((c for c in found if c.__module__.startswith("monitor.")), key=lambda c: c.__name__)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source")


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@contextmanager
def closing(source: Source) -> Iterator[Source]:
    """For a test that opens the source itself."""
    try:
        yield source
    finally:
        source.close(CLOSE_SECONDS)


def by_partition(batches: list[RawBatch]) -> dict[str, Positioned]:
    read: dict[str, Positioned] = {}
    for batch in batches:
        read.setdefault(batch.partition, []).extend(zip(batch.offsets, batch.payloads, strict=True))
    return read


def read_example(
    example: Any, folder: Path, drain: Drain, opened: Opened, sizes: Sequence[int] = (1000,)
) -> dict[str, Positioned]:
    with opened(example.make(folder)) as source:
        return by_partition(drain(source, sizes, expected_count(example)))


def expected_count(example: Any) -> int | None:
    return None if example.ends else sum(map(len, example.expected))


def test_sources_are_found() -> None:
    assert concrete_sources(), "the search itself is broken: there is at least one source"


@pytest.mark.parametrize("source_class", concrete_sources(), ids=lambda c: c.__name__)
def test_every_source_has_examples(source_class: type[Source], examples: Any) -> None:
    mine = [example for example in examples.all if example.source_class is source_class]
    where = f"tests/sources/examples_{source_class.__module__.rpartition('.')[2]}.py"
    assert mine, f"{source_class.__name__} has no example: add one by `register(add)` in {where}, see conftest.py"
    assert any(example.missing or example.needs_nothing for example in mine), (
        f"{source_class.__name__} has no example with `missing`, an input that does not exist: add one in {where}"
    )


def test_hands_over_what_is_there(example: Any, folder: Path, drain: Drain, opened: Opened) -> None:
    read = read_example(example, folder, drain, opened)
    assert sorted(read.values()) == sorted(rows for rows in example.expected if rows)


def test_second_reading_equals_the_first(example: Any, folder: Path, drain: Drain, opened: Opened) -> None:
    first = read_example(example, folder, drain, opened)
    assert read_example(example, folder, drain, opened, sizes=(2,)) == first


def test_batch_size_changes_nothing(
    example: Any, tmp_path_factory: pytest.TempPathFactory, drain: Drain, opened: Opened
) -> None:
    folder = tmp_path_factory.mktemp("source")
    whole = read_example(example, folder, drain, opened)

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    def check(sizes: Sequence[int]) -> None:
        assert read_example(example, folder, drain, opened, sizes) == whole

    check()


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_batches_are_well_formed(example: Any, folder: Path, drain: Drain, opened: Opened, size: int) -> None:
    with opened(example.make(folder)) as source:
        batches = drain(source, (size,), expected_count(example))
    newest: dict[str, int] = {}
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len(batch.offsets) == len(batch.payloads) == len(batch)
        assert batch.arrived_us is None or len(batch.arrived_us) == len(batch)
        assert batch.source == source.name
        assert all(type(payload) is bytes for payload in batch.payloads)
        offsets = [newest.get(batch.partition, -1), *batch.offsets]
        assert all(a < b for a, b in itertools.pairwise(offsets)), f"{offsets} do not rise"
        newest[batch.partition] = offsets[-1]


def counted_on(rows: Positioned, first: int) -> Positioned:
    messages = -(-first // LINES_A_MESSAGE)
    return [(position + messages * LINES_A_MESSAGE, payload) for position, payload in rows]


def test_resuming_hands_over_exactly_the_tail(
    example: Any, tmp_path_factory: pytest.TempPathFactory, drain: Drain
) -> None:
    folder = tmp_path_factory.mktemp("source")
    with closing(example.make(folder)) as source:
        source.open()
        whole = by_partition(drain(source, count=expected_count(example)))
    last = {p: max(offset for offset, _ in rows) for p, rows in whole.items()}

    @settings(max_examples=60, deadline=None)
    @given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=3))
    def check(data: st.DataObject, sizes: Sequence[int]) -> None:
        resume = {
            p: data.draw(st.integers(0, last[p] + 1), p) for p in whole if data.draw(st.booleans(), f"{p} resumes")
        }
        tail = {p: [row for row in rows if row[0] >= resume.get(p, 0)] for p, rows in whole.items()}
        wanted = {p: rows for p, rows in tail.items() if rows}
        with closing(example.make(folder)) as source:
            if not example.rereadable and any(first > 1 for first in resume.values()):
                with pytest.raises(SourceError, match="cannot be read again"):
                    source.open(resume)
                return
            source.open({**resume, "a partition of another source": 3})
            if not source.can_read_again:
                # All of it comes, at positions that were not used before: of the next whole message.
                wanted = {p: counted_on(rows, resume.get(p, 0)) for p, rows in whole.items()}
            count = None if example.ends else sum(map(len, wanted.values()))
            batches = drain(source, sizes, count)
            assert source.lag() in (0, None)
        assert by_partition(batches) == wanted
        assert all(len(batch) <= max(sizes) for batch in batches)

    check()


def test_progress_is_truthful_after_resuming(example: Any, folder: Path, drain: Drain) -> None:
    with closing(example.make(folder)) as source:
        source.open()
        partitions = {batch.partition for batch in drain(source, count=expected_count(example))}
    if not example.rereadable:
        return
    with closing(example.make(folder)) as source:
        source.open(dict.fromkeys(partitions, 3))
        told = [source.progress()]
        ends_at = time.monotonic() + 20
        while example.ends and not source.exhausted:
            batch = source.poll(1)
            assert batch is None or told[-1][0] != told[-1][1], "all was done, and more came"
            told.append(source.progress())
            assert time.monotonic() < ends_at
        done = [read for read, _ in told]
        assert done == sorted(done), "progress fell"
        assert not example.ends or told[-1][1] in (None, done[-1]), "the end is not the whole"


def test_polls_do_not_wait(example: Any, folder: Path, opened: Opened) -> None:
    with opened(example.make(folder)) as source:
        for _ in range(100):
            began = time.monotonic()
            source.poll(3)
            assert time.monotonic() - began < POLL_SECONDS
            if source.exhausted:
                break


def test_a_silent_input_holds_nothing_up(silent_example: Any) -> None:
    with silent_example.silent() as source:
        threads, files = threading.active_count(), open_files()
        source.open()
        began = time.monotonic()
        assert [source.poll(1000) for _ in range(50)] == [None] * 50
        assert time.monotonic() - began < POLL_SECONDS
        assert not source.exhausted
        closing = time.monotonic()
        source.close(CLOSE_SECONDS)
        assert time.monotonic() - closing < CLOSE_SECONDS + SLACK_SECONDS
        assert (threading.active_count(), open_files()) <= (threads, files), "close has not let go of everything"


def test_exhausted_only_becomes_true(example: Any, folder: Path, opened: Opened) -> None:
    seen = []
    count, total = 0, sum(map(len, example.expected))
    ends_at = time.monotonic() + 20
    with opened(example.make(folder)) as source:
        while count < total or (example.ends and not source.exhausted):
            batch = source.poll(2)
            count += len(batch) if batch else 0
            seen.append(source.exhausted)
            assert not (seen[-1] and count < total), "exhausted before all was handed over"
            assert time.monotonic() < ends_at, "it neither hands over more nor is exhausted"
        for _ in range(5):
            assert source.poll(2) is None
            seen.append(source.exhausted)
    assert seen == sorted(seen)
    assert seen[-1] == example.ends
    assert source.exhausted == example.ends


def test_progress_rises_and_lag_falls_to_nothing(example: Any, folder: Path, opened: Opened) -> None:
    source = example.make(folder)
    assert source.progress()[0] == 0
    assert not source.exhausted
    count, total = 0, sum(map(len, example.expected))
    with opened(source):
        told = [source.progress()]
        ends_at = time.monotonic() + 20
        while count < total or (example.ends and not source.exhausted):
            batch = source.poll(2)
            count += len(batch) if batch else 0
            told.append(source.progress())
            lag = source.lag()
            assert lag is None or lag >= 0
            if told[-1][1] is not None and lag is not None:
                assert told[-1][0] + lag == told[-1][1]
            assert time.monotonic() < ends_at
        done = [read for read, _ in told]
        assert done == sorted(done), "progress fell"
        assert source.lag() in (0, None)
        if example.ends:
            assert told[-1][1] in (None, done[-1]), "the end is not the whole"
    assert len(source.progress()) == 2, "progress is also told after close"
    assert source.lag() in (0, None)


def test_polling_a_source_that_is_not_open_is_a_mistake(example: Any, folder: Path) -> None:
    source = example.make(folder)
    with pytest.raises(RuntimeError):
        source.poll(1)
    source.open()
    source.close(CLOSE_SECONDS)
    with pytest.raises(RuntimeError):
        source.poll(1)
    assert not source.exhausted or not any(example.expected), "closing is not reaching the end"


def test_close_lets_go_of_everything_and_may_be_called_twice(example: Any, folder: Path, drain: Drain) -> None:
    def once(read: bool) -> None:
        source = example.make(folder)
        source.open()
        if read:
            drain(source, (3,), expected_count(example))
        began = time.monotonic()
        source.close(CLOSE_SECONDS)
        source.close(CLOSE_SECONDS)
        assert time.monotonic() - began < CLOSE_SECONDS + SLACK_SECONDS

    once(read=True)  # what a library keeps for the process's life is there from now on
    threads, files = threading.active_count(), open_files()
    for read in (True, False, True, False):
        once(read=read)
    assert threading.active_count() <= threads, "a thread goes on after close"
    assert open_files() <= files, "a file or connection stays open after close"


def test_close_before_open_does_nothing(example: Any, folder: Path) -> None:
    example.make(folder).close(CLOSE_SECONDS)


def test_what_does_not_exist_is_told_when_opening(missing_example: Any, folder: Path) -> None:
    source = missing_example.missing(folder)
    with pytest.raises(SourceError, match=r"\w+.*\w+"):
        source.open()
    source.close(CLOSE_SECONDS)


def test_counts_only_rise_and_are_told_at_any_time(example: Any, folder: Path, opened: Opened) -> None:
    source = example.make(folder)
    told = [dict(source.counts())]
    count, total = 0, sum(map(len, example.expected))
    ends_at = time.monotonic() + 20
    with opened(source):
        while count < total:
            batch = source.poll(2)
            count += len(batch) if batch else 0
            told.append(dict(source.counts()))
            assert time.monotonic() < ends_at
    told.append(dict(source.counts()))
    assert all(counted.keys() == told[0].keys() for counted in told)
    assert not any(told[0].values()), "nothing was counted before it was opened"
    for before, after in itertools.pairwise(told):
        assert all(before[what] <= after[what] for what in before)
