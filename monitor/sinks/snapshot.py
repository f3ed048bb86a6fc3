"""What a scrape shows of the market: the newest state of every label set, as of one tick."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.sinks.exposition import label_text

if TYPE_CHECKING:
    from datetime import date

    from monitor.results import Alarm, ThresholdInForce

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetricOfSignal:
    """What a metric needs to know of its signal.

    Attributes:
        name: the signal's name; the metric is `market_<name>`.
        alert: the alert's id.
        help: one sentence.
        segment: the market segment.
        labels: the signal's labels, in order.
        headline: whether its segment is blind when it is.
        has_levels: whether it has thresholds.
        headline_rows: the threshold rows under which it is a headline; None: all of its label sets with levels.
        title: a few words for people.
        unit: as the name says it.
        notify: who is told of its alert, at most: `none`, `desk` or `on-call`; empty without thresholds.
    """

    name: str
    alert: str
    help: str
    segment: str
    labels: tuple[str, ...]
    headline: bool
    has_levels: bool
    headline_rows: frozenset[str] | None = None
    title: str = ""
    unit: str = ""
    notify: str = ""


@dataclass(frozen=True, slots=True)
class LabelTexts:
    """A label set as it stands on the metrics page; made once, as a label set never changes.

    Attributes:
        own: the labels of the signal; one that the label set lacks is left out.
        of_signal: the same, and the name of the signal.
    """

    own: str
    of_signal: str

    @classmethod
    def of(cls, signal: MetricOfSignal, labels: Labels) -> LabelTexts:
        """The texts of one of a signal's label sets."""
        known = {name: value for name, value in zip(signal.labels, labels, strict=True) if value}
        return cls(label_text(known), label_text(known | {"signal": signal.name}))


@dataclass(frozen=True, slots=True)
class Now:
    """The newest state of one label set."""

    texts: LabelTexts
    value: float | None
    blind: bool
    level: int | None
    value_date: date | None
    score: float | None
    row: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a scrape shows of the market, as of one tick; never changed, only replaced."""

    states: dict[str, dict[Labels, Now]] = field(default_factory=dict)
    thresholds: tuple[ThresholdInForce, ...] = ()
    index: dict[str, Any] | None = None
    alarms: tuple[Alarm, ...] = ()
    flags: dict[str, bool] = field(default_factory=dict)
