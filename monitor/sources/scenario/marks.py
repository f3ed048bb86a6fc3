"""End-of-day CDS marks: mids without sides, for years before a story, with the notional of the day in the last ones.

On days that have quotes too, the mark is where these stand at its time: it follows from the same waves.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, time, timedelta
from functools import lru_cache
from itertools import pairwise
from math import exp, log, sin, tau
from random import Random
from typing import TYPE_CHECKING, Final

from monitor.calendar import MarketCalendar
from monitor.sources.scenario.contracts import CONTRACTS, INDEX_SERIES, Contract, Phases, calm_part, phases_of
from monitor.sources.scenario.timeline import Chronicle
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.sources.scenario.story import Scenario
    from monitor.sources.scenario.timeline import Block

MARKED_AT: Final = time(17, 30)
"""New York."""

_LEVELS: Final[dict[tuple[str, int], dict[date, float]]] = {
    # The Oracle-like one: only the first months stood higher than the story's end.
    ("SYN-CLOUD-2", 5): {
        date(2009, 3, 2): 184.0, date(2009, 3, 20): 198.0, date(2009, 7, 1): 158.0, date(2009, 10, 1): 128.0,
        date(2010, 3, 1): 96.0, date(2011, 6, 1): 90.0, date(2011, 10, 4): 140.0, date(2012, 3, 1): 100.0,
        date(2013, 1, 2): 70.0, date(2015, 6, 1): 62.0, date(2016, 2, 11): 130.0, date(2016, 8, 1): 84.0,
        date(2018, 1, 2): 48.0, date(2020, 2, 14): 52.0, date(2020, 3, 23): 134.0, date(2020, 8, 3): 70.0,
        date(2022, 1, 3): 60.0, date(2022, 10, 12): 122.0, date(2023, 6, 1): 82.0, date(2024, 12, 2): 86.0,
        date(2025, 4, 8): 104.0, date(2025, 6, 2): 112.0, date(2025, 7, 15): 118.0,
    },
    ("SYN-CLOUD-1", 5): {
        date(2009, 3, 2): 120.0, date(2010, 3, 1): 60.0, date(2011, 10, 4): 88.0, date(2014, 6, 2): 40.0,
        date(2016, 2, 11): 74.0, date(2018, 1, 2): 28.0, date(2020, 3, 23): 78.0, date(2021, 6, 1): 34.0,
        date(2022, 10, 12): 66.0, date(2024, 6, 3): 44.0, date(2025, 7, 15): 62.0,
    },
    ("SYN-BANK-1", 5): {
        date(2009, 3, 9): 410.0, date(2010, 3, 1): 120.0, date(2011, 11, 25): 290.0, date(2014, 6, 2): 68.0,
        date(2016, 2, 11): 118.0, date(2018, 1, 2): 46.0, date(2020, 3, 23): 160.0, date(2021, 6, 1): 50.0,
        date(2023, 3, 15): 128.0, date(2024, 6, 3): 60.0, date(2025, 7, 15): 66.0,
    },
}  # fmt: skip
"""By entity and tenor: the spread in bp at some dates, for the names that are marked since 2009; it ends at the calm
mid, where it stays."""
_OTHERS_DAYS: Final = 364
"""All others are marked for so many calendar days before the story, around their calm mid."""
_STRAYS: Final = ((97.0, 0.016), (31.0, 0.008))
"""Periods in days, amplitudes as parts of the spread: fades out in `_FADES_DAYS` before the calm mid is reached."""
_FADES_DAYS: Final = 90.0

_ROLL: Final = date(2025, 9, 22)
"""From here on the index is of its present series; before, of the one before, which had half a year less to run."""
_ROLL_PART: Final = 0.95

_TRADED_DAYS: Final = 200
"""The notional of the day is told for so many business days before the story."""
_SURGE_DAYS: Final = 20
_SURGE: Final = 1.81
"""So many business days before the story trading picks up, by this multiple; what is dealt on quotes comes on top."""
_NOTIONAL_MUSD: Final = {5: 300.0, 1: 300.0}
"""A day's, by tenor in years; of the index it is so many times as much."""
_INDEX_NOTIONALS: Final = 10
_NOTIONAL_VARIES: Final = 0.1


