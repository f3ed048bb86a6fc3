"""Tells the changes of state, as lines that people and machines read: from, to, since when, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars import col as c

from monitor.alerts.sentence import sentence
from monitor.results import BLIND, Contributor, Level, Transition, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.signals.model import Signal

MAX_CONTRIBUTORS: Final = 5


_TOLD_COLUMNS: Final[dict[str, pl.DataType]] = {
    "key": pl.String(),
    "level": pl.Int8(),
    "blind": pl.Boolean(),
    "since": pl.Int64(),
}


@dataclass(slots=True)
class _Told:
    """What was last said of a label set."""

    level: Level = Level.CALM
    blind: bool = False
    since: int = 0

    @property
    def state(self) -> str:
        return BLIND if self.blind else self.level.word


class Teller:
    """Remembers the state of every label set that has thresholds, and tells when it changes."""

    def __init__(self, signals: Sequence[Signal], labels: Sequence[str]) -> None:
        self._signals = {signal.name: signal for signal in signals}
        self._labels = tuple(labels)
        self._told: dict[str, _Told] = {}

    def state(self) -> pl.DataFrame:
        """What was last said of each label set: a row a key."""
        rows = [(key, int(each.level), each.blind, each.since) for key, each in self._told.items()]
        return pl.DataFrame(rows, schema=_TOLD_COLUMNS, orient="row")

    def restore(self, state: pl.DataFrame) -> None:
        """Go on from what an earlier process had said."""
        self._told = {key: _Told(Level(level), blind, since) for key, level, blind, since in state.iter_rows()}

    def tell(self, told: pl.DataFrame, standing: pl.DataFrame) -> Iterator[Transition]:
        """The transitions of these rows.

        Args:
            told: rows of the evaluator in order, the levels of a label set following one another.
            standing: the newest row of each label set before them.

        A revision of a past value date is told if it is worse than what stood, and then what stands is told
        again; a milder past, or one without a value, is no news.
        """
        ruled = told.filter(c("row").is_not_null())
        state = pl.struct("level", "blind")
        moved = (state != state.shift(1).over("key")) | (c("key").is_first_distinct())
        for row in ruled.filter(moved.fill_null(value=True) | c("is_retold")).iter_rows(named=True):
            before = self._told.setdefault(row["key"], _Told(since=row["tick"]))
            level, blind = Level(row["level"]), row["blind"]
            if (level, blind) == (before.level, before.blind):
                continue
            if not row["is_newest"] and (row["value"] is None or level <= before.level):
                continue
            after = _Told(level, blind, before.since if level == before.level else row["tick"])
            self._told[row["key"]] = after
            if after.state != before.state:
                yield self._transition(row, before, after, told, standing)

    def _transition(
        self, row: dict[str, Any], before: _Told, after: _Told, told: pl.DataFrame, standing: pl.DataFrame
    ) -> Transition:
        signal = self._signals[row["signal"]]
        labels = self._label_set(row)
        threshold = None if before.blind or after.blind else _threshold(row, before.level, after.level)
        since = row["tick"] if after.blind else after.since
        return Transition(
            tick=row["tick"],
            value_date=row["value_date"],
            alert=signal.alert,
            signal=signal.name,
            segment=signal.segment,
            labels=labels,
            before=before.state,
            after=word(after.level, blind=after.blind) or "",
            since=since,
            value=row["value"],
            threshold=threshold,
            contributors=self._contributors(row, told, standing),
            runbook=signal.runbook,
            notify=next(str(r.notify) for r in signal.thresholds if r.id == row["row"]),
            sentence=sentence(signal, labels, after.state, since, row["value"], threshold, row["value_date"]),
        )

    def _contributors(self, row: dict[str, Any], told: pl.DataFrame, standing: pl.DataFrame) -> tuple[Contributor, ...]:
        """The signal's label sets with their values at the row's tick, worst first."""
        newest = pl.concat([standing, told.filter(c("tick") <= row["tick"], "is_newest")])
        others = newest.filter(c("signal") == row["signal"], c("key") != row["key"])
        itself = told.filter(
            c("key") == row["key"], c("tick") == row["tick"], c("value_date") == row["value_date"]
        )  # fmt: skip
        now = pl.concat([others, itself]).unique("key", keep="last").filter(c("value").is_not_null())
        worst = now.sort(
            c("level").fill_null(-1), c("value") * c("sign").fill_null(1), "key", descending=[True, True, False]
        )
        return tuple(
            Contributor(self._label_set(each), each["value"])
            for each in worst.head(MAX_CONTRIBUTORS).iter_rows(named=True)
        )

    def _label_set(self, row: dict[str, Any]) -> dict[str, str]:
        return {name: row[name] for name in self._labels if row[name] is not None}


def _threshold(row: dict[str, Any], before: Level, after: Level) -> float | None:
    """The edge that was crossed: on the way up the new level's enter, on the way down the exit that ended the old."""
    if after > before:
        edge = row["critical_enter" if after is Level.CRITICAL else "warning_enter"]
    elif after is Level.WARNING or row["warning_exit"] is None:
        edge = row["critical_exit"]
    else:
        edge = row["warning_exit"]
    return None if edge is None else float(edge * row["sign"])
