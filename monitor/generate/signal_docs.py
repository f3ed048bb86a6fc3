"""The pages of signals and of thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.generate.listing import edge_text, overrides_text
from monitor.markdown import page, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.signals.model import Signal


def signals_page(signals: Sequence[Signal]) -> str:
    """Every signal: what it tells, its formula, its windows, its source."""
    return page(
        "Signals",
        "A signal is a number in market units; its unit stands in its name, and its metric is `market_` and its "
        "name. A signal without enough data is absent (no series), never 0; one whose input is lost, stale or "
        "repeated is blind, never calm.",
        *(_section(signal) for signal in signals),
    )


def _section(signal: Signal) -> str:
    facts = [
        ("formula", f"`{signal.formula}`"),
        ("unit", signal.unit),
        ("labels", ", ".join(f"`{label}`" for label in signal.labels) or "none"),
        ("window", signal.window_help),
        ("segment", signal.segment + (" (a headline of it)" if signal.headline else "")),
        ("alert", f"`{signal.alert}`" if signal.thresholds else "none: shown only"),
        ("source", signal.source),
    ]
    return f"## `{signal.name}`\n\n{signal.help}\n\n{table(['', ''], facts)}"


def _reasons(signal: Signal) -> list[str]:
    """A line a reason, with the rows that it is for; rows of one reason have one line."""
    rows: dict[str, list[str]] = {}
    for row in signal.thresholds:
        rows.setdefault(row.reason, []).append(row.applies_to)
    return [f"- `{signal.name}`, {'; '.join(applies)}: {reason}" for reason, applies in rows.items()]


def thresholds_page(signals: Sequence[Signal]) -> str:
    """Every threshold row, and its reason."""
    rows = [
        (
            f"`{signal.name}`",
            f"`{row.id}`",
            "" if row.calm is None else f"{row.calm:g}",
            edge_text(row.warning),
            edge_text(row.critical),
            overrides_text(row),
            f"{row.hold_in} / {row.hold_out}",
            str(row.notify),
        )
        for signal in signals
        for row in signal.thresholds
    ]
    head = ("signal", "row", "calm", "warning", "critical", "flagged days", "hold in / out", "notify")
    reasons = [line for signal in signals for line in _reasons(signal)]
    return page(
        "Thresholds",
        "The defaults, each as enter/exit in the signal's unit; an exit is strictly past its value. On value dates "
        "with a calendar flag the enter values of *flagged days* hold (warning/critical): Y, Q and M are the first and "
        "last SOFR business day of a year, a quarter and a month, C is the 15th or the business day after it; the "
        "most specific flag that a row names wins. E is the time within your own `[calendar] events`, around "
        "announcements, when dealers step back for minutes; it goes before all flags. Settings of "
        "`[thresholds.SIGNAL.ROW]` take the place of these; `market_signal_threshold` exports what is in force.",
        table(head, rows),
        "## Why these",
        "\n".join(reasons),
    )