def count(scenario: Scenario, seed: int, block: Block) -> int:
    """How many marks come in the block."""
    return _chronicle(scenario.story_start_us, seed).count(block) if scenario.credit else 0


def rows(scenario: Scenario, seed: int, block: Block) -> list[tuple[int, str]]:
    """(arrival, JSON) of the marks that come in a block."""
    if not scenario.credit:
        return []
    return _chronicle(scenario.story_start_us, seed).rows(block)


@lru_cache(maxsize=2)
def _chronicle(story_start_us: int, seed: int) -> Chronicle:
    story_day = MarketCalendar.new_york_date(story_start_us)
    first = min(day for levels in _LEVELS.values() for day in levels)
    calendar = MarketCalendar()
    days = [first + timedelta(days=n) for n in range((story_day - first).days)]
    days = [day for day in days if calendar.is_bond_business_day(day)]
    return Chronicle(
        row
        for number, (contract, phases) in enumerate(zip(CONTRACTS, phases_of(seed), strict=True))
        for row in _of_contract(number, contract, phases, days, story_start_us, seed)
    )


def _of_contract(
    number: int, contract: Contract, phases: Phases, days: list[date], story_start_us: int, seed: int
) -> Iterator[tuple[int, str]]:
    levels = _LEVELS.get((contract.entity, contract.tenor_years), {})
    story_day = MarketCalendar.new_york_date(story_start_us)
    since = min(levels, default=story_day - timedelta(days=_OTHERS_DAYS))
    rnd = Random(f"{seed}:marks:{number}").random  # noqa: S311 - a story, no secret
    waves = [(period, amplitude, tau * rnd()) for period, amplitude in _STRAYS]
    for place in range(bisect_left(days, since), len(days)):
        day, left = days[place], len(days) - place
        ts_us = MarketCalendar.at_new_york(day, MARKED_AT) * MICROSECONDS_PER_SECOND
        mid = contract.mid * calm_part(phases, ts_us - story_start_us)
        if levels:
            mid *= _level(levels, day) / contract.mid * (1 + _stray(waves, day, max(levels)))
        fixed = contract.fixed
        if contract.is_index and day < _ROLL:
            mid *= _ROLL_PART
            fixed = fixed.replace(str(INDEX_SERIES), str(INDEX_SERIES - 1))
        traded = ""
        if left <= _TRADED_DAYS:
            notional = _NOTIONAL_MUSD[contract.tenor_years] * (1 + _NOTIONAL_VARIES * (rnd() - 0.5))
            notional *= (_INDEX_NOTIONALS if contract.is_index else 1) * (_SURGE if left <= _SURGE_DAYS else 1)
            traded = f',"notional":{round(notional, 1)}'
        text = (
            f'{{"ts":{ts_us},"entity":"{contract.entity}","tenor_years":{contract.tenor_years},'
            f'"mid":{round(mid, 2)},{fixed}{traded}}}'
        )
        yield ts_us, text


def _level(levels: dict[date, float], day: date) -> float:
    """The spread at a day between two dates: it grows by the same part every day."""
    for (d0, v0), (d1, v1) in pairwise(levels.items()):
        if day <= d1:
            return exp(log(v0) + (log(v1) - log(v0)) * (day - d0).days / (d1 - d0).days)
    return levels[max(levels)]


def _stray(waves: list[tuple[float, float, float]], day: date, until: date) -> float:
    left = (until - day).days
    if left <= 0:
        return 0.0
    return min(1.0, left / _FADES_DAYS) * sum(a * sin(phase + tau * left / period) for period, a, phase in waves)
