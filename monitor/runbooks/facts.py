"""The generated parts of a page: thresholds, formula and source of a signal, the rules of the monitor's own alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.links import ON_CALL, OVERVIEW, PIPELINE
from monitor.markdown import table
from monitor.runbooks.handwritten import DO, ESCALATE, FALSE_ALARMS, IN_THE_MARKET, LOOK, MEANING, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.runbooks.places import Place

_TOLD: Final = {
    "none": "nobody: shown only",
    "desk": "the desk",
    "on-call": "warning the desk, critical on-call",
}
_FLAGS: Final = {
    "Y": "Y is the first and the last business day of a year",
    "Q": "Q that of a quarter",
    "M": "M that of a month",
    "C": "C the 15th or the next business day, when Treasury coupons settle",
    "E": "E the time of an announcement in `[calendar] events` of the settings",
}


def facts_of_signal(signal: Mapping[str, Any], place: Place) -> list[str]:
    """Its thresholds and why they are so, what is computed, and who says so."""
    return [f"## Thresholds\n\n{_thresholds(signal, place)}", f"## What is computed\n\n{_definition(signal)}"]


def _thresholds(signal: Mapping[str, Any], place: Place) -> str:
    rows: Sequence[Mapping[str, Any]] = signal["thresholds"]
    has_flags = any(row["overrides"] for row in rows)
    cells = [
        [
            row["applies_to"],
            "" if row["calm"] is None else f"{row['calm']:g}",
            _edge(row["warning"]),
            _edge(row["critical"]),
            *([_overrides(row)] if has_flags else []),
            f"{row['hold_in']} / {row['hold_out']}",
            _TOLD.get(row["notify"], row["notify"]),
        ]
        for row in rows
    ]
    flagged = ["flagged days"] if has_flags else []
    head = ["of", "calm", "warning", "critical", *flagged, "in / out after", "told"]
    parts = [f"{place.thresholds} {_how_to_read(rows)}", table(head, cells)]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reasons.setdefault(row["reason"], []).append(row["applies_to"])
    if len(reasons) == 1:
        parts.append(f"Why these: {rows[0]['reason']}")
    else:
        parts += ["Why these:", "\n".join(f"- {'; '.join(whose)}: {reason}" for reason, whose in reasons.items())]
    return "\n\n".join(parts)


def _how_to_read(rows: Sequence[Mapping[str, Any]]) -> str:
    low = any(row["low_is_bad"] for row in rows)
    entered, left = ("below", "above") if low else ("above", "below")
    said = (
        f"Levels stand as enter/exit: one begins at or {entered} the first and ends {left} the second, after its hold."
    )
    if any("min" in row["hold_in"] + row["hold_out"] for row in rows):
        said += " Minutes are of the session, 07:00 to 17:00 New York: 600 min are a whole one."
    used = [text for flag, text in _FLAGS.items() if any(flag in row["overrides"] for row in rows)]
    if used:
        said += f" On flagged days a level begins at other values, warning/critical: {', '.join(used)}."
    return said


def _edge(edge: Mapping[str, float] | None) -> str:
    return "none" if edge is None else f"{edge['enter']:g}/{edge['exit']:g}"


def _overrides(row: Mapping[str, Any]) -> str:
    def level(value: float | None) -> str:
        return "none" if value is None else f"{value:g}"

    return ", ".join(f"{flag} {level(at['warning'])}/{level(at['critical'])}" for flag, at in row["overrides"].items())


def _definition(signal: Mapping[str, Any]) -> str:
    labels = ", ".join(f"`{label}`" for label in signal["labels"]) or "none"
    rows = [
        ("signal", f"`{signal['name']}`"),
        ("metric", f"`{signal['metric']}`, labels: {labels}"),
        ("formula", f"`{signal['formula']}`"),
        ("unit", signal["unit"]),
        ("window", signal["window"]),
        ("in the index", _in_the_index(signal)),
        ("source", signal["source"]),
    ]
    return f"{_literal(signal['help'])}\n\n{table(['', ''], rows)}"


def _in_the_index(signal: Mapping[str, Any]) -> str:
    if signal["headline"]:
        return "scored: a headline of its segment"
    can_be_critical = any(row["critical"] is not None for row in signal["thresholds"])
    return "not scored" + ("; while it is critical the regime is at least elevated" if can_be_critical else "")


def facts_of_own(own: Mapping[str, Any]) -> list[str]:
    """When its rules fire."""
    rows = []
    for rule in own["rules"]:
        after = "at once" if rule["wait"] == "0s" else f"after {rule['wait']}"
        rows.append(f"**{rule['severity'].capitalize()}**, {after}:\n\n```promql\n{rule['expr']}\n```")
    told = "; ".join(dict.fromkeys(_told_by(rule["severity"], own["notify"]) for rule in own["rules"]))
    return ["\n\n".join([f"## When it fires\n\nTold: {told}.", *rows])]


def _told_by(severity: str, notify: str) -> str:
    """Who hears of a rule of the monitor's own; `monitor.generate.alertmanager` has the routes."""
    if severity != "none" and notify == "none":
        return _TOLD[notify]
    return {
        "critical": "critical: on-call, by the pager",
        "warning": "warning: who runs the monitor; of a segment that is blind, its desk",
    }.get(severity, "the dead man's switch, every minute; nobody reads it")


