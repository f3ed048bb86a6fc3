"""Tables of signals: what, where, how bad, since when, and the ways to the board and to the runbook."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from monitor.generate.boards import manner
from monitor.generate.boards.panels import Column
from monitor.generate.boards.queries import (
    MOST_ROWS,
    OTHER_ALERTS,
    Query,
    board_of,
    either,
    known_row,
    no_row,
    rows,
    values_of,
    where,
)
from monitor.generate.rules.market import MARKET
from monitor.generate.rules.own import MONITOR
from monitor.generate.rules.recording import CROSSED, LEVEL, SINCE, newest
from monitor.links import OVERVIEW, PIPELINE
from monitor.results import Level
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitor.generate.facts import Facts
    from monitor.signals.model import Signal

TO_BOARD: Final = ("Open the board", "/d/${__data.fields.board}?${__url_time_range}&${datasource:queryparam}")
NEVER: Final = manner.words({0: ("calm", manner.TEXT)})
NO_NUMBER: Final = manner.unknown("-")


def own_labels(signals: Iterable[Signal]) -> list[str]:
    """The labels of signals, each once."""
    return list(dict.fromkeys(label for signal in signals for label in signal.labels))


def as_rows(*exprs: str) -> list[Query]:
    """Queries of one table."""
    return [Query(expr, instant=True, table=True) for expr in exprs]


def runbook(facts: Facts) -> tuple[str, str]:
    """The way to an alert's runbook."""
    return "Open the runbook", facts.links.runbook("${__data.fields.alert}")


def titles() -> tuple[Column, Column]:
    """What, and where: each opens the segment's board."""
    return Column("What", "title", link=TO_BOARD, width=230), Column("Where", "where", link=TO_BOARD, width=170)


def runbook_column(facts: Facts) -> Column:
    """The name of the alert, which opens its runbook."""
    return Column("Runbook", "alert", link=runbook(facts))


BOARD: Final = Column("Board", "board", hidden=True)
"""Has to be among the columns, for links are made of it."""


def scored(signals: Iterable[Signal]) -> list[Signal]:
    """Those that have a score."""
    return [s for s in signals if any(row.calm is not None and row.critical is not None for row in s.thresholds)]


def worst_signals(signals: Sequence[Signal]) -> list[Query]:
    """Score, value, level and since when, of the worst label sets."""
    labels = own_labels(signals)
    score = newest(metrics.SIGNAL_SCORE.scraped)
    top = f"topk({MOST_ROWS}, {score})"
    value = f"({values_of(scored(signals))}) and {top}"
    level = f"{newest(metrics.SIGNAL_LEVEL.scraped)} + {manner.BLIND_STEP} * {newest(metrics.SIGNAL_BLIND.scraped)}"
    since = f"{newest(metrics.SIGNAL_SINCE.scraped)} and {top}"
    moment = f"{manner.MOMENT.of(since)}\nor\n0 * {top}"
    none = "no signal has a score"
    each = (top, value, f"({level}) and {top}", moment)
    return as_rows(*(no_row(rows(expr, labels), none) for expr in each))


def firing(signals: Sequence[Signal]) -> list[Query]:
    """Level, since when, value and threshold of what is not calm, and of what is wrong with the monitor itself.

    Levels are the recorded ones, which stand while the monitor is away.
    """
    labels = own_labels(signals)
    alerting = [signal for signal in signals if signal.thresholds]
    fires = f"ALERTS{{{OTHER_ALERTS}}}"
    critical = f'ALERTS{{{OTHER_ALERTS}, severity="{Level.CRITICAL.word}"}}'
    own_level = either(f"{Level.CRITICAL:d} * {critical}", f"{Level.WARNING:d} * {fires}")
    began = f"ALERTS_FOR_STATE and ignoring (alertstate) {fires}"
    bad = f"topk({MOST_ROWS}, {LEVEL.name})"
    beside = (manner.MOMENT.of(SINCE.name), values_of(alerting), CROSSED.name)
    # Each has the same rows, so that one without, say, a value is one row still.
    signals_rows = [bad, *(f"(({each}) and {bad})\nor\nNaN * {bad}" for each in beside)]
    own_rows = [own_level, either(manner.MOMENT.of(began), f"NaN * {fires}"), *[f"NaN * {fires}"] * 2]
    return as_rows(*(
        known_row(either(rows(of_signals, labels), _own(of_own)), "nothing fires", value)
        for of_signals, of_own, value in zip(
            signals_rows, own_rows, (Level.CALM, math.nan, math.nan, math.nan), strict=True
        )
    ))  # fmt: skip


def _own(expr: str) -> str:
    """Alerts that are of no signal, as rows of the same columns."""
    joined = where(expr, ("segment", "source", "stream", "topic", "sink", "instance"))
    joined = board_of(joined)
    for label, value, of, pattern in (
        ("title", "$1", "alertname", "(.*)"),
        ("alert", "$1", "alertname", "(.*)"),
        ("board", PIPELINE, "segment", MONITOR),
        ("board", OVERVIEW, "segment", MARKET),
    ):
        joined = f'label_replace({joined}, "{label}", "{value}", "{of}", "{pattern}")'
    return f"max by (title, where, segment, board, alert) ({joined})"
