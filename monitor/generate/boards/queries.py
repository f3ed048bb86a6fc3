"""PromQL for the boards, of Prometheus 2.42: replicas are one, lines are few, and what may rightly be empty says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from monitor.generate.boards.manner import BLIND_STEP
from monitor.generate.rules.recording import newest
from monitor.links import BOARD_OF_SEGMENT
from monitor.results import REGIMES, Level
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitor.signals.model import Signal

MOST_LINES: Final = 12
"""Of a panel's own: with the thresholds drawn beside them at most 20, and more are not told apart. They are the worst
at the end of what is shown, chosen once for all of it: chosen at each moment, lines would come and go."""
MOST_ROWS: Final = 20
"""Of a table."""
SAYS: Final = "says"
"""The label of a row that stands where there rightly is none. Its value is not a number, so it is drawn nowhere."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL.
        legend: what its series are called.
        instant: only the newest value is asked for.
        table: its series are rows.
    """

    expr: str
    legend: str = ""
    instant: bool = False
    table: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a signal is looked at.

    Attributes:
        by: the board's variables that are labels.
        only: label to value, or to `~` and a pattern.
    """

    by: Sequence[str] = ()
    only: Mapping[str, str] = field(default_factory=dict)

    def of(self, signal: Signal) -> str:
        """The selector.

        >>> from monitor.signals import CATALOGUE
        >>> tail = next(signal for signal in CATALOGUE if signal.name == "repo_tail_bp")
        >>> Chosen(["instrument", "theme"], {"window": "", "theme": "ai"}).of(tail)
        'market_repo_tail_bp{instrument=~"$instrument", window=""}'
        """
        matchers = [self._matcher(label) for label in signal.labels if label in self.only or label in self.by]
        return signal.metric + (f"{{{', '.join(matchers)}}}" if matchers else "")

    def _matcher(self, label: str) -> str:
        if label not in self.only:
            return f'{label}=~"${label}"'
        value = self.only[label]
        return f'{label}=~"{value[1:]}"' if value.startswith("~") else f'{label}="{value}"'


def over_range(selector: str) -> str:
    """The last value of each series in what is shown."""
    return newest(f"last_over_time({selector}[$__range] @ end())")


def worst(selector: str, most: int = MOST_LINES, *, low: bool = False) -> str:
    """The worst series of a metric, the same ones at every moment shown."""
    return f"{newest(selector)} and {'bottomk' if low else 'topk'}({most}, {over_range(selector)})"


def or_says(expr: str, text: str, label: str = SAYS) -> str:
    """The query; where it has no series one that says so, without a value."""
    return f'({expr}) or on () label_replace(vector(NaN), "{label}", "{text}", "", "")'


def legend_of(*labels: str) -> str:
    """Values of labels side by side.

    >>> legend_of("entity", "tenor")
    '{{entity}} {{tenor}}'
    """
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def said(expr: str, text: str, legend: str, *, instant: bool = False) -> Query:
    """A query; where it has no series its legend says so.

    >>> said("x", "none", "{{entity}}, all").expr
    '(x) or on () label_replace(vector(NaN), "entity", "none", "", "")'
    """
    label = re.search(r"{{(\w+)}}", legend)
    return Query(or_says(expr, text, label[1] if label else SAYS), legend, instant)


def named(expr: str, label: str, text: str) -> str:
    """The query, each series with one more label."""
    return f'label_replace({expr}, "{label}", "{text}", "", "")'


def either(*exprs: str) -> str:
    """The series of all."""
    return "\nor\n".join(exprs)


def threshold(signal: str, row: str) -> str:
    """The values at which a row's levels are entered today."""
    return f'max by (level) ({metrics.SIGNAL_THRESHOLD.scraped}{{signal="{signal}", row="{row}", edge="enter"}})'


def regime() -> str:
    """The regime as its place in the order of regimes."""
    return " + ".join(f'{i} * max({metrics.REGIME.scraped}{{regime="{each}"}})' for i, each in enumerate(REGIMES) if i)


def level_or_blind(level: str, blind: str, by: str) -> str:
    """Levels, and while blind the level that stands plus a step."""
    level, blind = f"max by ({by}) ({level})", f"max by ({by}) ({blind})"
    return f"({level} + {BLIND_STEP} * {blind})\nor ({BLIND_STEP} * {blind})\nor {level}"


def info(matchers: str = "", by: Iterable[str] = ("signal", "title", "segment", "unit", "alert")) -> str:
    """What signals are called, and where they belong."""
    return f"max by ({', '.join(by)}) ({metrics.SIGNAL_INFO.scraped}{{{matchers}}})"


def where(expr: str, labels: Iterable[str]) -> str:
    """The query, its labels together as one: where it is."""
    joined = ", ".join(f'"{label}"' for label in labels)
    trimmed = f'label_replace(label_join({expr}, "where", " ", {joined}), "where", "$1", "where", "\\\\s*(.*?)\\\\s*")'
    return f'label_replace({trimmed}, "where", "all", "where", "")'


ROW: Final = ("title", "where", "unit", "segment", "board", "alert")
"""The columns of a row of a table of signals."""


def board_of(expr: str) -> str:
    """The query, with the uid of the segment's board."""
    for uid in dict.fromkeys(BOARD_OF_SEGMENT.values()):
        segments = "|".join(segment for segment, of in BOARD_OF_SEGMENT.items() if of == uid)
        expr = f'label_replace({expr}, "board", "{uid}", "segment", "{segments}")'
    return expr


def rows(expr: str, labels: Iterable[str], matchers: str = "") -> str:
    """Series of signals as rows for people: their titles, where, and their board."""
    titled = f"{newest(expr)} * on (signal) group_left (title, segment, unit, alert) {info(matchers)}"
    return f"max by ({', '.join(ROW)}) ({board_of(where(titled, labels))})"


def no_row(expr: str, text: str) -> str:
    """The rows; if there is none, one that says so."""
    return or_says(expr, text, "title")


def values_of(signals: Iterable[Signal]) -> str:
    """The values of signals, each with its signal's name as a label."""
    pattern = "|".join(sorted(signal.name for signal in signals))
    of_name = f'{{__name__=~"{metrics.PREFIX}({pattern})"}}'
    return newest(f'label_replace({of_name}, "signal", "$1", "__name__", "{metrics.PREFIX}(.*)")')


def share_of(level: Level) -> str:
    """How many alerts have reached a level; nothing while the monitor says nothing of any."""
    of_alert = f"max by (alert) ({metrics.ALERT_LEVEL.scraped})"
    return f"count({of_alert} == {level:d}) or 0 * count({of_alert})"


def quantile(q: float, histogram: str) -> str:
    """A quantile of a histogram, over the replicas."""
    return f"histogram_quantile({q:g}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))"
