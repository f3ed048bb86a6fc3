"""Quotes, and what becomes of them, as one would say it aloud: loops over sorted records, integers of Python."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
from hypothesis import strategies as st

from monitor.engine.bars import KINDS
from monitor.engine.bars.kind import PERIOD_SECONDS
from monitor.engine.decode import Decoded, schema
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable

SECOND = 1_000_000
BASE = 1_735_689_600
"""New Year 2025, UTC: the beginning of an hour."""
MINUTE = 60 * SECOND

Record = dict[str, Any]
"""A decoded event: `stream`, `offset`, `ts_us` and those of the stream's columns that it says."""
Row = dict[str, Any]
Series = tuple[Any, ...]

MEASURES = {"treasury": ("spread_e9", "depth2_kusd"), "cds": ("bid_ask_e6", "quoted2_e6")}
LATEST = {
    "treasury": ("last_us", "mid2_e9", *KINDS["treasury"].attributes),
    "cds": ("last_us", "mid2_e6", "is_mark", *KINDS["cds"].attributes),
}
COUNTS = {
    "treasury": ("quotes", "one_sided", "crossed", "traded_kusd", "signed_kusd"),
    "cds": ("quotes", "one_sided", "crossed", "notional_kusd"),
}


def series_of(record: Record) -> Series:
    return tuple(record.get(name) for name in KINDS[record["stream"]].series)


def events_of(stream: str, records: Iterable[Record]) -> pl.DataFrame:
    """The decoded events of one stream among these records."""
    rows = [{k: v for k, v in r.items() if k != "stream"} for r in records if r["stream"] == stream]
    return pl.DataFrame(rows, schema=schema(STREAMS[stream]))


def decoded(records: list[Record], partition: str = "p0") -> list[Decoded]:
    """What the decoder makes of a batch: an entry a stream, each in the order of the log."""
    named = list(dict.fromkeys(r["stream"] for r in records))
    return [Decoded(stream, "feed", partition, events_of(stream, records), ()) for stream in named]


def worth(record: Record) -> Row:
    """What one event says: its measures, its mid, and what it counts for."""
    of_treasury = record["stream"] == "treasury"
    unit = "e9" if of_treasury else "e6"
    sides: list[Any] = [record.get(f"{name}_{unit}") for name in ("bid", "ask", "mid")]
    bid, ask, mid = sides
    two_sided = bid is not None and ask is not None
    sound = bid is not None and ask is not None and ask >= bid
    said: Row = {"quotes": 1, "crossed": int(two_sided and not sound)}
    if of_treasury:
        sizes: list[Any] = [record.get("bid_size_kusd"), record.get("ask_size_kusd")]
        size = record.get("last_size_kusd") or 0
        sign = {"buy": 1, "sell": -1, None: 0}[record.get("aggressor")]
        return said | {
            "spread_e9": ask - bid if sound else None,
            "depth2_kusd": sum(sizes) if sound and None not in sizes else None,
            "mid2_e9": bid + ask if sound else None,
            "one_sided": int(not two_sided),
            "traded_kusd": size,
            "signed_kusd": sign * size,
        }
    quoted = bid + ask if sound else None
    of_mid = None if mid is None else 2 * mid
    return said | {
        "bid_ask_e6": ask - bid if sound else None,
        "quoted2_e6": quoted,
        "mid2_e6": quoted if two_sided else of_mid,
        "is_mark": mid is not None and bid is None and ask is None,
        "one_sided": int(mid is None and not two_sided),
        "notional_kusd": record.get("notional_kusd") or 0,
    }


def widest_e9(stands: Row) -> int:
    """The spread that counts at most: 32 ticks on the run, 64 off it."""
    tick = {2_000: 8, 3_000: 4, 5_000: 4}.get(stands["tenor_e3"], 2)  # parts of a 32nd
    return (32 if stands["on_the_run"] else 64) * 1_000_000_000 // 32 // tick


