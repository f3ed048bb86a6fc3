"""A small made-up feed that is the same at every reading: two partitions of Treasury quotes that stress runs through,
repo trades and CDS quotes with producers' ids of which some come twice, benchmarks with a revision, policy rates.

Events come in disorder, some far too late, some malformed, and one partition falls silent for longer than ticks wait.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import replace
from datetime import time, timedelta
from random import Random
from typing import Final

from monitor.calendar import MarketCalendar
from monitor.sources.base import RawBatch, Source
from monitor.sources.clock import StoryClock
from monitor.sources.scenario import SCENARIOS, ScenarioSource
from monitor.sources.scenario.story import STORY_DAY, STORY_START_US, story_day_us
from monitor.stories import Story

SMALL, CRUNCH = "small", "crunch"
"""The feeds by name: the one of this module, and the beginning of the scenario treasury-crunch."""

SECOND: Final = 1_000_000
MINUTES: Final = 16
END_US: Final = STORY_START_US + MINUTES * 60 * SECOND
_PAST_US: Final = 60 * SECOND
"""So much of the quotes is past when the story begins."""
_SILENCE_US: Final = (STORY_START_US + 300 * SECOND, STORY_START_US + 345 * SECOND)
_ISSUES: Final = {
    "a": (("UST-10Y", 10, True), ("912AAA001", 10, False), ("912AAA002", 7, False)),
    "b": (("UST-2Y", 2, True), ("912BBB001", 5, False)),
}
_EVERY_US: Final = {"a": 350_000, "b": 800_000}

Events = dict[str, list[tuple[int, str, bytes]]]
"""By partition (arrival, stream, payload)."""


def events(seed: int) -> Events:
    """All events of a seed, by partition in the order of arrival."""
    found: Events = {}
    for name in _ISSUES:
        found[f"quotes/{name}"] = _in_order("treasury", _quotes(name, Random(f"{seed}:{name}")))
    found["repo"] = _in_order("repo", _benchmarks() + _trades(Random(f"{seed}:repo")))
    found["cds"] = _in_order("cds", _cds(Random(f"{seed}:cds")))
    found["reference"] = _in_order("reference", _policy())
    return found


def _in_order(stream: str, rows: list[tuple[int, str]]) -> list[tuple[int, str, bytes]]:
    return [(at, stream, text.encode()) for at, text in sorted(rows, key=lambda row: row[0]) if at <= END_US]


def _arrival(ts_us: int, rnd: Random) -> int:
    luck = rnd.random()
    if luck < 0.01:
        return ts_us + 6 * SECOND  # too late to count, where something newer came between
    return ts_us + rnd.randrange(1_400_000 if luck < 0.1 else 50_000)


def _stress(ts_us: int) -> float:
    """1 at first, 6 from the third minute to the tenth."""
    minute = (ts_us - STORY_START_US) / (60 * SECOND)
    return 6.0 if 3 <= minute < 10 else 1.0


def _quotes(name: str, rnd: Random) -> list[tuple[int, str]]:
    rows = []
    for ts_us in range(STORY_START_US - _PAST_US, END_US - 8 * SECOND, _EVERY_US[name]):
        if name == "b" and _SILENCE_US[0] <= ts_us < _SILENCE_US[1]:
            continue
        instrument, tenor, on_the_run = rnd.choice(_ISSUES[name])
        ts = ts_us + rnd.randrange(_EVERY_US[name]) // 1_000 * 1_000
        if rnd.random() < 0.1:
            ts -= ts % SECOND
        bid = 99 + rnd.randrange(64) / 256
        ask = bid + (1 + rnd.randrange(3)) * _stress(ts) / 128
        size = round(60 / _stress(ts)) + rnd.randrange(9)
        said = f'"tenor_years":{tenor},"on_the_run":{str(on_the_run).lower()},' if rnd.random() < 0.9 else ""
        sides = f'"bid":{bid},"bid_size":{size}' if rnd.random() < 0.05 else (
            f'"bid":{bid},"bid_size":{size},"ask":{ask},"ask_size":{size + 3}'
        )  # fmt: skip
        dealt = f',"last_price":{bid},"last_size":{1 + rnd.randrange(5)},"aggressor":"sell"' * (rnd.random() < 0.1)
        text = f'{{"ts":{ts},"instrument":"{instrument}",{said}"coupon":4.25,"maturity":"2033-08-15",{sides}{dealt}}}'
        rows.append((_arrival(ts, rnd), text if rnd.random() > 0.005 else text[:-9]))
    return rows


def _trades(rnd: Random) -> list[tuple[int, str]]:
    rows: list[tuple[int, str]] = []
    for number, ts_us in enumerate(range(STORY_START_US - _PAST_US, END_US - 8 * SECOND, 700_000)):
        instrument = rnd.choice(("GC-ON", "GC-ON", "GCF", "TRIPARTY", "912AAA001"))
        rate = 3.65 + (0.3 if _stress(ts_us) > 1 else 0.0) + rnd.randrange(40) / 200
        ident = f',"id":"R-{number}"' if rnd.random() < 0.9 else ""
        text = (
            f'{{"ts":{ts_us},"instrument":"{instrument}","rate":{rate:.3f},"volume":{1 + rnd.random() * 4:.3f},'
            f'"segment":"gcf"{ident}}}'
        )
        arrived_us = _arrival(ts_us, rnd)
        rows.append((arrived_us, text))
        if rnd.random() < 0.2:  # sent twice: at once, or so late that its second is sealed
            rows.append((arrived_us + rnd.choice((0, 900_000, 20 * SECOND)), text))
    return rows


def _cds(rnd: Random) -> list[tuple[int, str]]:
    rows: list[tuple[int, str]] = []
    for number, ts_us in enumerate(range(STORY_START_US - _PAST_US, END_US - 8 * SECOND, 1_900_000)):
        bid = 40 * _stress(ts_us) ** 0.5 + rnd.randrange(8) / 4
        dealt = f',"notional":{5 + rnd.randrange(20)},"id":"C-{number}"' if rnd.random() < 0.5 else ""
        text = f'{{"ts":{ts_us},"entity":"SYN-BANK-{rnd.randrange(3)}","bid":{bid},"ask":{bid + 3}{dealt}}}'
        arrived_us = _arrival(ts_us, rnd)
        rows.append((arrived_us, text))
        if dealt and rnd.random() < 0.2:
            rows.append((arrived_us + rnd.choice((0, 15 * SECOND)), text))
    return rows


def _benchmarks() -> list[tuple[int, str]]:
    calendar = MarketCalendar()
    rows = []
    for back in range(70, 0, -1):
        value_date = calendar.add_sofr_business_days(STORY_DAY, -back)
        published = calendar.next_sofr_business_day(value_date)
        ts_us = calendar.at_new_york(published, time(8)) * SECOND
        rate = 3.63 + (back % 7) / 100
        rows.append((ts_us, _benchmark(ts_us, value_date.isoformat(), rate, rate + 0.1)))
    # The newest three are published within the story, and one of them is revised.
    for minute, back, tail in ((2, 1, 0.2), (5, 2, 0.9), (6, 1, 1.1), (12, 1, 0.1)):
        ts_us = STORY_START_US + minute * 60 * SECOND + 250_000
        value_date = calendar.add_sofr_business_days(STORY_DAY, -back)
        rows.append((ts_us + 40_000, _benchmark(ts_us, value_date.isoformat(), 3.66, 3.66 + tail)))
    return rows


def _benchmark(ts_us: int, value_date: str, rate: float, p99: float) -> str:
    return (
        f'{{"ts":{ts_us},"instrument":"SOFR","kind":"benchmark","value_date":"{value_date}","rate":{rate:.2f},'
        f'"p1":{rate - 0.08:.2f},"p25":{rate - 0.02:.2f},"p75":{rate + 0.03:.2f},"p99":{p99:.2f},"volume":2400.5}}'
    )


def _policy() -> list[tuple[int, str]]:
    rows = []
    before = STORY_DAY - timedelta(days=150)
    series = (("IORB", 3.65), ("ON_RRP", 3.5), ("TARGET_UPPER", 3.75), ("TARGET_LOWER", 3.5))
    for name, value in series:
        for day, ts_us, change in (
            (before, STORY_START_US - 150 * 86_400 * SECOND, 0.0),
            (STORY_DAY, story_day_us(time(9, 7)), -0.25),
        ):
            text = (
                f'{{"ts":{ts_us},"series":"{name}","value":{value + change},"unit":"percent","effective_date":"{day}"}}'
            )
            rows.append((ts_us, text))
    return rows


class SmallFeed(Source):
    """Hands the events over when its clock has come to their arrival."""

    def __init__(self, seed: int, clock: StoryClock) -> None:
        self.name = SMALL
        self._events = events(seed)
        self._arrivals = {name: [at for at, *_ in rows] for name, rows in self._events.items()}
        self._next = dict.fromkeys(self._events, 0)
        self._clock = clock
        self._through_us: int | None = None

    def open(self, resume: Mapping[str, int] | None = None) -> None:
        self._next = {name: (resume or {}).get(name, 0) for name in self._events}

    def poll(self, max_records: int) -> RawBatch | None:
        now_us = self._clock.now_us()
        due = {name: bisect_right(arrivals, now_us) for name, arrivals in self._arrivals.items()}
        waiting = [name for name in due if self._next[name] < due[name]]
        if not waiting:
            self._through_us = now_us
            return None
        name = min(waiting, key=lambda each: self._arrivals[each][self._next[each]])
        if self._clock.has_begun:
            self._through_us = self._arrivals[name][self._next[name]] - 1
        first, upto = self._next[name], min(due[name], self._next[name] + max_records)
        self._next[name] = upto
        rows = self._events[name][first:upto]
        return RawBatch(
            self.name, rows[0][1], name, range(first, upto), [raw for *_, raw in rows], self._arrivals[name][first:upto]
        )

    @property
    def exhausted(self) -> bool:
        return all(self._next[name] >= len(rows) for name, rows in self._events.items())

    @property
    def through_us(self) -> int | None:
        return self._through_us

    def lag(self) -> int | None:
        now_us = self._clock.now_us()
        return sum(bisect_left(self._arrivals[name], now_us) - at for name, at in self._next.items())

    def progress(self) -> tuple[int, int | None]:
        return sum(self._next.values()), sum(map(len, self._events.values()))

    def close(self, timeout_seconds: float) -> None:
        """Nothing is held open."""


def story(feed: str, seed: int, speed: float, past_sessions: int = 25, minutes: int = 30) -> Story:
    """What is played: `SMALL`, or so many minutes of the scenario `CRUNCH` with so long a past."""
    if feed == SMALL:
        return Story(
            SMALL, "scenario", "SYNTHETIC: a small feed", f"the small feed {seed}", STORY_START_US, END_US, speed,
            lambda clock: SmallFeed(seed, clock),
        )  # fmt: skip
    told = SCENARIOS["treasury-crunch"]
    end_us = told.story_start_us + minutes * 60 * SECOND
    scenario = replace(told, story_end_us=end_us, past_sessions=past_sessions)
    return Story(
        scenario.name, "scenario", scenario.title, f"{scenario.name} {seed}", scenario.story_start_us, end_us, speed,
        lambda clock: ScenarioSource(scenario, clock, seed=seed),
    )  # fmt: skip
