"""The peer: the same bars by msgspec and a loop, as one would write it for this one purpose.

It reads quotes that come in order, refuses nothing, and knows no attributes, no late records and no restart.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import msgspec

_NONE = -1
"""There is no spread, or no depth."""


class Quote(msgspec.Struct, gc=False):
    """Of a quote what the bars need."""

    ts: int
    instrument: str
    bid: float | None = None
    ask: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None


class Bar(NamedTuple):
    """A second of an issue."""

    second: int
    instrument: str
    first_us: int
    last_us: int
    spread_e9: int | None  # of the last quote
    spread_area: int
    spread_us: int
    depth_area: int
    depth_us: int
    quotes: int
    one_sided: int
    crossed: int


class HandMade:
    """Quotes to bars, one at a time."""

    def __init__(self) -> None:
        self.sealed: deque[Bar] = deque()
        self._open: dict[str, list[int]] = {}
        self._decode = msgspec.json.Decoder(Quote).decode

    def push(self, lines: list[bytes]) -> None:
        """Take in lines in the order of time."""
        decode, open_, seal = self._decode, self._open, self._seal
        for line in lines:
            q = decode(line)
            second = q.ts // 1_000_000
            bar = open_.get(q.instrument)
            if bar is not None and bar[0] != second:
                seal(q.instrument, bar)
                bar = None
            spread = depth = _NONE
            one_sided = crossed = 0
            if not q.bid or not q.ask:
                one_sided = 1
            elif q.ask < q.bid:
                crossed = 1
            else:
                spread = round(q.ask * 1e9) - round(q.bid * 1e9)
                if q.bid_size is not None and q.ask_size is not None:
                    depth = round(q.bid_size * 1e3) + round(q.ask_size * 1e3)
            if bar is None:
                open_[q.instrument] = [second, q.ts, q.ts, spread, depth, 0, 0, 0, 0, 1, one_sided, crossed]
                continue
            stood = q.ts - bar[2]
            if bar[3] >= 0:
                bar[5] += bar[3] * stood
                bar[6] += stood
            if bar[4] >= 0:
                bar[7] += bar[4] * stood
                bar[8] += stood
            bar[2], bar[3], bar[4] = q.ts, spread, depth
            bar[9] += 1
            bar[10] += one_sided
            bar[11] += crossed

    def finish(self) -> None:
        """Seal what is open."""
        for instrument, bar in self._open.items():
            self._seal(instrument, bar)
        self._open.clear()

    def _seal(self, instrument: str, bar: list[int]) -> None:
        second, first, last, spread, _, area, us, depth_area, depth_us, quotes, one_sided, crossed = bar
        last_spread = None if spread == _NONE else spread
        self.sealed.append(
            Bar(
                second, instrument, first, last, last_spread, area, us, depth_area, depth_us, quotes, one_sided, crossed
            )
        )  # fmt: skip
