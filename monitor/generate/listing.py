"""The catalogue as data and as rows: what `stress-monitor signals` prints and the docs are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.signals.model import Signal
    from monitor.signals.thresholds import Edge, ThresholdRow


def signal_as_data(signal: Signal) -> dict[str, Any]:
    """Everything that a user may want to know of a signal, ready for JSON."""
    return {
        "name": signal.name,
        "metric": signal.metric,
        "title": signal.title,
        "segment": signal.segment,
        "unit": signal.unit,
        "help": signal.help,
        "formula": signal.formula,
        "source": signal.source,
        "labels": list(signal.labels),
        "window": signal.window_help,
        "headline": signal.headline,
        "alert": signal.alert,
        "runbook": signal.runbook,
        "thresholds": [_row_as_data(row) for row in signal.thresholds],
    }


def _row_as_data(row: ThresholdRow) -> dict[str, Any]:
    return {
        "row": row.id,
        "applies_to": row.applies_to,
        "calm": row.calm,
        "warning": _edge_as_data(row.warning),
        "critical": _edge_as_data(row.critical),
        "overrides": {
            flag: {"warning": warning, "critical": critical} for flag, (warning, critical) in row.overrides.items()
        },
        "hold_in": str(row.hold_in),
        "hold_out": str(row.hold_out),
        "low_is_bad": row.low_is_bad,
        "notify": str(row.notify),
        "reason": row.reason,
    }


def _edge_as_data(edge: Edge | None) -> dict[str, float] | None:
    return None if edge is None else {"enter": edge.enter, "exit": edge.exit}


def edge_text(edge: Edge | None) -> str:
    """An edge as `enter/exit`.

    >>> from monitor.signals.thresholds import Edge
    >>> edge_text(Edge(40, 25)), edge_text(None)
    ('40/25', '')
    """
    return "" if edge is None else f"{edge.enter:g}/{edge.exit:g}"


def overrides_text(row: ThresholdRow) -> str:
    """The enter values on flagged days: `Q 60/80, Y 60/80`."""
    return ", ".join(f"{flag} {warning:g}/{critical:g}" for flag, (warning, critical) in row.overrides.items())
