"""The CDS contracts of the scenarios, eight borrowers that do not exist and an index, and how they move in calm."""

from __future__ import annotations

from math import sin, tau
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.sources.scenario.story import US_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

INDEX_SERIES: Final = 45


class Contract(NamedTuple):
    """What is quoted: its calm mid and bid-ask in bp, and the part of the object that never changes."""

    entity: str
    tenor_years: int
    mid: float
    bid_ask: float
    fixed: str
    is_index: bool = False


def _name(entity: str, tenor_years: int, mid: float, theme: str) -> Contract:
    return Contract(entity, tenor_years, mid, 0.05 * mid, f'"themes":["{theme}"]')


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
    Contract("SYN-CDX-IG", 5, 54.0, 0.75, f'"index":true,"index_series":{INDEX_SERIES}', is_index=True),
)
INDEX_NUMBER: Final = len(CONTRACTS) - 1

_CALM_PART: Final = ((20_160.0, 0.008), (420.0, 0.002))
"""Periods in minutes, amplitudes as parts of the mid: within 3 bp of the median in calm."""

Phases = tuple[float, float]


def phases_of(seed: int) -> list[Phases]:
    """Where the slow and the quick wave of each contract begin."""
    rnd = Random(f"{seed}:cds").random  # noqa: S311 - a story, no secret
    return [(tau * rnd(), tau * rnd()) for _ in CONTRACTS]


def calm_part(phases: Sequence[float], since_us: int) -> float:
    """A contract's mid at a time since the story's start, as a part of its calm mid."""
    part = 1.0
    for (period, amplitude), phase in zip(_CALM_PART, phases, strict=True):
        part += amplitude * sin(phase + tau * since_us / (period * US_PER_MINUTE))
    return part
