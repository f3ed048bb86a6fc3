"""CDS quotes of one block: eight borrowers that do not exist, and an index."""

from __future__ import annotations

from math import sin, tau
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.sources.scenario.story import CALM, STORY_START_US, US_PER_MINUTE
from monitor.sources.scenario.timeline import Events, Pace, arrives_us, happens_us, in_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.sources.scenario.story import Scenario, Stress
    from monitor.sources.scenario.timeline import Block


class _Contract(NamedTuple):
    """What is quoted: its calm mid and bid-ask in bp, and the part of the object that never changes."""

    entity: str
    tenor_years: int
    mid: float
    bid_ask: float
    fixed: str


def _name(entity: str, tenor_years: int, mid: float, theme: str) -> _Contract:
    return _Contract(entity, tenor_years, mid, 0.05 * mid, f'"themes":["{theme}"]')


CONTRACTS: Final = (
    _name("SYN-CLOUD-1", 5, 62.0, "hyperscaler"),
    _name("SYN-CLOUD-1", 1, 21.0, "hyperscaler"),
    _name("SYN-CLOUD-2", 5, 118.0, "hyperscaler"),
    _name("SYN-CLOUD-2", 1, 58.0, "hyperscaler"),
    _name("SYN-CLOUD-3", 5, 48.0, "hyperscaler"),
    _name("SYN-CLOUD-4", 5, 54.0, "hyperscaler"),
    _name("SYN-BANK-1", 5, 66.0, "bank"),
    _name("SYN-BANK-2", 5, 71.0, "bank"),
    _name("SYN-UTILITY-1", 5, 82.0, "utility"),
    _name("SYN-INDUSTRY-1", 5, 95.0, "industrial"),
    _Contract("SYN-CDX-IG", 5, 54.0, 0.75, '"index":true,"index_series":45'),
)
_EVERY_US: Final = {
    Pace.SESSION: 20 * US_PER_MINUTE, Pace.MORNING: 20 * US_PER_MINUTE, Pace.STORY: US_PER_MINUTE,
}  # fmt: skip
_GRID: Final = 8
"""Quotes are in eighths of a bp."""
_TRADED_SHARE: Final = 0.05
_NOTIONALS_MUSD: Final = (5, 10, 10, 25)
_CALM_PART: Final = ((20_160.0, 0.008), (420.0, 0.002))
"""Periods in minutes, amplitudes as parts of the mid: within 3 bp of the median in calm."""


def count(block: Block) -> int:
    """How many quotes the block has."""
    return 0 if block.pace is Pace.PUBLISHED else len(CONTRACTS) * block.slots(_EVERY_US[block.pace])


def events(scenario: Scenario, seed: int, block: Block) -> Events:
    """The quotes of a block; a function of its arguments alone."""
    if not count(block):
        return Events([], [])
    stress = scenario.stress if block.pace is Pace.STORY else CALM
    rnd = Random(f"{seed}:cds:{block.number}").random  # noqa: S311 - a story, no secret
    phases = Random(f"{seed}:cds").random  # noqa: S311
    rows: list[tuple[int, str]] = []
    for number, contract in enumerate(CONTRACTS):
        _quote(rows, number, contract, (tau * phases(), tau * phases()), stress, block, rnd)
    return in_order(rows)


def _quote(
    rows: list[tuple[int, str]],
    number: int,
    contract: _Contract,
    phases: tuple[float, float],
    stress: Stress,
    block: Block,
    rnd: Callable[[], float],
) -> None:
    """Add the quotes of one contract: (arrival, JSON)."""
    every_us = _EVERY_US[block.pace]
    for slot in range(block.slots(every_us)):
        ts_us = happens_us(block.start_us + slot * every_us, every_us, rnd)
        part = 1.0
        for (period, amplitude), phase in zip(_CALM_PART, phases, strict=True):
            part += amplitude * sin(phase + tau * (ts_us - STORY_START_US) / (period * US_PER_MINUTE))
        mid = contract.mid * part * stress.cds_level.at(ts_us)
        half = contract.bid_ask * stress.cds_bid_ask.at(ts_us) * (0.9 + 0.2 * rnd()) / 2
        bid, ask = int((mid - half) * _GRID) / _GRID, int((mid + half) * _GRID + 1) / _GRID
        traded = ""
        if rnd() < _TRADED_SHARE:
            notional = _NOTIONALS_MUSD[int(rnd() * len(_NOTIONALS_MUSD))]
            traded = f',"notional":{notional},"id":"SYN-{block.number}-{number}-{slot}"'
        text = (
            f'{{"ts":{ts_us},"entity":"{contract.entity}","tenor_years":{contract.tenor_years},'
            f'"bid":{bid},"ask":{ask},{contract.fixed}{traded}}}'
        )
        rows.append((arrives_us(ts_us, block.end_us, rnd), text))
