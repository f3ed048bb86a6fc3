"""A day on which everything comes under stress at nine and stays so: whatever then looks calm is a fault of the feed.

Eight Treasury issues are quoted in two partitions, general collateral is traded in a third, names are quoted in a
fourth. The session before was calm and just as dense, so that it can be played again in place of the day itself; the
sessions before that are there for the baselines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import StrEnum
from random import Random
from typing import Any, Final

from tests.signals.events import CALENDAR, Event, Log, S, new_york_us, reference_event, trade_event
from tests.signals.quote_logs import name_event, quote_event

DAY: Final = date(2019, 9, 17)
YESTERDAY: Final = date(2019, 9, 16)
STRESS, LEVELS_STAND, OVER = (new_york_us(DAY, time(*at)) for at in ((9,), (9, 50), (10, 50)))
"""When it begins, when every level has followed, when the day is over."""
BEGIN: Final = new_york_us(DAY, time(8, 30))

ISSUES: Final[dict[str, tuple[int, bool, float]]] = {
    "UST-2Y": (2, True, 1 / 8), "UST-10Y": (10, True, 1 / 2), "UST-30Y": (30, True, 1.0),
    "OFF-10A": (10, False, 1.0), "OFF-10B": (10, False, 1.0),
    "OFF-30A": (30, False, 1.5), "OFF-30B": (30, False, 1.5), "OFF-30C": (30, False, 1.5),
}  # fmt: skip
"""Tenor, whether it is on the run, and the calm spread in 32nds."""
QUOTED_EVERY: Final = 20 * S
TRADED_EVERY: Final = 30 * S
NAMES: Final = ("F", "GM", "ORCL")
_SPARSE: Final = 12
"""Sessions of which each half-hour has a few quotes."""


def _partition(issue: str) -> str:
    return f"quotes-{list(ISSUES).index(issue) % 2}"


def _issue_quotes(issue: str, day: date, begin_us: int, end_us: int, every_us: int) -> Log:
    """Wide, thin and often of one side from `STRESS` on; the mids wander at random, on either day otherwise."""
    tenor, on_the_run, width = ISSUES[issue]
    random = Random(f"{issue} {day}")
    log, mid = [], 100 + random.randrange(64) / 64
    for ts_us in range(begin_us, end_us, every_us):
        at_us = ts_us + random.randrange(5) * S + random.randrange(S)
        mid += random.choice((-1, 0, 1, 1)) / 64
        stress = at_us >= STRESS
        half = (width * (8 if stress else 1)) / 64
        sides: dict[str, Any] = {"bid": round(mid - half, 9), "ask": round(mid + half, 9)}
        sizes = (2, 3) if stress else (40 + random.randrange(20), 40 + random.randrange(20))
        sides |= dict(zip(("bid_size", "ask_size"), sizes, strict=True))
        # Every third quote of an off-the-run has lost its bid.
        if stress and not on_the_run and random.random() < 0.4:
            del sides["bid"]
        log.append(quote_event(_partition(issue), issue, at_us, tenor_years=tenor, on_the_run=on_the_run, **sides))
    return log


def _trades(instrument: str, begin_us: int, end_us: int) -> Log:
    random = Random(instrument)
    log = []
    for ts_us in range(begin_us, end_us, TRADED_EVERY):
        bp = 150 if ts_us >= STRESS else 2
        # Two fifths pay much more, and little was traded before: the day's quartiles do not come together again.
        tail = 120 if ts_us >= STRESS and random.random() < 0.4 else 0
        volume = 1.5 if ts_us >= STRESS else 0.02
        rate = round(2.10 + (bp + tail + random.randrange(3)) / 100, 4)
        # With the producer's id a trade that comes again counts once; without it nobody could tell.
        log.append(trade_event(instrument, ts_us, rate, volume, id=f"{instrument} {ts_us}"))
    return log


def past() -> Log:
    """What came before the day: sparse sessions for the baselines, and policy rates."""
    log: Log = [
        reference_event(series, date(2019, 8, 1), new_york_us(date(2019, 8, 1)), rate)
        for series, rate in (("IORB", 2.10), ("TARGET_UPPER", 2.25))
    ]
    day = YESTERDAY
    for _ in range(_SPARSE):
        day = CALENDAR.previous_sofr_business_day(day)
        begin, end = (new_york_us(day, time(*at)) for at in ((8, 30), (11, 0)))
        for issue in ISSUES:
            log += _issue_quotes(issue, day, begin, end, 240 * S)
    return log


def yesterday(source: str) -> Log:
    """The session before the day, of one source, at the density of the day."""
    shift = (DAY - YESTERDAY).days * 86_400 * S
    return _of_source(source, YESTERDAY, BEGIN - shift, OVER - shift)


def today(source: str) -> Log:
    """The day, of one source."""
    return _of_source(source, DAY, BEGIN, OVER)


def _of_source(source: str, day: date, begin_us: int, end_us: int) -> Log:
    if source in ISSUES:
        return _issue_quotes(source, day, begin_us, end_us, QUOTED_EVERY)
    if source in NAMES:
        random = Random(f"{source} {day}")
        return [
            name_event("names", source, ts_us, bid=100 + random.randrange(50), ask=160)
            for ts_us in range(begin_us, end_us, 600 * S)
        ]
    return _trades(source, begin_us, end_us)


TRADED: Final = ("GC-ON", "GCF")
SOURCES: Final = (*ISSUES, *TRADED, *NAMES)


class Fault(StrEnum):
    """What may happen to a source from some moment on."""

    REMOVED = "removed"
    FROZEN = "frozen"  # the last event comes again and again
    COPIED = "copied"  # the session before is played again
    TRUNCATED = "truncated"  # nine of ten events are lost
    ONE_SIDED = "one side"  # a field is lost


@dataclass(frozen=True)
class Damage:
    """Faults by source, from one moment to another."""

    faults: dict[str, Fault]
    begin_us: int
    end_us: int = 1 << 62
    fresh: dict[str, list[int]] = field(default_factory=dict)

    def of(self, source: str) -> Log:
        """The source's day as it comes in."""
        log, fault = today(source), self.faults.get(source)
        if fault is None:
            return log
        sound = [event for event in log if not self.begin_us <= event.fields["ts"] < self.end_us]
        hit = [event for event in log if self.begin_us <= event.fields["ts"] < self.end_us]
        return sorted(sound + self._damaged(source, fault, hit, sound), key=lambda event: event.fields["ts"])

    def _damaged(self, source: str, fault: Fault, hit: Log, sound: Log) -> Log:
        if fault is Fault.REMOVED:
            return []
        if fault is Fault.TRUNCATED:
            return hit[::10]
        if fault is Fault.ONE_SIDED:
            lost = {"bid", "bid_size", "volume"}
            fields = [{name: value for name, value in event.fields.items() if name not in lost} for event in hit]
            return [
                Event(event.arrived_us, event.stream, event.partition, f) for event, f in zip(hit, fields, strict=True)
            ]
        if fault is Fault.FROZEN:
            before = [event for event in sound if event.fields["ts"] < self.begin_us]
            return [moved(before[-1], event.fields["ts"]) for event in hit]
        shift = (DAY - YESTERDAY) // timedelta(microseconds=1)
        again = [moved(event, event.fields["ts"] + shift) for event in yesterday(source)]
        return [event for event in again if self.begin_us <= event.fields["ts"] < self.end_us]


def moved(event: Event, ts_us: int) -> Event:
    """The same event at another time."""
    return Event(ts_us, event.stream, event.partition, event.fields | {"ts": ts_us})


def in_order(log: Log) -> Log:
    return sorted(log, key=lambda event: event.arrived_us)
