"""The sinks of a live run that the settings ask for: refused events, results for other programs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from monitor.config import Settings
from monitor.kafka.outbox import Outbox
from monitor.kafka.publisher import Publisher
from monitor.sinks.base import Sink
from monitor.sinks.files import REJECTS_FILE
from monitor.sinks.publish import PublishSink
from monitor.sinks.rejects import RejectFile, RejectTopic
from monitor.sinks.snapshot import MetricOfSignal
from monitor.streams import STREAMS

TOPIC_SECONDS = 5.0
"""So long a topic that the brokers do not know may hold up the messages of others."""


class Counts(Protocol):
    """What is told of messages on their way out, from any thread; `sink` is `rejects` or `publish`."""

    def outbox_waiting(self, sink: str, count: int) -> None:
        """So many are not acknowledged."""

    def outbox_sent(self, sink: str, count: int) -> None:
        """So many more were acknowledged."""

    def outbox_dropped(self, sink: str, count: int) -> None:
        """So many more will never arrive."""


def reject_sink(settings: Settings, counts: Counts, *, is_synthetic: bool) -> Sink | None:
    """Where refused events are kept; None: they are only counted.

    Args:
        settings: of the run.
        counts: told of what is kept, as sent, and of what is not, as dropped.
        is_synthetic: whether the events are made up.
    """
    sink, chosen = "rejects", settings.rejects
    if chosen.to == "kafka":
        return RejectTopic(
            _outbox(settings, counts, sink),
            {name: stream.topic for name, stream in STREAMS.items()},
            close_within_seconds=_close_within(settings),
            is_synthetic=is_synthetic,
            on_dropped=partial(counts.outbox_dropped, sink),
        )
    path = chosen.path or (settings.run.state / REJECTS_FILE if settings.run.state else None)
    if chosen.to == "none" or path is None:
        return None
    return RejectFile(
        path,
        chosen.most,
        wall_us=lambda: time.time_ns() // 1_000,
        is_synthetic=is_synthetic,
        on_kept=partial(counts.outbox_sent, sink),
        on_dropped=partial(counts.outbox_dropped, sink),
    )


def publish_sink(
    settings: Settings, signals: Sequence[MetricOfSignal], counts: Counts, *, is_synthetic: bool
) -> Sink | None:
    """What sends results to other programs; None if no topic is named.

    Args:
        settings: of the run.
        signals: those of the run.
        counts: told of what is under way.
        is_synthetic: whether the events are made up.
    """
    sink, chosen = "publish", settings.publish
    if chosen.alerts_topic is None and chosen.index_topic is None:
        return None
    return PublishSink(
        _outbox(settings, counts, sink),
        signals,
        alerts_topic=chosen.alerts_topic,
        index_topic=chosen.index_topic,
        close_within_seconds=_close_within(settings),
        is_synthetic=is_synthetic,
    )


def _outbox(settings: Settings, counts: Counts, sink: str) -> Outbox:
    connection = settings.kafka.connection()
    return Outbox(
        sink,
        lambda: Publisher(connection, wait_seconds=TOPIC_SECONDS),
        on_waiting=partial(counts.outbox_waiting, sink),
        on_sent=partial(counts.outbox_sent, sink),
        on_dropped=partial(counts.outbox_dropped, sink),
    )


def _close_within(settings: Settings) -> float:
    """Two of them, one after the other, take half of the time that a stop may take."""
    return settings.run.stop_within_seconds / 4
