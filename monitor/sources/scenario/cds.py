"""CDS quotes of one block, and the end-of-day marks that came since the block before."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from monitor.sources.scenario import marks
from monitor.sources.scenario.contracts import CONTRACTS, Contract, Phases, calm_part, phases_of
from monitor.sources.scenario.story import CALM, US_PER_MINUTE
from monitor.sources.scenario.timeline import Events, Pace, arrives_us, happens_us, in_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.sources.scenario.story import Scenario, Stress
    from monitor.sources.scenario.timeline import Block

_EVERY_US: Final = {
    Pace.SESSION: 20 * US_PER_MINUTE, Pace.MORNING: 20 * US_PER_MINUTE, Pace.STORY: US_PER_MINUTE,
}  # fmt: skip
_GRID: Final = 8
"""Quotes are in eighths of a bp."""
_TRADED_SHARE: Final = 0.05
_NOTIONALS_MUSD: Final = (5, 10, 10, 25)


def count(scenario: Scenario, seed: int, block: Block) -> int:
    """How many quotes and marks the block has."""
    quotes = 0 if block.pace is Pace.PUBLISHED else len(CONTRACTS) * block.slots(_EVERY_US[block.pace])
    return marks.count(scenario, seed, block) + quotes


def events(scenario: Scenario, seed: int, block: Block) -> Events:
    """The quotes and marks of a block; a function of its arguments alone."""
    rows = marks.rows(scenario, seed, block)
    if block.pace is not Pace.PUBLISHED:
        stress = scenario.stress if block.pace is Pace.STORY else CALM
        rnd = Random(f"{seed}:cds:{block.number}").random  # noqa: S311 - a story, no secret
        for number, (contract, phases) in enumerate(zip(CONTRACTS, phases_of(seed), strict=True)):
            _quote(rows, number, contract, phases, stress, scenario.story_start_us, block, rnd)
    return in_order(rows)


def _quote(
    rows: list[tuple[int, str]],
    number: int,
    contract: Contract,
    phases: Phases,
    stress: Stress,
    story_start_us: int,
    block: Block,
    rnd: Callable[[], float],
) -> None:
    """Add the quotes of one contract: (arrival, JSON)."""
    every_us = _EVERY_US[block.pace]
    level = stress.cds_levels.get(contract.entity, stress.cds_level)
    for slot in range(block.slots(every_us)):
        ts_us = happens_us(block.start_us + slot * every_us, every_us, rnd)
        mid = contract.mid * calm_part(phases, ts_us - story_start_us) * level.at(ts_us)
        half = contract.bid_ask * stress.cds_bid_ask.at(ts_us) * (0.9 + 0.2 * rnd()) / 2
        bid, ask = int((mid - half) * _GRID) / _GRID, int((mid + half) * _GRID + 1) / _GRID
        traded = ""
        if rnd() < _TRADED_SHARE * stress.cds_traded.at(ts_us):
            notional = _NOTIONALS_MUSD[int(rnd() * len(_NOTIONALS_MUSD))]
            traded = f',"notional":{notional},"id":"SYN-{block.number}-{number}-{slot}"'
        text = (
            f'{{"ts":{ts_us},"entity":"{contract.entity}","tenor_years":{contract.tenor_years},'
            f'"bid":{bid},"ask":{ask},{contract.fixed}{traded}}}'
        )
        rows.append((arrives_us(ts_us, block.end_us, rnd), text))
