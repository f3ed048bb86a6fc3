"""Examples of every source, for the contract suite, and a way to read a source to its end.

A source's examples stand in `examples_<anything>.py` beside this file: a function `register(add)` that calls
`add` (see `Examples.add`) once for each way in which that source can be set up.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from monitor.sources.base import RawBatch, Source

READ_SECONDS = 20.0
"""An example that has not handed over what is expected within this time has failed."""

Positioned = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Example:
    """One way to set up a source, and what it must hand over.

    Attributes:
        source_class: the class that the example is of.
        label: tells the examples of a class apart.
        make: a new source, not opened, over the same input each time; the folder is for its files.
        expected: a list a partition: the (offset, payload) that are handed over, in order.
        ends: whether the source is exhausted after that, or more could come.
        missing: a source whose input does not exist.
        needs_nothing: it reads nothing outside the process, so there is nothing that could be missing.
        silent: a context in which a source's input is there, and says nothing, and does not end.
        rereadable: whether its input can be read again; if not, opening it past its beginning is refused.
    """

    source_class: type[Source]
    label: str
    make: Callable[[Path], Source]
    expected: list[Positioned]
    ends: bool = True
    missing: Callable[[Path], Source] | None = None
    needs_nothing: bool = False
    silent: Callable[[], AbstractContextManager[Source]] | None = None
    rereadable: bool = True

    def __str__(self) -> str:
        return f"{self.source_class.__name__}-{self.label}"


@dataclass
class Examples:
    """All examples, by the class that they are of."""

    all: list[Example] = field(default_factory=list)

    def add(
        self,
        source_class: type[Source],
        label: str,
        *,
        make: Callable[[Path], Source],
        expected: list[Positioned],
        ends: bool = True,
        missing: Callable[[Path], Source] | None = None,
        needs_nothing: bool = False,
        silent: Callable[[], AbstractContextManager[Source]] | None = None,
        rereadable: bool = True,
    ) -> None:
        """Register one example; the arguments are those of `Example`."""
        self.all.append(Example(source_class, label, make, expected, ends, missing, needs_nothing, silent, rereadable))


def _load() -> Examples:
    examples = Examples()
    for path in sorted(Path(__file__).parent.glob("examples_*.py")):
        spec = importlib.util.spec_from_file_location(f"source_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.register(examples.add)
    return examples


EXAMPLES = _load()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test that asks for an `example` on all of them; with `missing_` or `silent_` on those that have it."""
    chosen = {
        "example": EXAMPLES.all,
        "missing_example": [example for example in EXAMPLES.all if example.missing],
        "silent_example": [example for example in EXAMPLES.all if example.silent],
    }
    for name in chosen.keys() & set(metafunc.fixturenames):
        metafunc.parametrize(name, chosen[name], ids=str)


@pytest.fixture(scope="session")
def examples() -> Examples:
    return EXAMPLES


Drain = Callable[..., list[RawBatch]]


def _drain(source: Source, sizes: Iterable[int] = (1000,), count: int | None = None) -> list[RawBatch]:
    """The batches of an open source until it is exhausted, or until `count` payloads came."""
    batches: list[RawBatch] = []
    ends_at = time.monotonic() + READ_SECONDS
    for size in itertools.cycle(sizes):
        if source.exhausted or (count is not None and sum(map(len, batches)) >= count):
            return batches
        batch = source.poll(size)
        if batch is not None:
            batches.append(batch)
        elif not source.exhausted:
            time.sleep(0.0005)
        assert time.monotonic() < ends_at, f"{source.name} hands over nothing more and is not exhausted"
    return batches


@pytest.fixture(scope="session")
def drain() -> Drain:
    return _drain


@contextmanager
def _opened(source: Source) -> Iterator[Source]:
    try:
        source.open()
        yield source
    finally:
        source.close(5.0)


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """`with as_nobody():` permissions hold, also where the tests run as root, who may read everything."""

    @contextmanager
    def dropped() -> Iterator[None]:
        was = os.geteuid()
        if was == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            if was == 0:
                os.seteuid(0)

    return dropped


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user may enter; the folders above pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def opened() -> Callable[[Source], AbstractContextManager[Source]]:
    """`with opened(source):` opens it and closes it again."""
    return _opened


@pytest.fixture(scope="session")
def read_all() -> Callable[..., Positioned]:
    """All (offset, payload) of a source of one partition that is not open yet."""

    def read(source: Source, sizes: Sequence[int] = (1000,)) -> Positioned:
        with _opened(source):
            return [row for b in _drain(source, sizes) for row in zip(b.offsets, b.payloads, strict=True)]

    return read