def in_turn(stream: str, records: Iterable[Record]) -> dict[Series, list[Row]]:
    """By series: its events by (ts, position), each with what it says and the attributes that stand by then."""
    found: dict[Series, list[Row]] = defaultdict(list)
    attributes: dict[Series, Row] = defaultdict(lambda: dict.fromkeys(KINDS[stream].attributes))
    quotes = [r for r in records if r["stream"] == stream]
    for r in sorted(quotes, key=lambda r: (r["ts_us"], r["offset"])):
        stands = attributes[series_of(r)]
        for name in stands:
            if r.get(name) is not None:
                stands[name] = r[name]
        said = worth(r)
        if said.get("spread_e9") is not None:
            said["spread_e9"] = min(said["spread_e9"], widest_e9(stands))
        found[series_of(r)].append(said | stands | {"ts_us": r["ts_us"], "last_us": r["ts_us"]})
    return found


def plain_seconds(stream: str, records: Iterable[Record], partition: str = "p0") -> list[Row]:
    """The bars of seconds, by second and series."""
    rows = []
    for series, events in in_turn(stream, records).items():
        by_second: dict[int, list[Row]] = defaultdict(list)
        for event in events:
            by_second[event["ts_us"] // SECOND].append(event)
        for second, its in by_second.items():
            row: Row = {"second": second, "partition": partition, "first_us": its[0]["ts_us"]}
            row |= dict(zip(KINDS[stream].series, series, strict=True))
            row |= {name: its[-1][name] for name in (*LATEST[stream], *MEASURES[stream])}
            row |= {name: sum(event[name] for event in its) for name in COUNTS[stream]}
            for name in MEASURES[stream]:
                area = length = 0
                for event, after in pairwise(its):
                    if event[name] is not None:
                        area += event[name] * (after["ts_us"] - event["ts_us"])
                        length += after["ts_us"] - event["ts_us"]
                row |= {f"{name}_area": area, f"{name}_us": length}
            rows.append({name: row[name] for name in KINDS[stream].seconds})
    return sorted(rows, key=lambda row: (row["second"], *(row[name] for name in KINDS[stream].series)))


def hold_us(stream: str, event: Row) -> int:
    """For how long a quote stands at most."""
    if stream == "cds":
        return 3_600 * SECOND
    return 300 * SECOND if event["on_the_run"] else 900 * SECOND


def integral(stream: str, events: list[Row], measure: str, begin_us: int, end_us: int) -> tuple[int, int]:
    """Over [begin, end) of one series' quotes in turn: the sum of value x microseconds, and of microseconds."""
    area = length = 0
    for i, event in enumerate(events):
        until = event["ts_us"] + hold_us(stream, event)
        if i + 1 < len(events):
            until = min(until, events[i + 1]["ts_us"])
        stood = min(until, end_us) - max(event["ts_us"], begin_us)
        if stood > 0 and event[measure] is not None:
            area += event[measure] * stood
            length += stood
    return area, length


def plain_periods(stream: str, records: Iterable[Record], partition: str = "p0") -> list[Row]:
    """The bars of periods, by period and series: what stood in them, and what was said."""
    rows = []
    for series, events in in_turn(stream, records).items():
        first = events[0]["ts_us"] // SECOND // PERIOD_SECONDS * PERIOD_SECONDS
        last = (events[-1]["ts_us"] + hold_us(stream, events[-1])) // SECOND
        for period in range(first, last + 1, PERIOD_SECONDS):
            begin_us, end_us = period * SECOND, (period + PERIOD_SECONDS) * SECOND
            row: Row = {"period": period, "partition": partition}
            row |= dict(zip(KINDS[stream].series, series, strict=True))
            for name in MEASURES[stream]:
                row[f"{name}_area"], row[f"{name}_us"] = integral(stream, events, name, begin_us, end_us)
            said = [event for event in events if begin_us <= event["ts_us"] < end_us]
            if not said and not any(row[f"{name}_us"] for name in MEASURES[stream]):
                continue
            newest = [event for event in events if event["ts_us"] < end_us][-1]
            row |= {name: newest[name] for name in LATEST[stream]}
            row |= {name: sum(event[name] for event in said) for name in COUNTS[stream]}
            rows.append({name: row[name] for name in KINDS[stream].periods})
    return sorted(rows, key=lambda row: (row["period"], row["partition"], *(row[n] for n in KINDS[stream].series)))


_PRICES = st.sampled_from([1, 99_500_000_000, 99_515_625_000, 99_531_250_000, 300_000_000_000])
_BP = st.sampled_from([0, 1, 50_000_000, 51_500_000, 20_000_000_000])
_AMOUNTS = st.sampled_from([0, 1, 25_000, 10_000_000_000])


def _treasury(ts_us: int, draw: st.DrawFn) -> Record:
    record: Record = {"stream": "treasury", "ts_us": ts_us, "instrument": draw(st.sampled_from(["A", "B"]))}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "bid_e9": _PRICES, "ask_e9": _PRICES, "bid_size_kusd": _AMOUNTS, "ask_size_kusd": _AMOUNTS,
        "last_size_kusd": _AMOUNTS, "aggressor": st.sampled_from(["buy", "sell"]),
        "on_the_run": st.booleans(), "tenor_e3": st.sampled_from([2_000, 10_000]), "coupon_e6": st.just(4_250_000),
        "maturity": st.sampled_from([date(2035, 2, 15), date(2027, 1, 31)]),
    }  # fmt: skip
    record |= _some(optional, draw)
    return record if {"bid_e9", "ask_e9"} & record.keys() else record | {"ask_e9": draw(_PRICES)}


