"""Recordings of several feeds and partitions: whole, torn, in several files, and written twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.recording.blocks import pack
from monitor.recording.writer import RecordingWriter
from monitor.sources.base import LINES_A_MESSAGE, RawBatch
from monitor.sources.recording import RecordingSource

NAME = "desk"
TEXTS = [b'{"ts":1}', b"", b"no JSON", b"\xff\xfe no UTF-8", b"x" * 150, 'two\nlines, "\u00e9"'.encode(), b"\0"]
AT_US = 1_700_000_000_000_000

BATCHES = [
    RawBatch(NAME, "treasury", "quotes/0", range(7), TEXTS, [AT_US + n for n in range(7)]),
    RawBatch("another", "repo", "other", range(3), [b"o1", b"o2", b"o3"]),
    RawBatch(NAME, None, "quotes/1", [n * LINES_A_MESSAGE for n in (2, 3, 9)], TEXTS[:3], of_messages=True),
    RawBatch(NAME, "treasury", "quotes/0", [8, 9, 20], TEXTS[1:4], [AT_US + n for n in range(7, 10)]),
    RawBatch(NAME, "treasury", "quotes/0", [30, 31], [b"a", b"b"]),
]
EXPECTED = [
    [
        (position, payload)
        for batch in BATCHES
        if (batch.source, batch.partition) == (NAME, partition)
        for position, payload in zip(batch.offsets, batch.payloads, strict=True)
    ]
    for partition in ("quotes/0", "quotes/1")
]


def _make(then: Callable[[Path], object] = lambda _: None, **how: int) -> Callable[[Path], RecordingSource]:
    def make(folder: Path) -> RecordingSource:
        recording = folder / "recording"
        if not recording.exists():
            writer = RecordingWriter(recording, {NAME: "kafka", "another": "file"}, lambda: AT_US, **how)
            for batch in BATCHES:
                writer.add(batch, "kafka")
                writer.sync()
            writer.close()
            then(recording)
        return RecordingSource(recording, NAME)

    return make


def _files(recording: Path) -> list[Path]:
    return sorted(recording.glob("*.frames.ndjson.zst"))


def _tear(recording: Path) -> None:
    with _files(recording)[-1].open("ab") as file:
        file.write(pack(len(BATCHES) + 1, [b"{}"], AT_US)[:-1])


def _write_twice(recording: Path) -> None:
    newest = _files(recording)[-1]
    (recording / "20300101T000000Z-0009.frames.ndjson.zst").write_bytes(newest.read_bytes())


def register(add: Any) -> None:
    for label, make in {
        "one-file": _make(),
        "a-file-a-batch": _make(file_bytes=1),
        "a-block-a-line": _make(block_bytes=1),
        "torn": _make(_tear),
        "written-twice": _make(_write_twice),
    }.items():
        add(
            RecordingSource,
            label,
            make=make,
            expected=EXPECTED,
            missing=(lambda folder: RecordingSource(folder / "none", NAME)) if label == "one-file" else None,
        )
