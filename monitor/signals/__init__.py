"""The catalogue: every signal, in the order of segments. Metrics, alerts, boards and docs are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from monitor.signals import cds, repo, treasury
from monitor.signals.repo import RepoParameters
from monitor.signals.treasury.parameters import TreasuryParameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.signals.model import Signal
    from monitor.signals.thresholds import ThresholdRow


@dataclass(frozen=True)
class Parameters:
    """What a user may set of the signals, a field a segment."""

    treasury: TreasuryParameters = field(default_factory=TreasuryParameters)
    repo: RepoParameters = field(default_factory=RepoParameters)


def catalogue(
    parameters: Parameters | None = None,
    thresholds: Mapping[tuple[str, str], ThresholdRow] | None = None,
) -> tuple[Signal, ...]:
    """Every signal, with its thresholds in force.

    Args:
        parameters: a user's; None: the defaults.
        thresholds: by (signal, row id): rows that replace the defaults.
    """
    own, given = thresholds or {}, parameters or Parameters()
    every = (*treasury.signals(given.treasury), *repo.signals(given.repo), *cds.signals())
    return tuple(
        replace(signal, thresholds=tuple(own.get((signal.name, row.id), row) for row in signal.thresholds))
        for signal in every
    )


def label_names(signals: Iterable[Signal]) -> tuple[str, ...]:
    """Every label of these signals, once, in the order in which they come."""
    return tuple(dict.fromkeys(label for signal in signals for label in signal.labels))


CATALOGUE: Final = catalogue()
"""Every signal with the default parameters and thresholds."""
