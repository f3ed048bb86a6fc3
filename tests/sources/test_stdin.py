"""Standard input: nothing waits for it, and nothing it sends is lost or piles up."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from monitor.sources.base import SourceError
from monitor.sources.file import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from monitor.sources.base import Source

    Positioned = list[tuple[int, bytes]]
    ReadAll = Callable[..., list[tuple[int, bytes]]]
    Opened = Callable[[Source], AbstractContextManager[Source]]


@contextmanager
def pipe(**small: Any) -> Iterator[tuple[FileSource, BinaryIO]]:
    """A source on a pipe, and the end of the pipe to write to."""
    reading, writing = os.pipe()
    with open(reading, "rb") as stdin, open(writing, "wb", buffering=0) as writer:  # noqa: PTH123 - descriptors
        source = FileSource("-", "repo", stdin=stdin, **small)
        source.open()
        try:
            yield source, writer
        finally:
            source.close(5.0)
            assert not any(thread.name == "standard input" for thread in threading.enumerate())


def wait_for(source: FileSource, seconds: float = 10.0) -> Positioned:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if batch := source.poll(1000):
            return list(zip(batch.offsets, batch.payloads, strict=True))
        time.sleep(0.001)
    return []


def test_lines_come_when_they_are_whole() -> None:
    with pipe() as (source, writer):
        assert (source.name, source.partition, source.lag(), source.progress()) == ("stdin", "-", None, (0, None))
        writer.write(b'{"a":1}\n{"b"')
        assert wait_for(source) == [(1, b'{"a":1}')]
        assert wait_for(source, 0.05) == []
        writer.write(b":2}\nlast")
        assert wait_for(source) == [(2, b'{"b":2}')]
        writer.close()
        assert wait_for(source) == [(3, b"last")]
        assert source.exhausted
        assert source.progress() == (20, None)
        assert source.lag() is None


def test_close_does_not_wait_for_a_producer_that_says_nothing() -> None:
    with pipe() as (source, _):
        assert source.poll(10) is None
        began = time.monotonic()
        source.close(5.0)
        assert time.monotonic() - began < 3.0


def test_a_fast_producer_is_held_up_and_close_frees_its_thread() -> None:
    written = 0

    def produce(writer: BinaryIO) -> None:
        nonlocal written
        try:
            while True:
                written += writer.write(b"x" * 99 + b"\n")
        except OSError:
            pass

    reading, writing = os.pipe()
    stdin = open(reading, "rb")  # noqa: PTH123, SIM115 - a descriptor, closed below before its pipe's other end
    writer = open(writing, "wb", buffering=0)  # noqa: PTH123, SIM115
    source = FileSource("-", "repo", stdin=stdin, block_bytes=1000)
    source.open()
    producer = threading.Thread(target=produce, args=(writer,))
    producer.start()
    try:
        before, ends_at = -1, time.monotonic() + 20
        while (before != written or written < 64_000) and time.monotonic() < ends_at:
            before = written
            time.sleep(0.3)
        assert 64_000 <= written < 1_000_000  # 64 blocks and what the pipe itself holds
        assert len(wait_for(source)) > 0
        time.sleep(0.2)  # it is held up again
    finally:
        closing = time.monotonic()
        source.close(5.0)
        assert time.monotonic() - closing < 3.0
        stdin.close()
        producer.join(5.0)
        writer.close()
    assert not producer.is_alive()


def test_any_binary_stream_is_read(read_all: ReadAll) -> None:
    class Trickle(io.RawIOBase):
        """Not a file of the operating system: a few bytes a read."""

        def __init__(self, content: bytes) -> None:
            self.content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self.content.read(min(size, 3))

    content = b"one\n\ntwo\r\nthree"
    wanted = [(1, b"one"), (2, b""), (3, b"two\r"), (4, b"three")]
    for stream in (io.BytesIO(content), Trickle(content)):
        assert read_all(FileSource("-", None, stdin=stream)) == wanted


def test_stdin_may_be_a_file(tmp_path: Path, read_all: ReadAll) -> None:
    (tmp_path / "in").write_bytes(b"a\nb\n")
    with (tmp_path / "in").open("rb") as stdin:
        assert read_all(FileSource("-", "repo", stdin=stdin)) == [(1, b"a"), (2, b"b")]


def test_the_processs_own_input_is_read_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch, read_all: ReadAll
) -> None:
    class Console:
        buffer = io.BytesIO(b"typed\n")

    monkeypatch.setattr(sys, "stdin", Console())
    assert read_all(FileSource("-", "repo")) == [(1, b"typed")]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="standard input is closed"):
        FileSource("-", "repo").open()


def test_a_stream_that_breaks_hands_over_what_came_before(opened: Opened) -> None:
    class Breaks(io.RawIOBase):
        blocks = (b"a\nb", b"c\nhalf")

        def __init__(self) -> None:
            self.left = list(self.blocks)

        def read(self, size: int = -1) -> bytes:  # noqa: ARG002
            if self.left:
                return self.left.pop(0)
            raise OSError(5, "Input/output error")

    source = FileSource("-", "repo", stdin=Breaks())
    with opened(source):
        read: list[tuple[int, bytes]] = []
        while len(read) < 2:
            read += wait_for(source)
        assert read == [(1, b"a"), (2, b"bc")]
        with pytest.raises(SourceError, match="Input/output error"):
            wait_for(source)
        with pytest.raises(SourceError, match="Input/output error"):
            source.poll(1)
        assert not source.exhausted


def test_close_keeps_its_timeout_where_the_read_cannot_be_interrupted() -> None:
    release = threading.Event()

    class Stuck(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:  # noqa: ARG002
            release.wait(20)
            return b""

    source = FileSource("-", "repo", stdin=Stuck())
    source.open()
    began = time.monotonic()
    source.close(0.2)
    assert time.monotonic() - began < 3.0
    release.set()
