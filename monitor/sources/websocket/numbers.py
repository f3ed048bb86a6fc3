"""The numbers that a feed gives its messages: which never came, which came twice, which came late.

What is known lives as long as the feed, over all of its connections. No event is lost because of a number: only what
comes again byte for byte with its number is dropped. One number that fits nowhere changes nothing, for it may be a
slip. If the next one goes on from it, the feed has jumped, or numbers anew, as many do with every connection or day.
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
"""So many numbers behind the newest are known, and so many ahead of it one message may pass over."""
GRACE_SECONDS: Final = 5.0
"""A number that was passed over may still come, out of order, for so long; then it is counted as missing."""
LOG_EVERY_SECONDS: Final = 5.0
UNNUMBERED: Final = 1_000
"""A feed whose first messages, so many, have no number is said to have none where `sequence` says."""
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
        self._before: dict[int, int] = {}  # the contents of the numbering before this one
        self._stray: tuple[int, int] | None = None  # what came last, if it fits nowhere, and its mark
        self._gaps: list[_Gap] = []
        self._pending: deque[_Gap] = deque()
        self._unnumbered = 0
        self._untold: tuple[int, int, int] | None = None
        self._quiet_until = 0.0
        self._log = _log.bind(source=feed)

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
            self._say_if_never()
            return True
        mark = hash(content)
        if self._contents.get(number) == mark:
            self.counts[REPEATED] += 1
            return False
        if self._newest is None or number == self._newest + 1:
            self._newest = number
        elif self._before.get(number) == mark:
            self.counts[REPEATED] += 1
            return False
        elif self._newest < number <= self._newest + REMEMBERED:
            self._pass_over(number, now)
        elif not self._fills(number):
            if self._stray is None or not self._stray[0] < number <= self._stray[0] + REMEMBERED:
                self._stray = number, mark
                return True
            self._go_on_from(*self._stray, now)
            self._pass_over(number, now)
        self._stray = None
        self._contents[number] = mark
        if len(self._contents) > 2 * REMEMBERED:
            self._forget()
        return True

    def _say_if_never(self) -> None:
        if self._newest is None and self._unnumbered < UNNUMBERED:
            self._unnumbered += 1
            if self._unnumbered == UNNUMBERED:
                where = ".".join(self._names)
                self._log.warning("no message of the feed has a number where `sequence` says", sequence=where)

    def _pass_over(self, number: int, now: float) -> None:
        """Take a number as the newest; what lies between may still come."""
        first = 1 + (number - 1 if self._newest is None else self._newest)
        if first < number:
            gap = _Gap(first, number - 1, number - first, now + GRACE_SECONDS)
            self._gaps.append(gap)
            self._pending.append(gap)
        self._newest = number

    def _fills(self, number: int) -> bool:
        """Whether a number was passed over and has not come; it counts as come."""
        if self._newest is None or number <= self._newest - REMEMBERED or number in self._contents:
            return False
        at = bisect_right(self._gaps, number, key=lambda gap: gap.first) - 1
        if at < 0 or number > self._gaps[at].last:
            return False
        self._gaps[at].still -= 1
        self.counts[OUT_OF_ORDER] += 1
        return True

    def _go_on_from(self, number: int, mark: int, now: float) -> None:
        """The feed goes on from a number that fitted nowhere: it has jumped ahead, or numbers anew."""
        if self._newest is not None and number > self._newest:
            self._pass_over(number, now)
        else:
            self._log.warning("the feed numbers its messages anew", newest=self._newest, now=number)
            while self._pending:
                self._give_up(self._pending.popleft())
            self._before = self._contents
            self._gaps, self._contents, self._newest = [], {}, number
        self._contents[number] = mark

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
