"""The numbers that a feed gives its messages: which never came, which came twice, which came late.

What is known lives as long as the feed, over all of its connections. No event is lost because of a number: only what
comes again byte for byte with its number is dropped. A number that was there before with other contents, or that is far
behind the newest, says that the feed has begun to number anew, as many do with every connection or every day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

REMEMBERED: Final = 10_000
"""So many numbers behind the newest are known; what is farther behind is of a new numbering."""
GRACE_SECONDS: Final = 5.0
"""A number that was passed over may still come, out of order, for so long; then it is counted as missing."""
LOG_EVERY_SECONDS: Final = 5.0
MISSING: Final = "missing"
REPEATED: Final = "repeated"
OUT_OF_ORDER: Final = "out_of_order"

_MOST_DIGITS: Final = 18

_log = structlog.get_logger(__name__)

Of = Literal["frame", "event"]


@dataclass(slots=True)
class _Gap:
    """Numbers that were passed over.

    Attributes:
        first: the first of them.
        last: the last of them.
        still: how many of them have not come.
        due: the monotonic second at which those are counted as missing.
    """

    first: int
    last: int
    still: int
    due: float


class Numbers:
    """Looks at the numbers of one feed, and counts.

    Args:
        feed: its name, for the log.
        path: where a payload has its number: names with dots between.
        of: whether each event has a number of its own, or each frame: that of its first event that has one.

    Attributes:
        counts: what was counted so far.
    """

    def __init__(self, feed: str, path: str, of: Of = "event") -> None:
        self.counts: Counter[str] = Counter({MISSING: 0, REPEATED: 0, OUT_OF_ORDER: 0})
        self._names = path.split(".")
        self._decoder = _decoder(self._names)
        self._of = of
        self._newest: int | None = None
        self._contents: dict[int, int] = {}
        self._gaps: list[_Gap] = []
        self._pending: deque[_Gap] = deque()
        self._is_first = True
        self._untold: tuple[int, int, int] | None = None
        self._quiet_until = 0.0
        self._log = _log.bind(source=feed)

    def connected(self) -> None:
        """What comes from now on comes over a new connection."""
        self._is_first = True

    def wanted(self, frame: bytes, payloads: Sequence[bytes], now: float) -> list[bool]:
        """Of the payloads of a frame, which are to be handed over: all but repeats.

        Args:
            frame: as it came.
            payloads: what it holds.
            now: the monotonic second.
        """
        if self._of == "event":
            return [self._admits(self.number_of(payload), payload, now) for payload in payloads]
        number = next((each for payload in payloads if (each := self.number_of(payload)) is not None), None)
        return [self._admits(number, frame, now)] * len(payloads)

    def number_of(self, payload: bytes) -> int | None:
        """The number of a payload; None if it has none that can be read, as a heartbeat has none."""
        try:
            found: Any = self._decoder.decode(payload)
            for _ in self._names:
                found = found.value
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
            return None
        if isinstance(found, str):
            return int(found) if found.isascii() and found.isdigit() and len(found) <= _MOST_DIGITS else None
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def settle(self, now: float) -> None:
        """Count as missing what was passed over and has not come in time; says so in the log now and then."""
        while self._pending and self._pending[0].due <= now:
            self._give_up(self._pending.popleft())
        if self._untold is not None and now >= self._quiet_until:
            first, last, missing = self._untold
            self._log.warning("numbers of the feed never came", missing=missing, first=first, last=last)
            self._untold, self._quiet_until = None, now + LOG_EVERY_SECONDS

    def _admits(self, number: int | None, content: bytes, now: float) -> bool:
        if number is None:
            return True
        is_first, self._is_first = self._is_first, False
        mark = hash(content)
        newest = self._newest
        if newest is None or number > newest:
            if newest is not None and number > newest + 1:
                gap = _Gap(newest + 1, number - 1, number - newest - 1, now + GRACE_SECONDS)
                self._gaps.append(gap)
                self._pending.append(gap)
            self._newest = number
        elif number > newest - REMEMBERED and self._contents.get(number) == mark:
            self.counts[REPEATED] += 1
            return False
        elif not self._fills(number, newest, is_first=is_first):
            self._begin_anew(number)
        self._contents[number] = mark
        if len(self._contents) > 2 * REMEMBERED:
            self._forget()
        return True

    def _fills(self, number: int, newest: int, *, is_first: bool) -> bool:
        """Take in a number that was passed over; whether it can be one, and does not begin a new numbering."""
        if number <= newest - REMEMBERED or number in self._contents:
            return False
        at = bisect_right(self._gaps, number, key=lambda gap: gap.first) - 1
        if at >= 0 and number <= self._gaps[at].last:
            self._gaps[at].still -= 1
        elif is_first:
            return False
        self.counts[OUT_OF_ORDER] += 1
        return True

    def _begin_anew(self, number: int) -> None:
        self._log.warning("the feed numbers its messages anew", newest=self._newest, now=number)
        while self._pending:
            self._give_up(self._pending.popleft())
        self._gaps, self._contents, self._newest = [], {}, number

    def _give_up(self, gap: _Gap) -> None:
        """Count what has not come of a gap."""
        if not gap.still:
            return
        self.counts[MISSING] += gap.still
        first, last, missing = self._untold or (gap.first, gap.last, 0)
        self._untold = min(first, gap.first), max(last, gap.last), missing + gap.still

    def _forget(self) -> None:
        """Let go of what is too far behind the newest."""
        oldest = (self._newest or 0) - REMEMBERED
        self._contents = {number: mark for number, mark in self._contents.items() if number > oldest}
        self._gaps = [gap for gap in self._gaps if gap.last > oldest]


def _decoder(names: Sequence[str]) -> msgspec.json.Decoder[Any]:
    """Reads one value out of an object, and passes over all others."""
    inner: Any = int | str
    for name in reversed(names):
        inner = msgspec.defstruct("Level", [("value", inner)], rename={"value": name})
    return msgspec.json.Decoder(inner)
