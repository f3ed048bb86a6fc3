"""Lines of blocks: whatever the blocks, the lines are those of the file; and no line takes more memory than allowed."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.sources.base import SourceError
from monitor.sources.blocks import Blocks
from monitor.sources.file import FileSource
from monitor.sources.lines import LineReader, LineSplitter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from monitor.sources.base import RawBatch, Source

    ReadAll = Callable[..., list[tuple[int, bytes]]]
    Drain = Callable[..., list[RawBatch]]
    Opened = Callable[[Source], AbstractContextManager[Source]]


LIMIT = 8
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".ndjson": bytes,
    ".ndjson.gz": gzip.compress,
    ".ndjson.zst": zstandard.compress,
}


def lines_of(content: bytes) -> list[bytes]:
    r"""What a file's lines are, in the plainest words: cut at `\n`, and the last `\n` makes no line."""
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


contents = st.lists(
    st.one_of(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"x" * (LIMIT - 1), b"long" * LIMIT]), st.binary(max_size=12))
).map(b"".join)


@settings(deadline=None)
@given(contents, st.lists(st.integers(0, 50)))
def test_splitter_cuts_at_newlines_whatever_the_blocks(content: bytes, cuts: list[int]) -> None:
    splitter = LineSplitter(LIMIT)
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    lines = []
    for start, end in itertools.pairwise(edges):
        lines += splitter.feed(content[start:end])
    lines += splitter.finish()
    assert lines == [line[: LIMIT + 1] for line in lines_of(content)]
    assert splitter.finish() == []


@pytest.mark.parametrize("suffix", PACK)
def test_files_lines_are_numbered_from_1_whatever_the_blocks(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, read_all: ReadAll
) -> None:
    folder = tmp_path_factory.mktemp("lines")

    @settings(deadline=None)
    @given(contents, st.integers(1, 40), st.lists(st.integers(1, 20), min_size=1, max_size=4))
    def check(content: bytes, block_bytes: int, sizes: Sequence[int]) -> None:
        path = folder / f"repo{suffix}"
        path.write_bytes(PACK[suffix](content))
        source = FileSource(str(path), "repo", block_bytes=block_bytes, max_line_bytes=LIMIT)
        wanted = [(number, line[: LIMIT + 1]) for number, line in enumerate(lines_of(content), start=1)]
        assert read_all(source, sizes) == wanted

    check()


def test_line_of_exactly_the_limit_is_whole_and_one_more_is_cut(tmp_path: Path, read_all: ReadAll) -> None:
    path = tmp_path / "repo.ndjson"
    path.write_bytes(b"12345678\n123456789\n1234567890\nnext\n")
    source = FileSource(str(path), "repo", max_line_bytes=LIMIT)
    assert read_all(source) == [(1, b"12345678"), (2, b"123456789"), (3, b"123456789"), (4, b"next")]


def test_members_and_frames_that_follow_each_other_are_read_whole(tmp_path: Path, read_all: ReadAll) -> None:
    parts = [b"a\nb", b"", b"c\n", b"d" * 3000 + b"\n"]
    wanted = [(1, b"a"), (2, b"bc"), (3, b"d" * 3000)]
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    for name, packed in {
        "one.ndjson.gz": b"".join(map(gzip.compress, parts)),
        "padded.ndjson.gz": b"".join(gzip.compress(part) + bytes(5) for part in parts),
        "one.ndjson.zst": b"".join(map(zstandard.compress, parts)),
        "skip.ndjson.zst": skippable + b"".join(zstandard.compress(part) + skippable for part in parts),
    }.items():
        (tmp_path / name).write_bytes(packed)
        for block_bytes in (1, 1000, 1 << 18):
            source = FileSource(str(tmp_path / name), "repo", block_bytes=block_bytes)
            assert read_all(source) == wanted, name


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".ndjson.zst"])
def test_packed_file_cut_short_hands_over_what_stands_before_and_then_breaks(
    suffix: str, tmp_path: Path, opened: Opened
) -> None:
    lines = [f"{i * i * 7919} {i % 7}".encode() for i in range(200)]
    packed = PACK[suffix](b"\n".join(lines[:120]) + b"\n") + PACK[suffix](b"\n".join(lines[120:]))
    path = tmp_path / f"repo{suffix}"
    for cut in [*range(0, len(packed), 7), len(packed) - 1]:
        path.write_bytes(packed[:cut])
        whole_member = cut == len(PACK[suffix](b"\n".join(lines[:120]) + b"\n"))
        assert not whole_member, "that cut is no damage"
        source = FileSource(str(path), "repo", block_bytes=64)
        read: list[bytes] = []

        def read_on(source: FileSource = source, read: list[bytes] = read) -> None:
            with opened(source):
                while not source.exhausted:
                    batch = source.poll(3)
                    read += batch.payloads if batch else []

        with pytest.raises(SourceError, match="cut short") as told:
            read_on()
        assert str(path) in str(told.value)
        assert read == lines[: len(read)]


