"""Published series of one block: the central bank's rates, and what a credit story has besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.sources.scenario import policy, series
from monitor.sources.scenario.timeline import Events, in_order

if TYPE_CHECKING:
    from monitor.sources.scenario.story import Scenario
    from monitor.sources.scenario.timeline import Block


def count(scenario: Scenario, seed: int, block: Block) -> int:
    """How many values the block has."""
    return policy.count(block) + series.count(scenario, seed, block)


def events(scenario: Scenario, seed: int, block: Block) -> Events:
    """The values published in a block; a function of its arguments alone."""
    return in_order([*policy.rows(scenario, block), *series.rows(scenario, seed, block)])
