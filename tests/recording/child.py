"""A process that records without end, and says after each sync how far it has come."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from monitor.recording.writer import RecordingWriter
from tests.recording.reading import batch

PARTITION = "quotes/0"


def record_without_end(folder: Path) -> None:
    """Go on where the recording ends, until it is killed."""
    writer = RecordingWriter(
        folder, {"desk": "kafka"}, lambda: time.time_ns() // 1_000, file_bytes=20_000, block_bytes=3_000
    )
    position = writer.positions.get(PARTITION, 0)
    while True:
        count = 1 + position % 97
        writer.add(batch(position, count), "kafka")
        position += count
        if position % 3 == 0:
            if not writer.sync():
                raise RuntimeError("the disk of the test is full")
            print(position, flush=True)  # noqa: T201 - to the test


if __name__ == "__main__":
    record_without_end(Path(sys.argv[1]))
