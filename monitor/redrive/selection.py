"""Which of the refused events are meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.redrive.kept import Kept


@dataclass(frozen=True, slots=True)
class Selection:
    """What is given must be so; what is empty or None may be anything.

    Attributes:
        reasons: any of these.
        streams: any of these.
        partition: the partition or file that it came from.
        offsets: the first and the last offset there.
        since_us: refused at or after this moment, epoch microseconds.
        until_us: refused before this moment.
    """

    reasons: frozenset[str] = frozenset()
    streams: frozenset[str] = frozenset()
    partition: str | None = None
    offsets: tuple[int, int] | None = None
    since_us: int | None = None
    until_us: int | None = None

    def takes(self, each: Kept) -> bool:
        """Whether it is meant; one of which is not known when it was refused is not, where a time is given."""
        return (
            (not self.reasons or each.reason in self.reasons)
            and (not self.streams or each.stream in self.streams)
            and (self.partition is None or each.place == self.partition)
            and (self.offsets is None or self.offsets[0] <= each.offset <= self.offsets[1])
            and self._in_time(each.refused_us)
        )

    def _in_time(self, at_us: int | None) -> bool:
        if at_us is None:
            return self.since_us is None and self.until_us is None
        return (self.since_us is None or at_us >= self.since_us) and (self.until_us is None or at_us < self.until_us)
