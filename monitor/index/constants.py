"""The numbers of the stress index, each once and with its reason."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Final, NamedTuple

from monitor.results import SEGMENTS

WEIGHTS: Final[dict[str, int]] = {"treasury": 30, "repo": 25, "newissue": 15, "cds": 15, "credit": 15}
"""Percent, whole numbers so that coverage is exact. Treasuries and repo are what every other market is priced and
funded with: together they weigh more than half, and none of the others is more than a sixth."""
WHOLE: Final = sum(WEIGHTS.values())

DECAY: Final[float] = 0.93 ** (1 / 5)
"""What of the joint stress so far is left after a business day: 0.93 is CISS' decay a week, of five days. Half of it
is gone after ten weeks."""
TOGETHER: Final = 0.005
ALONE: Final = 0.01
"""Added to the products of two segments, and to the squares of one: where there was no stress so far two segments count
as half correlated, and a correlation is never divided by nothing. Small against the square of a warning, 0.25."""

PAIRS: Final = tuple(combinations_with_replacement(SEGMENTS, 2))
"""Each segment with itself and with those after it."""

HEADLINE_SHARE: Final = 4
"""A headline is the mean of the worst fourth of its label sets: one that is off is noise, a fourth of them is a market.
Of a mean over all, two broken issues among forty would be invisible."""
LOST_AFTER_SECONDS: Final = 36_000
"""The length of a session. What has been blind for longer may have changed altogether: it counts no more."""


class Band(NamedTuple):
    """Entered at or past one value, left strictly below the other."""

    enter: float
    exit: float


ELEVATED: Final = Band(0.10, 0.07)
"""More than any one segment can do alone (0.09): some stress is in at least two."""
STRESSED: Final = Band(0.25, 0.18)
"""Half of the worst everywhere at once, or two of the great segments near their worst together (0.30)."""
CRISIS: Final = Band(0.45, 0.35)
"""Two thirds of the worst everywhere at once, and stressed together for longer than a day."""
BANDS: Final = {"elevated": ELEVATED, "stressed": STRESSED, "crisis": CRISIS}
CRISIS_COVERAGE: Final = 60
"""Percent of the weights: of Treasury and repo alone (55) nobody can say that it is everywhere."""
CRISIS_SEGMENTS: Final = 3
CRISIS_SCORE: Final = 0.5
"""So many segments at a warning: a crisis of one or two markets is a stress of those."""
