"""What the writer does with a disk that is full or fails, with a folder that holds something, and with a second one."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog

from monitor.recording.errors import RecordingError
from monitor.recording.run import Recorded, record
from monitor.recording.writer import RecordingWriter
from monitor.sources.file import FileSource
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
from tests.recording.reading import AT_US, batch, files, read, rows_of, write


class Disk:
    """Has room for so many bytes, and then takes half of a write, or none, until it has room again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = 1 << 40
        self.flushes = True
        self.cuts = True
        self._write, self._fsync, self._truncate = os.write, os.fsync, os.ftruncate
        for name in ("write", "fsync", "ftruncate"):
            monkeypatch.setattr(os, name, getattr(self, name))

    def write(self, file: int, content: Any) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(file, content[: self.room])
        self.room -= written
        return written

    def fsync(self, file: int) -> None:
        if not self.flushes:
            raise OSError(errno.EIO, "Input/output error")
        self._fsync(file)

    def ftruncate(self, file: int, size: int) -> None:
        if not self.cuts:
            raise OSError(errno.EIO, "Input/output error")
        self._truncate(file, size)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def writer_of(folder: Path, **how: int) -> RecordingWriter:
    return RecordingWriter(folder, {"desk": "kafka"}, lambda: AT_US, **how)


@pytest.mark.parametrize("room", [0, 1, 39, 41, 100])
@pytest.mark.parametrize("cuts", [True, False])
def test_a_full_disk_is_said_once_and_nothing_is_lost_within_the_bound(
    tmp_path: Path, disk: Disk, room: int, cuts: bool
) -> None:
    writer = writer_of(tmp_path)
    writer.add(batch(0), "kafka")
    assert writer.sync()
    disk.room, disk.cuts = room, cuts
    with structlog.testing.capture_logs() as logs:
        for first in (3, 6):
            writer.add(batch(first), "kafka")
            assert not writer.sync()
        assert [each["event"].partition(";")[0] for each in logs] == ["the recording cannot be written"]
        assert (writer.events, writer.positions) == (3, {"quotes/0": 3})
        disk.room = 1 << 40
        assert writer.sync()
    assert logs[-1]["event"] == "the recording is written again"
    assert writer.close()
    assert read(tmp_path) == rows_of(batch(0, 9))
    assert (writer.events, dict(writer.lost)) == (9, {})
    assert len(files(tmp_path)) == (1 if cuts else 2)


@pytest.mark.parametrize("has_room_again", [True, False])
def test_while_no_more_can_be_kept_feeds_are_held_up(tmp_path: Path, disk: Disk, has_room_again: bool) -> None:
    lines = [b'{"n":%d}' % n for n in range(5_000)]
    (tmp_path / "feed.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    feed = Feed("desk", "file", lambda: FileSource(tmp_path / "feed.ndjson", "repo", "desk"))
    small = SupervisorSettings(records_a_poll=10, queued_records=20, idle_seconds=0.001)
    supervisor = Supervisor(
        [feed], {}, settings=small, on_state=lambda *_: None, wall_us=lambda: AT_US, random=Random(1)
    )  # fmt: skip
    folder, stop, looks = tmp_path / "recording", threading.Event(), 0
    writer = writer_of(folder, kept_bytes=10_000, block_bytes=2_000)
    disk.room = 3_000

    def look(told: Recorded) -> None:
        nonlocal looks
        looks += writer.is_full
        assert told.lost == 0
        if looks == 5 and has_room_again:
            disk.room = 1 << 40
        elif looks == 5:
            stop.set()

    done = record(supervisor, {"desk": "file"}, writer, stop, sync_seconds=0.002, on_progress=look)
    assert looks >= 5
    if not has_room_again:
        assert 0 < done.lost < 200, "what was on its way is counted; the rest was not taken"
        assert done.events + done.lost < len(lines)
    else:
        assert (done.events, done.lost) == (len(lines), 0)
    assert [row[2] for row in read(folder)] == lines[: done.events]


def test_a_file_that_could_not_be_begun_leaves_no_number_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, is_refused, opened = writer_of(tmp_path), True, os.open

    def refusing(path: Any, flags: int, *args: Any) -> int:
        if is_refused and str(path).endswith(".zst"):
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, flags, *args)

    monkeypatch.setattr(os, "open", refusing)
    for first in (0, 3):
        writer.add(batch(first), "kafka")
        assert not writer.sync()
    is_refused = False
    assert writer.close()
    assert [path.name for path in files(tmp_path)] == ["20231114T221320Z-0001.frames.ndjson.zst"]
    assert read(tmp_path) == rows_of(batch(0, 6))


def test_a_disk_that_does_not_flush_has_it_written_once_more_and_it_is_read_once(tmp_path: Path, disk: Disk) -> None:
    writer = writer_of(tmp_path)
    writer.add(batch(0), "kafka")
    assert writer.sync()
    disk.flushes = False
    writer.add(batch(3), "kafka")
    assert not writer.sync()
    assert writer.positions == {"quotes/0": 3}
    disk.flushes = True
    writer.add(batch(6), "kafka")
    assert writer.close()
    assert len(files(tmp_path)) == 2
    assert read(tmp_path) == rows_of(batch(0, 9))
    assert writer.events == 9


def test_what_is_left_when_it_ends_on_a_full_disk_is_counted(tmp_path: Path, disk: Disk) -> None:
    writer = writer_of(tmp_path)
    disk.room = 0
    writer.add(batch(0), "kafka")
    assert not writer.close()
    assert writer.lost == {"desk": 3}
    assert writer.close(), "a second time it has nothing to do"


def test_a_new_start_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    write(tmp_path, [batch(0), batch(0, 2, "quotes/1")])
    write(tmp_path, [batch(3)])
    writer = writer_of(tmp_path)
    assert writer.positions == {"quotes/0": 6, "quotes/1": 2}
    writer.close()
    names = [path.name for path in files(tmp_path)]
    assert names == ["20231114T221320Z-0001.frames.ndjson.zst", "20231114T221320Z-0002.frames.ndjson.zst"]


def test_a_new_start_passes_over_a_file_that_was_only_begun(tmp_path: Path) -> None:
    write(tmp_path, [batch(0)])
    (tmp_path / "20231114T221320Z-0002.frames.ndjson.zst").write_bytes(b"")
    write(tmp_path, [batch(3)])
    assert [path.name[-20:-18] for path in files(tmp_path)] == ["01", "02", "03"]
    assert read(tmp_path) == rows_of(batch(0, 6))


def _in_use(folder: Path) -> object:
    return writer_of(folder)


def _damaged(folder: Path) -> object:
    write(folder, [batch(0)])
    path = files(folder)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return None


@pytest.mark.parametrize(("prepare", "said"), [(_in_use, "another process records into it"), (_damaged, "damaged")])
def test_a_folder_that_cannot_be_gone_on_with_is_refused(
    tmp_path: Path, prepare: Callable[[Path], object], said: str
) -> None:
    held = prepare(tmp_path)
    for _ in range(2):  # and the lock is let go of
        with pytest.raises(RecordingError, match=said):
            writer_of(tmp_path)
    if isinstance(held, RecordingWriter):
        held.close()
        writer_of(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RecordingError, match="cannot be written"):
        writer_of(tmp_path / "file" / "recording")
