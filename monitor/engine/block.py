"""What a partition sealed since the last time, as bytes: how bars travel from who seals them to who reads them.

A block holds the bars and prints that came, and how its partition stands after them, so whoever has read a partition's
blocks can go on sealing where they end. Before its first block an owner writes a *claim*: from there on the blocks of
earlier owners count no longer (`Fence`), for one that was cut off does not know yet that it is no owner any more.

The bytes are MessagePack, in it frames as Arrow IPC, and a check sum.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from monitor.engine.watermark import NEVER_US

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1
_CHECK_BYTES: Final = 4


BARS: Final = "bars"
"""Stands where a batch's stream would, if its payloads are claims and blocks."""

BAD_BLOCK: Final = "bad_block"
"""The reason with which a payload is refused that is neither."""


class BlockError(Exception):
    """The bytes are no block, or one of another version; the message says what to do."""


class Standing(msgspec.Struct, frozen=True):
    """How a partition stands.

    Attributes:
        next_position: the first position that was never seen.
        oldest_open: from here on its log must be read again to go on.
        watermark_us: how far its event time has come; `NEVER_US` before its first quote or trade.
        newest_us: the newest event time of anything that came; None before anything did.
        is_held: whether ticks wait for it.
        is_behind: whether something older than what was read of other partitions may still come of it.
    """

    next_position: int = 0
    oldest_open: int = 0
    watermark_us: int = NEVER_US
    newest_us: int | None = None
    is_held: bool = False
    is_behind: bool = False


class Claim(msgspec.Struct, frozen=True):
    """From here on the blocks of this generation count, and those of earlier ones do not.

    Attributes:
        partition: its name.
        group: the consumer group that shares the partitions out.
        generation: of the group, in which the partition was given to the writer.
        token: tells the writer's own claim from all others.
        among: the names of all partitions that the group shares out.
    """

    partition: str
    group: str
    generation: int
    token: str
    among: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What a partition sealed, and how it stands then.

    Attributes:
        partition: its name.
        generation: that of the claim under which it was written.
        standing: after what is in the block.
        bars: by stream, in the shape of the kind's seconds.
        prints: by stream, decoded events with their `floor`.
        attributes: by stream, what the sealed events said last of each series.
        ids: by stream, the producers' ids that came: `id` and `offset`.
        suspects: by stream, how many events with a volume equal an earlier one of their second.
    """

    partition: str
    generation: int
    standing: Standing
    bars: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    prints: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    attributes: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    ids: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    suspects: Mapping[str, int] = field(default_factory=dict)


class Fence:
    """Says of the claims and blocks of a log, in its order, which count.

    Args:
        generations: by partition, the newest generation that has claimed it.

    Attributes:
        generations: the same.
    """

    def __init__(self, generations: Mapping[str, int] | None = None) -> None:
        self.generations = dict(generations or {})

    def counts(self, each: Claim | Block) -> bool:
        """Whether it is of the newest owner that the log knows so far; of equal claims the first counts.

        A log that is read from the middle may lack a claim: a block shows its generation as well.

        >>> fence = Fence()
        >>> fence.counts(Claim("repo.rates/0", "group", 5, "a"))
        True
        >>> [fence.counts(Block("repo.rates/0", generation, Standing())) for generation in (4, 5)]
        [False, True]
        """
        newest = self.generations.get(each.partition, -1)
        is_newer = each.generation > newest if isinstance(each, Claim) else each.generation >= newest
        if is_newer:
            self.generations[each.partition] = each.generation
        return is_newer


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    version: int
    claim: Claim | None = None
    partition: str = ""
    generation: int = -1
    standing: Standing | None = None
    frames: tuple[dict[str, bytes], ...] = ()
    suspects: dict[str, int] = {}


_decode: Final = msgspec.msgpack.Decoder(_Wire).decode


def encode(each: Claim | Block) -> bytes:
    """The bytes of a claim or a block."""
    if isinstance(each, Claim):
        wire = _Wire(VERSION, each)
    else:
        frames = tuple(
            {name: _ipc(frame) for name, frame in frames.items() if frame.height}
            for frames in (each.bars, each.prints, each.attributes, each.ids)
        )
        wire = _Wire(VERSION, None, each.partition, each.generation, each.standing, frames, dict(each.suspects))
    body = msgspec.msgpack.encode(wire)
    return zlib.crc32(body).to_bytes(_CHECK_BYTES, "big") + body


def decode(raw: bytes) -> Claim | Block:
    """The claim or block.

    Raises:
        BlockError: the bytes are damaged, none of ours, or of another version.
    """
    body = raw[_CHECK_BYTES:]
    if zlib.crc32(body).to_bytes(_CHECK_BYTES, "big") != raw[:_CHECK_BYTES]:
        raise BlockError("it is no block of bars, or a damaged one: does another program write to this topic?")
    try:
        wire = _decode(body)
        if wire.version != VERSION:
            raise BlockError(f"it has the format version {wire.version}, and this release reads only {VERSION}")
        if wire.claim is not None:
            return wire.claim
        if wire.standing is None:
            raise BlockError("it does not say how its partition stands")
        bars, prints, attributes, ids = (
            {name: pl.read_ipc_stream(raw) for name, raw in frames.items()} for frames in wire.frames
        )
    except (msgspec.MsgspecError, PolarsError, ValueError) as error:
        raise BlockError(f"it cannot be read: {error}") from error
    return Block(wire.partition, wire.generation, wire.standing, bars, prints, attributes, ids, wire.suspects)


def _ipc(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.rechunk().write_ipc_stream(buffer, compression="zstd")
    return buffer.getvalue()
