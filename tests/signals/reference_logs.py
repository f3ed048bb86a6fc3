"""Random days of published series: daily, weekly and now and then, late, revised, in bulk, dated ahead."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Final

from hypothesis import strategies as st

from tests.signals.events import Event, Log, S, business_days_before, new_york_us

UNITS: Final = {
    "IG_OAS": "percent", "HY_OAS": "bp", "RESERVES": "usd_bn", "TGA": "usd_bn", "SRF_VOLUME": "usd_bn",
    "AUCTION_TAIL_10Y": "bp", "AUCTION_TAIL_30Y": "bp", "AUCTION_COVER_10Y": "ratio",
    "AUCTION_DEALER_SHARE_30Y": "ratio", "MOVE": "index", "MY_OWN": "index",
}  # fmt: skip
"""The series that are published, and the unit that each comes in."""
_LAG_SECONDS: Final = (0, 0, 0, 1, 3_600 * 5, 3_600 * 24, 3_600 * 24 * 4)
_LONG: Final = 64
"""Business days: a little more than a low needs."""


def series_event(
    series: str, day: date, ts_us: int, value: float, arrived_us: int = 0, unit: str | None = None
) -> Event:
    """A value of a series, in the unit that it comes in."""
    fields = {"ts": ts_us, "series": series, "value": value, "unit": unit or UNITS[series]}
    return Event(max(ts_us, arrived_us), "reference", "series", fields | {"effective_date": day.isoformat()})


@st.composite
def reference_events(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """Series of a scene and of the time before it."""
    log: Log = []
    bulk_us = new_york_us(scene[0], time(6)) if draw(st.booleans()) else 0
    steps = draw(st.lists(st.integers(-3, 9), min_size=1, max_size=5))
    for n, day in enumerate(business_days_before(scene[0], draw(st.sampled_from([0, 3, _LONG])))):
        ts_us = new_york_us(day + timedelta(days=1), time(8, 30))
        log.append(series_event("IG_OAS", day, ts_us, round(0.8 + steps[n % len(steps)] / 100, 4), bulk_us))
        if n % 5 == 0:
            log.append(series_event("RESERVES", day, ts_us, 3_000.0 + steps[n % len(steps)], bulk_us))
    days = [*business_days_before(scene[0], 3), *scene, scene[-1] + timedelta(days=3)]
    for _ in range(draw(st.integers(0, 7))):
        series, day = draw(st.sampled_from(sorted(UNITS))), draw(st.sampled_from(days))
        moment = draw(st.sampled_from([time(), time(8, 30), time(13, 1), time(18)]))
        ts_us = new_york_us(draw(st.sampled_from(scene)), moment) + draw(st.sampled_from(_LAG_SECONDS)) * S
        arrived_us = ts_us + draw(st.sampled_from(_LAG_SECONDS)) * S
        log.append(series_event(series, day, ts_us, draw(st.sampled_from([0.0, 0.7, 0.83, 2.5, -1.2])), arrived_us))
    return log
