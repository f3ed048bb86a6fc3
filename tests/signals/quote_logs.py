"""Random days of quotes: Treasury issues and credit default swaps.

Quotes tie, repeat, come out of order within and beyond what is allowed, are crossed, locked, of one side or without
sizes, and fall silent for longer and shorter than they stand. An issue is quoted in two partitions, says its tenor now
and then, changes it, or rolls off the run.
"""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from tests.signals.events import MIXED, MOMENTS, Event, Log, S, new_york_us

if TYPE_CHECKING:
    from collections.abc import Sequence

ISSUES: Final[dict[str, tuple[float, bool]]] = {
    "UST-2Y": (2, True), "UST-10Y": (10, True), "UST-30Y": (30, True), "912810SH2": (30, False),
    "912828XX0": (7, False),
}  # fmt: skip
"""Tenor, and whether the issue is on the run."""
QUOTES: Final = ("quotes-0", "quotes-1", MIXED)
_EDGES: Final = tuple(map(time.fromisoformat, ("06:44:59", "06:55:01", "11:55", "13:50", "16:45", "16:54:59", "17:55")))

_MICROSECONDS: Final = (0, 0, 1, 250_000, 500_000, 999_999)
_ISSUE_GAPS: Final = (0, 0, 0, 1, 1, 2, 30, 240, 299, 300, 301, 600, 899, 900, 901, 1_300)
_NAME_GAPS: Final = (0, 0, 1, 60, 1_800, 3_599, 3_600, 3_601, 7_000)
_LATE_US: Final = (0, 0, 0, 0, 1, S, 2 * S, 3 * S, 12 * S)


def quote_event(partition: str, instrument: str, ts_us: int, late_us: int = 0, **fields: object) -> Event:
    """A Treasury quote."""
    said = {name: value for name, value in fields.items() if value is not None}
    return Event(ts_us + late_us, "treasury", partition, {"ts": ts_us, "instrument": instrument} | said)


def name_event(partition: str, entity: str, ts_us: int, late_us: int = 0, **fields: object) -> Event:
    """A CDS quote."""
    said = {name: value for name, value in fields.items() if value is not None}
    return Event(ts_us + late_us, "cds", partition, {"ts": ts_us, "entity": entity} | said)


@st.composite
def _moments(draw: st.DrawFn, scene: Sequence[date], gaps: Sequence[int]) -> list[int]:
    """Event times of a cluster: from a moment at which something may happen on."""
    ts_us = new_york_us(draw(st.sampled_from(scene)), draw(st.sampled_from(MOMENTS + _EDGES)))
    moments = []
    for _ in range(draw(st.integers(1, 6))):
        ts_us += draw(st.sampled_from(gaps)) * S
        moments.append(ts_us + draw(st.sampled_from(_MICROSECONDS)))
    return moments


@st.composite
def _sides(draw: st.DrawFn) -> dict[str, object]:
    """Bid and ask of an issue; in one of two examples of two sides and in order."""
    bid = 99 + draw(st.integers(0, 64)) / 64
    kind = draw(st.sampled_from(["two", "two", "two", "two", "locked", "crossed", "bid", "ask", "no bid"]))
    width = draw(st.sampled_from([1 / 256, 1 / 128, 1 / 64, 3 / 32, 0.17, 0.000_000_001]))
    ask = {"locked": bid, "crossed": bid - width}.get(kind, bid + width)
    sides: dict[str, object] = {"bid": bid, "ask": round(ask, 9)}
    if kind in ("bid", "ask"):
        sides = {kind: sides[kind]}
    if kind == "no bid":
        sides["bid"] = 0
    sizes = draw(st.sampled_from([(None, None), (5, 25.5), (100, 100), (0, 0), (0.001, 3), (40, None)]))
    return sides | dict(zip(("bid_size", "ask_size"), sizes, strict=True))


@st.composite
def treasury_events(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """Quotes of a few issues."""
    log: Log = []
    rolls_at = draw(st.sampled_from([None, None, *scene]))
    for _ in range(draw(st.integers(0, 5))):
        instrument = draw(st.sampled_from(sorted(ISSUES)))
        home = draw(st.sampled_from(QUOTES))
        for ts_us in draw(_moments(scene, _ISSUE_GAPS)):
            tenor, is_new = ISSUES[instrument]
            if rolls_at is not None and ts_us >= new_york_us(rolls_at, time(10, 30)):
                is_new = False
            says = draw(st.sampled_from(["all", "all", "all", "tenor", "run", "nothing", "another tenor"]))
            fields = draw(_sides())
            if says in ("all", "tenor", "another tenor"):
                fields["tenor_years"] = 5 if says == "another tenor" else tenor
            if says in ("all", "run"):
                fields["on_the_run"] = is_new
            if draw(st.integers(0, 9)) == 0:
                fields |= {"last_price": 99.5, "last_size": 3, "aggressor": "buy"}
            if draw(st.integers(0, 14)) == 0:
                fields["close"] = 99.5  # a daily print: no quote
            partition = draw(st.sampled_from([home, home, home, *QUOTES[:2]]))
            event = quote_event(partition, instrument, ts_us, draw(st.sampled_from(_LATE_US)), **fields)
            log += [event] * draw(st.sampled_from([1, 1, 1, 1, 1, 2]))
    return log


@st.composite
def cds_events(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    """Quotes and marks of a few names."""
    log: Log = []
    for _ in range(draw(st.integers(0, 4))):
        entity = draw(st.sampled_from(["ORCL", "ORCL", "META", "CDX-IG"]))
        tenor = draw(st.sampled_from([None, None, None, 1, 0.5]))
        for ts_us in draw(_moments(scene, _NAME_GAPS)):
            kind = draw(st.sampled_from(["two", "two", "mark", "mark", "all", "bid", "crossed"]))
            bid = draw(st.integers(100, 160)) + draw(st.sampled_from([0, 0.5, 0.000_001]))
            sides: dict[str, object] = {"bid": bid, "ask": bid + 4.25, "mid": bid + 2}
            wanted = {"two": ("bid", "ask"), "crossed": ("bid", "ask"), "mark": ("mid",), "bid": ("bid",)}
            fields = {name: sides[name] for name in wanted.get(kind, ("bid", "ask", "mid"))}
            if kind == "crossed":
                fields["ask"] = bid - 1
            more: dict[str, object] = {
                "notional": draw(st.sampled_from([None, None, 10])),
                "id": draw(st.sampled_from([None, None, None, "a", "b"])),
                "recovery": draw(st.sampled_from([None, None, None, 0.25])),
            }
            if entity == "CDX-IG":
                more |= {"index": True, "index_series": draw(st.sampled_from([None, 44, 45]))}
            else:
                more["themes"] = draw(st.sampled_from([None, ["ai"], ["ai"], ["ai", "cloud"], ["cloud"]]))
            partition = draw(st.sampled_from(["names", "names", MIXED]))
            late_us = draw(st.sampled_from(_LATE_US))
            log.append(name_event(partition, entity, ts_us, late_us, tenor_years=tenor, **fields, **more))
    return log
