"""What is known, and since which tick: the frames that every signal is computed from.

A *tick* is a whole epoch second; tick T sees the seconds before T and the prints that took effect at or before
it. Prints (benchmarks, reference values) carry the tick at which they took effect, so one frame holds what was
known at every tick, and a replay that looks back sees no more than the live run saw.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor import streams
from monitor.calendar import new_york_dates
from monitor.engine.bars import KINDS
from monitor.engine.bars.repo import merge_bars
from monitor.engine.copies import MARK, Copies
from monitor.engine.decode import schema
from monitor.engine.ladder import DAYS, PERIODS, SECONDS, Ladder
from monitor.engine.minutes import MINUTE_SECONDS, Minutes
from monitor.engine.partition import Partition
from monitor.engine.sealer import Sealed
from monitor.engine.watermark import LATENESS_US
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from monitor.calendar import MarketCalendar
    from monitor.engine.block import Block
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

TREASURY_PRINT: Final[dict[str, pl.DataType]] = _VERSION | {
    "instrument": pl.String(),
    "value_date": pl.Date(),  # the New York date of ts
    "bid_e9": pl.Int64(),
    "ask_e9": pl.Int64(),
    "close_e9": pl.Int64(),
    "tenor_e3": pl.Int64(),
    "on_the_run": pl.Boolean(),
}

DEAL: Final[dict[str, pl.DataType]] = _VERSION | {
    name: kind for name, kind in schema(streams.NEWISSUE).items() if name not in _VERSION
}
"""What was said of a tranche of a new issue: each event by itself, as it amends some of the fields of those before."""

BENCHMARKS, REFERENCES, TREASURY_PRINTS, DEALS = "benchmarks", "reference", "treasury_prints", "deals"
PRINTS: Final = {BENCHMARKS: BENCHMARK, REFERENCES: REFERENCE, TREASURY_PRINTS: TREASURY_PRINT, DEALS: DEAL}
"""The tiers of prints: name to columns."""
_TIER_OF_PRINTS: Final = {
    streams.REPO.name: BENCHMARKS,
    streams.REFERENCE.name: REFERENCES,
    streams.TREASURY.name: TREASURY_PRINTS,
    streams.NEWISSUE.name: DEALS,
}

MARKS: Final = "treasury_marks"
"""What copies of earlier sessions are known by, among the appends of the bar log."""

BENCHMARK_KEY: Final = ("instrument", "value_date")
REFERENCE_KEY: Final = ("series", "effective_date")
TREASURY_PRINT_KEY: Final = ("instrument", "value_date")
DEAL_KEY: Final = ("deal_id", "ts_us", "partition", "offset")
"""No event of a deal takes the place of another one."""
KEYS: Final = {
    BENCHMARKS: BENCHMARK_KEY, REFERENCES: REFERENCE_KEY, TREASURY_PRINTS: TREASURY_PRINT_KEY, DEALS: DEAL_KEY,
}  # fmt: skip

BASELINE: Final[dict[str, pl.DataType]] = {
    "value_date": pl.Date(),  # the session that is compared
    "half_hour": pl.Int64(),  # of it, from 0
    "group": pl.String(),  # of issues, see `signals.baselines`
    "sessions": pl.Int64(),  # how many admitted sessions it is made of
    "spread_median_32nds": pl.Float64(),
    "spread_mad_32nds": pl.Float64(),
    "depth_sessions": pl.Int64(),
    "depth_median_musd": pl.Float64(),
}
"""What quotes are compared with: fixed when a session begins, from the sessions before it."""

EVER: Final = 1 << 62
"""After every tick."""

Kept = dict["Hashable", tuple[tuple[pl.DataFrame, ...], pl.DataFrame]]
"""By name, the frames that something was made of, and what was made."""
_LAST_CLIMB_SECONDS: Final = 2 * 86_400
"""When the input has ended, the tiers are summed for so long after its last bar: to the end of its New York day."""


@dataclass(frozen=True)
class Tiers:
    """The frames at one moment.

    Attributes:
        calendar: the market calendar.
        benchmarks: a row a version of a published benchmark rate, as `BENCHMARK`, in the order of ticks.
        reference: a row a version of a reference value, as `REFERENCE`, in the order of ticks.
        repo_seconds: repo trades by second, as `REPO_BAR`, in the order of seconds.
        repo_days: repo trades by whole New York day, as `REPO_DAY`.
        treasury_prints: a row a version of an issue's end-of-day quote, as `TREASURY_PRINT`, in the order of ticks.
        treasury_seconds: Treasury quotes by second, as `TREASURY_SECOND`, in the order of seconds.
        treasury_minutes: what stood at the end of each minute, as `TREASURY_MINUTE`, in the order of minutes.
        treasury_copies: which minutes repeat those of an earlier session, as `COPIED`.
        baselines: of each session and group of issues, as `BASELINE`.
        deals: what was said of new issues, as `DEAL`, in the order of ticks.
        cds_seconds: CDS quotes by second, as `CDS_SECOND`, in the order of seconds.
        cds_days: CDS quotes by whole New York day, as `CDS_DAY`.
        kept: what `once` made of frames that seldom change.
    """

    calendar: MarketCalendar
    benchmarks: pl.DataFrame
    reference: pl.DataFrame
    repo_seconds: pl.DataFrame
    repo_days: pl.DataFrame
    treasury_prints: pl.DataFrame
    treasury_seconds: pl.DataFrame
    treasury_minutes: pl.DataFrame
    treasury_copies: pl.DataFrame
    baselines: pl.DataFrame
    deals: pl.DataFrame
    cds_seconds: pl.DataFrame
    cds_days: pl.DataFrame
    kept: Kept = field(default_factory=dict, repr=False, compare=False)
    _made: dict[Hashable, pl.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: Hashable, make: Callable[[], pl.DataFrame], *, of: Sequence[str] = ()) -> pl.DataFrame:
        """What several windows, or several looks of one, make of these frames: made when it is first asked for.

        Args:
            name: of what is made.
            make: makes it.
            of: the frames that it is made of, and of nothing else but the calendar: while they are the same ones, what
                was made of them at an earlier moment is given again. None named: it is made anew at each moment.
        """
        if name in self._made:
            return self._made[name]
        frames = tuple(getattr(self, frame) for frame in of)
        known = self.kept.get(name) if frames else None
        if known is not None and all(now is then for now, then in zip(frames, known[0], strict=True)):
            made = known[1]
        else:
            made = make()
            if frames:
                self.kept[name] = frames, made
        self._made[name] = made
        return made

    def with_baselines(self, baselines: pl.DataFrame) -> Tiers:
        """The same with other baselines."""
        return replace(self, baselines=baselines)

    def known_by(self, tick: int) -> Tiers:
        """The same as they stood at a tick: what a live run sees then."""
        printed, sealed = c("tick") <= tick, c("second") < tick
        is_over = c("value_date") < new_york_dates(pl.lit(tick * MICROSECONDS_PER_SECOND))
        return Tiers(
            self.calendar,
            self.benchmarks.filter(printed),
            self.reference.filter(printed),
            self.repo_seconds.filter(sealed),
            self.repo_days.filter(is_over),
            self.treasury_prints.filter(printed),
            self.treasury_seconds.filter(sealed),
            self.treasury_minutes.filter(c("minute") + MINUTE_SECONDS <= tick),
            self.treasury_copies.filter(c("minute") + MINUTE_SECONDS <= tick),
            # Those of a session are written before its first tick, and no other tick reads them.
            self.baselines,
            self.deals.filter(printed),
            self.cds_seconds.filter(sealed),
            self.cds_days.filter(is_over),
        )


@dataclass
class Added:
    """What became of a batch's events, by stream.

    Attributes:
        late: how many came after their second was sealed, and were dropped.
        doubles: how many repeat a producer's id, and were dropped.
    """

    late: dict[str, int] = field(default_factory=dict)
    doubles: dict[str, int] = field(default_factory=dict)


class TierStore:
    """Takes decoded events in, keeps the tiers.

    Attributes:
        partitions: by name.
        ladders: by stream.
        baselines: those at hand; whoever makes them puts them here.
    """

    def __init__(self, calendar: MarketCalendar, lateness_us: int = LATENESS_US) -> None:
        self._calendar = calendar
        self._lateness_us = lateness_us
        self._versions = {tier: pl.DataFrame(schema=shape) for tier, shape in PRINTS.items()}
        self._pending: dict[str, list[pl.DataFrame]] = {tier: [] for tier in PRINTS}
        self._new_prints: dict[str, list[pl.DataFrame]] = {tier: [] for tier in PRINTS}
        self.partitions: dict[str, Partition] = {}
        self.ladders = {
            stream: Ladder(kind, hands_on_periods=stream == streams.TREASURY.name) for stream, kind in KINDS.items()
        }
        self._minutes, self._copies = Minutes(), Copies()
        self._kept: Kept = {}
        self.baselines = pl.DataFrame(schema=BASELINE)
        self._suspects: Counter[str] = Counter()
        self._series_elsewhere: dict[str, int] = {}
        self._newest_second = -EVER
        self._finished = False

    def partition(self, name: str) -> Partition:
        """The state of a partition, new if it was never heard of."""
        if name not in self.partitions:
            self.partitions[name] = Partition(name, self._lateness_us)
        return self.partitions[name]

    def add(self, parts: Sequence[Decoded], next_tick: int) -> Added:
        """Take in what was decoded of a batch.

        Args:
            parts: an entry a stream, all of one partition, each in the order of its log.
            next_tick: the first tick that has not run: a print takes effect there at the earliest.
        """
        parts = [part for part in parts if part.events.height]
        if not parts:
            return Added()
        name = parts[0].partition
        # Where nothing has run yet, what was summed up of a past is as final as a tick.
        sums = [self.ladders[part.stream].until for part in parts if part.stream in self.ladders]
        final = max([next_tick - 1, *(until for until in sums if until is not None)])
        pushed = self.partition(name).push(parts, final)
        for stream, tier in _TIER_OF_PRINTS.items():
            if stream in pushed.prints:
                self._add_prints(tier, pushed.prints[stream], name, next_tick)
        return Added(pushed.late, pushed.doubles)

    def take_block(self, block: Block, next_tick: int) -> Added:
        """Take in what another process sealed.

        Args:
            block: of the partition's owner.
            next_tick: the first tick that has not run: a bar of a second that it does not see, or of one that was
                read before, is dropped.
        """
        partition, stands = self.partition(block.partition), block.standing
        added = Added()
        # Seconds that an owner sealed again are the same bars; those behind the ticks came too late.
        sums = [self.ladders[stream].until for stream in block.bars]
        first = max(partition.watermark.sealed_before, next_tick - 1, *(until for until in sums if until is not None))
        kept: dict[str, Sealed] = {}
        for stream, bars in block.bars.items():
            kept[stream] = Sealed(bars.filter(c("second") >= first), block.suspects.get(stream, 0))
            too_late = bars.filter(c("second").is_between(partition.watermark.sealed_before, first, closed="left"))
            added.late[stream] = too_late.height
        self._take_in(kept)
        for stream, tier in _TIER_OF_PRINTS.items():
            if stream in block.prints:
                self._add_prints(tier, block.prints[stream], block.partition, next_tick)
        partition.stand(
            stands.next_position, stands.watermark_us, stands.newest_us, block.generation, held=stands.is_held
        )
        self._series_elsewhere[block.partition] = sum(frame.height for frame in block.attributes.values())
        return added

    def seal(self) -> None:
        """Turn into bars what the watermarks have passed."""
        for partition in self.partitions.values():
            self._take_in(partition.seal())

    def release(self, name: str) -> None:
        """Wait for a partition no longer: it is idle, or has come to its end."""
        self._take_in(self.partitions[name].release())

    def finish(self) -> None:
        """Seal what is open: the input has ended."""
        self._finished = True
        for name in self.partitions:
            self.release(name)

    @property
    def horizon(self) -> int:
        """The newest tick that no quote and no trade still to come can change."""
        if self._finished:
            return EVER
        return min((p.watermark.sealed_before for p in self.partitions.values() if p.is_held), default=EVER)

    def watermarks_us(self) -> dict[str, int]:
        """By stream, the event time up to which everything is sealed, of the partitions that ticks wait for."""
        found: dict[str, int] = {}
        for partition in self.partitions.values():
            if partition.is_held:
                for stream in partition.sealers:
                    found[stream] = min(found.get(stream, EVER), partition.watermark.value_us)
        return found

    @property
    def series_count(self) -> int:
        """How many issues and names are quoted."""
        here = (sealer for partition in self.partitions.values() for sealer in partition.sealers.values())
        return sum(sealer.attributes.height for sealer in here) + sum(self._series_elsewhere.values())

    def suspects(self) -> dict[str, int]:
        """By stream, how many events with a volume equal an earlier one of their second in all but the position."""
        return dict(self._suspects)

    def tiers(self, begin: int | None = None, end: int | None = None) -> Tiers:
        """The frames as they stand.

        Args:
            begin: the first tick that will be looked at: what only earlier ones need may be forgotten. None: all.
            end: the last tick that will be looked at; no more is summed up, as a partition that comes back may still
                bring bars from there on. None: nothing more will come.
        """
        self.seal()
        horizon = min(self.horizon, self._newest_second + _LAST_CLIMB_SECONDS, EVER if end is None else end)
        for ladder in self.ladders.values():
            ladder.climb(horizon)
        self._merge_prints()
        repo = self.ladders[streams.REPO.name]
        return Tiers(
            self._calendar,
            self._versions[BENCHMARKS],
            self._versions[REFERENCES],
            merge_bars(repo.seconds(begin)),
            repo.days,
            self._versions[TREASURY_PRINTS],
            self.ladders[streams.TREASURY.name].seconds(begin),
            self._minutes.upto(horizon, begin),
            self._copies.upto(horizon, begin),
            self.baselines,
            self._versions[DEALS],
            self.ladders[streams.CDS.name].seconds(begin),
            self.ladders[streams.CDS.name].days,
            self._kept,
        )

    def take_periods(self) -> pl.DataFrame:
        """The bars of five minutes of Treasury quotes that were summed since this was last asked."""
        return self.ladders[streams.TREASURY.name].take_periods()

    def take_new(self) -> dict[str, pl.DataFrame]:
        """By tier, the rows that came since this was last asked: prints as they took effect, and bars of all tiers."""
        self._merge_prints()  # their positions are behind us: no tick need have run since they came
        new = {tier: pl.concat(frames) for tier, frames in self._new_prints.items() if frames}
        for frames in self._new_prints.values():
            frames.clear()
        for stream, ladder in self.ladders.items():
            new |= {f"{stream}_{tier}": rows for tier, rows in ladder.take_new().items()}
        marks = self._copies.take_new()
        return new | ({MARKS: marks} if marks.height else {})

    def restore(self, rows: Mapping[str, pl.DataFrame], until: Mapping[str, int | None]) -> None:
        """Go on from what an earlier process left.

        Args:
            rows: by tier, as `take_new` gave them.
            until: by stream, up to where its ladder was summed.
        """
        for tier in PRINTS:
            if tier in rows:
                self._versions[tier] = _merge(self._versions[tier], [rows[tier]], KEYS[tier])
        for stream, ladder in self.ladders.items():
            kind = KINDS[stream]
            shapes = {SECONDS: kind.seconds, PERIODS: kind.periods, DAYS: kind.days}
            frames = {tier: rows.get(f"{stream}_{tier}", pl.DataFrame(schema=shape)) for tier, shape in shapes.items()}
            ladder.restore(**frames, until=until.get(stream))
            if stream == streams.TREASURY.name:
                self._minutes.add(frames[SECONDS])
                self._copies.restore(rows.get(MARKS, pl.DataFrame(schema=MARK)), frames[SECONDS])
            newest = frames[SECONDS]["second"].max()
            if isinstance(newest, int):
                self._newest_second = max(self._newest_second, newest)

    def _merge_prints(self) -> None:
        for tier, frames in self._pending.items():
            if frames:
                self._versions[tier] = _merge(self._versions[tier], frames, KEYS[tier])
                self._new_prints[tier].extend(frames)
                frames.clear()

    def _take_in(self, sealed: Mapping[str, Sealed]) -> None:
        for stream, each in sealed.items():
            newest = each.bars["second"].max()
            if isinstance(newest, int):
                self.ladders[stream].add(each.bars)
                if stream == streams.TREASURY.name:
                    self._minutes.add(each.bars)
                    self._copies.add(each.bars)
                self._newest_second = max(self._newest_second, newest)
            self._suspects[stream] += each.suspects

    def _add_prints(self, tier: str, events: pl.DataFrame, partition: str, next_tick: int) -> None:
        if tier == BENCHMARKS:
            events = events.filter(c("kind") == streams.REPO_BENCHMARK)
        if not events.is_empty():
            first_whole = -(-c("ts_us") // MICROSECONDS_PER_SECOND)
            if tier == TREASURY_PRINTS:
                events = events.with_columns(value_date=new_york_dates(c("ts_us")))
            prints = events.with_columns(
                tick=pl.max_horizontal(first_whole, pl.lit(next_tick), "floor"), partition=pl.lit(partition)
            )
            self._pending[tier].append(prints.select(*PRINTS[tier]))


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
