"""Feeds of a server in a process of its own, which is started by the first test that reads one."""

from __future__ import annotations

import atexit
import functools
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import Any

from monitor.sources.base import LINES_A_MESSAGE
from monitor.sources.websocket import Link, Numbers, WebSocketSource

Frame = tuple[bytes, list[bytes]]
"""A frame, and the payloads that it holds."""

SERVER = Path(__file__).parents[1] / "websocket" / "examples_server.py"
ONE_EVENT = [b'{"ts":1700000000000000}', b"", b"not JSON", b"x" * 150, '{"ü":"✓"}'.encode(), b'{"the last":1}\r']
NUMBERED = [b'{"n":%d}' % n for n in (1, 2, 5, 3, 2, 6, 7, 7, 8)]
TEXT: dict[str, list[Frame]] = {
    "one-event": [(each, [each]) for each in ONE_EVENT],
    "lines": [
        (b"1\n2\n3", [b"1", b"2", b"3"]), (b"\n", [b""]), (b"5\n\n6\n", [b"5", b"", b"6"]), (b"8\r\n9", [b"8\r", b"9"]),
    ],
    "arrays": [
        (b'[{"a":1},\n {"a": [2]}]', [b'{"a":1}', b'{"a": [2]}']), (b"[]", []), (b"[{]", [b"[{]"]),
        (b" [1]", [b" [1]"]),
    ],
    "numbered": [(each, [each] if at not in (4, 7) else []) for at, each in enumerate(NUMBERED)],
    "empty": [],
}  # fmt: skip
BINARY: dict[str, list[Frame]] = {
    "binary": [(b'{"a":1}\n{"a":2}', [b'{"a":1}', b'{"a":2}']), (b"\xff\xfe", [b"\xff\xfe"])]
}


@functools.cache
def _url() -> str:
    """Where the server is, which runs until this process ends."""
    process = subprocess.Popen([sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(process.wait)
    atexit.register(process.kill)
    assert process.stdin is not None
    assert process.stdout is not None
    frames = {
        label: [(is_text, b64encode(frame).decode()) for frame, _ in some]
        for is_text, examples in ((True, TEXT), (False, BINARY))
        for label, some in examples.items()
    }
    process.stdin.write(dumps(frames).encode() + b"\n")
    process.stdin.close()
    port = int(process.stdout.readline())
    process.stdout.close()
    return f"ws://127.0.0.1:{port}"


def _source(label: str) -> WebSocketSource:
    numbers = Numbers(label, "n") if label == "numbered" else None
    return WebSocketSource(label, "repo", Link(f"{_url()}/{label}"), numbers=numbers)


def _maker(label: str) -> Callable[[Path], WebSocketSource]:
    return lambda _: _source(label)


@contextmanager
def _silent() -> Iterator[WebSocketSource]:
    yield _source("empty")


def _missing(_: Path) -> WebSocketSource:
    return WebSocketSource("any", None, Link("ws://127.0.0.1:1"))  # nothing listens there


def _positioned(frames: Sequence[Frame]) -> list[tuple[int, bytes]]:
    return [
        (number * LINES_A_MESSAGE + line, payload)
        for number, (_, payloads) in enumerate(frames)
        for line, payload in enumerate(payloads)
    ]


def register(add: Any) -> None:
    for label, frames in {**TEXT, **BINARY}.items():
        add(
            WebSocketSource,
            label,
            make=_maker(label),
            expected=[_positioned(frames)],
            ends=False,
            missing=_missing if label == "empty" else None,
            silent=_silent if label == "empty" else None,
        )
