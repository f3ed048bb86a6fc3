"""A signal is a Polars expression over windows, written once; `evaluate` is the only way to run it.

Live, catch-up and replay call `evaluate(signal, tiers, ticks)` with one tick, a few or all. A row of its result
is a change point: at that tick an input of that label set changed, and the value stands until its next row. The
contract suite cuts the ticks of every signal in the catalogue into pieces of any size and demands the same bits.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl
from polars import col as c

from monitor.signals.thresholds import Notify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitor.engine.tiers import Tiers
    from monitor.signals.thresholds import ThresholdRow

ROW_COLUMNS: Final[dict[str, pl.DataType]] = {
    "tick": pl.Int64(),
    "value_date": pl.Date(),
    "blind": pl.Boolean(),
}
"""What every window's rows begin with; the window's own columns follow."""

UNITS: Final = frozenset({"bp", "32nds", "zscore", "musd", "busd", "ratio", "count", "days"})
"""One of them stands in the name of each signal."""

IS_PARTIAL, IS_OVER = "is_partial", "is_over"
"""Boolean columns that a window's rows may have besides.

`is_partial`: something that belongs to the value is missing; it may raise a level, and lowers none. `is_over`: the
label set is at its end (an issue retired); no thresholds apply to it any more, and its level is told calm.
"""

VALUE_COLUMNS: Final[dict[str, pl.DataType]] = ROW_COLUMNS | {
    "by_print": pl.Boolean(),
    "is_partial": pl.Boolean(),  # the value may raise a level, and lowers none
    "is_over": pl.Boolean(),  # the label set is at its end
    "value": pl.Float64(),
    "row": pl.String(),  # the id of the threshold row that applies; null: no thresholds
    "graded": pl.Float64(),  # what thresholds are compared with, where that is not the value itself; else null
}
"""What `evaluate` gives, after the label columns."""


class Window(ABC):
    """Which rows of the tiers a signal looks at, at a tick.

    A window is a pure function of the tiers: `rows` for a tick depends on nothing that becomes known later.

    Attributes:
        by_print: its rows are published values, one a value date, and a later row of the same value date is a
            revision, and it has rows at its own ticks only; otherwise a row stands from its tick to the next.
        is_momentary: its values are of the moment: while there is input new ones come within seconds or minutes. Those
            of other windows stand for hours or weeks, so those that stand are told when a run begins in the middle.
        is_dense: it has a row for every issue at every tick, whosever tick it is; those at other ticks than its own, at
            which nothing was quoted, are not worth being told.
        stands_seconds: what came up in so long a time before a run begins, and stands, is told then.
    """

    by_print: ClassVar[bool] = False
    is_momentary: ClassVar[bool] = False
    is_dense: ClassVar[bool] = False
    stands_seconds: ClassVar[int] = 45 * 86_400  # some of it is published once a month

    @abstractmethod
    def ticks(self, tiers: Tiers, after: int, upto: int) -> pl.Series:
        """The ticks in (after, upto] at which a row changes: Int64, sorted, distinct."""

    @abstractmethod
    def rows(self, at: Evaluation) -> pl.DataFrame:
        """The rows that change at the ticks of `at`: `ROW_COLUMNS` and the window's own.

        What became known after a tick must not show in its rows. Ticks at which nothing changes give no row.
        """


@dataclass(frozen=True)
class View:
    """One of the windows of a signal, and how its rows become label sets.

    Attributes:
        window: where the rows come from.
        labels: label to String expression over the window's columns; null: the label set has no such label.
        where: which of the window's rows the signal is for.
        attributes: columns of the window that thresholds go by besides the labels, and their types.
    """

    window: Window
    labels: Mapping[str, pl.Expr]
    where: pl.Expr = field(default_factory=lambda: pl.lit(value=True))
    attributes: Mapping[str, pl.DataType] = field(default_factory=dict)


@dataclass(frozen=True)
class Signal:
    """A number in market units, defined once, exported, scored and alerted on.

    Attributes:
        name: ends in its unit.
        segment: `treasury`, `repo`, `newissue`, `cds` or `credit`.
        title: a few words for people.
        help: one sentence: what it tells.
        formula: the definition, for people.
        source: where the definition, or the evidence that it matters, is published.
        labels: names of the labels, in order.
        over: the windows.
        value: Float64 expression over a window's columns: integers until the last division; null: absent.
        thresholds: rows in order; the first whose `applies` is true is a label set's.
        window_help: the windows, for people.
        freezes: Boolean expression over `value` and `level` (0 calm, 1 warning, 2 critical): while it is true, the
            session of the label set is not admitted to the baselines; None: the signal has no say in it.
        graded: Float64 expression over a window's columns, in the signal's unit: what its thresholds and scores go by
            where that is not the value, as when both signs are bad or two conditions must be met; None: the value.
    """

    name: str
    segment: str
    title: str
    help: str
    formula: str
    source: str
    labels: tuple[str, ...]
    over: tuple[View, ...]
    value: pl.Expr
    window_help: str
    thresholds: tuple[ThresholdRow, ...] = ()
    freezes: pl.Expr | None = None
    graded: pl.Expr | None = None

    @property
    def headline(self) -> bool:
        """Whether its segment's score is made of it, and its segment is blind when it is."""
        return any(row.headline for row in self.thresholds)

    @property
    def alert(self) -> str:
        """The alert's id: the name in CamelCase.

        >>> camel_case("repo_tail_bp")
        'RepoTailBp'
        """
        return camel_case(self.name)

    @property
    def attributes(self) -> dict[str, pl.DataType]:
        """The columns that thresholds go by besides the labels, and their types."""
        return {name: kind for view in self.over for name, kind in view.attributes.items()}

    @property
    def row(self) -> pl.Expr:
        """The id of the threshold row that applies to a label set with these attributes; null if none does."""
        applies = [pl.when(row.applies).then(pl.lit(row.id)) for row in self.thresholds]
        return pl.coalesce(*applies, pl.lit(None, pl.String))

    @property
    def runbook(self) -> str:
        """The path of the alert's runbook."""
        return f"/runbooks/{self.alert}"

    @property
    def notify(self) -> Notify | None:
        """Who is told of its alert, at most: the loudest of its threshold rows; None without thresholds."""
        return max((row.notify for row in self.thresholds), key=list(Notify).index, default=None)

    @property
    def unit(self) -> str:
        """The unit, as the name says it: its last word that is one; none if no word is."""
        return next((word for word in reversed(self.name.split("_")) if word in UNITS), "")

    @property
    def metric(self) -> str:
        """The Prometheus metric's name."""
        return f"market_{self.name}"


