"""What a user may set of the new-issue signals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MOST_NAMES: Final = 12
MOST_ISSUERS: Final = 20

RECORD_CURVE: Final = ((0.0, 0.0), (0.5, 1_214.0), (1.0, 1_800.0))
"""Share of a year's business days that have gone, and what had been priced by then in 2020, USD billions."""


@dataclass(frozen=True)
class NewIssueParameters:
    """The settings under `[newissue]`.

    Attributes:
        themes: those that are shown by name, beside `ai`; none: the largest by the supply of the last 12 months.
        sectors: the same of sectors.
        most_names: how many of the largest themes, and how many of the largest sectors; what is left is `other`.
        most_issuers: how many of the largest issuers have a share of their own.
        record_curve: what this year's supply is compared with: the share of a year's business days that have gone, 0
            to 1, and USD billions priced by then; straight lines in between.
        default_yield_percent: at what yield a deal is valued that has not said any.
    """

    themes: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    most_names: int = MOST_NAMES
    most_issuers: int = MOST_ISSUERS
    record_curve: tuple[tuple[float, float], ...] = RECORD_CURVE
    default_yield_percent: float = 5.0

    def __post_init__(self) -> None:
        if self.most_names < 1 or self.most_issuers < 1:
            raise ValueError("at least one theme, sector and issuer is shown by name")
        gone = [share for share, _ in self.record_curve]
        if gone[:1] != [0.0] or gone[-1] != 1.0 or any(not a < b for a, b in pairwise(gone)):
            raise ValueError(f"the record year's curve must go from 0 to 1 of the year, not over {gone}")
        placed = [busd for _, busd in self.record_curve]
        if any(a > b for a, b in pairwise(placed)) or placed[0] < 0 or placed[-1] <= 0:
            raise ValueError(f"the record year's supply must grow to more than nothing, not go over {placed} busd")
        if not self.default_yield_percent > 0:
            raise ValueError(f"a yield of {self.default_yield_percent:g} percent is none to value a new deal at")
