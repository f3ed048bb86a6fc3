"""The open seconds of one stream of one partition: events wait here until no more can come, and then make bars."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.engine.decode import schema
from monitor.streams import MICROSECONDS_PER_SECOND, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.bars.kind import BarKind

IDS_REMEMBERED: Final = 1_000_000
"""A producer's own doubles are found within this many of its latest ids, a partition and stream."""


@dataclass(frozen=True)
class Sealed:
    """What became final.

    Attributes:
        bars: in the shape of the kind's seconds.
        suspects: events that said a volume and equal an earlier one of their second in all but the position.
    """

    bars: pl.DataFrame
    suspects: int = 0


class Sealer:
    """Turns one partition's events of one stream into bars, each second once.

    A bar depends on the set of (position, event) of its second and on the attributes said before it, and not on how
    the log was cut into batches.

    Args:
        kind: the stream's bars.
        partition: stands on every bar of quotes.
    """

    def __init__(self, kind: BarKind, partition: str) -> None:
        self.kind = kind
        self._partition = partition
        shape = schema(STREAMS[kind.stream])
        self._shape = {name: shape[name] for name in kind.open_columns}
        self._open: list[pl.DataFrame] = []
        self._attributes = pl.DataFrame(schema={name: shape[name] for name in (*kind.series, *kind.attributes)})
        self._ids = _Ids() if "id" in kind.inputs else None

    def push(self, events: pl.DataFrame) -> int:
        """Take in events that came in time; returns how many were dropped as a producer's own doubles.

        Args:
            events: decoded, in the order of the log.
        """
        if self._ids is not None:
            first = self._ids.first_of_each(events["id"], events["offset"])
            events, count = events.filter(first), events.height
        else:
            count = events.height
        if events.height:
            self._open.append(events.select(*self._shape))
        return count - events.height

    def seal(self, before: int | None) -> Sealed:
        """The bars of the seconds before an epoch second; None: of all that are open."""
        waiting = pl.concat(self._open) if self._open else pl.DataFrame(schema=self._shape)
        if waiting.is_empty():
            return Sealed(pl.DataFrame(schema=self.kind.seconds))
        done, rest = waiting, waiting.clear()
        if before is not None:
            is_done = waiting["ts_us"] < before * MICROSECONDS_PER_SECOND
            done, rest = waiting.filter(is_done), waiting.filter(~is_done)
        self._open = [rest] if rest.height else []
        if done.is_empty():
            return Sealed(pl.DataFrame(schema=self.kind.seconds))
        # Lazily, here and in the bars: each pass over a small batch has its price.
        done = (
            done.lazy()
            .with_columns(second=c("ts_us") // MICROSECONDS_PER_SECOND, partition=pl.lit(self._partition))
            .sort(*self.kind.series, "ts_us", "offset")
            .collect()
        )
        return Sealed(self.kind.to_seconds(self._with_attributes(done)), self._suspects(done))

    @property
    def oldest_open(self) -> int | None:
        """The position of the oldest event that waits; None if none does."""
        oldest = [frame["offset"].min() for frame in self._open]
        return min((each for each in oldest if isinstance(each, int)), default=None)

    @property
    def attributes(self) -> pl.DataFrame:
        """What the sealed events said last of each series: a row a series."""
        return self._attributes

    def restore(self, attributes: pl.DataFrame, ids: pl.DataFrame) -> None:
        """Go on from what an earlier process left.

        Args:
            attributes: as `attributes` had it.
            ids: `id` and `offset`, in the order in which they came.
        """
        self._attributes = attributes.select(self._attributes.columns)
        if self._ids is not None:
            self._ids.restore(ids.iter_rows())

    def take_new_ids(self) -> pl.DataFrame:
        """The ids that came since this was last asked: `id` and `offset`."""
        new = [] if self._ids is None else self._ids.take_new()
        return pl.DataFrame(new, schema={"id": pl.String(), "offset": pl.Int64()}, orient="row")

    def _with_attributes(self, events: pl.DataFrame) -> pl.DataFrame:
        """The events, with what they leave out filled in from earlier ones of their series; remembers the newest."""
        if not self.kind.attributes:
            return events
        series, said = list(self.kind.series), c(self.kind.attributes)
        both = pl.concat([self._attributes.lazy(), events.lazy()], how="diagonal")
        filled = both.with_columns(said.forward_fill().over(series)).collect()
        self._attributes = filled.lazy().group_by(series).agg(said.last()).sort(series).collect()
        return filled.slice(filled.height - events.height).select(events.columns)

    def _suspects(self, events: pl.DataFrame) -> int:
        if self.kind.has_volume is None:
            return 0
        # What has an id is known to be no double: they were dropped as they came.
        volumes = events.filter(self.kind.has_volume)
        if "id" in volumes.columns:
            volumes = volumes.filter(c("id").is_null())
        return volumes.height - volumes.drop("offset").unique().height


@dataclass(slots=True)
class _Ids:
    """The latest ids of a partition, and where each stood first."""

    offsets: dict[str, int] = field(default_factory=dict)
    order: deque[str] = field(default_factory=deque)
    new: list[tuple[str, int]] = field(default_factory=list)

    def first_of_each(self, ids: pl.Series, offsets: pl.Series) -> pl.Series:
        """Whether an event has no id, or is the first of its id.

        An event that is read again after a restart stands where it stood: it is no double of itself.
        """
        if ids.null_count() == ids.len():
            return pl.repeat(value=True, n=ids.len(), dtype=pl.Boolean, eager=True)
        pairs = zip(ids.to_list(), offsets.to_list(), strict=True)
        return pl.Series([name is None or self._is_first(name, offset) for name, offset in pairs], dtype=pl.Boolean)

    def _is_first(self, name: str, offset: int) -> bool:
        # One by one, so that what is remembered does not depend on how the log is cut into batches.
        known = self.offsets.get(name)
        if known is not None:
            return known == offset
        self._remember(name, offset)
        self.new.append((name, offset))
        return True

    def _remember(self, name: str, offset: int) -> None:
        if len(self.order) == IDS_REMEMBERED:
            del self.offsets[self.order.popleft()]
        self.offsets[name] = offset
        self.order.append(name)

    def restore(self, ids: Iterable[tuple[str, int]]) -> None:
        for name, offset in ids:
            if name not in self.offsets:
                self._remember(name, offset)

    def take_new(self) -> list[tuple[str, int]]:
        new, self.new = self.new, []
        return new
