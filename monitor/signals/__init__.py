"""The catalogue: every signal, in the order of segments. Metrics, alerts, boards and docs are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from monitor.signals import cds, credit, newissue, repo, treasury
from monitor.signals.cds.parameters import CdsParameters
from monitor.signals.credit.parameters import CreditParameters
from monitor.signals.found import signals_of
from monitor.signals.newissue.parameters import NewIssueParameters
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
    newissue: NewIssueParameters = field(default_factory=NewIssueParameters)
    cds: CdsParameters = field(default_factory=CdsParameters)
    credit: CreditParameters = field(default_factory=CreditParameters)


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
    every = (
        *signals_of(treasury, given.treasury),
        *repo.signals(given.repo),
        *signals_of(newissue, given.newissue),
        *signals_of(cds, given.cds),
        *signals_of(credit, given.credit),
    )
    return tuple(
        replace(signal, thresholds=tuple(own.get((signal.name, row.id), row) for row in signal.thresholds))
        for signal in every
    )


def label_names(signals: Iterable[Signal]) -> tuple[str, ...]:
    """Every label of these signals, once, in the order in which they come."""
    return tuple(dict.fromkeys(label for signal in signals for label in signal.labels))


CATALOGUE: Final = catalogue()
"""Every signal with the default parameters and thresholds."""