def test_broken_source_stays_broken_and_is_never_exhausted(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "repo.ndjson.gz"
    path.write_bytes(gzip.compress(b"a\nb\n") + gzip.compress(b"c\nd\n")[:-3])
    for size, batches in {1: [b"a", b"b", b"c", b"d"], 100: [b"a,b,c,d"]}.items():
        source = FileSource(str(path), "repo")
        with opened(source):
            for payloads in batches:
                batch = source.poll(size)
                assert batch is not None
                assert b",".join(batch.payloads) == payloads
            for _ in range(3):
                with pytest.raises(SourceError, match="cut short"):
                    source.poll(size)
                assert not source.exhausted


def test_damaged_gzip_data_is_told(tmp_path: Path, opened: Opened, drain: Drain) -> None:
    packed = bytearray(gzip.compress(b"".join(b"%d\n" % (i * 7919) for i in range(5000)), mtime=0))
    packed[len(packed) // 2] ^= 0x10
    path = tmp_path / "repo.ndjson.gz"
    path.write_bytes(packed)
    source = FileSource(str(path), "repo")
    with pytest.raises(SourceError, match="damaged"), opened(source):
        drain(source)


@pytest.mark.parametrize(
    ("suffix", "most_mib"),
    [(".ndjson", 2), (".ndjson.gz", 2), (".ndjson.zst", 40)],  # zstd unpacks 16 MiB at once, twice in memory
)
def test_line_without_end_takes_bounded_memory(suffix: str, most_mib: int, tmp_path: Path, read_all: ReadAll) -> None:
    path = tmp_path / f"repo{suffix}"
    path.write_bytes(PACK[suffix](b"a\n" + bytes(120 << 20) + b"\nb\n"))
    source = FileSource(str(path), "repo", max_line_bytes=1000)
    tracemalloc.start()
    try:
        read = read_all(source)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == [(1, b"a"), (2, bytes(1001)), (3, b"b")]
    assert peak < most_mib << 20


def test_a_poll_unpacks_a_bounded_amount(tmp_path: Path) -> None:
    path = tmp_path / "repo.ndjson"
    path.write_bytes((b"x" * 999 + b"\n") * 40_000)
    reader = LineReader(Blocks(str(path), ""), 1 << 20)
    _, lines = reader.read(1_000_000)
    assert 16_000 < len(lines) < 18_000
    reader.close(1.0)


def test_progress_does_not_run_ahead_of_what_was_handed_over(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "repo.ndjson"
    content = b"".join(b"%d\n" % i for i in range(1000))
    path.write_bytes(content)
    source = FileSource(str(path), "repo", block_bytes=100)
    handed = 0
    with opened(source):
        while not source.exhausted:
            batch = source.poll(7)
            handed += sum(len(payload) + 1 for payload in batch.payloads) if batch else 0
            done, total = source.progress()
            assert total == len(content)
            assert handed - 200 <= done <= handed
        assert source.lag() == 0
