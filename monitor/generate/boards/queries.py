"""PromQL for the boards, of Prometheus 2.42: replicas are one, lines are few, and what may rightly be empty says so."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from monitor.generate.boards.manner import BLIND_STEP, NOT_SEEN
from monitor.generate.facts import Facts
from monitor.generate.rules.market import STRESS_REGIME
from monitor.generate.rules.own import own_alerts
from monitor.generate.rules.recording import LEVEL, newest
from monitor.links import BOARD_OF_SEGMENT
from monitor.results import REGIMES, SEGMENTS, Level
from monitor.signals.thresholds import Notify
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        none: what is said where it has no series.
    """

    expr: str
    legend: str = ""
    instant: bool = False
    table: bool = False
    none: str = ""

    @property
    def asked(self) -> str:
        """What Prometheus is asked: of a range something is said only if there is nothing in all of it.

        >>> Query("x", "{{entity}}, all", instant=True, none="nobody").asked
        '(x) or on () label_replace(vector(NaN), "entity", "nobody", "", "")'
        """
        if not self.none:
            return self.expr
        label = re.search(r"{{(\w+)}}", self.legend)
        name = label[1] if label else SAYS
        if self.instant:
            return or_says(self.expr, self.none, name)
        ever = f"count_over_time(({self.expr})[$__range:$__interval] @ end())"
        return f"({self.expr})\nor on () ({says(self.none, name)} unless on () {ever})"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of a signal is looked at.

    Attributes:
        by: label to the board's variable.
        only: label to value, or to `~` and a pattern.
    """

    by: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)

    def of(self, signal: Signal) -> str:
        """The selector.

        >>> from monitor.signals import CATALOGUE
        >>> tail = next(signal for signal in CATALOGUE if signal.name == "repo_tail_bp")
        >>> Chosen({"instrument": "rate", "theme": "basket"}, {"window": "", "theme": "ai"}).of(tail)
        'market_repo_tail_bp{instrument=~"$rate", window=""}'
        """
        matchers = [self._matcher(label) for label in signal.labels if label in self.only or label in self.by]
        return signal.metric + (f"{{{', '.join(matchers)}}}" if matchers else "")

    def _matcher(self, label: str) -> str:
        if label not in self.only:
            return f'{label}=~"${self.by[label]}"'
        value = self.only[label]
        return f'{label}=~"{value[1:]}"' if value.startswith("~") else f'{label}="{value}"'


def over_range(selector: str) -> str:
    """The last value of each series in what is shown."""
    return newest(f"last_over_time({selector}[$__range] @ end())")


def worst(selector: str, most: int = MOST_LINES, *, low: bool = False) -> str:
    """The worst series of a metric, the same ones at every moment shown."""
    return f"{newest(selector)} and {'bottomk' if low else 'topk'}({most}, {over_range(selector)})"


def says(text: str, label: str = SAYS) -> str:
    """A series that says something, without a value."""
    return f'label_replace(vector(NaN), "{label}", "{text}", "", "")'


def or_says(expr: str, text: str, label: str = SAYS) -> str:
    """The query; where it has no series one that says so, without a value."""
    return f"({expr}) or on () {says(text, label)}"


def legend_of(*labels: str) -> str:
    """Values of labels side by side.

    >>> legend_of("entity", "tenor")
    '{{entity}} {{tenor}}'
    """
    return " ".join(f"{{{{{label}}}}}" for label in labels)


def said(expr: str, text: str, legend: str) -> Query:
    """A query; where it has no series its legend says so."""
    return Query(expr, legend, none=text)


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


def segments_levels() -> str:
    """The level of every segment; while blind the level that stands plus a step; and whether it is seen at all."""
    level, blind = (f"max by (segment) ({each.scraped})" for each in (metrics.SEGMENT_LEVEL, metrics.SEGMENT_BLIND))
    unseen = either(*(named(f"vector({NOT_SEEN})", "segment", segment) for segment in SEGMENTS))
    both = f"({level} + {BLIND_STEP} * {blind})"
    return f"{both}\nor ({BLIND_STEP} * ({blind} == 1))\nor {level}\nor on (segment) ({unseen})"


def info(matchers: str = "", of: str = "signal", by: Iterable[str] = ("title", "segment", "unit", "alert")) -> str:
    """What signals are called, and where they belong; what was said last while the monitor is away.

    Args:
        matchers: of labels.
        of: the label by which they are told apart: of what was said of it the newest counts.
        by: other labels.
    """
    labels = ", ".join([of, *by])
    metric = f"{metrics.SIGNAL_INFO.scraped}{{{matchers}}}"
    now, ever = f"max by ({labels}) ({metric} @ end())", f"max by ({labels}) (last_over_time({metric}[1d] @ end()))"
    return f"topk by ({of}) (1, {now} or on ({of}) {ever})"


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


def rows(expr: str, labels: Iterable[str]) -> str:
    """Series of signals as rows for people: their titles, where, and their board."""
    titled = f"{newest(expr)} * on (signal) group_left (title, segment, unit, alert) {info()}"
    return f"max by ({', '.join(ROW)}) ({board_of(where(titled, labels))})"


def no_row(expr: str, text: str) -> str:
    """The rows; if there is none, one that says so."""
    return or_says(expr, text, "title")


WATCHDOG: Final = 'ALERTS{alertname="Watchdog", alertstate="firing"}'
"""There while rules are evaluated."""
KNOWN: Final = f"(max({metrics.READY.scraped}) == 1 and on () {metrics.SIGNAL_LEVEL.scraped} and on () {WATCHDOG})"
"""One series while the monitor is ready and says levels, and rules are evaluated: only then nothing is nothing."""
NOT_KNOWN: Final = "not known: the monitor is away or not ready, or no rules are evaluated"


def known_row(expr: str, text: str, value: float = math.nan) -> str:
    """The rows; if there is none, one that says so, but only while that is known.

    Args:
        expr: of the rows.
        text: what it means that there is none.
        value: of the row that says so.
    """
    number = "NaN" if math.isnan(value) else f"{value:g}"
    none = named(f"({number} + 0 * {KNOWN})", "title", text)
    return or_says(f"({expr})\nor on () {none}", NOT_KNOWN, "title")


def values_of(signals: Iterable[Signal]) -> str:
    """The values of signals, each with its signal's name as a label."""
    pattern = "|".join(sorted(signal.name for signal in signals))
    of_name = f'{{__name__=~"{metrics.PREFIX}({pattern})"}}'
    return newest(f'label_replace({of_name}, "signal", "$1", "__name__", "{metrics.PREFIX}(.*)")')


OTHER_ALERTS: Final = (
    'alertstate="firing", alertname=~"'
    + "|".join([STRESS_REGIME, *(alert.name for alert in own_alerts(Facts()) if alert.notify is not Notify.NONE)])
    + '"'
)
"""What fires and is of no signal: the regime, and what is wrong with the monitor itself."""


def alerts_at(level: Level) -> str:
    """How many alerts stand at a level, those on the monitor itself too; nothing while that is not known."""
    of_signal = f"max by (signal) ({LEVEL.name}) == {level:d}"
    fires, critical = (
        f'max by (alertname) (ALERTS{{{OTHER_ALERTS}, severity="{at.word}"}})' for at in (level, Level.CRITICAL)
    )
    others = fires if level is Level.CRITICAL else f"({fires} unless {critical})"
    return f"count({of_signal} or {others}) or 0 * {KNOWN}"


def quantile(q: float, histogram: str) -> str:
    """A quantile of a histogram, over the replicas."""
    return f"histogram_quantile({q:g}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))"
