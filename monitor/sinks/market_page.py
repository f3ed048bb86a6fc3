"""The market's part of the metrics page: made of one snapshot, so that no scrape sees half a tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.results import REGIMES, SEGMENTS, Level
from monitor.sinks import metrics
from monitor.sinks.exposition import gauge_text, label_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from monitor.results import Alarm
    from monitor.sinks.exposition import Series
    from monitor.sinks.metrics import Family
    from monitor.sinks.snapshot import MetricOfSignal, Now, Snapshot


def market_text(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> str:
    """All series of one tick.

    Args:
        signals: by name, what each metric needs to know of its signal.
        snapshot: of that tick.
    """
    return "".join(_families(signals, snapshot))


def _families(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> Iterator[str]:
    for name, states in snapshot.states.items():
        values = ((now.texts.own, now.value) for now in states.values() if now.value is not None)
        yield gauge_text(f"{metrics.PREFIX}{name}", signals[name].help, values)
    yield _gauge(metrics.SIGNAL_INFO, (((*_names(each),), 1) for each in signals.values()))
    every = [now for states in snapshot.states.values() for now in states.values()]
    yield _of_signals(metrics.SIGNAL_LEVEL, ((now, now.level) for now in every))
    yield _of_signals(metrics.SIGNAL_BLIND, ((now, now.blind) for now in every))
    yield _of_signals(metrics.SIGNAL_SCORE, ((now, now.score) for now in every))
    yield _gauge(metrics.ALERT_LEVEL, _alert_levels(signals, snapshot))
    yield from _alarms(snapshot.alarms)
    yield from _segments(signals, snapshot)
    if snapshot.index is not None:
        yield from _index(snapshot.index)
    thresholds = (((each.signal, each.row, each.level, each.edge), each.value) for each in snapshot.thresholds)
    yield _gauge(metrics.SIGNAL_THRESHOLD, thresholds)
    yield _gauge(metrics.CALENDAR_FLAG, (((flag,), is_set) for flag, is_set in snapshot.flags.items()))
    yield _gauge(metrics.SERIES, (((name,), len(states)) for name, states in snapshot.states.items()))


def _gauge(each: Family, series: Iterable[tuple[tuple[str, ...], float]]) -> str:
    """A metric with the labels of its family, whose values are given in their order."""
    named = ((label_text(dict(zip(each.labels, labels, strict=True))), value) for labels, value in series)
    return gauge_text(each.scraped, each.help, named)


def _names(each: MetricOfSignal) -> tuple[str, ...]:
    return each.name, each.title, each.segment, each.unit, each.alert if each.has_levels else "", each.notify


def _of_signals(each: Family, series: Iterable[tuple[Now, float | None]]) -> str:
    """A metric that has the labels of its signals; what is null has no series."""
    known = ((now.texts.of_signal, value) for now, value in series if value is not None)
    return gauge_text(each.scraped, each.help, known)


def _alert_levels(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> Iterator[tuple[tuple[str, ...], float]]:
    """Each alert's level: the highest over its label sets."""
    for name, states in snapshot.states.items():
        if signals[name].has_levels:
            at_all = [now.level for now in states.values() if now.level is not None]
            if at_all:  # an alert that has seen no data is not calm
                yield (signals[name].alert,), max(at_all)


def _alarms(alarms: Sequence[Alarm]) -> Iterator[str]:
    """Since when, and at which threshold, of the label sets that are not calm, or blind."""
    texts = [(label_text({"signal": alarm.signal} | alarm.labels), alarm) for alarm in alarms]
    bad = [(text, alarm) for text, alarm in texts if alarm.level > Level.CALM]
    series: dict[Family, Iterable[Series]] = {
        metrics.SIGNAL_SINCE: ((text, alarm.since) for text, alarm in bad),
        metrics.SIGNAL_CROSSED: ((text, alarm.threshold) for text, alarm in bad if alarm.threshold is not None),
        metrics.SIGNAL_BLIND_SINCE: (
            (text, alarm.blind_since) for text, alarm in texts if alarm.blind_since is not None
        ),
    }
    for each, known in series.items():
        yield gauge_text(each.scraped, each.help, known)


def _segments(signals: Mapping[str, MetricOfSignal], snapshot: Snapshot) -> Iterator[str]:
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


_OF_INDEX: Final = {
    "stress_index": metrics.INDEX,
    "low": metrics.INDEX_LOW,
    "high": metrics.INDEX_HIGH,
    "coverage": metrics.COVERAGE,
    "capped": metrics.REGIME_CAPPED,
}


def _index(row: dict[str, Any]) -> Iterator[str]:
    """The index, its parts and the regime; what is null has no series."""
    for column, each in _OF_INDEX.items():
        yield _gauge(each, [] if row[column] is None else [((), row[column])])
    scores = {segment: row[segment] for segment in SEGMENTS if row[segment] is not None}
    yield _by_segment(metrics.SEGMENT_SCORE, scores)
    yield _by_segment(metrics.CONTRIBUTION, {segment: row[f"contribution_{segment}"] for segment in scores})
    yield _gauge(metrics.REGIME, (((regime,), regime == row["regime"]) for regime in REGIMES))


def _by_segment(each: Family, values: Mapping[str, float]) -> str:
    return _gauge(each, (((segment,), value) for segment, value in values.items()))
