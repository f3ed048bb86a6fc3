"""Watches the partitions of a topic one by one: a silent one is easily missed among others that flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import structlog

from monitor.kafka.names import topic_of
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.sources.base import PartitionState

SILENT_US: Final = 300 * MICROSECONDS_PER_SECOND
"""A partition that brought something, and then nothing for so long while others of its topic do, is told."""
_LATELY_US: Final = 30 * MICROSECONDS_PER_SECOND

_log = structlog.get_logger(__name__)


class PartitionGauges(Protocol):
    """What is told of partitions."""

    def partition(
        self, name: str, *, offset: int, lag: int | None, lost: int, empty: int, arrived_us: int | None
    ) -> None:
        """How a partition stands of which its source knows what waits there; None: not known."""


class PartitionWatch:
    """Tells how the partitions stand, and warns of one that is silent.

    Args:
        gauges: what is told.
    """

    def __init__(self, gauges: PartitionGauges) -> None:
        self._gauges = gauges
        self._arrived_us: dict[str, int] = {}
        self._silent: set[str] = set()

    def arrived(self, name: str, now_us: int) -> None:
        """A partition brought something, by the clock of arrivals."""
        self._arrived_us[name] = now_us
        if name in self._silent:
            self._silent.discard(name)
            _log.info("a partition speaks again", partition=name)

    def look(self, states: Mapping[str, PartitionState], now_us: int) -> None:
        """Tell how they stand, and which is silent."""
        newest: dict[str, int] = {}
        for name in states:
            topic = topic_of(name)
            newest[topic] = max(newest.get(topic, 0), self._arrived_us.get(name, 0))
        for name, each in states.items():
            lag = None if each.end is None else max(0, each.end - each.offset)
            arrived_us = self._arrived_us.get(name)
            self._gauges.partition(
                name, offset=each.offset, lag=lag, lost=each.lost, empty=each.empty, arrived_us=arrived_us
            )
            others_flow = now_us - newest[topic_of(name)] <= _LATELY_US
            if arrived_us is not None and now_us - arrived_us >= SILENT_US and others_flow and name not in self._silent:
                self._silent.add(name)
                silent_seconds = (now_us - arrived_us) // MICROSECONDS_PER_SECOND
                _log.warning(
                    "a partition is silent while others of its topic are not: are its producers alive?",
                    partition=name, silent_seconds=silent_seconds, waiting=lag,
                )  # fmt: skip