def generic_signal(signal: Mapping[str, Any], others: Sequence[str], board: str | None) -> Text:
    """What can be said of a signal for which nobody has written a text."""
    with_them = ", ".join(f"{{{other}}}" for other in others)
    confirm = f"Look at what the segment is scored by: {with_them}." if others else "No other alert of its segment is."
    return Text(
        _literal(signal["help"]),
        {
            IN_THE_MARKET: (
                f"{_literal(signal['help'])} Nobody has written more about it yet: the definition and its source stand "
                "at the end of this page."
            ),
            LOOK: (
                f"1. The {{{board or OVERVIEW}}}: since when, which label sets, how far past the threshold.\n"
                f"2. {confirm} One signal alone is its own affair; several at once are the market's.\n"
                f"3. The {{{ON_CALL}}}: is it, or its segment, blind? Then its level is the last that was known.\n"
                f"4. The {{{PIPELINE}}}: rejects and late events of its stream."
            ),
            FALSE_ALARMS: (
                "- A feed that is lost, stale or repeated is told as blind, and raises no level; a bad print that "
                "meets its contract can.\n- A holiday, an early close or a quarter end that the calendar does not "
                "know: `[calendar]` of the settings has your own days."
            ),
            DO: (
                "**Desk.** Check the value against a second source before anyone trades on it.\n\n"
                "**On-call.** See that the input is sound; do not change thresholds while the alert stands."
            ),
            ESCALATE: "When it is critical, confirmed by a second signal or a second source, and still rising.",
        },
    )


def generic_own(own: Mapping[str, Any]) -> Text:
    """What can be said of an alert of the monitor's own for which nobody has written a text."""
    return Text(
        _literal(own["tells"].partition(". ")[0].rstrip(".") + "."),
        {
            MEANING: _literal(own["tells"]),
            LOOK: (
                f"1. The {{{PIPELINE}}}: events, rejects, lag, the clock, the sources.\n"
                "2. The log of the monitor: it says in sentences what it lost, and what it tries.\n"
                f"3. The {{{ON_CALL}}}: what else fires, and what is blind."
            ),
            FALSE_ALARMS: "- A planned restart or update of the monitor, of Prometheus or of a source.",
            DO: "**On-call.** Find out which part does not do its work, and mend that part first.",
            ESCALATE: "When the market alerts cannot be trusted meanwhile: tell the desk at once that it is blind.",
        },
    )


def _literal(text: str) -> str:
    """Text of others, of which nothing is a reference.

    >>> _literal("a {b}")
    'a &#123;b&#125;'
    """
    return text.replace("{", "&#123;").replace("}", "&#125;")
