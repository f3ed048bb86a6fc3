"""How partitions stand is told one by one, and one that falls silent among others that flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from monitor.partitions import SILENT_US, PartitionWatch
from monitor.sources.base import PartitionState

S = 1_000_000
T0_US = 1_778_504_400 * S
QUIET, LOUD, OTHER = "quotes/0", "quotes/1", "trades/0"
UP_TO_DATE = PartitionState(7 << 20, 7, 7, is_behind=False)


class Told:
    """A watch, and what it told of each partition last; the clock is the test's."""

    def __init__(self) -> None:
        self.gauges: dict[str, dict[str, Any]] = {}
        self.watch = PartitionWatch(self)
        self.states = dict.fromkeys((QUIET, LOUD, OTHER), UP_TO_DATE)

    def partition(self, name: str, **how: Any) -> None:
        self.gauges[name] = how

    def arrived(self, second: int, *names: str) -> None:
        for name in names:
            self.watch.arrived(name, T0_US + second * S)

    def look(self, second: int) -> None:
        self.watch.look(self.states, T0_US + second * S)

    def flow(self, seconds: range, *names: str) -> None:
        """They bring something every ten seconds, and it is looked each second."""
        for second in seconds:
            if second % 10 == 0:
                self.arrived(second, *names)
            self.look(second)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def said(logs: list[EventDict]) -> list[tuple[str, str]]:
    return [(each["log_level"], each["partition"]) for each in logs]


def test_how_a_partition_stands_is_told(told: Told) -> None:
    told.states = {
        QUIET: PartitionState(5 << 20, 5, 9, is_behind=True, lost=3, empty=2),
        LOUD: PartitionState(4 << 20, 4, None, is_behind=True),
        OTHER: PartitionState(9 << 20, 9, 8, is_behind=False),
    }
    told.arrived(3, QUIET)
    told.look(4)
    assert told.gauges == {
        QUIET: {"offset": 5, "lag": 4, "lost": 3, "empty": 2, "arrived_us": T0_US + 3 * S},
        LOUD: {"offset": 4, "lag": None, "lost": 0, "empty": 0, "arrived_us": None},
        OTHER: {"offset": 9, "lag": 0, "lost": 0, "empty": 0, "arrived_us": None},
    }


def test_a_partition_that_falls_silent_is_told_once_and_when_it_speaks_again(told: Told, logs: list[EventDict]) -> None:
    told.arrived(0, QUIET)
    silent = SILENT_US // S
    told.flow(range(silent), LOUD)
    assert said(logs) == []
    told.flow(range(silent, 3 * silent), LOUD)
    assert said(logs) == [("warning", QUIET)]
    assert (logs[0]["silent_seconds"], logs[0]["waiting"]) == (silent, 0)
    told.arrived(3 * silent, QUIET)
    told.arrived(3 * silent + 1, QUIET)
    assert said(logs) == [("warning", QUIET), ("info", QUIET)]
    told.flow(range(3 * silent + 2, 4 * silent + 2), LOUD)
    assert said(logs)[2:] == [("warning", QUIET)], "it fell silent anew"


def test_where_all_of_a_topic_are_silent_none_is_told(told: Told, logs: list[EventDict]) -> None:
    """It may be the weekend; and what another topic does says nothing."""
    told.arrived(0, QUIET, LOUD)
    told.flow(range(2 * SILENT_US // S), OTHER)
    assert said(logs) == []


def test_one_that_never_brought_anything_is_not_missed(told: Told, logs: list[EventDict]) -> None:
    told.flow(range(2 * SILENT_US // S), LOUD)
    assert said(logs) == []
    assert told.gauges[QUIET]["arrived_us"] is None


def test_one_that_is_ours_no_longer_is_not_told(told: Told, logs: list[EventDict]) -> None:
    told.arrived(0, QUIET)
    del told.states[QUIET]
    told.flow(range(2 * SILENT_US // S), LOUD)
    assert said(logs) == []
    assert QUIET not in told.gauges
