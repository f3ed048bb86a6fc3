"""Random days of a repo feed: benchmarks, reference rates and trades, as a feed would bring them.

A log is what arrived, in the order in which it arrived: prints late, revised, in bulk or not at all, trades out of
order, doubled, without volume, off session, with gaps. The days are real ones: a weekend, early closes, the end of a
quarter and of a year, a Good Friday on which bonds trade and SOFR is not made, clocks going back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st

from monitor.calendar import NEW_YORK, MarketCalendar
from monitor.engine.decode import Decoder
from monitor.engine.tiers import TierStore
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
BENCHMARKS: Final = ("SOFR", "TGCR", "GCF", "TRIPARTY")
_TRADED: Final = ("GC-ON", "GC-ON", "GC-ON", "GCF", "TRIPARTY", "DVP", "91282CAA1", "912810SH2")
_SEGMENTS: Final = (None, None, "gcf", "triparty", "dvp", "bilateral")
_HISTORY_DAYS: Final = 34

_MOMENTS: Final = tuple(
    time.fromisoformat(text)
    for text in (
        "00:00", "05:00", "06:45", "06:59:58", "07:00", "07:20", "08:00", "08:29:58", "08:45", "09:00", "09:15",
        "10:00", "10:30", "11:29:59", "11:59:58", "12:20", "13:30", "13:59:58", "14:29:58", "14:45", "15:30",
        "16:30", "16:59:58", "17:00", "18:00", "23:59:58",
    )
)  # fmt: skip


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
            payloads = [msgspec.json.encode(event.fields) for event in own]
            batch = RawBatch("feed", own[0].stream, partition, range(first, first + len(own)), payloads)
            piece.append((max(event.arrived_us for event in own), batch))
        if piece:
            yield piece


def decoded(log: Log) -> list[Decoded]:
    """All of the log, a part a partition; nothing of it is refused."""
    decoder = Decoder()
    parts = [part for piece in batches(log) for _, batch in piece for part in decoder.decode(batch)]
    assert not [reject for part in parts for reject in part.rejects]
    return parts


def tiers_of(log: Log) -> Tiers:
    """The frames of a replay of the log: nothing had run before it was read."""
    store = TierStore(CALENDAR)
    for part in decoded(log):
        store.add([part], BEFORE_ALL)
    store.finish()
    return store.tiers()


def _business_days_before(day: date, count: int) -> list[date]:
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


rates = st.integers(-6, 60).map(lambda n: round(2.1 + n * 0.0123, 6)) | st.sampled_from([-0.01, 0.0, 0.005, 5.25, 10.0])
volumes = st.sampled_from([None, 0.0, 0.4, 1.5, 3.0, 5.0, 5.0, 6.5, 40.0])


@st.composite
def _history(draw: st.DrawFn, first: date) -> Log:
    """Benchmarks of the business days before the scene: published in time, or all of them in one go."""
    days = _business_days_before(first, draw(st.sampled_from([0, 2, _HISTORY_DAYS])))
    missing = draw(st.sets(st.sampled_from(days), max_size=16)) if days else set()
    in_one_go = draw(st.booleans())
    late_us = new_york_us(first, time(6))
    steps = draw(st.lists(st.integers(-4, 30), min_size=1, max_size=7))
    whole = draw(st.sampled_from([None, 900, 1000]))
    log: Log = []
    for n, day in enumerate(days):
        if day in missing:
            continue
        rate = round(2.1 + steps[n % len(steps)] / 100, 6)
        arrived_us = late_us if in_one_go else 0
        steps_up = {"rate": 0, "p25": -0.02, "p75": 0.03, "p99": 0.2}
        figures = {name: round(rate + step, 6) for name, step in steps_up.items()} | {"volume": whole}
        log.append(print_event("SOFR", day, published_us(day), arrived_us, **figures))
        if n % 3:
            log.append(print_event("TGCR", day, published_us(day), arrived_us, rate=round(rate - 0.03, 6)))
    return log


_LAG_SECONDS: Final = (0, 0, 0, 1, 7, 60 * 20, 3_600 * 4, 3_600 * 5, 3_600 * 24, 3_600 * 53, 3_600 * 24 * 4)
"""How long after its due time a print may be published, or after its event time arrive: noon, a day, days."""


@st.composite
def _scene_prints(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """Benchmarks of the scene and the days just before it: late, revised, truncated, blank, out of order."""
    days = [*_business_days_before(scene[0], 2), *scene]
    log: Log = []
    for _ in range(draw(st.integers(0, 9))):
        day = draw(st.sampled_from(days))
        instrument = draw(st.sampled_from(BENCHMARKS))
        ts_us = published_us(day) + draw(st.sampled_from(_LAG_SECONDS)) * S + draw(st.sampled_from([0, 0, 1, 999_999]))
        arrived_us = ts_us + draw(st.sampled_from(_LAG_SECONDS)) * S
        figures: dict[str, object] = {"rate": draw(rates), "volume": draw(st.sampled_from([None, 500, 690, 1000]))}
        if draw(st.booleans()):
            spread = sorted(draw(st.tuples(rates, rates, rates)))
            figures |= dict(zip(("p25", "p75", "p99"), spread, strict=True))
        log.append(print_event(instrument, day, ts_us, arrived_us, **figures))
    return log


@st.composite
def _references(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """IORB and the top of the range from long ago, changes of them in the scene, late or revised; and other series."""
    old = scene[0] - timedelta(days=90)
    known_us = new_york_us(old) + draw(st.sampled_from([0, 0, 0, 3_600 * 24 * 92])) * S
    log = [reference_event("IORB", old, known_us, 2.1), reference_event("TARGET_UPPER", old, known_us, 2.25)]
    days = [*_business_days_before(scene[0], 2), *scene]
    for _ in range(draw(st.integers(0, 4))):
        series = draw(st.sampled_from(["IORB", "IORB", "TARGET_UPPER", "ON_RRP"]))
        day = draw(st.sampled_from(days))
        moment = draw(st.sampled_from([time(), time(9, 40), time(10), time(16, 45), time(20)]))
        ts_us = new_york_us(day, moment) + draw(st.sampled_from(_LAG_SECONDS)) * S
        arrived_us = ts_us + draw(st.sampled_from(_LAG_SECONDS)) * S
        log.append(reference_event(series, day, ts_us, draw(st.sampled_from([1.85, 2.1, 2.35])), arrived_us))
    return log


@st.composite
def _trades(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """Clusters of trades at moments at which something may happen; some a month before."""
    log: Log = []

    def trade(ts_us: int, late_us: int, instrument: str, rate: float, volume: float | None, **more: object) -> None:
        log.append(trade_event(instrument, ts_us, rate, volume, late_us, **more))

    # A feed is there before its first trade: one that says nothing of percentiles, well before the scene.
    trade(new_york_us(_business_days_before(scene[0], 1)[0], time(6)), 0, "912828XX0", 2.0, None)
    if draw(st.sampled_from([False, False, True])):
        step = draw(st.integers(1, 12))
        for n, day in enumerate(_business_days_before(scene[0], 26)):
            trade(new_york_us(day, time(10)), 0, "GC-ON", round(2.1 + n % step / 50, 6), 6.5)
    for _ in range(draw(st.integers(0, 7))):
        begin_us = new_york_us(draw(st.sampled_from(scene)), draw(st.sampled_from(_MOMENTS)))
        for _ in range(draw(st.integers(1, 4))):
            after = draw(st.sampled_from([0, 0, 1, 2, 4, 1_799, 1_800, 1_801])) * S
            ts_us = begin_us + after + draw(st.sampled_from([0, 1, 500_000, 999_999]))
            trade(
                ts_us,
                draw(st.sampled_from([0, 0, 1, S, 2 * S, 3 * S])),
                draw(st.sampled_from(_TRADED)),
                draw(rates),
                draw(volumes),
                segment=draw(st.sampled_from(_SEGMENTS)),
                term_days=draw(st.sampled_from([None, None, None, None, 1, 7])),
                id=draw(st.sampled_from([None, None, None, "a", "b"])),
            )
    return log


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log of everything, in the order of arrival."""
    scene = draw(st.sampled_from(SCENES))
    parts = [_history(scene[0]), _scene_prints(scene), _references(scene), _trades(scene)]
    log = [event for part in parts for event in draw(part)]
    # Of what comes at the same moment the order is any; a list drawn in another order is another log.
    return sorted(log, key=lambda event: event.arrived_us)
