"""The metrics page: signals, the index, levels, thresholds, blindness, and the monitor's own counters.

The pipeline's thread hands over immutable snapshots; a scrape only reads them, so it can neither see half a tick nor
delay one. An absent signal has no series.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import choose_encoder

from monitor.kafka.names import topic_and_number
from monitor.results import MICROSECONDS_PER_SECOND
from monitor.sinks import metrics
from monitor.sinks.base import Sink
from monitor.sinks.market_page import market_text
from monitor.sinks.snapshot import LabelTexts, Now, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from monitor.results import Ingested, Output
    from monitor.sinks.metrics import Family
    from monitor.sinks.snapshot import Labels, MetricOfSignal

TICK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_UNDER_WAY_BUCKETS: Final = (*TICK_BUCKETS, 10.0, 30.0)
"""An event waits at least for the allowed lateness, two seconds, before its second is sealed."""
MAX_SERIES_A_SIGNAL: Final = 5_000
"""Label sets beyond this are not exported; `monitor_series_dropped_total` counts their steps."""

_UP: Final = "up"
"""The state of a source that is connected."""


class PrometheusSink(Sink):
    """Keeps the newest state of every label set, for scrapes.

    Args:
        signals: what each metric needs to know of its signal.
        version: of the monitor.
        streams: the contracts, whose counters are there from the start: a rate needs to see them at 0.
        reasons: why events may be refused.
        max_series: so many label sets a signal are exported.

    Attributes:
        registry: the metrics of the monitor itself.
        turned_at: when the main loop last went round, monotonic seconds; None before it first did.
    """

    def __init__(
        self,
        signals: Sequence[MetricOfSignal],
        version: str,
        *,
        streams: Collection[str] = (),
        reasons: Collection[str] = (),
        max_series: int = MAX_SERIES_A_SIGNAL,
    ) -> None:
        self.turned_at: float | None = None
        self._signals = {signal.name: signal for signal in signals}
        self._max_series = max_series
        self._states: dict[str, dict[Labels, Now]] = {signal.name: {} for signal in signals}
        self._last_event_us: dict[str, int] = {}
        self._uncounted: list[Ingested] | None = None
        self._snapshot = Snapshot({name: {} for name in self._states})
        self.registry = CollectorRegistry()
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
        self._of_feeds = {
            what: _counter(each, registry)
            for what, each in (
                ("connections", metrics.FEED_CONNECTIONS), ("frames", metrics.FEED_FRAMES),
                ("bytes", metrics.FEED_BYTES), ("missing", metrics.FEED_MISSING),
                ("repeated", metrics.FEED_REPEATED), ("out_of_order", metrics.FEED_OUT_OF_ORDER),
                ("dropped", metrics.FEED_DROPPED),
            )
        }  # fmt: skip
        self._outbox_waiting = _gauge(metrics.OUTBOX_WAITING, registry)
        self._outbox_sent = _counter(metrics.OUTBOX_SENT, registry)
        self._outbox_dropped = _counter(metrics.OUTBOX_DROPPED, registry)
        self._synthetic = _gauge(metrics.SYNTHETIC, registry)
        self._state_writable = _gauge(metrics.STATE_WRITABLE, registry)
        self._state_writable.set(1)  # until it is tried
        self._turns = _counter(metrics.TURNS, registry)
        self._tick_duration = _histogram(metrics.TICK_DURATION, TICK_BUCKETS, registry)
        self._event_to_metric = _histogram(metrics.EVENT_TO_METRIC, _UNDER_WAY_BUCKETS, registry)
        self._dropped = _counter(metrics.SERIES_DROPPED, registry)
        self._ready, self._clock = _gauge(metrics.READY, registry), _gauge(metrics.CLOCK, registry)
        _gauge(metrics.SERIES_LIMIT, registry).set(max_series)
        for stream in streams:
            for counter in (self._events, self._late, self._doubles):
                counter.labels(stream)
            for reason in reasons:
                self._rejected.labels(stream, reason)
        Info(metrics.BUILD.name, metrics.BUILD.help, registry=registry).info({"version": version})

    def page(self, accept: str = "") -> tuple[bytes, str]:
        """The metrics page, and its content type, in the format that the scraper asks for.

        Args:
            accept: the request's header of that name.
        """
        encode, content_type = choose_encoder(accept)
        own = encode(self.registry)  # first: where it says that the monitor is ready, the levels are no older
        return market_text(self._signals, self._snapshot).encode() + own, content_type

    @property
    def source_states(self) -> dict[str, str]:
        """How each source stands."""
        return dict(self._source_states)

    @property
    def snapshot(self) -> Snapshot:
        """What the page shows of the market."""
        return self._snapshot

    def stands(
        self,
        *,
        is_ready: Callable[[], bool],
        now_us: Callable[[], int],
        has_resumed: Callable[[], bool] | None = None,
        clock: str = metrics.WALL,
        is_synthetic: bool = False,
    ) -> None:
        """Say whom a scrape asks whether the monitor is ready, and what time it is for it, epoch microseconds.

        Args:
            is_ready: asked at every scrape, from its thread.
            now_us: likewise.
            has_resumed: likewise, whether it was ever ready; None: it evaluates nothing.
            clock: by which clock that time is.
            is_synthetic: whether the events are made up.
        """
        self._synthetic.set(is_synthetic)
        _gauge(metrics.CLOCK_INFO, self.registry).labels(clock).set(1)
        self._ready.set_function(lambda: float(is_ready()))
        if has_resumed is not None:
            _gauge(metrics.RESUMED, self.registry).set_function(lambda: float(has_resumed()))
        self._clock.set_function(lambda: now_us() / MICROSECONDS_PER_SECOND)

    def ingested(self, what: Ingested) -> None:
        """Count what a batch brought."""
        if self._uncounted is None:
            self._count(what)
        else:
            self._uncounted.append(what)
        if what.last_event_us is not None:  # of this batch: another partition may be ahead of it
            newest = max(what.last_event_us, self._last_event_us.get(what.stream, what.last_event_us))
            self._last_event_us[what.stream] = newest
            self._last_event.labels(what.stream).set(newest / MICROSECONDS_PER_SECOND)

    def go_on(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """Count on from what an earlier process counted: by (stream, what, reason of a reject).

        From now on what comes in is counted when the state says so, too: a process that goes on would else begin
        lower than this one ended, and a rate would take all that was ever counted for new.
        """
        self._uncounted = []
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
        self._snapshot = Snapshot(states, output.thresholds, index, output.alarms, output.flags)
        for stream, watermark_us in output.watermarks_us.items():
            self._watermark.labels(stream).set(watermark_us / MICROSECONDS_PER_SECOND)

    def close(self) -> None:
        """Nothing is held open: the page shows the last state until the process ends."""

    def source_state(self, source: str, kind: str, state: str) -> None:
        """Say how a source stands; from any thread."""
        self._source_info.labels(source, kind).set(1)
        self._source_up.labels(source).set(state == _UP)
        known = self._source_states.setdefault(source, state)
        if known != state:
            self._source_state.labels(source, known).set(0)
            self._source_states[source] = state
        self._source_state.labels(source, state).set(1)

    def feed_counts(self, source: str, more: Mapping[str, int]) -> None:
        """Say how much more a source has counted, of what; from any thread."""
        for what, count in more.items():
            self._of_feeds[what].labels(source).inc(count)

    def partition(
        self, name: str, *, offset: int, lag: int | None, lost: int, empty: int, arrived_us: int | None
    ) -> None:
        """Say how a partition stands: its name is `TOPIC/NUMBER`; what is not known stays as it was."""
        topic, number = topic_and_number(name) or (name, "")
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
        """Say whether the durable state could be written, and count what came in until then."""
        self._state_writable.set(is_written)
        for what in self._uncounted or ():
            self._count(what)
        if self._uncounted:
            self._uncounted = []

    def turned(self) -> None:
        """Count a turn of the main loop."""
        self._turns.inc()
        self.turned_at = time.monotonic()

    def advanced(self, seconds: float) -> None:
        """Record how long an advance took, wall seconds."""
        self._tick_duration.observe(seconds)

    def shown(self, seconds: float) -> None:
        """Record how long events were under way until this page had the tick that sees them, wall seconds."""
        self._event_to_metric.observe(seconds)

    def _count(self, what: Ingested) -> None:
        self._events.labels(what.stream).inc(what.events)
        self._late.labels(what.stream).inc(what.late)
        self._doubles.labels(what.stream).inc(what.doubles)
        for reject in what.rejects:
            self._rejected.labels(reject.stream, reject.reason).inc(reject.events)

    def _take_in(self, row: dict[str, Any]) -> None:
        signal = self._signals[row["signal"]]
        labels = tuple(row[label] or "" for label in signal.labels)
        known = self._states[signal.name]
        before = known.get(labels)
        if before and before.value_date and row["value_date"] and row["value_date"] < before.value_date:
            return  # a revision of a day that is past: what stands now is newer
        if row["is_over"] and row["value"] is None and row["level"] is None:
            known.pop(labels, None)  # there may be thousands of them in a year, as of deals
            return
        if before is None and len(known) >= self._max_series:
            self._dropped.labels(signal.name).inc()
            return
        texts = before.texts if before else LabelTexts.of(signal, labels)
        known[labels] = Now(
            texts, row["value"], row["blind"], row["level"], row["value_date"], row["score"], row["row"]
        )


def _counter(each: Family, registry: CollectorRegistry) -> Counter:
    return Counter(each.name, each.help, each.labels, registry=registry)


def _gauge(each: Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(each.name, each.help, each.labels, registry=registry)


def _histogram(each: Family, buckets: Sequence[float], registry: CollectorRegistry) -> Histogram:
    return Histogram(each.name, each.help, each.labels, buckets=buckets, registry=registry)
