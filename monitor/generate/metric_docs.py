"""The page of the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.markdown import page, table
from monitor.sinks.metrics import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.signals.model import Signal
    from monitor.sinks.metrics import Family


def metrics_page(signals: Sequence[Signal]) -> str:
    """Every metric: its name, labels, type, and what it tells."""
    market = [family for family in FAMILIES if not family.name.startswith("monitor_")]
    own = [family for family in FAMILIES if family.name.startswith("monitor_")]
    return page(
        "Metrics",
        "What `/metrics` shows, in the text format of Prometheus. A series is there while there is a value: an absent "
        "or blind signal has none, so a gap in data is a gap in the graph, and never a zero. Each unit stands in its "
        "metric's name; a ratio of 0.3 is 30 %. All times are seconds since 1970, event times unless they say wall.",
        "## Signals",
        "All are gauges. [signals.md](signals.md) has their definitions.",
        table(
            ("metric", "labels", "tells"),
            [(f"`{signal.metric}`", _labels(signal.labels), signal.help) for signal in signals],
        ),
        "## Levels, scores and the stress index",
        "[index.md](index.md) says how the index is made.",
        _table_of(market),
        "## The monitor itself",
        _table_of(own),
        "Besides, the `process_*` metrics of the Prometheus client library: memory, CPU seconds, open files, "
        "and `process_start_time_seconds`, which tells of a restart.",
    )


def _table_of(families: Sequence[Family]) -> str:
    rows = [
        (
            f"`{family.scraped}`",
            _labels(family.labels) + (", and the signal's own" if family.has_signal_labels else ""),
            family.kind,
            family.help,
        )
        for family in families
    ]
    return table(("metric", "labels", "type", "tells"), rows)


def _labels(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)