def _cds(ts_us: int, draw: st.DrawFn) -> Record:
    record: Record = {"stream": "cds", "ts_us": ts_us, "recovery_e6": draw(st.sampled_from([400_000, 250_000]))}
    record |= {"entity": draw(st.sampled_from(["ACME", "CDX"])), "tenor_e3": draw(st.sampled_from([5_000, 10_000]))}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "bid_e6": _BP, "ask_e6": _BP, "mid_e6": _BP, "notional_kusd": _AMOUNTS, "index": st.booleans(),
        "index_series": st.sampled_from([43, 44]),
    }  # fmt: skip
    record |= _some(optional, draw)
    return record if {"bid_e6", "ask_e6", "mid_e6"} & record.keys() else record | {"mid_e6": draw(_BP)}


def _some(optional: dict[str, st.SearchStrategy[Any]], draw: st.DrawFn) -> Record:
    # One draw says which are there: of ten fields the common case is that most are.
    said = draw(st.integers(0, (1 << len(optional)) - 1)) | draw(st.integers(0, (1 << len(optional)) - 1))
    return {name: draw(kind) for i, (name, kind) in enumerate(optional.items()) if said >> i & 1}


@st.composite
def quotes(draw: st.DrawFn, stream: str, times: st.SearchStrategy[int], most: int = 16) -> list[Record]:
    """A log of one stream's quotes, positions as they stand."""
    make = {"treasury": _treasury, "cds": _cds}[stream]
    whens = draw(st.lists(times, max_size=most))
    return [make(ts_us, draw) | {"offset": at} for at, ts_us in enumerate(whens)]


SECONDS_CLOSE_BY = st.builds(
    lambda second, off: (BASE + second) * SECOND + off,
    st.integers(0, 4),
    st.sampled_from([0, 1, 250_000, 500_000, 999_999]),
)
"""Some seconds, with ties."""

HOURS = st.builds(
    lambda minute, off: BASE * SECOND + minute * MINUTE + off,
    st.integers(0, 5 * 60) | st.sampled_from([0, 5, 10, 15, 20, 60]),
    st.sampled_from([0, 1, -1, 999_999, 17 * SECOND + 123_456]),
)
"""Some hours: holds end before, at, and after the edges of periods."""