def divided(number: pl.Expr, by: int) -> pl.Expr:
    """A number divided by a constant, rounded once.

    Polars multiplies by the reciprocal where it divides many rows by one constant, which may be a bit off, and
    divides where there is one row: a live tick and its replay would differ. A column is always divided by.

    >>> pl.DataFrame({"kusd": [5_400_000, 400_000]}).select(divided(c("kusd"), 1_000_000))["kusd"].to_list()
    [5.4, 0.4]
    """
    return number / (number * 0 + by)


def quotient(number: pl.Expr, by: pl.Expr) -> pl.Expr:
    """A number divided by another, rounded once, whatever the number of rows.

    Polars keeps a column of which all rows are equal as one value, and multiplies by its reciprocal; one row more that
    is different, and it divides. So what is divided by is made a column of the number's own kind.
    """
    return number / (number * 0 + by)


def camel_case(name: str) -> str:
    """The name of a signal as the id of its alert."""
    return re.sub(r"(?:^|_)([a-z0-9])", lambda m: m[1].upper(), name)


class Evaluation:
    """What is known, the ticks to look at, and each window's rows there, computed once for all who ask.

    Attributes:
        tiers: what is known.
        ticks: Int64 epoch seconds, sorted and distinct.
        is_told: whether the values are to be told: those of dense windows then come at the windows' own ticks only.
    """

    def __init__(self, tiers: Tiers, ticks: pl.Series, *, is_told: bool = False) -> None:
        self.tiers, self.ticks, self.is_told = tiers, ticks, is_told
        self._rows: dict[Window, pl.DataFrame] = {}
        self._own: dict[Window, pl.Series] = {}

    def rows(self, window: Window) -> pl.DataFrame:
        """The window's rows at these ticks."""
        if window not in self._rows:
            self._rows[window] = window.rows(self)
        return self._rows[window]

    def _own_ticks(self, window: Window) -> pl.Series:
        """The window's own ticks, from the first to the last of these."""
        if window not in self._own:
            after, upto = (self.ticks[0] - 1, self.ticks[-1]) if self.ticks.len() else (0, 0)
            self._own[window] = window.ticks(self.tiers, after, upto)
        return self._own[window]

    def values(self, signal: Signal) -> pl.DataFrame:
        """The signal's change points, as `evaluate` describes them."""
        # At a live tick most windows have no row: each pass that is left out counts there.
        parts = [part for view in signal.over if (part := self._view(signal, view)) is not None]
        if not parts:
            labels: dict[str, pl.DataType] = dict.fromkeys(signal.labels, pl.String())
            return pl.DataFrame(schema=labels | VALUE_COLUMNS)
        return pl.concat(parts).sort("tick", "value_date", *signal.labels)

    def _view(self, signal: Signal, view: View) -> pl.DataFrame | None:
        """The values of one of a signal's windows; None where it has no row."""
        if view.window.by_print and self._own_ticks(view.window).is_empty():
            return None
        rows = self.rows(view.window)
        if view.window.is_dense and self.is_told:
            rows = rows.filter(c("tick").is_in(self._own_ticks(view.window).implode()))
        if rows.is_empty():
            return None
        labels = {name: view.labels.get(name, pl.lit(None)).cast(pl.String) for name in signal.labels}
        value = pl.when(~c("blind")).then(signal.value.cast(pl.Float64))
        graded = pl.lit(None, pl.Float64)
        if signal.graded is not None:
            graded = pl.when(~c("blind") & signal.value.is_not_null()).then(signal.graded.cast(pl.Float64))
        attributes = {
            name: c(name) if name in view.attributes else pl.lit(None, kind) for name, kind in signal.attributes.items()
        }
        seen = rows.filter(view.where)
        said = {name: c(name) if name in seen.columns else pl.lit(value=False) for name in (IS_PARTIAL, IS_OVER)}
        values = seen.select(
            **labels,
            **{name: c(name) for name in ROW_COLUMNS},
            **attributes,
            **said,
            by_print=pl.lit(value=view.window.by_print),
            value=value,
            graded=graded,
        )
        row = pl.when(~c(IS_OVER)).then(signal.row)
        return values.with_columns(row=row).select(*signal.labels, *VALUE_COLUMNS)


def evaluate(signal: Signal, tiers: Tiers, ticks: pl.Series) -> pl.DataFrame:
    """The signal's change points at these ticks.

    Args:
        signal: out of the catalogue.
        tiers: what is known.
        ticks: Int64 epoch seconds, sorted and distinct: one, a few or all.

    Returns:
        The label columns (String) and `VALUE_COLUMNS`, by tick, value date and labels. A null value is absent
        (too little data, a blank field, off session), or blind where `blind` says so.
    """
    return Evaluation(tiers, ticks).values(signal)


def change_ticks(signals: Iterable[Signal], tiers: Tiers, after: int, upto: int) -> pl.Series:
    """The ticks in (after, upto] at which any of the signals may change: Int64, sorted, distinct."""
    windows = dict.fromkeys(view.window for signal in signals for view in signal.over)
    ticks = pl.Series("tick", dtype=pl.Int64)
    for window in windows:
        ticks = pl.concat([ticks, window.ticks(tiers, after, upto)]).unique()
        if ticks.len() == upto - after:
            break  # every tick is one, as at nearly every second of a live run: no other window can add any
    return ticks.sort()
