"""Wires the stages: payloads to events, events to tiers, tiers to values, values to levels, all of it to the sinks.

The same pipeline runs live and in a replay. It has no clock: what time it is comes in as `upto`, from the events of
a replay or from the source that owns the clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polars import col as c

from monitor.alerts.evaluator import Evaluator
from monitor.engine.decode import Decoded, Decoder
from monitor.engine.tiers import TierStore
from monitor.results import Ingested, Output, RejectedEvent
from monitor.signals.model import Evaluation, change_ticks
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from monitor.calendar import MarketCalendar
    from monitor.signals.model import Signal
    from monitor.sources.base import RawBatch

BEFORE_EVERY_TICK: Final = -(1 << 62)

TICKS_AT_ONCE: Final = 20_000
"""How many ticks a replay evaluates in one go: bounds its memory; the result does not depend on it."""


class Pipeline:
    """All stages but the sources and the sinks."""

    def __init__(
        self, signals: Sequence[Signal], calendar: MarketCalendar, *, ticks_at_once: int = TICKS_AT_ONCE
    ) -> None:
        self._signals = tuple(signals)
        self._decoder = Decoder()
        self._store = TierStore(calendar)
        self._evaluator = Evaluator(signals, calendar)
        self._ticks_at_once = ticks_at_once
        self._ran = BEFORE_EVERY_TICK
        self._newest_us: int | None = None

    @property
    def newest_event_us(self) -> int | None:
        """The newest event time of any stream, epoch microseconds; None before the first event."""
        return self._newest_us

    @property
    def step_shape(self) -> dict[str, pl.DataType]:
        """The columns of the frames of steps."""
        return self._evaluator.step_shape

    def ingest(self, batch: RawBatch) -> list[Ingested]:
        """Decode a batch and take in its events; says what it brought, a stream at a time."""
        return [self._take_in(decoded) for decoded in self._decoder.decode(batch)]

    def finish(self) -> None:
        """Nothing more will come: seal what is open."""
        self._store.finish()

    def skip_to(self, tick: int) -> None:
        """Begin here: what was taken in so far is past, and no tick before this one is run."""
        self._ran = max(self._ran, tick - 1)

    def advance(self, upto: int | None = None) -> Iterator[Output]:
        """Run the ticks that can be run; an output for every so many of them.

        Args:
            upto: the newest tick to run; None: up to the newest event.
        """
        if upto is None:
            if self._newest_us is None:
                return
            # A second with a trade is sealed, and seen, by the tick after it.
            upto = self._newest_us // MICROSECONDS_PER_SECOND + 1
        upto = min(upto, self._store.horizon)
        if upto <= self._ran:
            return
        tiers = self._store.tiers()
        ticks = change_ticks(self._signals, tiers, self._ran, upto)
        for first in range(0, max(ticks.len(), 1), self._ticks_at_once):
            some = ticks.slice(first, self._ticks_at_once)
            rest = ticks.len() - first - some.len()
            evaluation = Evaluation(tiers, some)
            # Without a tick no value changes, but a hold may come to its end.
            values = {s.name: evaluation.values(s) for s in self._signals} if some.len() else {}
            until = some[-1] if rest else upto
            output = self._evaluator.advance(values, until)
            self._ran = until
            watermark = self._store.watermark_us()
            if watermark is not None:
                output.watermarks_us["repo"] = watermark
            yield output

    def _take_in(self, decoded: Decoded) -> Ingested:
        late = self._store.add(decoded, self._ran + 1) if decoded.events.height else 0
        first: int | None = None
        last: int | None = None
        if decoded.events.height:
            first, last = decoded.events.select(first=c("ts_us").min(), last=c("ts_us").max()).row(0)
            self._newest_us = max(filter(None, (last, self._newest_us)))
        rejects = tuple(
            RejectedEvent(r.stream, r.reason, r.detail, r.source, f"{r.partition}:{r.offset}", r.raw)
            for r in decoded.rejects
        )
        return Ingested(decoded.stream, decoded.events.height, late, first, last, rejects)
