"""The metrics page: signals, the index, levels, thresholds, blindness, and the monitor's own counters.

The pipeline's thread hands over immutable snapshots; a scrape only reads them, so it can neither see half a tick nor
delay one. An absent signal has no series.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.results import MICROSECONDS_PER_SECOND, REGIMES, SEGMENTS, Level
from monitor.sinks import metrics
from monitor.sinks.base import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from monitor.results import Ingested, Output, ThresholdInForce
    from monitor.sinks.metrics import Family

TICK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_UNDER_WAY_BUCKETS: Final = (*TICK_BUCKETS, 10.0, 30.0)
"""An event waits at least for the allowed lateness, two seconds, before its second is sealed."""
MAX_SERIES_A_SIGNAL: Final = 5_000
"""Label sets beyond this are not exported; `monitor_series_dropped_total` counts their steps."""

_SYNTHETIC_KIND: Final = "scenario"
_UP: Final = "up"
"""The state of a source that is connected."""

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
    """

    name: str
    alert: str
    help: str
    segment: str
    labels: tuple[str, ...]
    headline: bool
    has_levels: bool
    headline_rows: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class _Now:
    """The newest state of one label set."""

    value: float | None
    blind: bool
    level: int | None
    value_date: date | None
    score: float | None
    row: str | None


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Everything a scrape shows of the market, as of one tick; never changed, only replaced."""

    states: dict[str, dict[Labels, _Now]] = field(default_factory=dict)
    thresholds: tuple[ThresholdInForce, ...] = ()
    index: dict[str, Any] | None = None


class PrometheusSink(Sink):
    """Keeps the newest state of every label set, for scrapes.

    Attributes:
        registry: what the metrics page shows.
    """

    def __init__(
        self, signals: Sequence[MetricOfSignal], version: str, *, max_series: int = MAX_SERIES_A_SIGNAL
    ) -> None:
        self._signals = {signal.name: signal for signal in signals}
        self._max_series = max_series
        self._states: dict[str, dict[Labels, _Now]] = {signal.name: {} for signal in signals}
        self._last_event_us: dict[str, int] = {}
        self._snapshot = _Snapshot({name: {} for name in self._states})
        self.registry = CollectorRegistry()
        self.registry.register(_MarketCollector(self))
        registry = self.registry
        self._events = _counter(metrics.EVENTS, registry)
        self._rejected = _counter(metrics.REJECTED, registry)
        self._late = _counter(metrics.LATE, registry)
        self._doubles = _counter(metrics.DOUBLED, registry)
        self._last_event = _gauge(metrics.LAST_EVENT, registry)
        self._watermark = _gauge(metrics.WATERMARK, registry)
        self._source_up = _gauge(metrics.SOURCE_UP, registry)
        self._source_info = _gauge(metrics.SOURCE_INFO, registry)
        self._source_state = _gauge(metrics.SOURCE_STATE, registry)
        self._source_states: dict[str, str] = {}
        self._of_partitions = {
            each.name: _gauge(each, registry)
            for each in (metrics.LAG, metrics.OFFSET, metrics.LOST, metrics.EMPTY, metrics.PARTITION_ARRIVAL)
        }
        self._outbox_waiting = _gauge(metrics.OUTBOX_WAITING, registry)
        self._outbox_sent = _counter(metrics.OUTBOX_SENT, registry)
        self._outbox_dropped = _counter(metrics.OUTBOX_DROPPED, registry)
        self._synthetic = _gauge(metrics.SYNTHETIC, registry)
        self._state_writable = _gauge(metrics.STATE_WRITABLE, registry)
        self._tick_duration = _histogram(metrics.TICK_DURATION, TICK_BUCKETS, registry)
        self._event_to_metric = _histogram(metrics.EVENT_TO_METRIC, _UNDER_WAY_BUCKETS, registry)
        self._dropped = _counter(metrics.SERIES_DROPPED, registry)
        Info(metrics.BUILD.name, metrics.BUILD.help, registry=registry).info({"version": version})

    @property
    def snapshot(self) -> _Snapshot:
        """The newest state."""
        return self._snapshot

    @property
    def signals(self) -> dict[str, MetricOfSignal]:
        """By name, what each metric needs to know of its signal."""
        return self._signals

    def ingested(self, what: Ingested) -> None:
        """Count what a batch brought."""
        self._events.labels(what.stream).inc(what.events)
        self._late.labels(what.stream).inc(what.late)
        self._doubles.labels(what.stream).inc(what.doubles)
        for reject in what.rejects:
            self._rejected.labels(reject.stream, reject.reason).inc()
        if what.last_event_us is not None:  # of this batch: another partition may be ahead of it
            newest = max(what.last_event_us, self._last_event_us.get(what.stream, what.last_event_us))
            self._last_event_us[what.stream] = newest
            self._last_event.labels(what.stream).set(newest / MICROSECONDS_PER_SECOND)

    def go_on(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Count on from what an earlier process counted: by (stream, what, reason of a reject)."""
        of = {"events": self._events, "late": self._late, "doubled": self._doubles}
        for (stream, what, reason), count in counts.items():
            if what in of:
                of[what].labels(stream).inc(count)
            else:
                self._rejected.labels(stream, reason).inc(count)

    def wrote(self, output: Output) -> None:
        """Take in steps; the next scrape shows them all."""
        changed: set[str] = set()
        for row in output.steps.iter_rows(named=True):
            self._take_in(row)
            changed.add(row["signal"])
        states = self._snapshot.states | {name: dict(self._states[name]) for name in changed}
        index = output.index.row(-1, named=True) if output.index.height else self._snapshot.index
        self._snapshot = _Snapshot(states, output.thresholds, index)
        for stream, watermark_us in output.watermarks_us.items():
            self._watermark.labels(stream).set(watermark_us / MICROSECONDS_PER_SECOND)

    def close(self) -> None:
        """Nothing is held open: the page shows the last state until the process ends."""

    def source_state(self, source: str, kind: str, state: str) -> None:
        """Say how a source stands; from any thread."""
        self._source_info.labels(source, kind).set(1)
        if kind == _SYNTHETIC_KIND:
            self._synthetic.set(1)
        self._source_up.labels(source).set(state == _UP)
        known = self._source_states.setdefault(source, state)
        if known != state:
            self._source_state.labels(source, known).set(0)
            self._source_states[source] = state
        self._source_state.labels(source, state).set(1)

    def partition(
        self, name: str, *, offset: int, lag: int | None, lost: int, empty: int, arrived_us: int | None
    ) -> None:
        """Say how a partition stands: its name is `TOPIC/NUMBER`; what is not known stays as it was."""
        topic, _, number = name.rpartition("/")
        arrived = None if arrived_us is None else arrived_us / MICROSECONDS_PER_SECOND
        for each, value in (
            (metrics.OFFSET, offset), (metrics.LAG, lag), (metrics.LOST, lost), (metrics.EMPTY, empty),
            (metrics.PARTITION_ARRIVAL, arrived),
        ):  # fmt: skip
            if value is not None:
                self._of_partitions[each.name].labels(topic, number).set(value)

    def outbox_waiting(self, sink: str, count: int) -> None:
        """Say how many messages of a sink are not acknowledged; from any thread."""
        self._outbox_waiting.labels(sink).set(count)

    def outbox_sent(self, sink: str, count: int) -> None:
        """Say how many more messages of a sink were acknowledged; from any thread."""
        self._outbox_sent.labels(sink).inc(count)

    def outbox_dropped(self, sink: str, count: int) -> None:
        """Say how many more messages of a sink will never arrive; from any thread."""
        self._outbox_dropped.labels(sink).inc(count)

    def state_written(self, is_written: bool) -> None:
        """Say whether the durable state could be written."""
        self._state_writable.set(is_written)

    def advanced(self, seconds: float) -> None:
        """Record how long an advance took, wall seconds."""
        self._tick_duration.observe(seconds)

    def shown(self, seconds: float) -> None:
        """Record how long events were under way until this page had the tick that sees them, wall seconds."""
        self._event_to_metric.observe(seconds)

    def _take_in(self, row: dict[str, Any]) -> None:
        signal = self._signals[row["signal"]]
        labels = tuple(row[label] or "" for label in signal.labels)
        known = self._states[signal.name]
        before = known.get(labels)
        if before is None and len(known) >= self._max_series:
            self._dropped.labels(signal.name).inc()
            return
        if before and before.value_date and row["value_date"] and row["value_date"] < before.value_date:
            return  # a revision of a day that is past: what stands now is newer
        known[labels] = _Now(row["value"], row["blind"], row["level"], row["value_date"], row["score"], row["row"])


