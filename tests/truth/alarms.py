"""How often each alert was raised on the carried history, and how often it was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.results import Level
from monitor.signals import CATALOGUE
from tests.truth.carried import is_stress, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.signals.model import Signal
    from monitor.signals.thresholds import ThresholdRow

DAYS_A_YEAR: Final = 250
"""Value dates."""
LEVELS: Final = (Level.WARNING, Level.CRITICAL)


@dataclass(frozen=True)
class Record:
    """One level of one threshold row.

    Attributes:
        signal: the signal's name.
        row: the threshold row's id.
        level: the level.
        judged: value dates with a sound value.
        calm: those of them outside the stress windows.
        days: judged value dates at the level or above.
        true_days: those of them in the stress windows.
        alarms: unbroken runs of such days.
        false_alarms: those of them that have no day in the stress windows.
    """

    signal: str
    row: str
    level: Level
    judged: int
    calm: int
    days: int
    true_days: int
    alarms: int
    false_alarms: int

    @property
    def false_a_year(self) -> float:
        """False alarms by years outside the stress windows."""
        return self.false_alarms * DAYS_A_YEAR / self.calm


def records() -> list[Record]:
    """Every level of every threshold row for which a value is carried."""
    return [record for signal in CATALOGUE for row in signal.thresholds for record in _records(signal, row)]


def unjudged() -> list[tuple[Signal, ThresholdRow]]:
    """Every threshold row with levels for which none is."""
    judged = {(record.signal, record.row) for record in records()}
    return [
        (signal, row)
        for signal in CATALOGUE
        for row in signal.thresholds
        if (row.warning or row.critical) and (signal.name, row.id) not in judged
    ]


def _records(signal: Signal, row: ThresholdRow) -> Iterator[Record]:
    mine = steps().filter(c("signal") == signal.name, c("row") == row.id, ~c("blind"))
    if mine["value"].drop_nulls().is_empty():
        return
    days = mine.group_by("value_date").agg(c("level").max()).sort("value_date")
    days = days.with_columns(stress=is_stress(c("value_date")))
    for level, edge in zip(LEVELS, (row.warning, row.critical), strict=True):
        if edge is None:
            continue
        raised = days.with_columns(on=(c("level") >= int(level)).fill_null(value=False))
        runs = raised.with_columns(run=c("on").rle_id()).filter("on").group_by("run").agg(c("stress").any())
        yield Record(
            signal.name, row.id, level,
            judged=days.height,
            calm=days.filter(~c("stress")).height,
            days=raised.filter("on").height,
            true_days=raised.filter("on", "stress").height,
            alarms=runs.height,
            false_alarms=runs.filter(~c("stress")).height,
        )  # fmt: skip


def regimes(index: pl.DataFrame) -> list[tuple[str, str, int, int]]:
    """Coverage in percent, regime, days, and how many of these are in the stress windows."""
    found = (
        index.group_by(coverage=(c("coverage") * 100).round().cast(pl.Int64), regime="regime")
        .agg(days=pl.len(), true_days=is_stress(c("day")).sum())
        .sort("coverage", "regime")
    )
    return [(f"{coverage} %", regime, days, true) for coverage, regime, days, true in found.iter_rows()]
