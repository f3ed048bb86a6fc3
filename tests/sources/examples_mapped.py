"""Mappings over files and over a recording of messages: events, drops, refusals, and several events a message."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.mapping import DropRule, FieldRule, Mapper, Shape
from monitor.recording.writer import RecordingWriter
from monitor.sources.base import LINES_A_MESSAGE, RawBatch
from monitor.sources.file import FileSource
from monitor.sources.mapped import MappedSource
from monitor.sources.recording import RecordingSource

US = 1_700_000_000_000_000
MAPPER = Mapper(
    Shape(
        stream="repo",
        fields={
            "ts": FieldRule(paths=("$.t",)),
            "instrument": FieldRule(paths=("i",)),
            "rate": FieldRule(paths=("r",)),
        },
        events="q",
        drop=(DropRule(path="$.k", among=("hb",)), DropRule(path="i", among=("no",))),
    )
)


def _message(*names: str) -> bytes:
    return json.dumps({"t": US, "q": [{"i": name, "r": 1} for name in names]}).encode()


def _event(name: str) -> bytes:
    return b'{"ts":%d,"instrument":"%s","rate":1}' % (US, name.encode())


MESSAGES: list[tuple[bytes, list[bytes] | None]] = [
    # A message, and what comes out of it; None: it is refused as it came.
    (b'{"k":"hb"}', []), (_message("a"), [_event("a")]), (b"not JSON", None), (b'{"k":"hb"}', []),
    (_message("b", "no", "c", "d"), [_event("b"), _event("c"), _event("d")]), (_message(), []), (b"", None),
    (_message("e", "f"), [_event("e"), _event("f")]), (b'{"t":1}', None), (_message("no"), []),
    (_message(*map(str, range(9))), [_event(str(n)) for n in range(9)]), (b'{"k":"hb"}', []),
]  # fmt: skip
LINES = [raw for raw, _ in MESSAGES]


def _made(line: int) -> list[bytes]:
    """What is handed over of a line."""
    raw, made = MESSAGES[line]
    return [raw] if made is None else made


def _positioned(messages: Mapping[int, Sequence[int]]) -> list[tuple[int, bytes]]:
    """What comes out, given which lines each message has."""
    return [
        (message * LINES_A_MESSAGE + number, payload)
        for message, lines in messages.items()
        for number, payload in enumerate([each for line in lines for each in _made(line)])
    ]


def _file(folder: Path, **how: Any) -> MappedSource:
    path = folder / "vendor.ndjson"
    path.write_bytes(b"\n".join(LINES) + b"\n")
    return MappedSource(FileSource(str(path), None, "vendor", **how), MAPPER, of_messages=False)


ONE_A_LINE = {number: [number - 1] for number in range(1, len(LINES) + 1)}
SEVERAL = [[0, 1, 2], [3], [4, 5, 6, 7, 8], [9], [10], [11, 1]]


def _recording(*, of_messages: bool) -> Callable[[Path], MappedSource]:
    def make(folder: Path) -> MappedSource:
        recording = folder / "recording"
        if not recording.exists():
            writer = RecordingWriter(recording, {"vendor": "kafka"}, lambda: US)
            rows = [
                (m * LINES_A_MESSAGE + at, LINES[line])
                for m, some in enumerate(SEVERAL)
                for at, line in enumerate(some)
            ]
            offsets, payloads = [at for at, _ in rows], [raw for _, raw in rows]
            writer.add(
                RawBatch("vendor", "repo", "t/0", offsets, payloads, [US] * len(rows), of_messages=True), "kafka"
            )
            writer.sync()
            writer.close()
        return MappedSource(RecordingSource(recording, "vendor"), MAPPER, of_messages=of_messages)

    return make


@contextmanager
def _silent() -> Iterator[MappedSource]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb"):
        yield MappedSource(FileSource("-", "repo", stdin=stdin), MAPPER, of_messages=False)


def register(add: Any) -> None:
    add(
        MappedSource,
        "file",
        make=_file,
        expected=[_positioned(ONE_A_LINE)],
        missing=lambda folder: MappedSource(FileSource(str(folder / "none.ndjson"), None), MAPPER, of_messages=False),
        silent=_silent,
    )
    add(
        MappedSource,
        "file-in-small-blocks",
        make=lambda folder: _file(folder, block_bytes=13),
        expected=[_positioned(ONE_A_LINE)],
    )
    for of_messages in (True, False):
        add(
            MappedSource,
            f"messages-of-lines-{'known' if of_messages else 'found-out'}",
            make=_recording(of_messages=of_messages),
            expected=[_positioned(dict(enumerate(SEVERAL)))],
        )
    add(
        MappedSource,
        "all-dropped",
        make=lambda _: MappedSource(
            FileSource("-", "repo", stdin=io.BytesIO(b'{"k":"hb"}\n' * 50)), MAPPER, of_messages=False
        ),
        expected=[[]],
        rereadable=False,
    )
