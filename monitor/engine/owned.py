"""A partition that this process seals for others to read: its open seconds, and what it has sealed and not told."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from monitor.engine.bars import KINDS
from monitor.engine.block import Block, Standing
from monitor.engine.partition import NO_TICK, Partition
from monitor.engine.watermark import LATENESS_US, NEVER_US

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.engine.decode import Decoded
    from monitor.engine.partition import Pushed
    from monitor.engine.sealer import Sealed


class Owned:
    """The open state of a partition; whoever owns it next goes on from its blocks.

    Args:
        name: of the partition.
        generation: of the claim by which it is ours.
        lateness_us: how far a record may lag behind the newest and still count.

    Attributes:
        partition: the state itself.
        generation: of the claim.
        is_behind: whether something older than what was read of other partitions may still come.
    """

    def __init__(self, name: str, generation: int, lateness_us: int = LATENESS_US) -> None:
        self.partition, self.generation = Partition(name, lateness_us), generation
        self.is_behind = True
        self._bars: dict[str, list[pl.DataFrame]] = {}
        self._prints: dict[str, list[pl.DataFrame]] = {}
        self._suspects: Counter[str] = Counter()
        self._told: Standing | None = None

    def restore(self, blocks: Sequence[Block]) -> None:
        """Go on where the last of these blocks ends.

        Args:
            blocks: those of earlier owners that count, in the order of the log, the newest at least.
        """
        if not blocks:
            return
        last = blocks[-1]
        stands = last.standing
        self.partition.restore(
            stands.next_position, stands.oldest_open, stands.watermark_us, is_held=stands.is_held
        )  # fmt: skip
        self.partition.newest_us = stands.newest_us
        for stream in KINDS:
            ids = [block.ids[stream] for block in blocks if stream in block.ids]
            if stream in last.attributes or ids:
                empty = self.partition.sealer(stream)
                self.partition.restore_sealer(
                    stream,
                    last.attributes.get(stream, empty.attributes),
                    pl.concat(ids) if ids else empty.take_new_ids(),
                )

    def begin(self, position: int) -> None:
        """Nothing came so far, and reading begins at this position: a next owner begins there, too."""
        if not self.partition.next_position:
            self.partition.restore(position, position, NEVER_US, is_held=False)

    def push(self, parts: Sequence[Decoded]) -> Pushed:
        """Take in the decoded events of a batch; what they seal waits for the next block."""
        # Which ticks have run is not known here: who reads the bars drops those that come behind them.
        pushed = self.partition.push(parts, NO_TICK)
        for stream, events in pushed.prints.items():
            if events.height:
                self._prints.setdefault(stream, []).append(events)
        self._take_in(self.partition.seal())
        return pushed

    def release(self) -> None:
        """Have ticks wait for it no longer: it is idle."""
        self._take_in(self.partition.release())

    @property
    def bars_waiting(self) -> int:
        """How many bars the next block would hold."""
        return sum(frame.height for frames in self._bars.values() for frame in frames)

    def take_block(self) -> Block | None:
        """What was sealed since this was last asked, and how the partition stands now; None if nothing has changed.

        The first is never None: whoever reads waits for a partition that was claimed until its owner says how it
        stands, also where nothing has changed since the last owner, or nothing has ever come.
        """
        stands = self.standing
        if stands == self._told and not self._bars and not self._prints:
            return None
        block = Block(
            self.partition.name,
            self.generation,
            stands,
            {stream: pl.concat(frames) for stream, frames in self._bars.items()},
            {stream: pl.concat(frames) for stream, frames in self._prints.items()},
            {stream: sealer.attributes for stream, sealer in self.partition.sealers.items()},
            {stream: sealer.take_new_ids() for stream, sealer in self.partition.sealers.items()},
            dict(self._suspects),
        )
        self._told = stands
        self._bars, self._prints = {}, {}
        self._suspects.clear()
        return block

    @property
    def standing(self) -> Standing:
        """How the partition stands."""
        each = self.partition
        return Standing(
            each.next_position, each.oldest_open, each.watermark.value_us, each.newest_us, each.is_held, self.is_behind
        )

    def _take_in(self, sealed: Mapping[str, Sealed]) -> None:
        for stream, each in sealed.items():
            if each.bars.height:
                self._bars.setdefault(stream, []).append(each.bars)
            self._suspects[stream] += each.suspects
