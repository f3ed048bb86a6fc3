"""Random days of a repo feed: benchmarks, reference rates and trades, as a feed would bring them.

Prints are late, revised, in bulk or not at all, trades out of order, doubled, without volume, off session, with gaps.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Final

from hypothesis import strategies as st

from tests.signals.events import (
    MOMENTS,
    SCENES,
    Log,
    S,
    business_days_before,
    new_york_us,
    print_event,
    published_us,
    reference_event,
    trade_event,
)

BENCHMARKS: Final = ("SOFR", "TGCR", "GCF", "TRIPARTY")
_TRADED: Final = ("GC-ON", "GC-ON", "GC-ON", "GCF", "TRIPARTY", "DVP", "91282CAA1", "912810SH2")
_SEGMENTS: Final = (None, None, "gcf", "triparty", "dvp", "bilateral")
_HISTORY_DAYS: Final = 34


rates = st.integers(-6, 60).map(lambda n: round(2.1 + n * 0.0123, 6)) | st.sampled_from([-0.01, 0.0, 0.005, 5.25, 10.0])
volumes = st.sampled_from([None, 0.0, 0.4, 1.5, 3.0, 5.0, 5.0, 6.5, 40.0])


@st.composite
def _history(draw: st.DrawFn, first: date) -> Log:
    """Benchmarks of the business days before the scene: published in time, or all of them in one go."""
    days = business_days_before(first, draw(st.sampled_from([0, 2, _HISTORY_DAYS])))
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
        steps_up = {"rate": 0, "p1": -0.05, "p25": -0.02, "p75": 0.03, "p99": 0.2}
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
    days = [*business_days_before(scene[0], 2), *scene]
    log: Log = []
    for _ in range(draw(st.integers(0, 9))):
        day = draw(st.sampled_from(days))
        instrument = draw(st.sampled_from(BENCHMARKS))
        ts_us = published_us(day) + draw(st.sampled_from(_LAG_SECONDS)) * S + draw(st.sampled_from([0, 0, 1, 999_999]))
        arrived_us = ts_us + draw(st.sampled_from(_LAG_SECONDS)) * S
        figures: dict[str, object] = {"rate": draw(rates), "volume": draw(st.sampled_from([None, 500, 690, 1000]))}
        if draw(st.booleans()):
            spread = sorted(draw(st.tuples(rates, rates, rates, rates)))
            figures |= dict(zip(("p1", "p25", "p75", "p99"), spread, strict=True))
            # Not every publisher says the lowest one.
            if draw(st.booleans()):
                del figures["p1"]
        log.append(print_event(instrument, day, ts_us, arrived_us, **figures))
    return log


@st.composite
def _references(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """IORB and the top of the range from long ago, changes of them in the scene, late or revised; and other series."""
    old = scene[0] - timedelta(days=90)
    known_us = new_york_us(old) + draw(st.sampled_from([0, 0, 0, 3_600 * 24 * 92])) * S
    log = [reference_event("IORB", old, known_us, 2.1), reference_event("TARGET_UPPER", old, known_us, 2.25)]
    days = [*business_days_before(scene[0], 2), *scene]
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
    trade(new_york_us(business_days_before(scene[0], 1)[0], time(6)), 0, "912828XX0", 2.0, None)
    if draw(st.sampled_from([False, False, True])):
        step = draw(st.integers(1, 12))
        for n, day in enumerate(business_days_before(scene[0], 26)):
            trade(new_york_us(day, time(10)), 0, "GC-ON", round(2.1 + n % step / 50, 6), 6.5)
    for _ in range(draw(st.integers(0, 7))):
        begin_us = new_york_us(draw(st.sampled_from(scene)), draw(st.sampled_from(MOMENTS)))
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
def repo_events(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """A log of a scene, in the order of arrival."""
    parts = [_history(scene[0]), _scene_prints(scene), _references(scene), _trades(scene)]
    log = [event for part in parts for event in draw(part)]
    # Of what comes at the same moment the order is any; a list drawn in another order is another log.
    return sorted(log, key=lambda event: event.arrived_us)


def repo_logs() -> st.SearchStrategy[Log]:
    """A log of repo, in the order of arrival."""
    return st.sampled_from(SCENES).flatmap(repo_events)
