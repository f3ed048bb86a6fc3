"""The run that nobody broke: one pipeline in this process that reads the same logs to their ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from monitor.calendar import MarketCalendar
from monitor.config import load
from monitor.engine.barlog import BarLog
from monitor.journal import TRANSITIONS
from monitor.pipeline import Pipeline
from monitor.sources.base import LINES_A_MESSAGE, RawBatch
from monitor.sources.kafka.topics import stream_of
from tests.kafka.exactly_once.oracle import Counts, Log
from tests.kafka.exactly_once.processes import Difference
from tests.kafka.exactly_once.story import QUOTES, TRADES

_BARS: Final = ((QUOTES, "treasury_seconds", "quotes"), (TRADES, "repo_seconds", "trades"))


def unbroken(logs: dict[str, Log], config: Path) -> tuple[list[str], int | None]:
    """The transitions as JSON, in order, and the newest tick that was run.

    Args:
        logs: by partition, all messages.
        config: the settings of the run that is held against it.
    """
    pipeline = Pipeline(load(config).catalogue(), MarketCalendar(), is_durable=False)
    for partition, log in logs.items():
        lines = [(o * LINES_A_MESSAGE + i, raw) for o, value in log for i, raw in enumerate(value.split(b"\n"))]
        positions, payloads = [position for position, _ in lines], [raw for _, raw in lines]
        stream = stream_of(partition.rpartition("/")[0])
        pipeline.ingest(RawBatch("logs", stream, partition, positions, payloads, of_messages=True))
    told = [each for output in pipeline.advance() for each in output.transitions]
    return sorted(msgspec.json.encode(each).decode() for each in told), pipeline.ran


class State:
    """What a monitor left in its folder.

    Attributes:
        counts: how many events are in the bars of each second.
        transitions: as JSON, in order.
        ran: the newest tick that was run.
    """

    def __init__(self, folder: Path) -> None:
        log = BarLog(folder)
        recovered = log.open()
        log.close()
        if recovered is None:
            raise Difference(f"there is no state in {folder}")
        self.ran: int = recovered.states["facts"]["ran"][0]
        self.counts: Counts = Counts()
        for topic, tier, column in _BARS:
            bars = recovered.appends.get(tier, pl.DataFrame())
            for row in bars.iter_rows(named=True):
                self.counts[row.get("partition", topic), row["instrument"], row["second"]] += row[column]
        told = recovered.appends.get(TRANSITIONS, pl.DataFrame({"transition": []}))
        self.transitions = sorted(told["transition"])


def compare_transitions(where: str, expected: list[str], found: list[str]) -> None:
    """The alerts are those of the unbroken run.

    Raises:
        Difference: they are not.
    """
    if expected == found:
        return
    missing = _without(expected, found)
    extra = _without(found, expected)
    raise Difference(
        f"{where}: {len(found)} transitions and not {len(expected)}; missing {_short(missing)}, extra {_short(extra)}"
    )


def _without(some: list[str], others: list[str]) -> list[str]:
    left = list(others)
    found = []
    for each in some:
        if each in left:
            left.remove(each)
        else:
            found.append(each)
    return found


def _short(some: list[str]) -> list[dict[str, Any]]:
    return [json.loads(each) for each in some[:3]]
