"""What the generated files are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.links import MONITOR, Links
from monitor.signals import CATALOGUE

if TYPE_CHECKING:
    from monitor.signals.model import Signal


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a generated file may be made of.

    Attributes:
        signals: of the catalogue, with the thresholds of the settings.
        links: where people find the pages and boards.
        monitor: HOST:PORT at which a Prometheus on the same host scrapes it.
    """

    signals: tuple[Signal, ...] = field(default=CATALOGUE)
    links: Links = field(default=Links())
    monitor: str = MONITOR
