"""Recordings to test with, and a way to read one whole."""

from __future__ import annotations

from pathlib import Path

from monitor.recording.folder import files_of, sources_of
from monitor.recording.writer import RecordingWriter
from monitor.sources.base import RawBatch
from monitor.sources.recording import RecordingSource

AT_US = 1_700_000_000_000_000
Row = tuple[str, int, bytes, int | None, str | None, bool]


def rows_of(batch: RawBatch) -> list[Row]:
    """All that must come back of a batch."""
    arrived: list[int | None] = list(batch.arrived_us) if batch.arrived_us is not None else [None] * len(batch)
    return [
        (batch.partition, position, payload, at, batch.stream, batch.of_messages)
        for position, payload, at in zip(batch.offsets, batch.payloads, arrived, strict=True)
    ]


def by_partition(rows: list[Row]) -> dict[str, list[Row]]:
    """The rows of each partition, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(row)
    return found


def read(folder: Path, into: list[Row] | None = None) -> list[Row]:
    """Every row of a recording; what came before an error is in `into`."""
    rows = [] if into is None else into
    for name in sorted(sources_of(files_of(folder))):
        source = RecordingSource(folder, name)
        try:
            source.open()
            while not source.exhausted:
                batch = source.poll(1000)
                if batch is not None:
                    rows += rows_of(batch)
        finally:
            source.close(1.0)
    return rows


def write(folder: Path, batches: list[RawBatch], **how: int) -> None:
    """Record the batches, each synced by itself."""
    writer = RecordingWriter(folder, {batch.source: "kafka" for batch in batches}, lambda: AT_US, **how)
    for batch in batches:
        writer.add(batch, "kafka")
        writer.sync()
    assert writer.close()


def files(folder: Path) -> list[Path]:
    """The files of a recording."""
    return [each.path for each in files_of(folder)]


def batch(first: int, count: int = 3, partition: str = "quotes/0", source: str = "desk") -> RawBatch:
    """Some payloads from a position on, no UTF-8 among them."""
    payloads = [b'{"n":%d}' % n if n % 3 else b"\xff%d" % n for n in range(first, first + count)]
    return RawBatch(
        source,
        "repo",
        partition,
        range(first, first + count),
        payloads,
        [AT_US + n for n in range(first, first + count)],
    )
