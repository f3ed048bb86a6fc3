"""Panels that follow from a signal by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.generate.boards import manner, panels
from monitor.generate.boards.layout import Fold, side_by_side
from monitor.generate.boards.panels import About
from monitor.generate.boards.queries import MOST_LINES, Chosen, Query, either, legend_of, named, said, threshold, worst
from monitor.generate.rules.recording import newest
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.generate.boards.manner import Unit
    from monitor.generate.boards.panels import Placed
    from monitor.generate.facts import Facts
    from monitor.signals.model import Signal
    from monitor.signals.thresholds import ThresholdRow

NO_VALUE = "no value: too little data, off session, or blind"


class Catalogue:
    """The signals by name."""

    def __init__(self, facts: Facts) -> None:
        self._by_name = {signal.name: signal for signal in facts.signals}

    def __getitem__(self, name: str) -> Signal:
        """The signal of that name."""
        return self._by_name[name]

    def of(self, *segments: str) -> tuple[Signal, ...]:
        """Those of segments, in the catalogue's order."""
        return tuple(signal for signal in self._by_name.values() if signal.segment in segments)

    def all(self) -> tuple[Signal, ...]:
        """All of them."""
        return tuple(self._by_name.values())


def values(signal: Signal, chosen: Chosen | None = None, unit: Unit | None = None, most: int = MOST_LINES) -> Query:
    """The worst label sets of a signal, or what says that there is none."""
    selector = (chosen or Chosen()).of(signal)
    low = any(row.low_is_bad for row in signal.thresholds)
    expr = worst(selector, most, low=low) if signal.labels else newest(selector)
    fixed = {label for label, value in (chosen.only if chosen else {}).items() if not value.startswith("~")}
    legend = legend_of(*(label for label in signal.labels if label not in fixed)) or signal.title
    unit = unit or manner.unit_of(signal.unit)
    return said(unit.of(expr), NO_VALUE, legend)


def thresholds(
    signal: Signal, rows: Sequence[str] | None = None, unit: Unit | None = None, *, both_signs: bool = False
) -> list[Query]:
    """The values at which levels are entered today; rows that hold the same value are one line."""
    unit = unit or manner.unit_of(signal.unit)
    drawn: dict[tuple[object, ...], ThresholdRow] = {}
    for row in signal.thresholds:
        if rows is None or row.id in rows:
            drawn.setdefault((row.warning, row.critical, *row.overrides.items()), row)
    suffix = {row.id: f", {row.id.replace('_', ' ')}" if len(drawn) > 1 else "" for row in drawn.values()}
    made = [
        Query(unit.of(threshold(signal.name, each.id)), f"{{{{level}}}}{suffix[each.id]}") for each in drawn.values()
    ]
    if both_signs:
        below = [Query(f"-1 * ({query.expr})", query.legend) for query in made]
        made += below
    return made


def act_on(signal: Signal) -> str:
    """What to do about it."""
    if signal.thresholds:
        return "Past a dashed line open its runbook, in the panel's links; a gap is no data, and no calm."
    return "It raises no alert. Read it beside those that do; a gap is no data, and no calm."


def about(signal: Signal, key: str = "", title: str = "", tells: str = "", act: str = "") -> About:
    """What a panel of one signal says of itself."""
    return About(key or signal.name, title or signal.title, tells or signal.help, act or act_on(signal), (signal,))


def panel(
    signal: Signal,
    width: int,
    chosen: Chosen | None = None,
    *,
    unit: Unit | None = None,
    rows: Sequence[str] | None = None,
    title: str = "",
    tells: str = "",
    prints: bool = False,
    both_signs: bool = False,
    most: int = MOST_LINES,
) -> Placed:
    """Lines of a signal over time, with its thresholds."""
    unit = unit or manner.unit_of(signal.unit)
    drawn = thresholds(signal, rows, unit, both_signs=both_signs)
    queries = [values(signal, chosen, unit, most), *drawn]
    return panels.lines(about(signal, title=title, tells=tells), queries, unit, width, prints=prints)


def ranked(
    signal: Signal,
    of: About,
    width: int,
    *by: str,
    chosen: Chosen | None = None,
    unit: Unit | None = None,
    most: int = MOST_LINES,
    none: str = NO_VALUE,
) -> Placed:
    """Bars of a signal, the greatest first; coloured, and marked, are those whose level the monitor says not calm."""
    unit, labels = unit or manner.unit_of(signal.unit), ", ".join(by)
    top = f"topk({most}, max by ({labels}) ({(chosen or Chosen()).of(signal)}))"
    level = f'max by ({labels}) ({metrics.SIGNAL_LEVEL.scraped}{{signal="{signal.name}"}})'
    marked = [named(f"({top} and {level} == {at:d})", "at", mark) for at, (mark, _) in manner.MARKED.items()]
    bars = either(*marked, f"({top} unless {level} > 0)") if signal.thresholds else top
    legend = ("{{at}}" if signal.thresholds else "") + legend_of(*by)
    placed = panels.ranked(of, [said(f"sort_desc({unit.of(bars)})", none, legend)], unit, width)
    for mark, colour in manner.MARKED.values():
        panels.overridden(placed, f"/^{mark}/", color=manner.fixed(colour))
    return placed


def more(signals: Iterable[Signal], shown: Iterable[Placed], by: Mapping[str, Mapping[str, str]]) -> tuple[Fold, ...]:
    """A fold with a panel for every signal that no other panel of the board shows.

    Args:
        signals: those of the board.
        shown: its other panels.
        by: by segment the variables that choose among its signals, by label.
    """
    known = {signal.name for placed in shown for signal in placed.about.signals}
    rest = [panel(signal, 8, Chosen(by.get(signal.segment, {}))) for signal in signals if signal.name not in known]
    return (Fold("More signals", side_by_side(rest, 7)),) if rest else ()
