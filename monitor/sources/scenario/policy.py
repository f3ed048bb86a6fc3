"""The Federal Reserve's rates, all published before the first session; they do not change in the story."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Final

from monitor.calendar import MarketCalendar
from monitor.sources.scenario.timeline import Pace
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from monitor.sources.scenario.story import Scenario
    from monitor.sources.scenario.timeline import Block

IORB_PERCENT: Final = 3.65
RATES_PERCENT: Final = {"IORB": IORB_PERCENT, "ON_RRP": 3.50, "TARGET_UPPER": 3.75, "TARGET_LOWER": 3.50}


def count(block: Block) -> int:
    """How many rates the block has."""
    return len(RATES_PERCENT) if block.pace is Pace.PUBLISHED else 0


def rows(scenario: Scenario, block: Block) -> list[tuple[int, str]]:
    """(arrival, JSON) of the rates, known from 00:00 New York of the day from which they hold."""
    if not count(block):
        return []
    day = scenario.rates_from
    ts_us = MarketCalendar.at_new_york(day, time()) * MICROSECONDS_PER_SECOND
    return [
        (ts_us, f'{{"ts":{ts_us},"series":"{series}","value":{value},"unit":"percent","effective_date":"{day}"}}')
        for series, value in RATES_PERCENT.items()
    ]
