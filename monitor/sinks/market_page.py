"""The market's part of the metrics page: made of one snapshot, so that no scrape sees half a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.results import REGIMES, SEGMENTS, Level
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from monitor.results import Alarm
    from monitor.sinks.metrics import Family
    from monitor.sinks.snapshot import Labels, MetricOfSignal, Now, Snapshot


class MarketCollector(Collector):
    """Makes the market's series from the newest snapshot.

    Args:
        signals: by name, what each metric needs to know of its signal.
        newest: the newest snapshot.
    """

    def __init__(self, signals: Mapping[str, MetricOfSignal], newest: Callable[[], Snapshot]) -> None:
        self._signals, self._newest = signals, newest

    def describe(self) -> list[Metric]:
        """Nothing up front: which series there are depends on the data."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All series of one tick."""
        snapshot, signals = self._newest(), self._signals
        for name, states in snapshot.states.items():
            yield _values(signals[name], states)
        yield _infos(signals)
        yield from _levels(signals, snapshot)
        yield _scores(signals, snapshot)
        yield from _alarms(snapshot.alarms)
        yield from _segments(signals, snapshot)
        if snapshot.index is not None:
            yield from _index(snapshot.index)
        thresholds = _family(metrics.SIGNAL_THRESHOLD)
        for each in snapshot.thresholds:
            thresholds.add_metric([each.signal, each.row, each.level, each.edge], each.value)
        yield thresholds
        flags = _family(metrics.CALENDAR_FLAG)
        for flag, is_set in snapshot.flags.items():
            flags.add_metric([flag], is_set)
        yield flags
        series = _family(metrics.SERIES)
        for name, states in snapshot.states.items():
            series.add_metric([name], len(states))
        yield series


def _values(signal: MetricOfSignal, states: dict[Labels, Now]) -> Metric:
    family = Metric(f"{metrics.PREFIX}{signal.name}", signal.help, "gauge")
    for labels, now in states.items():
        if now.value is not None:
            family.add_sample(family.name, _label_set(signal, labels), now.value)
    return family


def _infos(signals: Mapping[str, MetricOfSignal]) -> Metric:
    family = InfoMetricFamily(metrics.SIGNAL_INFO.name, metrics.SIGNAL_INFO.help, labels=metrics.SIGNAL_INFO.labels)
    for each in signals.values():
        family.add_metric(
            [each.name, each.title, each.segment, each.unit, each.alert if each.has_levels else "", each.notify], {}
        )
    return family


def _label_set(signal: MetricOfSignal, labels: Labels) -> dict[str, str]:
    """The labels that a label set has; one that it lacks is left out."""
    return {name: value for name, value in zip(signal.labels, labels, strict=True) if value}


def _levels(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> Iterator[Metric]:
    """Level and blindness of every label set, and each alert's level: the highest over its label sets."""
    levels, blind, alerts = (
        _family(each) for each in (metrics.SIGNAL_LEVEL, metrics.SIGNAL_BLIND, metrics.ALERT_LEVEL)
    )
    for name, states in snapshot.states.items():
        signal = signals[name]
        for labels, now in states.items():
            label_set = {"signal": name} | _label_set(signal, labels)
            blind.add_sample(blind.name, label_set, now.blind)
            if now.level is not None:
                levels.add_sample(levels.name, label_set, now.level)
        if signal.has_levels:
            at_all = [now.level for now in states.values() if now.level is not None]
            if at_all:  # an alert that has seen no data is not calm
                alerts.add_metric([signal.alert], max(at_all))
    yield levels
    yield blind
    yield alerts


def _alarms(alarms: Sequence[Alarm]) -> Iterator[Metric]:
    """Since when, and at which threshold, of the label sets that are not calm, or blind."""
    since, crossed, blind_since = (
        _family(each) for each in (metrics.SIGNAL_SINCE, metrics.SIGNAL_CROSSED, metrics.SIGNAL_BLIND_SINCE)
    )
    for alarm in alarms:
        label_set = {"signal": alarm.signal} | alarm.labels
        if alarm.level > Level.CALM:
            since.add_sample(since.name, label_set, alarm.since)
            if alarm.threshold is not None:
                crossed.add_sample(crossed.name, label_set, alarm.threshold)
        if alarm.blind_since is not None:
            blind_since.add_sample(blind_since.name, label_set, alarm.blind_since)
    yield since
    yield crossed
    yield blind_since


def _segments(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> Iterator[Metric]:
    level: dict[str, int] = {}
    blind: dict[str, bool] = {}
    for name, states in snapshot.states.items():
        segment = signals[name].segment
        for now in states.values():
            if now.level is not None:  # a segment that has seen no level is not calm
                level[segment] = max(level.get(segment, Level.CALM), now.level)
            is_headline = _is_headline(signals[name], now)
            blind[segment] = blind.get(segment, False) or (now.blind and is_headline)
    yield _by_segment(metrics.SEGMENT_LEVEL, level)
    yield _by_segment(metrics.SEGMENT_BLIND, blind)


def _is_headline(signal: MetricOfSignal, now: Now) -> bool:
    """Whether the segment is scored by it: an issue that no threshold is for does not blind its segment."""
    if signal.headline_rows is None:
        return signal.headline and now.level is not None
    return now.row in signal.headline_rows


def _scores(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> Metric:
    family = _family(metrics.SIGNAL_SCORE)
    for name, states in snapshot.states.items():
        for labels, now in states.items():
            if now.score is not None:
                family.add_sample(family.name, {"signal": name} | _label_set(signals[name], labels), now.score)
    return family


_OF_INDEX: Final = {
    "stress_index": metrics.INDEX,
    "low": metrics.INDEX_LOW,
    "high": metrics.INDEX_HIGH,
    "coverage": metrics.COVERAGE,
    "capped": metrics.REGIME_CAPPED,
}


def _index(row: dict[str, Any]) -> Iterator[Metric]:
    """The index, its parts and the regime; what is null has no series."""
    for column, each in _OF_INDEX.items():
        family = _family(each)
        if row[column] is not None:
            family.add_metric([], row[column])
        yield family
    scores = {segment: row[segment] for segment in SEGMENTS if row[segment] is not None}
    yield _by_segment(metrics.SEGMENT_SCORE, scores)
    parts = {segment: row[f"contribution_{segment}"] for segment in scores}
    yield _by_segment(metrics.CONTRIBUTION, parts)
    regimes = _family(metrics.REGIME)
    for regime in REGIMES:
        regimes.add_metric([regime], regime == row["regime"])
    yield regimes


def _by_segment(each: Family, values: dict[str, int] | dict[str, bool] | dict[str, float]) -> Metric:
    family = _family(each)
    for segment, value in values.items():
        family.add_metric([segment], value)
    return family


def _family(each: Family) -> GaugeMetricFamily:
    """A market metric, to be given its series; those that have their signal's labels too are added as samples."""
    return GaugeMetricFamily(each.name, each.help, labels=each.labels)
