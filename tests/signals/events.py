"""Events as a feed would bring them, and how a log of them is cut into batches and read into tiers.

A log is what arrived, in the order in which it arrived. The days are real ones: a weekend, early closes, the end of a
quarter and of a year, a Good Friday on which bonds trade and SOFR is not made, clocks going back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec
import polars as pl

from monitor.calendar import NEW_YORK, MarketCalendar
from monitor.engine.decode import Decoder
from monitor.engine.tiers import BASELINE, TierStore
from monitor.sources.base import RawBatch
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.engine.decode import Decoded
    from monitor.engine.tiers import Tiers

CALENDAR: Final = MarketCalendar()
ZONE: Final = ZoneInfo(NEW_YORK)
S: Final = MICROSECONDS_PER_SECOND
BEFORE_ALL: Final = -(1 << 62)
AFTER_ALL: Final = 1 << 61
MIXED: Final = "mixed"
"""A partition with events of several streams, each of which says its own."""

SCENES: Final = tuple(
    tuple(map(date.fromisoformat, days.split()))
    for days in (
        "2019-09-13 2019-09-14 2019-09-16 2019-09-17",  # over a weekend; the 16th settles coupons
        "2019-11-27 2019-11-29 2019-12-02",  # around Thanksgiving, with an early close
        "2019-07-03 2019-07-04 2019-07-05",  # an early close, a holiday
        "2021-04-01 2021-04-02 2021-04-05",  # bonds trade until noon on a Good Friday, SOFR is not made
        "2019-11-01 2019-11-03 2019-11-04",  # clocks go back
        "2020-12-30 2020-12-31 2021-01-04",  # the end of a year
    )
)  # fmt: skip
MOMENTS: Final = tuple(
    time.fromisoformat(text)
    for text in (
        "00:00", "05:00", "06:45", "06:59:58", "07:00", "07:20", "08:00", "08:29:58", "08:45", "09:00", "09:15",
        "10:00", "10:30", "11:29:59", "11:59:58", "12:20", "13:30", "13:59:58", "14:29:58", "14:45", "15:30",
        "16:30", "16:59:58", "17:00", "18:00", "23:59:58",
    )
)  # fmt: skip


GROUPS: Final = (
    "2000 on",
    "10000 on",
    "10000 off",
    "30000 on",
    "30000 off",
    "7000 off",
    "5000 on",
    "UST-10Y",
    "912810SH2",
)
"""Of the issues of `quote_logs`; some of the groups that they can be in have no baseline."""


def new_york_us(day: date, moment: time = time()) -> int:
    """Epoch microseconds of a moment in New York."""
    return int(datetime.combine(day, moment, ZONE).timestamp()) * S + moment.microsecond


@dataclass(frozen=True)
class Event:
    """One event, and when it came."""

    arrived_us: int
    stream: str
    partition: str
    fields: dict[str, Any]

    def __repr__(self) -> str:
        def moment(us: int) -> str:
            return datetime.fromtimestamp(us / S, ZONE).strftime("%m-%d %H:%M:%S.%f")

        said = {name: value for name, value in self.fields.items() if name != "ts" and value is not None}
        return f"<{self.partition} ts {moment(self.fields['ts'])}, came {moment(self.arrived_us)}: {said}>"


Log = list[Event]
"""In the order of arrival."""


def batches(log: Log, sizes: Sequence[int] = ()) -> Iterator[list[tuple[int, RawBatch]]]:
    """The log in pieces; of each, what every partition brought and when the last of it came.

    Args:
        log: in the order of arrival.
        sizes: how many events each piece has; what is left is one more piece.
    """
    offsets: Counter[str] = Counter()
    rest = list(log)
    for size in (*sizes, len(log)):
        some, rest = rest[:size], rest[size:]
        piece = []
        for partition in dict.fromkeys(event.partition for event in some):
            own = [event for event in some if event.partition == partition]
            first = offsets[partition]
            offsets[partition] += len(own)
            payloads = [msgspec.json.encode(event.fields | {"stream": event.stream}) for event in own]
            stream = None if partition == MIXED else own[0].stream
            batch = RawBatch("feed", stream, partition, range(first, first + len(own)), payloads)
            piece.append((max(event.arrived_us for event in own), batch))
        if piece:
            yield piece


def decoded(log: Log) -> list[list[Decoded]]:
    """All of the log, a list a partition; nothing of it is refused."""
    decoder = Decoder()
    partitions = [decoder.decode(batch) for piece in batches(log) for _, batch in piece]
    assert not [reject for parts in partitions for part in parts for reject in part.rejects]
    return partitions


@cache
def made_baselines() -> pl.DataFrame:
    """Baselines, always the same and of all sorts, of the days of `SCENES`.

    Of fewer sessions than are wanted, or of just as many, for spread and depth alike or not; without a deviation,
    without depth, without spread; some half-hours and groups are missing.
    """
    random, rows = Random(20), []
    for day in sorted({day for scene in SCENES for day in scene if CALENDAR.session(day)}):
        for half_hour in range(20):
            for group in GROUPS:
                if random.random() < 0.1:
                    continue
                sessions, depth_sessions = random.choice(
                    [(20, 20), (10, 10), (9, 9), (9, 10), (10, 9), (20, 0), (0, 20)]
                )
                median = random.choice([1 / 8, 0.25, 0.5, 1.0, 2.75]) if sessions else None
                deviation = random.choice([0.0, 0.0, 1 / 16, 0.3, 1.5]) if sessions else None
                depth = random.choice([0.0, 2.0, 15.25, 100.0, 250.0]) if depth_sessions else None
                rows.append((day, half_hour, group, sessions, median, deviation, depth_sessions, depth))
    return pl.DataFrame(rows, BASELINE, orient="row")


def new_store() -> TierStore:
    """A store that has heard nothing; it has `made_baselines`."""
    store = TierStore(CALENDAR)
    store.baselines = made_baselines()
    return store


def tiers_of(log: Log) -> Tiers:
    """The frames of a replay of the log: nothing had run before it was read."""
    store = new_store()
    for parts in decoded(log):
        store.add(parts, BEFORE_ALL)
    store.finish()
    return store.tiers()


def business_days_before(day: date, count: int) -> list[date]:
    return [CALENDAR.add_sofr_business_days(day, -n) for n in range(count, 0, -1)]


def print_event(instrument: str, value_date: date, ts_us: int, arrived_us: int = 0, **figures: object) -> Event:
    """A benchmark."""
    fields = {"ts": ts_us, "instrument": instrument, "kind": "benchmark", "value_date": value_date.isoformat()}
    return Event(max(ts_us, arrived_us), "repo", "benchmarks", fields | figures)


def published_us(value_date: date) -> int:
    """When the benchmark of a day is published."""
    return new_york_us(CALENDAR.next_sofr_business_day(value_date), time(8))


def reference_event(series: str, effective: date, ts_us: int, value: float, arrived_us: int = 0) -> Event:
    """A policy rate."""
    fields = {"ts": ts_us, "series": series, "value": value, "unit": "percent", "effective_date": effective.isoformat()}
    return Event(max(ts_us, arrived_us), "reference", "rates", fields)


def trade_event(
    instrument: str, ts_us: int, rate: float, volume: float | None, late_us: int = 0, **more: object
) -> Event:
    """A trade."""
    fields = {"ts": ts_us, "instrument": instrument, "rate": rate, "volume": volume}
    fields |= {name: value for name, value in more.items() if value is not None}
    return Event(ts_us + late_us, "repo", "trades", fields)
