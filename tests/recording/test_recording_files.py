"""What was written comes back to the bit; what is torn is passed over, and what is damaged is found."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.recording.folder import existing_files, listing_of, next_positions
from monitor.sources.base import RawBatch, SourceError
from monitor.sources.recording import RecordingSource, recorded_feeds
from tests.recording.reading import AT_US, Row, batch, by_partition, files, read, rows_of, write

BATCHES = [batch(0), batch(5, 2, "quotes/1"), batch(3, 4)]


@st.composite
def batches(draw: st.DrawFn) -> list[RawBatch]:
    """Batches of several feeds, partitions and kinds; positions of a partition rise."""
    found = []
    next_position: dict[str, int] = {}
    for _ in range(draw(st.integers(1, 6))):
        source = draw(st.sampled_from(("desk", 'a "name"', "desk2")))
        partition = f"{source}/{draw(st.integers(0, 1))}"
        payloads = draw(st.lists(st.binary(max_size=20) | st.text(max_size=8).map(str.encode), min_size=1, max_size=5))
        gaps = draw(st.lists(st.integers(0, 2**40), min_size=len(payloads), max_size=len(payloads)))
        offsets = []
        for gap in gaps:
            offsets.append(next_position.get(partition, 0) + gap)
            next_position[partition] = offsets[-1] + 1
        arrived = [AT_US + gap for gap in gaps] if draw(st.booleans()) else None
        stream = draw(st.sampled_from((None, "repo")))
        found.append(RawBatch(source, stream, partition, offsets, payloads, arrived, of_messages=draw(st.booleans())))
    return found


@settings(max_examples=60)
@given(batches(), st.sampled_from((1, 50, 1 << 20)), st.sampled_from((1, 300, 1 << 20)))
def test_what_was_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, some: list[RawBatch], block_bytes: int, file_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("recording") / "new"
    write(folder, some, block_bytes=block_bytes, file_bytes=file_bytes)
    wanted = by_partition([row for each in some for row in rows_of(each)])
    assert by_partition(read(folder)) == wanted
    assert next_positions(folder) == {name: rows[-1][1] + 1 for name, rows in wanted.items()}
    listing = listing_of(existing_files(folder), lambda *_: None)
    assert {name: held.count for name, held in listing.partitions.items()} == {k: len(v) for k, v in wanted.items()}


def test_cut_at_any_byte_it_is_a_beginning_of_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "whole", BATCHES)
    (whole,) = files(tmp_path / "whole")
    content = whole.read_bytes()
    everything = read(tmp_path / "whole")
    assert by_partition(everything) == by_partition([row for each in BATCHES for row in rows_of(each)])
    cut = tmp_path / "cut" / whole.name
    cut.parent.mkdir()
    seen, newest = set(), 0
    for size in range(len(content) + 1):
        cut.write_bytes(content[:size])
        with structlog.testing.capture_logs() as logs:
            found = read(cut.parent)
        assert found == everything[: len(found)]
        assert len(found) >= newest, "a longer file holds less"
        newest = len(found)
        assert next_positions(cut.parent) == {name: rows[-1][1] + 1 for name, rows in by_partition(found).items()}
        if logs:
            assert "passed over" in logs[0]["event"]
            assert logs[0]["file"] == str(cut)
        seen.add((len(found), bool(logs)))
    assert seen == {(0, False), (0, True), (3, False), (3, True), (5, False), (5, True), (9, False)}


def test_a_changed_bit_is_found_wherever_it_is(tmp_path: Path) -> None:
    write(tmp_path, BATCHES)
    (file,) = files(tmp_path)
    content, everything = file.read_bytes(), read(tmp_path)
    for at in range(len(content)):
        file.write_bytes(content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :])
        found: list[Row] = []
        with pytest.raises(SourceError, match=r"the block at byte \d+ is damaged|opened|version") as raised:
            read_desk(tmp_path, found)
        assert str(file) in str(raised.value)
        assert found == everything[: len(found)]


def read_desk(folder: Path, found: list[Row]) -> None:
    """Read the feed, row by row, and hold it to breaking for good."""
    assert recorded_feeds(folder) == ["desk"]
    source = RecordingSource(folder, "desk")
    try:
        source.open()
        while not source.exhausted:
            some = source.poll(1)
            found += rows_of(some) if some is not None else []
    except SourceError:
        with pytest.raises(SourceError):
            source.poll(1)
        assert not source.exhausted
        raise
    finally:
        source.close(1.0)


def test_the_advice_for_a_damaged_file_helps(tmp_path: Path) -> None:
    write(tmp_path, BATCHES)
    (file,) = files(tmp_path)
    content, everything = file.read_bytes(), read(tmp_path)
    file.write_bytes(content[:-3] + b"\0\0\0")
    with pytest.raises(SourceError) as raised:
        read(tmp_path)
    command = str(raised.value).rpartition("file: ")[2]
    subprocess.run(command.split(), check=True)
    assert read(tmp_path) == everything[:5]


def test_zeros_at_the_end_are_a_torn_end_and_anything_else_is_damage(tmp_path: Path) -> None:
    write(tmp_path, BATCHES)
    (file,) = files(tmp_path)
    content, everything = file.read_bytes(), read(tmp_path)
    file.write_bytes(content + bytes(5000))
    assert read(tmp_path) == everything
    file.write_bytes(content + bytes(5000) + b"1")
    with pytest.raises(SourceError, match=f"byte {len(content)} is damaged"):
        read(tmp_path)


def test_a_missing_block_is_found(tmp_path: Path) -> None:
    write(tmp_path / "three", BATCHES)
    write(tmp_path / "one", BATCHES[:1])
    (three,), (one,) = files(tmp_path / "three"), files(tmp_path / "one")
    size = one.stat().st_size
    write(tmp_path / "two", BATCHES[:2])
    (two,) = files(tmp_path / "two")
    three.write_bytes(three.read_bytes()[:size] + three.read_bytes()[two.stat().st_size :])
    with pytest.raises(SourceError, match="it is number 3, where number 2 should be"):
        read(tmp_path / "three")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    write(tmp_path, BATCHES, file_bytes=1)
    files(tmp_path)[1].unlink()
    with structlog.testing.capture_logs() as logs:
        found = read(tmp_path)
    assert [row[1] for row in found] == [0, 1, 2, 3, 4, 5, 6]
    assert logs[0]["numbers"] == "0002"


def test_zstdcat_shows_the_lines(tmp_path: Path) -> None:
    zstdcat = shutil.which("zstdcat")
    if zstdcat is None:
        pytest.skip("zstdcat is not there")
    write(tmp_path, BATCHES)
    shown = subprocess.run([zstdcat, *files(tmp_path)], check=True, capture_output=True).stdout
    lines = shown.splitlines()
    assert lines[0] == b'{"recording":1,"sources":{"desk":"kafka"},"positions":{}}'
    assert lines[2] == (
        b'{"source":"desk","kind":"kafka","partition":"quotes/0","position":1,"stream":"repo",'
        b'"arrived_us":1700000000000001,"raw":"{\\"n\\":1}"}'
    )
    assert b'"raw_base64":"/zA="' in lines[1]
    assert len(lines) == 10
