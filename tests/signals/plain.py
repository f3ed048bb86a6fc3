"""The repo signals once more: slow, obvious, in plain Python, from their definitions and not from their code.

Every question is asked of the whole log anew: what is known at this tick, what is the volume at each rate, which
print is awaited. Numbers are integers until the last division, as the definitions want it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from monitor.calendar import MarketCalendar
from monitor.streams import MICROSECONDS_PER_SECOND
from tests.signals.events import ZONE, new_york_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.signals.events import Log

CALENDAR: Final = MarketCalendar()
ALARMED: Final = ("SOFR",)
GENERAL: Final = {"SOFR", "TGCR", "BGCR", "GCF", "TRIPARTY", "DVP", "GC-ON"}
SEGMENT_KEYS: Final = {"gcf": "GCF", "triparty": "TRIPARTY", "dvp": "DVP", "bilateral": "BILATERAL"}
WINDOWS: Final[dict[str, int | None]] = {"day": None, "30m": 1_800}

BP, BUSD = 10_000, 1_000_000
"""A basis point in units of 1e-6 percent, a billion in thousands."""


@dataclass(frozen=True)
class Version:
    """A print: from which tick on it is known, and which of two of the same key is the later."""

    tick: int
    order: tuple[int, str, int]
    key: tuple[str, date]
    figures: dict[str, int | None]


@dataclass(frozen=True)
class Trade:
    second: int
    instrument: str
    segment: str | None
    rate: int
    volume: int


@dataclass(frozen=True)
class Told:
    """A value at a moment: None is absent, or blind."""

    value: float | None
    blind: bool = False

    def __post_init__(self) -> None:
        assert not (self.blind and self.value is not None)


ABSENT: Final = Told(None)
Figures = dict[str, Any]


def _units(number: float | None) -> int | None:
    if number is None:
        return None
    scaled = Decimal(str(number)) * 1_000_000
    assert scaled == int(scaled)
    return int(scaled)


def _minus(left: float | None, right: float | None, unit: float = BP) -> float | None:
    return None if left is None or right is None else (left - right) / unit


FORMULAS: Final[dict[str, Callable[[Figures], float | None]]] = {
    "repo_spread_bp": lambda f: _minus(f["median"], f["IORB"]),
    "repo_tail_bp": lambda f: _minus(f["p99"], f["median"]),
    "repo_low_tail_bp": lambda f: _minus(f["median"], f["p1"]),
    "repo_dispersion_bp": lambda f: _minus(f["p75"], f["p25"]),
    "repo_corridor_bp": lambda f: _minus(f["median"], f["TARGET_UPPER"]),
    "repo_jump_bp": lambda f: (
        None
        if None in (f["median"], f["IORB"], f["trailing"])
        else (f["median"] - f["IORB"] - f["trailing"]) / float(BP)
    ),
    "repo_volume_busd": lambda f: None if f["volume"] is None else f["volume"] / BUSD,
}
"""By signal: of a benchmark's, or of a window's, figures. Jump and volume have no half-hour window."""
ONLY_DAY: Final = {"repo_jump_bp", "repo_volume_busd"}


def middle(numbers: Iterable[int]) -> float:
    """The median."""
    ordered = sorted(numbers)
    n = len(ordered)
    return float(ordered[n // 2]) if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def percentile(volume_by_rate: dict[int, int], p: int) -> int:
    """The first rate whose cumulative volume reaches p of the total, to the basis point, halves up."""
    total, so_far = sum(volume_by_rate.values()), 0
    for rate in sorted(volume_by_rate):
        so_far += volume_by_rate[rate]
        if so_far * 100 >= p * total:
            return (rate + BP // 2) // BP * BP
    raise AssertionError("the last rate reaches everything")


def day_of(tick: int) -> date:
    return datetime.fromtimestamp(tick, ZONE).date()


def at_new_york(day: date, moment: time) -> int:
    return new_york_us(day, moment) // MICROSECONDS_PER_SECOND


def _business_days_back(day: date, count: int) -> list[date]:
    found: list[date] = []
    while len(found) < count:
        day -= timedelta(days=1)
        if CALENDAR.is_sofr_business_day(day):
            found.append(day)
    return found


class PlainRepo:
    """Answers for a log that was read to its end before anything ran."""

    def __init__(self, log: Log) -> None:
        self.benchmarks: list[Version] = []
        self.references: list[Version] = []
        self.trades: list[Trade] = []
        offsets: Counter[str] = Counter()
        newest: dict[str, int] = {}
        ids: dict[str, set[str]] = defaultdict(set)
        for event in log:
            offset, fields = offsets[event.partition], event.fields
            offsets[event.partition] += 1
            ts: int = fields["ts"]
            order = (ts, event.partition, offset)
            tick = -(-ts // MICROSECONDS_PER_SECOND)
            if event.stream == "reference":
                key = (fields["series"], date.fromisoformat(fields["effective_date"]))
                self.references.append(Version(tick, order, key, {"value": _units(fields["value"])}))
            elif fields.get("kind") == "benchmark":
                key = (fields["instrument"], date.fromisoformat(fields["value_date"]))
                names = {"rate": "median", "p1": "p1", "p25": "p25", "p75": "p75", "p99": "p99", "volume": "volume"}
                figures = {ours: _units(fields.get(theirs)) for theirs, ours in names.items()}
                self.benchmarks.append(Version(tick, order, key, figures))
            elif fields.get("term_days", 1) == 1:
                if "id" in fields:
                    if fields["id"] in ids[event.partition]:
                        continue
                    ids[event.partition].add(fields["id"])
                seen = newest.get(event.partition)
                newest[event.partition] = max(ts, seen or ts)
                second = ts // MICROSECONDS_PER_SECOND
                sealed_at = None if seen is None else seen - 2 * MICROSECONDS_PER_SECOND
                if sealed_at is not None and (second + 1) * MICROSECONDS_PER_SECOND <= sealed_at:
                    continue  # late
                volume = _units(fields["volume"]) or 0
                rate = _units(fields["rate"])
                assert rate is not None
                self.trades.append(Trade(second, fields["instrument"], fields.get("segment"), rate, volume))

    # What was known.

    @staticmethod
    def _known(versions: list[Version], tick: int) -> dict[tuple[str, date], Version]:
        latest: dict[tuple[str, date], Version] = {}
        for version in versions:
            if version.tick <= tick and (version.key not in latest or version.order > latest[version.key].order):
                latest[version.key] = version
        return latest

    def reference(self, series: str, day: date, tick: int) -> int | None:
        """The value in force on a day, as known at a tick."""
        known = {key[1]: v for key, v in self._known(self.references, tick).items() if key[0] == series}
        effective = max((each for each in known if each <= day), default=None)
        return None if effective is None else known[effective].figures["value"]

    def trailing(self, numbers: Callable[[date], int | None], day: date) -> float | None:
        """The median of the nearest 20 of the 30 business days before."""
        found = [number for back in _business_days_back(day, 30) if (number := numbers(back)) is not None]
        return middle(found[:20]) if len(found) >= 20 else None

    # Benchmarks.

    def benchmark(self, instrument: str, value_date: date, tick: int) -> tuple[Figures, bool]:
        """The figures of a value date as known at a tick, and whether they are of a truncated feed."""
        known = self._known(self.benchmarks, tick)

        def figure(name: str, day: date) -> int | None:
            version = known.get((instrument, day))
            return None if version is None else version.figures[name]

        def spread(day: date) -> int | None:
            median, iorb = figure("median", day), self.reference("IORB", day, tick)
            return None if median is None or iorb is None else median - iorb

        figures: Figures = {n: figure(n, value_date) for n in ("median", "p1", "p25", "p75", "p99", "volume")}
        figures |= {series: self.reference(series, value_date, tick) for series in ("IORB", "TARGET_UPPER")}
        figures["trailing"] = self.trailing(spread, value_date)
        whole = self.trailing(lambda day: figure("volume", day), value_date)
        is_truncated = figures["volume"] is not None and whole is not None and 100 * figures["volume"] < 70 * whole
        days = _business_days_back(value_date, 30)
        before = [known[instrument, day].figures for day in days if figure("median", day) is not None][:5]
        return figures, is_truncated or self._is_copy(known.get((instrument, value_date)), before)

    @staticmethod
    def _is_copy(version: Version | None, before: list[dict[str, int | None]]) -> bool:
        """Whether a print equals one of those before it, but the last, and they have moved meanwhile."""
        if version is None:
            return False
        own = version.figures
        if any(own[name] is None for name in ("median", "p25", "p75", "p99", "volume")):
            return False
        pairs = [(each[name], own[name]) for each in before for name in ("median", "p99")]
        moves = [abs(then - now) for then, now in pairs if then is not None and now is not None]
        return any(each == own for each in before[1:]) and max(moves) >= 30_000

    def awaited(self, instrument: str, tick: int) -> tuple[date, int] | None:
        """The value date that should come next, and the tick at which it is overdue."""
        newest = max((key[1] for key in self._known(self.benchmarks, tick) if key[0] == instrument), default=None)
        if newest is None:
            return None
        awaited = CALENDAR.next_sofr_business_day(newest)
        return awaited, at_new_york(CALENDAR.next_sofr_business_day(awaited), time(12))

    def is_blind(self, instrument: str, value_date: date, tick: int) -> bool:
        """Whether the benchmark of a value date is truncated, or overdue and one that is waited for."""
        if self.benchmark(instrument, value_date, tick)[1]:
            return True
        awaited = self.awaited(instrument, tick)
        return instrument in ALARMED and awaited is not None and awaited[1] <= tick and value_date >= awaited[0]

    def moved(self, tick: int) -> set[tuple[str, date]]:
        """What of benchmarks is told at a tick: printed then, compared with what was printed then, or overdue."""
        known = self._known(self.benchmarks, tick)
        told = {key for key, version in known.items() if version.tick == tick}
        for (series, effective), version in self._known(self.references, tick).items():
            if version.tick == tick and series in ("IORB", "TARGET_UPPER"):
                told |= {key for key in known if key[1] >= effective}
        for instrument in {instrument for instrument, _ in known}:
            awaited = self.awaited(instrument, tick)
            assert awaited is not None
            newest = max(key[1] for key in known if key[0] == instrument)
            came = min(version.tick for version in self.benchmarks if version.key == (instrument, newest))
            if max(came, awaited[1]) == tick:
                told.add((instrument, awaited[0]))
        return told

    @cached_property
    def print_ticks(self) -> list[int]:
        """Every tick at which a benchmark may be told."""
        ticks = {v.tick for v in self.benchmarks} | {v.tick for v in self.references}
        for tick in sorted(ticks):
            for instrument in {v.key[0] for v in self.benchmarks}:
                awaited = self.awaited(instrument, tick)
                if awaited is not None and awaited[1] > tick:
                    ticks.add(awaited[1])
        return sorted(ticks)

    def told_of_benchmarks(self) -> dict[str, dict[tuple[int, date, str], Told]]:
        """By signal, the change points of benchmarks: (tick, value date, label) to what is told."""
        every: dict[str, dict[tuple[int, date, str], Told]] = defaultdict(dict)
        for tick in self.print_ticks:
            moved = self.moved(tick)
            for instrument, day in moved:
                figures, _ = self.benchmark(instrument, day, tick)
                is_blind = self.is_blind(instrument, day, tick)
                for signal, formula in FORMULAS.items():
                    value = None if is_blind else formula(figures)
                    every[signal][tick, day, instrument] = Told(value, is_blind)
            for left, right in (("SOFR", "TGCR"), ("GCF", "TRIPARTY")):
                for day in {day for instrument, day in moved if instrument in (left, right)}:
                    is_blind = self.is_blind(left, day, tick) or self.is_blind(right, day, tick)
                    sides = [self.benchmark(each, day, tick)[0]["median"] for each in (left, right)]
                    value = None if is_blind else _minus(*sides)
                    every["repo_wedge_bp"][tick, day, f"{left}-{right}"] = Told(value, is_blind)
        return every

    # Trades.

    def _key(self, trade: Trade, *, by_segment: bool) -> str | None:
        if not by_segment:
            return trade.instrument
        if trade.instrument not in GENERAL:
            return None
        if trade.segment is not None:
            return SEGMENT_KEYS[trade.segment]
        return trade.instrument if trade.instrument in SEGMENT_KEYS.values() else None

    def seen(self, tick: int, key: str, *, by_segment: bool) -> list[Trade]:
        """The trades of a key that are seen at a tick."""
        return [t for t in self.trades if t.second < tick and self._key(t, by_segment=by_segment) == key]

    def window(self, tick: int, key: str, window: str, *, by_segment: bool = False) -> Figures:
        """The figures of a window at a tick."""
        names = ("median", "p1", "p25", "p75", "p99", "volume", "IORB", "TARGET_UPPER", "trailing")
        figures: Figures = dict.fromkeys(names)
        day = day_of(tick)
        session = CALENDAR.session(day)
        if session is None or not session[0] <= tick < session[1]:
            return figures
        span = WINDOWS[window]
        begin = at_new_york(day, time()) if span is None else tick - span
        volume_by_rate: Counter[int] = Counter()
        for trade in self.seen(tick, key, by_segment=by_segment):
            if trade.second >= begin:
                volume_by_rate[trade.rate] += trade.volume
        volume = sum(volume_by_rate.values())
        if volume:
            figures["volume"] = volume
        if volume >= 5 * BUSD:
            for name, p in {"median": 50, "p1": 1, "p25": 25, "p75": 75, "p99": 99}.items():
                figures[name] = percentile(volume_by_rate, p)
            figures |= {series: self.reference(series, day, tick) for series in ("IORB", "TARGET_UPPER")}
            if window == "day":
                figures["trailing"] = self._trailing_of_trades(key, day, session[0])
        return figures

    def _trailing_of_trades(self, key: str, today: date, session_start: int) -> float | None:
        def spread(day: date) -> int | None:
            begin, end = (at_new_york(each, time()) for each in (day, day + timedelta(days=1)))
            volume_by_rate: Counter[int] = Counter()
            for trade in self.seen(end, key, by_segment=False):
                if trade.second >= begin:
                    volume_by_rate[trade.rate] += trade.volume
            iorb = self.reference("IORB", day, session_start)
            if sum(volume_by_rate.values()) < 5 * BUSD or iorb is None:
                return None
            return percentile(volume_by_rate, 50) - iorb

        return self.trailing(spread, today)

    def is_silent(self, tick: int, key: str, *, by_segment: bool = False) -> bool:
        """Whether general collateral has had no trade for 30 minutes of the watch of a day."""
        if key not in GENERAL | set(SEGMENT_KEYS.values()):
            return False
        last = max((t.second for t in self.seen(tick, key, by_segment=by_segment)), default=None)
        if last is None:
            return False
        day = day_of(last)
        while day <= day_of(tick):
            session = CALENDAR.session(day)
            if session is not None and CALENDAR.is_sofr_business_day(day):
                begin = max(last + 1, at_new_york(day, time(8, 30)))
                end = min(at_new_york(day, time(15)), session[1])
                if begin + 1_800 <= min(tick, end):
                    return True
            day += timedelta(days=1)
        return False

    def traded(self, tick: int) -> dict[str, dict[tuple[str, str], Told]]:
        """By signal, what trades say at a tick: (label, window) to the value."""
        every: dict[str, dict[tuple[str, str], Told]] = defaultdict(dict)
        instruments = {t.instrument for t in self.trades if t.second < tick}
        for window in WINDOWS:
            figures = {key: self.window(tick, key, window) for key in instruments | {"GC-ON"}}
            silent = {key: self.is_silent(tick, key) for key in figures}
            for key in instruments & GENERAL:
                for signal, formula in FORMULAS.items():
                    if window == "day" or signal not in ONLY_DAY:
                        value = None if silent[key] else formula(figures[key])
                        every[signal][key, window] = Told(value, silent[key])
            for key in instruments - GENERAL:
                special = None if silent["GC-ON"] else _minus(figures["GC-ON"]["median"], figures[key]["median"])
                every["repo_specialness_bp"][key, window] = Told(special, silent["GC-ON"])
            if not self.seen(tick, "TRIPARTY", by_segment=True):
                continue  # the pair begins with its right side
            sides = [self.window(tick, key, window, by_segment=True)["median"] for key in ("GCF", "TRIPARTY")]
            either = any(self.is_silent(tick, key, by_segment=True) for key in ("GCF", "TRIPARTY"))
            every["repo_wedge_bp"]["GCF-TRIPARTY", window] = Told(None if either else _minus(*sides), either)
        return every
