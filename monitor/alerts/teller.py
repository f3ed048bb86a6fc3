"""Tells the changes of state, as lines that people and machines read: from, to, since when, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars import col as c

from monitor.alerts.sentence import sentence
from monitor.results import BLIND, Alarm, Contributor, Level, Transition, word
from monitor.signals.thresholds import Notify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.signals.model import Signal

MAX_CONTRIBUTORS: Final = 5


_TOLD_COLUMNS: Final[dict[str, pl.DataType]] = {
    "key": pl.String(),
    "level": pl.Int8(),
    "blind": pl.Boolean(),
    "since": pl.Int64(),
    "row": pl.String(),
    "threshold": pl.Float64(),
    "blind_since": pl.Int64(),
}


@dataclass(slots=True)
class _Told:
    """What was last said of a label set, under which threshold row, and at which threshold its level was entered."""

    level: Level = Level.CALM
    blind: bool = False
    since: int = 0
    row: str | None = None
    threshold: float | None = None
    blind_since: int | None = None

    @property
    def state(self) -> str:
        return BLIND if self.blind else self.level.word


class Teller:
    """Remembers the state of every label set that has thresholds, and tells when it changes.

    A label set to which no threshold row applies any more, as to an issue that rolled off the run, is told calm if it
    was not: nobody would ever hear of its end.
    """

    def __init__(self, signals: Sequence[Signal], labels: Sequence[str]) -> None:
        self._signals = {signal.name: signal for signal in signals}
        self._labels = tuple(labels)
        self._told: dict[str, _Told] = {}
        self._alarms: dict[str, Alarm] = {}

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Every label set that is not calm, or is blind."""
        return tuple(self._alarms.values())

    def state(self) -> pl.DataFrame:
        """What was last said of each label set: a row a key."""
        rows = [
            (key, int(each.level), each.blind, each.since, each.row, each.threshold, each.blind_since)
            for key, each in self._told.items()
        ]
        return pl.DataFrame(rows, schema=_TOLD_COLUMNS, orient="row")

    def restore(self, state: pl.DataFrame, standing: pl.DataFrame) -> None:
        """Go on from what an earlier process had said.

        Args:
            state: what it left.
            standing: the newest row of each label set, which knows its signal and labels.
        """
        missing = {name: pl.lit(None, kind) for name, kind in _TOLD_COLUMNS.items() if name not in state.columns}
        rows = state.with_columns(**missing).select(*_TOLD_COLUMNS).iter_rows()
        self._told = {key: _Told(Level(level), *rest) for key, level, *rest in rows}
        self._alarms = {}
        for row in standing.iter_rows(named=True):
            if row["key"] in self._told:
                self._note_alarm(row, self._told[row["key"]])

    def tell(self, told: pl.DataFrame, quiet: pl.DataFrame, standing: pl.DataFrame) -> Iterator[Transition]:
        """The transitions of these rows.

        Args:
            told: rows of the evaluator in order, the levels of a label set following one another.
            quiet: the rows of label sets to which no threshold ever applied: they may be contributors.
            standing: the newest row of each label set before them.

        A revision of a past value date is told if it is worse than what stood, and then what stands is told
        again; a milder past, or one without a value, is no news.
        """
        histories: dict[str, pl.DataFrame] = {}
        is_ruled = c("row").is_not_null()
        alarmed = [key for key, each in self._told.items() if each.state != Level.CALM.word]
        ruled = told.filter(is_ruled.cum_max().over("key") | c("key").is_in(alarmed))
        moved = pl.any_horizontal(c(name).ne_missing(c(name).shift(1).over("key")) for name in ("level", "blind"))
        for row in ruled.filter(moved | c("key").is_first_distinct() | c("is_retold")).iter_rows(named=True):
            before = self._told.setdefault(row["key"], _Told(since=row["tick"], row=row["row"]))
            if row["row"] is None:
                level, blind = Level.CALM, False
            else:
                level, blind = Level(row["level"]), row["blind"]
            if (level, blind) == (before.level, before.blind):
                continue
            if not row["is_newest"] and (row["value"] is None or level <= before.level):
                continue
            since = before.since if level == before.level else row["tick"]
            after = _Told(
                level,
                blind,
                since,
                row["row"] or before.row,
                *_entered_and_blind_since(row, before, level, blind=blind),
            )
            self._told[row["key"]] = after
            self._note_alarm(row, after)
            if after.state != before.state:
                if row["signal"] not in histories:
                    mine = c("signal") == row["signal"]
                    parts = [told.filter("is_newest", mine), quiet.filter(mine)]
                    newest = pl.concat(parts, how="diagonal").sort("tick", maintain_order=True)
                    histories[row["signal"]] = pl.concat([standing.filter(mine), newest], how="diagonal")
                yield self._transition(row, before, after, histories[row["signal"]])

    def _note_alarm(self, row: dict[str, Any], told: _Told) -> None:
        if told.state == Level.CALM.word:
            self._alarms.pop(row["key"], None)
            return
        self._alarms[row["key"]] = Alarm(
            row["signal"], self._label_set(row), told.level, told.since, told.threshold, told.blind_since
        )

    def _transition(self, row: dict[str, Any], before: _Told, after: _Told, history: pl.DataFrame) -> Transition:
        signal = self._signals[row["signal"]]
        labels = self._label_set(row)
        is_ruled = row["row"] is not None
        threshold = None
        if is_ruled and not before.blind and not after.blind:
            threshold = _threshold(row, before.level, after.level)
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
            contributors=self._contributors(row, history),
            runbook=signal.runbook,
            notify=str(next((r.notify for r in signal.thresholds if r.id == after.row), Notify.ON_CALL)),
            sentence=sentence(
                signal, labels, after.state, since, row["value"], threshold, row["value_date"], is_ruled=is_ruled
            ),
        )

    def _contributors(self, row: dict[str, Any], history: pl.DataFrame) -> tuple[Contributor, ...]:
        """The signal's label sets with their values at the row's tick, worst first.

        Args:
            row: the row itself stands for its label set, also if it is of a past value date.
            history: the newest rows of the signal's label sets, in the order of ticks.
        """
        others = history.filter(c("tick") <= row["tick"], c("key") != row["key"]).unique("key", keep="last")
        shown = ["key", *self._labels, "level", "value", "sign"]
        itself = pl.DataFrame([{name: row[name] for name in shown}], schema={n: history.schema[n] for n in shown})
        now = pl.concat([others.select(shown), itself]).filter(c("value").is_not_null())
        worst = now.sort(
            c("level").fill_null(-1), c("value") * c("sign").fill_null(1), "key", descending=[True, True, False]
        )
        return tuple(
            Contributor(self._label_set(each), each["value"])
            for each in worst.head(MAX_CONTRIBUTORS).iter_rows(named=True)
        )

    def _label_set(self, row: dict[str, Any]) -> dict[str, str]:
        return {name: row[name] for name in self._labels if row[name] is not None}


def _entered_and_blind_since(
    row: dict[str, Any], before: _Told, level: Level, *, blind: bool
) -> tuple[float | None, int | None]:
    """The threshold at which a level was entered, and since when its label set is blind."""
    blind_since = (row["tick"] if before.blind_since is None else before.blind_since) if blind else None
    if level == before.level:
        return before.threshold, blind_since
    edge = None if level is Level.CALM else row[f"{level.word}_enter"]
    return (None if edge is None else float(edge * row["sign"])), blind_since


def _threshold(row: dict[str, Any], before: Level, after: Level) -> float | None:
    """The edge that was crossed: on the way up the new level's enter, on the way down the exit that ended the old."""
    if after > before:
        edge = row["critical_enter" if after is Level.CRITICAL else "warning_enter"]
    elif after is Level.WARNING or row["warning_exit"] is None:
        edge = row["critical_exit"]
    else:
        edge = row["warning_exit"]
    return None if edge is None else float(edge * row["sign"])