class _MarketCollector(Collector):
    """Makes the market's series from the newest snapshot."""

    def __init__(self, sink: PrometheusSink) -> None:
        self._sink = sink

    def describe(self) -> list[Metric]:
        """Nothing up front: which series there are depends on the data."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All series of one tick."""
        snapshot = self._sink.snapshot
        signals = self._sink.signals
        for name, states in snapshot.states.items():
            yield _values(signals[name], states)
        yield from _levels(signals, snapshot)
        yield _scores(signals, snapshot)
        yield from _segments(signals, snapshot)
        if snapshot.index is not None:
            yield from _index(snapshot.index)
        thresholds = _family(metrics.SIGNAL_THRESHOLD)
        for each in snapshot.thresholds:
            thresholds.add_metric([each.signal, each.row, each.level, each.edge], each.value)
        yield thresholds


def _values(signal: MetricOfSignal, states: dict[Labels, _Now]) -> Metric:
    family = Metric(f"{metrics.PREFIX}{signal.name}", signal.help, "gauge")
    for labels, now in states.items():
        if now.value is not None:
            family.add_sample(family.name, _label_set(signal, labels), now.value)
    return family


def _label_set(signal: MetricOfSignal, labels: Labels) -> dict[str, str]:
    """The labels that a label set has; one that it lacks is left out."""
    return {name: value for name, value in zip(signal.labels, labels, strict=True) if value}


def _levels(signals: dict[str, MetricOfSignal], snapshot: _Snapshot) -> Iterator[Metric]:
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


def _segments(signals: dict[str, MetricOfSignal], snapshot: _Snapshot) -> Iterator[Metric]:
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


def _is_headline(signal: MetricOfSignal, now: _Now) -> bool:
    """Whether the segment is scored by it: an issue that no threshold is for does not blind its segment."""
    if signal.headline_rows is None:
        return signal.headline and now.level is not None
    return now.row in signal.headline_rows


def _scores(signals: dict[str, MetricOfSignal], snapshot: _Snapshot) -> Metric:
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


def _counter(each: Family, registry: CollectorRegistry) -> Counter:
    return Counter(each.name, each.help, each.labels, registry=registry)


def _gauge(each: Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(each.name, each.help, each.labels, registry=registry)


def _histogram(each: Family, buckets: Sequence[float], registry: CollectorRegistry) -> Histogram:
    return Histogram(each.name, each.help, each.labels, buckets=buckets, registry=registry)
