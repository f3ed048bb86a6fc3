"""Quotes for the benchmarks: random walks of a spread on the tick grid, as NDJSON lines in the order of time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

START_US: Final = 1_772_546_400_000_000
"""2026-03-03 09:00 New York: a business day, in session."""
_TICK: Final = 1 / 128
_VENUES: Final = ("synthetic-a", "synthetic-b")


def lines(count: int, instruments: int, seconds: int, seed: int = 1) -> Iterator[bytes]:
    """So many quotes of so many issues, evenly spread over so many seconds."""
    random = Random(seed)
    names = [f"91282SYN{n:03d}" for n in range(instruments)]
    spreads = [random.randint(1, 4) for _ in names]
    mids = [99.0 + random.randint(0, 256) * _TICK for _ in names]
    step_us = seconds * 1_000_000 / count
    for i in range(count):
        n = random.randrange(instruments)
        spreads[n] = min(12, max(1, spreads[n] + random.choice((-1, 0, 0, 1))))
        bid = mids[n] + random.randint(-2, 2) * _TICK
        ask = bid + spreads[n] * _TICK
        yield (
            b'{"ts":%d,"instrument":"%s","bid":%.7f,"ask":%.7f,"bid_size":%d,"ask_size":%d,"tenor_years":%d,'
            b'"on_the_run":%s,"venue":"%s"}'
            % (
                START_US + int(i * step_us), names[n].encode(), bid, ask, random.randint(1, 80), random.randint(1, 80),
                10 if n % 2 else 5, b"true" if n < 7 else b"false", _VENUES[n % 2].encode(),
            )
        )  # fmt: skip
