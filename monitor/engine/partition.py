"""One partition of a source: which of its positions were seen, how far its event time has come, what is open in it.

Everything here is decided record by record in the order of the log, so it does not depend on how the log was cut into
batches. What a restart needs is the position of the oldest event whose second is still open, with the watermark: read
again from there, every event that was sealed is too late, and every one that was open is not.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.bars import KINDS
from monitor.engine.sealer import Sealed, Sealer
from monitor.engine.watermark import NEVER_US, Watermark
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.decode import Decoded

NO_TICK: Final = -(1 << 62)


@dataclass
class Pushed:
    """What became of the events of a batch.

    Attributes:
        late: by stream, how many came after their second was sealed.
        doubles: by stream, how many repeat a producer's id.
        prints: by stream, the events that are no quotes and no trades, with `floor`: the first tick that cannot
            have run when the event came, as far as this partition's own log says.
    """

    late: dict[str, int] = field(default_factory=dict)
    doubles: dict[str, int] = field(default_factory=dict)
    prints: dict[str, pl.DataFrame] = field(default_factory=dict)


class Partition:
    """The state of one partition.

    Attributes:
        name: as the batches have it.
        watermark: how far event time has come.
        next_position: the first position that was never seen.
        is_held: whether ticks wait for this partition: it has quotes or trades, and was not released.
        newest_us: the newest event time of anything that came, prints among it; None before anything did.
        arrived_us: when something came last, by the clock of arrivals.
        generation: of the owner, in another process, that seals it; None: it is sealed here.
    """

    def __init__(self, name: str, lateness_us: int) -> None:
        self.name = name
        self.watermark = Watermark(lateness_us)
        self.next_position = 0
        self.is_held = False
        self.newest_us: int | None = None
        self.arrived_us: int | None = None
        self.generation: int | None = None
        self._sealers: dict[str, Sealer] = {}
        self._read_again_from = 0

    def split(self, offsets: Sequence[int]) -> tuple[slice, slice]:
        """Of a batch's positions: those that are wanted again after a restart, and those that are new.

        What lies before both was delivered twice, and counts once.
        """
        again = bisect_left(offsets, self._read_again_from)
        new = bisect_left(offsets, self.next_position)
        if len(offsets):
            self._read_again_from = max(self._read_again_from, offsets[-1] + 1)
            self.next_position = max(self.next_position, offsets[-1] + 1)
        return slice(again, max(again, new)), slice(new, len(offsets))

    def push(self, parts: Sequence[Decoded], ran: int) -> Pushed:
        """Take in the decoded events of a batch.

        Args:
            parts: an entry a stream, each in the order of the log.
            ran: the newest tick that has run, or was summed up: what is before it is too late, whatever this partition
                has seen.
        """
        newest = [each for part in parts if isinstance(each := part.events["ts_us"].max(), int)]
        self.newest_us = max([*newest, *([] if self.newest_us is None else [self.newest_us])], default=None)
        pushed = Pushed()
        quotes: dict[str, pl.DataFrame] = {}
        for part in parts:
            kind = KINDS.get(part.stream)
            if kind is None:
                pushed.prints[part.stream] = part.events
                continue
            quotes[part.stream] = part.events.filter(kind.counts)
            if quotes[part.stream].height < part.events.height:
                pushed.prints[part.stream] = part.events.filter(~kind.counts)
        marks = pl.concat([pl.DataFrame(schema=_MARK), *(each.select(*_MARK) for each in quotes.values())])
        marks = marks.sort("offset")
        if marks.height and not self.is_held:
            self.is_held = True
            if ran > NO_TICK:
                self.watermark.raise_to(ran * MICROSECONDS_PER_SECOND)
        before_us = self.watermark.value_us
        on_time = self.watermark.admit(marks["ts_us"])
        if pushed.prints:
            reached = (c("ts_us").cum_max() - self.watermark.lateness_us).clip(before_us)
            floors = marks.select("offset", floor=reached)
            pushed.prints = {name: _with_floor(prints, floors, before_us) for name, prints in pushed.prints.items()}
        in_time = None if on_time.all() else marks["offset"].filter(on_time).implode()
        for stream, events in quotes.items():
            kept = events if in_time is None else events.filter(c("offset").is_in(in_time))
            pushed.late[stream] = events.height - kept.height
            pushed.doubles[stream] = self.sealer(stream).push(kept) if kept.height else 0
        return pushed

    def seal(self) -> dict[str, Sealed]:
        """By stream, what the watermark has passed since it was last asked."""
        return self._seal(self.watermark.sealed_before)

    def release(self) -> dict[str, Sealed]:
        """Wait for this partition no longer: what is open in it is sealed, and what comes for it later is too late."""
        newest_us = self.watermark.value_us + self.watermark.lateness_us
        if self.watermark.value_us != NEVER_US:
            self.watermark.raise_to((newest_us // MICROSECONDS_PER_SECOND + 1) * MICROSECONDS_PER_SECOND)
        self.is_held = False
        return self._seal(None)

    @property
    def is_reading_again(self) -> bool:
        """Whether what was open before a restart has still to come again."""
        return self._read_again_from < self.next_position

    @property
    def oldest_open(self) -> int:
        """From which position on the log must be read again to go on from here."""
        positions = [sealer.oldest_open for sealer in self._sealers.values()]
        again = [self._read_again_from] if self.is_reading_again else []
        return min([*again, *(each for each in positions if each is not None)], default=self.next_position)

    @property
    def sealers(self) -> dict[str, Sealer]:
        """By stream."""
        return self._sealers

    def restore(
        self, next_position: int, oldest_open: int, watermark_us: int, *, is_held: bool, generation: int | None = None
    ) -> None:
        """Go on from what an earlier process left; the log is read again from the oldest open position."""
        self.next_position, self._read_again_from = next_position, oldest_open
        self.watermark.raise_to(watermark_us)
        if watermark_us != NEVER_US:
            self.newest_us = watermark_us + self.watermark.lateness_us
        self.is_held, self.generation = is_held, generation

    def stand(
        self, next_position: int, watermark_us: int, newest_us: int | None, generation: int, *, held: bool
    ) -> None:
        """Take on how the partition stands in the process that seals it; here nothing of it is open."""
        self.next_position = self._read_again_from = next_position
        self.watermark.raise_to(watermark_us)
        self.newest_us, self.generation, self.is_held = newest_us, generation, held

    def restore_sealer(self, stream: str, attributes: pl.DataFrame, ids: pl.DataFrame) -> None:
        """The same for what a stream's sealer knew."""
        self.sealer(stream).restore(attributes, ids)

    def sealer(self, stream: str) -> Sealer:
        """The open seconds of a stream."""
        if stream not in self._sealers:
            self._sealers[stream] = Sealer(KINDS[stream], self.name)
        return self._sealers[stream]

    def _seal(self, before: int | None) -> dict[str, Sealed]:
        return {stream: sealer.seal(before) for stream, sealer in self._sealers.items()}


_MARK: Final[dict[str, pl.DataType]] = {"offset": pl.Int64(), "ts_us": pl.Int64()}


def _with_floor(prints: pl.DataFrame, floors: pl.DataFrame, before_us: int) -> pl.DataFrame:
    """Adds `floor`: the tick after the last that this partition's watermark let run before the print came."""
    found = prints.select("offset").join_asof(floors, on="offset", allow_exact_matches=False)
    seen_us = found["floor"].fill_null(before_us)
    floor = pl.select(
        pl.when(seen_us == NEVER_US).then(NO_TICK).otherwise(seen_us // MICROSECONDS_PER_SECOND + 1)
    ).to_series()
    return prints.with_columns(floor=floor)
