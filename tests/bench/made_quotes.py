"""Quotes for the benchmarks: random walks of a spread on the tick grid, as NDJSON lines in the order of time.

The first seven issues are the ones on the run, one of each tenor; those of the tenors whose slopes are read say their
coupon and maturity. One quote in eight brings a trade.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

START_US: Final = 1_772_546_400_000_000
"""2026-03-03 09:00 New York: a business day, in session."""
TENORS: Final = (2, 3, 5, 7, 10, 20, 30)
_TICK: Final = 1 / 128
_VENUES: Final = ("synthetic-a", "synthetic-b")
_TERMS: Final = {0: (4.0, "2028-02-29"), 4: (4.25, "2036-02-15"), 6: (4.5, "2056-02-15")}
_SIZES: Final = (1, 5, 10, 25)
_SIDES: Final = ("buy", "sell")


def lines(count: int, instruments: int, seconds: int, seed: int = 1) -> Iterator[bytes]:
    """So many quotes of so many issues, evenly spread over so many seconds; first one of each issue."""
    random = Random(seed)
    names = [f"91282SYN{n:03d}" for n in range(instruments)]
    spreads = [random.randint(1, 4) for _ in names]
    mids = [99.0 + random.randint(0, 256) * _TICK for _ in names]
    said = [_said(n) for n in range(instruments)]
    step_us = seconds * 1_000_000 / count
    for i in range(count):
        n = i if i < instruments else random.randrange(instruments)
        spreads[n] = min(12, max(1, spreads[n] + random.choice((-1, 0, 0, 1))))
        bid = mids[n] + random.randint(-2, 2) * _TICK
        ask = bid + spreads[n] * _TICK
        trade = b""
        if random.random() < 1 / 8:
            trade = b',"last_price":%.7f,"last_size":%d,"aggressor":"%s"' % (
                bid, random.choice(_SIZES), random.choice(_SIDES).encode(),
            )  # fmt: skip
        yield b'{"ts":%d,"instrument":"%s","bid":%.7f,"ask":%.7f,"bid_size":%d,"ask_size":%d,%s%s}' % (
            START_US + int(i * step_us), names[n].encode(), bid, ask, random.randint(1, 80), random.randint(1, 80),
            said[n], trade,
        )  # fmt: skip


def _said(number: int) -> bytes:
    """What an issue says of itself in every quote."""
    terms = _TERMS.get(number)
    said = f'"tenor_years":{TENORS[number % len(TENORS)]},"on_the_run":{"true" if number < len(TENORS) else "false"}'
    if terms is not None:
        said += f',"coupon":{terms[0]},"maturity":"{terms[1]}"'
    return f'{said},"venue":"{_VENUES[number % 2]}"'.encode()
