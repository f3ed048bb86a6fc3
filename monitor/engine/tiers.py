"""What is known, and since which tick: the frames that every signal is computed from.

A *tick* is a whole epoch second; tick T sees the seconds before T and the prints that took effect at or before
it. Prints (benchmarks, reference values) carry the tick at which they took effect, so one frame holds what was
known at every tick, and a replay that looks back sees no more than the live run saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.engine.repo_bars import REPO_BAR, RepoSealer, is_overnight_trade, merge_bars
from monitor.engine.watermark import LATENESS_US
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.calendar import MarketCalendar
    from monitor.engine.decode import Decoded

_ORDER: Final = ["ts_us", "partition", "offset"]
"""Which of two versions is the later one; equal timestamps: position decides."""

_VERSION: Final[dict[str, pl.DataType]] = {
    "tick": pl.Int64(),  # from which tick on it is known
    "ts_us": pl.Int64(),
    "partition": pl.String(),
    "offset": pl.Int64(),
}
BENCHMARK: Final[dict[str, pl.DataType]] = _VERSION | {
    "instrument": pl.String(),
    "value_date": pl.Date(),
    "rate_e6": pl.Int64(),
    "p1_e6": pl.Int64(),
    "p25_e6": pl.Int64(),
    "p75_e6": pl.Int64(),
    "p99_e6": pl.Int64(),
    "volume_kusd": pl.Int64(),
}
REFERENCE: Final[dict[str, pl.DataType]] = _VERSION | {
    "series": pl.String(),
    "effective_date": pl.Date(),
    "value_e6": pl.Int64(),
    "unit": pl.String(),
}

BENCHMARK_KEY: Final = ("instrument", "value_date")
REFERENCE_KEY: Final = ("series", "effective_date")

EVER: Final = 1 << 62
"""After every tick."""


@dataclass(frozen=True)
class Tiers:
    """The frames at one moment.

    Attributes:
        calendar: the market calendar.
        benchmarks: a row a version of a published benchmark rate, as `BENCHMARK`, in the order of ticks.
        reference: a row a version of a reference value, as `REFERENCE`, in the order of ticks.
        repo_seconds: repo trades by second, as `REPO_BAR`, in the order of seconds.
    """

    calendar: MarketCalendar
    benchmarks: pl.DataFrame
    reference: pl.DataFrame
    repo_seconds: pl.DataFrame

    def known_by(self, tick: int) -> Tiers:
        """The same as they stood at a tick: what a live run sees then."""
        return Tiers(
            self.calendar,
            self.benchmarks.filter(c("tick") <= tick),
            self.reference.filter(c("tick") <= tick),
            self.repo_seconds.filter(c("second") < tick),
        )


class TierStore:
    """Takes decoded events in, keeps the tiers."""

    def __init__(self, calendar: MarketCalendar, lateness_us: int = LATENESS_US) -> None:
        self._calendar = calendar
        self._lateness_us = lateness_us
        self._benchmarks = pl.DataFrame(schema=BENCHMARK)
        self._reference = pl.DataFrame(schema=REFERENCE)
        self._repo_seconds = pl.DataFrame(schema=REPO_BAR)
        self._pending: dict[str, list[pl.DataFrame]] = {"benchmarks": [], "reference": [], "repo_seconds": []}
        self._sealers: dict[str, RepoSealer] = {}
        self._finished = False

    def add(self, decoded: Decoded, next_tick: int) -> int:
        """Take in what was decoded; returns how many events were too late to count.

        Args:
            decoded: the events of one partition, in the order of its log.
            next_tick: the first tick that has not run: a print takes effect there at the earliest.
        """
        events = decoded.events.with_columns(partition=pl.lit(decoded.partition))
        if decoded.stream == streams.REPO.name:
            prints = events.filter(c("kind") == streams.REPO_BENCHMARK)
            self._add_prints("benchmarks", prints, BENCHMARK, next_tick)
            return self._add_trades(decoded.partition, events.filter(is_overnight_trade()))
        if decoded.stream == streams.REFERENCE.name:
            self._add_prints("reference", events, REFERENCE, next_tick)
        return 0

    def finish(self) -> None:
        """Seal what is open: the input has ended."""
        self._finished = True
        self._pending["repo_seconds"].extend(sealer.finish() for sealer in self._sealers.values())

    @property
    def horizon(self) -> int:
        """The newest tick that no trade still to come can change."""
        if self._finished:
            return EVER
        return min((s.watermark.sealed_before for s in self._sealers.values() if s.started), default=EVER)

    def watermark_us(self) -> int | None:
        """The event time up to which trades are sealed; None if none came."""
        return min((s.watermark.value_us for s in self._sealers.values() if s.started), default=None)

    def tiers(self) -> Tiers:
        """The frames as they stand."""
        new = {name: frames for name, frames in self._pending.items() if frames}
        if "benchmarks" in new:
            self._benchmarks = _merge(self._benchmarks, new["benchmarks"], BENCHMARK_KEY)
        if "reference" in new:
            self._reference = _merge(self._reference, new["reference"], REFERENCE_KEY)
        if "repo_seconds" in new:
            self._repo_seconds = merge_bars(pl.concat([self._repo_seconds, *new["repo_seconds"]]))
        for frames in new.values():
            frames.clear()
        return Tiers(self._calendar, self._benchmarks, self._reference, self._repo_seconds)

    def _add_prints(self, tier: str, events: pl.DataFrame, shape: dict[str, pl.DataType], next_tick: int) -> None:
        if not events.is_empty():
            first_whole = -(-c("ts_us") // MICROSECONDS_PER_SECOND)
            prints = events.with_columns(tick=pl.max_horizontal(first_whole, pl.lit(next_tick)))
            self._pending[tier].append(prints.select(*shape))

    def _add_trades(self, partition: str, trades: pl.DataFrame) -> int:
        if trades.is_empty():
            return 0
        sealer = self._sealers.setdefault(partition, RepoSealer(self._lateness_us))
        bars, late = sealer.push(trades)
        if not bars.is_empty():
            self._pending["repo_seconds"].append(bars)
        return late


def _merge(known: pl.DataFrame, new: Sequence[pl.DataFrame], key: Sequence[str]) -> pl.DataFrame:
    """The versions of all of them that are ever the latest of their key, in the order of ticks.

    A version counts from its tick until a later one (by `_ORDER`) of the same key is known; one that comes to
    be known only after a later one never counts.
    """
    overtaken = c("tick").shift(-1).cum_min(reverse=True).over(key, order_by=_ORDER)
    return (
        pl.concat([known, *new])
        .sort(*key, *_ORDER)
        .filter((c("tick") < overtaken).fill_null(value=True))
        .sort("tick", *_ORDER)
    )
