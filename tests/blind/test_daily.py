"""Blind is not calm, of what comes once a day: benchmarks and end-of-day quotes of a month that ends in stress."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.pipeline import Pipeline
from monitor.results import BLIND, Level, Transition
from monitor.signals import CATALOGUE
from tests.signals.events import (
    CALENDAR,
    Event,
    S,
    batches,
    business_days_before,
    new_york_us,
    print_event,
    published_us,
    reference_event,
)
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from tests.signals.events import Log

LAST: Final = date(2019, 9, 30)
DAYS: Final = business_days_before(LAST, 34)
STRESS_FROM: Final = 24
"""From this day on, by its place: earlier ones are calm."""
AFTER: Final = STRESS_FROM + 3
"""Faults begin here at the earliest: every level has followed."""
OVER: Final = new_york_us(LAST, time(11)) // S
ISSUES: Final = {"OLD-30": False, "NEW-30": True}
SOURCES: Final = ("SOFR", *ISSUES)
RANK: Final = {level.word: level for level in Level}


def sofr(place: int) -> Event:
    """The benchmark of a day; no two are alike."""
    random, day = Random(place), DAYS[place]
    extra = 60 if place >= STRESS_FROM else 0
    rate = 2.10 + (extra + random.randrange(3)) / 100
    percentiles = {"p1": rate - 0.05, "p25": rate - 0.02 - extra / 200, "p75": rate + 0.03, "p99": rate + 0.10}
    percentiles["p99"] += 3 * extra / 100
    figures: dict[str, Any] = {name: round(value, 2) for name, value in percentiles.items()}
    return print_event(
        "SOFR", day, published_us(day), rate=round(rate, 2), volume=1_000 + random.randrange(60), **figures
    )


def end_of_day(issue: str, place: int) -> Event:
    """The end-of-day quote of an issue: an off-the-run that costs ten 32nds in stress."""
    random, day = Random(f"{issue} {place}"), DAYS[place]
    width = (24 if not ISSUES[issue] else 10) / 64 if place >= STRESS_FROM else 2 / 64
    bid = 100 + random.randrange(640) / 64
    sides: dict[str, Any] = {"bid": bid, "ask": bid + width, "close": bid + random.randrange(8) / 64}
    ts_us = new_york_us(day, time(15, 30))
    return quote_event("prints", issue, ts_us, tenor_years=30, on_the_run=ISSUES[issue], **sides)


def event_of(source: str, place: int) -> Event:
    return sofr(place) if source == "SOFR" else end_of_day(source, place)


def with_fault(source: str, place: int, fault: str) -> Event | None:
    """A day's print as it comes in."""
    sound = event_of(source, place)
    if fault == "removed":
        return None
    if fault == "truncated":
        lost = {"volume": sound.fields.get("volume", 0) * 0.6} if source == "SOFR" else {"bid": None}
        return replace(sound, fields=sound.fields | lost)
    # The day is a copy of an older one, calm as that was: everything but its date and time.
    older = event_of(source, place - int(fault))
    own = {name: sound.fields[name] for name in ("ts", "value_date") if name in sound.fields}
    return replace(sound, fields=older.fields | own)


def told(faults: dict[tuple[str, int], str]) -> list[Transition]:
    log: Log = [reference_event("IORB", date(2019, 8, 1), new_york_us(date(2019, 8, 1)), 2.10)]
    log.append(reference_event("TARGET_UPPER", date(2019, 8, 1), new_york_us(date(2019, 8, 1)), 2.25))
    for place in range(len(DAYS)):
        for source in SOURCES:
            fault = faults.get((source, place))
            event = event_of(source, place) if fault is None else with_fault(source, place, fault)
            if event is not None:
                log.append(event)
    log.sort(key=lambda event: event.arrived_us)
    pipeline = Pipeline(CATALOGUE, CALENDAR)
    for piece in batches(log):
        for _, batch in piece:
            assert not [reject for what in pipeline.ingest(batch) for reject in what.rejects]
    pipeline.finish()
    return [each for output in pipeline.advance(OVER) for each in output.transitions]


def falls(transitions: list[Transition]) -> list[Transition]:
    highest: dict[tuple[str, str], Level] = {}
    found = []
    for each in transitions:
        key = (each.signal, str(each.labels))
        if each.after == BLIND or each.signal == "repo_jump_bp":
            continue  # what was a jump is, after a while, what one is used to
        if RANK[each.after] < highest.get(key, Level.CALM):
            found.append(each)
        highest[key] = max(RANK[each.after], highest.get(key, Level.CALM))
    return found


def test_the_month_ends_in_stress() -> None:
    transitions = told({})
    assert not falls(transitions)
    risen = {each.signal for each in transitions if each.after == Level.CRITICAL.word}
    assert risen >= {
        "repo_spread_bp", "repo_tail_bp", "repo_dispersion_bp", "repo_corridor_bp", "treasury_spread_32nds",
        "treasury_off_the_run_excess_32nds",
    }  # fmt: skip
    assert not [each for each in transitions if each.after == BLIND]


def faults() -> st.SearchStrategy[dict[tuple[str, int], str]]:
    """Any prints of the stressed days, however many; copies of one to five days before."""
    prints = st.tuples(st.sampled_from(SOURCES), st.integers(AFTER, len(DAYS) - 1))
    kinds = st.sampled_from(["removed", "truncated", "2", "3", "4", "5"])
    return st.dictionaries(prints, kinds, min_size=1, max_size=12)


@given(faults())
@settings(deadline=None, max_examples=25)
def test_no_level_falls_because_of_it(faults: dict[tuple[str, int], str]) -> None:
    assert not falls(told(faults))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("fault", ["removed", "4"])
def test_a_day_without_news_is_blind_until_the_next_print(source: str, fault: str) -> None:
    place = AFTER  # four days before it was calm
    signal = "repo_spread_bp" if source == "SOFR" else "treasury_spread_32nds"
    own = {"instrument": source}
    lines = [each for each in told({(source, place): fault}) if each.signal == signal and each.labels == own]
    [gone, back] = [each for each in lines if BLIND in (each.before, each.after)]
    day = DAYS[place]
    if fault != "removed":
        due = published_us(day) if source == "SOFR" else new_york_us(day, time(15, 30))
    else:
        due = new_york_us(DAYS[place + 1], time(12)) if source == "SOFR" else new_york_us(day, time(17))
    assert (gone.tick, gone.after, gone.value_date) == (due // S, BLIND, day)
    following = event_of(source, place + 1)
    assert (back.tick, back.before, back.after) == (following.fields["ts"] // S, BLIND, gone.before)
