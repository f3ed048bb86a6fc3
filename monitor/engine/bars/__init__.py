"""Bars: what happened in one second to one series, as integers; computed once, when the second is sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.engine.bars.cds import CDS
from monitor.engine.bars.repo import REPO
from monitor.engine.bars.treasury import TREASURY

if TYPE_CHECKING:
    from monitor.engine.bars.kind import BarKind

KINDS: Final[dict[str, BarKind]] = {kind.stream: kind for kind in (TREASURY, REPO, CDS)}
"""By stream: the streams whose events are sealed into bars, and which hold ticks back."""
